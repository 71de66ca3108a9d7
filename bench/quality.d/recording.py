"""Records what baresip speaks, and scores the recordings: PESQ against what was spoken, and gaps.

usage: recording.py PROGRAM TIMES    prints a Markdown table
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy
from pesq import pesq
from scipy.io import wavfile
from scipy.signal import correlate, resample_poly

ROOT = Path(__file__).resolve().parent.parent.parent
VOICES = [ROOT / f"fixtures/audio/{name}.wav" for name in ("alice", "bob", "carol")]
VOICES_RATE = 16_000
# codec → as baresip's account says it, its rate, channels, the rate of the recording, PESQ's mode
CODECS = {
    "PCMU": ("PCMU/8000/1", 8_000, 1, 8_000, "nb"),
    "PCMA": ("PCMA/8000/1", 8_000, 1, 8_000, "nb"),
    "Opus, 24 kbit/s": ("opus/48000/2", 48_000, 2, 16_000, "wb"),
}
# Before the sentence, while the call comes up, and behind it [s].
BEFORE_S, BEHIND_S = 3, 2
# What is spoken louder than that is no pause, and what is so much quieter in the recording is gone.
LOUD, GONE_DB = 10 ** (-40 / 20) * 32_768, 30
WINDOW_S, GAP_S = 0.01, 0.02
# A phone that comes too late is none: real-time where that is allowed.
URGENTLY = ["chrt", "-f", "5"]
if subprocess.run([*URGENTLY, "true"], capture_output=True).returncode:
    URGENTLY = []


def mu_law(sample):
    """What a sample is after G.711 µ-law."""
    size = min(abs(sample), 32_635) + 132
    segment = size.bit_length() - 8
    mantissa = size >> (segment + 3) & 15
    return (((mantissa << 3) + 132) << segment) - 132


def a_law(sample):
    """The same of A-law; a negative sample is one less, as the law has no zero."""
    size = (sample if sample >= 0 else -sample - 1) >> 3
    segment = max(size.bit_length() - 5, 0)
    kept = size >> max(segment, 1) & 15
    if segment == 0:
        return (kept << 4) + 8
    return ((kept << 4) + 0x108) << (segment - 1)


# All samples from -32,768 on.
LAWS = {
    name: numpy.array([law(x) if x >= 0 else -law(x) for x in range(-32_768, 32_768)], numpy.int16)
    for name, law in (("PCMU", mu_law), ("PCMA", a_law))
}


def coded(samples, codec):
    """Through the codec alone; of Opus nothing is known here."""
    return LAWS[codec][samples.astype(int) + 32_768] if codec in LAWS else None


def at_rate(samples, rate):
    made = resample_poly(samples.astype(float), rate, VOICES_RATE) if rate != VOICES_RATE else samples
    return numpy.clip(numpy.round(made), -32_768, 32_767).astype(numpy.int16)


def config(folder, rate, channels, port):
    return f"""sip_listen 127.0.0.1:0
