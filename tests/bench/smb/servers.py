"""The servers that are measured: ours on a folder and in memory, and Samba's smbd, each with a folder of its own on one tmpfs. All sign; smbd is never
started by the system, and all listen on 127.0.0.1."""
import os
import pwd
import re
import shutil
import subprocess
import time

from peers import Server, free_port, start

PASSWORD = "of a benchmark"
SHARE = "bench"


class SmbServer(Server):
    """Its URL is that of the share. With the time of processes that have ended, as smbd has one for each connection."""

    def __init__(self, server, user):
        super().__init__(server.name, server.process, server.url)
        self.user = user

    def cpu(self):
        time.sleep(0.3)  # until those that end have ended
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    total += sum(int(word) for word in file.read().rsplit(") ", 1)[1].split()[11:15])
            except OSError:
                pass
        return total / os.sysconf("SC_CLK_TCK")


def ours(name, isthmus, source, folder, log):
    secret = f"{folder}/password"
    with open(secret, "w", encoding="utf-8") as file:
        file.write(PASSWORD + "\n")
    process = subprocess.Popen([isthmus, "serve", source, "--smb", "--user", "bench", "--password-file", secret, "--share", SHARE],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    for line in process.stdout:
        found = re.match(r"SMB at (smb://\S+)", line)
        if found:
            return SmbServer(Server(name, process, found.group(1)), "bench")
    raise RuntimeError(f"{name} does not start: see {log.name}")


def samba(folder, root, log):
    own = f"{folder}/samba"
    port = free_port()
    for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "log"):
        os.makedirs(f"{own}/{name}")
    user = pwd.getpwuid(os.geteuid()).pw_name
    conf = f"""[global]
  workgroup = WORKGROUP
  netbios name = BENCH
  server role = standalone server
  interfaces = lo
  bind interfaces only = yes
  smb ports = {port}
  disable netbios = yes
  server min protocol = SMB2_10
  server signing = mandatory
  private dir = {own}/private
  lock directory = {own}/lock
  state directory = {own}/state
  cache directory = {own}/cache
  pid directory = {own}/pid
  ncalrpc dir = {own}/ncalrpc
  log file = {own}/log/smbd
  log level = 0
  load printers = no
  printing = bsd
  printcap name = /dev/null
  disable spoolss = yes
  passdb backend = tdbsam
[{SHARE}]
  path = {root}
  read only = no
"""
    with open(f"{own}/smb.conf", "w", encoding="utf-8") as file:
        file.write(conf)
    done = subprocess.run(["smbpasswd", "-c", f"{own}/smb.conf", "-s", "-a", user], input=f"{PASSWORD}\n{PASSWORD}\n", text=True, stdout=log,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"samba: smbpasswd failed: see {log.name}")
    server = start("samba", ["smbd", "--foreground", "--no-process-group", "-s", f"{own}/smb.conf"], f"smb://127.0.0.1:{port}/{SHARE}", port, log,
                   start_new_session=True)  # it ends its process group
    return SmbServer(server, user)


OURS = {"pass": True, "mem": True}
OTHERS = {"samba": samba}


def start_all(names, isthmus, folder):
    """Servers by name; the reasons why others are left out."""
    servers, skipped = [], {}
    for name in names:
        root = f"{folder}/root/{name}"
        os.makedirs(root)
        with open(f"{folder}/{name}.log", "w", encoding="utf-8") as log:
            if name in OURS:
                servers.append(ours(name, isthmus, "mem:" if name == "mem" else root, folder, log))
            elif os.geteuid() != 0:
                skipped[name] = "smbd needs root"
            elif not shutil.which("smbd", path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                skipped[name] = "smbd is not installed"
            else:
                try:
                    servers.append(OTHERS[name](folder, root, log))
                except RuntimeError as e:
                    skipped[name] = str(e)
    return servers, skipped
