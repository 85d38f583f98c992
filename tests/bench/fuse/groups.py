"""The groups of measurements. Each takes a Bench and a Mount and yields lines (test, wall, client CPU, daemon CPU), in us an operation."""
import json
import os
import shutil
import subprocess

import mounts

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """A measurement failed on a variant; the text says how."""


class Bench:
    """What the measurements need to know: programs, sizes, inputs."""

    def __init__(self, options, work):
        self.options, self.work = options, work
        self.inputs = None

    def run(self, command, **how):
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=self.options.timeout, check=True, **how).stdout
        except subprocess.TimeoutExpired as problem:
            raise Failed(f"no end after {self.options.timeout} s") from problem
        except subprocess.CalledProcessError as problem:
            lines = problem.stderr.strip().splitlines()[-2:]
            raise Failed("; ".join(lines)[:200] or f"exit status {problem.returncode}") from problem

    def measure(self, mount, measurement, *arguments):
        """Runs the measuring program in a fresh folder of the mount; a list of its lines."""
        pids = ["-p", ",".join(map(str, mount.pids))] if mount.pids else []
        output = self.run([self.options.measure, measurement, "-d", os.path.join(mount.folder, "bench"), *pids, *arguments])
        lines = (line.split() for line in output.splitlines())
        return [(name, *map(float, figures)) for name, *figures in lines]


def meta(bench, mount):
    files = ["-n", str(bench.options.files)]
    if mount.variant.kind == "native":
        yield from bench.measure(mount, "floor", *files)
    yield from bench.measure(mount, "meta", *files)
    yield from bench.measure(mount, "tree", *files)


def io(bench, mount):
    for threads in (1, 16):
        yield from bench.measure(mount, "io", "-s", str(bench.options.mib), "-t", str(bench.options.seconds), "-j", str(threads))


def seq(bench, mount):
    yield from bench.measure(mount, "streams", "-s", str(bench.options.mib))


def many(bench, mount):
    yield from bench.measure(mount, "many", "-n", str(bench.options.many))


def threads(bench, mount):
    for number in (1, 4, 16):
        yield from bench.measure(mount, "threads", "-n", str(bench.options.files), "-j", str(number))


MAKEFILE = """O = $(patsubst %.c,%.o,$(wildcard s*.c))
lib.a: $O
\tar rcs $@ $O
%.o: %.c p.h
\tcc -O0 -c -o $@ $<
"""
SOURCE = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "p.h"
int f{0}(int x) {{ char b[64]; snprintf(b, sizeof b, "%d", x + V); return (int)strlen(b); }}
"""


def make_inputs(bench):
    """A tarball of system headers, a repository of the same, and a small C project, all outside of the mounts."""
    folder = os.path.join(bench.work, "inputs")
    project = os.path.join(folder, "project")
    os.makedirs(project)
    names = sorted(os.path.join(at, name) for at, _, files in os.walk("/usr/include") for name in files)
    tar = os.path.join(folder, "headers.tar")
    listing = os.path.join(folder, "names")
    with open(listing, "w", encoding="utf-8") as file:
        file.writelines(name[1:] + "\n" for name in names[:bench.options.headers])
    bench.run(["tar", "-cf", tar, "-C", "/", "-T", listing])
    repository = os.path.join(folder, "repository")
    os.makedirs(repository)
    bench.run(["tar", "-xf", tar, "-C", repository])
    git = ["git", "-C", repository, "-c", "core.safecrlf=false", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "headers"], ["gc", "-q"]):
        bench.run([*git, *command])
    texts = {f"s{i}.c": SOURCE.format(i) for i in range(min(40, bench.options.headers))} | {"p.h": "#define V 7\n", "Makefile": MAKEFILE}
    for name, text in texts.items():
        with open(os.path.join(project, name), "w", encoding="ascii") as file:
            file.write(text)
    return {"tar": tar, "repository": repository, "project": project}


def drop_dentries():
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("2")


def app(bench, mount):
    bench.inputs = bench.inputs or make_inputs(bench)
    top = os.path.join(mount.folder, "bench")
    tree, clone, project = (os.path.join(top, name) for name in ("tree", "clone", "project"))
    os.mkdir(tree)

    def program(name, *command):
        yield from bench.measure(mount, "exec", "--", name, *command)

    yield from program("untar", "tar", "-xf", bench.inputs["tar"], "-C", tree)
    drop_dentries()
    yield from program("find", "find", tree, "-type", "f", "-newer", "/etc/passwd")
    yield from program("du", "du", "-s", tree)
    yield from program("clone", "git", "-c", "safe.directory=*", "clone", "-q", "--no-hardlinks", bench.inputs["repository"], clone)
    shutil.copytree(bench.inputs["project"], project)
    yield from program("make", "make", "-s", "-j2", "-C", project)
    yield from program("rm", "rm", "-rf", tree, clone)


def fio_job(bench, mount, job, **variables):
    """Runs a job file; (fio's figures, CPU seconds of the daemon). fio's own clock counts: its start is not the file system's."""
    report = os.path.join(bench.work, "fio.json")
    environment = {**os.environ, "DIR": os.path.join(mount.folder, "bench"), **{k: str(v) for k, v in variables.items()}}
    before = mounts.cpu_seconds(mount.pids)
    bench.run(["fio", "--output-format=json", "--output=" + report, os.path.join(HERE, job)], env=environment, cwd=bench.work)
    daemon = mounts.cpu_seconds(mount.pids) - before
    with open(report, encoding="utf-8") as file:
        return json.load(file)["jobs"][0], daemon


def fio(bench, mount):
    mib, kinds = bench.options.fio_mib, (("128k", 0), ("1m", 0), ("128k", 1), ("1m", 1))

    def line(name, job, daemon, units, wall):
        seconds = job["job_runtime"] / 1000
        client = (job["usr_cpu"] + job["sys_cpu"]) / 100 * seconds
        return name, wall, client / units * 1e6, daemon / units * 1e6

    for size, direct in kinds:
        for way in ("write", "read"):
            job, daemon = fio_job(bench, mount, "seq.fio", RW=way, BS=size, SIZE=f"{mib}m", DIRECT=direct, EFS=int(way == "write"))
            name = f"fio_{way}_{'direct' if direct else 'buffered'}_{size}"
            yield line(name, job, daemon, mib, 2**20 / job[way]["bw_bytes"] * 1e6)
    for threads_ in (1, 16):
        for way in ("read", "write"):
            job, daemon = fio_job(bench, mount, "rand.fio", RW="rand" + way, JOBS=threads_, SIZE="256m", DIRECT=1,
                                  SECS=max(1, round(bench.options.seconds)))
            operations = job[way]["total_ios"]
            yield line(f"fio_rand_{way}_direct_{threads_}", job, daemon, operations, 1e6 / job[way]["iops"])


GROUPS = {"meta": meta, "io": io, "seq": seq, "app": app, "many": many, "threads": threads, "fio": fio}
# Groups with mounts of their own, where the server may open few files only.
OPEN_FILES = {"many": 1024}
# Groups that take long and vary little: at most so many rounds.
MOST_ROUNDS = {"many": 2}
