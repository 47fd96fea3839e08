# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 25 inside tunnels, and out of sight of a rule that reads only plain headers: packets that must not pass, and near ones
that must."""
import contextlib
import fcntl
import os
import random
import select
import socket
import struct
import threading

import pytest

from gate_support import SERVERS, gate, gets_out, standing_gate  # noqa: F401
from lab import Capture, Listener, knock, missing

pytestmark = pytest.mark.needs("nft", "tproxy", "nflog", "reject", "fib", "scapy")
BLOCKED = "tunnels { teredo block  6to4 block  6in4 block }"

if not missing("scapy"):
    from lab import packets as p
    from scapy.layers.dns import DNS, DNSQR
    from scapy.layers.inet import IPOption_NOP
    from scapy.layers.inet6 import ICMPv6EchoRequest, PadN
    from scapy.layers.ipsec import AH


@pytest.fixture(scope="module")
def walled(_module_lab, tmp_path_factory):
    """Tunnels refused; home1 blocked, infected shifted, legacy trapped; home2 open, business observed."""
    with standing_gate(_module_lab, tmp_path_factory.mktemp("gate")) as gate:
        gate.apply(SERVERS, BLOCKED, home1="block", infected="shift", legacy="trap", home2="open", business="observe")
        yield _module_lab


def six(lab, dport=25, *headers):
    """The inner packet: a native IPv6 address and a segment to a port, extension headers between them."""
    packet = p.IPv6(src="2001:db8:400::1", dst=lab.mx_org.v6)
    for header in headers:
        packet = packet / header
    return packet / p.TCP(sport=40000, dport=dport, flags="S", seq=random.getrandbits(32))


def pad(size=1):
    """A destination options header of 8 * size bytes."""
    return p.IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(8 * size - 4))])


EXTENSIONS = {
    "none": lambda: [],
    "hop-by-hop": lambda: [p.IPv6ExtHdrHopByHop()],
    "destination": lambda: [pad()],
    "long destination": lambda: [pad(20)],
    "routing": lambda: [p.IPv6ExtHdrRouting(type=4, addresses=["2001:db8:ffff::130"], segleft=0)],
    "destination, hop-by-hop": lambda: [pad(), p.IPv6ExtHdrHopByHop()],
    "three": lambda: [pad(), pad(), pad()],
    "atomic fragment": lambda: [p.IPv6ExtHdrFragment(offset=0, m=0, id=7)],
    "first fragment": lambda: [p.IPv6ExtHdrFragment(offset=0, m=1, id=7)],
    "two atomic fragments": lambda: [p.IPv6ExtHdrFragment(id=7), p.IPv6ExtHdrFragment(id=8)],
    "fragment, destination": lambda: [p.IPv6ExtHdrFragment(id=7), pad()],
    "destination, fragment": lambda: [pad(), p.IPv6ExtHdrFragment(id=7)],
    "destination, authentication": lambda: [pad(), AH(spi=1, seq=1, icv=bytes(12), nh=6)],   # an SA is needed outside
}
TEREDO = {
    "plain": {},
    "origin": dict(origin=("203.0.113.9", 4096)),
    "authentication": dict(authentication=(b"", b"")),
    "authentication, origin": dict(authentication=(b"", b""), origin=("203.0.113.9", 4096)),
}
WRAPS = {
    "6in4": lambda home, there, inner: p.sixinfour(home, there, inner),
    **{f"teredo {name}": lambda home, there, inner, with_=with_: p.teredo(home, there, inner, **with_)
       for name, with_ in TEREDO.items()},
    **{f"teredo to port {port}": lambda home, there, inner, port=port: p.teredo(home, there, inner, dport=port, sport=port + 1)
       for port in (53, 443, 40000)},
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_port_25_in_a_tunnel_is_for_those_whose_port_25_is_open(walled, wrap, extensions):
    def packet(host, dport=25):
        inner = six(walled, dport, *EXTENSIONS[extensions]())
        return WRAPS[wrap](host.v4, walled.mx_org.v4, inner)

    for host in (walled.home1, walled.infected, walled.legacy):
        assert not gets_out(walled, host, packet(host))
    for host in (walled.home2, walled.business):
        assert gets_out(walled, host, packet(host))
    if extensions == "none":
        for dport in (80, 465, 587, 2500, 25 << 8):
            assert gets_out(walled, walled.home1, packet(walled.home1, dport))


@pytest.mark.parametrize("end", ["source", "destination"])
def test_6to4(walled, end):
    def packet(host, dport):
        own, there = p.address_6to4(host.v4), p.address_6to4(walled.mx_org.v4)
        ends = dict(src=own, dst=walled.mx_org.v6) if end == "source" else dict(src="2001:db8:400::1", dst=there)
        return p.sixinfour(host.v4, walled.mx_org.v4, p.syn(dport=dport, **ends))

    assert not gets_out(walled, walled.home1, packet(walled.home1, 25))
    assert gets_out(walled, walled.home1, packet(walled.home1, 80))
    assert gets_out(walled, walled.home2, packet(walled.home2, 25))


def test_real_teredo_addresses(walled):
    mapped = p.address_teredo("203.0.113.130", walled.home1.v4, 3544)
    for dport in (25, 80):
        packet = p.teredo(walled.home1.v4, walled.mx_org.v4, p.syn(mapped, walled.mx_org.v6, dport=dport))
        assert gets_out(walled, walled.home1, packet) == (dport == 80)
        back = p.teredo(walled.home1.v4, walled.mx_org.v4, p.syn(walled.home1.v6, mapped, dport=dport))
        assert gets_out(walled, walled.home1, back) == (dport == 80)


def test_what_looks_a_little_like_it_passes(walled):
    home, there = walled.home1.v4, walled.mx_org.v4
    inner = p.IPv6(src="2001:db8:400::1", dst=walled.mx_org.v6)
    udp = p.IP(src=home, dst=there) / p.UDP(sport=40000, dport=443)
    for packet in (p.sixinfour(home, there, inner / p.UDP(sport=25, dport=25) / (b"x" * 20)),
                   p.sixinfour(home, there, inner / ICMPv6EchoRequest(data=b"y" * 20)),
                   p.sixinfour(home, there, inner / p.TCP(sport=25, dport=40000, flags="SA", seq=random.getrandbits(32))),
                   p.teredo(home, there, inner / p.UDP(sport=1, dport=25) / (b"z" * 20)),
                   p.teredo(home, there, p.IPv6(src="2001:db8:400::1", dst=walled.mx_org.v6, nh=59)),       # a bubble
                   p.teredo(home, there, p.IPv6(src="fe80::1", dst="fe80::2") / ICMPv6EchoRequest(data=b"a" * 20)),
                   p.teredo(home, there, inner / p.IPv6ExtHdrFragment(m=1) / p.UDP(dport=53) / (b"b" * 20)),
                   p.IP(src=home, dst=there) / p.UDP(sport=40000, dport=53) / DNS(id=0x6000, rd=1, qd=DNSQR(qname="example.org")),
                   p.IP(src=home, dst=there) / p.UDP(sport=40000, dport=53) / DNS(id=1, rd=1, qd=DNSQR(qname="example.com")),
                   udp / (b"\x60" + random.randbytes(60)), udp / b"\x60\0\0\0", udp / b"", udp / (b"\x60" + bytes(43))):
        assert gets_out(walled, walled.home1, packet), packet.summary()


def test_ciphertext_passes(walled):
    """A datagram that has all a hidden port would have, but claims to be longer than any packet is."""
    inner = bytearray(bytes(six(walled, 25, pad())))
    for length, passes in ((0xe000, True), (0x0800, True), (0x07ff, False)):
        inner[4:6] = length.to_bytes(2, "big")
        packet = p.IP(src=walled.home1.v4, dst=walled.mx_org.v4) / p.UDP(sport=40000, dport=443) / bytes(inner)
        assert gets_out(walled, walled.home1, packet) == passes


def pieces(packet, size):
    return p.fragment(packet, fragsize=size) if p.IP in packet else p.fragment6(packet, size)


@pytest.mark.parametrize("source", ["6to4", "teredo"])
def test_addresses_of_tunnels_used_without_one(walled, source):
    """The packet leaves plain, the answer would come back through the tunnel."""
    own = p.address_6to4(walled.home1.v4) if source == "6to4" else p.address_teredo("203.0.113.9", walled.home1.v4, 4096)
    assert not gets_out(walled, walled.home1, p.syn(own, walled.mx_org.v6))
    assert gets_out(walled, walled.home1, p.syn(own, walled.mx_org.v6, dport=587))


@pytest.mark.parametrize("source", ["6to4", "teredo"])
def test_mail_from_addresses_of_tunnels_outside_comes_in(walled, source):
    own = p.address_6to4("203.0.113.99") if source == "6to4" else p.address_teredo("203.0.113.9", "203.0.113.99", 4096)
    for host in (walled.home1, walled.servers):
        with Capture(host) as seen:
            assert seen.passed(p.send(walled.outside, p.syn(own, host.v6)), walled.outside)


# --- without a tunnel

@pytest.mark.parametrize("extensions", [name for name in EXTENSIONS if "authentication" not in name])
def test_extension_headers_hide_no_port(walled, extensions):
    def packet(host, dport):
        inner = six(walled, dport, *EXTENSIONS[extensions]())
        inner.src = host.v6
        return inner

    assert not gets_out(walled, walled.home1, packet(walled.home1, 25))
    if extensions != "first fragment":
        # where shift and trap need it the kernel puts pieces together before the door, and waits for the rest
        assert gets_out_somehow(walled, walled.home2, packet(walled.home2, 25))
        assert gets_out_somehow(walled, walled.home1, packet(walled.home1, 80))


def gets_out_somehow(lab, sender, packet):
    """Like gets_out, where the kernel may take a fragment header off: only the segment is looked for."""
    segment = bytes(packet[p.TCP])
    with Capture(lab.outside) as seen:
        p.send(sender, packet)
        seen.settle(sender)
        return any(segment in frame for frame in seen.frames)


class TestPieces:
    """Without shift, divert and trap nothing puts fragments together before the door."""

    @pytest.fixture(autouse=True)
    def only_block(self, gate):
        gate.apply(BLOCKED, home1="block", home2="open")

    def test_honest_pieces_pass(self, lab):
        """A large datagram in pieces as a link makes them."""
        packet = p.IP(src=lab.home1.v4, dst=lab.mx_org.v4) / p.UDP(sport=40000, dport=53) / random.randbytes(4000)
        for piece in p.fragment(packet, fragsize=1480):
            assert gets_out(lab, lab.home1, piece)

    @pytest.mark.parametrize("wrap", ["6in4", "teredo plain", "teredo authentication, origin"])
    def test_a_tunnel_is_refused_at_the_first_piece(self, lab, wrap):
        for size in (8, 16, 40, 48, 56, 64):
            for host, passes in ((lab.home1, False), (lab.home2, True)):
                packet = WRAPS[wrap](host.v4, lab.mx_org.v4, six(lab) / (b"x" * 300))
                assert gets_out(lab, host, pieces(packet, size)[0]) == passes, size

    def test_an_ipv4_header_full_of_options_hides_no_port(self, lab):
        outer = dict(src=lab.home1.v4, dst=lab.mx_org.v4, options=[IPOption_NOP()] * 40)
        for packet in (p.IP(proto=41, **outer) / six(lab), p.IP(**outer) / p.UDP(dport=40000) / bytes(six(lab)),
                       p.IP(**outer) / p.TCP(dport=25, seq=random.getrandbits(32))):
            assert not gets_out(lab, lab.home1, packet)
            assert not gets_out(lab, lab.home1, pieces(packet / (b"x" * 400), 64)[0])

    @pytest.mark.parametrize("size", [8, 16, 24])
    def test_ipv4(self, lab, size):
        for host, passes in ((lab.home1, False), (lab.home2, True)):
            packet = p.syn(host.v4, lab.mx_org.v4) / (b"x" * 64)
            assert gets_out(lab, host, pieces(packet, size)[0]) == passes

    @pytest.mark.parametrize("headers", [0, 1, 2])
    @pytest.mark.parametrize("head", [8, 16, 24, 32])
    def test_ipv6(self, lab, head, headers):
        """The first piece ends before, in or after each of the headers. One that does not reach the ports is nobody's but a
        forger's: hosts that have not heard of RFC 7112 put it together all the same."""
        for host, dport, passes in ((lab.home1, 25, False), (lab.home2, 25, True)):
            hidden = bytes(p.IPv6(src=host.v6, dst=lab.mx_org.v6) / six_payload(headers, dport))[40:]
            piece = p.IPv6(src=host.v6, dst=lab.mx_org.v6) / p.IPv6ExtHdrFragment(nh=60 if headers else 6, m=1, id=9) / hidden[:head]
            assert gets_out(lab, host, piece) == passes

    def test_first_pieces_that_show_another_port_pass_and_so_do_all_later_ones(self, lab):
        home = dict(src=lab.home1.v6, dst=lab.mx_org.v6)
        hidden = bytes(p.IPv6(**home) / p.TCP(dport=80, seq=random.getrandbits(32)) / (b"x" * 64))[40:]
        for offset, size in ((0, 24), (3, 24), (6, 8)):
            piece = p.IPv6(**home) / p.IPv6ExtHdrFragment(nh=6, m=1, offset=offset, id=10) / hidden[offset * 8:offset * 8 + size]
            assert gets_out(lab, lab.home1, piece)
        udp = p.IPv6(**home) / p.IPv6ExtHdrFragment(nh=17, m=1, id=11) / p.UDP(dport=53) / random.randbytes(1200)
        assert gets_out(lab, lab.home1, udp)


