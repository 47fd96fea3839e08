# SPDX-License-Identifier: GPL-3.0-or-later
"""The ISP's own mail servers: what they send is never caught, what the Internet sends them neither, and customers meet on their
port 25 what the policy says of customers."""
import pytest

from gate_support import (NETWORK, PREFIXES, SERVERS, back_passes, both_families, gate, greeted, reset_at_once,  # noqa: F401
                          standing_gate)
from lab import Listener, knock, mail
from lab.sasl import LOGIN

LAB = {"postfix": True}
pytestmark = pytest.mark.needs("nft", "tproxy", "nflog", "reject", "fib")
MX = "server mx {{ address 203.0.113.25, 2001:db8:b01a:70da::25  customers {} }}"
# Own servers numbered out of a customers' pool, as in the recipe of 2012.
INSIDE = "class inside {{ port25 {} }}\npool inside {{ class inside  prefix 203.0.113.0/26, 2001:db8:b01a::/48 }}"


def isp_delivers(lab, recipient, family="v4"):
    """A customer hands his mail to the ISP's submission host, and its real MTA delivers it to an MX outside."""
    assert mail(lab.home1, lab.submission.on(family), 587, recipient=recipient, login=LOGIN).kind == "sent"
    return lab.mta_outside.wait_message(recipient).client == lab.mx.v4


@pytest.mark.parametrize("strategy", ["observe", "shift", "divert", "trap", "block"])
def test_own_deliveries_are_never_caught(gate, lab, strategy):
    gate.apply(SERVERS, INSIDE.format(strategy), **dict.fromkeys(PREFIXES, strategy))
    with Listener(lab.router, 2525, role="divert", transparent=True) as divert, \
            Listener(lab.router, 2526, role="trap", transparent=True) as trap:
        assert isp_delivers(lab, f"{strategy}@example.org")
        for family in ("v4", "v6"):
            for place in (lab.mx, lab.submission):
                assert greeted(knock(lab.servers, lab.mx_org.on(family), source=place.on(family)))
                assert back_passes(lab, lab.servers, family)
        assert not divert.conversations and not trap.conversations


@both_families
def test_a_server_that_is_not_declared_is_a_customer(gate, lab, family):
    """So that the test above is known to be able to fail."""
    gate.apply(INSIDE.format("block"))
    assert reset_at_once(knock(lab.servers, lab.mx_org.on(family)))


@pytest.mark.parametrize("customers", ["open", "observe", "shift", "divert", "trap", "block"])
def test_the_internet_delivers_to_the_mx(gate, lab, customers):
    gate.apply(MX.format(customers), **dict.fromkeys(PREFIXES, "block"))
    for family in ("v4", "v6"):
        recipient = f"{customers}.{family}@example.net.br"
        source = lab.outside.on(family)
        assert mail(lab.outside, lab.mx.on(family), recipient=recipient, source=source).kind == "sent"
        assert lab.mta_isp.wait_message(recipient).client == source
        # and the ISP's other hosts, which are nobody's customers
        assert greeted(knock(lab.servers, lab.mx.on(family), source=lab.submission.on(family)), "mx.example.net.br")
        assert greeted(knock(lab.router, lab.mx.on(family)), "mx.example.net.br")


@both_families
def test_a_blocked_customer_still_delivers_to_the_isps_mx(gate, lab, family):
    gate.apply(SERVERS, home1="block", home2="trap", infected="shift")
    for name in ("home1", "home2", "infected"):
        recipient = f"{name}.{family}@example.net.br"
        assert mail(lab.hosts[name], lab.mx.on(family), recipient=recipient).kind == "sent"
        assert lab.mta_isp.wait_message(recipient).client == lab.hosts[name].on(family)
        assert back_passes(lab, lab.hosts[name], family, source=lab.mx.on(family))


