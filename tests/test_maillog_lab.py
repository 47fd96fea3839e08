# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs that real Postfix writes under mixed load: what maillog report, find and the duty say of them is what who made the load knows, and what
pflogsumm says of them, where both count the same."""
import collections
import datetime
import gzip
import os
import pathlib
import random
import re
import shutil
import subprocess
import threading

import pytest
from conftest import PROGRAM, ROOT
from edge_support import need
from maillog_load import FATES, Load
from maillog_servers import Servers
from support import Porteiro

from lab import wait_for

LONG = 60.0
ALL_QUEUES = ("maildrop", "incoming", "active", "deferred")
POLICY = """
network "Lab" { timezone UTC }
server mx { address 203.0.113.25 }
class home { port25 observe }
pool city { class home  prefix 198.51.100.0/24 }
mail-log mx { file %s }
"""


class Run:
    """The load from its beginning to its end, with the log rotated meanwhile and the duty behind it. files: the logs, oldest first."""

    def __init__(self, folder):
        self.load = Load(20261128)
        with Servers(self.load.wanted) as servers:
            self.servers = servers
            self.porteiro = Porteiro(PROGRAM, folder, servers.host)
            try:
                self._follow()
                self._load()
                self.files, self.sums = self._keep(folder), self.drawn()
            finally:
                self.porteiro.close()
            self.delivered, self.taken = list(servers.delivered()), list(servers.taken())
        self.counted, self.text = servers.counted, b"".join(file.read_bytes() for file in self.files).decode()
        self.queued = [each for each in self.load.messages.values() if each.queued]

    def _follow(self):
        self.porteiro.policy(POLICY % self.servers.log)
        self.porteiro.run("apply")
        keeper = self.porteiro.start("duty", "keeper")
        wait_for(lambda: " event=keeper-ready " in keeper.log.read_text(), "the keeper", LONG)
        self.duty = self.porteiro.start("duty", "maillog")
        wait_for(lambda: " event=started " in self.duty.log.read_text(), f"the duty: {self.duty.log}", LONG)

    def _load(self):
        load, servers = self.load, self.servers
        load.run(servers, load.plan(0.4))
        servers.command("postsuper", "-H", "ALL")
        for each in load.messages.values():
            each.queued = each.queued or each.held
        self._rotate_under(load.plan(0.4))
        self._settle()
        servers.command("postsuper", "-d", "ALL", "hold")
        self._copy_and_cut()
        load.run(servers, load.plan(0.1, without=("submit", "submit_alone", "inbound_held")))
        self._settle()
        servers.stop()
        self._wait_read()
        self.duty.terminate()
        assert self.duty.wait(LONG) == 0, self.duty.log.read_text()

    def _rotate_under(self, plan):
        """The log is renamed in the middle of the plan; from then on queue ids are long."""
        failed = []

        def run():
            try:
                self.load.run(self.servers, plan)
            except AssertionError as error:
                failed.append(error)
        thread = threading.Thread(target=run)
        self.load.done = 0
        thread.start()
        wait_for(lambda: self.load.done > len(plan) // 2 or failed, "half of the load", LONG)
        os.rename(self.servers.log, self.servers.log.with_suffix(".log.2"))
        self.servers.reload(enable_long_queue_ids="yes")
        thread.join()
        assert not failed, failed

    def _settle(self):
        """Nothing is queued, and the log says so."""
        def is_settled():
            self.servers.hurry()
            if any(self.servers.queued(*ALL_QUEUES) for _ in range(2)):
                return False
            text = b"".join(file.read_bytes() for file in self._logs())
            return set(re.findall(rb": (\w+): from=<.*\(queue active\)$", text, re.M)) <= set(re.findall(rb": (\w+): removed$", text, re.M))
        wait_for(is_settled, f"the end of all messages: {self.servers.queued(*ALL_QUEUES)}", LONG)

    def _wait_read(self):
        """The duty's place is the end of the log."""
        def is_read():
            log = self.servers.log.stat()
            return f" {log.st_ino} {log.st_size} " in (self.porteiro.state / "maillog/positions").read_text()
        wait_for(is_read, f"the duty: {self.duty.log}", LONG)

    def _copy_and_cut(self):
        """As logrotate's copytruncate does, in a quiet moment."""
        self._wait_read()
        shutil.copy(self.servers.log, self.servers.log.with_suffix(".log.1"))
        os.truncate(self.servers.log, 0)

    def _logs(self):
        return sorted(self.servers.log.parent.iterdir(), reverse=True)

    def _keep(self, folder):
        return [pathlib.Path(shutil.copy(file, folder / file.name)) for file in self._logs()]

    def drawn(self):
        """The sums of what `graph` would draw."""
        series = self.porteiro.json("graph", "maillog/*", "--since", "1h")["series"]
        return {each["name"]: round(sum(mean * known for mean, _, known in each["points"] if known)) for each in series}

    # --- what is known ---

    def of(self, name):
        """How many messages have a recipient at the remote server of this name."""
        return sum(any(to.endswith(f"@{name}.example") for to in each.fates) for each in self.queued)

    @property
    def bounced_out(self):
        """Bounces that the outgoing instance makes: it hands them to the first."""
        return sum(each.bounces for each in self.queued if each.way == "out")

    def totals(self):
        dead = len(re.findall(r"status=deferred \(connect to mx\.dead\.example", self.text))    # nobody is there to count
        return {
            "messages": len(self.queued),
            "recipients": sum(len(each.fates) for each in self.queued),
            "handed": sum(len(each.fates) * each.again for each in self.queued) + self.bounced_out,
            "made": sum(each.bounces for each in self.queued),
            "delivered": len(self.delivered) + len(self.taken),
            "forwarded": sum(each.forwarded for each in self.queued),
            "deferred": self.counted["deferred"] + dead,
            "bounced": self.counted["bounced"] + sum(to.endswith(("nodomain.invalid", "gone@example.net")) for each in self.queued for to in each.fates),
            "expired": sum("expired" in each.fates.values() for each in self.queued),
            "refused": sum(self.load.refused.values()),
            "auth_failed": self.load.known["auth_failed"],
            "odd": self.load.known["odd"],
            "unknown": 0, "broken": 0, "foreign": 0, "too_long": 0, "under_way": 0, "early": 0, "share": 1,
        }

    def categories(self):
        found = dict(self.load.refused)
        return found | {"remote_rate": self.of("rate"), "remote_spam": self.of("spam"), "remote_listed": self.of("listed") + self.of("banner")}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    need("openssl", "postfix", "nsenter")
    if not os.path.exists("/usr/lib/postfix/sbin/postlogd"):
        pytest.skip("this Postfix writes no log file of its own")
    return Run(tmp_path_factory.mktemp("lab"))


