"""The programs that are measured, each on the system's libfuse and on ours: one line each."""
import dataclasses

from variants import VARIANTS, Variant


@dataclasses.dataclass(frozen=True)
class Program:
    level: str  # of libfuse's interface: high or low
    how: Variant

    @property
    def name(self):
        return self.how.name


def known(level, name):
    """One that tests/bench/fuse has, too."""
    return Program(level, next(v for v in VARIANTS if v.name == name))


PROGRAMS = [
    known("high", "hl"),
    known("high", "hl-fh"),
    known("low", "ll"),
    known("high", "bindfs"),
    known("high", "sshfs"),
    Program("high", Variant("fuse2fs", "peer", "@WORK@/ext4-image @SRC@/image @MNT@", "fuse2fs")),
]
# What @WORK@/ext4-image is.
EXT4_IMAGE = """#!/bin/sh
truncate -s 2G "$1" && mkfs.ext4 -q -F -E root_owner=0:0 "$1" && exec fuse2fs -f -o fakeroot "$1" "$2"
"""

# Bars: our time over that of the system's library, at most.
EVERY_ROW = 1.05
META_MEDIAN = {"high": 0.6, "low": 0.9}  # median of the metadata rows
SINGLE = {("sshfs", "create_close"): 0.8, ("sshfs", "untar"): 0.8}
