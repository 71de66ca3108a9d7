"""pjsua 2.15.1 against our server."""

import pjsua2 as pj

from checks import check
from pjsua import Phones
from world import Server, folder, heard, tone_file

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


class World:
    """A server and pjsua's phones, who hear each other by their tones."""

    def __init__(self, users=("ada", "ben", "cleo"), extra=None, more=ROUTES, top=""):
        users = [(name, (extra or {}).get(name, "")) for name in users]
        self.server = Server(users, more, top)
        self.folder = folder()
        self.phones = Phones(self.server, self.folder / "pjsua.log")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        # pjsua's objects end with the process, in no order that it minds.
        if kind:
            print(f"pjsua's log: {self.folder}/pjsua.log; ours:\n{self.server.process.said()[-3000:]}")
        self.server.end()

    def phone(self, name, **how):
        phone = self.phones.phone(name, **how)
        phone.speech, phone.kept = self.folder / f"{name}.wav", self.folder / f"{name}-heard.wav"
        tone_file(phone.speech, TONES[name])
        if how.get("register", True):
            self.phones.until(f"{name} registered", phone.is_registered)
            self.server.registered(name)
        return phone

    def call(self, phone, user):
        call = phone.call(user)
        self.phones.until(f"{phone.name}'s call", lambda: call.is_up() or call.is_over())
        assert call.is_up(), f"{phone.name} got {call.code}"
        return call

    def hear(self, call, who):
        """Waits until a call hears just these."""
        expected = frozenset(TONES[name] for name in who)
        seen = []

        def look():
            seen[:] = heard(call.kept, TONES.values(), 1.7)
            return len(seen) >= 4 and all(one == expected for one in seen[-3:])
        self.phones.run(1.5)
        try:
            self.phones.until(f"{call.phone.name} hears {who}", look)
        except AssertionError as error:
            raise AssertionError(f"{error}: {[sorted(one) for one in seen]}") from error

    def over(self, call):
        self.phones.until(f"{call.phone.name}'s call over", call.is_over)


def word():
    return pj.CallOpParam(True)


@check("pjsua")
def pjsua_registers_and_calls():
    """registers over UDP, TCP and TLS (our certificate checked), calls a room, hears the others; unregisters"""
    with World() as world:
        server = world.server
        phones = [world.phone(name, transport=how)
                  for name, how in [("ada", "udp"), ("ben", "tcp"), ("cleo", "tls")]]
        calls = [world.call(phone, "room") for phone in phones]
        server.connected("room", 3)
        for call in calls:
            world.hear(call, set(TONES) - {call.phone.name})
        for call in calls:
            call.hangup(word())
        server.connected("room", 0)
        for phone in phones:
            phone.setRegistration(False)
        world.phones.until("nobody registered",
                           lambda: not any(server.bindings(name) for name in TONES))


@check("pjsua")
def pjsua_is_refused():
    """with a wrong password is neither registered nor called in"""
    with World() as world:
        phone = world.phones.phone("ada", password="guess")
        world.phones.until("a refusal", lambda: phone.registered)
        assert not phone.registered[0] and phone.registered[1] in (401, 403), phone.registered
        call = phone.call("room")
        world.over(call)
        assert call.code in (401, 403), call.code


@check("pjsua")
def pjsua_is_called():
    """is called by another pjsua (UDP to TLS) and from the API (TCP), both by its registration"""
    with World() as world:
        ada, ben = world.phone("ada"), world.phone("ben", transport="tls")
        cleo = world.phone("cleo", transport="tcp")
        call = world.call(ada, "phone-ben")
        world.phones.until("ben's call", lambda: ben.calls and ben.calls[0].is_up())
        world.hear(call, {"ben"})
        world.hear(ben.calls[0], {"ada"})
        call.hangup(word())
        world.over(ben.calls[0])
        world.call(ada, "desk")
        code, text = world.server.ask(
            "POST", "conferences/desk/parties", {"target": f"sip:phone-cleo@127.0.0.1:{world.server.port}"})
        assert code in (200, 202), (code, text)
        world.phones.until("cleo's call", lambda: cleo.calls and cleo.calls[0].is_up())
        world.hear(cleo.calls[0], {"ada"})
        world.server.ask("DELETE", "conferences/desk")
        world.over(cleo.calls[0])


@check("pjsua")
def pjsua_holds():
    """holds and resumes by re-INVITE (sendonly, sendrecv)"""
    with World() as world:
        one = world.call(world.phone("ada"), "room")
        two = world.call(world.phone("ben"), "room")
        world.hear(two, {"ada"})
        one.setHold(word())
        world.server.told("room", "participant.held")
        world.hear(two, set())
        again = pj.CallOpParam(True)
        again.opt.flag = pj.PJSUA_CALL_UNHOLD
        one.reinvite(again)
        world.server.told("room", "participant.resumed")
        world.hear(two, {"ada"})
        world.hear(one, {"ben"})