def report(run, *files):
    answer = Porteiro(PROGRAM, run.files[0].parent / "none").json("maillog", "report", *files, "--zone", "UTC")
    return {key: answer[key] for key in ("totals", "categories", "logins", "clients", "domains", "hours", "suspects")}


@pytest.fixture(scope="module")
def answer(run):
    return report(run, *run.files)


def test_the_load_has_all_it_should(run):
    """Else the rest would prove little."""
    assert len(run.queued) > 200 and len(run.files) == 3
    assert not {"local", "rate", "domain", "not_logged", "not_owned", "spf", "sender_denied", "sender_other", "relay_denied", "rbl", "helo", "client",
                "greylist", "virus", "spam", "recipient", "size", "protocol", "other"} - set(run.load.refused)
    assert all(run.of(name) for name in FATES)
    assert run.load.known["odd"] and run.bounced_out and run.totals()["forwarded"] and run.totals()["expired"]
    ids = set(re.findall(r"\]: (\w+): client=", run.text)) - {"NOQUEUE"}
    assert min(map(len, ids)) < 12 < max(map(len, ids))
    assert all(f" {name}[" in run.text for name in ("postfix-out/smtp", "postfix/submission/smtpd", "postfix/smtps/smtpd", "postfix/pipe", "postfix/local",
                                                    "postfix/virtual", "postfix/postscreen", "postfix/anvil", "postfix/postsuper"))


