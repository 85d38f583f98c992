#!/usr/bin/env python3
"""usage: smoke_test.py ISTHMUS MEASURE HOST_MEASURE

Runs the benchmark as small as it goes, so that it does not rot. Looks at no time, but at the requests, which no load changes.
"""
import json
import os
import subprocess
import sys
import tempfile

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")


def fail(why, output=""):
    raise SystemExit(f"{output}\nFAIL: {why}")


def main(isthmus, measure, host_measure):
    with tempfile.TemporaryDirectory() as folder:
        figures = os.path.join(folder, "figures.json")
        done = subprocess.run([RUN, "--isthmus", isthmus, "--measure", measure, "--host-measure", host_measure, "--rounds", "1", "-n", "50",
                               "--trips", "100", "--mib", "2", "--no-smb", "--only", "passthrough_ll,passthrough", "--json", figures],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode == 77:
            print(done.stdout)
            raise SystemExit(77)
        if done.returncode != 0:
            fail(f"exit status {done.returncode}", done.stdout)
        with open(figures, encoding="utf-8") as file:
            data = json.load(file)
    if data["failed"] or "passthrough_ll" in data["skipped"]:
        fail(f"failed: {data['failed']}, skipped: {data['skipped']}", done.stdout)
    for row in ("ping_pong", "getattr", "read_direct_128k", "read_128k_by_4", "create_close", "ls_l_cold", "unlink"):
        if len(data["tests"].get(row, {}).get("passthrough_ll.ours", [])) != 1:
            fail(f"no figure of {row}: {list(data['tests'])}", done.stdout)
    more = [bar for bar in data["bars"] if ": requests of " in bar["bar"] and not bar["met"]]
    if more:
        fail(f"more requests than the kernel's driver sends: {more}", done.stdout)
    if not data["skipped"] and not any(": requests of " in bar["bar"] for bar in data["bars"]):
        fail("no requests were counted", done.stdout)
    print("passed: the benchmark runs")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