def six_payload(headers, dport):
    packet = p.TCP(sport=40000, dport=dport, seq=random.getrandbits(32)) / (b"x" * 64)
    for _ in range(headers):
        packet = pad() / packet
    return packet


# --- answers, counters, and the ways that are left open

def is_prohibited(packet):
    return packet.haslayer("ICMP") and (packet["ICMP"].type, packet["ICMP"].code) == (3, 13)


@pytest.mark.parametrize("wrap, answers", [("teredo plain", 1), ("6in4", 0)])
def test_a_refused_tunnel_is_counted_and_told(gate, lab, wrap, answers):
    """By ICMP; but for protocol 41 the kernel looks in vain for a checksum over it all, and then answers nothing."""
    gate.apply(BLOCKED, home1="block", infected="shift")
    for host in (lab.home1, lab.infected):
        with Capture(host) as seen:
            p.send(host, WRAPS[wrap](host.v4, lab.mx_org.v4, six(lab)))
            seen.settle(lab.outside)
            assert seen.count(is_prohibited) == answers
    row = gate.counter("tunnel", "block")
    assert (row["packets"], row["attempts"]) == (2, 2)
    assert gate.attempts("class-home1", "block") == 0


def test_a_tunnel_of_one_who_is_open_is_not_counted_as_refused(gate, lab):
    gate.apply(BLOCKED, home1="open", home2="observe")
    for host in (lab.home1, lab.home2):
        assert gets_out(lab, host, p.sixinfour(host.v4, lab.mx_org.v4, six(lab)))
    assert gate.packets("tunnel", "block") == 0


