"""The figures of a run, and what is computed from them."""
import math
import statistics


class Figures:
    """Samples by test and variant: lists of (wall, client CPU, daemon CPU), one a round, in us an operation."""

    def __init__(self, tests=None):
        self.tests = tests or {}

    def add(self, test, variant, sample):
        self.tests.setdefault(test, {}).setdefault(variant, []).append(list(sample))

    def samples(self, test, variant):
        return self.tests.get(test, {}).get(variant, [])

    def wall(self, test, variant):
        """Median wall time, or None where there are no samples; so do the others."""
        samples = self.samples(test, variant)
        return statistics.median(s[0] for s in samples) if samples else None

    def cpu(self, test, variant):
        """Median CPU time, client and daemon together."""
        samples = self.samples(test, variant)
        return statistics.median(s[1] + s[2] for s in samples) if samples else None

    def spread(self, test, variant):
        """(largest - smallest) / median of the wall times."""
        walls = [s[0] for s in self.samples(test, variant)]
        median = self.wall(test, variant)
        return (max(walls) - min(walls)) / median if median else None

    def best(self, test, variants):
        """The variant with the smallest median wall time, or None."""
        having = [v for v in variants if self.wall(test, v) is not None]
        return min(having, key=lambda v: self.wall(test, v), default=None)


def ratio(value, base):
    return value / base if value is not None and base else None


def geometric_mean(values):
    values = [v for v in values if v]
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else None
