# SPDX-License-Identifier: GPL-3.0-or-later
"""apply, confirm, rollback: what is asked for stands, whole, and returns by itself where nobody confirms it."""
import copy
import re
import time

import pytest
from control import (FAMILIES, HOME, by_ledger, door, door_rules, duties, fingerprint, generations, in_force,  # noqa: F401
                     end_trial, kill, markers, moment, planned, policy, ruleset, stamp, stands, table, trial_left)
from lab import LabError, wait_for

FIXED = {"v4": "192.0.2.10", "v6": "2001:db8:200:10::10"}
OTHERS = "table inet others {\n chain c {\n  type filter hook forward priority 0;\n  counter comment \"theirs\"\n }\n}\n"


def meets(door):
    """What home meets; both families must meet the same."""
    return same({door.meets(HOME.on(family)) for family in FAMILIES})


def same(met):
    assert len(met) == 1, met
    return met.pop()


def apply(porteiro, home, *words, **options):
    porteiro.policy(policy(home))
    return porteiro.run("apply", *words, **options)


# --- with a gate and without

def test_without_a_gate_apply_does_the_work_itself(door, porteiro):
    porteiro = porteiro.at(door.router)
    door.router.nft(OTHERS)
    theirs = table(door.router, "inet others")
    assert apply(porteiro, "block").stdout == "generation 1 is in force\n"
    assert stands(door.router) == planned(porteiro, door)
    assert meets(door) == "block"
    assert same({door.meets(FIXED[family]) for family in FAMILIES}) == "open"
    assert table(door.router, "inet others") == theirs
    row = generations(porteiro)[1]
    assert (row["state"], row["in_force"]) == ("confirmed", True)
    # nobody is left behind that holds anything
    assert apply(porteiro, "observe").stdout == "generation 2 is in force\n"
    assert meets(door) == "open"
    assert markers(door.router).popitem()[1][0] == 2 and in_force(porteiro) == 2


def test_with_a_gate_apply_waits_for_its_answer(door, porteiro):
    porteiro = porteiro.at(door.router)
    gate = duties(porteiro)[1]
    for number, (home, met) in enumerate([("block", "block"), ("shift", "shift"), ("trap", "trap"), ("open", "open")], 1):
        assert apply(porteiro, home).stdout == f"generation {number} is in force\n"
        assert meets(door) == met
        assert stands(door.router) == planned(porteiro, door)
    assert gate.log.read_text().count("generation-loaded") == 4


def test_a_keeper_alone_leaves_the_gates_work_to_apply(door, porteiro):
    porteiro = porteiro.at(door.router)
    duties(porteiro, "keeper")
    apply(porteiro, "block")
    assert meets(door) == "block"


def test_json_tells_the_same(door, porteiro):
    porteiro = porteiro.at(door.router)
    porteiro.policy(policy())
    assert porteiro.json("apply") == {"version": 1, "generation": 1, "state": "in force"}
    assert porteiro.json("apply", "--confirm", "1h") == {"version": 1, "generation": 2, "state": "on trial"}
    assert porteiro.json("confirm") == {"version": 1, "generation": 2, "state": "confirmed"}
    assert porteiro.json("rollback") == {"version": 1, "generation": 1, "state": "in force again"}


def test_what_was_applied_is_in_force_not_the_file(door, porteiro):
    """A gate that starts reads no file."""
    porteiro = porteiro.at(door.router)
    included = porteiro.folder / "classes.conf"
    included.write_text("class home { port25 block }\n")
    porteiro.policy(policy().replace("class home { port25 block }", f'include "{included}"'))
    porteiro.run("apply")
    before = stands(door.router)
    included.write_text("class home { port25 open }\n")
    porteiro.conf.unlink()
    door.router.nft("flush ruleset")
    duties(porteiro)
    wait_for(lambda: markers(door.router), "the generation in force")
    assert stands(door.router) == before and meets(door) == "block"


@pytest.mark.parametrize("with_duties", [True, False], ids=["gate", "alone"])
def test_of_many_hands_at_once_each_is_told_the_truth(door, porteiro, with_duties):
    porteiro = porteiro.at(door.router)
    if with_duties:
        duties(porteiro)
    running = []
    for home in ("block", "shift", "trap", "observe", "divert"):
        twin = copy.copy(porteiro)
        twin.conf = write(porteiro, home)
        running.append((twin, twin.start("apply")))
    rows, last = {}, None
    for twin, process in running:
        status, said = process.wait(30), process.log.read_text().splitlines()[-1]
        number = int(re.search(r"generation (\d+) ", said)[1])
        rows[number] = twin
        told = generations(porteiro)[number]["state"]
        assert (status, told) == ((0, "confirmed") if said.endswith(" is in force") else (3, "failed")), said
    last = max(rows)
    assert in_force(porteiro) == last and generations(porteiro)[last]["state"] == "confirmed"
    wait_for(lambda: len(markers(door.router)) == 1, "the others to go")
    assert stands(door.router) == planned(rows[last], door)


# --- trial