@pytest.mark.parametrize("closed", ["teredo", "6to4", "6in4", None])
def test_each_kind_of_tunnel_is_open_unless_closed(gate, lab, closed):
    gate.apply(f"tunnels {{ {closed} block }}" if closed else "", home1="block")
    home, there = lab.home1.v4, lab.mx_org.v4
    kinds = {"teredo": p.teredo(home, there, six(lab)), "6in4": p.sixinfour(home, there, six(lab)),
             "6to4": p.sixinfour(home, there, p.syn(p.address_6to4(home), lab.mx_org.v6))}
    for kind, packet in kinds.items():
        assert gets_out(lab, lab.home1, packet) == (kind != closed)
    assert gets_out(lab, lab.home1, p.syn(p.address_6to4(home), lab.mx_org.v6)) == (closed != "6to4")


class TunnelEnd:
    """A tun interface in a host, whose packets travel inside IPv4 (protocol 41, or UDP from and to one port)."""

    def __init__(self, host, other, address, udp):
        kind, proto = (socket.SOCK_DGRAM, 0) if udp else (socket.SOCK_RAW, 41)
        self._outer, self._peer, self._header = host.socket(socket.AF_INET, kind, proto), (other.v4, udp), 0 if udp else 20
        self._outer.bind((host.v4, udp))
        with host.inside():
            self._tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self._tun, 0x400454CA, struct.pack("16sH", b"tunnel", 0x1001))     # TUNSETIFF, IFF_TUN | IFF_NO_PI
        host.ip("link set tunnel up mtu 1280", f"addr add {address}/64 dev tunnel nodad")
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self):
        while True:
            ready, _, _ = select.select([self._tun, self._outer, self._stop], [], [])
            if self._stop in ready:
                return
            with contextlib.suppress(OSError):                      # an ICMP error, for one
                if self._tun in ready:
                    self._outer.sendto(os.read(self._tun, 2048), self._peer)
                if self._outer in ready:
                    os.write(self._tun, self._outer.recv(2048)[self._header:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._stopped)
        self._thread.join()
        for each in (self._stop, self._tun):
            os.close(each)
        self._outer.close()


@pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="no /dev/net/tun")
@pytest.mark.parametrize("udp", [0, 3544, 45678], ids=["6in4", "teredo", "teredo-to-a-relay"])
def test_a_real_tunnel_carries_mail_for_the_open_and_the_web_for_all(gate, lab, udp):
    gate.apply(BLOCKED, home1="block", home2="open")
    for host in (lab.home1, lab.home2):
        with TunnelEnd(host, lab.outside, "2001:db8:77::2", udp), TunnelEnd(lab.outside, host, "2001:db8:77::1", udp), \
                Listener(lab.outside, 25, addresses=["2001:db8:77::1"]), Listener(lab.outside, 80, addresses=["2001:db8:77::1"]):
            there = dict(address="2001:db8:77::1", source="2001:db8:77::2")
            assert knock(host, port=80, **there).kind == "banner"
            assert (knock(host, port=25, timeout=1, **there).kind == "banner") == (host is lab.home2)


