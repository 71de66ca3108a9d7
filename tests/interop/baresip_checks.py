"""baresip 1.0.0 (Debian) where tests/real does not try it already: registering, keys.

It knows MD5 only, and takes the first challenge for the only one. It cannot be asked for an attended transfer: that came to its menu later.
"""

import socket
import time

from checks import check
from world import Process, Server, folder, free_port, hears, tone_file, until

TONES = {"ada": 437, "ben": 577}
ROUTES = """
[[routes]]
from = "user"
match = "phone-*"
user = "$1"
[[routes]]
match = "*"
conference = "$1"
"""


class Baresip:
    """One phone; its keys are pressed over a console on UDP."""

    def __init__(self, server, name, transport="udp"):
        self.name, at = name, folder()
        self.at = at
        self.console = free_port()
        tone_file(at / "speech.wav", TONES[name])
        port = server.tls if transport == "tls" else server.port
        self.server_at = f"127.0.0.1:{port}"
        (at / "config").write_text(
            f"sip_listen 127.0.0.1:0\nnet_interface 127.0.0.1\nsip_cafile {server.folder}/cert.pem\n"
            f"audio_source aufile,{at}/speech.wav\naudio_player aubridge,nobody\n"
            "audio_alert aubridge,nobody\nausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\n"
            "auplay_channels 1\nrtp_ports 43000-43999\nrtcp_mux no\n"
            f"snd_path {at}\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\nmodule srtp.so\n"
            "module aufile.so\nmodule aubridge.so\nmodule sndfile.so\nmodule_tmp account.so\n"
            f"module_app menu.so\nmodule cons.so\ncons_listen 127.0.0.1:{self.console}\n"
            "statmode_default off\n")
        (at / "accounts").write_text(
            f"<sip:{name}@{self.server_at};transport={transport}>;auth_user={name};auth_pass=wonder;"
            "regint=60;answermode=auto;audio_codecs=PCMU/8000/1\n")
        self.process = Process(["baresip", "-v", "-s", "-f", at], at / "log")
        server.registered(name)

    def press(self, keys):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(keys.encode(), ("127.0.0.1", self.console))

    def call(self, user):
        self.press(f"/dial sip:{user}@{self.server_at}\n")

    def hears(self, *who):
        [kept] = until(f"{self.name} keeps what it hears", lambda: list(self.at.glob("*-dec.wav")))
        hears(kept, TONES.values(), {TONES[name] for name in who})


@check("baresip")
def baresip_registers_over_streams():
    """registers over TCP and over TLS, calls a room along that connection, hears"""
    server = Server([(name, "") for name in TONES], ROUTES, md5_only=True)
    ada, ben = Baresip(server, "ada", "tcp"), Baresip(server, "ben", "tls")
    assert [server.bindings(name)[0]["transport"] for name in TONES] == ["TCP", "TLS"]
    ada.call("room")
    ben.call("room")
    server.connected("room", 2)
    ada.hears("ben")
    ben.hears("ada")


@check("baresip")
def baresip_is_called():
    """is called along the TLS connection of its registration"""
    server = Server([(name, "") for name in TONES], ROUTES, md5_only=True)
    ada, ben = Baresip(server, "ada"), Baresip(server, "ben", "tls")
    ada.call("phone-ben")
    ada.hears("ben")
    ben.hears("ada")


@check("baresip")
def baresip_presses_keys():
    """keys by RFC 4733: one digit each"""
    server = Server([(name, "") for name in TONES], ROUTES, md5_only=True)
    ada = Baresip(server, "ada")
    ada.call("keys")
    server.connected("keys", 1)
    time.sleep(0.5)
    for key in "159#":
        ada.press(key)
        time.sleep(0.3)
        # The key is let go.
        ada.press("\x04")
        time.sleep(0.2)
    digits = [one["digit"] for one in server.told("keys", "dtmf.received", 4)]
    assert digits == list("159#"), digits
