# SPDX-License-Identifier: GPL-3.0-or-later
"""What naive gates got wrong in the field, one test a numbered point (0: the errors in the recipes of 2012; 4A: the gate).
Points of the same number in other files of tests are named there."""
import json
import threading

import pytest

from gate_support import (NETWORK, PREFIXES, SERVERS, back_passes, both_families, gate, gets_out, greeted,  # noqa: F401
                          hold, reset_at_once)
from control import ruleset_with_people
from lab import Capture, Listener, knock, mail, missing, wait_for
from lab.sasl import LOGIN

LAB = {"postfix": True}
pytestmark = pytest.mark.needs("nft", "tproxy", "nflog", "reject", "fib", "scapy")
HOME = "class home { port25 block }\n"
V4, V6 = "198.51.100.0/24", "2001:db8:100::/40 delegated 56"

if not missing("scapy"):
    from lab.packets import TCP, address_teredo, flood, send, syn, teredo


def both(check):
    for family in ("v4", "v6"):
        check(family)


# --- 0. the recipes of 2012

def test_0_01_teredo_is_matched_by_version_6_of_4_bits(gate, lab):
    gate.apply("tunnels { teredo block }", home1="block")
    inner = syn(address_teredo("203.0.113.9", lab.home1.v4, 40000), lab.mx_org.v6)
    assert not gets_out(lab, lab.home1, teredo(lab.home1.v4, lab.mx_org.v4, inner))


def test_0_02_teredo_to_a_relays_own_port(gate, lab):
    gate.apply("tunnels { teredo block }", home1="block")
    inner = syn(address_teredo("203.0.113.9", lab.home1.v4, 40000), lab.mx_org.v6)
    assert not gets_out(lab, lab.home1, teredo(lab.home1.v4, lab.mx_org.v4, inner, dport=51413, sport=40000))


@pytest.mark.parametrize("strategy", ["shift", "divert"])
def test_0_03_the_servers_own_deliveries_are_not_turned_back_to_it(gate, lab, strategy):
    gate.load(NETWORK + SERVERS + f"class all {{ port25 {strategy} }}\npool all {{ class all  prefix 203.0.113.0/25, 198.51.100.0/24 }}\n")
    assert mail(lab.home1, lab.submission.v4, 587, recipient=f"loop.{strategy}@example.org", login=LOGIN).kind == "sent"
    assert lab.mta_outside.wait_message(f"loop.{strategy}@example.org").client == lab.mx.v4


def test_0_04_dnat_inside_one_subnet_is_refused_by_check(gate):
    gate.porteiro.policy(NETWORK + f"class home {{ port25 divert }}\npool a {{ class home  prefix {V4} }}\n"
                         "gate { edge dnat 198.51.100.25 }\n")
    assert "hairpin" in gate.run("check", status=1).stderr


def test_0_05_ipv6_has_its_port_redirection_too(gate, lab):
    gate.apply(home1="shift")
    assert mail(lab.home1, lab.mx_org.v6, recipient="six@example.org", login=LOGIN).kind == "sent"


@both_families
def test_0_06_port_465_is_for_customers(gate, lab, family):
    gate.apply(SERVERS, **dict.fromkeys(PREFIXES, "block"))
    there = lab.mx_org.on(family)
    with Listener(lab.outside, 465, addresses=[there]):
        for name in PREFIXES:
            assert knock(lab.hosts[name], there, 465).kind == "banner"


