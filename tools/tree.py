"""Files of this source tree, for the check_* tools. Walks the folder and asks no git, so that an unpacked release works too."""
import os

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(top=TOP, endings=(".h", ".cpp", ".def")):
    """Paths relative to `top`, sorted, of files with these endings; build folders and hidden folders are left out."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if not f.startswith((".", "build")) and f not in ("node_modules", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, name), top) for name in names if name.endswith(endings)]
    return sorted(found)
