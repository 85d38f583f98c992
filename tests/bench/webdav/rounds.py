"""Interleaved rounds over servers, tables and bars: of the benchmarks of doors that others serve, too. Tests are name -> (unit of speed, unit of CPU, what is done);
a sample is speed, and the server's CPU time for each."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from conditions import TOP, conditions
from report import aligned, markdown, short


class Failed(Exception):
    pass


def measure(rounds, servers, load, tests):
    """Samples by test and server; why tests failed by server and test."""
    samples, failed = {}, {}
    for number in range(rounds):
        for server in servers[number % len(servers):] + servers[:number % len(servers)]:
            for test, (_, _, work) in tests.items():
                if test in failed.get(server.name, {}):
                    continue
                try:
                    samples.setdefault(test, {}).setdefault(server.name, []).append(work(load, server))
                except Failed as e:
                    failed.setdefault(server.name, {})[test] = str(e)
                    samples.get(test, {}).pop(server.name, None)
            print(f"round {number + 1}: {server.name}", file=sys.stderr)
    return samples, failed


def table(samples, names, tests, column):
    rows = [["test", *names]]
    for test, by_name in samples.items():
        row = [f"{test}, {tests[test][column]}"]
        for name in names:
            values = [s[column] for s in by_name.get(name, [])]
            row.append(f"{short(statistics.median(values))} [{short(min(values))}..{short(max(values))}]" if values else "-")
        rows.append(row)
    return rows


def verdicts(samples, ours, bars):
    """(test, ours, our CPU over the best of the others', bar)"""
    found = []
    for test, by_name in samples.items():
        medians = {name: statistics.median(s[1] for s in values) for name, values in by_name.items() if values}
        others = [value for name, value in medians.items() if name not in ours and value > 0]
        if others:
            found += [(test, name, medians[name] / min(others), bars[test]) for name in ours if name in medians]
    return found


def show(options, names, tests, ours, bars, samples, failed, skipped):
    """Prints it all. The exit status."""
    as_table = markdown if options.markdown else aligned
    print("\nSpeed, median [range]:\n")
    print("\n".join(as_table(table(samples, names, tests, 0))))
    print("\nCPU time of the server a request or GiB, median [range]:\n")
    print("\n".join(as_table(table(samples, names, tests, 1))))
    for name, why in skipped.items():
        print(f"left out: {name}: {why}")
    for name, whys in failed.items():
        for test, why in whys.items():
            print(f"failed: {name}: {test}: {why}")
    missed = 0
    print()
    for test, name, ratio, bar in verdicts(samples, ours, bars):
        missed += ratio > bar
        print(f"{'met   ' if ratio <= bar else 'MISSED'} {test} {name}: {ratio:.2f} of the best, bar {bar}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"conditions": conditions(), "samples": samples, "failed": failed, "skipped": skipped}, file, indent=1)
    return 1 if options.check and (missed or any(n in ours for n in failed)) else 0


def parser_of(what, doc, servers, tests):
    """Options of all of them. `servers`: the module that knows them."""
    parser = argparse.ArgumentParser(prog=f"./dev bench {what}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--rounds", type=int, default=5)
    add("--mib", type=int, default=1024, help="of the large file (1024)")
    add("--only", default="", metavar="NAME,...", help=f"these servers: {' '.join([*servers.OURS, *servers.OTHERS])}")
    add("--tests", default="", metavar="NAME,...", help=f"these tests: {' '.join(tests)}")
    add("--markdown", action="store_true", help="tables for docs/performance.md")
    add("--json", metavar="FILE", help="all samples")
    add("--check", action="store_true", help="exit status 1 if a bar is missed: our CPU time is more than that of the best of the others")
    add("--isthmus", default=os.path.join(TOP, "build/release/src/cli/isthmus"))
    return parser


def run(options, prefix, servers, tests, bars, make_load):
    """The whole benchmark, in a folder of its own. make_load(folder): what prepares servers, and is given to tests. The exit status."""
    wanted = options.tests.split(",") if options.tests else list(tests)
    names = options.only.split(",") if options.only else [*servers.OURS, *servers.OTHERS]
    unknown = [n for n in names if n not in servers.OURS and n not in servers.OTHERS] + [t for t in wanted if t not in tests]
    if unknown:
        sys.exit(f"there is no {', '.join(unknown)}; see --help")
    tests = {t: tests[t] for t in wanted}
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=False).returncode == 0
        started = []
        try:
            started, skipped = servers.start_all(names, options.isthmus, folder)
            load = make_load(folder)
            for server in started:
                load.prepare(server)
            samples, failed = measure(options.rounds, started, load, tests)
        finally:
            for server in started:
                server.stop()
            if mounted:
                subprocess.run(["umount", "-l", folder], check=False)
    return show(options, [s.name for s in started], tests, servers.OURS, bars, samples, failed, skipped)
