"""Scores what `load voice` heard: PESQ narrow band, and the delay that the server added.

usage: score.py NAME=FOLDER ...    prints a Markdown table, one column pair for each name
"""

import json
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy
from pesq import pesq
from scipy.io import wavfile
from scipy.signal import correlate

RATE = 8000
# How far the sentence may be from where the beeps say it is, in samples.
AROUND = RATE // 2


def score(take):
    said = wavfile.read(take["reference"])[1]
    heard = wavfile.read(take["heard"])[1]
    begin = max(0, take["sentence"] - AROUND)
    piece = heard[begin : begin + len(said) + 2 * AROUND]
    if len(piece) < len(said) or not piece.any():
        return 1.0
    likeness = correlate(piece.astype(float), said.astype(float), "valid", "fft")
    at = begin + int(numpy.argmax(likeness))
    degraded = heard[at : at + len(said)]
    return pesq(RATE, said, degraded, "nb")


def takes_of(folder):
    with open(f"{folder}/takes.jsonl") as file:
        return [json.loads(line) for line in file]


def cells(folder, pool):
    takes = takes_of(folder)
    found = {}
    for take, value in zip(takes, pool.map(score, takes, chunksize=4)):
        found.setdefault(take["line"], []).append((value, take))
    return found


def shown(results):
    if not results:
        return "– | – | –"
    values = [value for value, _ in results]
    before, after = ([d for _, t in results for d in t[f"delays_{when}_ms"]] for when in ("before", "after"))
    delay = f"{statistics.median(before + after):.0f}" if before + after else "–"
    if "drift" in results[0][1]["line"] and before and after:
        delay = f"{statistics.median(before):.0f}, then {statistics.median(after):.0f}"
    mean = statistics.mean(values)
    return f"{mean:.2f} | {min(values):.2f} | {delay}"


def main():
    with ProcessPoolExecutor(2) as pool:
        servers = [argument.split("=", 1) for argument in sys.argv[1:]]
        all_cells = [(name, cells(folder, pool)) for name, folder in servers]
    heads = "".join(f" {name} PESQ | worst | delay ms |" for name, _ in all_cells)
    print(f"| line |{heads}")
    print("|---|" + "---|---|---|" * len(all_cells))
    for line in all_cells[0][1]:
        row = " | ".join(shown(found.get(line, [])) for _, found in all_cells)
        print(f"| {line} | {row} |")


if __name__ == "__main__":
    main()
