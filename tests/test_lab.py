# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: can its answers be trusted? Every gate here is a hand-written rule."""
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lab import Capture, Lab, LabError, Listener, Session, isp, knock, mail, missing, netns, report_sightings, wait_for
from lab.sasl import LOGIN

LAB = {"postfix": True, "edge": True}
pytestmark = pytest.mark.needs("nft")
FAMILIES = pytest.mark.parametrize("family", ["v4", "v6"])
CUSTOMERS = ["home1", "home2", "infected", "legacy", "business"]
TPROXY = """
    table inet lab {
        chain pre {
            type filter hook prerouting priority -150;
            tcp dport 25 meta nfproto ipv4 tproxy ip to 127.0.0.1:2525 meta mark set 0x2500 accept
            tcp dport 25 meta nfproto ipv6 tproxy ip6 to [::1]:2525 meta mark set 0x2500 accept
        }
    }"""


def load(host, rule, hook="prerouting", priority=-150):
    host.nft(f"table inet lab {{ chain c {{ type filter hook {hook} priority {priority}; {rule}; }}\n}}\n")


def divert(host):
    """Hand port 25 to a transparent listener in the host, as the gate does."""
    host.nft(TPROXY)
    for family in ("-4", "-6"):
        host.ip("rule add fwmark 0x2500 lookup 2500", "route replace local default dev lo table 2500", family=family)


# --- roads and real mail

@FAMILIES
@pytest.mark.parametrize("name", [*CUSTOMERS, "servers"])
def test_every_host_reaches_every_mta(lab, name, family):
    host = lab.hosts[name]
    for place, port, greeting in ((lab.mx_org, 25, "mx.example.org"), (lab.mx_org, 587, "mx.example.org"),
                                  (lab.mx_com, 25, "mx2.example.com"), (lab.mx, 25, "mx.example.net.br"),
                                  (lab.submission, 587, "smtps.example.net.br")):
        outcome = knock(host, place.on(family), port)
        assert (outcome.kind, outcome.text.split()[:2]) == ("banner", ["220", greeting])
    assert knock(host, lab.mx_com.on(family), 587).kind == "reset"
    assert knock(host, lab.nobody.on(family)).kind == "reset"


@FAMILIES
@pytest.mark.parametrize("name", CUSTOMERS)
def test_real_mail_arrives_with_the_client_address(lab, name, family):
    host, recipient = lab.hosts[name], f"{name}.{family}@example.org"
    assert mail(host, lab.mx_org.on(family), recipient=recipient).kind == "sent"
    assert lab.mta_outside.wait_message(recipient).client == host.on(family)


def test_customers_reach_each_other(lab):
    for family in ("v4", "v6"):
        with Listener(lab.home2, 25, addresses=[lab.home2.on(family)]) as listener:
            assert knock(lab.home1, lab.home2.on(family)).kind == "banner"
            assert listener.wait().peer == lab.home1.on(family)


def test_the_whole_delegated_prefix_is_the_customers(lab):
    source = str(lab.home1.delegated[-2])
    assert mail(lab.home1, lab.mx_org.v6, recipient="far@example.org", source=source).kind == "sent"
    assert lab.mta_outside.wait_message("far@example.org").client == source


def test_a_login_opens_587_and_nothing_else_does(lab):
    there = dict(address=lab.mx_org.v4, port=587, recipient="login@example.org")
    assert mail(lab.home1, **there).kind == "refused"
    assert mail(lab.home1, **there, login=("ana", "errada")).kind == "refused"
    assert mail(lab.home1, **there, login=LOGIN).kind == "sent"
    assert lab.mta_outside.wait_message("login@example.org").user == "ana"


def test_the_isp_relays_for_who_logged_in_and_for_nobody_else(lab):
    outcome = mail(lab.home1, lab.mx.v4, recipient="open-relay@example.org")
    assert outcome.kind == "refused" and outcome.stage == "RCPT"
    assert mail(lab.home1, lab.submission.v6, 587, recipient="via-isp@example.org", login=LOGIN).kind == "sent"
    assert lab.mta_outside.wait_message("via-isp@example.org").client == lab.mx.v4


# --- what the probes say

