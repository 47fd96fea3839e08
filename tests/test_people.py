# SPDX-License-Identifier: GPL-3.0-or-later
"""People who differ from their pool: own strategies, exemptions and quarantines, as the gate duty puts them in the kernel."""
import time

import pytest
from control import (FAMILIES, HOME, MX, NEAR, OUTSIDE, REACH, by_ledger, door, duties, elements, end_trial,  # noqa: F401
                     kill, markers, policy, stamp, table)
from lab import Capture, missing, wait_for

if not missing("scapy"):
    from lab.packets import send, syn

MORE = """
class plus { port25 observe }
class office { port25 open }
pool offices { class office  prefix 100.64.0.0/16 }
never-cut { subscriber hospital }
quarantine { after 20 points  level mail  for 24h  reach 203.0.113.53, 2001:db8:b01a:70da::53 }
"""
# Inside the pools of Door: one subscriber's addresses, delegated prefix and WAN address, and a neighbour of each.
ANA = ("198.51.100.20", "2001:db8:100:2000::/56", "2001:db8:1ff::20/128")
ANAS = ("198.51.100.20", "2001:db8:100:2000::10", "2001:db8:100:20ff:ffff::1", "2001:db8:1ff::20")
NEIGHBOURS = ("198.51.100.21", "2001:db8:100:2100::10", "2001:db8:100:1fff::1", "2001:db8:1ff::21")


@pytest.fixture
def gate(door, porteiro):
    """Keeper and gate at work; home is blocked."""
    porteiro = porteiro.at(door.router)
    porteiro.duties = duties(porteiro)
    porteiro.policy(policy("block", MORE))
    porteiro.run("apply")
    return porteiro


def subscriber(porteiro, name, *addresses, **options):
    words = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", value)]
    porteiro.run("subscriber", "add", name, *words, *(word for a in addresses for word in ("--address", a)))


def quarantine(porteiro, name, level="mail", *words, **options):
    return porteiro.run("quarantine", "add", name, "--level", level, "--reason", "spam", *words, **options)


def meet(door, what, *sources):
    """Wait until each of these meets this, for the gate needs its milliseconds; then all must."""
    for source in sources:
        wait_for(lambda: door.meets(source) == what, f"{source} to meet {what}")
    assert {source: door.meets(source) for source in sources} == dict.fromkeys(sources, what)


def explains(porteiro, address):
    [answer] = by_ledger(porteiro).json("explain", address)["answers"]
    return answer["strategy"], [step["text"] for step in answer["steps"] if step["decided"]][0]


# --- own strategies

@pytest.mark.parametrize("own, met", [("open", "open"), ("observe", "open"), ("shift", "shift"), ("divert", "divert"),
                                      ("trap", "trap")])
def test_one_who_may_more_than_his_pool(door, gate, own, met):
    """All six strategies, also those no pool has yet: the rules are then made anew."""
    subscriber(gate, "ana", *ANA, port25=own)
    meet(door, met, *ANAS)
    meet(door, "block", *NEIGHBOURS)
    assert {explains(gate, source)[0] for source in ANAS} == {own}
    gate.run("subscriber", "set", "ana", "--port25", "none")
    meet(door, "block", *ANAS, *NEIGHBOURS)


def test_one_who_may_less_than_his_pool(door, gate):
    subscriber(gate, "bia", "100.64.7.7", "192.0.2.20", "2001:db8:200:20::/64", port25="block")
    meet(door, "block", "100.64.7.7", "192.0.2.20", "2001:db8:200:20::1", "2001:db8:200:20:ffff::1")
    meet(door, "open", "100.64.7.8", "192.0.2.21", "2001:db8:200:21::1")


def test_an_own_class_shields_from_the_pool_and_an_own_strategy_beats_both(door, gate):
    subscriber(gate, "ana", *ANA, **{"class": "plus"})
    meet(door, "open", *ANAS)
    assert explains(gate, ANAS[0])[0] == "observe"
    gate.run("subscriber", "set", "ana", "--port25", "trap")
    meet(door, "trap", *ANAS)
    gate.run("subscriber", "set", "ana", "--port25", "none", "--class", "none")
    meet(door, "block", *ANAS)


