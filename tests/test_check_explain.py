# SPDX-License-Identifier: GPL-3.0-or-later
"""What check, plan, explain and generations say: the same every time, in the shape that is documented, and true."""
import datetime
import ipaddress
import json
import os
import random
import re
import subprocess
import time

import pytest
from control import CUSTOMERS, HOME, OUTSIDE, by_ledger, door, duties, generations, policy, stamp  # noqa: F401
from lab import knock, wait_for

STRATEGIES = ("open", "observe", "shift", "divert", "trap", "block")
WAVES = """
wave first  { from 2030-01-01  class home  port25 observe }
wave second { from 2031-01-01  pool town   prefix 198.51.100.0/25  port25 trap }
exempt "Printer" { prefix 198.51.100.200  until 2030-06-30  owner noc@example.net.br  reason "no TLS" }
"""


def explain(porteiro, *words):
    """[(strategy, [what of the steps that were looked at], the one that decided)] for each answer."""
    told = porteiro.json("explain", *words)
    assert told["version"] == 1
    found = []
    for answer in told["answers"]:
        assert set(answer) == {"address", "at", "strategy", "steps"}
        decided = [step for step in answer["steps"] if step["decided"]]
        found.append((answer["strategy"], [step["what"] for step in answer["steps"]], decided[0] if decided else None))
    return found


def strategy(porteiro, *words):
    [(found, _, _)] = explain(porteiro, *words)
    return found


# --- shapes

def test_json_shapes(porteiro):
    porteiro.policy(policy("block", WAVES))
    told = porteiro.json("check")
    assert (told["version"], told["right"], told["errors"], told["warnings"], told["messages"]) == (1, True, 0, 0, [])
    told = porteiro.json("explain", HOME.v4)
    assert told["version"] == 1 and told["answers"][0]["address"] == HOME.v4
    told = porteiro.json("plan", "--at", "2030-06-01")
    assert told["version"] == 1 and told["ruleset"] == porteiro.run("plan", "--at", "2030-06-01").stdout
    told = porteiro.json("generations")
    assert told == {"version": 1, "generations": []}
    porteiro.policy(policy("block", "polcy { }"))
    told = json.loads(porteiro.run("check", "--json", status=1).stdout)
    assert (told["version"], told["right"], told["errors"]) == (1, False, 1)
    [wrong] = told["messages"]
    place = wrong["file"], wrong["line"], wrong["column"], wrong["level"]
    assert place == (str(porteiro.conf), porteiro.conf.read_text().count("\n") + 1, 1, "error") and "polcy" in wrong["message"]


def test_json_of_an_applied_policy(door, porteiro):
    porteiro = porteiro.at(door.router)
    porteiro.policy(policy())
    porteiro.run("apply", "--reason", 'of "many"\twords \u00e9')
    [row] = porteiro.json("generations")["generations"]
    assert {key: row[key] for key in ("number", "in_force", "state", "trial_until", "author", "why")} == {
        "number": 1, "in_force": True, "state": "confirmed", "trial_until": None, "author": "root(0)",
        "why": 'of "many"\twords \u00e9'}
    assert re.fullmatch("[0-9a-f]{64}", row["hash"])
    told = porteiro.json("counters")
    assert told["version"] == 1 and {"who", "strategy", "attempts", "packets", "bytes"} == set(told["counters"][0])
    for words in (("audit",), ("quarantine", "list"), ("exemption", "list"), ("lease", "list"), ("subscriber", "list"),
                  ("sightings",), ("suspects",)):
        assert porteiro.json(*words)["version"] == 1


# --- check

def test_check_says_right_and_is_quiet(porteiro):
    porteiro.policy(policy())
    done = porteiro.run("check")
    assert done.stderr == "" and re.fullmatch(rf"{re.escape(str(porteiro.conf))}: right: 2 pools.*\n", done.stdout)
    assert not porteiro.state.exists()              # it writes nothing


# --- plan is pure

def test_the_plan_is_the_same_wherever_and_whoever_asks(porteiro, tmp_path):
    porteiro.policy(policy("shift", WAVES))
    wanted = porteiro.run("plan", "--at", "2030-06-01").stdout
    assert "porteiro" in wanted
    os.chmod(porteiro.conf, 0o644)
    command = [porteiro.program, "plan", "--at", "2030-06-01", "--state", str(porteiro.state)]
    for environment in ({"TZ": "Asia/Tokyo"}, {"TZ": "America/Los_Angeles", "LC_ALL": "pt_BR.UTF-8"}, {"TZ": ":broken"}, {}):
        for folder in (tmp_path, "/"):
            conf = porteiro.conf if folder == "/" else porteiro.conf.name
            done = subprocess.run([*command, "-c", conf], cwd=folder, env={"PATH": "/bin"} | environment, text=True,
                                  capture_output=True, check=True)
            assert done.stdout == wanted, environment
    assert not porteiro.state.exists()


