#!/usr/bin/env bash
# How many operations reach the file system for each thing that a program does. A number that grows fails: each request is worth
# several microseconds, whatever is done about the rest. Called with the table below to use and the command that serves.
#   requests.sh TABLE COMMAND ARG...
. "$(dirname "$0")/lib.sh"
need python3 python3
table=$1
if [[ -z ${E2E_ISOLATED:-} ]]; then
    [[ $EUID = 0 ]] || skip "not root: the test mounts in namespaces of its own"
    [[ -c /dev/fuse ]] || skip "no /dev/fuse here"
    E2E_ISOLATED=1 exec "$top/tools/isolated" bash "$0" "$@"
fi
shift
begin "$@"
start_mount
python3 - "$1" "$mnt" "$table" <<'PYTHON' || fail "operations were asked for that are not needed (table $table)"
import json, os, subprocess, sys

isthmus, mnt, table = sys.argv[1:]
N, MANY = 40, 1000

# What each step may cost for each of its N rounds, by table, and ONCE more for what comes once.
ONCE = 3
TABLES = {
    # Only root comes in, so the kernel checks nothing.
    "root": {
        "create": {"lookup": 1, "mknod": 1},
        "open": {},
        "write": {"write": 1, "get_xattr": 1},
        "write again": {"write": 1},
        "read": {"read": 1},
        "read again": {},
        "stat": {"getattr": 1},
        "stat again": {},
        "missing": {"lookup": 1},
        "missing again": {},
        "truncate": {"setattr": 1, "get_xattr": 1},
        "chmod": {"setattr": 1},
        "rename": {"lookup": 1, "rename": 1},
        "link": {"lookup": 1, "link": 1},
        "unlink": {"unlink": 1},
        "mkdir": {"lookup": 1, "mkdir": 1},
        "rmdir": {"rmdir": 1},
        "symlink": {"lookup": 1, "symlink": 1},
        "readlink": {"readlink": 1},
        "readlink again": {},
        "lock": {},
        "list": {"read_dir": 4 / N},
        "list again": {},
        "many": {"lookup": MANY / N, "mknod": MANY / N},
        # What find and du do: all names first, then a look at each. Once they have done so, names bring attributes.
        "walk twice": {"read_dir": 2 * MANY / 100 / N, "lookup": (MANY + 2 * MANY / 100) / N},
    },
}
# Several users: the kernel checks permissions, and looks at a directory again after each change in it.
TABLES["users"] = {step: dict(cost) for step, cost in TABLES["root"].items()}
for step in "create", "rename", "link", "unlink", "mkdir", "rmdir", "symlink":
    TABLES["users"][step]["getattr"] = 2 if step == "rename" else 1
TABLES["users"]["many"]["getattr"] = MANY / N
expected = TABLES[table]


def counts():
    mounts = json.loads(subprocess.run([isthmus, "list", "--json"], check=True, capture_output=True).stdout)
    (mount,) = [m for m in mounts if m["mountpoint"] == mnt]
    return mount["by_operation"], mount["settled"]


def each(f):
    def run():
        for i in range(N):
            f(i)
    return run


def opened(i, flags, use=lambda fd: None):
    fd = os.open(f"{d}/f{i}", flags, 0o644)
    use(fd)
    os.close(fd)


def missing(i):
    try:
        os.stat(f"{d}/absent{i}")
    except FileNotFoundError:
        return
    raise SystemExit("a file that does not exist was found")


def lock(fd):
    import fcntl
    fcntl.lockf(fd, fcntl.LOCK_EX)
    fcntl.flock(fd, fcntl.LOCK_EX)


def make_many():
    os.mkdir(f"{d}/many")
    for i in range(MANY):
        os.close(os.open(f"{d}/many/f{i}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def walk_twice():
    for _ in range(2):
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("2")  # the kernel knows none of the names
        names = os.listdir(f"{d}/many")
        if len(names) != MANY:
            raise SystemExit("a name is missing")
        for name in names:
            os.stat(f"{d}/many/{name}")


page = b"x" * 4096
steps = [
    ("create", each(lambda i: opened(i, os.O_CREAT | os.O_EXCL | os.O_WRONLY))),
    ("open", each(lambda i: opened(i, os.O_RDWR))),
    ("write", each(lambda i: opened(i, os.O_WRONLY, lambda fd: os.write(fd, page)))),
    ("write again", each(lambda i: opened(i, os.O_WRONLY, lambda fd: os.write(fd, page)))),
    ("stat", each(lambda i: os.stat(f"{d}/f{i}"))),
    ("stat again", each(lambda i: os.stat(f"{d}/f{i}"))),
    ("read", each(lambda i: opened(i, os.O_RDONLY, lambda fd: os.read(fd, 4096)))),
    ("read again", each(lambda i: opened(i, os.O_RDONLY, lambda fd: os.read(fd, 4096)))),
    ("missing", each(missing)),
    ("missing again", each(missing)),
    ("chmod", each(lambda i: os.chmod(f"{d}/f{i}", 0o600))),
    ("truncate", each(lambda i: os.truncate(f"{d}/f{i}", 100))),
    ("lock", each(lambda i: opened(i, os.O_RDWR, lock))),
    ("list", lambda: os.listdir(d)),
    ("list again", lambda: [os.listdir(d) for _ in range(5)]),
    ("rename", each(lambda i: os.rename(f"{d}/f{i}", f"{d}/g{i}"))),
    ("link", each(lambda i: os.link(f"{d}/g{i}", f"{d}/h{i}"))),
    ("unlink", each(lambda i: os.unlink(f"{d}/g{i}"))),
    ("mkdir", each(lambda i: os.mkdir(f"{d}/m{i}"))),
    ("rmdir", each(lambda i: os.rmdir(f"{d}/m{i}"))),
    ("symlink", each(lambda i: os.symlink("target", f"{d}/l{i}"))),
    ("readlink", each(lambda i: os.readlink(f"{d}/l{i}"))),
    ("readlink again", each(lambda i: os.readlink(f"{d}/l{i}"))),
    ("many", make_many),
    ("walk twice", walk_twice),
]


def attempt():
    good = True
    for name, run in steps:
        before, _ = counts()
        run()
        after, settled = counts()
        cost = {op: n - before.get(op, 0) for op, n in after.items() if n != before.get(op, 0)}
        cost.pop("forget", None)  # comes when the kernel likes
        over = {op: n for op, n in cost.items() if n > expected[name].get(op, 0) * N + ONCE}
        good &= not over
        print(f"{name:16}", *(f"{op} {n / N:.2f}" for op, n in cost.items()), *(["  <-- too many"] if over else []))
    print("settled:", settled)
    return good


# Others on this machine may have the kernel drop its caches, which costs a LOOKUP here and there: the best attempt counts.
for n in range(4):
    d = f"{mnt}/d{n}"
    os.mkdir(d)
    if attempt():
        sys.exit(0)
sys.exit(1)
PYTHON
stop_mount
passed "requests are what they should be ($table)"
