"""usage: fuse_corpus_fusepy.py MOUNTPOINT: files in memory by fusepy (libfuse 2, high level), one of which is there."""
import errno
import stat
import sys
import time

import fusepy


class Files(fusepy.LoggingMixIn, fusepy.Operations):
    def __init__(self):
        self.data = {"/message": bytearray(b"hello\n")}
        self.folders = {"/"}

    def getattr(self, path, fh=None):
        now = {"st_atime": time.time(), "st_mtime": 1e9, "st_ctime": 1e9}
        if path in self.folders:
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, **now}
        if path in self.data:
            return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": len(self.data[path]), **now}
        raise fusepy.FuseOSError(errno.ENOENT)

    def readdir(self, path, fh):
        top = path.rstrip("/") + "/"
        below = [name[len(top):] for name in [*self.folders, *self.data] if name.startswith(top) and name != top]
        return [".", "..", *(name for name in below if name and "/" not in name)]

    def create(self, path, mode, fi=None):
        self.data[path] = bytearray()
        return 0

    def read(self, path, size, offset, fh):
        return bytes(self.data[path][offset:offset + size])

    def write(self, path, data, offset, fh):
        file = self.data[path]
        file.extend(bytes(max(0, offset - len(file))))
        file[offset:offset + len(data)] = data
        return len(data)

    def truncate(self, path, length, fh=None):
        file = self.data[path]
        file.extend(bytes(max(0, length - len(file))))
        del file[length:]

    def unlink(self, path):
        del self.data[path]

    def mkdir(self, path, mode):
        self.folders.add(path)

    def rmdir(self, path):
        self.folders.remove(path)

    def rename(self, old, new):
        if old in self.folders:
            self.folders.remove(old)
            self.folders.add(new)
            for name in [n for n in self.data if n.startswith(old + "/")]:
                self.data[new + name[len(old):]] = self.data.pop(name)
        else:
            self.data[new] = self.data.pop(old)

    def chmod(self, path, mode):
        return 0

    def utimens(self, path, times=None):
        return 0


if __name__ == "__main__":
    fusepy.FUSE(Files(), sys.argv[1], foreground=True, nothreads=True)
