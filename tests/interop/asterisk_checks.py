"""Asterisk 22 (Debian sid, installed by bench/asterisk) as the gateway to the telephone network."""

import os
import pathlib
import shutil
import subprocess
import time

from checks import check
from pjsua_checks import World, word
from world import Process, free_port, heard, until

SID = pathlib.Path(os.environ.get("PEERS_HOME", "/var/tmp/convoke-peers")) / "sid"
MILLIWATT_HZ = 1004
PASSWORD = "gateway-secret"

MODULES = """
res_timing_timerfd res_pjproject res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjsip
res_pjsip_pubsub res_pjsip_session res_pjsip_sdp_rtp res_pjsip_caller_id res_pjsip_nat
res_pjsip_rfc3326 res_pjsip_dtmf_info res_pjsip_authenticator_digest res_pjsip_registrar
res_pjsip_outbound_authenticator_digest res_pjsip_endpoint_identifier_user
res_pjsip_endpoint_identifier_ip res_pjsip_refer res_pjsip_logger chan_pjsip res_rtp_asterisk
res_srtp codec_ulaw codec_alaw codec_resample format_wav format_pcm bridge_simple pbx_config
app_milliwatt app_record app_senddtmf app_transfer app_dial app_echo app_system app_verbose
res_clioriginate func_channel
"""

EXTENSIONS = """
[gateway]
exten => 0100,1,Answer()
 same => n,Milliwatt()
exten => 0101,1,Progress()
 same => n,Wait(1)
 same => n,Answer()
 same => n,Record(/convoke-gateway/heard.wav,0,20,kxq)
exten => 0486,1,Hangup(17)
exten => transfer,1,Wait(1)
 same => n,Transfer(PJSIP/sip:other@127.0.0.1:{port})
"""


class Gateway:
    """An Asterisk that knows our server as `convoke`."""

    def __init__(self, server_port, port, more=""):
        self.at = SID / "convoke-gateway"
        shutil.rmtree(self.at, ignore_errors=True)
        shutil.copytree(SID / "etc/asterisk", self.at, symlinks=True)
        (self.at / "modules.conf").write_text(
            "[modules]\nautoload = no\n" + "".join(f"load = {one}.so\n" for one in MODULES.split()))
        (self.at / "asterisk.conf").write_text(
            "[directories]\nastetcdir => /convoke-gateway\nastrundir => /convoke-gateway\n"
            "astdbdir => /convoke-gateway\n[options]\nverbose = 5\ndumpcore = no\n")
        (self.at / "rtp.conf").write_text("[general]\nrtpstart = 12000\nrtpend = 12999\n")
        (self.at / "extensions.conf").write_text(EXTENSIONS.format(port=server_port))
        (self.at / "pjsip.conf").write_text(
            "[global]\ntype = global\nendpoint_identifier_order = ip\ndebug = yes\n"
            f"[udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{port}\n"
            "[convoke]\ntype = endpoint\ncontext = gateway\ndisallow = all\nallow = ulaw\n"
            "aors = convoke\nauth = convoke\ndirect_media = no\nsend_pai = yes\n"
            f"media_address = 127.0.0.1\n{more}\n"
            "[convoke]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\nminimum_expiration = 60\n"
            f"[convoke]\ntype = auth\nauth_type = userpass\nusername = convoke\npassword = {PASSWORD}\n"
            "[convoke]\ntype = identify\nendpoint = convoke\nmatch = 127.0.0.1\n")
        self.process = Process(
            ["chroot", SID, "/usr/sbin/asterisk", "-f", "-vvv", "-C", "/convoke-gateway/asterisk.conf"],
            pathlib.Path(self.at / "said"))
        until("Asterisk", lambda: "Fully booted" in self.cli("core show uptime") or
              "System uptime" in self.cli("core show uptime"), 30)

    def cli(self, command):
        done = subprocess.run(
            ["chroot", SID, "/usr/sbin/asterisk", "-C", "/convoke-gateway/asterisk.conf", "-rx", command],
            capture_output=True, text=True)
        return done.stdout

    def calls(self, room, how):
        self.cli(f"channel originate PJSIP/{room}@convoke {how}")


