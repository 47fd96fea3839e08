# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a customer's connection to port 25 under each strategy, by real packets on both families."""
import datetime
import json
import random
import socket

import pytest

from gate_support import (NETWORK, PREFIXES, SERVERS, back_passes, both_families, customers, gate, gets_out, greeted,  # noqa: F401
                          hold, reset_at_once)
from lab import Capture, Listener, Session, knock, mail, missing
from lab.sasl import LOGIN

if not missing("scapy"):
    from lab.packets import IP, TCP, flood, send, syn
    from scapy.layers.inet import IPOption_LSRR, IPOption_SSRR
    from scapy.layers.l2 import Dot1Q, Ether

LAB = {"postfix": True}
pytestmark = pytest.mark.needs("nft", "tproxy", "nflog", "reject", "fib", "scapy")
EVERY = ["open", "observe", "shift", "divert", "trap", "block"]


# --- open and observe

@both_families
def test_open_passes(gate, lab, family):
    gate.apply(home1="open", home2="block")
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    assert reset_at_once(knock(lab.home2, lab.mx_org.on(family)))
    assert gate.attempts("class-home1", "open") == 1


@both_families
def test_observe_passes_and_is_counted(gate, lab, family):
    gate.apply(home1="observe", home2="observe")
    for _ in range(3):
        assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    row = gate.counter("class-home1", "observe")
    assert row["attempts"] == 3 and row["packets"] > 9
    assert gate.attempts("class-home2", "observe") == 0


# --- shift

@both_families
def test_shift_asks_for_the_password_at_the_same_host(gate, lab, family):
    gate.apply(home1="shift")
    there, recipient = lab.mx_org.on(family), f"shift.{family}@example.org"
    refused = mail(lab.home1, there, recipient=recipient)
    assert refused.kind == "refused" and "Access denied" in refused.text
    assert mail(lab.home1, there, recipient=recipient, login=LOGIN).kind == "sent"
    message = lab.mta_outside.wait_message(recipient)
    assert (message.user, message.client) == (LOGIN[0], lab.home1.on(family))
    assert gate.attempts("class-home1", "shift") == 2


@both_families
def test_shift_answers_from_port_25(gate, lab, family):
    gate.apply(home1="shift")
    with Capture(lab.home1) as seen:
        assert greeted(knock(lab.home1, lab.mx_org.on(family)))
        assert seen.count(lambda packet: TCP in packet and packet[TCP].sport == 25) >= 3
        assert seen.count(lambda packet: TCP in packet and packet[TCP].sport == 587) == 0


@both_families
def test_shift_to_a_host_without_587_is_refused(gate, lab, family):
    gate.apply(home1="shift", home2="open")
    assert reset_at_once(knock(lab.home1, lab.mx_com.on(family)))
    assert greeted(knock(lab.home2, lab.mx_com.on(family)), "mx2.example.com")


# --- divert and trap

@pytest.mark.parametrize("strategy, port", [("divert", 2525), ("trap", 2526)])
@both_families
def test_divert_and_trap_keep_the_original_destination(gate, lab, family, strategy, port):
    gate.apply(infected=strategy, home1="open")
    wanted = lab.mx_com.on(family)
    with Listener(lab.router, port, role=strategy, transparent=True) as listener:
        assert mail(lab.infected, wanted).kind == "refused"
        talk = listener.wait()
        assert (talk.peer, talk.original, talk.original_port) == (lab.infected.on(family), wanted, 25)
        assert greeted(knock(lab.home1, wanted), "mx2.example.com")
        assert len(listener.conversations) == 1
    assert gate.attempts("class-infected", strategy) == 1


@both_families
def test_divert_and_trap_do_not_mix(gate, lab, family):
    gate.apply(home1="divert", infected="trap")
    with Listener(lab.router, 2525, role="divert", transparent=True), \
            Listener(lab.router, 2526, role="trap", transparent=True):
        assert greeted(knock(lab.home1, lab.mx_org.on(family)), "divert.example.net")
        assert greeted(knock(lab.infected, lab.mx_org.on(family)), "trap.example.net")


