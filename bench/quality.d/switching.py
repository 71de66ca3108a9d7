"""Scores what `switching` wrote: PESQ wide band against the same voice heard without a server.

usage: switching.py FOLDER < LINES     a line: voice, way, encodes, packets; prints a Markdown table
"""

import statistics
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy
from pesq import pesq
from scipy.io import wavfile
from scipy.signal import correlate

RATE = 16000
# Silence around the sentence, in samples.
AROUND = 5 * RATE


def score(take):
    folder, voice, way = take
    said = wavfile.read(f"{folder}/{voice}.reference.wav")[1][AROUND:-AROUND]
    heard = wavfile.read(f"{folder}/{voice}.{way}.wav")[1]
    likeness = correlate(heard.astype(float), said.astype(float), "valid", "fft")
    at = int(numpy.argmax(likeness))
    return pesq(RATE, said, heard[at : at + len(said)], "wb")


def main():
    rows = [line.rstrip("\n").split("\t") for line in sys.stdin]
    with ProcessPoolExecutor(2) as pool:
        scores = list(pool.map(score, [(sys.argv[1], voice, way) for voice, way, _, _ in rows]))
    ways = {}
    for (_, way, encodes, packets), value in zip(rows, scores):
        ways.setdefault(way, []).append((value, int(encodes), int(packets)))
    print("| the voice is | PESQ wide band, mean | worst | encodes of 100 packets |")
    print("|---|---|---|---|")
    for way, takes in ways.items():
        values = [value for value, _, _ in takes]
        encodes = 100 * sum(take[1] for take in takes) / sum(take[2] for take in takes)
        print(f"| {way} | {statistics.mean(values):.2f} | {min(values):.2f} | {encodes:.0f} |")


if __name__ == "__main__":
    main()