def on_trial(porteiro, door, duration):
    """Generation 1 blocks, generation 2 is on trial and observes; returns when apply was done."""
    apply(porteiro, "block")
    done = apply(porteiro, "observe", "--confirm", duration)
    assert done.stdout.startswith("generation 2 is on trial\nit returns to the former one in ")
    assert meets(door) == "open"
    return time.time()


def returns(door, since, seconds):
    """The former rules return by themselves, in time: not before, and within the second nft rounds up to."""
    # of a conversation that begins before the turn and is answered after it the customer hears nothing: not that one
    wait_for(lambda: door.meets(HOME.v4, timeout=0.2) == "block", "the former rules", timeout=seconds + 5)
    assert meets(door) == "block"
    took = time.time() - since
    assert seconds - 0.5 < took < seconds + 1.6, took


def rolled_back(porteiro, since, seconds):
    # the kernel's clock began a moment before the ledger's: the answer to the gate lies between
    wait_for(lambda: generations(porteiro)[2]["state"] == "rolled-back", "the ledger to say so", timeout=1)
    rows = generations(porteiro)
    assert rows[1]["state"] == "confirmed"
    assert [rows[n]["in_force"] for n in (1, 2)] == [True, False]
    assert abs(moment(rows[2]["trial_until"]) - (since + seconds)) < 1.5        # told in whole seconds
    # and at each time that policy decides which then was enforced
    for after, strategy in ((0, "observe"), (seconds, "block")):
        at, _ = stamp(since + after)
        answer = by_ledger(porteiro).json("explain", HOME.v4, "--at", at)["answers"][0]
        assert answer["strategy"] == strategy, at


def test_unconfirmed_rules_return_with_the_gate_alive(door, porteiro):
    porteiro = porteiro.at(door.router)
    gate = duties(porteiro)[1]
    since = on_trial(porteiro, door, "2s")
    returns(door, since, 2)
    wait_for(lambda: "trial-lapsed" in gate.log.read_text(), "the gate to tell the ledger")
    rolled_back(porteiro, since, 2)
    wait_for(lambda: len(markers(door.router)) == 1, "the trial's rules to go")
    porteiro.policy(policy("block"))
    assert stands(door.router) == planned(porteiro, door)


def test_unconfirmed_rules_return_with_no_process_alive(door, porteiro):
    porteiro = porteiro.at(door.router)
    processes = duties(porteiro)
    since = on_trial(porteiro, door, "2s")
    kill(*processes)
    assert meets(door) == "open"
    before = ruleset(door.router)
    returns(door, since, 2)
    assert ruleset(door.router) == before            # nothing but the clock changed it
    rolled_back(porteiro, since, 2)
    # `explain` goes by what is enforced, too
    assert by_ledger(porteiro).json("explain", HOME.v4)["answers"][0]["strategy"] == "block"
    duties(porteiro)
    wait_for(lambda: len(markers(door.router)) == 1, "the gate to clear up")
    assert markers(door.router).popitem()[1][0] == 1
    rolled_back(porteiro, since, 2)


def test_an_unconfirmed_first_generation_leaves_the_door_open(door, porteiro):
    porteiro = porteiro.at(door.router)
    apply(porteiro, "block", "--confirm", "1s")
    assert meets(door) == "block"
    wait_for(lambda: door.meets(HOME.v4, timeout=0.2) == "open", "the door to open")
    wait_for(lambda: in_force(porteiro) is None, "the ledger to say so", timeout=1)
    porteiro.run("confirm", status=1)
    apply(porteiro, "block")                         # and the next one is no trial
    assert in_force(porteiro) == 2 and meets(door) == "block"
    assert generations(porteiro)[1]["state"] == "rolled-back"


@pytest.mark.parametrize("former, new", [("shift", "block"), ("block", "shift"), ("divert", "shift"), ("open", "trap")])
def test_a_trial_of_rules_that_need_more_of_the_kernel(door, porteiro, former, new):
    """Address translation and policy routes stand for both, and for the one that returns."""
    porteiro = porteiro.at(door.router)
    apply(porteiro, former)
    apply(porteiro, new, "--confirm", "1h")
    assert meets(door) == new
    end_trial(door.router)
    assert meets(door) == former
    porteiro.run("rollback")
    assert meets(door) == former and stands(door.router) == planned(porteiro, door, "-c", write(porteiro, former))


def write(porteiro, home):
    path = porteiro.folder / f"{home}.conf"
    path.write_text(policy(home))
    return path


@pytest.mark.parametrize("with_duties", [True, False], ids=["gate", "alone"])
def test_confirm_keeps(door, porteiro, with_duties):
    porteiro = porteiro.at(door.router)
    if with_duties:
        duties(porteiro)
    on_trial(porteiro, door, "1h")
    assert 3500 < trial_left(door.router) <= 3600 and len(markers(door.router)) == 2
    assert porteiro.run("confirm").stdout == "generation 2 is confirmed\n"
    wait_for(lambda: len(markers(door.router)) == 1, "the former rules to go")
    end_trial(door.router)
    assert stands(door.router) == planned(porteiro, door)
    assert generations(porteiro)[2]["state"] == "confirmed" and meets(door) == "open"
    assert "no generation is on trial" in porteiro.run("confirm", status=1).stderr


