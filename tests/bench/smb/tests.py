"""What is measured, by Samba's clients, signed and sealed. Each test gives a sample: speed, and the server's CPU time an operation (or a GiB)."""
import os
import subprocess
import time

from rounds import Failed

import servers

ENTRIES, FILES, READS = 10_000, 5_000, 5_000
LISTINGS = 5
MODES = {"sign": "client signing = required", "seal": "client smb encrypt = required"}


class Load:
    """The client, its settings and the files that are sent."""

    def __init__(self, folder, mib):
        self.folder, self.mib = folder, mib
        self.big, self.client = f"{folder}/big", f"{folder}/client"
        with open(self.big, "wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1 << 20))
        for mode, line in MODES.items():
            with open(f"{folder}/{mode}.conf", "w", encoding="utf-8") as file:
                file.write(f"[global]\n  client min protocol = SMB2_10\n  {line}\n")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "client.c")
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "smbclient"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        subprocess.run(["gcc", "-O2", "-o", self.client, source, *flags], check=True)

    def prepare(self, server):
        self.small(server, "sign", "create", "list", ENTRIES)
        self.big_one(server, "sign", "put")

    def run(self, command, mode, **more):
        environment = {**os.environ, "HOME": self.folder, "SMB_CONF_PATH": f"{self.folder}/{mode}.conf", **more}
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Failed(f"{command[0]}: {(done.stdout + done.stderr).strip()[-300:]}")
        return done.stdout

    def small(self, server, mode, what, name, number):
        """Operations a second, microseconds of CPU each."""
        before = server.cpu()
        said = self.run([self.client, mode, what, f"{server.url}/{name}", str(number)], mode, SMB_USER=server.user, SMB_PASSWORD=servers.PASSWORD)
        cpu = server.cpu() - before
        done, seconds = said.split()
        return int(done) / float(seconds), cpu / int(done) * 1e6

    def create(self, server, mode):
        sample = self.small(server, mode, "create", "small", FILES)
        self.small(server, mode, "remove", "small", FILES)
        return sample

    def big_one(self, server, mode, what):
        """MB/s, seconds of CPU a GiB."""
        address, share = server.url.removeprefix("smb://").split("/")
        host, port = address.split(":")
        work = f"put {self.big} big" if what == "put" else "get big /dev/null"
        before, begin = server.cpu(), time.monotonic()
        self.run(["smbclient", f"//{host}/{share}", "-p", port, "-s", f"{self.folder}/{mode}.conf", "-U", server.user, "-c", work], mode,
                 PASSWD=servers.PASSWORD)
        seconds = time.monotonic() - begin
        return self.mib * (1 << 20) / 1e6 / seconds, (server.cpu() - before) * 1024 / self.mib


def of_mode(mode):
    return {
        f"put_{mode}": ("MB/s", "s/GiB", lambda l, s: l.big_one(s, mode, "put")),
        f"get_{mode}": ("MB/s", "s/GiB", lambda l, s: l.big_one(s, mode, "get")),
        f"read4k_{mode}": ("1/s", "us", lambda l, s: l.small(s, mode, "read", "big", READS)),
        f"create4k_{mode}": ("1/s", "us", lambda l, s: l.create(s, mode)),
        f"list10000_{mode}": ("1/s", "us", lambda l, s: l.small(s, mode, "list", "list", LISTINGS * ENTRIES)),
    }


TESTS = {**of_mode("sign"), **of_mode("seal")}
# Our CPU time over that of the best of the others: at most.
BARS = {name: 1.0 for name in TESTS}