def test_lengths_of_every_kind(door, gate):
    """More than the six exact ones a family has: the shortest stand in interval sets."""
    nets = [f"198.51.100.{at}/{length}" for at, length in ((128, 25), (64, 26), (32, 27), (16, 28), (8, 29), (4, 30), (2, 31), (1, 32))]
    nets += [f"2001:db8:1{at:02x}::/{length}" for at, length in
             ((0x80, 49), (0x40, 50), (0x20, 51), (0x10, 52), (0x08, 56), (0x04, 60), (0x02, 62), (0x01, 80))]
    inside = [*(f"198.51.100.{at}" for at in (255, 127, 63, 31, 15, 7, 3, 1)),
              *(f"2001:db8:1{at:02x}::{end}" for at, end in
                ((0x80, "1"), (0x40, "1"), (0x20, "1"), (0x10, "1"), (8, "1"), (4, "1"), (2, "1"), (1, "1")))]
    for number, net in enumerate(nets):
        subscriber(gate, f"n{number}", net, port25="open")
    meet(door, "open", *reversed(inside))
    meet(door, "block", "198.51.100.0", "2001:db8:180:8000::1", "2001:db8:101:0:1::1")
    quarantine(gate, "n0")
    quarantine(gate, "n8")
    meet(door, "block", inside[0], "198.51.100.129", inside[8])
    gate.run("subscriber", "remove", "n1")
    meet(door, "block", inside[1])
    meet(door, "open", inside[2], inside[9])


def test_two_on_one_address(door, gate):
    """A fixed address has one holder; who comes second is refused, and changes nothing."""
    subscriber(gate, "ana", *ANA, port25="open")
    subscriber(gate, "eva", line="user:eva", port25="trap")
    for words in (("subscriber", "add", "bia", "--address", ANA[0]), ("lease", "add", ANA[0], "--line", "user:eva"),
                  ("lease", "add", "2001:db8:100:2040::/60", "--line", "user:eva")):
        assert "subscriber ana's" in gate.run(*words, status=1).stderr
    subscriber(gate, "end", "198.51.100.99", port25="open")
    meet(door, "open", "198.51.100.99", *ANAS)


def test_people_come_back_after_a_crash_with_what_changed_meanwhile(door, gate):
    subscriber(gate, "ana", *ANA, port25="open")
    subscriber(gate, "bia", "198.51.100.30", port25="open")
    meet(door, "open", "198.51.100.30", *ANAS)
    kill(gate.duties[1])
    quarantine(gate, "bia", "captive")
    gate.run("subscriber", "remove", "ana")
    subscriber(gate, "eva", "198.51.100.40", port25="trap")
    assert door.meets("198.51.100.30") == "open"
    duties(gate, "gate")
    meet(door, "trap", "198.51.100.40")
    meet(door, "block", "198.51.100.30", *ANAS)
    assert door.meets("198.51.100.30", port=80) == "block"


def test_without_any_duty_apply_puts_the_people_there(door, gate):
    kill(*gate.duties)
    subscriber(gate, "ana", *ANA, port25="open")
    subscriber(gate, "bia", "198.51.100.30")
    quarantine(gate, "bia", "submission")
    assert door.meets(ANAS[0]) == "block"
    gate.run("apply")
    meet(door, "open", *ANAS)
    assert door.meets("198.51.100.30", port=587) == "block"


# --- exemptions

def test_exemptions_of_a_subscriber_and_of_a_prefix_and_their_end(door, gate):
    subscriber(gate, "ana", *ANA)
    ends, at = stamp(time.time() + 1.5)
    given = "--until", ends, "--owner", "noc", "--reason", "no TLS"
    gate.run("exemption", "add", "ana", *given)
    gate.run("exemption", "add", "198.51.100.32/29", *given)
    gate.run("exemption", "add", "2001:db8:100:3000::/56", *given)
    prefixes = "198.51.100.33", "198.51.100.39", "2001:db8:100:3000::1"
    meet(door, "open", *prefixes, *ANAS)
    meet(door, "block", "198.51.100.40", *NEIGHBOURS)
    assert explains(gate, ANAS[0])[0] == explains(gate, prefixes[0])[0] == "open"
    meet(door, "block", *prefixes, *ANAS)
    assert -0.01 < time.time() - at < 1.5
    assert explains(gate, ANAS[0])[0] == explains(gate, prefixes[0])[0] == "block"
    assert gate.json("exemption", "list")["exemptions"] == []