@pytest.mark.parametrize("with_duties", [True, False], ids=["gate", "alone"])
def test_apply_is_refused_during_a_trial(door, porteiro, with_duties):
    porteiro = porteiro.at(door.router)
    if with_duties:
        duties(porteiro)
    on_trial(porteiro, door, "1h")
    before = ruleset(door.router), generations(porteiro)
    for words in ((), ("--confirm", "5m")):
        refused = apply(porteiro, "trap", *words, status=1)
        assert refused.stdout == "" and "generation 2 is on trial until " in refused.stderr
        assert refused.stderr.startswith("porteiro: apply: ") and refused.stderr.count("\n") == 1
    assert (ruleset(door.router), generations(porteiro)) == before


def test_a_gate_that_starts_in_mid_trial_keeps_the_time_that_is_left(door, porteiro):
    porteiro = porteiro.at(door.router)
    keeper, gate = duties(porteiro)
    since = on_trial(porteiro, door, "4s")
    kill(gate)
    time.sleep(1)
    [gate] = duties(porteiro, "gate")
    wait_for(lambda: (trial_left(door.router) or 9) <= 3, "the gate to take the trial up")
    assert meets(door) == "open"
    kill(keeper, gate)
    returns(door, since, 4)
    rolled_back(porteiro, since, 4)


# --- rollback

@pytest.mark.parametrize("with_duties", [True, False], ids=["gate", "alone"])
def test_rollback_returns_step_by_step_to_nothing(door, porteiro, with_duties):
    porteiro = porteiro.at(door.router)
    door.router.nft(OTHERS)
    if with_duties:
        duties(porteiro)
    untouched = fingerprint(door.router)
    apply(porteiro, "trap")
    apply(porteiro, "block")
    apply(porteiro, "shift", "--confirm", "1h")
    for stands_again, met in ((2, "block"), (1, "trap")):
        assert porteiro.run("rollback").stdout == f"generation {stands_again} is in force again\n"
        wait_for(lambda: door.meets(HOME.v4) == door.meets(HOME.v6) == met, f"generation {stands_again}")
        assert in_force(porteiro) == stands_again
    assert "no generation is in force: the door is open" in porteiro.run("rollback").stdout
    wait_for(lambda: not table(door.router), "the table to go")
    assert fingerprint(door.router) == untouched and meets(door) == "open"
    assert in_force(porteiro) is None
    assert not (porteiro.state / "last-good.nft").exists()
    refused = porteiro.run("rollback", status=1)
    assert refused.stderr == "porteiro: rollback: no generation is in force\n"
    assert fingerprint(door.router) == untouched


def test_rollback_ends_a_trial_at_once(door, porteiro):
    porteiro = porteiro.at(door.router)
    duties(porteiro)
    on_trial(porteiro, door, "1h")
    porteiro.run("rollback", "--reason", "help desk is on fire")
    wait_for(lambda: door.meets(HOME.v4) == "block", "the former rules")
    assert [row["state"] for row in generations(porteiro).values()] == ["confirmed", "rolled-back"]
    [row] = [row for row in porteiro.json("audit")["audit"] if row["decision"] == "rollback"]
    assert row["why"] == "help desk is on fire"


# --- the last good file, and dates

def test_only_confirmed_rules_become_the_last_good_ones(door, porteiro):
    porteiro = porteiro.at(door.router)
    duties(porteiro)
    last_good = porteiro.state / "last-good.nft"
    apply(porteiro, "block")
    wait_for(last_good.exists, "the last good rules")
    first = last_good.read_text()
    apply(porteiro, "observe", "--confirm", "1h")
    assert last_good.read_text() == first
    porteiro.run("confirm")
    wait_for(lambda: last_good.read_text() != first, "the new last good rules")
    scratch = door.scratch()
    scratch.nft(last_good.read_text())
    assert stands(scratch) == stands(door.router)


def test_the_gate_follows_the_dates_of_the_generation(door, porteiro):
    porteiro = porteiro.at(door.router)
    duties(porteiro)
    begins, at = stamp(time.time() + 1)
    ends, _ = stamp(at + 1)
    porteiro.policy(policy("open", f"""
        wave first {{ from {begins}  class home  port25 block }}
        exempt "one" {{ prefix 198.51.100.11  until {ends}  owner noc  reason "for a moment" }}"""))
    porteiro.run("apply")
    assert meets(door) == "open"
    wait_for(lambda: door.meets(HOME.v4, timeout=0.2) == "block", "the wave")
    assert -0.01 < time.time() - at < 1
    assert door.meets("198.51.100.11") == "open"
    wait_for(lambda: door.meets("198.51.100.11") == "block", "the exemption's end")
    wait_for(lambda: len(markers(door.router)) == 1, "the former plan to go")
    assert stands(door.router) == planned(porteiro, door)


def test_a_wait_that_is_in_vain_is_told():
    """The tests' own clock can fail."""
    with pytest.raises(LabError):
        wait_for(lambda: False, "nothing", timeout=0.01)
