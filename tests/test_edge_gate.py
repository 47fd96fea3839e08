# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate and the edge together, with real packets of customers: diverted, trapped, quarantined, logged in."""
import json
import os
import subprocess

import pytest

from gate_support import NETWORK, SERVERS, both_families, customers
from lab import LabError, Session, knock, mail, wait_for
from lab.smtp import Ended

LAB = {"postfix": True}
pytestmark = [pytest.mark.needs("nft", "tproxy", "nflog", "postfix"),
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a gate's name space")]
GATEWAY4, GATEWAY6 = "203.0.113.30", "2001:db8:b01a:70da::1"
ANA, PASSWORD = "ana@example.net.br", "trilho cebola quartzo"
EDGE = """
edge {{
    submission   587, 465   listen {v4}, {v6}
    certificate  smtps.example.net.br  chain {folder}/chain.pem  key {folder}/key.pem
    next-hop     relay 203.0.113.25:10025, [2001:db8:b01a:70da::25]:10025
    help         https://example.net.br/25
}}
"""
SUSPICION = "suspicion { trap 5  divert 1 }\nquarantine { after 20 points  level mail  for 24h }\n"


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=smtps.example.net.br", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/chain.pem"],
                   check=True, capture_output=True)


@pytest.fixture
def isp(lab, porteiro, monkeypatch):
    """`porteiro run` on the router, with an edge; home1 and infected are subscribers, and Ana has a mailbox."""
    monkeypatch.setenv("PORTEIRO_SANDBOX", "kill")
    router = porteiro.at(lab.router)
    certificate(porteiro.folder)
    router.lab, router.strategies = lab, {"home1": "divert", "home2": "shift", "infected": "trap", "business": "open"}
    router.text = NETWORK + SERVERS.replace("70da::25 }", "70da::25  customers divert }") + EDGE.format(
        v4=GATEWAY4, v6=GATEWAY6, folder=porteiro.folder) + SUSPICION
    router.policy(router.text + customers(**router.strategies))
    for number, host in (("1010", lab.home1), ("1011", lab.home2), ("1066", lab.infected)):
        router.run("subscriber", "add", number, "--address", host.v4, "--address", str(host.delegated))
    router.run("domain", "add", "example.net.br", "--abuse", ANA)
    router.run("mailbox", "add", ANA, "--subscriber", "1010")
    router.run("mailbox", "password", ANA, "--stdin", input=PASSWORD + "\n")
    router.process = router.start("run")
    router.run("apply")
    wait_for(lambda: "event=edge-ready" in router.process.log.read_text(), "the edge", timeout=15)
    yield router
    porteiro.close()


def sightings(router, source):
    return [each for each in json.loads(router.run("sightings", "--json").stdout)["sightings"] if each["source"] == source]


def log(router):
    return router.process.log.read_text()


@both_families
def test_who_is_diverted_without_a_login_is_told_what_to_do(isp, family):
    lab = isp.lab
    before = len(sightings(isp, "divert"))
    outcome = mail(lab.home1, lab.mx_org.on(family))
    assert outcome.kind == "refused" and outcome.stage == "MAIL"
    assert outcome.text.startswith("530-5.7.0 Port 25 is for servers.") and "https://example.net.br/25" in outcome.text
    wait_for(lambda: len(sightings(isp, "divert")) == before + 1, "the sighting")
    seen = sightings(isp, "divert")[0]
    assert seen["subscriber"] == "1010" and seen["strategy"] == "divert" and seen["port"] > 0
    assert 'helo="home1.example.net"' in seen["detail"] and "did=ehlo " in seen["detail"]
    assert f"dst={lab.mx_org.on(family)} dport=25" in log(isp)


@both_families
def test_an_old_setting_with_the_right_password_goes_on_working(isp, family):
    lab = isp.lab
    recipient = f"old.{family}@example.org"
    outcome = mail(lab.home2, lab.mx.on(family), sender=ANA, recipient=recipient, login=(ANA, PASSWORD), tls=True)
    assert outcome.kind == "sent", outcome
    message = lab.mta_outside.wait_message(recipient)
    assert message.sender == ANA and "ESMTPSA" in message.text
    inside = text_of(lab.mta_isp.log)
    assert f"client=unknown[{lab.home2.v6 if family == 'v6' else lab.home2.v4}]" in inside
    assert f"sasl_username={ANA}" in inside


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def test_a_mail_server_that_takes_the_proxy_protocol_sees_the_customer(isp):
    lab = isp.lab
    text = isp.text.replace(":10025", ":10026").replace("help  ", "identify proxy\n    help  ")
    isp.policy(text + customers(**isp.strategies))
    isp.run("apply")
    wait_for(lambda: log(isp).count("event=edge-ready") >= 4, "the edge anew", timeout=20)
    for family in ("v4", "v6"):
        for host in (lab.home1, lab.home2):     # a connection of each one's own
            outcome = mail(host, lab.mx.on(family), sender=ANA, recipient=f"{host.name}.{family}@example.org", login=(ANA, PASSWORD), tls=True)
            assert outcome.kind == "sent", outcome
            lab.mta_outside.wait_message(f"{host.name}.{family}@example.org")
            assert f"client=unknown[{host.v6 if family == 'v6' else host.v4}]" in text_of(lab.mta_isp.log)