@FAMILIES
@pytest.mark.parametrize("rule, kind", [
    ("tcp dport 25 reject with tcp reset", "reset"),
    ("tcp dport 25 reject with icmpx type admin-prohibited", "admin-prohibited"),
    ("tcp dport 25 reject with icmpx type host-unreachable", "unreachable"),
    ("tcp dport 25 drop", "timeout"),
])
def test_a_probe_tells_how_it_was_refused(lab, family, rule, kind):
    load(lab.router, rule)
    outcome = knock(lab.home1, lab.mx_org.on(family), timeout=0.5)
    assert (outcome.kind, outcome.stage) == (kind, "connect")
    assert (outcome.elapsed >= 0.5) == (kind == "timeout")
    assert knock(lab.home1, lab.mx_org.on(family), 587).kind == "banner"


@FAMILIES
def test_a_held_session_meets_a_new_rule_at_its_next_packet(lab, family):
    with Session(lab.home1, lab.mx_org.on(family)) as held:
        assert held.say("EHLO home1.example.net").startswith("250-mx.example.org")
        assert held.probe().kind == "alive"
        load(lab.router, "tcp dport 25 reject with tcp reset")
        outcome = held.probe()
        assert (outcome.kind, outcome.stage) == ("reset", "NOOP")


@FAMILIES
def test_shift_meets_the_real_587_of_the_same_host(lab, family):
    lab.router.nft("""
        table inet lab {
            chain c {
                type nat hook prerouting priority -100;
                iifname "home1" tcp dport 25 dnat to :587
            }
        }""".replace("inet", "ip" if family == "v4" else "ip6"))
    assert mail(lab.home1, lab.mx_org.on(family), recipient=f"bot.{family}@example.org").kind == "refused"
    assert mail(lab.home1, lab.mx_org.on(family), recipient=f"ana.{family}@example.org", login=LOGIN).kind == "sent"
    assert knock(lab.home1, lab.mx_com.on(family)).kind == "reset"
    assert lab.mta_outside.wait_message(f"ana.{family}@example.org").client == lab.home1.on(family)


# --- what stands behind divert and trap

@FAMILIES
@pytest.mark.needs("tproxy")
def test_a_transparent_listener_knows_whom_the_client_wanted(lab, family, tmp_path):
    record = tmp_path / "talks"
    divert(lab.router)
    wanted = lab.mx_com.on(family)
    with Listener(lab.router, 2525, role="trap", transparent=True, record=record) as listener:
        outcome = mail(lab.infected, wanted)
        assert (outcome.kind, outcome.stage, outcome.text) == ("refused", "RCPT", "450 4.7.1 Try again later")
        talk = listener.wait()
    assert (talk.peer, talk.original, talk.original_port) == (lab.infected.on(family), wanted, 25)
    [line] = record.read_text().splitlines()
    assert json.loads(line)["original"] == wanted
    assert json.loads(line)["said"][0] == "EHLO infected.example.net"


@FAMILIES
@pytest.mark.needs("tproxy")
def test_an_edge_on_another_box_gets_the_original_destination(lab, family):
    load(lab.router, 'iifname "home1" tcp dport 25 meta mark set 0x2500')
    lab.router.ip("rule add fwmark 0x2500 lookup 2500",
                  f"route replace default via {lab.edge.on(family)} table 2500", family="-" + family[1])
    divert(lab.edge)
    wanted = lab.mx_org.on(family)
    with Listener(lab.edge, 2525, role="divert", transparent=True) as listener:
        assert mail(lab.home1, wanted).text == "530 5.7.0 Authentication required"
        talk = listener.wait()
    assert (talk.peer, talk.original) == (lab.home1.on(family), wanted)
    assert knock(lab.home2, wanted).text.startswith("220 mx.example.org")


def test_only_who_talked_is_reported(lab, tmp_path):
    program, said = tmp_path / "porteiro", tmp_path / "said"
    program.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    program.chmod(0o755)
    reporter = report_sightings(program, "--state", "x")
    with Listener(lab.outside, 2526, addresses=[lab.mx_org.v4], on_end=reporter) as listener:
        with Session(lab.home1, lab.mx_org.v4, 2526):
            pass
        with Session(lab.home2, lab.mx_org.v4, 2526) as talker:
            talker.say("HELO bot")
        assert listener.wait(lambda talk: talk.peer == lab.home1.v4)
        assert listener.wait(lambda talk: talk.peer == lab.home2.v4)
    assert said.read_text() == (f"sightings add {lab.home2.v4} --source trap --port {talker.local_port} "
                                "--detail HELO bot --state x\n")