def test_an_exemption_moves_with_its_subscriber_and_can_be_removed(door, gate):
    subscriber(gate, "eva", line="user:eva")
    gate.run("lease", "add", "198.51.100.50", "--line", "user:eva")
    gate.run("exemption", "add", "eva", "--until", "2099-01-01", "--owner", "noc", "--reason", "no TLS")
    meet(door, "open", "198.51.100.50")
    gate.run("lease", "end", "198.51.100.50", "--line", "user:eva")
    gate.run("lease", "add", "198.51.100.51", "--line", "user:eva")
    meet(door, "open", "198.51.100.51")
    meet(door, "block", "198.51.100.50")
    gate.run("exemption", "remove", "1", "--reason", "has TLS now")
    meet(door, "block", "198.51.100.51")


def test_an_exemption_of_the_policy_by_subscriber(door, gate):
    subscriber(gate, "ana", *ANA)
    ends, _ = stamp(time.time() + 1.5)
    gate.policy(policy("block", MORE + f'exempt "x" {{ subscriber ana  until {ends}  owner noc  reason "for a moment" }}'))
    gate.run("apply")
    meet(door, "open", *ANAS)
    meet(door, "block", *ANAS)
    assert explains(gate, ANAS[0])[0] == "block"


# --- quarantine

# level: what is refused. Everything else must pass.
TRIES = {"25 outside": (OUTSIDE, 25), "25 of the ISP's MX": (MX, 25), "465 outside": (OUTSIDE, 465), "587 outside": (OUTSIDE, 587),
         "587 of the ISP": (MX, 587), "the web": (OUTSIDE, 80), "what is in reach": (REACH, 80),
         "the router itself": (NEAR, 80)}
REFUSED = {
    None: set(),
    "mail": {"25 outside", "25 of the ISP's MX"},
    "submission": {"25 outside", "25 of the ISP's MX", "465 outside", "587 outside", "587 of the ISP"},
    "captive": set(TRIES) - {"what is in reach", "the router itself"},
}


def tries(door, source):
    return {name for name, (place, port) in TRIES.items() if door.meets(source, port, place) == "block"}


@pytest.mark.parametrize("level", ["mail", "submission", "captive"])
def test_a_quarantine_takes_what_its_level_says_and_a_release_gives_it_back(door, gate, level):
    subscriber(gate, "ana", *ANA, port25="open")
    meet(door, "open", *ANAS)
    quarantine(gate, "ana", level)
    meet(door, "block", *ANAS)
    assert {source: tries(door, source) for source in ANAS} == dict.fromkeys(ANAS, REFUSED[level])
    assert {source: tries(door, source) for source in NEIGHBOURS} == dict.fromkeys(NEIGHBOURS, {"25 outside"})
    assert "quarantine" in explains(gate, ANAS[1])[0]
    gate.run("quarantine", "release", "ana", "--reason", "clean")
    meet(door, "open", *ANAS)
    assert {source: tries(door, source) for source in ANAS} == dict.fromkeys(ANAS, REFUSED[None])
    assert "captive_refuse" not in table(door.router)


@pytest.mark.needs("scapy")
def test_source_port_25_is_no_way_out_of_a_quarantine(door, gate):
    """What comes from port 25 leaves the gate early; who calls from there himself does not. Ports between 465 and 587 are nobody's business."""
    subscriber(gate, "ana", *ANA, port25="open")
    quarantine(gate, "ana", "submission")
    for source in ANAS:
        wait_for(lambda: tries(door, source) == REFUSED["submission"], f"the quarantine of {source}")
        there = OUTSIDE.on("v6" if ":" in source else "v4")
        for dport, flags in ((25, "S"), (25, "A"), (465, "S"), (587, "S"), (587, "A")):
            with Capture(door.outside) as seen:
                assert not seen.passed(send(door.home, syn(source, there, dport, sport=25, flags=flags)), door.home), (dport, flags)
        for dport in (466, 500, 586):
            with Capture(door.outside) as seen:
                assert seen.passed(send(door.home, syn(source, there, dport)), door.home), dport


