# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the control side share: a door with every customer behind it, and what stands in its kernel.

    def test_x(door, porteiro):                         # `from control import door`, a fixture
        porteiro = porteiro.at(door.router)
        porteiro.policy(policy(home="block"))
        porteiro.run("apply")
        assert door.meets("198.51.100.10") == "block"   # what a customer with this address meets on port 25 outside
        assert stands(door.router) == planned(porteiro, door)

One box plays every customer: all of CUSTOMERS is routed to it and is its own, so any of these may be a source. Outside
answers on 25 and 587, and on the router a plain listener stands behind divert and trap.
"""
import contextlib
import copy
import datetime
import json
import os
import re
import shutil
import signal
import time

import lab as lab_package
import pytest
from lab import Lab, Listener, Place, Session, knock, wait_for
from lab.listener import ROLES

CUSTOMERS = ("192.0.2.0/24", "198.51.100.0/24", "100.64.0.0/10", "2001:db8:100::/40", "2001:db8:200::/47")
OUTSIDE = Place("203.0.113.130", "2001:db8:ffff::130")
MX = Place("203.0.113.25", "2001:db8:b01a:70da::25")
# An ISP's own resolver: what a captive customer may still reach.
REACH = Place("203.0.113.53", "2001:db8:b01a:70da::53")
# The router's own address towards its customers.
NEAR = Place("10.0.0.1", "fd00::1")
HOME = Place("198.51.100.10", "2001:db8:100:1000::10")
FAMILIES = ("v4", "v6")
ROLES.setdefault("submission", ROLES["divert"])

NETWORK = """
network "Lab" { timezone America/Sao_Paulo }
server mx { address 203.0.113.25, 2001:db8:b01a:70da::25 }
class corporate { port25 open  promise told-first }
pool fixed { class corporate  prefix 192.0.2.0/24, 2001:db8:200::/48 delegated 64 }
"""


def policy(home="block", more=""):
    """Pools of two classes: home does as said, corporate is open."""
    return NETWORK + f"""