def test_what_happened_is_what_the_generator_knows(run, answer):
    """Remote servers counted what they refused, mailboxes what they have, the generator each reply."""
    totals = run.totals()
    assert {key: answer["totals"][key] for key in totals} == totals


def test_each_refusal_has_its_category(run, answer):
    """Whatever the strange said in HELO, sender, login and subject."""
    assert {name: n for name, n in answer["categories"].items() if n} == {name: n for name, n in run.categories().items() if n}


def test_every_delivery_is_where_the_load_wanted_it(run):
    """The generator's own knowledge agrees with mailboxes and remote servers: else the lab itself is wrong."""
    got = collections.Counter(run.delivered + run.taken)
    for name, each in run.load.messages.items():
        for to, fate in each.fates.items() if each.queued else ():
            assert got[(to, name)] == (fate == "delivered"), (name, each)


# --- the same log in other forms ---

def without(answer, *keys):
    """What does not depend on how large the files are, and where a second begins."""
    return answer | {"totals": {key: value for key, value in answer["totals"].items() if key not in keys}}


def test_packed_and_whole_it_says_the_same(run, answer, tmp_path):
    (tmp_path / "whole.log").write_text(run.text)
    for file in run.files:
        (tmp_path / (file.name + ".gz")).write_bytes(gzip.compress(file.read_bytes()))
    assert report(run, tmp_path / "whole.log") == answer
    assert report(run, *(tmp_path / (file.name + ".gz") for file in run.files)) == answer


def test_stamps_of_rfc_3339_say_the_same(run, answer, tmp_path):
    year = datetime.datetime.now(datetime.timezone.utc).year

    def stamp(match):
        at = datetime.datetime.strptime(f"{year} {match[0]}", "%Y %b %d %H:%M:%S")
        return at.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00")
    (tmp_path / "log").write_text(re.sub(r"^[A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d(?= )", stamp, run.text, flags=re.M))
    got = report(run, tmp_path / "log")
    for each in got["suspects"] + answer["suspects"]:
        each["lines"] = [re.sub(r"^\S+T\S+ |^\w+ +\d+ [\d:]+ ", "", line) for line in each["lines"]]
    assert without(got, "bytes") == without(answer, "bytes")


# --- followed ---

def test_followed_through_two_rotations_it_adds_up_to_the_same(run, answer):
    """The duty read every line once, while it was written, renamed, copied and cut."""
    counts = re.findall(r" event=counts (.*)", run.duty.log.read_text())[-1]
    assert "unknown=0 broken=0" in counts and "gone=0 behind=0" in counts and f"lines={answer['totals']['lines']} " in counts, counts
    names = {"received": "messages", "sent": "delivered", "deferred": "deferred", "bounced": "bounced", "rejected": "refused",
             "auth-failed": "auth_failed", "spam": "spam", "virus": "virus"}
    # what remote servers say is drawn as often as they say it; the report counts messages
    said = {"remote_rate": r"deferred \(host \S+ said: 421 4\.7\.28", "remote_spam": r"bounced \(host \S+ said: 554 5\.7\.1 \[TSS04\]",
            "remote_listed": r"(?:bounced \(host \S+ said: 554 5\.7\.1 Service|deferred \(host \S+ refused to talk to me: 554 5\.7\.1 your)"}
    wanted = {name: answer["totals"][key] for name, key in names.items()} | \
        {f"category/{name}": n for name, n in answer["categories"].items()} | \
        {f"category/{name}": len(re.findall("status=" + form, run.text)) for name, form in said.items()}
    assert {name.removeprefix("maillog/"): n for name, n in run.sums.items() if n} == {name: n for name, n in wanted.items() if n}


# --- one message ---

def test_the_story_of_a_message_is_what_became_of_it(run):
    """Twenty of them, and one of each way."""
    chance = random.Random(1)
    known = {name: each for name, each in run.load.messages.items() if each.queued}
    chosen = chance.sample(list(known), 20) + [next(name for name, each in known.items() if each.way == way) for way in {each.way for each in known.values()}]
    program = Porteiro(PROGRAM, run.files[0].parent / "none")
    for name in chosen:
        each = known[name]
        story, = program.json("maillog", "find", name, *run.files, "--zone", "UTC")["stories"]
        told = [(to["to"], to["fate"]) for part in story["parts"] for to in part["recipients"]]
        fates = {to: fate for to, fate in told if fate != "handed"}
        assert fates == each.fates | {to: "forwarded" for to in each.given or () if each.forwarded}, (name, each, story)
        assert story["sender"].replace("\\", "") == each.sender, (name, each, story)
        assert len(story["parts"]) == 1 + each.again + each.forwarded, (name, each, story)
        assert sum(fate == "handed" for _, fate in told) == len(each.fates) * each.again, (name, each, story)


