#!/usr/bin/env python3
"""usage: smoke_test.py LIBRARIES MEASURE

Runs the benchmark as small as it goes, on one program of the low level. Looks at no time.
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def main(libraries, program):
    with tempfile.TemporaryDirectory() as folder:
        figures = os.path.join(folder, "figures.json")
        done = subprocess.run([os.path.join(HERE, "run"), "--libraries", libraries, "--measure", program, "--only", "ll", "--rounds", "1", "-n", "20",
                               "--mib", "1", "--groups", "meta,seq", "--json", figures],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode == 77:
            print(done.stdout)
            raise SystemExit(77)
        if done.returncode != 0 or " bars met, " not in done.stdout:
            raise SystemExit(f"{done.stdout}\nFAIL: exit status {done.returncode}")
        with open(figures, encoding="utf-8") as file:
            data = json.load(file)
        if data["skipped"]:
            print(f"SKIP: bench: {data['skipped']}")
            raise SystemExit(77)
        if data["failed"]:
            raise SystemExit(f"FAIL: {data['failed']}")
        for row in ("create_close", "tree_remove", "read_direct_1m"):
            for name in ("ll.real", "ll.ours"):
                if len(data["tests"].get(row, {}).get(name, [])) != 1:
                    raise SystemExit(f"FAIL: no figure of {row} on {name}: {list(data['tests'])}")
        ours = data["libraries"]["ll.ours"]
        if not ours.startswith(libraries) or data["libraries"]["ll.real"].startswith(libraries):
            raise SystemExit(f"FAIL: the libraries: {data['libraries']}")
    print("passed: the benchmark runs")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