def test_0_10_the_next_holder_of_an_address_inherits_nothing(gate, lab):
    gate.subscriber("guilty", "198.51.100.10/32")
    gate.subscriber("next", "198.51.100.11/32")
    gate.run("quarantine", "add", "guilty", "--level", "mail", "--reason", "bot")
    gate.apply(home1="open", home2="open")
    assert reset_at_once(knock(lab.home1, lab.mx_org.v4)) and greeted(knock(lab.home2, lab.mx_org.v4))
    for who, old, new in (("guilty", "198.51.100.10/32", "198.51.100.12/32"), ("next", "198.51.100.11/32", "198.51.100.10/32"),
                          ("guilty", "198.51.100.12/32", "198.51.100.11/32")):
        gate.run("subscriber", "set", who, "--drop-address", old, "--address", new)
    gate.apply(home1="open", home2="open")
    assert greeted(knock(lab.home1, lab.mx_org.v4)) and reset_at_once(knock(lab.home2, lab.mx_org.v4))


# --- 4A. the gate

def test_4A_01_prefix_in_set_matches_its_middle(gate, lab):
    """In the wide layer, and in the ledger's: a prefix of a length that has no exact set too."""
    gate.load(NETWORK + HOME + f"pool homes {{ class home  prefix {V4}, {V6} }}\n")
    both(lambda family: reset_at_once(knock(lab.home1, lab.mx_org.on(family))) or pytest.fail(family))
    gate.subscriber("many", "198.51.100.8/29", "2001:db8:100:1000::/52", port25="open")
    gate.apply(HOME, f"pool homes {{ class home  prefix {V4}, {V6} }}")
    both(lambda family: greeted(knock(lab.home1, lab.mx_org.on(family))) or pytest.fail(family))
    assert greeted(knock(lab.home1, lab.mx_org.v6, source=str(lab.home1.delegated[2**70])))
    both(lambda family: reset_at_once(knock(lab.infected, lab.mx_org.on(family))) or pytest.fail(family))


def test_4A_01_many_lengths_at_once(gate, lab):
    """More lengths than there are exact sets: the shortest are still enforced, to the last address of each."""
    for number, length in enumerate((32, 31, 30, 29, 28, 27, 26, 25)):
        first = f"10.{number}.0.0/{length}"
        gate.subscriber(f"s{length}", first, port25="block")
    gate.apply(home1="open")
    for number, length in enumerate((32, 31, 30, 29, 28, 27, 26, 25)):
        last = 2 ** (32 - length) - 1
        assert not gets_out(lab, lab.home1, syn(f"10.{number}.0.{last}", lab.mx_org.v4)), length
        assert gets_out(lab, lab.home1, syn(f"10.{number}.0.{last + 1}", lab.mx_org.v4)), length


def test_4A_02_overlaps_are_named_and_neighbours_joined(gate, lab):
    gate.porteiro.policy(NETWORK + HOME + f"pool a {{ class home  prefix {V4} }}\npool b {{ class home  prefix 198.51.100.64/26 }}\n")
    assert "overlaps" in gate.run("apply", status=1).stderr
    halves = ", ".join(f"198.51.100.{n}/28" for n in range(0, 256, 16))
    gate.load(NETWORK + HOME + f"pool a {{ class home  prefix {halves} }}\n"
              "exempt a { prefix 198.51.100.8/29, 198.51.100.10/32, 198.51.100.8/30  until 2099-01-01  owner noc  reason x }\n")
    assert greeted(knock(lab.home1, lab.mx_org.v4))
    assert reset_at_once(knock(lab.infected, lab.mx_org.v4))


def test_4A_03_no_element_fades_with_its_neighbour(gate, lab):
    """Two neighbours whose quarantines end at different times stand apart, and without time-outs of the kernel."""
    for who, address, period in (("a", "198.51.100.10/32", "1s"), ("b", "198.51.100.11/32", "1h")):
        gate.subscriber(who, address)
        gate.run("quarantine", "add", who, "--level", "mail", "--reason", "x", "--for", period)
    gate.apply(home1="open", home2="open")
    for table in json.loads(lab.router.run("nft", "-j", "list", "ruleset").stdout)["nftables"]:
        flags = table.get("set", {}).get("flags", [])
        assert "timeout" not in flags or table["set"]["name"].startswith(("flood", "trial"))
    gate.porteiro.start("duty", "gate")
    wait_for(lambda: greeted(knock(lab.home1, lab.mx_org.v4)), "the end of the quarantine of a")
    assert reset_at_once(knock(lab.home2, lab.mx_org.v4))