@both_families
def test_the_ports_of_the_edge_are_the_policys(gate, lab, family):
    gate.apply("gate { divert-port 3025  trap-port 3026  mark 0x70000/0xf0000  table 77 }", home1="divert", home2="trap")
    with Listener(lab.router, 3025, role="divert", transparent=True), \
            Listener(lab.router, 3026, role="trap", transparent=True):
        assert greeted(knock(lab.home1, lab.mx_org.on(family)), "divert.example.net")
        assert greeted(knock(lab.home2, lab.mx_org.on(family)), "trap.example.net")


@both_families
def test_with_no_edge_divert_and_trap_fail_closed(gate, lab, family):
    gate.apply(home1="divert", home2="trap", infected="open")
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))
    assert reset_at_once(knock(lab.home2, lab.mx_org.on(family)))
    assert greeted(knock(lab.infected, lab.mx_org.on(family)))


@both_families
def test_if_edge_down_open_lets_pass_only_while_it_is_down(gate, lab, family):
    gate.apply("gate { if-edge-down open }", home1="divert", home2="trap", infected="block")
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    assert greeted(knock(lab.home2, lab.mx_org.on(family)))
    assert reset_at_once(knock(lab.infected, lab.mx_org.on(family)))
    with Listener(lab.router, 2525, role="divert", transparent=True):
        assert greeted(knock(lab.home1, lab.mx_org.on(family)), "divert.example.net")


@both_families
def test_the_listeners_cannot_be_called_by_their_port(gate, lab, family):
    gate.apply(home1="divert", home2="open")
    own = {"v4": ["198.51.100.1", "203.0.113.129"], "v6": ["2001:db8:201:10::1", "2001:db8:ffff::1"]}[family]
    with Listener(lab.router, 2525, role="divert", transparent=True) as listener:
        for host in (lab.home1, lab.home2, lab.outside):
            for address in own:
                assert knock(host, address, 2525).kind == "reset"
            assert knock(host, lab.mx.on(family), 2525).kind == "reset"
        assert not listener.conversations


# --- block

@both_families
def test_block_refuses_at_once(gate, lab, family):
    gate.apply(home1="block", home2="open")
    with Capture(lab.outside) as seen:
        assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))
        assert reset_at_once(knock(lab.home1, lab.nobody.on(family)))
        assert seen.count(lambda packet: packet.haslayer("TCP") and packet["TCP"].dport == 25) == 0
    assert greeted(knock(lab.home2, lab.mx_org.on(family)))
    assert gate.attempts("class-home1", "block") == 2


@both_families
def test_a_flood_becomes_silent_drops_and_others_still_get_their_reset(gate, lab, family):
    gate.apply(infected="block", home1="block")
    packets = [syn(lab.infected.on(family), lab.nobody.on(family)) for _ in range(50)]
    with Capture(lab.infected) as seen:
        sent = flood(lab.infected, packets, 0.2)
        assert sent > 500
        assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))
        seen.settle(lab.outside)
        resets = seen.count(lambda packet: TCP in packet and packet[TCP].flags.R)
    assert 40 <= resets <= 60
    assert gate.packets("flood", "drop") == sent - resets
    assert gate.packets("class-infected", "block") == sent


@both_families
def test_what_a_flooder_is_let_through_elsewhere_stays(gate, lab, family):
    gate.apply(infected="block")
    flood(lab.infected, [syn(lab.infected.on(family), lab.nobody.on(family))], 0.05)
    assert greeted(knock(lab.infected, lab.mx_org.on(family), 587))


# --- whatever the strategy

