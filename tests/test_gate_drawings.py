# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawings: servers among the customers (screened host), servers between two routers (DMZ), the edge on another box by
routing and by translation of the address. Each end to end, with real mail, on both families."""
import pytest

from conftest import PROGRAM
from gate_support import (NETWORK, SERVERS, Gate, back_passes, both_families, customers, gate, gets_out, greeted, reset_at_once,  # noqa: F401
                          standing_gate)
from lab import Listener, Session, isp, knock, mail, missing
from lab.core import wait_for
from lab.sasl import LOGIN
from support import Porteiro

if not missing("scapy"):
    from lab.packets import syn

LAB = {"edge": True, "postfix": True}
pytestmark = pytest.mark.needs("nft", "tproxy", "nflog", "reject", "fib", "scapy")
HOMES = "class home { port25 block }\npool homes { class home  prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56, 2001:db8:201::/48 }\n"


@pytest.fixture(scope="module", params=["screened", "dmz"])
def drawn(request, tmp_path_factory):
    """A lab in another drawing with a gate in its (inner) router: homes blocked, but infected trapped and home2 shifted."""
    if missing("postfix"):
        pytest.skip(missing("postfix"))
    with isp(request.param, postfix=True) as lab, standing_gate(lab, tmp_path_factory.mktemp("gate")) as gate:
        lab.drawing, lab.gate = request.param, gate
        servers = "".join(f"server {name} {{ address {place.v4}, {place.v6} }}\n"
                          for name, place in (("mx", lab.mx), ("submission", lab.submission)))
        gate.load(NETWORK + servers + HOMES + """
            wave bots    { from 2026-01-01  prefix 198.51.100.66/32, 2001:db8:100:6600::/56  port25 trap }
            wave clients { from 2026-01-01  prefix 198.51.100.11/32, 2001:db8:100:1100::/56  port25 shift }
            """)
        yield lab


@both_families
def test_customers_meet_their_strategies(drawn, family):
    wanted = drawn.mx_com.on(family)
    assert reset_at_once(knock(drawn.home1, wanted))
    assert reset_at_once(knock(drawn.home2, wanted))
    assert greeted(knock(drawn.business, wanted), "mx2.example.com")
    with Listener(drawn.router, 2526, role="trap", transparent=True) as trap:
        assert mail(drawn.infected, wanted).text == "450 4.7.1 Try again later"
        assert (trap.wait().peer, trap.wait().original) == (drawn.infected.on(family), wanted)
    recipient = f"shift.{family}@example.org"
    assert mail(drawn.home2, drawn.mx_org.on(family), recipient=recipient, login=LOGIN).kind == "sent"
    assert drawn.mta_outside.wait_message(recipient).client == drawn.home2.on(family)


@both_families
def test_customers_use_the_isps_servers(drawn, family):
    recipient = f"{drawn.drawing}.{family}@example.org"
    assert mail(drawn.home1, drawn.submission.on(family), 587, recipient=recipient, login=LOGIN).kind == "sent"
    assert drawn.mta_outside.wait_message(recipient).client == drawn.mx.v4
    assert mail(drawn.infected, drawn.mx.on(family), recipient=f"in.{family}@example.net.br").kind == "sent"
    assert drawn.mta_isp.wait_message(f"in.{family}@example.net.br").client == drawn.infected.on(family)


@both_families
def test_the_servers_send_and_receive(drawn, family):
    """In the screened drawing their addresses lie inside the customers' pool."""
    assert greeted(knock(drawn.servers, drawn.mx_org.on(family), source=drawn.mx.on(family)))
    recipient, source = f"world.{family}@example.net.br", drawn.mx_org.on(family)
    assert mail(drawn.outside, drawn.mx.on(family), recipient=recipient, source=source).kind == "sent"
    assert drawn.mta_isp.wait_message(recipient).client == source


def test_check_says_what_cannot_hold_in_the_screened_drawing(drawn):
    text = NETWORK + f"server mx {{ address {drawn.mx.v4}  customers divert }}\n" + HOMES
    drawn.gate.porteiro.policy(text)
    warned = "do not pass the router" in drawn.gate.run("check").stderr
    assert warned == (drawn.drawing == "screened")


