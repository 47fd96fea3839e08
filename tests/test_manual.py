# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual says what the program does: every command, every option, every key of JSON, and the options of the policy."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from support import Namespace, keys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "man" / "porteiro.1"


def plain(roff):
    """The text of a page, without macros and escapes."""
    text = re.sub(r"\\f[BIR]|\\&", "", roff.replace(r"\-", "-").replace(r"\~", " "))
    return re.sub(r'^\.(?:TP|TQ|RS|RE|PP|IP|SH|SS|B|I|BR|BI|IR|RB|RI)\b ?', "", text, flags=re.M)


def commands():
    """The rows of the table in main.c: name, arguments."""
    return re.findall(r'^ +\{ "(\w+)",\s*"([^"]*)",', (ROOT / "src" / "main.c").read_text(), re.M)


def helps(porteiro):
    """(words, help text) of every command and of what stands below it."""
    for name, arguments in commands():
        text = porteiro.run(name, "--help", status=None).stdout
        yield [name], text
        below = set(re.findall(r"(?<![\w-])[a-z]{2,}", arguments)) | set(re.findall(rf"^(?:usage:|      ) porteiro {name} (?:\[)?([a-z][a-z-]+)\b", text, re.M)) - {"conf"}
        for word in sorted(below):
            yield [name, word], porteiro.run(name, word, "--help", status=None).stdout


def test_every_command_is_in_the_manual():
    text = plain(PAGE.read_text())
    assert len(commands()) >= 20
    for name, _ in commands():
        assert re.search(rf'^"?{name}\b', text, re.M), f"{name} has no entry"


def test_every_option_is_in_the_manual(porteiro):
    page = plain(PAGE.read_text())
    missing = []
    for words, text in helps(porteiro):
        for option in re.findall(r"^  (-{1,2}[\w-]+)", text, re.M):
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", page):
                missing.append(" ".join([*words, option]))
    assert not missing


def test_the_manual_names_no_option_that_is_not_there(porteiro):
    known = {"--help", *(option for _, text in helps(porteiro) for option in re.findall(r"^  (-{1,2}[\w-]+)", text, re.M))}
    said = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", plain(PAGE.read_text())))
    assert sorted(said - known) == []


def test_every_command_says_its_usage(porteiro):
    for words, text in helps(porteiro):
        assert text.startswith("usage: porteiro " + words[0]), words


@pytest.mark.parametrize("page", ["porteiro.1", "porteiro.conf.5"])
def test_mandoc_has_nothing_to_say(page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-Tlint", ROOT / "man" / page], capture_output=True, text=True)
    assert done.stdout == ""


def test_the_page_of_the_policy_is_the_one_generated(porteiro):
    done = subprocess.run([ROOT / "man" / "generate", porteiro.program], capture_output=True, text=True, check=True)
    assert (ROOT / "man" / "porteiro.conf.5").read_text() == done.stdout, "run: make man"


def test_the_example_policy_is_right(porteiro):
    answer = json.loads(porteiro.run("check", "-c", ROOT / "packaging" / "porteiro.conf", "--json").stdout)
    assert answer["right"] and answer["errors"] == 0


def test_the_policies_of_the_documents_are_right(porteiro):
    """Every indented block that begins with a network."""
    found = 0
    for page in ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]:
        for block in (ROOT / page).read_text().split("\n\n"):
            if not block.startswith("    network "):
                continue
            found += 1
            porteiro.policy(re.sub(r"^    ", "", block, flags=re.M) + "\n")
            answer = porteiro.json("check")
            assert answer["right"], (page, answer["messages"])
    assert found >= 4


# --- JSON ---

POLICY = """
network "Manual" { timezone America/Sao_Paulo }
class home { port25 observe }
pool city { class home prefix 198.51.100.0/24 }
wave all { from 2099-01-01 class home port25 block }
"""


@pytest.fixture
def namespace():
    with contextlib.closing(Namespace()) as made:
        yield made


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a policy is applied in a name space")
def test_every_key_of_json_is_documented(porteiro, namespace):
    porteiro.policy(POLICY)
    porteiro = porteiro.at(namespace)
    porteiro.run("apply")
    porteiro.run("subscriber", "add", "10442", "--address", "198.51.100.7", "--line", "user:m@example.net")
    porteiro.run("subscriber", "told", "10442", "--by", "letter")
    porteiro.run("exemption", "add", "10442", "--until", "2099-01-01", "--owner", "noc", "--reason", "test")
    porteiro.run("quarantine", "add", "10442", "--level", "mail", "--for", "1h", "--reason", "test")
    porteiro.run("ban", "add", "203.0.113.9", "--reason", "test")
    porteiro.run("sightings", "add", "198.51.100.7", "--source", "trap", "--count", "5")
    porteiro.run("sightings", "add", "198.51.100.9", "--source", "trap")
    porteiro.run("graph", "sample")
    text = (ROOT / "docs" / "json.md").read_text()
    for words in (["check"], ["explain", "198.51.100.7"], ["generations"], ["subscriber", "show", "10442"],
                  ["subscriber", "list"], ["lease", "list"], ["exemption", "list"], ["quarantine", "list"], ["ban", "list"], ["sightings"],
                  ["suspects"], ["impact", "all"], ["forget", "--dry-run"], ["counters"], ["graph"], ["audit"]):
        answer = porteiro.json(*words)
        assert answer["version"] == 1, words
        below = set()
        if words[0] == "audit":  # what was decided on has the shape of its own command
            below = {key for row in answer["audit"] for key in keys([row["before"], row["after"]])}
        for key in set(keys(answer)) - below:
            assert f'"{key}"' in text, f"{' '.join(words)}: {key}"
        assert re.search(rf"^## {' '.join(words[:2]) if words[0] == 'subscriber' else words[0]}$", text, re.M), words
