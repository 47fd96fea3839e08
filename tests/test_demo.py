# SPDX-License-Identifier: GPL-3.0-or-later
"""make demo: does it tell what happened, does it notice when that is something else, and is nothing left behind?"""
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from lab import netns

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMO = ROOT / "lab" / "demo"
PROGRAM = pathlib.Path(os.environ.get("PORTEIRO") or ROOT / "build" / "porteiro").absolute()
pytestmark = [pytest.mark.needs("nft", "nat", "tproxy", "nflog", "fib", "reject", "postfix"),
              pytest.mark.skipif(not os.access(PROGRAM, os.X_OK), reason=f"{PROGRAM} is not built: run make")]
_PR_SET_CHILD_SUBREAPER = 36


def start(*command, program=PROGRAM, **named):
    """The demo in a session of its own, as a terminal has it."""
    return subprocess.Popen(command or [DEMO], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, start_new_session=True,
                            env={**os.environ, "PORTEIRO": str(program)}, **named)


def children():
    """Our living children; those of a demo that is gone come to us, as we are their subreaper."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = pathlib.Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.add(pid)
    return found


def traces(pid):
    """Namespaces and folders of this demo."""
    return [name for prefix, names in netns.labs().items() if prefix.startswith(f"po{pid}.") for name in (prefix, *names)]


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """Every demo of a test takes all its processes with it."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = children()
    try:
        yield
        assert children() <= before
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def told():
    """The whole story, told once: what it printed, its exit status, and how long it took."""
    started = time.monotonic()
    with start() as demo:
        text = demo.communicate(timeout=120)[0]
    assert traces(demo.pid) == []
    return text, demo.returncode, time.monotonic() - started


