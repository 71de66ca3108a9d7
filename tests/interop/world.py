"""The world of a check: a server of its own, its API, and ears for what phones keep."""

import array
import json
import math
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import wave

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = pathlib.Path(os.environ.get("INTEROP_HOME", "/var/tmp/convoke-interop"))
PATIENCE_S = 15


def until(what, look, patience_s=PATIENCE_S):
    """Looks until there is something to see."""
    end = time.monotonic() + patience_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {patience_s} s")
        time.sleep(0.05)


def free_port():
    """A port of loopback that neither UDP nor TCP has now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return udp.getsockname()[1]


def folder():
    return pathlib.Path(tempfile.mkdtemp(prefix="interop-"))


def binary():
    given = os.environ.get("CONVOKE")
    if given:
        return given
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(target / "debug" / "convoke")


class Process:
    """A program whose words are kept; it ends with the check."""

    running = []

    def __init__(self, words, log, **more):
        self.log_path = log
        self.process = subprocess.Popen(
            [str(word) for word in words], stdout=open(log, "wb"), stderr=subprocess.STDOUT, **more
        )
        Process.running.append(self)

    def said(self):
        return self.log_path.read_text(errors="replace")

    def end(self):
        if self in Process.running:
            Process.running.remove(self)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @staticmethod
    def end_all():
        for process in list(reversed(Process.running)):
            process.end()


def certificate(at):
    """A certificate for 127.0.0.1 and localhost that signs itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", at / "key.pem", "-out", at / "cert.pem", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
        check=True, capture_output=True,
    )


class Server:
    """Our server with users and tables of the check."""

    def __init__(self, users=(), more="", top="", host="127.0.0.1", md5_only=False):
        self.host, self.port, self.http = host, free_port(), free_port()
        self.tls, self.ws, self.wss = free_port(), free_port(), free_port()
        self.folder = folder()
        certificate(self.folder)
        lines = [top]
        for name, extra in users:
            kept = self.user_lines(name)
            if md5_only:
                kept = "".join(line + "\n" for line in kept.splitlines() if "sha256" not in line)
            lines.append(kept + extra)
        lines.append(
            f'[tls]\nlisten = ["{host}:{self.tls}"]\ncertificate = "{self.folder}/cert.pem"\n'
            f'key = "{self.folder}/key.pem"\nroots = "{self.folder}/cert.pem"\n'
            f'[websocket]\nlisten = ["{host}:{self.ws}"]\nlisten_tls = ["{host}:{self.wss}"]\n'
            'origins = ["null", "http://localhost"]\n'
        )
        lines.append(more)
        config = self.folder / "convoke.toml"
        config.write_text("\n".join(lines))
        self.words = [
            binary(), "--config", config, "--sip", f"{host}:{self.port}",
            "--http", f"127.0.0.1:{self.http}", "--data", self.folder / "data",
            "--rtp-ports", "20000-21999", "--log", os.environ.get("CONVOKE_LOG", "info"),
        ]
        self.process = Process(self.words, self.folder / "log")
        until("the server's welcome", self.is_ready)

    def is_ready(self):
        assert self.process.process.poll() is None, self.process.said()
        return "Ctrl-C" in self.process.said()

    @staticmethod
    def user_lines(name, password="wonder"):
        made = subprocess.run([binary(), "user", name], input=password + "\n", text=True, check=True,
                              capture_output=True)
        return "\n".join(line for line in made.stdout.splitlines() if "=" in line or "[" in line) + "\n"

    def ask(self, method, path, body=None, prefix="/api/v1/"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}{prefix}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        try:
            return 200, json.loads(text) if text else None
        except ValueError:
            return 200, text

    def get(self, path):
        return self.ask("GET", path)[1]

    def metric(self, series):
        for line in self.ask("GET", "metrics", prefix="/")[1].splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def rss_mb(self):
        """What it has of memory."""
        lines = pathlib.Path(f"/proc/{self.process.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1_024

    def bindings(self, user):
        for one in self.get("registrations"):
            if one["user"] == user:
                return one["contacts"]
        return []

    def registered(self, user, count=1):
        return until(f"{user} registered", lambda: len(self.bindings(user)) == count)

    def parties(self, room):
        code, view = self.ask("GET", f"conferences/{room}")
        return view["parties"] if code == 200 else []

    def connected(self, room, count):
        def look():
            up = [one for one in self.parties(room) if one["state"] == "connected"]
            return up if len(up) == count else None
        if count == 0:
            return until(f"nobody in {room}", lambda: not self.parties(room))
        return until(f"{count} in {room}", look)

    def events(self, room):
        code, events = self.ask("GET", f"conferences/{room}/events")
        return events if code == 200 else []

    def told(self, room, kind, count=1):
        def look():
            found = [one for one in self.events(room) if one.get("type") == kind]
            return found if len(found) >= count else None
        return until(f"event {kind} in {room}", look)

    def end(self):
        self.process.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def tone_file(path, hz, rate=8000, seconds=60, amplitude=3000):
    """A mono file of one tone for a phone to speak."""
    samples = array.array(
        "h", (int(amplitude * math.sin(2 * math.pi * hz * at / rate)) for at in range(rate))
    )
    # One second of a whole tone repeats without a seam.
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes() * seconds)


def samples_of(path):
    """Samples and rate of a file, also of one that is still being written."""
    data = pathlib.Path(path).read_bytes()
    at, rate, channels = 12, 8000, 1
    while at + 8 <= len(data):
        name, size = data[at:at + 4], int.from_bytes(data[at + 4:at + 8], "little")
        if name == b"fmt ":
            channels = int.from_bytes(data[at + 10:at + 12], "little")
            rate = int.from_bytes(data[at + 12:at + 16], "little")
        if name == b"data":
            body = data[at + 8:]
            samples = array.array("h", body[: len(body) // (2 * channels) * 2 * channels])
            return samples[::channels], rate
        at += 8 + size + size % 2
    return array.array("h"), rate


def level(samples, rate, hz):
    """The amplitude of one tone (Goertzel)."""
    turn = 2 * math.cos(2 * math.pi * hz / rate)
    one = two = 0.0
    for sample in samples:
        one, two = sample + turn * one - two, one
    power = one * one + two * two - turn * one * two
    return 2 * math.sqrt(max(power, 0)) / max(len(samples), 1)


def heard(path, tones, last_s=None, threshold=400, window_s=0.4):
    """Which tones sound, window by window, in the last seconds of a file."""
    samples, rate = samples_of(path)
    if last_s:
        samples = samples[-int(last_s * rate):]
    size = int(rate * window_s)
    windows = [samples[at:at + size] for at in range(0, len(samples) - size + 1, size)]
    return [frozenset(hz for hz in tones if level(one, rate, hz) > threshold) for one in windows]


def hears(path, tones, expected, patience_s=PATIENCE_S, last_s=2.0):
    """Waits until the end of a file holds just these tones."""
    seen = []
    def look():
        seen[:] = heard(path, tones, last_s)
        return len(seen) >= 4 and all(one == frozenset(expected) for one in seen[-4:])
    try:
        return until(f"{path} with {expected}", look, patience_s)
    except AssertionError as error:
        raise AssertionError(f"{error}; heard {[sorted(one) for one in seen]}") from error


def phases(path, tones):
    """What a file holds one after the other: tones that sound together for 1.2 s at least."""
    runs = []
    for one in heard(path, tones):
        if runs and runs[-1][0] == one:
            runs[-1][1] += 1
        else:
            runs.append([one, 1])
    long = [one for one, windows in runs if windows >= 3]
    return [one for at, one in enumerate(long) if at == 0 or one != long[at - 1]]