@pytest.mark.parametrize("strategy", EVERY)
@both_families
def test_other_ports_are_never_touched(gate, lab, family, strategy):
    gate.apply("tunnels { teredo block  6to4 block  6in4 block }", home1=strategy)
    there = lab.mx_org.on(family)
    assert greeted(knock(lab.home1, there, 587))
    for port in (24, 26, 465, 2525, 2526, 25 << 8):
        with Listener(lab.outside, port, addresses=[there]):
            assert greeted(knock(lab.home1, there, port), "sink.example.net")


@pytest.mark.parametrize("strategy", EVERY)
@both_families
def test_mail_to_a_customers_own_server_is_never_touched(gate, lab, family, strategy):
    gate.apply(home1=strategy)
    with Listener(lab.home1, 25, addresses=[lab.home1.on(family)]) as listener:
        assert mail(lab.outside, lab.home1.on(family), source=lab.outside.on(family)).kind == "sent"
        assert listener.wait().peer == lab.outside.on(family)


@both_families
def test_customer_to_customer_follows_the_senders_strategy(gate, lab, family):
    gate.apply(home1="block", home2="open", infected="block")
    for sender, receiver, passes in (("home1", "home2", False), ("home2", "home1", True), ("infected", "home1", False)):
        there = lab.hosts[receiver].on(family)
        with Listener(lab.hosts[receiver], 25, addresses=[there]):
            assert (knock(lab.hosts[sender], there).kind == "banner") == passes


@both_families
def test_segments_from_port_25_outside_reach_only_those_who_may_call(gate, lab, family):
    """Asymmetric senders: a box elsewhere sends with a customer's address, the answers come here."""
    gate.apply(home1="open", home2="observe", infected="block", business="shift")
    assert back_passes(lab, lab.home1, family)
    assert back_passes(lab, lab.home2, family)
    assert not back_passes(lab, lab.infected, family)
    assert not back_passes(lab, lab.business, family)
    assert gate.packets("asymmetric", "block") == 2


@pytest.mark.parametrize("strategy", ["divert", "trap"])
@both_families
def test_segments_from_port_25_outside_do_not_reach_who_is_diverted(gate, lab, family, strategy):
    gate.apply(infected=strategy)
    assert not back_passes(lab, lab.infected, family)
    assert gate.packets("asymmetric", "block") == 1


@both_families
def test_no_odd_flags_pass_a_block(gate, lab, family):
    gate.apply(home1="block", home2="open")
    for flags in ("", "A", "F", "FPU", "SF", "SR", "SAFRPU", "EC", "PA"):
        for host, passes in ((lab.home1, False), (lab.home2, True)):
            assert gets_out(lab, host, syn(host.on(family), lab.mx_org.on(family), flags=flags)) == passes, flags


@both_families
def test_no_odd_flags_pass_to_port_25_where_it_is_translated(gate, lab, family):
    """Connection tracking calls some of these invalid, and then nothing is translated."""
    gate.apply(home1="shift")
    with Capture(lab.outside) as seen:
        for flags in ("", "A", "F", "FPU", "SF", "SR", "SAFRPU", "EC", "PA", "S"):
            send(lab.home1, syn(lab.home1.on(family), lab.mx_org.on(family), flags=flags))
        seen.settle(lab.home1)
        assert {packet[TCP].dport for packet in seen.packets() if TCP in packet} == {587}


@both_families
def test_source_port_25_is_no_way_around(gate, lab, family):
    """The segment is read as one to port 25 before it is read as one from port 25."""
    gate.apply(home1="block")
    for sport in (25, 465, 587):
        for flags in ("S", "A", "SA", "F"):
            assert not gets_out(lab, lab.home1, syn(lab.home1.on(family), lab.mx_org.on(family), sport=sport, flags=flags))


