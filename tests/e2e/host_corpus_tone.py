"""usage: host_corpus_tone.py FILE: a second of a tone, as a WAV file."""
import math
import struct
import sys
import wave

RATE = 44100

with wave.open(sys.argv[1], "wb") as file:
    file.setnchannels(2)
    file.setsampwidth(2)
    file.setframerate(RATE)
    file.writeframes(b"".join(struct.pack("<hh", int(9000 * math.sin(i / 20)), 0) for i in range(RATE)))