def test_4A_04_what_was_joined_can_be_parted(gate, lab):
    both_prefixes = "pool a { class home  prefix 198.51.100.10/32, 198.51.100.11/32 }"
    gate.apply(HOME, both_prefixes)
    assert reset_at_once(knock(lab.home1, lab.mx_org.v4)) and reset_at_once(knock(lab.home2, lab.mx_org.v4))
    gate.apply(HOME, both_prefixes.replace("198.51.100.10/32, ", ""))
    assert greeted(knock(lab.home1, lab.mx_org.v4)) and reset_at_once(knock(lab.home2, lab.mx_org.v4))
    gate.apply(HOME, both_prefixes.replace(", 198.51.100.11/32", ""))
    assert reset_at_once(knock(lab.home1, lab.mx_org.v4)) and greeted(knock(lab.home2, lab.mx_org.v4))


@both_families
def test_4A_05_one_let_out_of_a_blocked_range(gate, lab, family):
    gate.load(NETWORK + HOME + f"pool homes {{ class home  prefix {V4}, {V6} }}\n"
              "exempt a { prefix 198.51.100.10/32, 2001:db8:100:1000::10/128  until 2099-01-01  owner noc  reason x }\n")
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    assert reset_at_once(knock(lab.home2, lab.mx_org.on(family)))
    if family == "v6":
        assert reset_at_once(knock(lab.home1, lab.mx_org.v6, source=str(lab.home1.delegated[0x11])))


@both_families
def test_4A_06_what_is_over_a_limit_is_dropped_too(gate, lab, family):
    gate.apply(infected="block")
    with Capture(lab.outside) as seen:
        sent = flood(lab.infected, [syn(lab.infected.on(family), lab.nobody.on(family)) for _ in range(20)], 0.1)
        seen.settle(lab.home1)
        assert sent > 200 and seen.lost() == 0
        assert seen.count(lambda packet: TCP in packet and packet[TCP].dport == 25) == 0


def test_4A_07_evidence_goes_to_nflog_in_short_pieces(gate, lab):
    """Nothing is written to the kernel's log: each rule that logs names the group and how much of a packet it wants."""
    gate.apply("gate { nflog-group 77 }", home1="block", home2="observe", infected="trap")
    logs = [expression["log"] for item in json.loads(lab.router.run("nft", "-j", "list", "ruleset").stdout)["nftables"]
            for expression in item.get("rule", {}).get("expr", []) if "log" in expression]
    assert len(logs) >= 3
    assert all((log["group"], log["snaplen"]) == (77, 128) and log["queue-threshold"] > 1 for log in logs)


@both_families
def test_4A_08_a_new_block_ends_open_sessions(gate, lab, family):
    """Also where another firewall accepts what is established before and after the door."""
    gate.apply(home1="open")
    lab.router.nft("table inet fw {\n" + "".join(
        f"chain {hook}{name} {{ type filter hook {hook} priority {priority}; ct state established,related accept; }}\n"
        for hook, name, priority in (("prerouting", "early", -160), ("prerouting", "late", -140), ("forward", "", 0))) + "}\n")
    with hold(lab, "home1", family) as held:
        gate.apply(home1="block")
        assert held.probe().kind == "reset"


def test_4A_10_a_policy_that_cannot_be_loaded_changes_nothing(gate, lab):
    gate.apply(home1="block", home2="open")
    before = ruleset_with_people(lab.router)
    gate.porteiro.policy(NETWORK + "class home { port25 open }\npool a { class home  prefix 198.51.100.10/33 }\n")
    gate.run("apply", status=1)
    gate.porteiro.policy(NETWORK)
    gate.run("apply", status=1)
    assert ruleset_with_people(lab.router) == before
    assert reset_at_once(knock(lab.home1, lab.mx_org.v4))


