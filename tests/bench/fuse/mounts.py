"""Mounts variants and takes them away again. Everything happens in namespaces that end with us (tools/isolated)."""
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time

from variants import EXAMPLES

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
EXAMPLE_FOLDER = "/usr/share/doc/libfuse3-dev/examples"
# What libfuse's own build finds on Linux; without them the examples lack operations.
SYSTEM_CALLS = ("UTIMENSAT", "POSIX_FALLOCATE", "SETXATTR", "COPY_FILE_RANGE", "FSTATAT", "OPENAT", "READLINKAT", "PIPE2", "SPLICE", "VMSPLICE",
                "FALLOCATE", "FDATASYNC")


class Skip(Exception):
    """A variant cannot run here; the text says why."""


def build_peers(folder):
    """Builds libfuse's examples against the packaged library, those that are newer than their program."""
    os.makedirs(folder, exist_ok=True)
    flags = None
    for name in EXAMPLES:
        source, program = os.path.join(EXAMPLE_FOLDER, name), os.path.join(folder, name.split(".")[0])
        if not os.path.exists(source) or (os.path.exists(program) and os.path.getmtime(program) > os.path.getmtime(source)):
            continue
        flags = flags or subprocess.check_output(["pkg-config", "--cflags", "--libs", "fuse3"], text=True).split()
        compiler = ["g++", "-std=c++17"] if name.endswith(".cc") else ["gcc"]
        subprocess.run([*compiler, "-O2", "-w", *(f"-DHAVE_{call}" for call in SYSTEM_CALLS), "-o", program, source, *flags], check=True)


def mounted_minor(path):
    """Minor number of the device mounted at `path`, or None. Asks the kernel's list and never the file system."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if fields[4] == path:
                return int(fields[2].split(":")[1])
    return None


def process_tree(root):
    """`root` and its descendants: a server may have helpers (sshfs has sftp-server)."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
    tree, found = [], [root]
    while found:
        tree += found
        found = [pid for pid, parent in parents.items() if parent in found]
    return tree


def cpu_seconds(pids):
    """CPU time of processes, of all their threads, ended ones too, to the nanosecond (the clock of clock_getcpuclockid(3))."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


class Mount:
    """A variant that is mounted; `folder` is where to work."""

    def __init__(self, variant, work, places, open_files=None):
        """`open_files`: limit of descriptors of the server; by default as many as the system lets it have."""
        self.variant, self.process, self.pids = variant, None, []
        self.source = os.path.join(work, "src", variant.name)
        os.makedirs(self.source, exist_ok=True)
        self.folder = self.source
        if variant.kind == "native":
            return
        self.folder = os.path.join(work, "mnt", variant.name)
        self.log = os.path.join(work, variant.name + ".log")
        os.makedirs(self.folder, exist_ok=True)
        places = {**places, "@SRC@": self.source, "@MNT@": self.folder, "@WORK@": work}
        if variant.needs:
            program = fill(variant.needs, places)
            if not shutil.which(program):
                raise Skip(f"there is no {os.path.basename(program)} here")
        self._start([fill(word, places) for word in variant.command.split()], open_files)

    def _start(self, command, open_files):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = min(open_files or hard, hard)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        deadline = time.monotonic() + 20
        while mounted_minor(self.folder) is None:
            if self.process.poll() is not None:
                raise Skip(self.last_words() or f"exit status {self.process.returncode}")
            if time.monotonic() > deadline:
                self.close()
                raise Skip("not mounted after 20 s")
            time.sleep(0.01)
        # The first answer shows that the server is up; only then all its helpers exist.
        subprocess.run(["stat", "-t", self.folder], stdout=subprocess.DEVNULL, check=False, timeout=20)
        self.pids = process_tree(self.process.pid)

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file if line.strip()]
        return lines[0][:200] if lines else ""

    def alive(self):
        return self.process is None or self.process.poll() is None

    def abort(self):
        """Cuts the connection: whoever waits for the server sees an error."""
        minor = mounted_minor(self.folder)
        path = f"/sys/fs/fuse/connections/{minor}/abort"
        if minor is not None and os.path.exists(path):
            with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
                file.write("1")

    def close(self):
        if self.process is None:
            return
        for how in ([], ["-l"]):
            if mounted_minor(self.folder) is not None:
                subprocess.run(["umount", *how, self.folder], stderr=subprocess.DEVNULL, check=False, timeout=60)
        for end in (None, signal.SIGTERM, signal.SIGKILL):
            if end is not None:
                os.killpg(self.process.pid, end)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
                return


def fill(text, places):
    for mark, value in places.items():
        text = text.replace(mark, value)
    return text


@contextlib.contextmanager
def scratch(folder):
    """A tmpfs that holds everything: backing folders, mountpoints, logs."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=80%", "bench", folder], check=True)
    pipe = os.path.join(folder, "sftp-pipe")
    with open(pipe, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\nexec {SFTP_SERVER}\n")
    os.chmod(pipe, 0o755)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


@contextlib.contextmanager
def uring_allowed(switch="/sys/module/fuse/parameters/enable_uring"):
    """Lets the kernel offer FUSE over io_uring, and puts the switch back at the end, however we end."""
    def turn(state):
        with open(switch, "w", encoding="ascii") as file:
            file.write(state)

    try:
        with open(switch, encoding="ascii") as file:
            off = file.read().strip() == "N"
        if off:
            turn("Y")
    except OSError:
        off = False
    if not off:
        yield
        return
    # A process of its own puts it back when its pipe closes, which also SIGKILL does.
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_end)
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.read(read_end, 1)
        turn("N")
        os._exit(0)
    os.close(read_end)
    try:
        yield
    finally:
        os.close(write_end)
        os.waitpid(pid, 0)
