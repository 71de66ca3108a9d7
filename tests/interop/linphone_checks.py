"""Linphone 5.1.65 against our server."""

import time

from checks import check
from linphone import Linphone
from world import Server

TONES = {"ada": 437, "ben": 577, "cleo": 727}
ROUTES = """
[[routes]]
from = "user"
match = "phone-*"
user = "$1"
[[routes]]
match = "*"
conference = "$1"
"""


def world(extra="", top=""):
    return Server([(name, extra) for name in TONES], ROUTES, top)


def phone(server, name, **how):
    one = Linphone(server, name, TONES[name], **how)
    server.registered(name)
    return one


def assert_heard(one, *phases):
    """In this order, with silence and moments of change between."""
    heard = [who for who in one.heard(TONES) if who]
    assert heard == [set(who) for who in phases], f"{one.name} heard {heard}"


@check("linphone")
def linphone_registers_and_calls():
    """registers over UDP, TCP and TLS (our certificate checked), calls a room, hears the others"""
    server = world()
    phones = [phone(server, name, transport=how)
              for name, how in [("ada", "udp"), ("ben", "tcp"), ("cleo", "tls")]]
    for one in phones:
        one.call("room")
    server.connected("room", 3)
    time.sleep(4)
    for one in phones:
        others = set(TONES) - {one.name}
        heard = one.heard(TONES)
        assert others in heard and not any(one.name in who for who in heard), f"{one.name}: {heard}"
    server.connected("room", 0)


@check("linphone")
def linphone_is_called():
    """is called by another Linphone by its registration, answers, both hear; hangs up"""
    server = world()
    ada, ben = phone(server, "ada"), phone(server, "ben", transport="tcp")
    ada.call("phone-ben")
    time.sleep(5)
    assert_heard(ben, ["ada"])
    assert_heard(ada, ["ben"])
    assert server.metric("convoke_conferences") == 0


@check("linphone")
def linphone_holds():
    """holds and resumes a call"""
    server = world()
    ada, ben = phone(server, "ada"), phone(server, "ben")
    ada.call("room")
    ben.call("room")
    server.connected("room", 2)
    time.sleep(3)
    ada.do("pause")
    server.told("room", "participant.held")
    time.sleep(3)
    ada.do("resume 1")
    server.told("room", "participant.resumed")
    time.sleep(3)
    heard = ben.heard(TONES)
    assert [{"ada"}, set(), {"ada"}] == heard[-3:], heard


@check("linphone")
def linphone_transfers():
    """blind transfer of a call in a room to a registered Linphone"""
    server = world()
    ada, ben, cleo = (phone(server, name) for name in TONES)
    ada.call("desk")
    ben.call("desk")
    server.connected("desk", 2)
    time.sleep(3)
    ada.do(f"transfer sip:phone-cleo@127.0.0.1:{server.port}")
    server.told("desk", "transfer.completed")
    time.sleep(3)
    assert_heard(ben, ["ada"], ["cleo"])
    assert_heard(cleo, ["ben"])


@check("linphone")
def linphone_transfers_attended():
    """attended transfer (REFER with Replaces) between its two calls to us"""
    server = world()
    ada, ben, cleo = (phone(server, name) for name in TONES)
    ada.call("front")
    ben.call("front")
    cleo.call("back")
    server.connected("front", 2)
    time.sleep(3)
    ada.do("pause")
    server.told("front", "participant.held")
    ada.call("back")
    server.connected("back", 2)
    time.sleep(3)
    ada.do("transfer 1 --to-call 2")
    server.told("front", "transfer.completed")
    time.sleep(4)
    assert_heard(ben, ["ada"], ["cleo"])
    assert_heard(cleo, ["ada"], ["ben"])


@check("linphone")
def linphone_presses_keys():
    """keys by RFC 4733: one digit each"""
    server = world()
    ada = phone(server, "ada")
    ada.call("keys")
    server.connected("keys", 1)
    time.sleep(1)
    for digit in "159#":
        ada.do(digit)
        time.sleep(0.5)
    digits = [one["digit"] for one in server.told("keys", "dtmf.received", 4)]
    assert digits == list("159#"), digits


@check("linphone")
def linphone_has_srtp():
    """SRTP by SDES, mandatory, over UDP and TLS"""
    server = world('srtp = "required"\n', 'srtp_keys = "any"\n')
    ada = phone(server, "ada", srtp="srtp", transport="tls")
    ben = phone(server, "ben", srtp="srtp")
    ada.call("room")
    ben.call("room")
    server.connected("room", 2)
    time.sleep(3)
    for one, other in (ben, "ada"), (ada, "ben"):
        heard = [who for who in one.heard(TONES) if who]
        assert heard == [{other}], f"{one.name}: {heard}"


@check("linphone")
def linphone_is_called_with_srtp():
    """is called with SRTP where it is required, its keys by TLS as is usual"""
    server = world('srtp = "required"\n')
    ada, ben = (phone(server, name, srtp="srtp", transport="tls") for name in ("ada", "ben"))
    ben.call("phone-ada")
    time.sleep(5)
    assert_heard(ada, ["ben"])
    assert_heard(ben, ["ada"])