@both_families
def test_what_is_logged_in_by_another_providers_name_stays_secret(isp, family):
    lab = isp.lab
    with Session(lab.home1, lab.mx_org.on(family)) as session:
        session.must("EHLO x")
        session.starttls()
        session.must("EHLO x")
        asked = session.say("AUTH LOGIN")
        assert asked.startswith("334 ")
        answer = session.say("c2VjcmV0Lm5hbWVAb3RoZXIuZXhhbXBsZQ==")
        assert answer.startswith("535-5.7.8 This server is for customers of your access provider"), answer
    assert "secret.name" not in log(isp) and "other.example" not in log(isp)


def test_who_still_needs_an_exception_is_listed_and_not_suspected(isp):
    lab = isp.lab
    text = isp.text.replace("help  ", "plain-auth-until 2037-12-31\n    help  ") + f"""
legacy panels {{ listen {GATEWAY4}:2626  from {lab.legacy.v4}  sender alarm@example.net.br, @panels.example.net.br
                until 2037-12-31  owner noc@example.net.br  messages-day 3 }}
"""
    isp.policy(text + customers(**isp.strategies))
    isp.run("apply")
    wait_for(lambda: log(isp).count("event=edge-ready") >= 4, "the edge anew", timeout=20)     # sockets changed: the duty started again
    sent = mail(lab.home1, lab.mx_org.v4, sender=ANA, recipient="plain@example.org", login=(ANA, PASSWORD))
    assert sent.kind == "sent", sent
    one = {"sender": "alarm@example.net.br", "recipient": "panel@example.org"}
    outcomes = [mail(lab.legacy, GATEWAY4, 2626, **one) for _ in range(4)]
    assert [each.kind for each in outcomes] == ["sent"] * 3 + ["refused"] and outcomes[3].text.startswith("452 4.7.1"), outcomes
    assert mail(lab.legacy, GATEWAY4, 2626, sender="x@example.org").text.startswith("553 5.7.1")
    assert mail(lab.legacy, GATEWAY4, 2626, sender="any@panels.example.net.br").text.startswith("452")
    assert mail(lab.home1, GATEWAY4, 2626, **one).kind in ("closed", "reset")       # not of those who may
    wait_for(lambda: sightings(isp, "legacy") and sightings(isp, "plain-auth"), "the facts")
    seen = json.loads(isp.run("sightings", "--source", "plain-auth", "--json").stdout)["sightings"]
    assert [each["subscriber"] for each in seen] == ["1010"] and ANA in seen[0]["detail"]
    assert sightings(isp, "legacy")[0]["detail"].startswith("listener=panels from=")
    assert not any(each["subscriber"] == "1010" for each in json.loads(isp.run("suspects", "--json").stdout)["suspects"])


def test_what_is_sent_is_limited_by_mailbox_subscriber_and_address(isp):
    lab = isp.lab
    isp.run("mailbox", "add", "eva@example.net.br", "--subscriber", "1010")
    isp.run("mailbox", "password", "eva@example.net.br", "--stdin", input=PASSWORD + "\n")
    isp.policy(isp.text + "sending { mailbox-distinct-hour 2  subscriber-messages-day 5  address-messages-hour 60 }\n"
               + customers(**isp.strategies))
    isp.run("apply")
    wait_for(lambda: log(isp).count("event=edge-ready") >= 4, "the edge anew", timeout=20)

    def send(login, recipient, host=lab.home1):
        return mail(host, GATEWAY4, 587, sender=login, recipient=recipient, login=(login, PASSWORD), tls=True)

    eva = "eva@example.net.br"
    assert [send(ANA, f"{name}@example.org").kind for name in "abcab"] == ["sent", "sent", "refused", "sent", "sent"]
    assert 'whose=mailbox limit="different recipients per hour" most=2 used=2' in log(isp)
    assert [send(eva, "a@example.org").kind for _ in range(2)] == ["sent", "refused"]       # the subscriber's fifth, and sixth
    assert 'whose=subscriber limit="messages per day" most=5 used=5' in log(isp)
    assert send(eva, "a@example.org", lab.home2).text.startswith("452 4.7.1")


