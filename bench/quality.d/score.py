"""Scores what `load voice` heard: PESQ narrow band, gaps, and the delay that the server added.

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


# A window of speech [samples] that is so much quieter than it was said [dB] is missing; what is
# louder than that is speech.
WINDOW, GONE_DB, LOUD = RATE // 100, 30, 10 ** (-40 / 20) * 32_768


def longest_gap_ms(said, heard):
    """The longest stretch of speech that is missing."""
    count = len(said) // WINDOW
    level = lambda samples: numpy.sqrt((samples[: count * WINDOW].astype(float).reshape(count, WINDOW) ** 2).mean(1))
    said, heard = level(said), level(heard)
    longest = run = 0
    for missing in (said > LOUD) & (heard < said * 10 ** (-GONE_DB / 20)):
        run = run + 1 if missing else 0
        longest = max(longest, run)
    return longest * 1_000 * WINDOW // RATE


def score(take):
    said = wavfile.read(take["reference"])[1]
    heard = wavfile.read(take["heard"])[1]
    begin = max(0, take["sentence"] - AROUND)
    piece = heard[begin : begin + len(said) + 2 * AROUND]
    if len(piece) < len(said) or not piece.any():
        return 1.0, len(said) * 1_000 // RATE
    likeness = correlate(piece.astype(float), said.astype(float), "valid", "fft")
    at = begin + int(numpy.argmax(likeness))
    degraded = heard[at : at + len(said)]
    return pesq(RATE, said, degraded, "nb"), longest_gap_ms(said, degraded)


def takes_of(folder):
    with open(f"{folder}/takes.jsonl") as file:
        return [json.loads(line) for line in file]


def cells(folder, pool):
    takes = takes_of(folder)
    found = {}
    for take, (value, gap_ms) in zip(takes, pool.map(score, takes, chunksize=4)):
        found.setdefault(take["line"], []).append((value, gap_ms, take))
    return found


def shown(results):
    if not results:
        return "– | – | – | –"
    values = [value for value, _, _ in results]
    before, after = ([d for _, _, t in results for d in t[f"delays_{when}_ms"]] for when in ("before", "after"))
    delay = f"{statistics.median(before + after):.0f}" if before + after else "–"
    if "drift" in results[0][2]["line"] and before and after:
        delay = f"{statistics.median(before):.0f}, then {statistics.median(after):.0f}"
    mean = statistics.mean(values)
    gap = max(gap_ms for _, gap_ms, _ in results)
    return f"{mean:.2f} | {min(values):.2f} | {gap} | {delay}"


def main():
    with ProcessPoolExecutor(2) as pool:
        servers = [argument.split("=", 1) for argument in sys.argv[1:]]
        all_cells = [(name, cells(folder, pool)) for name, folder in servers]
    heads = "".join(f" {name} PESQ | worst | gap ms | delay ms |" for name, _ in all_cells)
    print(f"| line |{heads}")
    print("|---|" + "---|---|---|---|" * len(all_cells))
    for line in all_cells[0][1]:
        row = " | ".join(shown(found.get(line, [])) for _, found in all_cells)
        print(f"| {line} | {row} |")


if __name__ == "__main__":
    main()