@both_families
def test_customers_divert_catches_customers_and_nobody_else(gate, lab, family):
    gate.apply(MX.format("divert"), home1="open", home2="block", infected="trap")
    wanted = lab.mx.on(family)
    with Listener(lab.router, 2525, role="divert", transparent=True) as listener:
        for name in ("home1", "home2", "infected"):
            assert greeted(knock(lab.hosts[name], wanted), "divert.example.net")
        assert {(talk.peer, talk.original) for talk in listener.conversations} == \
            {(lab.hosts[name].on(family), wanted) for name in ("home1", "home2", "infected")}
        for name in ("outside", "business", "legacy", "servers"):
            assert greeted(knock(lab.hosts[name], wanted), "mx.example.net.br")
        assert greeted(knock(lab.home1, lab.submission.on(family), 587), "smtps.example.net.br")
        assert greeted(knock(lab.home1, lab.mx_org.on(family)))
    assert gate.attempts("server", "divert") == 3


@pytest.mark.parametrize("customers, kind", [("block", "reset"), ("shift", "reset"), ("observe", "banner")])
@both_families
def test_the_other_words_for_customers(gate, lab, family, customers, kind):
    gate.apply(MX.format(customers), home1="open")
    assert knock(lab.home1, lab.mx.on(family)).kind == kind
    assert gate.attempts("server", customers) == 1
    assert greeted(knock(lab.home2, lab.mx.on(family)), "mx.example.net.br")


@both_families
def test_a_customer_by_interface_alone_is_a_customer_of_the_mx(gate, lab, family):
    gate.load(NETWORK + MX.format("block") + "\nclass old { port25 open }\npool old { class old  interface vlan120 }\n")
    assert reset_at_once(knock(lab.legacy, lab.mx.on(family)))
    assert greeted(knock(lab.legacy, lab.mx_org.on(family)))
    assert greeted(knock(lab.home1, lab.mx.on(family)), "mx.example.net.br")


@both_families
def test_a_customer_by_the_ledger_alone_is_a_customer_of_the_mx(gate, lab, family):
    gate.subscriber("home1", port25="open")
    gate.apply(MX.format("block"), home2="block")
    assert reset_at_once(knock(lab.home1, lab.mx.on(family)))
    assert greeted(knock(lab.home1, lab.mx_org.on(family)))


@both_families
def test_an_exemption_lets_out_and_does_not_let_in(gate, lab, family):
    """Packets to own servers are looked at before exemptions and own strategies, and after quarantines."""
    gate.subscriber("home1")
    gate.subscriber("home2", port25="block")
    gate.apply(MX.format("divert"), "exempt x { subscriber home1  until 2099-01-01  owner noc  reason x }", home1="block", home2="block")
    with Listener(lab.router, 2525, role="divert", transparent=True):
        for host in (lab.home1, lab.home2):
            assert greeted(knock(host, lab.mx.on(family)), "divert.example.net")
        assert greeted(knock(lab.home1, lab.mx_org.on(family)))


@pytest.fixture(scope="module")
def quarantined(_module_lab, tmp_path_factory):
    """home1 in quarantine for mail, home2 for submission; both would be open."""
    with standing_gate(_module_lab, tmp_path_factory.mktemp("gate")) as gate:
        for name, level in (("home1", "mail"), ("home2", "submission"), ("infected", None)):
            gate.subscriber(name)
            if level:
                gate.run("quarantine", "add", name, "--level", level, "--reason", "test")
        gate.apply(SERVERS, home1="open", home2="open", infected="open")
        yield _module_lab


@both_families
def test_quarantine_comes_before_the_mx(quarantined, family):
    lab = quarantined
    for host in (lab.home1, lab.home2):
        for place in (lab.mx, lab.mx_org):
            assert reset_at_once(knock(host, place.on(family)))
        assert not back_passes(lab, host, family)
    assert greeted(knock(lab.infected, lab.mx.on(family)), "mx.example.net.br")
    assert greeted(knock(lab.infected, lab.mx_org.on(family)))


@both_families
def test_quarantine_for_submission_takes_587_and_465_too(quarantined, family):
    lab = quarantined
    with Listener(lab.outside, 465, addresses=[lab.mx_org.on(family)]):
        for host, passes in ((lab.home1, True), (lab.home2, False), (lab.infected, True)):
            for place, port in ((lab.mx_org, 587), (lab.mx_org, 465), (lab.submission, 587)):
                assert (knock(host, place.on(family), port).kind == "banner") == passes