@both_families
def test_a_vlan_tag_is_no_way_around(gate, lab, family):
    """Tagged with a priority (0), with another customer's VLAN, or twice."""
    gate.apply(home1="block", home2="open")
    for host in (lab.home1, lab.home2):
        mac = json.loads(lab.router.run("ip", "-j", "link", "show", "dev", host.name).stdout)[0]["address"]
        segment = syn(host.on(family), lab.mx_org.on(family))
        frames = [Ether(dst=mac) / segment, *(Ether(dst=mac) / Dot1Q(vlan=vlan) / segment for vlan in (0, 120)),
                  Ether(dst=mac) / Dot1Q(vlan=0) / Dot1Q(vlan=120) / segment]
        with Capture(lab.outside) as seen, host.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth0", 0))
            for frame in frames:
                wire.send(bytes(frame))
            seen.settle(host)
            arrived = sum(bytes(segment)[-20:] in frame for frame in seen.frames)
        assert (arrived > 0) == (host is lab.home2)


def test_source_routing_is_no_way_around(gate, lab):
    """By way of the router itself, which would be willing."""
    gate.apply(SERVERS, home1="block", home2="open")
    lab.router.sysctl("net.ipv4.conf.all.accept_source_route", 1)
    try:
        for option in (IPOption_LSRR, IPOption_SSRR):
            for host, passes in ((lab.home1, False), (lab.home2, True)):
                segment = IP(src=host.v4, dst="198.51.100.1", options=[option(routers=[lab.mx_org.v4])]) / TCP(dport=25, seq=random.getrandbits(32))
                assert gets_out(lab, host, segment) == passes, option
    finally:
        lab.router.sysctl("net.ipv4.conf.all.accept_source_route", 0)


@both_families
def test_the_routers_own_mail_passes(gate, lab, family):
    gate.apply(**dict.fromkeys(PREFIXES, "block"))
    assert greeted(knock(lab.router, lab.mx_org.on(family)))
    local = {"v4": "127.0.0.1", "v6": "::1"}[family]
    with Listener(lab.router, 25, addresses=[local]):
        assert greeted(knock(lab.router, local), "sink.example.net")


@both_families
def test_the_routers_own_mail_passes_from_an_address_inside_a_pool(gate, lab, family):
    own = {"v4": "198.51.100.1", "v6": "2001:db8:201:10::1"}[family]
    gate.apply("class home { port25 block }",
               "pool all { class home  prefix 198.51.100.0/24, 2001:db8:100::/40, 2001:db8:201::/48 }")
    assert greeted(knock(lab.router, lab.mx_org.on(family), source=own))
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))


# --- sessions that stand when the policy changes

@pytest.mark.parametrize("before", ["open", "observe", "shift", "divert", "trap"])
@both_families
def test_an_open_session_meets_a_new_block_at_its_next_packet(gate, lab, family, before):
    gate.apply(home1=before, home2=before)
    with Listener(lab.router, 2525, role="divert", transparent=True), \
            Listener(lab.router, 2526, role="trap", transparent=True), \
            hold(lab, "home1", family) as held, hold(lab, "home2", family) as kept:
        gate.apply(home1="block", home2=before)
        outcome = held.probe()
        assert (outcome.kind, outcome.stage) == ("reset", "NOOP") and outcome.elapsed < 1
        assert kept.probe().kind == "alive"


@pytest.mark.parametrize("before, after", [("open", "shift"), ("open", "divert"), ("shift", "trap"), ("shift", "divert")])
@both_families
def test_an_open_session_does_not_survive_another_door(gate, lab, family, before, after):
    gate.apply(home1=before)
    with Listener(lab.router, 2525, role="divert", transparent=True), \
            Listener(lab.router, 2526, role="trap", transparent=True), hold(lab, "home1", family) as held:
        gate.apply(home1=after)
        assert held.probe().kind == "reset"


@both_families
def test_a_session_stands_while_the_same_policy_is_applied_again(gate, lab, family):
    strategies = {"home1": "open", "home2": "shift", "infected": "divert"}
    gate.apply(**strategies)
    with Listener(lab.router, 2525, role="divert", transparent=True):
        held = [hold(lab, name, family) for name in strategies]
        for extra in ("", "class other { port25 block }", "server mx { address 203.0.113.25 }"):
            gate.apply(extra, **strategies)
            assert [session.probe().kind for session in held] == ["alive"] * 3
        for session in held:
            session.close()


