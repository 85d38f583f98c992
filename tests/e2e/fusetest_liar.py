#!/usr/bin/env python3
"""A FUSE daemon of one file that breaks its word: listings with a name that cannot be, each answered twice.

usage: fusetest_liar.py good|bad /dev/fd/N    by `isthmus fusetest --in fd`
"""
import os
import stat
import struct
import sys

LIES = sys.argv[1] == 'bad'
device = int(sys.argv[2].rsplit('/', 1)[1])
ENOENT, ENOSYS, EROFS = 2, 38, 30
CONTENT = b'content\n'


def attr(node):
    mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o444
    size = 0 if node == 1 else len(CONTENT)
    return struct.pack('<QQQQQQIIIIIIIIII', node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(unique, body=b'', error=0):
    os.write(device, struct.pack('<IiQ', 16 + len(body), -error, unique) + body)


def listing(offset):
    names = [b'.', b'..', b'file'] + ([b'a/b'] if LIES else [])
    block = b''
    for i, name in enumerate(names):
        if i < offset:
            continue
        entry = struct.pack('<QQII', 2, i + 1, len(name), 0) + name
        block += entry + b'\0' * (-len(entry) % 8)
    return block


while True:
    message = os.read(device, 1 << 20)
    if not message:
        break
    length, opcode, unique, node = struct.unpack_from('<IIQQ', message)
    body = message[40:]
    if opcode == 26:  # INIT
        answer(unique, struct.pack('<IIIIHHI', 7, 31, 65536, 0, 12, 9, 65536) + b'\0' * 40)
    elif opcode == 1:  # LOOKUP
        name = body.split(b'\0')[0]
        if name == b'file' and node == 1:
            answer(unique, struct.pack('<QQQQII', 2, 0, 1, 1, 0, 0) + attr(2))
        else:
            answer(unique, error=ENOENT)
    elif opcode == 3:  # GETATTR
        answer(unique, struct.pack('<QII', 0, 0, 0) + attr(node))
    elif opcode in (14, 27):  # OPEN, OPENDIR
        answer(unique, struct.pack('<QIi', 0, 0, 0))
    elif opcode == 15:  # READ
        offset, size = struct.unpack_from('<QI', body, 8)
        answer(unique, CONTENT[offset:offset + size])
    elif opcode == 28:  # READDIR
        for _ in range(2 if LIES else 1):
            answer(unique, listing(struct.unpack_from('<Q', body, 8)[0]))
    elif opcode in (18, 29, 38):  # RELEASE, RELEASEDIR, DESTROY
        answer(unique)
    elif opcode in (2, 36, 42):  # FORGET, INTERRUPT, BATCH_FORGET
        pass
    elif opcode in (4, 6, 8, 9, 10, 11, 12, 13, 16, 35):  # what changes something
        answer(unique, error=EROFS)
    else:
        answer(unique, error=ENOSYS)
