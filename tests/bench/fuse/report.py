"""Tables of a run, as text or Markdown."""
from check import META_ROWS, meta_mean
from figures import ratio


def short(value, digits=2):
    """Three figures or so: 0.123 1.23 12.3 123."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.{digits}f}"


def aligned(rows):
    """Rows of words as text in columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [" ".join(word.ljust(w) if i == 0 else word.rjust(w) for i, (word, w) in enumerate(zip(row, widths))) for row in rows]


def markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|---" + "|---:" * (len(rows[0]) - 1) + "|", *lines[1:]]


class Report:
    def __init__(self, run):
        """`run`: a Run (run.py)."""
        self.run, self.figures, self.kinds = run, run.figures, run.kinds
        self.names = list(self.kinds)
        self.peers = [n for n in self.names if self.kinds[n] == "peer"]
        self.ours = [n for n in self.names if self.kinds[n] not in ("peer", "native")]

    def table(self, cell):
        rows = [["test", *self.names]]
        for test in self.figures.tests:
            rows.append([test, *(cell(test, name) for name in self.names)])
        return rows

    def wall_table(self):
        """Median wall time; behind it the ratio to native."""
        def cell(test, name):
            wall, native = self.figures.wall(test, name), self.figures.wall(test, "native")
            if wall is None or native is None or name == "native":
                return short(wall)
            return f"{short(wall)} {short(wall / native)}x"
        return self.table(cell)

    def cpu_table(self):
        return self.table(lambda test, name: short(self.figures.cpu(test, name)))

    def spread_table(self):
        def cell(test, name):
            spread = self.figures.spread(test, name)
            return "-" if spread is None else f"{spread * 100:.0f}%"
        return self.table(cell)

    def peer_table(self):
        """Our wall times over the best peer's, and on metadata over each peer's as a geometric mean."""
        rows = [["test", "best peer", *self.ours]]
        for test in self.figures.tests:
            best = self.figures.best(test, self.peers)
            if best:
                base = self.figures.wall(test, best)
                rows.append([test, f"{best} {short(base)}", *(short(ratio(self.figures.wall(test, n), base)) for n in self.ours)])
        for peer in self.peers if any(b.row in META_ROWS for b in self.run.bars) else []:
            rows.append(["geometric mean, metadata", peer, *(short(meta_mean(self.run.bars, self.figures, n, peer)) for n in self.ours)])
        return rows

    def notes(self):
        lines = [f"{what}: {text}" for what, text in self.run.conditions.items()]
        lines += [f"skipped {name}: {why}" for name, why in self.run.skipped.items()]
        return lines + [f"failed {name}, {group}: {why}" for name, groups in self.run.failed.items() for group, why in groups.items()]

    def parts(self):
        yield "Wall time, us an operation (a MiB for streams, a run for programs), median of the rounds; x: over native", self.wall_table()
        yield "CPU time of client and server together, us an operation", self.cpu_table()
        yield "Spread of the wall time: (largest - smallest) / median", self.spread_table()
        if self.peers and self.ours:
            yield "Wall time over that of the best libfuse file system of this run", self.peer_table()

    def text(self):
        lines = self.notes()
        for title, rows in self.parts():
            lines += ["", title, *aligned(rows)]
        return "\n".join(lines)

    def bars_table(self):
        """A line for each bar, with the ratio seen and the bar of each file system that decides."""
        lines = {}
        for v in self.run.verdicts():
            if v.decides:
                cell = f"{short(v.value)} <= {short(v.limit)}" if v.met else f"**{short(v.value)} > {short(v.limit)}**"
                lines.setdefault((v.row, v.test, v.against), {})[v.variant] = cell
        names = list(dict.fromkeys(name for cells in lines.values() for name in cells))
        return [["row", "test", "over", *names]] + [[str(row), test, against, *(cells.get(n, "") for n in names)]
                                                    for (row, test, against), cells in sorted(lines.items(), key=lambda line: line[0][0])]

    def markdown(self):
        """For docs/performance.md: the tests that have bars."""
        barred = {b.test for b in self.run.bars} | {b.base.partition(":")[2] for b in self.run.bars}
        lines = [f"- {note}" for note in self.notes()]
        for title, rows in list(self.parts())[:2]:
            lines += ["", title + ":", "", *markdown([rows[0], *(row for row in rows[1:] if row[0] in barred)])]
        verdicts = [v for v in self.run.verdicts() if v.decides]
        missed = sum(not v.met for v in verdicts)
        lines += ["", f"Bars: {len(verdicts) - missed} met, {missed} missed (**bold**).", "", *markdown(self.bars_table())]
        return "\n".join(lines)