class home {{ port25 {home} }}
pool town {{ class home  prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56 }}
""" + more


class Door:
    """A router to stand the gate on, `home` before it and `outside` behind; owns its lab."""

    def __init__(self):
        self.lab = Lab()
        try:
            self._build()
        except BaseException:
            self.lab.close()
            raise

    def _build(self):
        self.router, self.home = self.lab.host("router", forward=True), self.lab.host("home")
        self.outside = self.lab.host("outside")
        self.lab.link(self.router, self.home)
        self.lab.link(self.router, self.outside)
        self.router.ip("addr add 10.0.0.1/24 dev home", "addr add fd00::1/64 dev home nodad",
                       "addr add 10.0.1.1/24 dev outside", "addr add fd00:1::1/64 dev outside nodad",
                       "route add default via 10.0.1.2", "route add default via fd00:1::2",
                       *(f"route add {net} via {'fd00::2' if ':' in net else '10.0.0.2'}" for net in CUSTOMERS))
        self.home.ip("addr add 10.0.0.2/24 dev eth0", "addr add fd00::2/64 dev eth0 nodad",
                     "route add default via 10.0.0.1", "route add default via fd00::1",
                     *(f"route add local {net} dev lo" for net in CUSTOMERS))
        self.outside.ip("addr add 10.0.1.2/24 dev eth0", "addr add fd00:1::2/64 dev eth0 nodad",
                        "route add default via 10.0.1.1", "route add default via fd00:1::1",
                        *(f"addr add {place.on(family)}/{'32' if family == 'v4' else '128'} dev lo"
                          for place in (OUTSIDE, MX, REACH) for family in FAMILIES))
        self.outside.v4 = "10.0.1.2"
        both = lambda *places: [place.on(family) for place in places for family in FAMILIES]  # noqa: E731
        Listener(self.outside, 25, addresses=both(OUTSIDE, MX, REACH))
        for port in (465, 587):
            Listener(self.outside, port, role="submission", addresses=both(OUTSIDE, MX))
        Listener(self.outside, 80, addresses=both(OUTSIDE, REACH))
        Listener(self.router, 80, addresses=both(NEAR))
        for port, role in ((2525, "divert"), (2526, "trap")):
            Listener(self.router, port, role=role, transparent=True)

    def meets(self, source, port=25, place=OUTSIDE, timeout=1.0):
        """The strategy by what is met: open (observe looks alike), shift, divert, trap, block; else how it ended."""
        outcome = knock(self.home, place.on("v6" if ":" in source else "v4"), port, source=source, timeout=timeout)
        if outcome.kind == "reset":
            return "block"
        if outcome.kind != "banner":
            return outcome.kind
        role = outcome.text.split()[1].partition(".")[0]
        if port == 25:
            return {"sink": "open", "submission": "shift"}.get(role, role)
        return "open"

    def session(self, source, place=OUTSIDE, port=25):
        """A conversation held open."""
        return Session(self.home, place.on("v6" if ":" in source else "v4"), port, source=source)

    def scratch(self):
        """A namespace to load things into that nobody uses."""
        return self.lab.hosts.get("scratch") or self.lab.host("scratch")


@pytest.fixture
def door(porteiro):
    reason = lab_package.missing("nft", "tproxy", "nflog", "fib")
    if reason:
        pytest.skip(reason)
    built = Door()
    yield built
    porteiro.close()
    built.lab.close()


# --- the duties

def duties(porteiro, *names):
    """Start these duties and wait until each is at work; returns their processes."""
    started = []
    for name in names or ("keeper", "gate"):
        process = porteiro.start("duty", name)
        wait_for(lambda: settled(process, name), f"duty {name} ({process.log})")
        started.append(process)
    return started


def settled(process, name):
    assert process.poll() is None, process.log.read_text()
    return {"keeper": "keeper-ready", "gate": "locked-in"}.get(name, "started") in process.log.read_text()


def kill(*processes):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# --- the kernel

def ruleset(host):
    """All tables as text, without elements and counts."""
    return host.run("nft", "-t", "-s", "list", "ruleset").stdout


def ruleset_with_people(host):
    """All tables as text, with the elements that were written, without those that packets put there and time takes away."""
    rules = host.run("nft", "-s", "list", "ruleset").stdout
    return re.sub(r"\n\s*elements = \{[^}]*\blimit rate\b[^}]*\}", "", rules)


def fingerprint(host):
    """All that a command which fails must leave alone: rules with their elements, policy routing."""
    rules = ruleset_with_people(host)
    routes = [host.run("ip", family, *what).stdout for family in ("-4", "-6")
              for what in (("rule", "list"), ("route", "list", "table", "2500"))
              if what[0] == "rule" or "2500" in host.run("ip", family, "rule", "list").stdout]
    return rules, routes


def table(host, name="inet porteiro"):
    """Our table as text, "" where there is none."""
    return host.run("nft", "-t", "-s", "list", "table", *name.split(), check=False).stdout


def markers(host, text=None):
    """Which generations stand: {slot letter: (generation, hash of its rules)}; with `text`, in this listing of ours."""
    found = re.findall(r"chain generation_(\d+)_([0-9a-f]{16})_(\w) ", text or table(host))
    return {letter: (int(n), digest) for n, digest, letter in found}


def door_rules(host, text=None):
    """The rules of the base chain, in order."""
    match = re.search(r"\tchain door \{\n(.*?)\n\t\}", text or table(host), re.S)
    return [line.strip() for line in match[1].splitlines()[1:]] if match else None


def stands(host, text=None):
    """The one generation that the door leads to, as {(kind, name): body} with slot letter and generation number taken
    out, and without counters, which outlive generations. Fails where it leads to two, to none, or to a half. What it
    does not lead to (a slot that is just being made or taken away) is not looked at."""
    text = text or table(host)
    rules = door_rules(host, text)
    assert rules and re.fullmatch(r"goto entry_\w", rules[0]) and len(rules) == 1, rules
    letter = rules[0][-1]
    assert letter in markers(host, text)
    return blocks(text, letter)


def planned(porteiro, door, *words):
    """What `plan` says ought to stand, in the same form."""
    scratch = door.scratch()
    scratch.nft("flush ruleset\n" + porteiro.run("plan", *words).stdout)
    return stands(scratch)


def blocks(text, letter):
    """What is of this slot in a listing, and what is of none."""
    found = {}
    for kind, name, body in re.findall(r"^\t(set|map|chain) (\S+) \{\n(.*?)^\t\}$", text, re.S | re.M):
        name = re.sub(r"^generation_\d+_", "generation_", name)
        other = re.search(r"_([a-c])$", name)
        if name == f"trial_{letter}" or other and other[1] != letter:       # nothing looks at a trial that is over
            continue
        assert other or name in ("flood4", "flood6", "door", "nat"), name
        found[kind, re.sub(f"_{letter}$", "_", name)] = re.sub(rf"_{letter}\b", "_", body)
    return found


def elements(host, name):
    """The elements of a set in any slot, as nft prints them; [] where there is no such set."""
    found = []
    for letter in markers(host):
        done = host.run("nft", "-j", "list", "set", "inet", "porteiro", f"{name}_{letter}", check=False)
        if done.returncode == 0:
            [told] = [each["set"] for each in json.loads(done.stdout)["nftables"] if "set" in each]
            found += told.get("elem", [])
    return found


def trial_left(host):
    """Seconds the trial's element has still to live; None where none lives."""
    return next((element["elem"]["expires"] for element in elements(host, "trial")), None)


def end_trial(host):
    """What the kernel's clock does when the time of a trial is over."""
    for letter in markers(host):
        host.run("nft", "flush", "set", "inet", "porteiro", f"trial_{letter}", check=False)


# --- the ledger

def by_ledger(porteiro):
    """The same, with no policy file at hand: commands go by the generation in force."""
    twin = copy.copy(porteiro)
    twin.conf = porteiro.folder / "no.conf"
    return twin


def generations(porteiro):
    """{number: row} as `generations` tells them."""
    return {row["number"]: row for row in porteiro.json("generations")["generations"]}


def in_force(porteiro):
    """The number of the one in force; None."""
    [number] = [n for n, row in generations(porteiro).items() if row["in_force"]] or [None]
    return number


def moment(text):
    """Seconds since 1970 of a time as --json tells it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def stamp(seconds):
    """A time as the command line and the policy take it, to the second, upwards; and its seconds."""
    whole = int(seconds) + 1
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(whole)), whole


# --- a machine that lacks something

def under(porteiro, script):
    """The same program, started by this shell script, in a mount namespace of its own, as "$@"."""
    twin = copy.copy(porteiro)
    plain = porteiro._command

    def command(words):
        argv = plain(words)
        at = argv.index(porteiro.program)
        return [*argv[:at], "unshare", "-m", "sh", "-ec", script + '\nexec "$@"', "sh", *argv[at:]]

    twin._command = command
    return twin


def other_nft(porteiro, script):
    """A shell script in the place of nft; the real one is $NFT."""
    real, wrapper = porteiro.folder / "nft-real", porteiro.folder / "nft-other"
    if not real.exists():
        shutil.copy("/usr/sbin/nft", real)
    wrapper.write_text(f"#!/bin/sh\nNFT={real}\n{script}\n")
    wrapper.chmod(0o755)
    return under(porteiro, f"mount --bind {wrapper} /usr/sbin/nft")
