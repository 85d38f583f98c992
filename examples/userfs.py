"""A file system in Python, standard library only: derive from FileSystem, write what you support, and call serve().

The program answers packets of userfs (docs/userfs-wire.md) on its standard input and output; who mounts it runs it:

    isthmus mount 'userfs:python3 program.py' MOUNTPOINT

Files are known by handles, numbers of the program's own choice; the root is 1. A method that is not there is an operation that
is not supported. One that raises OSError answers with its errno. Requests are answered one after the other.
"""
import errno
import os
import stat
import struct
import sys

VERSION = 1
REQUEST, REPLY, ENQUIRY = 1, 2, 3
FOREVER = 0xFFFFFFFF
ROOT = 1
NAMES = {1: "mount", 2: "umount", 3: "statfs", 4: "iread", 6: "notify_change", 7: "lookup", 8: "readdir", 9: "open", 10: "close",
         11: "read", 12: "write", 13: "create", 14: "mkdir", 16: "symlink", 17: "link", 18: "unlink", 19: "rmdir", 20: "rename",
         21: "readlink", 25: "fsync", 28: "getxattr", 29: "setxattr", 30: "listxattr", 31: "removexattr"}
SET_MODE, SET_UID, SET_GID, SET_SIZE, SET_ATIME, SET_MTIME, SET_ATIME_NOW, SET_MTIME_NOW = (1 << i for i in range(8))