# --- who it is: waves, pools, interfaces, exemptions

HOMES = "class home { port25 open }\n"
POOL = "pool homes {{ class home  prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56, 2001:db8:201::/48  {} }}\n"


@both_families
def test_a_wave_holds_from_its_date_on(gate, lab, family):
    tomorrow = datetime.date.today() + datetime.timedelta(days=2)
    gate.load(NETWORK + HOMES + POOL.format("") + f"wave next {{ from {tomorrow}  pool homes  port25 block }}\n")
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    gate.load(NETWORK + HOMES + POOL.format("") + "wave now { from 2026-01-01  pool homes  port25 block }\n")
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))
    # what a later date would bring can be read, and changes nothing
    gate.run("plan", "--at", "2025-12-31")
    gate.run("explain", lab.home1.v4, "--at", "2025-12-31")
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))


@both_families
def test_the_latest_wave_wins_and_of_two_the_narrower(gate, lab, family):
    gate.load(NETWORK + HOMES + POOL.format("") + """
        wave all    { from 2026-01-01  class home  port25 block }
        wave second { from 2026-02-01  prefix 198.51.100.10/32, 2001:db8:100:1000::/56  port25 open }
        wave third  { from 2026-02-01  pool homes  prefix 198.51.100.66/32, 2001:db8:100:6600::/56  port25 observe }
        wave fourth { from 2026-02-01  class home  port25 shift }
        """)
    assert greeted(knock(lab.home1, lab.mx_com.on(family)), "mx2.example.com")
    assert greeted(knock(lab.infected, lab.mx_com.on(family)), "mx2.example.com")
    assert gate.attempts("class-home", "observe") == 1
    assert greeted(knock(lab.home2, lab.mx_org.on(family)))     # by way of 587
    assert reset_at_once(knock(lab.home2, lab.mx_com.on(family)))
    assert gate.attempts("class-home", "shift") == 2


@both_families
def test_a_pools_own_port25_yields_only_to_waves_that_name_it(gate, lab, family):
    all_of_class = "wave all { from 2026-01-01  class home  port25 block }\n"
    gate.load(NETWORK + HOMES + POOL.format("port25 observe") + all_of_class)
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    assert gate.attempts("class-home", "observe") == 1
    gate.load(NETWORK + HOMES + POOL.format("port25 observe") + all_of_class.replace("class home", "pool homes"))
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))


@both_families
def test_an_interface_pool_beats_the_prefix_pool(gate, lab, family):
    def both(prefix, interface):
        return gate.load(NETWORK + HOMES + POOL.format(f"port25 {prefix}") +
                         f"pool legacy {{ class home  interface vlan120  port25 {interface} }}\n")

    both("block", "open")
    assert greeted(knock(lab.legacy, lab.mx_org.on(family)))
    assert back_passes(lab, lab.legacy, family)
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))
    both("open", "block")
    assert reset_at_once(knock(lab.legacy, lab.mx_org.on(family)))
    assert not back_passes(lab, lab.legacy, family)
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))


@both_families
def test_behind_an_interface_pool_no_address_helps(gate, lab, family):
    gate.load(NETWORK + HOMES + POOL.format("") + "pool legacy { class home  interface vlan120  port25 block }\n")
    for source in (lab.home1.on(family), lab.mx_com.on(family), lab.nobody.on(family)):
        assert not gets_out(lab, lab.legacy, syn(source, lab.mx_org.on(family)), marker=lab.home1)


@both_families
def test_exemption_by_prefix(gate, lab, family):
    exempt = "exempt till { prefix 198.51.100.10/32, 2001:db8:100:1000::/56  until %s  owner noc  reason x }"
    gate.apply(exempt % "2099-12-31", home1="block", home2="block")
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    assert back_passes(lab, lab.home1, family)
    assert gate.attempts("exempt", "open") == 1
    assert reset_at_once(knock(lab.home2, lab.mx_org.on(family)))
    gate.apply(exempt % "2026-01-31", home1="block", home2="block")
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))