def test_a_suspension_ends_what_is_open(isp):
    lab = isp.lab
    with Session(lab.home1, GATEWAY4, 587) as session:
        session.must("EHLO x")
        session.starttls()
        session.must("EHLO x")
        session.login(ANA, PASSWORD)
        isp.run("mailbox", "suspend", ANA, "--reason", "stolen password")
        session.must(f"MAIL FROM:<{ANA}>")
        assert session.say("RCPT TO:<a@example.org>").startswith("550 5.7.1 Sending is suspended")
        isp.run("mailbox", "resume", ANA)
    assert mail(lab.home1, GATEWAY4, 587, sender=ANA, recipient="a@example.org", login=(ANA, PASSWORD), tls=True).kind == "sent"


def test_a_bot_is_trapped_and_quarantined_at_once(isp):
    lab = isp.lab
    outcomes = []
    for count in range(8):
        address = f"203.0.113.{193 + count}" if count % 2 == 0 else f"2001:db8:fffe::{count + 1:x}"
        try:
            with Session(lab.infected, address) as session:
                session.must("EHLO bot")
                session.must("MAIL FROM:<a@example.com>")
                assert session.hear("RCPT TO:<b@example.org>") == "4"       # of 451: the fact is on its way by then
                outcomes.append("trapped")
        except Ended as end:
            outcomes.append(end.kind)
            break
        if count == 3:
            wait_for(lambda: json.loads(isp.run("quarantine", "list", "--json").stdout)["quarantines"], "the quarantine", timeout=3)
            wait_for(lambda: knock(lab.infected, lab.mx_org.v4).kind == "reset", "the kernel", timeout=3)
    assert outcomes[:4] == ["trapped"] * 4 and outcomes[-1] == "reset", outcomes
    named, = json.loads(isp.run("quarantine", "list", "--json").stdout)["quarantines"]
    assert named["subscriber"] == "1066" and named["by_rule"] and "conversations in the trap" in named["evidence"]
    assert len(sightings(isp, "trap")) >= 4


def test_who_is_quarantined_can_still_log_in_where_his_level_lets_him(isp):
    lab = isp.lab
    isp.run("quarantine", "add", "1010", "--level", "mail", "--for", "1h", "--reason", "test")
    wait_for(lambda: knock(lab.home1, lab.mx_org.v4).kind == "reset", "the kernel", timeout=3)
    sent = mail(lab.home1, GATEWAY4, 587, sender=ANA, recipient="quarantined@example.org", login=(ANA, PASSWORD), tls=True)
    assert sent.kind == "sent", sent
    isp.run("quarantine", "add", "1010", "--level", "submission", "--for", "1h", "--reason", "test")
    wait_for(lambda: knock(lab.home1, GATEWAY4, 587).kind == "reset", "the kernel", timeout=3)
    assert knock(lab.home1, GATEWAY6, 587).kind == "reset"


def test_a_guesser_from_outside_is_banned_by_the_kernel(isp):
    lab = isp.lab
    refused = []
    for count in range(100):        # in vain with 60 logins
        try:
            with Session(lab.outside, GATEWAY4, 587) as session:
                session.must("EHLO guesser")
                session.starttls()
                session.must("EHLO guesser")
                for turn in range(3):
                    try:
                        session.login(f"user{count}@example.net.br", f"senha{count}{turn}")
                    except Ended as end:
                        refused.append(end.text)
        except Ended as end:
            refused.append(end.kind)
            if end.kind == "timeout":
                break
    bans = wait_for(lambda: json.loads(isp.run("ban", "list", "--json").stdout)["bans"], "the ban")
    assert bans[0]["prefix"] == lab.outside.v4 and bans[0]["by_rule"], refused[-5:]
    assert knock(lab.outside, GATEWAY4, 587, timeout=0.5).kind == "timeout"
    isp.run("ban", "remove", lab.outside.v4, "--reason", "test")
    wait_for(lambda: knock(lab.outside, GATEWAY4, 587, timeout=0.5).kind == "banner", "the kernel", timeout=5)


def test_the_edge_gone_means_a_reset_and_not_an_open_door(isp):
    lab = isp.lab
    assert knock(lab.home1, lab.mx_org.v4).kind == "banner"
    porteiro_run = isp.process
    porteiro_run.terminate()
    porteiro_run.wait(20)
    for family in ("v4", "v6"):
        assert knock(lab.home1, lab.mx_org.on(family)).kind == "reset"
        assert knock(lab.infected, lab.mx_org.on(family)).kind == "reset"
