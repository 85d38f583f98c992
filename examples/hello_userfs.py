#!/usr/bin/env python3
"""A file system in 30 lines: /hello, and /notes, a file that can be written. isthmus mount userfs:./hello_userfs.py MOUNTPOINT"""
import errno
import stat

import userfs


class Hello(userfs.FileSystem):
    names = {"hello": 2, "notes": 3}
    data = {2: b"Hello, world!\n", 3: b""}

    def attr(self, handle):
        if handle == userfs.ROOT:
            return userfs.Attr(stat.S_IFDIR | 0o755, nlink=2, ino=1)
        return userfs.Attr(stat.S_IFREG | (0o644 if handle == 3 else 0o444), len(self.data[handle]), ino=handle)

    def lookup(self, directory, name):
        if directory != userfs.ROOT or name not in self.names:
            raise FileNotFoundError(errno.ENOENT, name)
        return self.names[name]

    def readdir(self, handle):
        return self.names.items()

    def read(self, handle, offset, size):
        return self.data[handle][offset:offset + size]

    def write(self, handle, offset, data):
        old = self.data[handle].ljust(offset, b"\0")
        self.data[handle] = old[:offset] + data + old[offset + len(data):]

    def truncate(self, handle, size):
        self.data[handle] = self.data[handle][:size].ljust(size, b"\0")


userfs.serve(Hello())
