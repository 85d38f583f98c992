"""usage: fuse_corpus_llfuse.py MOUNTPOINT: a file "message" by llfuse (libfuse 2, low level)."""
import errno
import stat
import sys

import llfuse


class Files(llfuse.Operations):
    def getattr(self, inode, ctx=None):
        entry = llfuse.EntryAttributes()
        entry.st_ino = inode
        if inode == llfuse.ROOT_INODE:
            entry.st_mode = stat.S_IFDIR | 0o755
        elif inode == 2:
            entry.st_mode, entry.st_size = stat.S_IFREG | 0o644, 6
        else:
            raise llfuse.FUSEError(errno.ENOENT)
        return entry

    def lookup(self, parent_inode, name, ctx=None):
        if name != b"message":
            raise llfuse.FUSEError(errno.ENOENT)
        return self.getattr(2)

    def opendir(self, inode, ctx):
        return inode

    def readdir(self, fh, off):
        if off == 0:
            yield (b"message", self.getattr(2), 1)

    def open(self, inode, flags, ctx):
        return inode

    def read(self, fh, off, size):
        return b"hello\n"[off:off + size]


llfuse.init(Files(), sys.argv[1], set(llfuse.default_options))
try:
    llfuse.main(workers=1)
finally:
    llfuse.close()
