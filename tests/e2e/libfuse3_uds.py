#!/usr/bin/env python3
"""usage: libfuse3_uds.py SOCKET: plays the kernel for libfuse's example hello_ll_uds, which reads and writes a stream socket by
functions of its own (fuse_session_custom_io)."""
import socket
import struct
import sys

IN, OUT = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")
INIT, LOOKUP, GETATTR, OPEN, READ = 26, 1, 3, 14, 15


def exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            sys.exit("the connection ended in a message")
        data += more
    return data


def ask(connection, unique, opcode, node, body):
    connection.sendall(IN.pack(IN.size + len(body), opcode, unique, node, 0, 0, 0, 0, 0) + body)
    length, error, answered = OUT.unpack(exactly(connection, OUT.size))
    if answered != unique:
        sys.exit(f"an answer to {answered} instead of {unique}")
    return error, exactly(connection, length - OUT.size)


def main():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    connection.settimeout(10)
    error, body = ask(connection, 2, INIT, 0, struct.pack("<IIII", 7, 31, 65536, 0))
    assert error == 0 and struct.unpack_from("<I", body)[0] == 7, (error, body)
    error, body = ask(connection, 4, LOOKUP, 1, b"hello\0")
    assert error == 0 and struct.unpack_from("<Q", body)[0] == 2, (error, body)
    error, _ = ask(connection, 6, LOOKUP, 1, b"other\0")
    assert error == -2, error
    error, body = ask(connection, 8, OPEN, 2, struct.pack("<II", 0, 0))
    assert error == 0, error
    handle = struct.unpack_from("<Q", body)[0]
    error, body = ask(connection, 10, READ, 2, struct.pack("<QQIIQII", handle, 0, 4096, 0, 0, 0, 0))
    assert error == 0 and body == b"Hello World!\n", (error, body)


main()
