"""Linphone 5.1.65 (Debian's linphonec) as a phone that speaks a file and keeps what it hears.

It needs a folder for its database: without that its core does not start, and all that it says is
"No listening point".
"""

import subprocess
import time

from world import Process, folder, phases, tone_file, until


class Linphone:
    """One linphonec; its commands go in by its standard input."""

    def __init__(self, server, name, hz, transport="udp", srtp="none", password="wonder"):
        self.name, self.server = name, server
        self.folder = folder()
        (self.folder / ".local/share/linphone").mkdir(parents=True)
        self.kept = self.folder / "heard.wav"
        tone_file(self.folder / "speech.wav", hz)
        port = server.tls if transport == "tls" else server.port
        # Its TLS compares names only, and no addresses.
        host = "localhost" if transport == "tls" else "127.0.0.1"
        self.at = f"{host}:{port};transport={transport}"
        (self.folder / "rc").write_text(
            "[sip]\nsip_port=-1\nsip_tcp_port=-1\nsip_tls_port=-1\nguess_hostname=0\nuse_ipv6=0\n"
            f"default_proxy=0\nroot_ca={server.folder}/cert.pem\nverify_server_certs=1\n"
            f"media_encryption={srtp}\nmedia_encryption_mandatory={int(srtp != 'none')}\n"
            f"[proxy_0]\nreg_proxy=<sip:{self.at}>\nreg_route=<sip:{self.at}>\n"
            f"reg_identity=sip:{name}@127.0.0.1\nreg_expires=120\nreg_sendregister=1\npublish=0\n"
            f"[auth_info_0]\nusername={name}\npasswd={password}\nrealm=convoke\n"
            "[rtp]\naudio_rtp_port=42000-42999\n"
            "[audio_codec_0]\nmime=PCMU\nrate=8000\nchannels=1\nenabled=1\n"
        )
        self.process = Process(
            ["stdbuf", "-o0", "linphonec", "-a", "-c", self.folder / "rc", "-d", "6", "-l",
             self.folder / "log"],
            self.folder / "said", stdin=subprocess.PIPE,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
        )
        until("linphonec's prompt", lambda: "linphonec>" in self.process.said())
        self.do("soundcard use files")
        self.do(f"play {self.folder}/speech.wav")
        self.do(f"record {self.kept}")

    def do(self, command):
        self.process.process.stdin.write(f"{command}\n".encode())
        self.process.process.stdin.flush()

    def call(self, user):
        self.do(f"call sip:{user}@{self.at}")

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def heard(self, tones):
        """Ends the phone; gives what it heard by whom, which it writes at the end only."""
        self.do("terminate")
        time.sleep(0.5)
        self.do("quit")
        self.process.process.wait(10)
        by_hz = {hz: name for name, hz in tones.items()}
        return [{by_hz[hz] for hz in one} for one in phases(self.kept, tones.values())]