class Town(World):
    """Our server with pjsua's phones on one side and the gateway on the other."""

    def __init__(self, asterisk="", trunk="", top=""):
        os.environ["GATEWAY_PASSWORD"] = PASSWORD
        port = free_port()
        super().__init__(top=top, more=f"""
[trunks.gateway]
sources = ["127.0.0.1/32"]
source_port = {port}
proxy = "sip:127.0.0.1:{port}"
outbound = [["+49%", "0$1"]]
account = {{ user = "convoke", password_env = "GATEWAY_PASSWORD", realm = "asterisk" }}
register_s = 120
probe_s = 5
{trunk}
[[routes]]
match = "0%"
number = "+49$1"
trunks = ["gateway"]
[[routes]]
from = "user"
match = "phone-*"
user = "$1"
[[routes]]
match = "*"
conference = "$1"
""")
        # Until the gateway is there our registration fails, and is tried again after a minute.
        self.server.process.end()
        self.gateway = Gateway(self.server.port, port, asterisk)
        self.server.process = Process(self.server.words, self.server.folder / "log")
        until("the server's welcome", self.server.is_ready)
        until("our registration", lambda: self.server.get("trunks")[0]["registration"] == "registered")

    def __exit__(self, kind, *more):
        if kind:
            print(self.gateway.process.said()[-6000:])
        super().__exit__(kind, *more)

    def hears_milliwatt(self, call, patience_s=15):
        def look():
            seen = heard(call.kept, [MILLIWATT_HZ], 1.7)
            return len(seen) >= 4 and all(seen[-3:])
        self.phones.until(f"{call.phone.name} hears the gateway", look, patience_s)


@check("asterisk")
def asterisk_is_called():
    """we register with it, call by it with digest, both hear; a busy number ends the call"""
    with Town() as town:
        ada = town.phone("ada")
        town.hears_milliwatt(town.call(ada, "0100"))
        ben = town.phone("ben")
        call = town.call(ben, "0101")
        town.phones.run(4)
        call.hangup(word())
        town.over(call)
        until("its recording", lambda: 577 in set().union(*heard(town.gateway.at / "heard.wav", [577])))
        # Whoever calls a number is answered before it is, and hung up on when it is busy.
        busy = town.phone("cleo").call("0486")
        town.over(busy)


@check("asterisk")
def asterisk_calls():
    """calls in by our registration with it: its caller comes into a room and is heard; keys by RFC 4733"""
    with Town() as town:
        call = town.call(town.phone("ada"), "desk")
        town.gateway.calls("desk", "application Milliwatt")
        town.server.connected("desk", 2)
        town.hears_milliwatt(call)
        # Somebody stays there, so that the conference does too.
        town.call(town.phone("ben"), "keys")
        town.gateway.calls("keys", "application SendDTMF 159#")
        digits = [one["digit"] for one in town.server.told("keys", "dtmf.received", 4)]
        assert digits == list("159#"), digits


@check("asterisk")
def asterisk_transfers():
    """blind transfer by Asterisk (REFER) into another room of ours"""
    with Town() as town:
        call = town.call(town.phone("ada"), "other")
        town.gateway.calls("desk", "extension transfer@gateway")
        town.server.connected("desk", 1)
        town.server.connected("other", 2)
        until("Asterisk's own call is over", lambda: "0 active calls" in town.gateway.cli("core show calls"))
        assert call.is_up()


@check("asterisk")
def asterisk_is_transferred_to():
    """a phone's blind transfer to a number: Asterisk takes its place"""
    with Town() as town:
        one, two = (town.call(town.phone(name), "desk") for name in ("ada", "ben"))
        town.server.connected("desk", 2)
        one.xfer(f"sip:0100@127.0.0.1:{town.server.port}", word())
        town.over(one)
        town.hears_milliwatt(two)


@check("asterisk")
def asterisk_requires_reliable_responses():
    """requires 100rel (PRACK) both ways"""
    with Town("100rel = required") as town:
        ada = town.phone("ada")
        call = town.call(ada, "0101")
        assert "PRACK" in town.gateway.process.said()
        call.hangup(word())
        town.over(call)
        call = town.call(ada, "desk")
        town.gateway.calls("desk", "application Milliwatt")
        town.hears_milliwatt(call)


@check("asterisk")
def asterisk_requires_session_timers():
    """requires session timers of 90 s both ways: both calls are refreshed after 45 s and stay"""
    with Town("timers = required\ntimers_sess_expires = 90") as town:
        out = town.call(town.phone("ada"), "0100")
        call = town.call(town.phone("ben"), "desk")
        town.gateway.calls("desk", "application Milliwatt")
        town.hears_milliwatt(call)
        said = len(town.gateway.process.said())
        town.phones.run(55)
        later = town.gateway.process.said()[said:]
        assert "Session-Expires: 90" in later, "no refresh"
        town.hears_milliwatt(out)
        town.hears_milliwatt(call)


@check("asterisk")
def asterisk_has_srtp():
    """SRTP by SDES required on both sides, both ways; keys by UDP are allowed"""
    keys = 'srtp_keys = "any"\n'
    with Town("media_encryption = sdes", 'srtp = "required"', keys) as town:
        ada = town.phone("ada")
        town.hears_milliwatt(town.call(ada, "0100"))
        call = town.call(town.phone("ben"), "desk")
        town.gateway.calls("desk", "application Milliwatt")
        town.hears_milliwatt(call)
