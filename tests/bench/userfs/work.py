"""What is done on each mount. A sample is speed, and CPU time of all that serve for each operation or GiB."""
import os
import threading
import time

SMALL = b"x" * 4096
PIECE = b"y" * (1 << 20)


class Load:
    def __init__(self, files, mib):
        self.files, self.mib = files, mib


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="utf-8") as file:
        file.write("3")


def timed(server, count, work):
    cpu, begin = server.cpu(), time.monotonic()
    work()
    took = time.monotonic() - begin
    return count / took, (server.cpu() - cpu) / count


def of_files(work, cold=True):
    """In a folder of small files, each by its path. CPU in microseconds."""
    def test(load, server):
        folder = os.path.join(server.mnt, "small")
        paths = [os.path.join(folder, f"file{n}") for n in range(load.files)]
        if cold:
            drop_caches()
        speed, cpu = timed(server, load.files, lambda: work(folder, paths))
        return speed, cpu * 1e6
    return test


def create(folder, paths):
    os.mkdir(folder)
    for path in paths:
        with open(path, "wb", buffering=0) as file:
            file.write(SMALL)


def stat(_, paths):
    for path in paths:
        os.stat(path)


def list_them(folder, _):
    for entry in os.scandir(folder):
        entry.stat(follow_symlinks=False)


def read_small(_, paths):
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            file.read(len(SMALL))


def remove(folder, paths):
    for path in paths:
        os.unlink(path)
    os.rmdir(folder)


def write_large(load, server):
    path = os.path.join(server.mnt, "large")

    def work():
        with open(path, "wb", buffering=0) as file:
            for _ in range(load.mib):
                file.write(PIECE)
            os.fsync(file.fileno())
    speed, cpu = timed(server, load.mib, work)
    return speed, cpu * 1024


def read_large(load, server):
    path = os.path.join(server.mnt, "large")
    drop_caches()

    def work():
        with open(path, "rb", buffering=0) as file:
            while file.read(len(PIECE)):
                pass
    speed, cpu = timed(server, load.mib, work)
    os.unlink(path)
    return speed, cpu * 1024


TESTS = {
    "create": ("files/s", "us", of_files(create, cold=False)),
    "stat": ("files/s", "us", of_files(stat)),
    "list": ("files/s", "us", of_files(list_them)),
    "read small": ("files/s", "us", of_files(read_small)),
    "remove": ("files/s", "us", of_files(remove)),
    "write large": ("MiB/s", "s/GiB", write_large),
    "read large": ("MiB/s", "s/GiB", read_large),
}


def stats_at_once(folder):
    """Seconds until 64 threads have each got the attributes of a file."""
    barrier = threading.Barrier(65)

    def one(n):
        barrier.wait()
        os.stat(os.path.join(folder, str(n)))
    threads = [threading.Thread(target=one, args=(n,)) for n in range(64)]
    for t in threads:
        t.start()
    barrier.wait()
    begin = time.monotonic()
    for t in threads:
        t.join()
    return time.monotonic() - begin
