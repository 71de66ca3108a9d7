"""Kamailio 5.6.3 as a proxy with Record-Route and Path in front of our server."""

import pathlib
import time

from checks import check
from pjsua_checks import World, word
from world import Process, folder, free_port, until


class Proxied(World):
    """Phones that know the proxy only."""

    def __init__(self):
        super().__init__()
        port, at = free_port(), folder()
        text = (pathlib.Path(__file__).parent / "kamailio.cfg").read_text()
        text = text.replace("SERVERPORT", str(self.server.port)).replace("PORT", str(port))
        (at / "kamailio.cfg").write_text(text)
        self.proxy = Process(
            ["kamailio", "-DD", "-E", "-f", at / "kamailio.cfg", "-Y", at, "-P", at / "pid",
             "-m", "32", "-M", "4"], at / "log")
        hexadecimal = f"0100007F:{port:04X}"
        until("Kamailio", lambda: hexadecimal in pathlib.Path("/proc/net/udp").read_text())
        time.sleep(0.5)
        self.ours, self.server.port = self.server.port, port

    def __exit__(self, kind, *more):
        if kind:
            print(self.proxy.said()[-3000:])
        super().__exit__(kind, *more)


@check("kamailio")
def kamailio_stands_before_us():
    """phones register through it with Path (UDP, TCP), call a room, hear, hold, resume"""
    with Proxied() as world:
        ada, ben = world.phone("ada"), world.phone("ben", transport="tcp")
        assert all(world.server.bindings(name)[0]["path"] for name in ("ada", "ben"))
        one, two = world.call(ada, "room"), world.call(ben, "room")
        world.hear(two, {"ada"})
        one.setHold(word())
        world.server.told("room", "participant.held")
        world.hear(two, set())
        one.hangup(word())
        world.over(one)
        world.server.connected("room", 1)


@check("kamailio")
def kamailio_passes_our_calls():
    """a phone is called through it along its Path, hears, and gets our BYE by the route"""
    with Proxied() as world:
        ada, ben = world.phone("ada"), world.phone("ben", transport="tcp")
        call = world.call(ada, "phone-ben")
        world.phones.until("ben's call", lambda: ben.calls and ben.calls[0].is_up())
        world.hear(call, {"ben"})
        world.hear(ben.calls[0], {"ada"})
        call.hangup(word())
        world.over(ben.calls[0])


@check("kamailio")
def kamailio_passes_transfers():
    """blind transfer through it"""
    with Proxied() as world:
        ada, ben, cleo = world.phone("ada"), world.phone("ben"), world.phone("cleo")
        one, two = world.call(ada, "desk"), world.call(ben, "desk")
        world.hear(two, {"ada"})
        one.xfer(f"sip:phone-cleo@127.0.0.1:{world.server.port}", word())
        world.phones.until("cleo's call", lambda: cleo.calls and cleo.calls[0].is_up())
        world.over(one)
        world.hear(two, {"cleo"})