# --- beside pflogsumm ---

@pytest.fixture(scope="module")
def theirs(run, tmp_path_factory):
    if not shutil.which("pflogsumm"):
        pytest.skip("pflogsumm is not installed")

    def ask(*words):
        path = tmp_path_factory.mktemp("pflogsumm") / "log"
        path.write_text(run.text)
        text = subprocess.run(["pflogsumm", *words, path], capture_output=True, text=True, check=True, env=os.environ | {"TZ": "UTC"}).stdout
        found = {name: int(n) for n, name in re.findall(r"^ +(\d+) +([a-z /]+?)(?: +\(.*)?$", text, re.M)}
        return found | {"deferrals": int(re.search(r"\((\d+) +deferrals\)", text)[1])}
    return ask


def fools(run):
    """It takes a header that cleanup mentions for a delivery, if it is written like one; the first it finds in a line is a sender."""
    return len(re.findall(r"/cleanup\[\d+\]: \w+: (?!warning)\w+: header .*: to=<a@b>, relay=x, delay=1, dsn=2.0.0, status=sent.*; from=<(?!\"e>)", run.text))


def test_what_pflogsumm_counts_too_is_equal(run, answer, theirs):
    got, ours = theirs("--syslog-name=postfix-out"), answer["totals"]
    assert (got["forwarded"], got["deferrals"], got["bounced"]) == (ours["forwarded"], ours["deferred"], ours["bounced"])
    # where they differ, docs/maillog.md says why
    known = run.load.known
    assert got["delivered"] == ours["delivered"] + ours["handed"] + fools(run)
    assert got["rejected"] == ours["refused"] - known["refused by the proxy"]
    assert got["deferred"] == len(set(re.findall(r": (\w+): to=<[^>]*>, .*, status=deferred \(", run.text)))
    taken = run.load.messages.values()
    again = sum(each.again for each in taken) + run.bounced_out
    before_queue = sum(each.way == "proxied" for each in taken)
    given_up = known["refused at the end"] + known["refused at DATA"] + known["left in data"] + known["too large"]
    never_queued = sum(not each.queued for each in taken)
    assert got["received"] == ours["messages"] + again + before_queue + given_up + never_queued
    # actions that are no refusal: Porteiro counts none of them
    assert got["reject warnings"] == known["warnings"] + known["check warn"]
    assert got["held"] == sum(each.held for each in taken)
    assert got["discarded"] == sum(not each.queued and not each.held for each in taken)
    # different addresses, not how many times; of a hostile sender what stands before his own bracket
    senders = {each.sender for each in run.queued if ">" not in each.sender}
    fooled = any(each.sender.startswith('"e>') for each in run.queued)
    assert got["senders"] == len(senders) + fooled
    to = {to for to, _ in run.delivered + run.taken}
    handed = {to for each in run.queued if each.again for to in (each.given if each.forwarded else each.fates)}
    assert got["recipients"] == len(to | handed) + bool(fools(run))
    assert got["bytes received"] > ours["message_bytes"]
    docs = (ROOT / "docs/maillog.md").read_text().partition("## Beside pflogsumm")[2]
    for word in ("received", "bytes", "delivered", "deferred", "rejected", "reject warnings, held, discarded", "senders, recipients"):
        assert f"\n| {word} |" in docs


def test_without_its_name_pflogsumm_leaves_an_instance_out(run, answer, theirs):
    out = sum(to.startswith("r") and "@out-ok." in to or "@out-slow." in to for to, _ in run.taken)
    assert theirs()["delivered"] == answer["totals"]["delivered"] + answer["totals"]["handed"] + fools(run) - out - run.bounced_out