def test_the_strictest_level_holds_and_a_quarantine_beats_an_exemption(door, gate):
    subscriber(gate, "ana", *ANA, port25="open")
    gate.run("exemption", "add", "ana", "--until", "2099-01-01", "--owner", "noc", "--reason", "no TLS")
    quarantine(gate, "ana", "mail")
    quarantine(gate, "ana", "submission")
    meet(door, "block", *ANAS)
    wait_for(lambda: tries(door, ANAS[0]) == REFUSED["submission"], "the stricter")
    gate.run("quarantine", "release", "2", "--reason", "better")
    wait_for(lambda: tries(door, ANAS[0]) == REFUSED["mail"], "the milder")
    gate.run("quarantine", "release", "1", "--reason", "clean")
    meet(door, "open", *ANAS)


def test_a_quarantine_ends_by_the_clock(door, gate):
    subscriber(gate, "ana", *ANA, port25="open")
    began = time.time()
    quarantine(gate, "ana", "captive", "--for", "2s")
    meet(door, "block", *ANAS)
    meet(door, "open", *ANAS)
    assert 1.9 < time.time() - began < 3.5
    assert gate.json("quarantine", "list")["quarantines"] == []
    [past] = gate.json("quarantine", "list", "--all")["quarantines"]
    assert past["subscriber"] == "ana"
    wait_for(lambda: "captive" not in "".join(line for line in table(door.router).splitlines() if "jump" in line), "no captive chain")


def test_a_quarantine_follows_the_subscriber_and_leaves_the_next_holder_free(door, gate):
    for name in ("eva", "next"):
        subscriber(gate, name, line=f"user:{name}", port25="open")
    gate.run("lease", "add", "198.51.100.60", "--line", "user:eva")
    gate.run("lease", "add", "2001:db8:100:6000::/56", "--line", "user:eva")
    meet(door, "open", "198.51.100.60", "2001:db8:100:6000::1")
    quarantine(gate, "eva")
    meet(door, "block", "198.51.100.60", "2001:db8:100:6000::1")
    gate.run("lease", "end", "198.51.100.60", "--line", "user:eva")
    gate.run("lease", "add", "198.51.100.60", "--line", "user:next")
    meet(door, "open", "198.51.100.60")
    gate.run("lease", "add", "198.51.100.61", "--line", "user:eva")
    meet(door, "block", "198.51.100.61", "2001:db8:100:6000::1")
    assert door.meets("198.51.100.60") == "open"
    # a lease whose time ends by itself
    ends, _ = stamp(time.time() + 1)
    gate.run("lease", "add", "100.64.6.6", "--line", "user:eva", "--until", ends)
    meet(door, "block", "100.64.6.6")
    meet(door, "open", "100.64.6.6")


def test_who_shares_an_address_is_not_in_the_kernel(door, gate):
    for name, ports in (("eva", "1024-2047"), ("ana", "2048-3071")):
        subscriber(gate, name, line=f"user:{name}")
        gate.run("lease", "add", "100.64.9.9", "--line", f"user:{name}", "--ports", ports, "--proto", "tcp")
    quarantine(gate, "eva", "captive")
    subscriber(gate, "end", "198.51.100.99", port25="open")
    meet(door, "open", "198.51.100.99")
    assert door.meets("100.64.9.9") == "open" and door.meets("100.64.9.9", port=80) == "open"
    told = by_ledger(gate).run("explain", "eva").stdout
    assert "place the gate inside the CGNAT" in told and told.splitlines()[0].endswith(": open")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("home", ["open", "observe", "shift", "divert", "trap"])
