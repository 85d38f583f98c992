"""Interleaved rounds over servers, tables and bars: of the benchmarks of doors that others serve, too. Tests are name -> (unit of speed, unit of CPU, what is done);
a sample is speed, and the server's CPU time for each."""
import json
import statistics
import sys

from conditions import conditions
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
