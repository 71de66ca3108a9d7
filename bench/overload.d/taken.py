#!/usr/bin/env python3
"""How long it took, seen on the wire, from each INVITE to the 200 of it: half and 99 % [ms].

Listens on loopback to what goes to and comes from a UDP port, by the kernel's own time stamps: so
neither the caller's lateness nor its clock is in the figures. Ends with its standard input. Needs
root.

    taken.py PORT
"""
import ctypes
import select
import socket
import struct
import sys

PACKET_OUTGOING = 4  # linux/if_packet.h; on loopback each packet is seen going and coming
SO_ATTACH_FILTER = 26
SO_TIMESTAMPNS = 35


def only(port):
    """A classic BPF program: UDP from or to the port that begins with `INVI` or `SIP/`."""
    code = [
        (0x30, 0, 0, 9), (0x15, 0, 8, 17),            # protocol is UDP
        (0xB1, 0, 0, 0),                              # X = bytes of the IP header
        (0x48, 0, 0, 0), (0x15, 2, 0, port),          # from the port,
        (0x48, 0, 0, 2), (0x15, 0, 3, port),          # or to it
        (0x40, 0, 0, 8), (0x15, 2, 0, 0x494E5649),    # INVITE
        (0x15, 1, 0, 0x5349502F),                     # or SIP/2.0
        (0x06, 0, 0, 0), (0x06, 0, 0, 1_024),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in code), len(code)


def opened(port):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    program, steps = only(port)
    kept = ctypes.create_string_buffer(program)
    wire.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", steps, ctypes.addressof(kept)))
    wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else 33, 64 << 20)
    wire.bind(("lo", 0x0800))
    return wire


def listened(wire):
    """(time in ns, payload) of each that passes, until standard input ends."""
    while True:
        ready, _, _ = select.select([wire, sys.stdin], [], [])
        if wire not in ready:
            return
        packet, ancillary, _, address = wire.recvmsg(1_024, 64)
        if address[2] == PACKET_OUTGOING:
            continue
        for _, _, stamp in ancillary:
            seconds, ns = struct.unpack("qq", stamp[:16])
            yield seconds * 1_000_000_000 + ns, packet[(packet[0] & 15) * 4 + 8:]


def header(message, name):
    return message.split(b"\r\n" + name + b": ", 1)[1].split(b"\r\n", 1)[0]


def main():
    came, took_ms = {}, []
    for at, message in list(listened(opened(int(sys.argv[1])))):
        if message.startswith(b"INVITE "):
            # One that is said again has waited since it was said first.
            came.setdefault(header(message, b"Call-ID"), at)
        elif message.startswith(b"SIP/2.0 200 ") and header(message, b"CSeq").endswith(b" INVITE"):
            begun = came.pop(header(message, b"Call-ID"), None)
            if begun is not None:
                took_ms.append((at - begun) / 1e6)
    took_ms.sort()
    if took_ms:
        print(*(f"{took_ms[(len(took_ms) - 1) * percent // 100]:.1f}" for percent in (50, 99)))


if __name__ == "__main__":
    main()