def test_same_subnet_dnat_is_refused(gate):
    gate.porteiro.policy(NETWORK + HOMES.replace("block", "divert") + "gate { edge dnat 198.51.100.26, 2001:db8:b01a:e::34 }\n")
    refused = gate.run("check", status=1).stderr
    assert "same subnet" in refused and "hairpin" in refused
    assert "same subnet" in gate.run("apply", status=1).stderr
    assert "inet porteiro" not in gate.lab.router.run("nft", "list", "tables").stdout
    gate.porteiro.policy(NETWORK + HOMES.replace("block", "divert") + "gate { edge dnat 203.0.113.34, 2001:db8:100:7::1 }\n")
    assert "same subnet" in gate.run("check", status=1).stderr


# --- the edge on another box, by routing

COMMON = NETWORK + SERVERS + customers(home1="divert", infected="trap", home2="open", business="block")


@pytest.fixture
def beyond(gate, lab, tmp_path):
    """The router routes to the edge, and the edge's box runs porteiro itself with the same policy but for its gate block."""
    folder = tmp_path / "edge"
    folder.mkdir()
    for place in (gate.porteiro.folder, folder):
        (place / "common.conf").write_text(COMMON, encoding="utf-8")
    edge = Gate(lab, Porteiro(PROGRAM, folder), lab.edge)
    edge.load('include "common.conf"\ngate { edge local }\n')
    gate.load('include "common.conf"\n' + routed(lab))
    return edge


def routed(lab):
    return f"gate {{ edge route {lab.edge.v4}, {lab.edge.v6} }}\n"


@both_families
def test_an_edge_by_routing_gets_the_original_destination(beyond, gate, lab, family):
    wanted = lab.mx_com.on(family)
    for box in (gate, beyond):
        box.count_anew()
    with Listener(lab.edge, 2525, role="divert", transparent=True) as divert, \
            Listener(lab.edge, 2526, role="trap", transparent=True) as trap:
        assert mail(lab.home1, wanted).text == "530 5.7.0 Authentication required"
        assert mail(lab.infected, wanted).text == "450 4.7.1 Try again later"
        for listener, host in ((divert, lab.home1), (trap, lab.infected)):
            [talk] = listener.conversations
            assert (talk.peer, talk.original, talk.original_port) == (host.on(family), wanted, 25)
        assert greeted(knock(lab.home2, wanted), "mx2.example.com")
        assert reset_at_once(knock(lab.business, wanted))
    for box in (gate, beyond):
        assert box.attempts("class-home1", "divert") == 1 and box.attempts("class-infected", "trap") == 1


@both_families
def test_an_edge_by_routing_with_no_listener_fails_closed(beyond, lab, family):
    for host in (lab.home1, lab.infected):
        assert reset_at_once(knock(host, lab.mx_org.on(family)))
    assert greeted(knock(lab.home2, lab.mx_org.on(family)))
    assert greeted(knock(lab.edge, lab.mx_org.on(family)))


def test_an_edge_behind_a_dead_link_is_not_gone_around(beyond, gate, lab):
    link = lab.router.run("ip", "-o", "route", "get", lab.edge.v4).stdout.split(" dev ")[1].split()[0]
    lab.router.run("sysctl", "-qw", f"net.ipv6.conf.{link}.keep_addr_on_down=1")
    gate.porteiro.start("duty", "gate")
    lab.router.run("ip", "link", "set", link, "down")
    for family in ("v4", "v6"):
        assert not greeted(knock(lab.home1, lab.mx_com.on(family)), "mx2.example.com")
        assert greeted(knock(lab.home2, lab.mx_com.on(family)), "mx2.example.com")
    lab.router.run("ip", "link", "set", link, "up")
    wait_for(lambda: all(lab.edge.on(family) in lab.router.run("ip", flag, "route", "show", "table", "2500").stdout
                         for flag, family in (("-4", "v4"), ("-6", "v6"))), "the way to the edge", 15)
    with Listener(lab.edge, 2525, role="divert", transparent=True):
        for family in ("v4", "v6"):
            assert mail(lab.home1, lab.mx_com.on(family)).text == "530 5.7.0 Authentication required"


