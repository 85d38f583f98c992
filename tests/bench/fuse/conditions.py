"""What a run depends on besides our code: the machine, its load, versions."""
import datetime
import os
import platform
import subprocess

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
PACKAGES = ("libfuse3-3", "bindfs", "mergerfs", "sshfs", "openssh-sftp-server", "fio", "g++")


def output_of(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def first_line(path, key=""):
    """The first line of a file that begins with `key`, without it."""
    try:
        with open(path, encoding="utf-8") as file:
            return next((line.strip().removeprefix(key).strip(" \t:") for line in file if line.startswith(key)), "")
    except OSError:
        return ""


def load():
    return " ".join(first_line("/proc/loadavg").split()[:3])


def conditions():
    """By name, in the order of printing. Call it before the run."""
    versions = output_of("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *PACKAGES).splitlines()
    dirty = " with changes" if output_of("git", "-C", TOP, "status", "--porcelain", "--untracked-files=no") else ""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": output_of("git", "-C", TOP, "rev-parse", "--short=12", "HEAD") + dirty,
        "kernel": platform.release(),
        "processors": f"{len(os.sched_getaffinity(0))} x {first_line('/proc/cpuinfo', 'model name')}",
        "memory": first_line("/proc/meminfo", "MemTotal"),
        "FUSE over io_uring": {"Y": "allowed", "N": "not allowed"}.get(first_line("/sys/module/fuse/parameters/enable_uring"), "unknown"),
        "packages": ", ".join(line.removeprefix("installed ") for line in versions if line.startswith("installed ")),
        "load before": load(),
    }
