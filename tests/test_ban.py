# SPDX-License-Identifier: GPL-3.0-or-later
"""Bans: an outsider who guesses passwords reaches no server of ours, and nothing else of his is touched."""
import ipaddress
import time

import pytest

from control import duties, kill
from gate_support import NETWORK, SERVERS, both_families, customers
from lab import Capture, Listener, knock, missing, wait_for

if not missing("scapy"):
    from lab.packets import send, syn

pytestmark = pytest.mark.needs("nft", "tproxy", "nflog", "reject", "fib")

POLICY = NETWORK + SERVERS + customers(home1="block", business="open") + """
cgnat norte { from 2026-01-01  inside 100.64.0.0/16  outside 203.0.113.160/28  ports 1024-65535  block 512 }
never-ban { prefix 203.0.113.176/28 }
"""
PORTS = (25, 465, 587)
# Where the router itself may be asked for.
NEAR = {"v4": "203.0.113.30", "v6": "2001:db8:b01a:70da::1"}


@pytest.fixture
def box(lab, porteiro):
    """Keeper and gate at work in the router; servers of ours, of the router and of a customer listen."""
    porteiro = porteiro.at(lab.router)
    porteiro.lab, porteiro.duties = lab, duties(porteiro)
    porteiro.policy(POLICY)
    porteiro.run("apply")
    listeners = [Listener(host, port, addresses=addresses) for host, addresses in places(lab) for port in PORTS]
    yield porteiro
    for each in listeners:
        each.close()


def places(lab):
    return ((lab.servers, [lab.submission.v4, lab.submission.v6]), (lab.router, list(NEAR.values())),
            (lab.business, [lab.business.v4, lab.business.v6]), (lab.outside, list(sources(lab, "v4"))))


def targets(box, family):
    """Our server, the router itself, and a customer's own server."""
    return box.lab.submission.on(family), NEAR[family], box.lab.business.on(family)


def reaches(box, source, place, port=587, timeout=0.6):
    return knock(box.lab.outside, place, port, source=source, timeout=timeout).kind == "banner"


def ban(box, prefix, *words, **options):
    return box.run("ban", "add", prefix, "--reason", "guessing", *words, **options)


def shut(box, source, place, what=True):
    wait_for(lambda: reaches(box, source, place) != what, f"{source} to be {'shut out' if what else 'let in'}")


def sources(lab, family):
    """One to be banned, and one beside him."""
    return lab.mx_org.on(family), lab.mx_com.on(family)


@both_families
def test_a_banned_host_reaches_none_of_our_servers(box, family):
    guesser, other = sources(box.lab, family)
    server, router, customer = targets(box, family)
    ban(box, guesser)
    shut(box, guesser, server)
    for port in PORTS:
        assert not reaches(box, guesser, server, port) and not reaches(box, guesser, router, port), port
        assert reaches(box, guesser, customer, port), port
        for place in (server, router, customer):
            assert reaches(box, other, place, port), (place, port)
    assert not reaches(box, guesser, server, 25)
    [row] = [row for row in box.json("counters")["counters"] if row["who"] == "banned"]
    assert row["attempts"] >= 6 and row["packets"] >= row["attempts"]
    [answer] = box.json("explain", guesser)["answers"]
    assert answer["strategy"].startswith("banned") and "guessing" in answer["steps"][1]["text"]
    box.run("ban", "remove", guesser, "--reason", "a partner")
    shut(box, guesser, server, False)
    assert all(reaches(box, guesser, server, port) for port in PORTS)
    assert not [step for answer in box.json("explain", guesser)["answers"] for step in answer["steps"] if step["what"] == "ban"]


def test_other_services_of_the_server_are_not_touched(box):
    guesser = box.lab.mx_org.v4
    ban(box, guesser)
    shut(box, guesser, box.lab.submission.v4)
    with Listener(box.lab.servers, 8080, addresses=[box.lab.submission.v4]):
        assert reaches(box, guesser, box.lab.submission.v4, 8080)
    # and our server still delivers to him
    assert knock(box.lab.servers, guesser, 25, source=box.lab.submission.v4, timeout=2).kind == "banner"