def test_open_sessions_end_at_their_next_packet(door, gate, home, family):
    """By a quarantine, by an own strategy, and by a new generation; the neighbour's lives."""
    gate.policy(policy(home, MORE))
    gate.run("apply")
    sources = {"v4": ("198.51.100.20", "198.51.100.30", "198.51.100.40"),
               "v6": ("2001:db8:100:2000::10", "2001:db8:100:3000::10", "2001:db8:100:4000::10")}[family]
    for name, source in zip(("ana", "bia"), sources):
        subscriber(gate, name, source)
    held = [door.session(source) for source in sources]
    assert [session.say("EHLO home.example.net")[:3] for session in held] == ["250"] * 3
    quarantine(gate, "ana")
    gate.run("subscriber", "set", "bia", "--port25", "block")
    wait_for(lambda: door.meets(sources[0]) == door.meets(sources[1]) == "block", "the block")
    assert [session.probe().kind for session in held] == ["reset", "reset", "alive"]
    gate.policy(policy("block", MORE))
    gate.run("apply")
    assert held[2].probe().kind == "reset"
    for session in held:
        session.close()


def test_a_quarantine_holds_on_both_sides_of_a_trial(door, gate):
    gate.policy(policy("observe", MORE))
    gate.run("apply", "--confirm", "1h")
    subscriber(gate, "ana", *ANA, port25="open")
    subscriber(gate, "bia", "198.51.100.30", port25="trap")      # no rule looks for this yet, in either
    quarantine(gate, "ana", "captive")
    meet(door, "trap", "198.51.100.30")
    meet(door, "block", *ANAS)
    assert len(markers(door.router)) == 2 and door.meets(HOME.v4) == "open"
    end_trial(door.router)
    meet(door, "block", HOME.v4, *ANAS)
    assert door.meets("198.51.100.30") == "trap"
    assert {source: tries(door, source) for source in ANAS} == dict.fromkeys(ANAS, REFUSED["captive"])


# --- who may not be cut, and who must be told first

@pytest.mark.parametrize("name, options", [("hospital", {}), ("alarm", {"never_cut": "yes"})])
def test_never_cut_needs_a_second_person(door, gate, name, options):
    subscriber(gate, name, "100.64.1.1", **options)
    for words in ((), ("--approved-by", "root"), ("--approved-by", "ROOT"), ("--approved-by", "root(0)"), ("--approved-by", " ")):
        refused = quarantine(gate, name, "mail", *words, status=1)
        assert "never cut" in refused.stderr and refused.stdout == ""
    assert gate.json("quarantine", "list")["quarantines"] == [] and door.meets("100.64.1.1") == "open"
    quarantine(gate, name, "mail", "--approved-by", "maria")
    meet(door, "block", "100.64.1.1")
    [row] = gate.json("quarantine", "list")["quarantines"]
    assert (row["approved_by"], row["author"]) == ("maria", "root(0)")


def test_told_first_refuses_a_quarantine_until_told(door, gate):
    subscriber(gate, "bank", "192.0.2.20")                                   # in a pool of that class
    subscriber(gate, "firm", "100.64.1.1", **{"class": "corporate"})         # of his own
    for name in ("bank", "firm"):
        refused = quarantine(gate, name, status=1)
        assert "told-first" in refused.stderr and f"subscriber told {name} --by letter" in refused.stderr
    assert {door.meets(source) for source in ("192.0.2.20", "100.64.1.1")} == {"open"}
    for name in ("bank", "firm"):
        gate.run("subscriber", "told", name, "--by", "letter")
        quarantine(gate, name)
    meet(door, "block", "192.0.2.20", "100.64.1.1")


def test_told_first_counts_who_is_away(gate):
    """His own class meets the wave at whatever address he comes back."""
    subscriber(gate, "away", **{"class": "corporate"})
    subscriber(gate, "bank", "192.0.2.20")
    gate.run("subscriber", "told", "bank", "--by", "letter")
    gate.policy(policy("block", MORE + "wave all { from 2020-01-01  class corporate  port25 block }"))
    assert "1 customer was not told: away" in gate.run("check", status=1).stderr
    gate.run("subscriber", "told", "away", "--by", "letter")
    gate.run("check")