# --- packets and captures

@pytest.mark.needs("scapy")
class TestPackets:
    """Each packet passes an empty router, arrives as sent, and is seen to be stopped by a rule that stops it."""

    def crafted(self, lab):
        from lab import packets as p
        home, there = lab.home1, lab.mx_org
        inner = p.syn(home.v6, there.v6)
        six = dict(src=p.address_6to4(home.v4), dst=p.address_6to4(there.v4))
        mapped = p.address_teredo(there.v4, home.v4, 3544)
        return {
            "6in4": p.sixinfour(home.v4, there.v4, inner),
            "6to4": p.sixinfour(home.v4, there.v4, p.syn(**six)),
            "teredo": p.teredo(home.v4, there.v4, p.syn(mapped, there.v6)),
            "teredo-origin": p.teredo(home.v4, there.v4, inner, origin=("203.0.113.9", 4096)),
            "teredo-auth": p.teredo(home.v4, there.v4, inner, authentication=(b"", b"")),
            "teredo-auth-origin": p.teredo(home.v4, there.v4, inner, authentication=(b"client", b"proof"),
                                           origin=("203.0.113.9", 4096)),
            "teredo-port": p.teredo(home.v4, there.v4, inner, dport=40000, sport=50000),
            "spoofed-v4": p.syn("198.51.100.99", there.v4),
            "spoofed-v6": p.syn("2001:db8:100:9900::9", there.v6),
            "from-port-25": p.syn(home.v4, there.v4, dport=40000, sport=25, flags="SA"),
            "extension-header": p.IPv6(src=home.v6, dst=there.v6) / p.IPv6ExtHdrDestOpt() / p.TCP(dport=25, seq=77777),
        }

    @pytest.mark.parametrize("name", ["6in4", "6to4", "teredo", "teredo-origin", "teredo-auth", "teredo-auth-origin",
                                      "teredo-port", "spoofed-v4", "spoofed-v6", "from-port-25", "extension-header"])
    def test_arrives_as_sent_or_is_seen_not_to(self, lab, name):
        from lab.packets import send
        packet = self.crafted(lab)[name]
        with Capture(lab.outside) as seen:
            assert seen.passed(send(lab.home1, packet), lab.home1)
            assert seen.lost() == 0
        load(lab.router, 'iifname "home1" ip daddr 203.0.113.130 udp dport != 9 drop; iifname "home1" meta l4proto '
                         '{ 41, tcp } drop; iifname "home1" exthdr dst exists drop')
        with Capture(lab.outside) as seen:
            assert not seen.passed(send(lab.home1, packet), lab.home1)

    def test_a_teredo_packet_reads_as_one(self, lab):
        from lab.packets import IPv6, TCP, UDP, send
        with Capture(lab.outside) as seen:
            seen.passed(send(lab.home1, self.crafted(lab)["teredo"]), lab.home1)
            assert seen.count(lambda packet: UDP in packet and packet[UDP].dport == 3544) == 1
            [teredo] = [packet for packet in seen.packets() if UDP in packet and packet[UDP].dport == 3544]
        inner = IPv6(bytes(teredo[UDP].payload))
        assert inner.src.startswith("2001:0:cb00:7182:") and inner[TCP].dport == 25

    def test_fragments_arrive_one_by_one(self, lab):
        from lab.packets import fragment, send
        pieces = fragment(self.crafted(lab)["teredo"] / (b"x" * 200), fragsize=64)
        with Capture(lab.outside) as seen:
            sent = [send(lab.home1, piece) for piece in pieces]
            assert len(sent) > 3 and all(seen.passed(piece, lab.home1) for piece in sent)

    def test_a_flood_arrives_as_counted(self, lab):
        from lab.packets import TCP, flood, syn
        with Capture(lab.outside) as seen:
            sent = flood(lab.infected, [syn(lab.infected.v4, lab.nobody.v4, dport=2500) for _ in range(100)], 0.05)
            seen.settle(lab.home1)
            assert sent >= 1000
            assert seen.lost() == 0
            assert seen.count(lambda packet: TCP in packet and packet[TCP].dport == 2500) == sent

    def test_a_stopped_marker_is_an_error_not_an_answer(self, lab):
        load(lab.router, 'iifname "home1" drop')
        with Capture(lab.outside) as seen, pytest.raises(LabError, match="let another host tell"):
            seen.settle(lab.home1)


