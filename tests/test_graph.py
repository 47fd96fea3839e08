# SPDX-License-Identifier: GPL-3.0-or-later
"""porteiro graph: counters of a real kernel, sampled by the program, and the pictures it makes of them."""
import contextlib
import datetime
import os
import time
import xml.etree.ElementTree as xml

import pytest

from support import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a name space of its own")

BEGAN = datetime.date.today() - datetime.timedelta(days=30)
POLICY = f"""
network "Norte <Net>" {{ timezone America/Sao_Paulo }}
class home {{ port25 observe }}
pool city {{ class home prefix 198.51.100.0/24 }}
wave all {{ from {BEGAN} class home port25 block }}
"""
SERIES = "gate/class-test/block"


@pytest.fixture
def box(porteiro):
    with contextlib.closing(Namespace()) as namespace:
        porteiro.policy(POLICY)
        twin = porteiro.at(namespace)
        twin.nft = namespace.nft
        twin.state.mkdir()
        yield twin


def counts(box, packets):
    """A counter of the gate's stands at this."""
    box.nft("delete counter inet porteiro attempts_class-test_block")
    box.nft(f"add counter inet porteiro attempts_class-test_block {{ packets {packets} bytes 0 }}")


def sampled(box, *values):
    for value in values:
        counts(box, value)
        time.sleep(0.3)
        box.run("graph", "sample")


def events(box, *words):
    [series] = [series for series in box.json("graph", *words)["series"] if series["name"] == SERIES]
    assert all((mean is None) == (known == 0) for mean, _, known in series["points"])
    return sum(mean * known for mean, _, known in series["points"] if mean is not None)


def test_no_gate_is_no_zero(box):
    assert "no gate" in box.run("graph", "sample", status=1).stderr
    assert "no series" in box.run("graph", status=1).stderr


def test_what_was_counted_between_two_samples_is_drawn(box):
    box.run("apply")
    sampled(box, 1000, 1030)
    assert events(box) == pytest.approx(30)
    assert events(box, "--since", "year") == pytest.approx(30, rel=0.01)
    sampled(box, 5)  # the rules were loaded anew: what was counted before and after that, nobody knows
    assert events(box) == pytest.approx(30)
    sampled(box, 7)
    assert events(box) == pytest.approx(32)


def test_a_sampler_that_goes_on(box):
    box.run("apply")
    counts(box, 100)
    sampler = box.start("graph", "sample", "--every", "1s")
    time.sleep(1.5)
    assert "another process" in box.run("graph", "sample", status=3).stderr
    counts(box, 150)
    time.sleep(1.5)
    assert events(box) == pytest.approx(50), sampler.log.read_text()
    assert sampler.poll() is None
    sampler.kill()  # loses nothing of what it wrote
    sampler.wait()
    assert events(box) == pytest.approx(50)


def test_changes_are_marked(box):
    box.run("apply")
    box.policy(POLICY.replace("block", "shift"))
    box.run("apply")
    box.run("rollback", "--reason", "test")
    sampled(box, 1, 2)
    labels = [mark["label"] for mark in box.json("graph", "--since", "month")["marks"]]
    assert sorted(labels) == ["generation 1", "generation 2", "generation 2 taken back", "wave all: block"]
    assert "wave all: block" not in [mark["label"] for mark in box.json("graph")["marks"]]


def test_the_svg_stands_alone(box):
    box.run("apply")
    sampled(box, 1000, 1030)
    box.run("graph", SERIES, "--since", "year", "--svg", box.folder / "year.svg")
    text = (box.folder / "year.svg").read_text()
    root = xml.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("role") == "img"
    title, desc = root[0].text, root[1].text
    assert title == "Norte <Net>: a year" and SERIES in desc and "wave all: block" in desc and "-0300" in desc
    for word in ("<script", "href", "url(http", "@import", "javascript"):
        assert word not in text
    assert len(text) < 100_000
    assert box.run("graph", SERIES, "--svg", "-").stdout.startswith("<svg ")


def test_the_terminal(box):
    box.run("apply")
    sampled(box, 1000, 1030)
    text = box.run("graph", "gate/class-*", "--since", "1h").stdout
    assert SERIES in text and "\x1b" not in text and max(map(len, text.splitlines())) <= 80
    assert box.run("graph", SERIES, "--ascii").stdout.isascii()


@pytest.mark.parametrize("words,status,said", [
    (["gate/nobody"], 1, "no series has such a name"),
    (["--since", "tomorrow"], 2, "no time"),
    (["--since", "2099-01-01"], 2, "at least a minute"),
    (["--stacked"], 2, "--svg"),
    (["--svg", "/nowhere/at/all.svg"], 3, "/nowhere/at/all.svg"),
])
def test_what_cannot_be_drawn(box, words, status, said):
    box.run("apply")
    sampled(box, 1)
    assert said in box.run("graph", *words, status=status).stderr


def test_a_broken_file_is_named(box):
    (box.state / "graph").mkdir()
    (box.state / "graph" / "mail.rings").write_bytes(b"PORTRNG" + bytes(5000))
    assert "mail.rings" in box.run("graph", status=3).stderr
    assert "mail.rings" not in box.run("graph", "sample", status=1).stderr