def test_every_length(box):
    lab = box.lab
    six = ipaddress.ip_address(lab.mx_org.v6)
    for prefix, family in (("203.0.113.0/24", None), (lab.mx_org.v4, "v4"),
                           *((str(ipaddress.ip_network(f"{six}/{n}", strict=False)), "v6")
                             for n in (128, 64, 56, 48))):
        if family is None:                       # our own servers are in it
            assert "own server" in ban(box, prefix, status=1).stderr
            continue
        ban(box, prefix)
        shut(box, lab.mx_org.on(family), lab.submission.on(family))
        box.run("ban", "release", prefix, "--reason", "x")
        shut(box, lab.mx_org.on(family), lab.submission.on(family), False)


@both_families
def test_source_port_25_is_no_way_around(box, family):
    lab = box.lab
    guesser, other = sources(lab, family)
    ban(box, guesser)
    shut(box, guesser, lab.submission.on(family))
    for port in PORTS:
        for source in (guesser, other):
            with Capture(lab.servers) as seen:
                sent = send(lab.outside, syn(source, lab.submission.on(family), dport=port, sport=25))
                assert seen.passed(sent, lab.outside) == (source == other), (source, port)


def test_it_ends_by_the_clock(box):
    lab = box.lab
    ban(box, lab.mx_org.v4, "--for", "2s")
    began = time.time()
    shut(box, lab.mx_org.v4, lab.submission.v4)
    shut(box, lab.mx_org.v4, lab.submission.v4, False)
    assert time.time() - began < 5
    assert box.json("ban", "list")["bans"] == []
    [past] = box.json("ban", "list", "--all")["bans"]
    assert past["prefix"] == lab.mx_org.v4 and past["released"] is None and not past["by_rule"]


def test_it_outlives_gate_and_generation(box):
    lab = box.lab
    ban(box, lab.mx_org.v4)
    shut(box, lab.mx_org.v4, lab.submission.v4)
    kill(box.duties[1])
    assert not reaches(box, lab.mx_org.v4, lab.submission.v4)
    lab.router.run("nft", "delete", "table", "inet", "porteiro")
    assert reaches(box, lab.mx_org.v4, lab.submission.v4)
    duties(box, "gate")
    shut(box, lab.mx_org.v4, lab.submission.v4)
    box.policy(POLICY + "class more { port25 observe }\npool more { class more  prefix 198.51.100.128/25 }\n")
    box.run("apply")
    assert not reaches(box, lab.mx_org.v4, lab.submission.v4)
    box.run("apply", "--confirm", "1m")
    assert not reaches(box, lab.mx_org.v4, lab.submission.v4)
    # a policy whose pool it is now: it is not enforced, and says so
    box.run("confirm")
    box.policy(POLICY + "class more { port25 observe }\npool more { class more  prefix 203.0.113.128/27 }\n")
    box.run("apply")
    shut(box, lab.mx_org.v4, lab.submission.v4, False)
    texts = [step["text"] for step in box.json("explain", lab.mx_org.v4)["answers"][0]["steps"] if step["what"] == "ban"]
    assert "not enforced" in texts[0] and "pool more" in texts[0]


@pytest.mark.parametrize("prefix, words", [
    ("198.51.100.10", "pool home1"), ("198.51.100.0/24", "pool home1"), ("2001:db8:100:1000::/64", "pool home1"),
    ("203.0.113.26", "own server submission"), ("203.0.113.161", "cgnat norte"), ("100.64.0.1", "cgnat norte"),
    ("203.0.113.177", "never banned"), ("127.0.0.1", "this machine"), ("::1", "this machine"),
    ("10.0.0.0/7", "a ban is of"), ("10.0.0.0/8", "a ban is of"), ("2001:db8::/31", "a ban is of"), ("10.1.0.0/20", "a ban is of")])
def test_who_is_never_banned(porteiro, prefix, words):
    porteiro.policy(POLICY)
    said = ban(porteiro, prefix, status=None)
    assert said.returncode and words in said.stderr, said.stderr
    if "pool" in words or "server" in words or "cgnat" in words or "never" in words:
        assert "porteiro.conf:" in said.stderr
    assert porteiro.json("ban", "list")["bans"] == []