# --- other drawings, and coming and going

@FAMILIES
@pytest.mark.parametrize("drawing", ["screened", "dmz"])
def test_other_drawings_have_the_same_roads(drawing, family):
    if missing("postfix"):
        pytest.skip(missing("postfix"))
    with isp(drawing, edge=True, postfix=True) as lab:
        for name in [*CUSTOMERS, "edge"]:
            assert knock(lab.hosts[name], lab.mx_org.on(family)).kind == "banner"
            assert knock(lab.hosts[name], lab.mx.on(family)).kind == "banner"
        assert mail(lab.home1, lab.submission.on(family), 587, recipient="x@example.org", login=LOGIN).kind == "sent"
        assert lab.mta_outside.wait_message("x@example.org").client == lab.mx.v4
        load(lab.router, 'iifname "home1" tcp dport 25 reject with tcp reset')
        assert knock(lab.home1, lab.mx_org.on(family)).kind == "reset"
        assert knock(lab.home2, lab.mx_org.on(family)).kind == "banner"


def test_a_drawing_of_ones_own_is_a_few_lines():
    with Lab() as lab:
        router, left, right = lab.host("router", forward=True), lab.host("left"), lab.host("right")
        for host, last in ((left, 1), (right, 2)):
            lab.link(router, host)
            router.ip(f"addr add 192.0.2.{last * 16 + 1}/28 dev {host.name}")
            host.ip(f"addr add 192.0.2.{last * 16 + 2}/28 dev eth0", f"route add default via 192.0.2.{last * 16 + 1}")
        Listener(right, 25, addresses=["0.0.0.0"])
        assert knock(left, "192.0.2.34").kind == "banner"


def test_labs_stand_side_by_side_and_leave_nothing(lab):
    with isp() as other:
        load(other.router, "tcp dport 25 reject with tcp reset")
        assert knock(lab.home1, lab.mx_org.v4).kind == "banner"
        sleeper = other.home1.popen("sleep", "1000")
        prefix = other.prefix
        assert prefix in netns.labs()
    assert prefix not in netns.labs()
    assert sleeper.returncode == -signal.SIGTERM
    assert not os.path.exists(f"{netns.STATE}/{prefix}")


OTHER_PROCESS = """
import signal, sys, time
sys.path.insert(0, sys.argv[1])
from lab import isp
signal.signal(signal.SIGINT, signal.default_int_handler)    # a shell may have started us with ^C ignored
lab = isp(postfix=True)
lab.home1.popen("sleep", "1000")
print(lab.prefix, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def other():
    """A process that holds a whole lab with something running in it, and the lab's prefix."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with subprocess.Popen([sys.executable, "-c", OTHER_PROCESS, root], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        yield process, process.stdout.readline().strip()
        process.kill()


@pytest.mark.needs("postfix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_lab_cleans_up(other, number):
    process, prefix = other
    assert prefix in netns.labs()
    process.send_signal(number)
    process.wait(10)
    assert prefix not in netns.labs()


@pytest.mark.needs("postfix")
def test_what_a_killed_lab_left_is_swept(lab, other):
    process, prefix = other
    names = netns.labs()[prefix]
    assert len(netns.residents(names)) >= 3      # the masters and the sleeper at least, besides the masters' children
    process.kill()
    process.wait()
    assert not netns.alive(prefix)
    netns.sweep()
    wait_for(lambda: prefix not in netns.labs(), "the sweep, ours or that of another lab that starts now")
    assert lab.prefix in netns.labs()


def test_a_lab_starts_quickly():
    started = time.monotonic()
    with isp(edge=True):
        assert time.monotonic() - started < 3
