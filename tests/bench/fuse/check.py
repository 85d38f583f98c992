"""Compares the figures of a run with the bars (bars.txt)."""
import dataclasses
import os

from figures import geometric_mean, ratio
from variants import OUR_KINDS

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
    decides: bool = True  # False: another file system of the kind stands for it

    @property
    def met(self):
        return self.value <= self.limit

    @property
    def over(self):
        """How much of the bar is used: above 1 it is missed."""
        return self.value / self.limit

    def __str__(self):
        margin = f"{abs(1 - self.over) * 100:.0f} % {'below' if self.met else 'ABOVE'}"
        return (f"{'met' if self.met else 'MISSED':6} row {self.row:2} {self.test:24} {self.variant:13} {self.value:7.2f} x {self.against:22} "
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
    """Verdicts of all bars that the run has figures for. `variants`: name -> kind, of those that ran; the first of a kind decides."""
    peers = [name for name, kind in variants.items() if kind == "peer"]
    native = next((name for name, kind in variants.items() if kind == "native"), None)
    deciding = {kind: name for name, kind in reversed(variants.items())}
    verdicts = []
    for bar in bars:
        for name, kind in variants.items():
            if kind not in OUR_KINDS:
                continue
            if bar.test == "@meta":
                found = [*against_each_peer(bar, bars, figures, name, kind, peers)]
            elif bar.test == "@rest":
                others = [dataclasses.replace(bar, test=test) for test in tests_without_peer_bar(bars, figures)]
                found = [v for other in others for v in against_best_peer(other, figures, name, kind, peers)]
            else:
                found = [*against_base(bar, figures, name, kind, native), *against_best_peer(bar, figures, name, kind, peers)]
            verdicts += [dataclasses.replace(v, decides=deciding[kind] == name) for v in found]
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


def tests_without_peer_bar(bars, figures):
    barred = {b.test for b in bars if b.peer is not None}
    return [test for test in figures.tests if test not in barred]


def meta_mean(bars, figures, name, peer):
    """Geometric mean of wall times over a peer's, of the metadata tests."""
    tests = dict.fromkeys(b.test for b in bars if b.row in META_ROWS)
    return geometric_mean(ratio(figures.wall(test, name), figures.wall(test, peer)) for test in tests)


def against_each_peer(bar, bars, figures, name, kind, peers):
    for peer in peers:
        seen = meta_mean(bars, figures, name, peer)
        if seen is not None and kind != "through":
            yield Verdict(bar.row, bar.test, name, "peer " + peer, seen, bar.peer)