class Attr:
    """What stat(2) shows. Times are seconds."""

    def __init__(self, mode, size=0, nlink=1, uid=None, gid=None, mtime=0.0, ino=0, rdev=0):
        self.mode, self.size, self.nlink, self.ino, self.rdev = mode, size, nlink, ino, rdev
        self.uid = os.getuid() if uid is None else uid
        self.gid = os.getgid() if gid is None else gid
        self.atime = self.mtime = self.ctime = mtime

    def encode(self):
        out = struct.pack(">QIIIIQQQI", self.ino, self.mode, self.nlink, self.uid, self.gid, self.rdev, self.size,
                          (self.size + 511) // 512, 4096)
        for time in (self.atime, self.mtime, self.ctime, 0):
            out += struct.pack(">qI", int(time // 1), int(time % 1 * 1e9))
        return out + struct.pack(">II", 0, 0)


class Reader:
    """Fields of a body, in the order of the document."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, form):
        values = struct.unpack_from(form, self.body, self.at)
        self.at += struct.calcsize(form)
        return values[0] if len(values) == 1 else values

    def u32(self):
        return self.take(">I")

    def u64(self):
        return self.take(">Q")

    def blob(self):
        size = self.u32()
        if self.at + size > len(self.body):
            raise struct.error("too short")
        self.at += size
        return self.body[self.at - size:self.at]

    def name(self):
        return os.fsdecode(self.blob())


def blob(data):
    return struct.pack(">I", len(data)) + data


class FileSystem:
    """Derive and write: attr(handle), and as far as supported lookup(dir, name), readdir(handle), read(handle, offset, size),
    write(handle, offset, data), create(dir, name, mode), mkdir(dir, name, mode), symlink(dir, name, target), link(handle, dir,
    name), unlink(dir, name), rmdir(dir, name), rename(dir, name, to_dir, to_name), readlink(handle), truncate(handle, size),
    set_attr(handle, what), statfs() and the four of extended attributes: getxattr(handle, name), setxattr(handle, name, value,
    flags), listxattr(handle), removexattr(handle, name). lookup and those that make files return a handle, readdir a list of
    (name, handle), set_attr gets a dictionary of mode, uid, gid, atime and mtime."""

    ttl = 1000  # milliseconds for which names and attributes may be believed

    def attr(self, handle):
        raise NotImplementedError

    # ---- what an operation needs, and how it is answered ----

    def supports(self, name):
        if name in ("mount", "umount", "iread"):
            return True
        needs = {"notify_change": ("truncate", "set_attr")}.get(name, (name,))
        return any(hasattr(self, need) for need in needs)

    def entry(self, handle):
        return struct.pack(">IQ", handle, 0) + self.attr(handle).encode() + struct.pack(">II", self.ttl, self.ttl)

    def on_mount(self, _):
        return struct.pack(">I", ROOT)

    def on_umount(self, _):
        return b""

    def on_iread(self, r):
        return self.attr(r.u32()).encode() + struct.pack(">I", self.ttl)

    def on_statfs(self, _):
        total, free, files, files_free = self.statfs()
        return struct.pack(">IIIIQQQQQI", 4096, 4096, 255, 0, total // 4096, free // 4096, free // 4096, files, files_free, 0)

    def on_notify_change(self, r):
        handle, _, mask, _, mode, uid, gid, _ = r.take(">8I")
        size, a_sec, a_ns, m_sec, m_ns = r.take(">QqIqI")
        if mask & SET_SIZE:
            self.truncate(handle, size)
        what = {}
        for bit, key, value in ((SET_MODE, "mode", mode), (SET_UID, "uid", uid), (SET_GID, "gid", gid),
                                (SET_ATIME, "atime", a_sec + a_ns / 1e9), (SET_MTIME, "mtime", m_sec + m_ns / 1e9)):
            if mask & bit:
                what[key] = value
        if what and hasattr(self, "set_attr"):
            self.set_attr(handle, what)
        return self.attr(handle).encode() + struct.pack(">I", self.ttl)

    def on_lookup(self, r):
        return self.entry(self.lookup(r.u32(), r.name()))

    def on_readdir(self, r):
        handle, _, offset, most = r.take(">IIQI")
        entries, bytes_used, count = [], 4, 0
        for at, (name, child) in enumerate(self.readdir(handle), 1):
            if at <= offset:
                continue
            encoded = struct.pack(">QQI", child, at, stat.S_IFMT(self.attr(child).mode) >> 12) + blob(os.fsencode(name))
            if bytes_used + len(encoded) > most:
                break
            entries.append(encoded)
            bytes_used += len(encoded)
            count += 1
        return struct.pack(">I", count) + b"".join(entries)

    def on_read(self, r):
        handle, _, offset, size = r.take(">IIQI")
        return blob(self.read(handle, offset, size)[:size])

    def on_write(self, r):
        handle, _, offset, _, how, _ = r.take(">IIQIIQ")
        data = r.blob()
        self.write(handle, self.attr(handle).size if how & 1 else offset, data)
        return struct.pack(">I", len(data))

    def on_create(self, r):
        directory, name, mode, flags = r.u32(), r.name(), r.u32(), r.u32()
        try:
            handle = self.lookup(directory, name)
            if flags & os.O_EXCL:
                raise FileExistsError(errno.EEXIST, name)
            if flags & os.O_TRUNC:
                self.truncate(handle, 0)
        except FileNotFoundError:
            handle = self.create(directory, name, mode & 0o7777)
        return self.entry(handle) + struct.pack(">II", 0, 0)

    def on_mkdir(self, r):
        return self.entry(self.mkdir(r.u32(), r.name(), r.u32() & 0o7777))

    def on_symlink(self, r):
        return self.entry(self.symlink(r.u32(), r.name(), r.name()))

    def on_link(self, r):
        handle, directory, name = r.u32(), r.u32(), r.name()
        self.link(handle, directory, name)
        return self.entry(handle)

    def on_unlink(self, r):
        self.unlink(r.u32(), r.name())
        return b""

    def on_rmdir(self, r):
        self.rmdir(r.u32(), r.name())
        return b""

    def on_rename(self, r):
        directory, name, to_dir, to_name, flags = r.u32(), r.name(), r.u32(), r.name(), r.u32()
        if flags:
            raise OSError(errno.EINVAL, "rename flags")
        self.rename(directory, name, to_dir, to_name)
        return b""

    def on_readlink(self, r):
        return blob(os.fsencode(self.readlink(r.u32())))

    def on_getxattr(self, r):
        return blob(self.getxattr(r.u32(), r.name()))

    def on_setxattr(self, r):
        handle, name, flags, _, value = r.u32(), r.name(), r.u32(), r.u32(), r.blob()
        self.setxattr(handle, name, value, flags)
        return b""

    def on_listxattr(self, r):
        names = [blob(os.fsencode(name)) for name in self.listxattr(r.u32())]
        return struct.pack(">I", len(names)) + b"".join(names)

    def on_removexattr(self, r):
        self.removexattr(r.u32(), r.name())
        return b""


def answer(fs, number, kind, body):
    """The error number and the body of the reply."""
    name = NAMES.get(number, "")
    if not name or not fs.supports(name) or not hasattr(fs, "on_" + name):
        return errno.ENOSYS, b""
    if kind == ENQUIRY:
        return 0, b""
    reader = Reader(body)
    try:
        if name != "mount":  # who asks
            reader.take(">5I")
            reader.take(f">{reader.u32()}I")
        return 0, getattr(fs, "on_" + name)(reader)
    except struct.error:
        return errno.EINVAL, b""
    except OSError as error:
        return error.errno or errno.EIO, b""
    except Exception as error:  # a mistake of the program is one request's, not the mount's
        print(f"{name}: {error!r}", file=sys.stderr)
        return errno.EIO, b""


def serve(fs, source=None, sink=None):
    """Answers until the session ends."""
    source, sink = source or sys.stdin.buffer, sink or sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but packets may get there
    while True:
        header = source.read(20)
        if len(header) < 20:
            return
        sequence, number, kind, size, version = struct.unpack(">5I", header)
        body = source.read(size)
        if number == 1 and version != VERSION:
            error, reply = errno.EPROTONOSUPPORT, b""
        else:
            error, reply = answer(fs, number, kind, body)
        sink.write(struct.pack(">6I", sequence, number, REPLY, len(reply), VERSION, error) + reply)
        sink.flush()
        if number == 2 and kind == REQUEST:
            return
