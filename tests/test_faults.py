# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong input, missing rights and sudden deaths: one clear message, the right exit status, and a whole firewall."""
import contextlib
import fcntl
import os
import random
import re
import signal
import sqlite3
import struct
import time

import pytest
from control import (FAMILIES, HOME, Door, blocks, by_ledger, door, door_rules, duties, fingerprint, generations,  # noqa: F401
                     in_force, kill, markers, other_nft, planned, policy, stands, table, under)
from lab import wait_for

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


@pytest.fixture
def standing(door, porteiro):
    """A confirmed generation that blocks; the file now says something else. What must not change is in .before."""
    porteiro = porteiro.at(door.router)
    porteiro.policy(policy("block"))
    porteiro.run("apply")
    porteiro.policy(policy("trap"))
    porteiro.before = fingerprint(door.router), in_force(porteiro)
    return porteiro


def unchanged(door, porteiro):
    assert (fingerprint(door.router), in_force(porteiro)) == porteiro.before


# --- wrong input: exit 1, each mistake with its place, nothing changed

WRONG = {
    "unknown block": ("polcy { }", r"{file}:9:1: error: .*polcy.*"),
    "unknown option": ("class x { prot25 block }", r'{file}:9:11: error: .*"prot25".*did you mean "port25"\?'),
    "unknown strategy": ("class x { port25 bloc }", r"{file}:9:18: error: .*bloc.*"),
    "unknown class": ("pool x { class hone  prefix 10.0.0.0/24 }", r"{file}:9:16: error: .*hone.*"),
    "pools overlap": ("pool x { class home  prefix 198.51.100.128/25 }",
                      r"{file}:9:29: error: .*198\.51\.100\.128/25.*{file}:8:32: note: declared here.*"),
    "realms overlap": ("cgnat a { inside 100.64.0.0/16 outside 203.0.113.128/26 }\n"
                       "cgnat b { inside 100.64.1.0/24 outside 203.0.113.192/26 }",
                       r"{file}:10:18: error: .*100\.64\.1\.0/24.*{file}:9:18: note: declared here.*"),
    "exemption without end": ('exempt "x" { subscriber 1  owner a  reason b }', r"{file}:9:8: error: .*until.*"),
    "exemption without owner": ('exempt "x" { subscriber 1  until 2030-01-01  reason b }', r"{file}:9:8: error: .*owner.*"),
    "host bits": ("pool x { class home  prefix 10.0.0.1/24 }", r"{file}:9:29: error: .*10\.0\.0\.0/24.*"),
    "no such length": ("pool x { class home  prefix 10.0.0.0/33 }", r"{file}:9:29: error: .*32.*"),
    "no such address": ("pool x { class home  prefix 10.1.2.300/24 }", r"{file}:9:29: error: .*10\.1\.2\.300/24.*"),
    "no such day": ("wave x { from 2027-02-29  class home  port25 block }", r"{file}:9:15: error: .*2027-02-29.*"),
    "broken promise": ("wave x { from 2020-01-01  class corporate  port25 block }",
                       r"{file}:9:6: error: .*{file}:4:\d+: note: promised here.*"),
    "open brace": ("class x { port25 block", r"{file}:\d+:\d+: error: .*"),
    "a quote that never ends": ('exempt "x { }', r"{file}:\d+:\d+: error: .*"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_policy_is_told_with_its_place(door, standing, name):
    text, wanted = WRONG[name]
    standing.policy(policy("trap", text))
    for command in ("apply", "check"):
        done = standing.run(command, status=1)
        assert done.stdout == "" and re.search(wanted.replace("{file}", re.escape(str(standing.conf))), done.stderr, re.S)
        assert (text.splitlines()[-1] if "\n" in text else text) in done.stderr and "^" in done.stderr
    told = standing.run("check", "--json", status=1)
    assert '"right": false' in told.stdout and told.stderr == ""
    unchanged(door, standing)


def test_all_mistakes_are_told_at_once(door, standing):
    standing.policy(policy("trap", "\n".join(text for text, _ in list(WRONG.values())[:11])))
    errors = re.findall(r": error: ", standing.run("apply", status=1).stderr)
    assert len(errors) >= 11
    unchanged(door, standing)


def test_policies_that_are_no_policy(door, standing):
    folder = standing.folder
    (folder / "binary").write_bytes(random.Random(1).randbytes(5000))
    (folder / "large").write_bytes(policy("trap").encode() + (b"#" + b"y" * 99 + b"\n") * 500_000)
    assert (folder / "large").stat().st_size > 50_000_000
    (folder / "empty").write_text("")
    (folder / "poolless").write_text('network "L" { timezone America/Sao_Paulo }\nclass home { port25 block }\n')
    (folder / "itself").write_text(f'include "{folder / "itself"}"\n')
    for name, wanted in (("", "Is a directory"), ("binary", r"binary:1:\d+: error: "), ("large", "longer than a policy"),
                         ("empty", "no network"), ("poolless", "no pool"), ("missing", "No such file or directory"),
                         ("itself", "include")):
        for command in ("apply", "check"):
            began = time.monotonic()
            done = standing.run(command, "-c", folder / name, status=1)
            assert done.stdout == "" and re.search(wanted, done.stderr), (name, done.stderr[:400])
            assert time.monotonic() - began < 2, name
    unchanged(door, standing)


def test_an_interface_that_is_not_there_is_a_warning(door, standing):
    standing.policy(policy("trap", "pool x { class home  interface nosuch0 }"))
    done = standing.run("check")
    assert f"{standing.conf}:9:32: warning: " in done.stderr and "nosuch0" in done.stderr and ": right: " in done.stdout
    standing.run("apply")
    assert stands(door.router) == planned(standing, door)


@pytest.mark.parametrize("words, wanted", [
    (["apply", "--confirm", "soon"], "--confirm soon"), (["apply", "--confirm", "0s"], "--confirm 0s"),
    (["apply", "--confirm"], "--confirm"), (["apply", "--cnfirm", "5m"], "did you mean --confirm"),
    (["apply", "now"], "now"), (["aply"], "aply"), ([], "usage"), (["explain"], "explain"),
    (["plan", "--at", "2027-02-29"], "2027-02-29"), (["explain", "198.51.100.1", "--at", "yesterday"], "yesterday"),
    (["duty", "cook"], "cook"), (["exemption", "add", "198.51.100.1", "--owner", "a", "--reason", "b"], "--until"),
    (["exemption", "add", "198.51.100.1/24", "--until", "2030-01-01", "--owner", "a", "--reason", "b"], "198.51.100.0/24"),
    (["quarantine", "add", "1", "--level", "hard", "--reason", "b"], "hard"),
])
def test_a_wrong_command_line_is_exit_2(door, standing, words, wanted):
    done = standing.run(*words, status=2)
    assert wanted in done.stderr and done.stdout == ""
    unchanged(door, standing)


# --- what the machine lacks: exit 3, one message, nothing changed

def refused(done, *wanted):
    assert done.stdout == ""
    said = re.sub(r"^.*: warning: shift turns connection tracking on.*\n.*\n.*\nhelp: .*\n", "", done.stderr)
    assert re.fullmatch(r"porteiro: apply: [^\n]+\n(this kernel has no [^\n]+\n)*", said), done.stderr
    for each in wanted:
        assert each in done.stderr, done.stderr
    return done


def test_no_nft(door, standing):
    for missing in ("mount -t tmpfs none /usr/sbin", "mount --bind /dev/null /usr/sbin/nft"):
        refused(under(standing, missing).run("apply", status=3), "/usr/sbin/nft is missing", "apt-get install nftables",
                "the firewall is unchanged")
    unchanged(door, standing)
    assert generations(standing)[2]["state"] == "failed"


def test_an_nft_that_dies_or_fails_blames_no_kernel(door, standing):
    done = refused(other_nft(standing, "kill -9 $$").run("apply", status=3), "nft", "signal 9", "the firewall is unchanged")
    assert "this kernel" not in done.stderr
    done = refused(other_nft(standing, "echo 'Error: no memory' >&2; exit 1").run("apply", status=3), "no memory")
    assert "this kernel" not in done.stderr
    unchanged(door, standing)


# What nft 1.0.6 prints where the kernel lacks an expression.
LACKS = """cat > {folder}/text
if grep -q '{word}' {folder}/text; then
    echo "/dev/stdin:12:3-40: Error: Could not process rule: No such file or directory" >&2; exit 1
fi
exec $NFT "$@" < {folder}/text"""


@pytest.mark.parametrize("home, word, wanted", [
    ("trap", "tproxy", "no TPROXY"), ("divert", "tproxy ip6", "no TPROXY for IPv6"), ("shift", "dnat", "no NAT"),
    ("observe", "log ", "no nftables logging"), ("observe", "fib ", "no fib expressions")])
def test_a_kernel_that_lacks_something_is_named(door, standing, home, word, wanted):
    standing.policy(policy(home))
    done = refused(other_nft(standing, LACKS.format(folder=standing.folder, word=word)).run("apply", status=3), wanted,
                   "the firewall is unchanged")
    assert done.stderr.count("this kernel has no") == (2 if word == "tproxy" else 1)
    unchanged(door, standing)


def test_what_cannot_be_cleared_away_does_not_undo_what_stands(door, standing):
    """The new rules are switched to before the former ones go."""
    stuck = other_nft(standing, LACKS.format(folder=standing.folder, word="^delete chain"))
    assert stuck.run("apply").stdout == "generation 2 is in force\n"
    assert stands(door.router) == planned(standing, door) and in_force(standing) == 2 and len(markers(door.router)) == 2
    standing.policy(policy("observe"))
    standing.run("apply")
    assert len(markers(door.router)) == 1 and door.meets(HOME.v4) == "open"


def test_a_gate_that_runs_tells_apply_why_not(door, standing):
    duties(standing)
    door.router.ip("link set lo down")
    refused(standing.run("apply", status=3), "generation 2 was refused, the former one stays", "routing rule")
    door.router.ip("link set lo up")
    unchanged(door, standing)
    standing.policy(policy("observe"))
    standing.run("apply")
    assert door.meets(HOME.v4) == "open"


def test_no_right_to_change_the_firewall(door, standing):
    without = under(standing, 'set -- setpriv --bounding-set=-net_admin "$@"')
    refused(without.run("apply", status=3), "Operation not permitted", "CAP_NET_ADMIN")
    unchanged(door, standing)
    without.run("check")                            # to look at a policy needs no right


def test_no_right_to_the_ledger(door, standing, tmp_path):
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    nobody = under(standing, f'set -- {" ".join(NOBODY)} "$@"')
    done = nobody.run("apply", status=3)
    assert done.stdout == "" and "Permission denied" in done.stderr.splitlines()[-1]
    standing.conf.chmod(0)
    done = nobody.run("apply", status=1)
    assert done.stderr == f"error: cannot read {standing.conf}: Permission denied\n"
    unchanged(door, standing)


def test_a_full_disk_under_the_ledger(door, standing):
    # 100 policies of this size have room on no disk of 4 MB
    full = under(standing, f"mkdir {standing.folder}/copy; cp -a {standing.state}/. {standing.folder}/copy;"
                           f"mount -t tmpfs -o size=4m none {standing.state}; cp -a {standing.folder}/copy/. {standing.state};"
                           f"dd if=/dev/zero of={standing.state}/filler bs=4k 2>/dev/null || true")
    refused(full.run("apply", status=3), "no space is left on its disk")
    unchanged(door, standing)


def test_a_disk_that_cannot_be_written(door, standing):
    fixed = under(standing, f"mount --bind {standing.state} {standing.state}; mount -o remount,ro,bind {standing.state}")
    refused(fixed.run("apply", status=3), "Read-only file system")
    assert fixed.run("explain", HOME.v4).stdout             # who only reads still can
    unchanged(door, standing)


def test_a_ledger_that_others_hold(door, standing):
    other = sqlite3.connect(standing.state / "ledger.db", isolation_level=None)
    with contextlib.closing(other):
        other.execute("BEGIN EXCLUSIVE")
        refused(standing.run("apply", status=3), "another program holds it locked")
    with open(standing.state / "keeper.lock", "r+", encoding="ascii") as lock:
        fcntl.fcntl(lock, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))        # F_OFD_SETLK
        refused(standing.run("apply", status=3), "keeper.lock: held by ")
    unchanged(door, standing)


@pytest.mark.parametrize("state, wanted", [("no/such", "does not exist"), ("file", "Not a directory")])
def test_no_state_folder(door, standing, state, wanted):
    (standing.folder / "file").write_text("")
    done = standing.run("apply", "--state", standing.folder / state, status=3)
    assert wanted in done.stderr.splitlines()[-1] and done.stdout == ""
    unchanged(door, standing)


def test_a_damaged_ledger(door, standing):
    database = standing.state / "ledger.db"
    whole = {path: path.read_bytes() for path in standing.state.glob("ledger.db*")}
    for path in whole:
        path.unlink()
    database.write_bytes(b"no database, " * 1000)
    done = standing.run("apply", status=3)
    assert "it is damaged" in done.stderr.splitlines()[-1]
    for words in (("generations",), ("explain", HOME.v4), ("quarantine", "list"), ("rollback",)):
        assert "it is damaged" in by_ledger(standing).run(*words, status=3).stderr
    assert "it is damaged" in standing.run("explain", HOME.v4, status=3).stderr     # nor without its people
    for path, data in whole.items():
        path.write_bytes(data)
    unchanged(door, standing)


def test_without_loopback_nothing_is_handed_to_an_edge(door, standing):
    """Diverted packets reach their listener by a route over lo."""
    door.router.ip("link set lo down")
    before = fingerprint(door.router)
    refused(standing.run("apply", status=3), "routing rule")
    assert fingerprint(door.router) == before
    standing.policy(policy("observe"))
    standing.run("apply")


# --- death at any moment

def test_nft_ends_with_who_started_it(door, standing):
    """What nobody waits for any more must not be done later, and no half of it."""
    marks = standing.folder / "began", standing.folder / "went-on"
    slow = other_nft(standing, f'echo $$ > {marks[0]}.part; mv {marks[0]}.part {marks[0]}; sleep 0.3; touch {marks[1]}\n'
                               'exec $NFT "$@"')
    process = slow.start("apply")
    wait_for(marks[0].exists, "nft to begin")
    child = int(marks[0].read_text())
    os.kill(process.pid, signal.SIGKILL)            # itself alone, not its group
    process.wait()
    wait_for(lambda: not os.path.exists(f"/proc/{child}") or dead(child), "nft to end", timeout=0.25)
    time.sleep(0.3)
    assert not marks[1].exists()
    assert fingerprint(door.router) == standing.before[0]


def dead(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"
    return True


def test_whoever_is_killed_whenever_one_generation_stands_whole(door, porteiro):
    porteiro = porteiro.at(door.router)
    chance = random.Random(25)
    whole = {}
    for home in ("block", "shift", "trap"):
        porteiro.policy(policy(home))
        whole[home] = planned(porteiro, door)
    porteiro.run("apply")
    alive = dict(zip(("keeper", "gate"), duties(porteiro)))
    for _ in range(24):
        home = chance.choice(list(whole))
        porteiro.policy(policy(home))
        words = ("apply",) if chance.random() < 0.7 else ("apply", "--confirm", "1h")
        alive["apply"] = porteiro.start(*words)
        time.sleep(chance.uniform(0, 0.15))
        for victim in chance.sample(list(alive), chance.choice((1, 1, 2, 3))):
            if chance.random() < 0.5:
                kill(alive.pop(victim))
            else:                                   # alone, without what it started
                os.kill(alive[victim].pid, signal.SIGKILL)
                alive.pop(victim).wait()
        alone_or_on_trial(door, whole)
        if "apply" in alive:
            kill(alive.pop("apply"))
        for duty in ("keeper", "gate"):
            if duty not in alive:
                [alive[duty]] = duties(porteiro, duty)
        wait_for(lambda: converged(door, porteiro, whole), "gate and ledger to agree")
        porteiro.run("confirm", status=None)
    for process in alive.values():
        kill(process)
    porteiro.policy(policy("block"))
    porteiro.run("apply")
    assert stands(door.router) == whole["block"] and door.meets(HOME.v4) == "block"


def start_again(porteiro, duty):
    """As a supervisor does: another may be the keeper for a moment just then."""
    for _ in range(5):
        with contextlib.suppress(AssertionError):
            return duties(porteiro, duty)[0]
        time.sleep(0.1)
    return duties(porteiro, duty)[0]


def alone_or_on_trial(door, whole):
    """At any moment the door leads to one generation that is whole, or to one on trial and then the former, both whole."""
    text = table(door.router)
    rules = door_rules(door.router, text)
    if len(rules) == 2:
        assert re.fullmatch(r"meta nfproto @trial_(\w) goto entry_\1", rules[0]), rules
    assert len(rules) in (1, 2) and re.fullmatch(r"goto entry_\w", rules[-1]), rules
    for rule in rules:
        assert own(blocks(text, rule[-1])) in [own(one) for one in whole.values()], rules


def own(slot):
    """Without the base chains, which slots share, and which a slot that is just being made may bring."""
    return {key: body for key, body in slot.items() if key not in (("chain", "door"), ("chain", "nat"))}


def converged(door, porteiro, whole):
    """What the ledger says is in force stands, and nothing waits to be loaded."""
    rows = generations(porteiro)
    now = [row for row in rows.values() if row["in_force"]]
    if any(row["state"] == "prepared" for row in rows.values()) or len(now) != 1:
        return False
    text = table(door.router)
    numbers = {n for n, _ in markers(door.router, text).values()}
    if now[0]["state"] == "trial":
        return len(numbers) == 2 and now[0]["number"] in numbers
    return numbers == {now[0]["number"]} and len(markers(door.router, text)) == 1 and stands(door.router, text) in whole.values()


# --- no ledger

PEOPLE = [("subscriber", "add", "fixed", "--port25", "open", "--address", "198.51.100.20"),
          ("subscriber", "add", "moving", "--port25", "open", "--line", "user:moving"),
          ("subscriber", "add", "bot", "--address", "192.0.2.66", "--line", "user:bot"),
          ("lease", "add", "198.51.100.30", "--line", "user:moving"), ("lease", "add", "192.0.2.67", "--line", "user:bot")]


def with_people(porteiro, home="block"):
    """A static and a dynamic lease with open doors, and a bot in quarantine on one of each; in force and settled."""
    porteiro.policy(policy(home))
    for words in PEOPLE:
        porteiro.run(*words)
    porteiro.run("subscriber", "told", "bot", "--by", "letter")
    keeper, gate = duties(porteiro)
    porteiro.run("apply")
    porteiro.run("quarantine", "add", "bot", "--level", "mail", "--reason", "spam")
    return keeper, gate


def met(door):
    return {address: door.meets(address) for address in
            (HOME.v4, "198.51.100.20", "198.51.100.30", "192.0.2.66", "192.0.2.67", "192.0.2.68")}


WITHOUT_LEDGER = {HOME.v4: "block", "198.51.100.20": "open", "198.51.100.30": "block", "192.0.2.66": "open",
                  "192.0.2.67": "open", "192.0.2.68": "open"}
WITH_LEDGER = WITHOUT_LEDGER | {"198.51.100.30": "open", "192.0.2.66": "block", "192.0.2.67": "block"}


@pytest.mark.parametrize("rules", ["standing", "gone"])
@pytest.mark.parametrize("ledger", ["damaged", "deleted", "cut"])
def test_a_start_without_ledger_keeps_the_wide_layer_and_no_quarantine(door, porteiro, ledger, rules):
    """And no lease that may have ended: its address is somebody else's by now."""
    porteiro = porteiro.at(door.router)
    processes = with_people(porteiro)
    wait_for(lambda: met(door) == WITH_LEDGER, "the quarantine")
    kill(*processes)
    saved = {path: path.read_bytes() for path in porteiro.state.glob("ledger.db*")}
    if rules == "gone":
        door.router.nft("flush ruleset")
    for path in saved:
        path.unlink()
    if ledger != "deleted":
        (porteiro.state / "ledger.db").write_bytes(b"no database" * 1000 if ledger == "damaged" else b"")
    [gate] = duties(porteiro, "gate")
    wait_for(lambda: met(door) == WITHOUT_LEDGER, "the last good rules")
    # and when the ledger is there again, all is as it was
    for path, data in saved.items():
        path.write_bytes(data)
    wait_for(lambda: met(door) == WITH_LEDGER, "the ledger's people")
    assert gate.poll() is None


def test_a_ledger_put_in_the_place_of_another_is_followed(door, porteiro):
    """A backup, under a gate that runs."""
    porteiro = porteiro.at(door.router)
    keeper, _ = with_people(porteiro)
    wait_for(lambda: met(door) == WITH_LEDGER, "the quarantine")
    kill(keeper)
    backup = {path: path.read_bytes() for path in porteiro.state.glob("ledger.db*")}
    [keeper] = duties(porteiro, "keeper")
    porteiro.run("quarantine", "release", "bot", "--reason", "clean")
    porteiro.policy(policy("open"))
    porteiro.run("apply")
    wait_for(lambda: set(met(door).values()) == {"open"}, "an open door")
    kill(keeper)
    for path in backup:
        path.unlink()
    for path, data in backup.items():
        path.write_bytes(data)
    duties(porteiro, "keeper")
    wait_for(lambda: met(door) == WITH_LEDGER, "the backup's people and policy")


def test_the_last_good_file_holds_nobody_who_may_have_left(door, porteiro):
    porteiro = porteiro.at(door.router)
    with_people(porteiro)
    porteiro.run("quarantine", "add", "moving", "--level", "captive", "--reason", "spam")
    porteiro.run("apply")
    text = (porteiro.state / "last-good.nft").read_text()
    assert "198.51.100.20" in text
    for gone in ("198.51.100.30", "192.0.2.66", "192.0.2.67", "captive4_"):
        assert gone not in text, gone


def test_a_gate_that_ends_leaves_no_former_holder_in_the_last_good_file(door, porteiro):
    porteiro = porteiro.at(door.router)
    _, gate = with_people(porteiro)
    text = porteiro.state / "last-good.nft"
    wait_for(lambda: text.exists() and "198.51.100.20" in text.read_text(), "the first last good rules")
    porteiro.run("subscriber", "remove", "fixed", "--reason", "moved away")
    wait_for(lambda: door.meets("198.51.100.20") == "block", "the pool's own rule")
    gate.terminate()
    assert gate.wait(10) == 0
    assert "198.51.100.20" not in text.read_text()


# --- somebody else's hands

def test_what_others_do_to_our_table_is_undone_and_theirs_left_alone(porteiro, tmp_path):
    """Each in a router of its own, at the same time."""
    edits = {
        "flush all": "flush ruleset",
        "delete a rule": "flush chain inet porteiro refuse_{letter}",
        "add a rule": "insert rule inet porteiro door accept",
        "remove the hook": "flush chain inet porteiro door\ndelete chain inet porteiro door",
        "while nobody looks": "insert rule inet porteiro door accept",
        "our own": "",                              # the first captive one brings a chain of his own: that is no edit
    }
    with contextlib.ExitStack() as stack:
        doors = {}
        for name in edits:
            built = Door()
            stack.callback(built.lab.close)
            own = tmp_path / name.replace(" ", "-")
            own.mkdir()
            one = type(porteiro)(porteiro.program, own, built.router)
            stack.callback(one.close)
            one.policy(policy("block"))
            one.run("subscriber", "add", "bot", "--address", "198.51.100.66")
            one.run("apply")
            doors[name] = built, one, stands(built.router), duties(one)
        theirs = "table inet theirs {\n chain c {\n  type filter hook forward priority 5;\n }\n}\n"
        for name, (built, one, _, processes) in doors.items():
            if name == "while nobody looks":
                kill(*processes)
            [letter] = markers(built.router)
            built.router.nft(edits[name].format(letter=letter) + "\n" + theirs)
            if name == "while nobody looks":
                duties(one)
            if name == "our own":
                one.run("quarantine", "add", "bot", "--level", "captive", "--reason", "spam")
                done, log = time.monotonic(), processes[1].log
        for name, (built, one, before, processes) in doors.items():
            if name != "our own":
                wait_for(lambda: whole_again(built, before), name, timeout=15)
            assert door_meets(built) == "block", name
            assert table(built.router, "inet theirs"), name
            assert in_force(one) == 1
        wait_for(lambda: time.monotonic() - done > 5.5, "the gate to have looked", timeout=7)
        assert "rules-changed-by-others" not in log.read_text()


def whole_again(built, before):
    with contextlib.suppress(AssertionError):
        return stands(built.router) == before
    return False


def door_meets(built):
    met_there = {built.meets(HOME.on(family)) for family in FAMILIES}
    assert len(met_there) == 1, met_there
    return met_there.pop()


def test_apply_repairs_what_others_changed_while_no_gate_ran(door, porteiro):
    porteiro = porteiro.at(door.router)
    porteiro.policy(policy("block"))
    porteiro.run("apply")
    door.router.nft("insert rule inet porteiro refuse_a accept")
    assert door.meets(HOME.v4) != "block"
    # the rules that a trial returns to are these same ones
    porteiro.policy(policy("block", "class unused { port25 open }"))
    porteiro.run("apply", "--confirm", "1h")
    porteiro.run("rollback")
    assert door.meets(HOME.v4) == "block"