def test_4A_10_there_is_no_open_moment_while_a_policy_is_replaced(gate, lab):
    """Segments of a blocked customer, all the time while policies come and go: none gets out."""
    strategies = [dict(home1="block", home2=other) for other in ("open", "shift", "trap", "block")]
    gate.apply(**strategies[-1])
    segment, done = syn(lab.home1.v4, lab.nobody.v4, flags="A"), threading.Event()

    def storm():
        while not done.is_set():
            flood(lab.home1, [segment], 0.01)

    with Capture(lab.outside) as seen:
        thread = threading.Thread(target=storm)
        thread.start()
        try:
            for each in strategies * 2:
                gate.apply(**each)
        finally:
            done.set()
            thread.join()
        seen.settle(lab.infected)
        assert seen.count(lambda packet: TCP in packet and packet[TCP].dport == 25) == 0
        assert seen.lost() == 0


def test_4A_11_an_unconfirmed_policy_goes_by_itself(gate, lab):
    gate.apply(home1="open")
    gate.porteiro.policy(NETWORK + HOME + "pool a { class home  prefix 198.51.100.10/32 }\n")
    gate.run("apply", "--confirm", "1s")
    assert reset_at_once(knock(lab.home1, lab.mx_org.v4))
    wait_for(lambda: greeted(knock(lab.home1, lab.mx_org.v4)), "the former rules")


@both_families
def test_4A_12_people_are_told_at_once(gate, lab, family):
    gate.apply(home1="block")
    assert reset_at_once(knock(lab.home1, lab.nobody.on(family)))


@both_families
def test_4A_13_only_port_25_and_only_what_may_come_back(gate, lab, family):
    gate.apply(home1="block", home2="open")
    there = lab.mx_org.on(family)
    assert reset_at_once(knock(lab.home1, there)) and greeted(knock(lab.home1, there, 587))
    assert not back_passes(lab, lab.home1, family) and back_passes(lab, lab.home2, family)


@pytest.fixture
def accomplice(lab):
    """A box outside that sends with any address, beside the road to our router."""
    host = lab.hosts.get("accomplice") or lab.host("accomplice")
    if not host.v4:
        lab.link(lab.outside, host)
        lab.outside.sysctl("net.ipv4.ip_forward", 1)
        lab.outside.ip("addr add 192.0.2.129/30 dev accomplice")
        host.ip("addr add 192.0.2.130/30 dev eth0", "route add default via 192.0.2.129")
        host.v4 = "192.0.2.130"
    return host


def test_4A_13_an_accomplice_outside_gets_no_conversation(gate, lab, accomplice):
    """The whole trick of asymmetric senders: a box elsewhere sends in the name of a blocked customer, who tells it what the MX
    answered. A segment out of the window has the MX say its number again, in a plain ACK; and answers out of the blue, 5,000 a
    second, are to keep the gate from resetting what was begun."""
    gate.apply(home1="block")
    noise = [syn("192.0.2.140", lab.home1.v4, dport=1000 + port, sport=25, flags="SA") for port in range(50)]
    done = threading.Event()

    def make_noise():
        while not done.wait(0.05):
            flood(accomplice, noise, 0.002)

    thread = threading.Thread(target=make_noise)
    thread.start()
    try:
        wait_for(lambda: gate.packets("asymmetric", "block") > 1500, "noise")
        with Capture(lab.home1) as told:
            for port in range(40000, 40040):
                opening = dict(src=lab.home1.v4, dst=lab.mx_org.v4, sport=port)
                first = syn(**opening)
                send(accomplice, first)
                send(accomplice, syn(**opening, flags="F"))
                learned = told.collect(until=lambda frame: frame[34:36] == b"\0\x19" and frame[47] == 0x10, timeout=0.01)
                number = int.from_bytes(learned[38:42], "big") if learned else 0
                last = syn(**opening, flags="A")
                last[TCP].seq, last[TCP].ack = first[TCP].seq + 1, number
                send(accomplice, last)
            assert not told.collect(until=lambda frame: b"220 mx" in frame, timeout=0.3)
    finally:
        done.set()
        thread.join()


