#!/usr/bin/env python3
"""Tests of the tools of this folder. Registered as `tools` in tests/CMakeLists.txt."""
import os
import select
import signal
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def run(*command):
    done = subprocess.run([os.path.join(HERE, command[0]), *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout


GTEST_OUTPUT = """[ RUN      ] A.Passes
[       OK ] A.Passes (0 ms)
[ RUN      ] A.Skips
a_test.cpp:5: Skipped
no /dev/fuse here
[  SKIPPED ] A.Skips (0 ms)
[ RUN      ] A.Fails
[  FAILED  ] A.Fails (0 ms)
[==========] 3 tests from 1 test suite ran. (0 ms total)
[  PASSED  ] 1 test.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] A.Skips
[  FAILED  ] 1 test, listed below:
[  FAILED  ] A.Fails
"""
CRASH_OUTPUT = """[ RUN      ] B.One
[       OK ] B.One (0 ms)
[ RUN      ] B.Two
Segmentation fault
"""


def case(name, status, output="", inner=""):
    return f'<testcase name="{name}" status="{status}">{inner}<system-out>{output}</system-out></testcase>'


class Summary(unittest.TestCase):
    def summary(self, shards):
        """shards: name -> (XML cases or None, status text or None)"""
        with tempfile.TemporaryDirectory() as folder:
            for name, (cases, status) in shards.items():
                if cases is not None:
                    with open(os.path.join(folder, name + ".xml"), "w", encoding="utf-8") as file:
                        file.write(f"<testsuite>{''.join(cases)}</testsuite>")
                if status is not None:
                    with open(os.path.join(folder, name + ".status"), "w", encoding="utf-8") as file:
                        file.write(status)
            return run("test_summary", folder, *shards)

    def last(self, output):
        return output.splitlines()[-1]

    def test_counts_cases_of_programs_and_names_what_was_skipped(self):
        code, output = self.summary({"unit": ([case("unit.a", "fail", GTEST_OUTPUT)], "ctest exit status 8")})
        self.assertEqual((code, self.last(output)), (1, "1 passed, 1 failed, 1 skipped"))
        self.assertIn("skipped unit.a: A.Skips: no /dev/fuse here", output)
        self.assertIn("failed  unit.a: A.Fails", output)

    def test_a_crash_of_a_program_is_a_failure(self):
        code, output = self.summary({"unit": ([case("unit.b", "fail", CRASH_OUTPUT)], None)})
        self.assertEqual((code, self.last(output)), (1, "0 passed, 1 failed, 0 skipped"))

    def test_skipped_scripts_and_parts_of_scripts(self):
        skipped = '<skipped message="SKIP_RETURN_CODE=77"/>'
        code, output = self.summary({"e2e": ([case("e2e.a", "notrun", "SKIP: not root", skipped),
                                              case("tools", "run", "test_x (__main__.X.test_x) ... skipped 'not root'\nOK"),
                                              case("e2e.b", "run", "SKIP: io-uring: not here\npassed")], None)})
        self.assertEqual((code, self.last(output)), (0, "2 passed, 0 failed, 3 skipped"))
        self.assertIn("skipped e2e.a: not root", output)
        self.assertIn("skipped tools: test_x: not root", output)
        self.assertIn("skipped e2e.b: io-uring: not here", output)

    def test_a_missing_program_is_a_failure(self):
        code, output = self.summary({"e2e": ([case("e2e.a", "notrun", "", '<skipped message="Unable to find executable"/>')], None)})
        self.assertEqual((code, self.last(output)), (1, "0 passed, 1 failed, 0 skipped"))

    def test_a_shard_without_tests_or_with_a_broken_build_is_a_failure(self):
        code, output = self.summary({"unit": ([], None), "asan": (None, "the build failed")})
        self.assertEqual((code, self.last(output)), (1, "0 passed, 2 failed, 0 skipped"))

    def test_bytes_that_xml_forbids(self):
        code, output = self.summary({"unit": ([case("unit.a", "run", "\x01\x02")], None)})
        self.assertEqual((code, self.last(output)), (0, "1 passed, 0 failed, 0 skipped"))


class Isolated(unittest.TestCase):
    def test_exit_status_and_input(self):
        self.assertEqual(run("isolated", "sh", "-c", "exit 7")[0], 7)

    def read(self, pipe, most):
        """What comes within 20 s: some bytes, or none at its end."""
        self.assertTrue(select.select([pipe], [], [], 20)[0], "nothing came from the processes, and they have not ended")
        return os.read(pipe, most)

    def ends_with(self, number):
        # A plain child, one in a session and one in a process group of its own. Each says that it runs; the pipe ends with the last.
        runs = "echo; exec sleep 600"
        script = f"setsid sh -c '{runs}' & timeout 600 sh -c '{runs}' & {runs}"
        with subprocess.Popen([os.path.join(HERE, "isolated"), "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            try:
                running = b""
                while len(running) < 3:
                    running += self.read(process.stdout.fileno(), 3) or self.fail("they ended by themselves")
                process.send_signal(number)
                self.assertEqual(self.read(process.stdout.fileno(), 1), b"")
                process.wait(20)
            finally:
                process.kill()

    def test_nothing_is_left_after_sigterm(self):
        self.ends_with(signal.SIGTERM)

    @unittest.skipUnless(os.geteuid() == 0, "only root's namespaces end with SIGKILL")
    def test_nothing_is_left_after_sigkill(self):
        self.ends_with(signal.SIGKILL)


class RunFuzzers(unittest.TestCase):
    FUZZER = """#!/bin/sh
for a in "$@"; do case $a in -artifact_prefix=*) prefix=${a#*=} ;; esac; done
[ $(basename "$0") = bad_fuzz ] || { echo 'stat::number_of_executed_units: 5'; exit 0; }
printf 'ab' >"${prefix}crash-1"
echo '==1== ERROR: libFuzzer: deadly signal'
echo '    #7 0x1 in check(int) /x/build/fuzz/../../src/wire/a.cpp:5:3'
echo "Test unit written to ${prefix}crash-1"
exit 77
"""

    def test_a_crash_is_told_with_its_place_and_input(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("good_fuzz", "bad_fuzz"):
                path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(self.FUZZER)
                os.chmod(path, 0o755)
            result = os.path.join(folder, "fuzz.xml")
            code, output = run("run_fuzzers", folder, folder, "1", "2", result)
            self.assertEqual(code, 1, output)
            code, output = run("test_summary", folder, "fuzz")
            self.assertEqual(code, 1, output)
            self.assertIn("1 passed, 1 failed", output)
            self.assertIn("bad_fuzz: FAILED: libFuzzer: deadly signal; at src/wire/a.cpp:5:3; base64 of bad_fuzz-crash-1: YWI=", output)


class CheckIncludes(unittest.TestCase):
    def test_planted_violations(self):
        code, output = run("check_includes", "--self-test")
        self.assertEqual(code, 0, output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