@both_families
def test_exemption_by_subscriber(gate, lab, family):
    gate.subscriber("home1")
    gate.subscriber("home2")
    exempt = "exempt till { subscriber home1  until %s  owner noc  reason x }"
    gate.apply(exempt % "2099-12-31", home1="block", home2="block")
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    assert gate.attempts("exempt", "open") == 1
    assert back_passes(lab, lab.home1, family)
    assert reset_at_once(knock(lab.home2, lab.mx_org.on(family)))
    gate.apply(exempt % "2026-01-31", home1="block", home2="block")
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))


@both_families
def test_one_customer_can_differ_from_the_pool(gate, lab, family):
    gate.subscriber("home1", port25="open")
    gate.subscriber("home2", port25="shift")
    gate.subscriber("infected", port25="block")
    gate.apply("class home { port25 block }", "class plus { port25 observe }", POOL.format(""))
    assert greeted(knock(lab.home1, lab.mx_com.on(family)), "mx2.example.com")
    assert back_passes(lab, lab.home1, family)
    assert greeted(knock(lab.home2, lab.mx_org.on(family)))
    assert reset_at_once(knock(lab.home2, lab.mx_com.on(family)))
    assert reset_at_once(knock(lab.infected, lab.mx_org.on(family)))
    assert not back_passes(lab, lab.infected, family)
    assert [gate.attempts("own", each) for each in ("open", "shift", "block")] == [1, 2, 1]


@both_families
def test_a_customers_own_class_beats_the_pools(gate, lab, family):
    gate.subscriber("home1", **{"class": "plus"})
    gate.apply("class home { port25 block }", "class plus { port25 open }", POOL.format(""))
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    assert reset_at_once(knock(lab.home2, lab.mx_org.on(family)))


def test_two_pools_of_one_class_and_two_classes_side_by_side(gate, lab):
    gate.load(NETWORK + """
        class home { port25 block }
        class firm { port25 open }
        pool a { class home  prefix 198.51.100.0/25, 2001:db8:100:1000::/52 }
        pool b { class firm  prefix 192.0.2.0/24, 2001:db8:200::/48 }
        """)
    for family in ("v4", "v6"):
        assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))
        assert greeted(knock(lab.business, lab.mx_org.on(family)))
    assert reset_at_once(knock(lab.infected, lab.mx_org.v4))
    assert greeted(knock(lab.infected, lab.mx_org.v6))      # its /56 is in no pool


def test_who_is_in_no_pool_is_not_touched(gate, lab):
    gate.apply(SERVERS, home1="block")
    for family in ("v4", "v6"):
        for name in ("home2", "business", "legacy", "servers"):
            assert greeted(knock(lab.hosts[name], lab.mx_org.on(family)))


def test_a_wide_network_of_the_whole_world_is_not_needed(gate, lab):
    """customers() of this file and the lab agree on who is who."""
    gate.load(NETWORK + customers(**dict.fromkeys(PREFIXES, "block")))
    for family in ("v4", "v6"):
        for name in PREFIXES:
            assert reset_at_once(knock(lab.hosts[name], lab.mx_org.on(family)))
    assert reset_at_once(knock(lab.home1, lab.mx_org.v6, source=lab.home1.wan6))


def test_a_session_from_every_corner_of_a_delegated_prefix(gate, lab):
    gate.apply(home1="block", home2="open")
    for at in (0x10, -1, 2**64, 2**71 + 12345):
        assert reset_at_once(knock(lab.home1, lab.mx_org.v6, source=str(lab.home1.delegated[at])))
        with Session(lab.home2, lab.mx_org.v6, source=str(lab.home2.delegated[at])) as session:
            assert session.banner.startswith("220 mx.example.org")