@both_families
def test_only_the_edges_answers_come_back_to_who_is_diverted(beyond, lab, family):
    for host, passes in ((lab.home1, False), (lab.infected, False), (lab.home2, True), (lab.business, False)):
        assert back_passes(lab, host, family) == passes


@both_families
def test_a_session_with_an_edge_by_routing_meets_a_new_block(beyond, gate, lab, family):
    gate.load(COMMON + routed(lab))
    with Listener(lab.edge, 2525, role="divert", transparent=True), Session(lab.home1, lab.mx_org.on(family)) as held:
        assert held.probe().kind == "alive"
        gate.load(COMMON.replace("class home1 { port25 divert }", "class home1 { port25 block }") + routed(lab))
        assert held.probe().kind == "reset"


# --- the edge by translation of the address: the documented fallback

@both_families
def test_an_edge_by_dnat_is_reached_and_does_not_know_who_was_wanted(gate, lab, family):
    gate.load(COMMON + f"gate {{ edge dnat {lab.edge.v4}, {lab.edge.v6}  divert-port 587  trap-port 2526 }}\n")
    own = lab.edge.on(family)
    with Listener(lab.edge, 587, role="divert", addresses=[own]) as divert, Listener(lab.edge, 2526, role="trap", addresses=[own]) as trap:
        assert mail(lab.home1, lab.mx_org.on(family)).text == "530 5.7.0 Authentication required"
        assert mail(lab.infected, lab.mx_org.on(family)).text == "450 4.7.1 Try again later"
        for listener, host, port in ((divert, lab.home1, 587), (trap, lab.infected, 2526)):
            [talk] = listener.conversations
            assert (talk.peer, talk.original, talk.original_port) == (host.on(family), own, port)
        assert greeted(knock(lab.home2, lab.mx_org.on(family)))
    assert "cannot know where its visitors wanted to go" in gate.run("check").stderr
    for host in (lab.home1, lab.infected):
        assert not back_passes(lab, host, family)


@both_families
def test_no_odd_flags_pass_an_edge_by_dnat(gate, lab, family):
    gate.load(COMMON + f"gate {{ edge dnat {lab.edge.v4}, {lab.edge.v6} }}\n")
    for flags in ("", "SF", "SR", "SAFRPU", "PA"):
        assert not gets_out(lab, lab.home1, syn(lab.home1.on(family), lab.mx_org.on(family), flags=flags)), flags


@both_families
def test_an_edge_by_dnat_may_listen_on_port_25(gate, lab, family):
    gate.load(COMMON + f"gate {{ edge dnat {lab.edge.v4}, {lab.edge.v6} port 25 }}\n")
    with Listener(lab.edge, 25, role="divert", addresses=[lab.edge.on(family)]):
        assert greeted(knock(lab.home1, lab.mx_org.on(family)), "divert.example.net")
    assert not back_passes(lab, lab.home1, family)


@both_families
def test_an_edge_by_dnat_that_does_not_listen_refuses(gate, lab, family):
    gate.load(COMMON + f"gate {{ edge dnat {lab.edge.v4}, {lab.edge.v6} }}\n")
    assert reset_at_once(knock(lab.home1, lab.mx_org.on(family)))


def test_an_edge_of_one_family_leaves_the_other_to_if_edge_down(gate, lab):
    gate.load(COMMON + f"gate {{ edge dnat {lab.edge.v4} }}\n")
    with Listener(lab.edge, 2525, role="divert", addresses=[lab.edge.v4]):
        assert greeted(knock(lab.home1, lab.mx_org.v4), "divert.example.net")
        assert reset_at_once(knock(lab.home1, lab.mx_org.v6))
    gate.load(COMMON + f"gate {{ edge dnat {lab.edge.v4}  if-edge-down open }}\n")
    assert greeted(knock(lab.home1, lab.mx_org.v6))