# --- the rule of 2012

def u32_first_word(payload, shift):
    return int.from_bytes(payload[:4], "big") >> shift


def test_the_seeds_rule_cannot_match(lab):
    """By arithmetic: of any 32-bit word that begins with a 6 as 4 bits, >> 26 leaves 24 to 27."""
    for traffic_class in range(256):
        word = (6 << 28 | traffic_class << 20).to_bytes(4, "big")
        assert u32_first_word(word, 28) == 6 and u32_first_word(word, 26) in range(24, 28)


@pytest.mark.needs("iptables")
@pytest.mark.parametrize("shift, matches", [(26, False), (28, True)])
def test_the_seeds_rule_in_iptables(lab, shift, matches):
    rule = f"4&0x3FFF=0 && 0>>22&0x3C@8>>{shift}=6 && 0>>22&0x3C@11&0xFF=6 && 0>>22&0x3C@48&0xFFFF=25,465"
    done = lab.router.run("iptables", "-A", "FORWARD", "-p", "udp", "--dport", "3544", "-m", "u32", "--u32", rule, "-j", "DROP",
                          check=False)
    if done.returncode:
        pytest.skip(f"iptables has no u32 here: {done.stderr.strip()}")
    packet = p.teredo(lab.home1.v4, lab.mx_org.v4, six(lab))
    assert gets_out(lab, lab.home1, packet) != matches
