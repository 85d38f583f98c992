#!/usr/bin/env python3
"""usage: userfs_corpus.py FOLDER

Writes the seeds of userfs_fuzz: the packets that docs/userfs-wire.md shows, each with and without the caller's credentials, which
requests begin with."""
import os
import re
import struct
import sys

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
document = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/userfs-wire.md")
with open(document, encoding="utf-8") as file:
    text = file.read()
for name, request, reply in re.findall(r"^### \d+ (\w+)$.*?^request ([0-9a-f ]+)\nreply   ([0-9a-f ]+)$", text, re.M | re.S):
    for kind, packet in (("request", bytes.fromhex(request)), ("reply", bytes.fromhex(reply))):
        with open(os.path.join(folder, f"{name}_{kind}"), "wb") as file:
            file.write(packet)
        if kind == "request" and name != "mount":
            bare = packet[48:]
            with open(os.path.join(folder, f"{name}_body"), "wb") as file:
                file.write(packet[:12] + struct.pack(">I", len(bare)) + packet[16:20] + bare)
