# SPDX-License-Identifier: GPL-3.0-or-later
"""porteiro edge: the SMTP listeners on a box without a gate, from a policy file to a message in a Maildir."""
import os
import subprocess

import pytest

from lab.core import wait_for
from support import Namespace
from test_edge_gate import certificate

POLICY = """
network "Alone" {{ domain example.net  timezone Africa/Maputo  language en }}
class home {{ port25 open }}
pool p {{ class home  prefix 198.51.100.0/24 }}
edge {{
    submission   2587   listen 127.0.0.1
    certificate  smtps.example.net  chain {folder}/chain.pem  key {folder}/key.pem
    next-hop     maildir {folder}/mail
    workers      1
}}
"""
ANA, PASSWORD = "ana@example.net", "trilho cebola quartzo"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a network name space")


@pytest.fixture
def box(porteiro, monkeypatch):
    monkeypatch.setenv("PORTEIRO_SANDBOX", "kill")
    namespace = Namespace()
    subprocess.run(["ip", "-n", namespace.netns, "link", "set", "lo", "up"], check=True)
    box = porteiro.at(namespace)
    (box.folder / "mail").mkdir(mode=0o700)
    certificate(box.folder)
    yield box
    porteiro.close()
    namespace.close()


def send(box):
    """By Python's own client, in the name space."""
    script = f"""
import smtplib, ssl
context = ssl.create_default_context(); context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with smtplib.SMTP("127.0.0.1", 2587, timeout=20) as client:
    client.starttls(context=context)
    client.login({ANA!r}, {PASSWORD!r})
    print(client.sendmail({ANA!r}, [{ANA!r}], "From: {ANA}\\r\\nSubject: alone\\r\\n\\r\\nHello.\\r\\n"))
"""
    return subprocess.run(["ip", "netns", "exec", box.host.netns, "/usr/bin/python3", "-c", script], capture_output=True, text=True)


def test_from_a_policy_to_a_message(box):
    box.policy(POLICY.format(folder=box.folder))
    box.run("subscriber", "add", "1")
    box.run("domain", "add", "example.net", "--abuse", ANA)
    box.run("mailbox", "add", ANA, "--subscriber", "1")
    box.run("mailbox", "password", ANA, "--stdin", input=PASSWORD + "\n")
    edge = box.start("edge")
    wait_for(lambda: "event=edge-ready" in edge.log.read_text(), "the edge", timeout=15)
    done = send(box)
    assert done.stdout == "{}\n", done.stderr + edge.log.read_text()
    found = list((box.folder / "mail").glob("*/*/Maildir/new/*"))
    assert len(found) == 1 and "Subject: alone\n" in found[0].read_text()
    assert [each["state"] for each in box.json("generations")["generations"]] == ["confirmed"]
    assert box.host.nft("list", "tables") == ""         # no rule was made
    assert {line.split("name=")[1].split()[0] for line in edge.log.read_text().splitlines() if "event=duty-ready" in line} == \
        {"keeper", "auth", "deliver", "edge"}
    edge.terminate()
    assert edge.wait(15) == 0
    again = box.start("edge")           # the same file is the same generation
    wait_for(lambda: "event=edge-ready" in again.log.read_text(), "the edge", timeout=15)
    assert len(box.json("generations")["generations"]) == 1


def test_it_is_not_the_command_where_a_gate_is(box):
    box.policy(POLICY.format(folder=box.folder))
    run = box.start("run")
    wait_for(lambda: "event=run-ready" in run.log.read_text(), "the duties", timeout=15)
    done = box.run("edge", status=1)
    assert "a gate runs with the state folder" in done.stderr


def test_a_policy_without_an_edge(box):
    box.policy(POLICY.format(folder=box.folder).split("edge {")[0])
    done = box.run("edge", status=1)
    assert "the policy has no block edge" in done.stderr
    box.policy("network")
    assert box.run("edge", status=1).stderr.startswith(f"{box.conf}:1:")