def test_words_of_the_command(porteiro):
    porteiro.policy(POLICY)
    assert "--reason is missing" in porteiro.run("ban", "add", "203.0.113.1", status=2).stderr
    assert "bits set" in ban(porteiro, "203.0.113.1/24", status=2).stderr
    assert "one of them" in ban(porteiro, "203.0.113.1", "--for", "1h", "--until", "2099-01-01", status=2).stderr
    first = ban(porteiro, "203.0.113.1", "--for", "1h").stdout
    assert ban(porteiro, "203.0.113.1", "--until", "2099-01-01").stdout.startswith("ban 1, until 2099-01-01 23:59:59")
    assert first.startswith("ban 1, until ")
    [row] = porteiro.json("ban", "list")["bans"]
    assert row["reason"] == "guessing" and row["author"].startswith("root")
    assert "203.0.113.1" in porteiro.run("ban", "list").stdout
    assert [row["decision"] for row in porteiro.json("audit", "--key", "203.0.113.1")["audit"]] == ["ban extend", "ban add"]
    assert "no ban 7" in porteiro.run("ban", "remove", "7", "--reason", "x", status=1).stderr
    assert "not banned" in porteiro.run("ban", "remove", "203.0.113.2", "--reason", "x", status=1).stderr
    porteiro.run("ban", "remove", "1", "--reason", "x")
    assert "over already" in porteiro.run("ban", "release", "1", "--reason", "x", status=1).stderr


def test_a_thousand_at_once(box):
    """Forty commands beside each other at a time, through one keeper."""
    lab = box.lab
    names = [f"192.0.{n // 250 + 10}.{n % 250 + 1}" for n in range(1000)]
    began = time.time()
    for at in range(0, len(names), 40):
        running = [box.start("ban", "add", name, "--reason", "burst") for name in names[at:at + 40]]
        assert all(process.wait(timeout=60) == 0 for process in running)
    ban(box, lab.mx_org.v4)
    shut(box, lab.mx_org.v4, lab.submission.v4)

    def count():
        return lab.router.run("nft", "list", "set", "inet", "porteiro", f"ban4_32_{letter()}").stdout.count(".")

    def letter():
        text = lab.router.run("nft", "-t", "list", "chain", "inet", "porteiro", "door").stdout
        return text.split("goto entry_")[1][0]

    wait_for(lambda: count() >= 3 * 1001, "all to be in the kernel")
    assert time.time() - began < 120
    box.policy(POLICY + "class more { port25 observe }\npool more { class more  prefix 198.51.100.128/25 }\n")
    box.run("apply")
    assert count() >= 3 * 1001 and not reaches(box, lab.mx_org.v4, lab.submission.v4)


def test_without_servers(lab, porteiro):
    porteiro = porteiro.at(lab.router)
    porteiro.lab, porteiro.duties = lab, duties(porteiro)
    porteiro.policy(NETWORK + customers(home1="block"))
    porteiro.run("apply")
    with Listener(lab.router, 587, addresses=list(NEAR.values())), \
            Listener(lab.servers, 587, addresses=[lab.submission.v4, lab.submission.v6]):
        for family in ("v4", "v6"):
            ban(porteiro, lab.mx_org.on(family))
            shut(porteiro, lab.mx_org.on(family), NEAR[family])
            assert reaches(porteiro, lab.mx_org.on(family), lab.submission.on(family))


EDGE = """edge { submission port 587, 465, 2587  listen 203.0.113.26, 2001:db8:b01a:70da::26
       certificate smtps.example.net.br chain /etc/porteiro/chain.pem key /etc/porteiro/key.pem
       next-hop relay 127.0.0.1:10025 }
"""


def test_the_ports_and_addresses_of_an_edge(lab, porteiro):
    """Its listeners are ours, on whatever box they are, and on whatever port; no server block names them."""
    porteiro = porteiro.at(lab.router)
    porteiro.lab, porteiro.duties = lab, duties(porteiro)
    porteiro.policy(NETWORK + customers(home1="block") + EDGE)
    porteiro.run("apply")
    assert "own server" in ban(porteiro, lab.submission.v4, status=1).stderr
    addresses = [place.on(family) for place in (lab.submission, lab.mx) for family in ("v4", "v6")]
    with Listener(lab.servers, 587, addresses=addresses), Listener(lab.servers, 2587, addresses=addresses):
        for family in ("v4", "v6"):
            guesser, other = sources(lab, family)
            ban(porteiro, guesser)
            shut(porteiro, guesser, lab.submission.on(family))
            assert not reaches(porteiro, guesser, lab.submission.on(family), 2587)
            assert reaches(porteiro, other, lab.submission.on(family), 2587)
            assert reaches(porteiro, guesser, lab.mx.on(family), 2587)
