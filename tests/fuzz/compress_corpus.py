#!/usr/bin/env python3
"""usage: compress_corpus.py FOLDER

Writes the seeds of compress_fuzz: files as zstd makes them, and with seek tables, good ones and others. Needs the zstd tool."""
import os
import struct
import subprocess
import sys

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)


def zstd(plain, *options):
    return subprocess.run(["zstd", "-qc", *options], input=plain, stdout=subprocess.PIPE, check=True).stdout


def table(entries, checksums=False, frames=None):
    body = b"".join(struct.pack("<II", *e) + (b"sum!" if checksums else b"") for e in entries)
    count = len(entries) if frames is None else frames
    return (struct.pack("<II", 0x184D2A5E, len(body) + 9) + body +
            struct.pack("<IBI", count, 0x80 if checksums else 0, 0x8F92EAB1))


text = b"".join(b"%d " % (n * n) for n in range(400))
one, two, piped = zstd(text, "--stream-size=%d" % len(text)), zstd(b"the end"), zstd(text)
zeros = bytes.fromhex("28b52ffd8038") + struct.pack("<I", 200000) + bytes.fromhex("02001000036a0800")
good = [(len(one), len(text)), (len(two), 7)]
skipped = struct.pack("<II", 0x184D2A53, 5) + b"words"
seeds = {
    "empty": b"", "one": one, "piped": piped, "two": one + two, "fast": zstd(text, "--fast=5", "--no-check"),
    "large_window": zstd(text * 20, "-19", "--long=27"), "zeros": zeros, "skipped": skipped + one + skipped,
    "table": one + two + table(good), "checksums": one + two + table(good, True),
    "skipped_table": one + skipped + two + table([good[0], (len(skipped), 0), good[1]]),
    "only_table": table([]), "frames_lie": one + table(good[:1], frames=1000),
    "sizes_lie": one + table([(len(one), 0xffffffff)]), "offsets_lie": one + table([(0xffffffff, 5)]),
    "decodes_to_less": one + table([(len(one), len(text) + 1)]), "cut": one[:-7], "plain": text,
}
for name, seed in seeds.items():
    with open(os.path.join(folder, name), "wb") as file:
        file.write(seed)