@both_families
def test_4A_13_spoofed_attempts_are_not_evidence(gate, lab, family):
    """Stopped like all others of that address, and held against nobody."""
    gate.apply(home1="block", home2="open")
    assert not gets_out(lab, lab.home2, syn(lab.home1.on(family), lab.mx_org.on(family)))
    assert gate.attempts("class-home1", "block") == 0 and gate.packets("class-home1", "block") == 1
    assert not gets_out(lab, lab.home1, syn(lab.home1.on(family), lab.mx_org.on(family)))
    assert gate.attempts("class-home1", "block") == 1


@both_families
def test_4A_14_the_isps_own_mx_stays_open_to_customers(gate, lab, family):
    gate.apply(SERVERS, home1="block")
    recipient = f"own.{family}@example.net.br"
    assert mail(lab.home1, lab.mx.on(family), recipient=recipient).kind == "sent"
    assert lab.mta_isp.wait_message(recipient).client == lab.home1.on(family)


def test_4A_16_an_exemption_moves_with_its_subscriber(gate, lab):
    for who, address in (("exempted", "198.51.100.10/32"), ("other", "198.51.100.12/32")):
        gate.subscriber(who, address)
    gate.run("exemption", "add", "exempted", "--until", "2099-01-01", "--owner", "noc", "--reason", "x")
    gate.apply(home1="block", home2="block")
    assert greeted(knock(lab.home1, lab.mx_org.v4)) and reset_at_once(knock(lab.home2, lab.mx_org.v4))
    gate.run("subscriber", "set", "exempted", "--drop-address", "198.51.100.10/32", "--address", "198.51.100.11/32")
    gate.run("subscriber", "set", "other", "--drop-address", "198.51.100.12/32", "--address", "198.51.100.10/32")
    gate.apply(home1="block", home2="block")
    assert reset_at_once(knock(lab.home1, lab.mx_org.v4)) and greeted(knock(lab.home2, lab.mx_org.v4))


def test_4A_17_a_subscriber_is_a_delegated_prefix_and_the_wan_link(gate, lab):
    gate.subscriber("home1", str(lab.home1.delegated), "2001:db8:201:10::/64", port25="block")
    gate.apply(home2="open")
    for source in (lab.home1.v6, str(lab.home1.delegated[-1]), lab.home1.wan6, "2001:db8:201:10:1234:5678:9abc:def0"):
        assert not gets_out(lab, lab.home1, syn(source, lab.mx_org.v6)), source
    assert gets_out(lab, lab.home1, syn("2001:db8:100:0fff::1", lab.mx_org.v6))
    assert gets_out(lab, lab.home1, syn("2001:db8:100:1100::1", lab.mx_org.v6))


def test_4A_18_a_mapped_address_is_the_ipv4_address(gate, lab):
    gate.subscriber("mapped", "::ffff:198.51.100.10/128", port25="block")
    gate.apply(home2="open")
    assert reset_at_once(knock(lab.home1, lab.mx_org.v4))
    words = [gate.run("explain", address).stdout for address in ("198.51.100.10", "::ffff:198.51.100.10", "::ffff:c633:640a")]
    assert words[0] == words[1] == words[2]


def test_4A_19_see_the_tests_of_tunnels(gate, lab):
    """Protocol 41 out of a home line, and the addresses of tunnels at the IPv6 edge: test_gate_tunnels.py has all the forms."""
    gate.apply("tunnels { teredo block  6to4 block  6in4 block }", home1="block")
    assert not gets_out(lab, lab.home1, syn("2002:c633:640a::1", lab.mx_org.v6))


