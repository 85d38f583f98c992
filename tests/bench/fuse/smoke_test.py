#!/usr/bin/env python3
"""usage: smoke_test.py ISTHMUS MEASURE

Runs the benchmark as small as it goes, on native tmpfs and mem:, so that it does not rot. Looks at no time.
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(HERE, "run")
# One test at least of each group that is run.
ROWS = ("ping_pong", "null_round_trip", "create_close", "tree_remove", "rand_read_direct_16", "read_direct_1m", "untar", "make", "rm",
        "many_create_small", "many_unlink_large", "threads_write_same_4")


def fail(why, output=""):
    raise SystemExit(f"{output}\nFAIL: {why}")


def run(*arguments, status):
    done = subprocess.run([RUN, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 77:
        print(done.stdout)
        raise SystemExit(77)
    if done.returncode != status:
        fail(f"run {' '.join(arguments)}: exit status {done.returncode}, not {status}", done.stdout)
    return done.stdout


def main(isthmus, program):
    with tempfile.TemporaryDirectory() as folder:
        figures, bars = os.path.join(folder, "figures.json"), os.path.join(folder, "bars.txt")
        run("--isthmus", isthmus, "--measure", program, "--no-uring", "--only", "mem", "--rounds", "1", "-n", "20", "--mib", "2",
            "--seconds", "0.01", "--headers", "10", "--many", "40", "--groups", "meta,io,seq,app,many,threads", "--json", figures, status=0)
        with open(figures, encoding="utf-8") as file:
            data = json.load(file)
        if data["failed"] or data["skipped"]:
            fail(f"failed: {data['failed']}, skipped: {data['skipped']}")
        for row in ROWS:
            for name in ("native", "mem"):
                if row != "ping_pong" and len(data["tests"].get(row, {}).get(name, [])) != 1:
                    fail(f"no figure of {row} on {name}: {list(data['tests'])}")
        if not os.path.exists(os.path.join(folder, "figures.svg")):
            fail("no picture")
        for limit, status, text in ((1e12, 0, "1 met, 0 missed"), (1e-12, 1, "0 met, 1 missed")):
            with open(bars, "w", encoding="ascii") as file:
                file.write(f"2 create_close native {limit} - - - -\n")
            output = run("--from", figures, "--bars", bars, "--check", status=status)
            if text not in output:
                fail(f"no '{text}' in the report", output)
        if "| create_close |" not in run("--from", figures, "--markdown", status=0):
            fail("no table in Markdown")
    print("passed: the benchmark runs")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