def test_the_plan_changes_with_the_dates_and_only_then(porteiro):
    porteiro.policy(policy("block", WAVES))
    # the first instant of a day in the network's zone, three hours west of UTC
    cuts = ["2030-01-01T02:59:59Z", "2030-01-01T03:00:00Z", "2030-07-01T02:59:59Z", "2030-07-01T03:00:00Z", "2031-01-01T02:59:59Z",
            "2031-01-01T03:00:00Z"]
    texts = [porteiro.run("plan", "--at", at).stdout for at in cuts]
    assert texts[1] == texts[2] and texts[3] == texts[4]
    assert len(set(texts)) == 4
    assert porteiro.run("plan", "--at", "2030-01-01").stdout == texts[1]
    assert porteiro.run("plan", "--at", "2029-12-31").stdout == texts[0]


def test_the_difference_to_what_is_in_force(door, porteiro):
    porteiro = porteiro.at(door.router)
    porteiro.policy(policy("block"))
    assert porteiro.run("plan", "--diff").stdout.startswith("--- in force\n+++ planned\n")
    porteiro.run("apply")
    assert porteiro.run("plan", "--diff").stdout == ""
    porteiro.policy(policy("block", "pool more { class home  prefix 100.64.0.0/16 }"))
    changed = [line for line in porteiro.run("plan", "--diff").stdout.splitlines()[2:] if line[0] in "+-"]
    assert any("100.64.0.0-100.64.255.255" in line and line[0] == "+" for line in changed) and len(changed) < 8


# --- explain

def test_explain_names_the_line_that_decided(porteiro):
    porteiro.policy(policy("block", WAVES))
    lines = {name: number for number, line in enumerate(porteiro.conf.read_text().splitlines(), 1)
             for name in re.findall(r"^(?:class|pool|wave|exempt|server) \"?(\w+)", line)}
    for words, wanted, what, name in (
            ([HOME.v4], "block", "class", "home"), ([HOME.v6], "block", "class", "home"),
            ([HOME.v4, "--at", "2030-02-01"], "observe", "wave", "first"),
            ([HOME.v6, "--at", "2031-02-01"], "observe", "wave", "first"),
            ([HOME.v4, "--at", "2031-02-01"], "trap", "wave", "second"),
            (["198.51.100.200"], "open", "exemption", "Printer"),
            (["198.51.100.200", "--at", "2030-06-30"], "open", "exemption", "Printer"),
            (["198.51.100.200", "--at", "2030-07-01"], "observe", "wave", "first"),
            (["203.0.113.25"], "open", "own server", "mx")):
        [(found, _, decided)] = explain(porteiro, *words)
        assert (found, decided["what"]) == (wanted, what), words
        assert decided["place"].startswith(f"{porteiro.conf}:{lines[name]}:"), (words, decided)
    assert "no customer" in strategy(porteiro, "203.0.113.99")
    text = porteiro.run("explain", HOME.v4).stdout
    assert text.startswith(f"{HOME.v4} at ") and "-03:00" in text.splitlines()[0].replace("-0300", "-03:00")
    assert [line for line in text.splitlines() if "\u25ba" in line] and "not yet" in text


def test_explain_refuses_what_it_does_not_know(porteiro):
    porteiro.policy(policy())
    assert "no ledger" in porteiro.run("explain", "ana", status=1).stderr
    porteiro.run("subscriber", "add", "ana")
    assert "holds no address" in porteiro.run("explain", "ana", status=1).stderr
    assert "neither an address nor a subscriber" in porteiro.run("explain", "bia", status=1).stderr


def test_the_past_is_explained_by_what_was_in_force_then(door, porteiro):
    """Policy, holder and quarantine of that time, not of now."""
    porteiro = porteiro.at(door.router)

    def second():
        """A whole second that has passed since all before, and before all after."""
        at, seconds = stamp(time.time())
        wait_for(lambda: time.time() > seconds + 0.01, "the next second")
        return at

    porteiro.policy(policy("block"))
    porteiro.run("subscriber", "add", "ana", "--line", "user:ana", "--port25", "trap")
    porteiro.run("subscriber", "add", "bia", "--line", "user:bia")
    porteiro.run("lease", "add", HOME.v4, "--line", "user:ana")
    before = second()
    porteiro.run("apply")
    first = second()
    porteiro.run("quarantine", "add", "ana", "--level", "submission", "--reason", "spam")
    in_quarantine = second()
    porteiro.run("quarantine", "release", "ana", "--reason", "clean")
    porteiro.run("lease", "end", HOME.v4, "--line", "user:ana")
    porteiro.run("lease", "add", HOME.v4, "--line", "user:bia")
    porteiro.policy(policy("observe"))
    porteiro.run("apply")
    ledger = by_ledger(porteiro)
    assert strategy(ledger, HOME.v4) == "observe"
    assert strategy(ledger, HOME.v4, "--at", first) == "trap"
    assert "587" in strategy(ledger, HOME.v4, "--at", in_quarantine)
    assert strategy(ledger, HOME.v6) == "observe" and strategy(ledger, HOME.v6, "--at", first) == "block"
    # with a file named, that file decides, at any time; before the first generation there is nothing but a file
    assert strategy(porteiro, HOME.v6, "--at", first) == "observe"
    assert ledger.run("explain", HOME.v4, "--at", before, status=1).stderr


