"""Compares the figures of a run with the bars (bars.txt)."""
import dataclasses
import os

from figures import geometric_mean, ratio

BARS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bars.txt")
META_ROWS = range(2, 11)


@dataclasses.dataclass(frozen=True)
class Bar:
    row: int
    test: str
    base: str
    mem: float | None
    passed: float | None
    through: float | None
    cpu: float | None
    peer: float | None

    def of(self, kind):
        """The bar against `base` for a kind of ours."""
        return {"mem": self.mem, "pass": self.passed, "through": self.through}[kind]


@dataclasses.dataclass(frozen=True)
class Verdict:
    row: int
    test: str
    variant: str
    against: str   # what it is compared with
    value: float   # the ratio seen
    limit: float

    @property
    def met(self):
        return self.value <= self.limit

    @property
    def over(self):
        """How much of the bar is used: above 1 it is missed."""
        return self.value / self.limit

    def __str__(self):
        margin = f"{abs(1 - self.over) * 100:.0f} % {'below' if self.met else 'ABOVE'}"
        return (f"{'met   ' if self.met else 'MISSED'} row {self.row:2} {self.test:24} {self.variant:13} {self.value:7.2f} x {self.against:22} "
                f"bar {self.limit:5.2f}  {margin}")


def read_bars(path=BARS):
    bars = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 8:
                raise SystemExit(f"{path}:{number}: a bar has 8 columns, not {len(words)}")
            bars.append(Bar(int(words[0]), words[1], words[2], *(None if w == "-" else float(w) for w in words[3:])))
    return bars


def check(bars, figures, variants):
    """Verdicts of all bars that the run has figures for. `variants`: name -> kind, of those that ran."""
    peers = [name for name, kind in variants.items() if kind == "peer"]
    native = next((name for name, kind in variants.items() if kind == "native"), None)
    verdicts = []
    for bar in bars:
        for name, kind in variants.items():
            if kind not in ("mem", "pass", "through"):
                continue
            if bar.test == "@meta":
                verdicts += against_each_peer(bar, bars, figures, name, kind, peers)
                continue
            verdicts += against_base(bar, figures, name, kind, native)
            verdicts += against_best_peer(bar, figures, name, kind, peers)
    return verdicts


def against_base(bar, figures, name, kind, native):
    limit = bar.of(kind)
    if limit is None:
        return
    if bar.test.endswith("%"):
        spread = figures.spread(bar.test[:-1], name)
        if spread is not None and len(figures.samples(bar.test[:-1], name)) > 1:
            yield Verdict(bar.row, bar.test, name, "spread", spread, limit)
        return
    where, _, test = bar.base.partition(":")
    base = name if where == "self" else native
    seen = ratio(figures.wall(bar.test, name), figures.wall(test or bar.test, base))
    if seen is not None:
        yield Verdict(bar.row, bar.test, name, bar.base, seen, limit)
    cpu = ratio(figures.cpu(bar.test, name), figures.cpu(test or bar.test, base)) if bar.cpu else None
    if cpu is not None:
        yield Verdict(19, bar.test, name, "native CPU", cpu, limit * bar.cpu)


def against_best_peer(bar, figures, name, kind, peers):
    best = figures.best(bar.test, peers)
    seen = ratio(figures.wall(bar.test, name), figures.wall(bar.test, best))
    if bar.peer is not None and kind != "through" and seen is not None:
        yield Verdict(bar.row, bar.test, name, "peer " + best, seen, bar.peer)


def meta_mean(bars, figures, name, peer):
    """Geometric mean of wall times over a peer's, of the metadata tests."""
    tests = dict.fromkeys(b.test for b in bars if b.row in META_ROWS)
    return geometric_mean(ratio(figures.wall(test, name), figures.wall(test, peer)) for test in tests)


def against_each_peer(bar, bars, figures, name, kind, peers):
    for peer in peers:
        seen = meta_mean(bars, figures, name, peer)
        if seen is not None and kind != "through":
            yield Verdict(bar.row, bar.test, name, "peer " + peer, seen, bar.peer)