def test_4A_20_a_cgnat_pool_has_its_strategy(gate, lab):
    lab.home1.ip("addr add 100.64.7.9/32 dev eth0")
    lab.router.ip("route add 100.64.0.0/16 dev home1")
    try:
        gate.load(NETWORK + HOME + "pool mobile { class home  prefix 100.64.0.0/16 }\n"
                  "cgnat norte { inside 100.64.0.0/16  outside 192.0.2.128/26 }\n")
        assert reset_at_once(knock(lab.home1, lab.mx_org.v4, source="100.64.7.9"))
        assert greeted(knock(lab.home1, lab.mx_org.v4, source=lab.home1.v4))
    finally:
        lab.router.ip("route del 100.64.0.0/16 dev home1")
        lab.home1.ip("addr del 100.64.7.9/32 dev eth0")


@both_families
def test_4A_21_a_wave_is_cut_by_subscriber_where_a_pool_mixes_classes(gate, lab, family):
    gate.subscriber("home2", **{"class": "firm"})
    gate.load(NETWORK + HOME.replace("block", "open") + "class firm { port25 open }\n" +
              f"pool mixed {{ class home  prefix {V4}, {V6} }}\nwave all {{ from 2026-01-01  pool mixed  port25 block }}\n")
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))
    assert greeted(knock(lab.home2, lab.mx_org.on(family)))


@both_families
def test_4A_23_many_connections_are_no_crime(gate, lab, family):
    gate.apply(home1="open", home2="observe")
    for name in ("home1", "home2"):
        sessions = [hold(lab, name, family) for _ in range(30)]
        assert all(session.probe().kind == "alive" for session in sessions)
        for session in sessions:
            session.close()


# --- 4A.24 (and 9): other firewalls on the box

def fw(hook, priority, rules, policy="accept", kind="filter", family="inet"):
    return f"table {family} fw {{ chain c {{ type {kind} hook {hook} priority {priority}; policy {policy}; {rules} }}\n}}\n"