@check("pjsua")
def pjsua_transfers():
    """blind transfer of a call in a room to a registered pjsua; NOTIFY tells it 200"""
    with World() as world:
        ada, ben, cleo = world.phone("ada"), world.phone("ben"), world.phone("cleo", transport="tcp")
        one, two = world.call(ada, "desk"), world.call(ben, "desk")
        world.hear(two, {"ada"})
        one.xfer(f"sip:phone-cleo@127.0.0.1:{world.server.port}", word())
        world.phones.until("told of it", lambda: 200 in one.transfer)
        world.phones.until("cleo's call", lambda: cleo.calls and cleo.calls[0].is_up())
        world.over(one)
        world.hear(two, {"cleo"})
        world.hear(cleo.calls[0], {"ben"})


@check("pjsua")
def pjsua_transfers_attended():
    """attended transfer (REFER with Replaces) between its two calls to us: both far ends stay together"""
    with World() as world:
        ada, ben, cleo = world.phone("ada"), world.phone("ben"), world.phone("cleo")
        two, three = world.call(ben, "front"), world.call(cleo, "back")
        one = world.call(ada, "front")
        world.hear(two, {"ada"})
        one.setHold(word())
        world.server.told("front", "participant.held")
        other = world.call(ada, "back")
        world.hear(three, {"ada"})
        one.xferReplaces(other, word())
        world.over(one)
        world.over(other)
        world.hear(two, {"cleo"})
        world.hear(three, {"ben"})


@check("pjsua")
def pjsua_presses_keys():
    """keys by RFC 4733, then by INFO too: one digit each"""
    with World() as world:
        call = world.call(world.phone("ada"), "keys")
        world.phones.run(0.5)
        for method in (pj.PJSUA_DTMF_METHOD_RFC2833, pj.PJSUA_DTMF_METHOD_SIP_INFO):
            send = pj.CallSendDtmfParam()
            send.method, send.duration, send.digits = method, 160, "159#"
            call.sendDtmf(send)
            world.phones.run(2.5)
        digits = [one["digit"] for one in world.server.told("keys", "dtmf.received", 4)]
        assert digits == list("159#"), f"a phone has one way for its keys: {digits}"


@check("pjsua")
def pjsua_presses_keys_by_info():
    """keys by INFO: one digit each"""
    with World() as world:
        call = world.call(world.phone("ada"), "keys")
        send = pj.CallSendDtmfParam()
        send.method, send.duration, send.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, 160, "2580"
        call.sendDtmf(send)
        world.phones.run(2.5)
        digits = [one["digit"] for one in world.server.told("keys", "dtmf.received", 4)]
        assert digits == list("2580"), digits


@check("pjsua")
def pjsua_has_srtp():
    """SRTP by SDES, mandatory (TLS) and optional (UDP: plain); called with it; refused where it is off"""
    with World(extra={"ada": 'srtp = "required"\n', "cleo": 'srtp = "off"\n'}) as world:
        ada, ben = world.phone("ada", srtp="required", transport="tls"), world.phone("ben", srtp="optional")
        one, two = world.call(ada, "room"), world.call(ben, "room")
        world.hear(one, {"ben"})
        world.hear(two, {"ada"})
        for call in one, two:
            call.hangup(word())
            world.over(call)
        ada.calls.clear()
        ada.kept, ben.kept = world.folder / "ada-again.wav", world.folder / "ben-again.wav"
        called = world.call(ben, "phone-ada")
        world.phones.until("ada's call", lambda: ada.calls and ada.calls[0].is_up())
        world.hear(called, {"ada"})
        cleo = world.phone("cleo", srtp="required")
        call = cleo.call("room")
        world.over(call)
        assert call.code == 488, call.code


@check("pjsua")
def pjsua_has_session_timers():
    """session timers always on: it is answered, refreshes, and its call stays"""
    with World() as world:
        one = world.call(world.phone("ada", timers="always"), "room")
        two = world.call(world.phone("ben", timers="always"), "room")
        world.hear(two, {"ada"})
        assert "Session-Expires: 120" in (world.folder / "pjsua.log").read_text()
        again = pj.CallOpParam(True)
        one.update(again)
        world.phones.run(1)
        world.hear(one, {"ben"})


@check("pjsua")
def pjsua_requires_reliable_responses():
    """requires 100rel (RFC 3262) when it calls and when it is called"""
    with World() as world:
        ada, ben = world.phone("ada", reliable=True), world.phone("ben", reliable=True)
        one = world.call(ada, "phone-ben")
        world.phones.until("ben's call", lambda: ben.calls and ben.calls[0].is_up())
        world.hear(one, {"ben"})
