"""SIPp 3.6.1 with the scenarios that it brings, unmodified."""

import pathlib
import subprocess

from checks import check
from world import Server, folder, free_port

# Where Debian's package keeps the captures that `uac_pcap` looks for in `pcap/`.
CAPTURES = pathlib.Path("/usr/share/sip-tester")


def sipp(server, scenario, *more, address="127.0.0.1"):
    at = folder()
    (at / "pcap").symlink_to(CAPTURES)
    done = subprocess.run(
        ["sipp", f"{address}:{server.port}", "-sn", scenario, "-i", address, "-p", str(free_port()),
         "-mi", address, "-mp", str(free_port()), "-m", "3", "-r", "10", "-nostdin", "-timeout", "60",
         "-trace_err", "-error_file", "surprises", *more],
        cwd=at, capture_output=True, text=True)
    surprises = at / "surprises"
    assert done.returncode == 0, surprises.read_text() if surprises.exists() else done.stdout[-2000:]


@check("sipp")
def sipp_calls():
    """`uac`: calls, is answered, hangs up"""
    sipp(Server(), "uac", "-d", "500")


@check("sipp")
def sipp_plays_a_capture():
    """`uac_pcap`: plays G.711 and keys by RFC 4733 from captures"""
    server = Server()
    sipp(server, "uac_pcap")


@check("sipp")
def sipp_branches():
    """`branchc`: registers, then calls by the answers that it gets"""
    sipp(Server([("ua1", "")], top="[access]\ntrusted = [\"127.0.0.1/32\"]\n"), "branchc")
