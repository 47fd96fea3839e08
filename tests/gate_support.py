# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the gate share: small policies, and a gate in the lab's router.

    gate.apply(home1="block", business="open")              one class and one pool for each customer named
    gate.apply('server mx { address 203.0.113.25 }', home1="block")
    gate.load('network "Lab" ...')                          a whole policy
    gate.attempts("class-home1", "block")                   connection attempts counted since
"""
import contextlib
import inspect
import os

import pytest

from conftest import PROGRAM
from lab import Capture, Session, knock
from support import Porteiro, clean

NETWORK = 'network "Lab" { domain example.net.br  timezone America/Sao_Paulo  language en }\n'
PREFIXES = {
    "home1": "198.51.100.10/32, 2001:db8:100:1000::/56 delegated 56, 2001:db8:201:10::/64",
    "home2": "198.51.100.11/32, 2001:db8:100:1100::/56 delegated 56, 2001:db8:201:11::/64",
    "infected": "198.51.100.66/32, 2001:db8:100:6600::/56 delegated 56, 2001:db8:201:66::/64",
    "legacy": "198.51.100.20/32, 2001:db8:100:2000::/56 delegated 56, 2001:db8:201:20::/64",
    "business": "192.0.2.10/32, 2001:db8:200:10::/64",
}
SERVERS = ('server mx { address 203.0.113.25, 2001:db8:b01a:70da::25 }\n'
           'server submission { address 203.0.113.26, 2001:db8:b01a:70da::26 }\n')


def both_families(test):
    """Run a test's body for v4, then for v6, in one lab; what it loads again unchanged is not loaded again."""
    def run(*args, **named):
        for family in ("v4", "v6"):
            try:
                test(*args, family=family, **named)
            except Exception as error:
                error.add_note(f"family {family}")
                raise

    signature = inspect.signature(test)
    run.__signature__ = signature.replace(parameters=[each for each in signature.parameters.values() if each.name != "family"])
    run.__name__, run.__doc__ = test.__name__, test.__doc__
    if hasattr(test, "pytestmark"):
        run.pytestmark = test.pytestmark
    return run


def customers(**strategies):
    """One class and one pool for each, named after the host."""
    return "".join(f"class {name} {{ port25 {strategy} }}\npool {name} {{ class {name}  prefix {PREFIXES[name]} }}\n"
                   for name, strategy in strategies.items())


class Gate:
    """porteiro in the lab's router, or in another host."""

    def __init__(self, lab, porteiro, host=None):
        self.lab, self.porteiro = lab, porteiro.at(host or lab.router)
        self._loaded, self._subscribers, self._before = None, [], {}

    def load(self, text):
        """Apply a whole policy; counters are counted from now on."""
        if text != self._loaded:
            self.porteiro.policy(text)
            self.porteiro.run("apply")
            self._loaded = text
        self.count_anew()

    def count_anew(self):
        self._before = self._counters()

    def apply(self, *blocks, **strategies):
        return self.load(NETWORK + "\n".join(blocks) + "\n" + customers(**strategies))

    def run(self, *words, **named):
        self._loaded = None
        return self.porteiro.run(*words, **named)

    def _counters(self):
        return {(row["who"], row["strategy"]): row for row in self.porteiro.json("counters")["counters"]}

    def counter(self, who, strategy):
        """attempts, packets and bytes since load(); zeros where nothing counts."""
        now, before = (rows.get((who, strategy), {}) for rows in (self._counters(), self._before))
        return {word: now.get(word, 0) - before.get(word, 0) for word in ("attempts", "packets", "bytes")}

    def attempts(self, who, strategy):
        return self.counter(who, strategy)["attempts"]

    def packets(self, who, strategy):
        return self.counter(who, strategy)["packets"]

    def subscriber(self, who, *addresses, **options):
        """A subscriber with static addresses, by default those of the lab's host of that name. Asked for again: nothing."""
        if (who, addresses, options) in self._subscribers:
            return
        self._subscribers.append((who, addresses, options))
        host = self.lab.hosts.get(who)
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        for address in addresses or (f"{host.v4}/32", str(host.delegated)):
            words += ["--address", address]
        self.run("subscriber", "add", who, *words)


@pytest.fixture
def gate(lab, porteiro):
    return Gate(lab, porteiro)


@contextlib.contextmanager
def standing_gate(lab, folder):
    """A gate for all the tests of a module that only send packets: no test's own `lab` takes its rules away."""
    if not os.access(PROGRAM, os.X_OK):
        pytest.skip(f"{PROGRAM} is not built: run make")
    clean(lab)
    program = Porteiro(PROGRAM, folder)
    yield Gate(lab, program)
    program.close()
    clean(lab)


def reset_at_once(outcome):
    return outcome.kind == "reset" and outcome.stage == "connect" and outcome.elapsed < 1


def greeted(outcome, name="mx.example.org"):
    return outcome.kind == "banner" and outcome.text.startswith(f"220 {name} ")


def back_passes(lab, host, family, source=None):
    """Does a SYN-ACK out of the blue, from port 25 of the outside, reach the host?"""
    from lab.packets import send, syn
    packet = syn(source or lab.mx_org.on(family), host.on(family), dport=40025, sport=25, flags="SA")
    with Capture(host) as seen:
        return seen.passed(send(lab.outside, packet), lab.outside)


def gets_out(lab, sender, packet, marker=None):
    """Does this crafted packet reach the outside, all behind its IP header unchanged?"""
    from lab.packets import send
    with Capture(lab.outside) as seen:
        return seen.passed(send(sender, packet), marker or sender)


def hold(lab, name, family):
    """A session with the MX outside that has said hello, to be looked at after the gate changed."""
    held = Session(lab.hosts[name], lab.mx_org.on(family))
    assert held.say(f"EHLO {name}.example.net").startswith("250")
    return held


__all__ = ["NETWORK", "PREFIXES", "SERVERS", "Gate", "back_passes", "both_families", "customers", "gate", "gets_out", "greeted",
           "hold", "knock", "reset_at_once", "standing_gate"]