net_interface 127.0.0.1
audio_source aufile,{folder}/speech.wav
audio_player aubridge,nobody
audio_alert aubridge,nobody
ausrc_srate {rate}
ausrc_channels {channels}
auplay_srate {rate}
auplay_channels {channels}
opus_bitrate 24000
rtp_ports {port}-{port + 99}
rtcp_mux no
module_path /usr/lib/baresip/modules
module g711.so
module opus.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
statmode_default off
"""


def start_server(program, folder):
    (folder / "convoke.toml").write_text(
        "".join(
            f"[rooms.at-{rate}-{number}]\nrecord = true\nrecording_rate_hz = {rate}\n"
            for rate in (8_000, 16_000)
            for number in range(len(VOICES))
        )
    )
    arguments = ["--sip", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(folder / "data"), "--log", "warn"]
    arguments += ["--config", str(folder / "convoke.toml"), "--rtp-ports", "22000-22199"]
    with (folder / "welcome").open("w") as out, (folder / "log").open("w") as log:
        server = subprocess.Popen([program, *arguments], stdout=out, stderr=log)
    while "Ctrl-C" not in (text := (folder / "welcome").read_text()):
        if server.poll() is not None:
            sys.exit((folder / "log").read_text())
        time.sleep(0.05)
    http = text.split("http://")[1].split()[0].split("/")[0]
    return server, text.split("sip:NAME@")[1].split()[0].strip("/.,"), http


def read(http, path):
    with urllib.request.urlopen(f"http://{http}/{path}", timeout=5) as page:
        return page.read().decode()


def speak(folder, name, codec, voice, sip, room, port):
    account, rate, channels, _, _ = CODECS[codec]
    own = folder / name
    own.mkdir()
    spoken = at_rate(voice, rate)
    whole = numpy.concatenate([numpy.zeros(BEFORE_S * rate), spoken, numpy.zeros(BEHIND_S * rate)]).astype(numpy.int16)
    wavfile.write(own / "speech.wav", rate, numpy.column_stack([whole] * channels) if channels > 1 else whole)
    (own / "config").write_text(config(own, rate, channels, port))
    (own / "accounts").write_text(f"<sip:{name}@127.0.0.1;transport=udp>;regint=0;audio_codecs={account}\n")
    with (own / "log").open("w") as log:
        command = [*URGENTLY, "baresip", "-s", "-e", f"/dial sip:{room}@{sip}", "-f", str(own)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def gaps(said, kept, rate):
    """Stretches of speech that are missing, and how long the longest is [ms]."""
    window = int(rate * WINDOW_S)
    count = min(len(said), len(kept)) // window
    level = lambda samples: numpy.sqrt((samples[: count * window].astype(float).reshape(count, window) ** 2).mean(1))
    said, kept = level(said), level(kept)
    missing = (said > LOUD) & (kept < said * 10 ** (-GONE_DB / 20))
    runs, run = [], 0
    for one in [*missing, False]:
        if one:
            run += 1
        elif run:
            runs.append(run)
            run = 0
    long = [run * WINDOW_S * 1_000 for run in runs if run * WINDOW_S >= GAP_S]
    return len(long), max(long, default=0)


def score(voice, path, codec):
    """PESQ of the recording; gaps; PESQ of the codec alone, and of the recording against that."""
    _, _, _, rate, mode = CODECS[codec]
    said = at_rate(voice, rate)
    kept_rate, kept = wavfile.read(path)
    assert kept_rate == rate, path
    likeness = correlate(kept.astype(float), said.astype(float), "valid", "fft")
    at = int(numpy.argmax(likeness))
    kept = kept[at : at + len(said)]
    alone = coded(said, codec)
    value, found = pesq(rate, said, kept, mode), gaps(said, kept, rate)
    if alone is None:
        return value, found, None
    return value, found, (pesq(rate, said, alone, mode), pesq(rate, alone, kept, mode))


def recording_of(http, room):
    """The room's recording, once somebody is in it."""
    for _ in range(200):
        try:
            return json.loads(read(http, f"api/v1/conferences/{room}"))["recording"]["id"]
        except (urllib.error.HTTPError, KeyError):
            time.sleep(0.05)
    sys.exit(f"nobody came into {room}")


def record(server, codec, take, folder):
    sip, http = server
    rate = CODECS[codec][3]
    voices = [wavfile.read(path)[1] for path in VOICES]
    rooms = [f"at-{rate}-{number}" for number in range(len(voices))]
    phones = [
        speak(folder, f"{codec[:4]}-{take}-{number}", codec, voice, sip, room, 23_000 + 100 * number)
        for number, (voice, room) in enumerate(zip(voices, rooms))
    ]
    try:
        paths = [folder / "data/recordings" / f"{recording_of(http, room)}.wav" for room in rooms]
        time.sleep(max(len(voice) for voice in voices) / VOICES_RATE + BEFORE_S + BEHIND_S)
    finally:
        for phone in phones:
            phone.terminate()
        for phone in phones:
            phone.wait()
    time.sleep(1)
    return [score(voice, path, codec) for voice, path in zip(voices, paths)]


def row(codec, mode, takes):
    values = [value for value, _, _ in takes]
    count, longest = sum(found for _, (found, _), _ in takes), max(ms for _, (_, ms), _ in takes)
    kind = {"nb": "narrow band", "wb": "wide band"}[mode]
    alone = [both for _, _, both in takes if both is not None]
    shown = ["–", "–"]
    if alone:
        of_codec, between = zip(*alone)
        shown = [f"{statistics.mean(of_codec):.2f}", f"{statistics.mean(between):.2f}, {min(between):.2f}"]
    cells = [f"{codec}, {len(takes)} recordings, {kind}", f"{statistics.mean(values):.2f}, {min(values):.2f}", *shown]
    return "| " + " | ".join([*cells, f"{count}" if count == 0 else f"{count}, {longest:.0f} ms"]) + " |"


def main():
    program, times = sys.argv[1], int(sys.argv[2])
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{time.strftime('%Y-%m-%d', time.gmtime())}, load {load}: `TIMES={times} bench/recording`\n")
    print("| codec | PESQ against what was said, worst | of the codec alone | against what the codec leaves, worst | gaps |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        folder = Path(folder)
        process, *server = start_server(program, folder)
        try:
            for codec, (*_, mode) in CODECS.items():
                takes = [one for take in range(times) for one in record(server, codec, take, folder)]
                print(row(codec, mode, takes), flush=True)
            lost = [line for line in read(server[1], "metrics").splitlines() if "conceal" in line or "recorder" in line or "tap" in line]
            print("\n" + "\n".join(f"`{line}`" for line in lost if not line.startswith("#")))
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