# --- explain and the kernel agree

class World:
    """A random policy over what Door owns, with random people in the ledger."""

    def __init__(self, chance):
        self.chance = chance
        self.nets = [net for whole in CUSTOMERS for net in self._carve(ipaddress.ip_network(whole))]
        self.addresses = set()
        self.people = []

    def _carve(self, whole):
        """Disjoint prefixes inside, with gaps."""
        found = []
        room = [whole]
        longest = 30 if whole.version == 4 else 56
        while room and len(found) < 6:
            net = room.pop(self.chance.randrange(len(room)))
            if net.prefixlen >= longest or self.chance.random() < 0.25:
                found.append(net)
            else:
                room += net.subnets(1)
        return [net for net in found if self.chance.random() < 0.8]

    def inside(self, net):
        """A prefix in the net, often one that touches its edge."""
        length = min(net.prefixlen + self.chance.randrange(0, 9), net.max_prefixlen)
        step = 1 << (net.max_prefixlen - length)
        count = net.num_addresses // step
        at = self.chance.choice((0, count - 1, self.chance.randrange(count)))
        return ipaddress.ip_network((int(net.network_address) + at * step, length))

    def policy(self):
        pick = self.chance.choice
        classes = [f"c{n}" for n in range(4)]
        text = ['network "World" { timezone UTC }']
        text += [f"class {name} {{ port25 {pick(STRATEGIES)} }}" for name in classes]
        pools = {}
        for net in self.nets:
            pools.setdefault(f"p{self.chance.randrange(6)}", []).append(net)
        for name, nets in pools.items():
            own = f"port25 {pick(STRATEGIES)}" if self.chance.random() < 0.3 else ""
            listed = ", ".join(f"{net} delegated 56" if net.version == 6 else str(net) for net in nets)
            text.append(f"pool {name} {{ class {pick(classes)}  {own}  prefix {listed} }}")
        for number in range(self.chance.randrange(6)):
            what = []
            if self.chance.random() < 0.5:
                what.append(f"pool {', '.join(self.chance.sample(list(pools), min(2, len(pools))))}")
            if self.chance.random() < 0.5:
                what.append(f"class {', '.join(self.chance.sample(classes, 2))}")
            if self.chance.random() < 0.6 or not what:
                what.append(f"prefix {', '.join(str(self.marked(pick(self.nets))) for _ in range(2))}")
            begins = pick(("2020-01-01", "2021-01-01", "2021-01-01", "2099-01-01"))
            text.append(f"wave w{number} {{ from {begins}  {'  '.join(what)}  port25 {pick(STRATEGIES)} }}")
        for number in range(2):
            ends = pick(("2021-01-01", "2099-01-01"))
            text.append(f'exempt "e{number}" {{ prefix {self.marked(pick(self.nets))}  until {ends}  owner o  reason r }}')
        return "\n".join(text) + "\n", classes

    def marked(self, net):
        """A prefix inside whose edges are asked for."""
        return self.edges(self.inside(net))

    def edges(self, net):
        for at in (int(net.network_address) - 1, int(net.network_address), int(net.broadcast_address), int(net.broadcast_address) + 1):
            self.addresses.add(ipaddress.ip_address(at) if at >= 1 << 32 or net.version == 4 else None)
        return net

    def csv(self, classes):
        rows, taken = ["id,name,class,port25,language,email,phone,post,never_cut,lines,addresses"], []
        for number in range(12):
            net = self.inside(self.chance.choice(self.nets))
            if net.prefixlen < (24 if net.version == 4 else 52) or any(net.overlaps(other) for other in taken if other.version == net.version):
                continue
            taken.append(self.edges(net))
            name = f"s{number}"
            self.people.append(name)
            rows.append(f"{name},,{self.chance.choice(['', '', *classes])},{self.chance.choice(['', '', *STRATEGIES])},,,,,,,{net}")
        return "\n".join(rows) + "\n"

    def asked(self, count):
        """Addresses to try: the edges of everything, and some from anywhere; only such as Door owns."""
        owned = [ipaddress.ip_network(net) for net in CUSTOMERS]
        for net in self.nets:
            self.edges(net)
            self.addresses.add(net[self.chance.randrange(net.num_addresses)])
        fit = sorted((a for a in self.addresses if a and any(a in net for net in owned if net.version == a.version)),
                     key=lambda a: (a.version, int(a)))
        return [str(a) for a in self.chance.sample(fit, min(count, len(fit)))]


