"""usage: smb_impacket.py PORT PASSWORD-FILE URL FOLDER: impacket at work on the share, in each dialect it has, beside WebDAV at
URL; FOLDER is what is served.

Dialect 3.1.1 is left out: Debian's impacket does not sign TREE_CONNECT there, which servers refuse.
"""

import io
import os
import struct
import sys
import urllib.request

from impacket.smb3structs import (
    FILE_ATTRIBUTE_NORMAL, FILE_CREATE, FILE_NON_DIRECTORY_FILE, FILE_OPEN, FILE_OPEN_REPARSE_POINT, FILE_READ_DATA, FILE_SHARE_READ,
    FILE_SHARE_WRITE, FILE_WRITE_DATA, FSCTL_SET_REPARSE_POINT, GENERIC_ALL, SMB2_0_IOCTL_IS_FSCTL, SMB2_DIALECT_002, SMB2_DIALECT_21, SMB2_DIALECT_30)
from impacket.smbconnection import SMBConnection, SessionError

STATUS_SHARING_VIOLATION = 0xC0000043
STATUS_DIRECTORY_NOT_EMPTY = 0xC0000101
STATUS_OBJECT_NAME_NOT_FOUND = 0xC0000034
IO_REPARSE_TAG_SYMLINK = 0xA000000C


def symlink_data(target):
    """A REPARSE_DATA_BUFFER (MS-FSCC section 2.1.2.4) of a relative link."""
    name = target.encode("utf-16le")
    data = struct.pack("<HHHHI", 0, len(name), len(name), len(name), 1) + name + name
    return struct.pack("<IHH", IO_REPARSE_TAG_SYMLINK, len(data), 0) + data


def refused(status, call, *arguments):
    try:
        call(*arguments)
    except SessionError as error:
        assert error.getErrorCode() == status, f"{error} instead of {status:#x}"
    else:
        raise AssertionError(f"{call.__name__}{arguments} was not refused with {status:#x}")


def names(connection, pattern):
    return sorted(f.get_longname() for f in connection.listPath("share", pattern) if f.get_longname() not in (".", ".."))


def work(connection, other, url, folder):
    assert "share" in [s["shi1_netname"][:-1] for s in connection.listShares()], "the share is not listed"
    connection.createDirectory("share", "d")
    for size in (0, 1, 65536, 65537, 3000000):
        data = os.urandom(size)
        connection.putFile("share", f"d\\f{size}", io.BytesIO(data).read)
        back = io.BytesIO()
        connection.getFile("share", f"d\\f{size}", back.write)
        assert back.getvalue() == data, f"{size} bytes are not what was put"
        with open(f"{folder}/d/f{size}", "rb") as file:
            assert file.read() == data, f"{size} bytes are others in the folder"
    assert names(connection, "d\\*") == ["f0", "f1", "f3000000", "f65536", "f65537"], names(connection, "d\\*")
    assert names(connection, "d\\f6*") == ["f65536", "f65537"], names(connection, "d\\f6*")
    assert names(connection, "d\\F?") == ["f0", "f1"], names(connection, "d\\F?")
    connection.rename("share", "d\\f1", "d\\moved")
    assert not os.path.exists(f"{folder}/d/f1") and os.path.getsize(f"{folder}/d/moved") == 1, "rename"
    refused(STATUS_DIRECTORY_NOT_EMPTY, connection.deleteDirectory, "share", "d")
    refused(STATUS_OBJECT_NAME_NOT_FOUND, connection.deleteFile, "share", "d\\none")

    # Written through one open, read through another, then by somebody who shares nothing.
    tree, other_tree = connection.connectTree("share"), other.connectTree("share")
    write = connection.openFile(tree, "d\\open", desiredAccess=FILE_READ_DATA | FILE_WRITE_DATA, shareMode=FILE_SHARE_READ | FILE_SHARE_WRITE,
                                creationDisposition=FILE_CREATE)
    connection.writeFile(tree, write, b"0123456789", 5)
    read = other.openFile(other_tree, "d\\open", desiredAccess=FILE_READ_DATA, shareMode=FILE_SHARE_READ | FILE_SHARE_WRITE)
    assert other.readFile(other_tree, read, 0, 100) == bytes(5) + b"0123456789", "what another open has written"
    refused(STATUS_SHARING_VIOLATION, other.openFile, other_tree, "d\\open", FILE_READ_DATA, 0)
    other.closeFile(other_tree, read)
    connection.closeFile(tree, write)

    # What another door changes, the next request tells of.
    urllib.request.urlopen(urllib.request.Request(url + "d/open", data=b"by another door", method="PUT")).close()
    (found,) = connection.listPath("share", "d\\open")
    assert found.get_filesize() == 15, f"the size is {found.get_filesize()}, not what WebDAV made it"
    back = io.BytesIO()
    connection.getFile("share", "d\\open", back.write)
    assert back.getvalue() == b"by another door", "not what WebDAV put"

    # A symlink, made as Windows makes them.
    server = connection.getSMBServer()
    link = connection.createFile(
        tree, "d\\link", desiredAccess=GENERIC_ALL, creationDisposition=FILE_CREATE,
        creationOption=FILE_NON_DIRECTORY_FILE | FILE_OPEN_REPARSE_POINT, fileAttributes=FILE_ATTRIBUTE_NORMAL)
    server.ioctl(tree, link, FSCTL_SET_REPARSE_POINT, flags=SMB2_0_IOCTL_IS_FSCTL, inputBlob=symlink_data("moved"), maxOutputResponse=0)
    connection.closeFile(tree, link)
    assert os.readlink(f"{folder}/d/link") == "moved", "a link leads elsewhere"
    through = connection.openFile(tree, "d\\link", desiredAccess=FILE_READ_DATA, creationDisposition=FILE_OPEN)
    assert len(connection.readFile(tree, through, 0, 100)) == 1, "a link does not lead to its file"
    connection.closeFile(tree, through)

    for name in names(connection, "d\\*"):
        connection.deleteFile("share", f"d\\{name}")
    connection.deleteDirectory("share", "d")
    assert os.listdir(folder) == [], "something is left"


def main():
    port, url, folder = int(sys.argv[1]), sys.argv[3], sys.argv[4]
    with open(sys.argv[2], encoding="ascii") as file:
        password = file.read().strip()
    for dialect in (SMB2_DIALECT_002, SMB2_DIALECT_21, SMB2_DIALECT_30):
        connections = [SMBConnection("127.0.0.1", "127.0.0.1", sess_port=port, preferredDialect=dialect, timeout=60) for _ in range(2)]
        for connection in connections:
            connection.login("user", password)
            assert connection.getDialect() == dialect, hex(connection.getDialect())
        work(*connections, url, folder)
        for connection in connections:
            connection.logoff()


if __name__ == "__main__":
    main()