def test_told_first_refuses_a_wave_until_all_are_told(door, gate):
    before = markers(door.router)
    gate.policy(policy("block", MORE + "wave all { from 2020-01-01  class corporate  port25 block }"))
    for subscribers, wanted in (([], "nobody in pool fixed"), (["bank", "firm"], "2 customers were not told: bank, firm")):
        for number, name in enumerate(subscribers):
            subscriber(gate, name, f"192.0.2.{20 + number}")
        for command in ("check", "apply"):
            refused = gate.run(command, status=1)
            assert wanted in refused.stderr and "note: promised here" in refused.stderr
    gate.run("subscriber", "told", "bank", "--by", "letter")
    assert "1 customer was not told: firm" in gate.run("apply", status=1).stderr
    assert markers(door.router) == before and door.meets("192.0.2.20") == "open"
    gate.run("subscriber", "told", "firm", "--by", "phone")
    gate.run("apply")
    meet(door, "block", "192.0.2.20", "192.0.2.21", "192.0.2.200")


def test_told_first_is_kept_for_who_came_after_the_wave(door, gate):
    """`apply` could not know of him: he is observed until somebody notes that he was told."""
    subscriber(gate, "bank", "192.0.2.20")
    gate.run("subscriber", "told", "bank", "--by", "letter")
    gate.policy(policy("block", MORE + "wave all { from 2020-01-01  class corporate  port25 block }"))
    gate.run("apply")
    subscriber(gate, "newcomer", "192.0.2.30", "2001:db8:200:30::/64")
    meet(door, "open", "192.0.2.30", "2001:db8:200:30::1")
    meet(door, "block", "192.0.2.20")
    answer = gate.json("explain", "newcomer")["answers"][0]
    assert answer["strategy"] == "observe" and any(step["what"] == "promise" and step["decided"] for step in answer["steps"])
    gate.run("exemption", "add", "198.51.100.250", "--until", "2099-01-01", "--owner", "noc", "--reason", "a plan anew")
    meet(door, "open", "192.0.2.30", "2001:db8:200:30::1")
    gate.run("subscriber", "told", "newcomer", "--by", "letter")
    meet(door, "block", "192.0.2.30", "2001:db8:200:30::1", "192.0.2.20")


# --- many at once

def test_a_thousand_changes_in_a_burst(door, gate, tmp_path, record_property):
    """One transaction of the ledger, as an import is; and back."""
    def wanted(port25):
        rows = (f"c{n},,,{port25},,,,,,,100.64.{16 + n // 250}.{1 + n % 250}" for n in range(1000))
        path = tmp_path / "people.csv"
        path.write_text("\n".join(["id,name,class,port25,language,email,phone,post,never_cut,lines,addresses", *rows]) + "\n")
        return path
    first, last = "100.64.16.1", "100.64.19.250"
    gate.run("subscriber", "import", wanted(""))
    for port25, met, there in (("block", "block", 1000), ("", "open", 0)):
        path = wanted(port25)
        gate.run("subscriber", "import", path)
        began = time.monotonic()
        wait_for(lambda: len(elements(door.router, "own_block4_32")) == there, f"{there} elements", timeout=20)
        record_property(f"burst_to_{there}_s", round(time.monotonic() - began, 3))
        meet(door, met, first, last)
    assert door.meets("100.64.20.1") == "open"


def test_many_hands_at_once(door, gate):
    """Quarantines by commands that run side by side: none is lost."""
    names = [f"q{n}" for n in range(40)]
    rows = "\n".join(f"{name},,,,,,,,,,100.64.30.{n + 1}" for n, name in enumerate(names))
    gate.run("subscriber", "import", "-", status=0,
             input="id,name,class,port25,language,email,phone,post,never_cut,lines,addresses\n" + rows + "\n")
    running = [gate.start("quarantine", "add", name, "--level", "mail", "--reason", "burst") for name in names]
    assert [process.wait(20) for process in running] == [0] * len(names)
    wait_for(lambda: len(elements(door.router, "mail4_32")) == len(names), "all of them")
    assert len(gate.json("quarantine", "list")["quarantines"]) == len(names)
    meet(door, "block", *(f"100.64.30.{n + 1}" for n in range(0, 40, 13)))