def attempts(porteiro):
    done = porteiro.run("counters", "--json", status=None)
    found = {}
    for row in json.loads(done.stdout or '{"counters": []}')["counters"]:
        if row["who"] != "tunnel":
            found[row["strategy"]] = found.get(row["strategy"], 0) + row["attempts"]
    return found


@pytest.mark.parametrize("seed", range(10))
def test_what_is_explained_is_what_is_met(door, porteiro, seed):
    """For random policies and people: what explain says of an address is what a connection from it meets, and counted."""
    chance = random.Random(seed)
    porteiro = porteiro.at(door.router)
    world = World(chance)
    text, classes = world.policy()
    porteiro.policy(text)
    porteiro.run("subscriber", "import", "-", input=world.csv(classes))
    for name in world.people[:4]:
        if chance.random() < 0.6:
            porteiro.run("exemption", "add", name, "--until", "2099-01-01", "--owner", "o", "--reason", "r")
    for name in world.people[2:6]:
        if chance.random() < 0.6:
            porteiro.run("quarantine", "add", name, "--level", chance.choice(("mail", "captive")), "--reason", "r")
    porteiro.run("exemption", "add", world.marked(chance.choice(world.nets)), "--until", "2099-01-01", "--owner", "o", "--reason", "r")
    porteiro.run("apply")
    before, counted = attempts(porteiro), {}
    ledger = by_ledger(porteiro)
    for address in world.asked(40):
        said = explain(ledger, address)
        wanted = said[0][0]
        met = door.meets(address)
        if "quarantine" in wanted:
            assert met == "block", (address, said)
            continue
        assert met == {"observe": "open"}.get(wanted.partition(" ")[0], wanted.partition(" ")[0]), (address, said)
        if "no customer" not in wanted:
            counted[wanted] = counted.get(wanted, 0) + 1
    after = attempts(porteiro)
    assert {each: after.get(each, 0) - before.get(each, 0) for each in STRATEGIES} == {each: counted.get(each, 0) for each in STRATEGIES}


def test_a_plan_for_another_time_agrees_with_explain_at_that_time(door, porteiro):
    """The same policy on several dates: plan --at loaded as it is, explain --at asked."""
    porteiro = porteiro.at(door.router)
    home = "198.51.100."
    porteiro.policy(policy("block", f"""
        wave a {{ from 2030-01-01  class home  port25 observe }}
        wave b {{ from 2030-02-01  pool town  prefix {home}0/25, 2001:db8:100::/48  port25 shift }}
        wave c {{ from 2030-03-01  prefix {home}64/26  port25 block }}
        exempt "x" {{ prefix {home}80/28  until 2030-03-15  owner o  reason r }}"""))
    for month in range(1, 6):
        at = datetime.datetime(2030, month, 1, 12, tzinfo=datetime.timezone.utc) - datetime.timedelta(days=20 if month == 1 else 0)
        for day in (at, at + datetime.timedelta(days=14)):
            when = day.strftime("%Y-%m-%dT%H:%M:%SZ")
            door.router.nft("flush ruleset\n" + porteiro.run("plan", "--at", when).stdout)
            for address in (home + "1", home + "64", home + "80", home + "95", home + "96", home + "128", "2001:db8:100:1::1",
                            "2001:db8:101::1"):
                said = strategy(porteiro, address, "--at", when)
                assert door.meets(address) == {"observe": "open"}.get(said, said), (when, address, said)


def test_words_of_mail_logs_are_checked_before_a_policy_is_in_force(porteiro):
    """Kinds of events, categories and patterns are known only to what reads logs: a duty that ends on them would come too late."""
    wrong = ['mail-rule a { on rejct  pattern x  category own }', 'mail-rule a { on reject  pattern "(("  category own }',
             'mail-rule a { on reject  pattern x  category bounced }', 'mail-limit a { count lokal  by client  after 1 }',
             'mail-limit a { count auth_failed  by login  after 9  then suspend }']
    for text in wrong:
        porteiro.policy(policy("block", text))
        told = json.loads(porteiro.run("check", "--json", status=1).stdout)
        assert [(m["level"], m["line"]) for m in told["messages"] if m["line"]] == [("error", porteiro.conf.read_text().count("\n") + 1)], told
        porteiro.run("apply", status=1)
    porteiro.policy(policy("block", 'mail-rule a { on reject  pattern x  category own }\nmail-limit a { count own, recipients  by login  after 9  then suspend }'))
    assert porteiro.json("check")["right"]