HARMFUL = {
    "drop": (fw("prerouting", -300, "tcp dport 25 drop;"), "drops port 25 before"),
    "drop among others": (fw("prerouting", -300, "tcp dport { 25, 135-139 } drop;"), "drops port 25 before"),
    "drop by map": (fw("prerouting", -300, "tcp dport vmap { 23 : drop, 25 : drop };"), "drops port 25 before"),
    "drop by a jump": ("table inet fw { chain bad { tcp dport 1-1023 drop; }\n chain c { type filter hook prerouting priority -200; "
                       "iifname home1 jump bad; }\n}\n", "drops port 25 before"),
    "drop of all but": (fw("prerouting", -300, "tcp dport != { 80, 443 } drop;"), "drops port 25 before"),
    "drop by policy": (fw("prerouting", -300, "tcp dport { 80, 443 } accept;", policy="drop"), "drops port 25 before"),
    "reject": (fw("prerouting", -200, "tcp dport smtp reject;"), "drops port 25 before"),
    "drop on ingress": ("table netdev fw { chain c { type filter hook ingress device \"home1\" priority 0; tcp dport 25 drop; }\n}\n",
                        "drops port 25 before"),
    "dnat": (fw("prerouting", -100, "tcp dport 25 dnat ip to 203.0.113.25:587;", kind="nat"), "rewrites the destination"),
    "redirect": (fw("prerouting", -110, "tcp dport 25 redirect to :2500;", kind="nat", family="ip"), "rewrites the destination"),
    "tproxy": (fw("prerouting", -160, "tcp dport 25 meta nfproto ipv4 tproxy ip to 127.0.0.1:99;"), "hands port 25 to a socket"),
    "notrack": (fw("prerouting", -300, "tcp dport 25 notrack;"), "notrack"),
    "input policy": (fw("input", 0, "tcp dport 22 accept;", policy="drop"), "hook input"),
    "input drop": (fw("input", 0, "tcp dport 22 accept; counter drop;"), "hook input"),
    "flowtable": ("table inet fw { flowtable f { hook ingress priority 0; devices = { home1, upstream }; }\n chain c { "
                  "type filter hook forward priority 0; ct state established flow add @f; }\n}\n", "flowtable inet fw f"),
}
HARMLESS = {
    "accept": fw("prerouting", -300, "tcp dport 25 accept;"),
    "accept all": fw("prerouting", -300, "accept;"),
    "drop of another port": fw("prerouting", -300, "tcp dport { 23, 26-1023 } drop;"),
    "drop of udp": fw("prerouting", -300, "udp dport 25 drop; meta l4proto udp drop;"),
    "drop of some sources": fw("prerouting", -300, "ip saddr 10.0.0.0/8 drop; fib saddr . iif oif missing drop;"),
    "drop over a rate": fw("prerouting", -300, "limit rate over 100000/second drop;"),
    "dnat of another port": fw("prerouting", -100, "tcp dport 80 dnat ip to 203.0.113.25:8080;", kind="nat"),
    "masquerade": fw("postrouting", 100, "ip saddr 10.0.0.0/8 masquerade;", kind="nat"),
    "input that lets diverted in": fw("input", 0, "iifname lo accept; tcp dport 22 accept; tcp dport 25 socket transparent 1 accept;",
                                      policy="drop"),
    "forward": fw("forward", 0, "ct state established,related accept; ip saddr { 198.51.100.0/24 } accept;"),
    "notrack of dns": fw("prerouting", -300, "udp dport 53 notrack;"),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_4A_24_what_hurts_is_named(gate, lab, name):
    text, words = HARMFUL[name]
    gate.porteiro.policy(NETWORK + "class a { port25 shift }\nclass b { port25 trap }\n"
                         "pool a { class a  prefix 198.51.100.10/32 }\npool b { class b  prefix 198.51.100.11/32 }\n")
    assert "fw" not in gate.run("check").stderr
    if lab.router.run("nft", "-f", "-", input=text, check=False).returncode:
        pytest.skip(f"this kernel cannot load it: {name}")
    found = [line for line in gate.run("check").stderr.splitlines() if "fw" in line]
    assert len(found) == 1 and words in found[0]


@pytest.mark.parametrize("name", HARMLESS)
def test_4A_24_what_does_not_hurt_is_not_named(gate, lab, name):
    lab.router.nft(HARMLESS[name])
    gate.apply(home1="block", home2="shift", infected="trap", business="open")
    assert "fw" not in gate.run("check").stderr
    assert reset_at_once(knock(lab.home1, lab.mx_org.v4))
    assert greeted(knock(lab.business, lab.mx_org.v4))
    assert greeted(knock(lab.home2, lab.mx_org.v4)) and reset_at_once(knock(lab.home2, lab.mx_com.v4))
    with Listener(lab.router, 2526, role="trap", transparent=True):
        both(lambda family: greeted(knock(lab.infected, lab.mx_org.on(family)), "trap.example.net") or pytest.fail(family))


@pytest.mark.parametrize("name", ["drop by policy", "input policy", "input drop"])
def test_4A_24_what_is_named_does_hurt(gate, lab, name):
    gate.apply(infected="trap")
    with Listener(lab.router, 2526, role="trap", transparent=True):
        assert greeted(knock(lab.infected, lab.mx_org.v4), "trap.example.net")
        lab.router.nft(HARMFUL[name][0])
        assert knock(lab.infected, lab.mx_org.v4, timeout=0.3).kind == "timeout"


@pytest.mark.needs("iptables")
@pytest.mark.parametrize("rule, words", [
    ("-t raw -A PREROUTING -p tcp --dport 25 -j DROP", "drops port 25 before"),
    ("-t nat -A PREROUTING -p tcp --dport 25 -j REDIRECT --to-ports 2500", "rewrites the destination"),
    ("-t nat -A PREROUTING -p tcp --dport 25 -j DNAT --to-destination 203.0.113.25:587", "rewrites the destination"),
    ("-t mangle -A PREROUTING -p tcp --dport 25 -j TPROXY --on-port 99", "hands port 25 to a socket"),
    ("-t raw -A PREROUTING -p tcp -j CT --notrack", "notrack"),
    ("-P INPUT DROP", "hook input"),
    ("-t raw -A PREROUTING -p tcp --dport 24 -j DROP", None),
    ("-t raw -A PREROUTING -p tcp -m multiport --dports 23,24 -j DROP", None),
    ("-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT", None),
])
def test_4A_24_rules_of_iptables(gate, lab, rule, words):
    gate.porteiro.policy(NETWORK + "class a { port25 shift }\nclass b { port25 trap }\n"
                         "pool a { class a  prefix 198.51.100.10/32 }\npool b { class b  prefix 198.51.100.11/32 }\n")
    done = lab.router.run("iptables-nft", *rule.split(), check=False)
    if done.returncode:
        pytest.skip(f"not with this iptables: {done.stderr.strip()}")
    found = [line for line in gate.run("check").stderr.splitlines() if "chain ip " in line]
    assert [words in line for line in found] == ([True] if words else [])


@pytest.mark.needs("iptables")
def test_4A_24_rules_that_nft_cannot_see_are_pointed_at(gate, lab):
    gate.porteiro.policy(NETWORK + HOME + "pool a { class home  prefix 198.51.100.10/32 }\n")
    assert "iptables-legacy" not in gate.run("check").stderr
    done = lab.router.run("iptables-legacy", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "25", "-j", "DROP", check=False)
    if done.returncode:
        pytest.skip(f"no iptables of the old kind here: {done.stderr.strip()}")
    try:
        assert "iptables-legacy-save" in gate.run("check").stderr
    finally:
        lab.router.run("iptables-legacy", "-t", "raw", "-F")


# --- what is not ours

def standing(host):
    """All tables, policy rules and routes of a host, each as text."""
    tables = host.run("nft", "-s", "list", "ruleset").stdout.split("\ntable ")
    rules = [line for six in ("-4", "-6") for line in host.run("ip", six, "rule").stdout.splitlines()]
    routes = [line for six in ("-4", "-6") for line in host.run("ip", six, "route", "show", "table", "all").stdout.splitlines()]
    return ["table " + each.removeprefix("table ").strip() for each in tables if each.strip()], rules, routes


@pytest.mark.parametrize("policy", [dict(home1="trap", home2="shift"), dict(home1="block")], ids=["tproxy and nat", "plain"])
def test_nothing_of_others_is_touched_and_all_of_ours_goes(gate, lab, policy):
    lab.router.nft("table inet porteiro2 { chain c { type filter hook forward priority 0; tcp dport 22 counter accept; }\n}\n"
                   "table ip porteiro { set s { type ipv4_addr; elements = { 192.0.2.1 }; }\n}\n"
                   "table ip nat { chain p { type nat hook postrouting priority 100; ip saddr 10.0.0.0/8 masquerade; }\n}\n")
    lab.router.ip("rule add pref 2400 fwmark 0x2500/0xff00 lookup 2400", "route add 10.9.0.0/16 via 203.0.113.130 table 2400", family="-4")
    before = standing(lab.router)
    gate.apply(**policy)
    gate.apply(**policy, business="observe")
    ours = [[line for line in lines if line not in known] for lines, known in zip(standing(lab.router), before)]
    assert [table.split(" {")[0] for table in ours[0]] == ["table inet porteiro"]
    assert all("lookup 2500" in line for line in ours[1]) and all("table 2500" in line for line in ours[2])
    assert (len(ours[1]), len(ours[2])) == ((2, 2) if "home2" in policy else (0, 0))
    assert all(line in now for lines, now in zip(before, standing(lab.router)) for line in lines)
    gate.run("rollback")
    gate.run("rollback")
    assert standing(lab.router) == before
