"""usage: smb_two_doors.py PORT PASSWORD-FILE MOUNTPOINT: what a client of SMB holds of files that the kernel's FUSE mount uses.

One volume is behind both. Oplocks and leases are broken and acknowledged by hand here; what goes on at the mount waits for that, in
processes of its own.
"""

import os
import subprocess
import sys

from impacket.smb3structs import (
    DELETE, FILE_CREATE, FILE_DIRECTORY_FILE, FILE_LIST_DIRECTORY, FILE_OPEN_IF, FILE_SHARE_READ, GENERIC_READ, SMB2_DIALECT_21, SMB2_DIALECT_30,
    SMB2_OPLOCK_LEVEL_BATCH, SMB2_OPLOCK_LEVEL_II, SMB2_OPLOCK_LEVEL_NONE)

from smb_peer import PATIENCE, STATUS_SHARING_VIOLATION, Client, refused

STATUS_DELETE_PENDING = 0xC0000056
R, H, W = 1, 2, 4  # of a lease


def at_mount(script, *arguments):
    """A process that uses the mount."""
    return subprocess.Popen([sys.executable, "-c", "import os, sys\n" + script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process):
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return said


def waits(process):
    assert process.poll() is None, f"it did not wait: {process.communicate()[0]}"


READ = "print(open(sys.argv[1]).read(), end='')"
WRITE = "open(sys.argv[1], 'w').write(sys.argv[2])"
APPEND = "open(sys.argv[1], 'a').write(sys.argv[2])"
RENAME = "os.rename(sys.argv[1], sys.argv[2])"
UNLINK = "os.unlink(sys.argv[1])"
TRY_READ = """
try: open(sys.argv[1]).read()
except OSError as error: print(os.strerror(error.errno), end='')
"""


def put(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def oplock_break(client, mount):
    path = f"{mount}/oplock"
    put(path, "old")
    file = client.open_alone("oplock", SMB2_OPLOCK_LEVEL_BATCH, oplock=SMB2_OPLOCK_LEVEL_BATCH)
    reader = at_mount(READ, path)
    assert client.broken() == SMB2_OPLOCK_LEVEL_II
    # What the client has kept for itself comes now; the reader sees it.
    client.write(file, b"kept by the client")
    waits(reader)
    client.acknowledge_oplock(file, SMB2_OPLOCK_LEVEL_II)
    assert ended(reader) == "kept by the client"
    # Level II is gone with a write, which waits for nobody.
    ended(at_mount(WRITE, path, "by the mount"))
    assert client.broken() == SMB2_OPLOCK_LEVEL_NONE
    assert client.read(file) == b"by the mount"
    # A batch oplock is taken from who does not answer but closes.
    client.close(file)
    file = client.open_alone("oplock", SMB2_OPLOCK_LEVEL_BATCH, oplock=SMB2_OPLOCK_LEVEL_BATCH)
    renamer = at_mount(RENAME, path, path + "2")
    client.broken()
    waits(renamer)
    client.close(file)
    ended(renamer)
    os.unlink(path + "2")


def lease_break(client, mount):
    path, key = f"{mount}/lease", os.urandom(16)
    put(path, "old")
    file = client.open_alone("lease", R | W | H, lease=(key, R | W | H))
    reader = at_mount(READ, path)
    assert client.broken() == (key, R | W | H, R | H, True)
    client.write(file, b"kept by the client")
    waits(reader)
    client.acknowledge_lease(key, R | H)
    assert ended(reader) == "kept by the client"
    ended(at_mount(APPEND, path, " and more"))
    _, old, new, due = client.broken()
    assert (old, new) == (R | H, 0), (old, new)
    if due:
        client.acknowledge_lease(key, 0)
    assert client.read(file) == b"kept by the client and more"
    client.close(file)

    # Who has only the handle left in its cache closes it, and the name is free for others.
    file = client.open_alone("lease", R | H, share=FILE_SHARE_READ, lease=(key, R | H))
    remover = at_mount(UNLINK, path)
    key_said, old, new, due = client.broken()
    assert (key_said, old, new & H, due) == (key, R | H, 0, True), (old, new, due)
    waits(remover)
    client.close(file)
    ended(remover)
    assert not os.path.exists(path)


def notify(client, mount):
    os.makedirs(f"{mount}/watched/inner")
    folder = client.open("watched", access=FILE_LIST_DIRECTORY, options=FILE_DIRECTORY_FILE)

    def seen(script, *arguments):
        message = client.ask_for_changes(folder)
        ended(at_mount(script, *arguments))
        return client.changes(message)

    path = f"{mount}/watched"
    told = seen(WRITE, f"{path}/new", "x")
    assert told[0] == ("added", "new"), told
    # What of the write is told only now takes an answer of its own.
    told = seen(RENAME, f"{path}/new", f"{path}/moved")
    while ("new name", "moved") not in told:
        told += client.changes(client.ask_for_changes(folder))
    assert ("old name", "new") in told and ("removed", "new") not in told, told
    told = []
    ended(at_mount(UNLINK, f"{path}/moved"))
    while ("removed", "moved") not in told:
        told += client.changes(client.ask_for_changes(folder))
    client.close(folder)
    os.rmdir(f"{path}/inner")
    os.rmdir(path)


def share_modes(client, mount):
    path = f"{mount}/shared"
    put(path, "text")
    file = client.open_for_itself("shared")
    assert ended(at_mount(TRY_READ, path)) == os.strerror(16), "a file that a client has for itself was opened"
    client.close(file)
    file = client.open("shared", share=FILE_SHARE_READ)
    assert ended(at_mount(READ, path)) == "text"
    for change in (WRITE, UNLINK):
        process = at_mount(change, path, "x")
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode != 0 and "busy" in said, f"{change} went: {said}"
    client.close(file)
    # The other way round: what the mount has open for writing.
    with open(path, "w", encoding="ascii"):
        refused(STATUS_SHARING_VIOLATION, client.open, "shared", access=GENERIC_READ, share=FILE_SHARE_READ)
        client.close(client.open("shared", access=GENERIC_READ))
    client.close(client.open_for_itself("shared"))
    os.unlink(path)


def delete_pending(client, mount):
    path = f"{mount}/pending"
    put(path, "text")
    file = client.open("pending", access=GENERIC_READ | DELETE)
    other = client.open("pending", access=GENERIC_READ)
    client.remove_at_close(file)
    refused(STATUS_DELETE_PENDING, client.open, "pending", access=GENERIC_READ)
    with open(path, encoding="ascii") as held:
        client.close(file)
        refused(STATUS_DELETE_PENDING, client.open, "pending", access=GENERIC_READ)
        assert client.read(other) == b"text"
        client.close(other)
        # The name is gone with the client's last open, for both doors, and the mount's open reads on.
        assert not os.path.exists(path), "a file that was removed is there"
        assert held.read() == "text"
        again = client.open("pending", disposition=FILE_CREATE)
        client.write(again, b"another")
        client.close(again)
        held.seek(0)
        assert held.read() == "text"
    assert ended(at_mount(READ, path)) == "another"
    # Removed by the mount while the client has it open: gone at once, and usable until it is closed.
    file = client.open("pending", access=GENERIC_READ)
    ended(at_mount(UNLINK, path))
    assert client.read(file) == b"another"
    client.close(client.open("pending", disposition=FILE_OPEN_IF))
    assert client.read(file) == b"another" and os.path.getsize(path) == 0
    client.close(file)
    os.unlink(path)


def main():
    port, mount = int(sys.argv[1]), sys.argv[3]
    with open(sys.argv[2], encoding="ascii") as file:
        password = file.read().strip()
    for dialect in (SMB2_DIALECT_21, SMB2_DIALECT_30):
        client = Client(port, password, dialect)
        for test in (oplock_break, lease_break, notify, share_modes, delete_pending):
            print(f"{dialect:#x} {test.__name__}", flush=True)
            test(client, mount)
        assert os.listdir(mount) == [], os.listdir(mount)
        client.connection.logoff()


if __name__ == "__main__":
    main()
