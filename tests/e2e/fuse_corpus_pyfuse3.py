"""usage: fuse_corpus_pyfuse3.py MOUNTPOINT: a file system of one file, for fuse_corpus.sh."""
import errno
import stat
import sys

import pyfuse3
import trio

CONTENT = b"hello\n"
FILE = 2


class OneFile(pyfuse3.Operations):
    async def getattr(self, inode, ctx=None):
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = inode
        entry.st_mode = stat.S_IFREG | 0o644 if inode == FILE else stat.S_IFDIR | 0o755
        entry.st_size = len(CONTENT) if inode == FILE else 0
        return entry

    async def lookup(self, parent_inode, name, ctx=None):
        if name != b"message":
            raise pyfuse3.FUSEError(errno.ENOENT)
        return await self.getattr(FILE)

    async def opendir(self, inode, ctx):
        return inode

    async def readdir(self, fh, start_id, token):
        if start_id == 0:
            pyfuse3.readdir_reply(token, b"message", await self.getattr(FILE), 1)

    async def open(self, inode, flags, ctx):
        return pyfuse3.FileInfo(fh=inode)

    async def read(self, fh, off, size):
        return CONTENT[off:off + size]


pyfuse3.init(OneFile(), sys.argv[1], set(pyfuse3.default_options) | {"fsname=one_file"})
try:
    trio.run(pyfuse3.main)
finally:
    pyfuse3.close()
