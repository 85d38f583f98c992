"""One folder, mounted in each way."""
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time

NAMES = ("direct", "pipe", "unix", "tcp", "ssh", "sshfs")
TICKS = os.sysconf("SC_CLK_TCK")

INETD = """
import socket, subprocess, sys
s = socket.socket(socket.AF_UNIX) if sys.argv[1] == "unix" else socket.socket()
s.bind(sys.argv[2] if sys.argv[1] == "unix" else ("127.0.0.1", int(sys.argv[2])))
s.listen()
children = []
while True:
    c, _ = s.accept()
    if sys.argv[1] == "tcp":
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    children.append(subprocess.Popen(sys.argv[3:], stdin=c, stdout=c))
    c.close()
"""


def family(roots):
    """Pids of processes and all that they have started."""
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(pid))
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Mount:
    """Processes of ours that serve it; `mnt` is where."""

    def __init__(self, name, folder):
        self.name, self.roots = name, []
        self.mnt = os.path.join(folder, name + ".mnt")
        os.mkdir(self.mnt)

    def begin(self, *command):
        self.roots.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr))

    def wait(self):
        for _ in range(600):
            if os.path.ismount(self.mnt):
                return self
            if self.roots[-1].poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise OSError(f"{self.name}: not mounted")

    def cpu(self):
        """Seconds, of all."""
        total = 0
        for pid in family(p.pid for p in self.roots):
            try:
                with open(f"/proc/{pid}/schedstat", encoding="utf-8") as file:
                    total += sum(self.thread_cpu(pid))
            except OSError:
                continue
        return total

    @staticmethod
    def thread_cpu(pid):
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="utf-8") as file:
                    yield int(file.read().split()[0]) / 1e9
            except OSError:
                continue

    def stop(self):
        subprocess.run(["umount", "-l", self.mnt], check=False, stderr=subprocess.DEVNULL)
        for process in reversed(self.roots):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()


def isthmus_mount(mount, options, source, *more):
    mount.begin(options.isthmus, "mount", "-f", *more, source, mount.mnt)
    return mount.wait()


def behind(mount, options, kind, folder, command):
    at = os.path.join(folder, "socket") if kind == "unix" else str(free_port())
    mount.begin(sys.executable, "-c", INETD, kind, at, *command)
    for _ in range(100):
        with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as s:
            if s.connect_ex(at if kind == "unix" else ("127.0.0.1", int(at))) == 0:
                break
        time.sleep(0.05)
    return isthmus_mount(mount, options, f"userfs+unix:{at}" if kind == "unix" else f"userfs+tcp:127.0.0.1:{at}")


def sshd(mount, options, folder):
    """The words of an ssh that reaches it."""
    if not os.access(options.sshd, os.X_OK) or not shutil.which("ssh"):
        raise OSError("no sshd here (Debian package openssh-server)")
    keys, port = os.path.join(folder, mount.name + ".keys"), free_port()
    os.mkdir(keys, 0o700)
    for key in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{keys}/{key}"], check=True)
    os.makedirs("/run/sshd", exist_ok=True)
    mount.begin(options.sshd, "-D", "-e", "-f", "/dev/null", "-h", f"{keys}/host", "-p", str(port), "-o", "ListenAddress=127.0.0.1", "-o",
                "PidFile=none", "-o", "UsePAM=no", "-o", "StrictModes=no", "-o", f"AuthorizedKeysFile={keys}/id.pub", "-o", "LogLevel=ERROR",
                "-o", "Subsystem=sftp /usr/lib/openssh/sftp-server")
    for _ in range(100):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    return port, ["-i", f"{keys}/id", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR"]


def start(name, options, folder):
    files = os.path.join(folder, name + ".files")
    os.mkdir(files)
    mount = Mount(name, folder)
    serve = [options.isthmus, "serve", files, "--userfs", "-"]
    if name == "direct":
        return isthmus_mount(mount, options, files)
    if name == "pipe":
        return isthmus_mount(mount, options, "userfs:" + " ".join(serve))
    if name in ("unix", "tcp"):
        return behind(mount, options, name, folder, serve)
    port, words = sshd(mount, options, folder)
    me = f"{getpass.getuser()}@127.0.0.1"
    if name == "ssh":
        return isthmus_mount(mount, options, f"userfs+ssh:{me} " + " ".join(serve), "-s", f"ssh=ssh -p {port} " + " ".join(words))
    if not shutil.which("sshfs"):
        raise OSError("no sshfs here (Debian package sshfs)")
    plain = [w for word in words for w in (["-o", word[2:]] if word.startswith("-o") else [])]
    # Without its own cache, which drop_caches would leave full.
    mount.begin("sshfs", "-f", "-p", str(port), "-o", "dir_cache=no", "-o", f"IdentityFile={words[1]}", *plain, f"{me}:{files}", mount.mnt)
    return mount.wait()


def start_all(names, options, folder):
    """Those that could be started, and why others could not."""
    started, skipped = [], {}
    for name in names:
        try:
            started.append(start(name, options, folder))
        except OSError as e:
            skipped[name] = str(e)
    return started, skipped


def sleeping(options, folder):
    """A folder of 64 files whose every lookup and getattr takes 5 ms, over a pipe."""
    files = os.path.join(folder, "sleeping.files")
    os.mkdir(files)
    for n in range(64):
        with open(os.path.join(files, str(n)), "w", encoding="utf-8"):
            pass
    source = f"fault+dir:{files}?cache=none&fault.rules=lookup:delay=5ms"
    return isthmus_mount(Mount("sleeping", folder), options, f"userfs:{options.isthmus} serve {source} --userfs -")