def scene(text, title):
    """One scene, its lines joined where they were wrapped."""
    found = re.search(rf"^\d+\. {re.escape(title)}.*?(?=^\d+\. |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no scene begins with {title!r}:\n{text}"
    return re.sub(r"\n {13}(?=\S)", " ", found[0])


def test_all_happens_as_told(told):
    text, status, seconds = told
    assert status == 0 and "NOT AS IT SHOULD BE" not in text, text
    assert "All of it happened as told" in text
    assert seconds < 60


def test_it_fits_a_terminal_and_is_plain_in_a_pipe(told):
    text = told[0]
    assert "\033" not in text
    assert [line for line in text.splitlines() if len(line) > 100 and " explain " not in line] == []


@pytest.mark.parametrize("title, happened, why", [
    ("Ana", '✓ delivered.*Authenticated sender: ana"', r"class: home, the pool's, port25 shift.*porteiro\.conf:4:"),
    ("Bruno, at home", r'✗ refused by mx\.example\.org itself.*"554.*✗ refused at once: connection reset', "port25 shift"),
    ("Bruno's other program", r'✗ diverted.*"530-5\.7\.0 Port 25 is for servers.*✓ delivered: the edge checked', ""),
    ("The bakery", r"✓ delivered on port 25: .* 192\.0\.2\.10 and 2001:db8:200:10::10", "business.*port25 observe"),
    ("The clinic", "✓ delivered on port 25", "interface vlan120 is of pool legacy: open"),
    ("The ISP's own servers", r"✓ delivered on port 25 .* from 203\.0\.113\.25.*✓ received", "own server"),
    ("Carlos: his", r"✗ all refused.*1066 +Carlos Dias .*kernel 12.*✓ he is named", "own strategy: port25 trap"),
    ("The trap", r"✗ \d+ conversations.*Carlos Dias .*trap \d+.*✓ quarantined by rule: Carlos.*session.*✗ reset", ""),
    ("In quarantine", "✗ refused.*port 80.*200 OK.*✓ delivered: his level", "quarantine: number 1, level mail.*by rule"),
    ("Tunnels", "6in4.*✗ port 25 was stopped.*Teredo.*✗ port 25 was stopped", r"porteiro\.conf:14"),
    ("Before the next wave", r"1011 +Bruno Lima.*1010 +Ana Souza.*✓ call Ana and Bruno", ""),
    ("The proof", r"own +trap +[1-9].*quarantine +mail +[1-9].*tunnel +block +2.*✓ the rules stay", ""),
])
def test_each_scene_tells_what_happened_and_why(told, title, happened, why):
    text = scene(told[0], title)
    assert re.search(happened, text, re.DOTALL), text
    assert re.search(rf"^  why +{'.*' + why}", text, re.MULTILINE) if why else True, text


def test_the_quarantine_is_shown_with_its_evidence(told):
    text = scene(told[0], "The trap")
    assert re.search(r"1 +1066 +mail +in force .*suspicion [\d.]+ reached 20 points", text)
    assert re.search(r"evidence +\d conversations in the trap, \d+ attempts to about \d+ hosts", text)


def test_it_says_so_when_something_else_happens(tmp_path):
    """A Porteiro that forgets whom the postmaster puts into the trap: nobody is quarantined, and the story notices."""
    forgetful = tmp_path / "porteiro"
    forgetful.write_text(f'#!/bin/sh\n[ "$1 $2" = "subscriber set" ] && exit 0\nexec {PROGRAM} "$@"\n')
    forgetful.chmod(0o755)
    with start(program=forgetful) as demo:
        text = demo.communicate(timeout=120)[0]
    assert demo.returncode == 1 and traces(demo.pid) == []
    assert "NOT AS IT SHOULD BE" in scene(text, "The trap")
    assert "✓ delivered" in scene(text, "Ana")
    assert re.search(r"^\d+ of the things told above are NOT as they should be", text, re.MULTILINE)


@pytest.mark.parametrize("moment, number", [
    ("PORTEIRO", signal.SIGINT), ("1. The policy", signal.SIGTERM), ("$ porteiro run &", signal.SIGINT),
    ("2. Ana", signal.SIGHUP), ("9. The trap", signal.SIGTERM), ("$ kill", signal.SIGINT)])
def test_interrupted_at_any_moment_it_cleans_up(moment, number):
    with start() as demo:
        for line in demo.stdout:
            if moment in line:
                break
        os.killpg(demo.pid, number)
        os.killpg(demo.pid, number)     # who is impatient says it twice
        rest = demo.communicate(timeout=30)[0]
    assert demo.returncode == 128 + number, rest
    assert "Interrupted: all of it was taken down again." in rest and "Traceback" not in rest
    assert traces(demo.pid) == []


@pytest.mark.parametrize("wait", [0.15, 0.4, 0.8])
def test_interrupted_while_the_network_is_half_built_it_cleans_up(wait):
    with start() as demo:
        time.sleep(wait)
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=30)
    assert demo.returncode in (128 + signal.SIGTERM, -signal.SIGTERM)       # the latter: it had not yet begun
    assert traces(demo.pid) == []


def test_nobody_reads_on():
    with start("/bin/sh", "-c", f"{DEMO} | head -n 3; exit $?") as demo:
        text = demo.communicate(timeout=60)[0]
    assert "Traceback" not in text and "Broken pipe" not in text


def test_it_wants_root():
    shown = subprocess.run([DEMO], text=True, capture_output=True, user=65534, extra_groups=[], timeout=30,
                           env={**os.environ, "PORTEIRO": str(PROGRAM)}, check=False)
    assert (shown.returncode, shown.stdout) == (3, "")
    assert shown.stderr == "porteiro: demo: it builds network namespaces, which only root may: sudo make demo\n"


@pytest.mark.skipif(not PROGRAM.is_relative_to(ROOT / "build"), reason=f"{PROGRAM} does not stand in build/")
def test_the_command_tells_it_too():
    done = subprocess.run([PROGRAM, "demo", "--help"], text=True, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0 and done.stdout.startswith("usage: porteiro demo")
    with start(PROGRAM, "demo") as demo:
        assert demo.stdout.readline().startswith("PORTEIRO")
        demo.terminate()
        demo.communicate(timeout=30)
    assert demo.returncode == 128 + signal.SIGTERM and traces(demo.pid) == []
