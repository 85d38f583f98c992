#!/usr/bin/env python3
"""Tests of the benchmark's arithmetic: no mount, no measuring."""
import contextlib
import importlib.machinery
import importlib.util
import os
import pathlib
import signal
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import check
import mounts
import plot
from figures import Figures, geometric_mean

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = {"native": "native", "mem": "mem", "through": "through", "ll": "peer", "sshfs": "peer"}


def script(name):
    """A program of this folder as a module."""
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def some_figures():
    figures = Figures()
    for test, walls in {"open_close": {"native": (2, 1, 3), "mem": (4, 5, 6), "ll": (20, 10, 30), "sshfs": (200,)},
                        "rename": {"native": (4,), "mem": (20,), "ll": (40,), "sshfs": (80,)},
                        "many_create_large": {"mem": (13,)}, "many_create_small": {"mem": (10,)}}.items():
        for name, values in walls.items():
            for wall in values:
                figures.add(test, name, (wall, wall / 2, wall / 4))
    return figures


@contextlib.contextmanager
def bars_file(*lines):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("# a comment\n" + "\n".join(lines) + "\n")
        file.flush()
        yield file.name


def verdicts(*lines):
    with bars_file(*lines) as path:
        return check.check(check.read_bars(path), some_figures(), KINDS)


class FiguresTest(unittest.TestCase):
    def test_medians_spread_and_best(self):
        figures = some_figures()
        self.assertEqual(figures.wall("open_close", "native"), 2)
        self.assertEqual(figures.cpu("open_close", "mem"), 3.75)
        self.assertEqual(figures.spread("open_close", "ll"), 1.0)
        self.assertEqual(figures.best("open_close", ["ll", "sshfs", "absent"]), "ll")
        self.assertIsNone(figures.wall("open_close", "absent"))
        self.assertIsNone(figures.best("none", ["ll"]))

    def test_geometric_mean(self):
        self.assertAlmostEqual(geometric_mean([2, 8, None]), 4)
        self.assertIsNone(geometric_mean([]))


class CheckTest(unittest.TestCase):
    def test_against_native_and_its_cpu(self):
        wall, cpu = verdicts("3 open_close native 2.5 - - 1.1 -")
        self.assertEqual((wall.value, wall.limit, wall.met), (2.5, 2.5, True))
        self.assertEqual((cpu.row, cpu.value, cpu.met), (19, 2.5, True))
        self.assertFalse(verdicts("3 open_close native 2.4 - - - -")[0].met)

    def test_against_the_best_peer(self):
        (verdict,) = verdicts("3 open_close native - - - - 0.2")
        self.assertEqual((verdict.against, verdict.value, verdict.met), ("peer ll", 0.25, False))

    def test_against_itself_a_spread_and_another_test(self):
        self.assertAlmostEqual(verdicts("18 many_create_large self:many_create_small 1.3 1.3 1.3 - -")[0].value, 1.3)
        self.assertAlmostEqual(verdicts("1 open_close% 1 0.3 - - - -")[0].value, 0.4)
        self.assertAlmostEqual(verdicts("1 rename native:open_close 5 - - - -")[0].value, 10)

    def test_metadata_mean_against_each_peer(self):
        found = verdicts("3 open_close native - - - - -", "9 rename native - - - - -", "10 @meta - - - - - 0.5")
        self.assertEqual([v.against for v in found], ["peer ll", "peer sshfs"])
        self.assertAlmostEqual(found[0].value, (0.25 * 0.5) ** 0.5)

    def test_every_other_test_against_the_best_peer(self):
        found = verdicts("3 open_close native - - - - 0.25", "20 @rest - - - - - 1")
        self.assertEqual([(v.row, v.test, v.value) for v in found], [(3, "open_close", 0.25), (20, "rename", 0.5)])

    def test_the_first_of_a_kind_decides(self):
        figures = some_figures()
        figures.add("open_close", "mem-classic", (1, 1, 1))
        with bars_file("3 open_close native 2 - - - -") as path:
            found = check.check(check.read_bars(path), figures, {**KINDS, "mem-classic": "mem"})
        self.assertEqual([(v.variant, v.decides, v.met) for v in found], [("mem", True, False), ("mem-classic", False, True)])

    def test_no_figures_no_verdict(self):
        self.assertEqual(verdicts("4 unlink native 1 1 1 1.1 1", "18 rename self:none 1 - - - -"), [])

    def test_a_line_that_is_no_bar(self):
        with bars_file("3 open_close native 1") as path, self.assertRaises(SystemExit):
            check.read_bars(path)

    def test_the_bars_of_the_tree(self):
        rows = {bar.row for bar in check.read_bars()}
        self.assertEqual(rows, set(range(1, 19)) | {20})  # 19, CPU time, is in a column of the others


class SwitchTest(unittest.TestCase):
    def state_after(self, before, ends):
        """What the switch says inside, and after a process that turned it on has ended by `ends`."""
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
            file.write(before + "\n")
            file.flush()
            read_end, write_end = os.pipe()
            pid = os.fork()
            if pid == 0:
                with mounts.uring_allowed(file.name):
                    os.write(write_end, pathlib.Path(file.name).read_bytes())
                    if ends:
                        os.kill(os.getpid(), ends)
                os._exit(0)
            os.close(write_end)
            inside = os.read(read_end, 10)
            os.read(read_end, 1)  # ends when the last process that has the pipe does: the one that puts the switch back
            os.close(read_end)
            os.waitpid(pid, 0)
            return inside.decode().strip(), pathlib.Path(file.name).read_text(encoding="ascii").strip()

    def test_is_put_back(self):
        for ends in (0, signal.SIGTERM, signal.SIGKILL):
            self.assertEqual(self.state_after("N", ends), ("Y", "N"))
            self.assertEqual(self.state_after("Y", ends), ("Y", "Y"))


class OutputTest(unittest.TestCase):
    def test_picture_is_xml(self):
        picture = plot.plot(some_figures(), KINDS, check.read_bars())
        self.assertIn("open_close", "".join(ElementTree.fromstring(picture).itertext()))

    def test_report_of_an_earlier_run(self):
        run = script("run").Run(check.read_bars(), {"variants": KINDS, "tests": some_figures().tests, "skipped": {"hp": "no source"},
                                                    "failed": {"ll": {"many": "Too many open files"}}, "conditions": {"kernel": "6"}})
        report = script("run").Report(run)
        for text, own in (report.text(), "geometric mean"), (report.markdown(), "| **2.50 > 2.20** |"):
            for part in ("kernel: 6", "skipped hp: no source", "failed ll, many: Too many open files", "5.00 2.50x", own):
                self.assertIn(part, text)

    def test_requests_are_counted_by_phase(self):
        phases = script("requests").count([
            " m-1 [0] .... 1.0: fuse_request_send: connection 9 req 2 opcode 1 (FUSE_LOOKUP) len 1", " m-1 [0] .... 1.1: tracing_mark_write: chmod\n",
            " m-1 [0] .... 1.2: fuse_request_send: connection 9 req 4 opcode 4 (FUSE_SETATTR) len 1"])
        self.assertEqual({phase: dict(kinds) for phase, kinds in phases.items()}, {"chmod": {"setattr": 1}})


if __name__ == "__main__":
    unittest.main(verbosity=2)
