"""usage: smb_kill.py PORT PASSWORD-FILE FOLDER: holds durable handles, writes "ready", reads a line, and looks what is left.

Between the two the server is killed and started again. FOLDER is what it serves.
"""

import os
import struct
import sys

from impacket.smb3structs import FILE_OPEN_IF, SMB2_DIALECT_30, SMB2_OPLOCK_LEVEL_BATCH

from smb_peer import Client, Context, refused

STATUS_OBJECT_NAME_NOT_FOUND = 0xC0000034


def main():
    port, folder = int(sys.argv[1]), sys.argv[3]
    with open(sys.argv[2], encoding="ascii") as file:
        password = file.read().strip()
    client = Client(port, password, SMB2_DIALECT_30)
    guid = os.urandom(16)
    asked = {"first": Context(b"DHnQ", bytes(16)), "second": Context(b"DH2Q", struct.pack("<IIQ16s", 60000, 0, 0, guid))}
    files = {}
    for name, context in asked.items():
        file = client.open(name, disposition=FILE_OPEN_IF, oplock=SMB2_OPLOCK_LEVEL_BATCH, contexts=[context])
        assert client.answered(context.name) is not None, f"{name} is not durable"
        client.write(file, f"flushed {name}".encode())
        client.flush(file)
        files[name] = file

    print("ready", flush=True)
    sys.stdin.readline()

    try:
        client.write(files["first"], b"to nobody")
    except Exception as error:  # of the socket, or of impacket
        print(f"as it should: {error!r}", file=sys.stderr)
    else:
        raise AssertionError("the connection of a server that was killed takes writes")
    client = Client(port, password, SMB2_DIALECT_30)
    again = {"first": Context(b"DHnC", files["first"]), "second": Context(b"DH2C", files["second"] + guid + bytes(4))}
    for name, context in again.items():
        refused(STATUS_OBJECT_NAME_NOT_FOUND, client.open, name, oplock=SMB2_OPLOCK_LEVEL_BATCH, contexts=[context])
        # Nobody stands in the way of who opens it anew.
        file = client.open(name, share=0)
        assert client.read(file) == f"flushed {name}".encode(), f"{name}: what was flushed is lost"
        client.write(file, b"written again")
        client.close(file)
        with open(f"{folder}/{name}", "rb") as below:
            assert below.read().startswith(b"written again"), name


if __name__ == "__main__":
    main()
