# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of maillog report and maillog try: page, CSV, JSON and text say the same, and nothing of a stranger's gets out of its text."""
import csv
import html.parser
import io
import json
import pathlib
import re
import shutil
import subprocess

import pytest

from support import keys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LISTS = {"logins": "logins", "clients": "clients", "subscribers": "subscribers", "domains": "domains", "refused_clients": "refused_clients",
         "guessing_clients": "guessing_clients", "bounces": "bounce_reasons", "deferrals": "deferral_reasons", "remote": "remote_refusals"}
COUNTERS = ["messages", "recipients", "message_bytes", "delivered", "deferred", "bounced", "refused", "auth_failed", "remote"]
PEOPLE = [name for name in COUNTERS if name != "message_bytes"]
VOID = {"meta", "br", "rect", "path"}
HOSTILE = ['"><script>alert(1)</script>', "javascript:alert(1)", "</style>", "</title><img src=x onerror=alert(1)>", "a\0b", "\x1b[31mred",
           "\u202etxt.exe", "=1+1;=cmd|' /C calc'!A0", "&lt;b&gt;", "-->", "\udcff\udcfe", "\u2066\u061c"]


class Page(html.parser.HTMLParser):
    """Balanced tags; all text, attributes, and tables by their id, as rows of (key, cells)."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts, self.tables = [], [], [], [], {}
        self.rows = self.cell = None
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.rows = self.tables[attrs["id"].removeprefix("table-")] = []
        elif tag == "tr" and "tbody" in self.open:
            self.rows.append((attrs.get("data-key"), []))
        elif tag in ("td", "th") and "tbody" in self.open:
            self.cell = []

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()
        if tag in ("td", "th") and self.cell is not None:
            self.rows[-1][1].append("".join(self.cell))
            self.cell = None

    def handle_data(self, data):
        self.texts.append(data)
        if self.cell is not None:
            self.cell.append(data)


def number(text):
    return int(re.sub(r"[.,]", "", text))


def lines(*texts):
    return "".join(f"Nov 28 {when} mx1 postfix/{text}\n" for when, text in texts)


def message(queue_id, when, sender="joe@example.net", login="joe@example.net", client="198.51.100.7", ends=("status=sent (250 ok)",)):
    return lines((f"{when}:01", f"submission/smtpd[9]: {queue_id}: client=e[{client}], sasl_method=LOGIN, sasl_username={login}"),
                 (f"{when}:02", f"qmgr[9]: {queue_id}: from=<{sender}>, size=1000, nrcpt={len(ends)} (queue active)"),
                 *((f"{when}:03", f"smtp[9]: {queue_id}: to=<x@example.org>, relay=mx.example.org[203.0.113.9]:25, delay=1, delays=0/0/0/1, "
                    f"dsn=5.0.0, {end}") for end in ends),
                 (f"{when}:04", f"qmgr[9]: {queue_id}: removed"))


def said(status, text):
    return f"status={status} (host mx.example.org[203.0.113.9] said: {text} (in reply to end of DATA command))"


def guesses(n, hour="03", client="203.0.113.77", login="joe"):
    return lines(*((f"{hour}:{i // 60:02}:{i % 60:02}", f"smtpd[9]: warning: e[{client}]: SASL LOGIN authentication failed: x, "
                    f"sasl_username={login}") for i in range(n)))


def mixed():
    """All lists have something, and some of it is hostile."""
    text = ""
    for hour in range(24):
        for i in range(5 + hour):
            word = HOSTILE[i % len(HOSTILE)]
            ends = [(said("bounced", f"550 5.7.1 spam {word}"),), (said("deferred", f"421 4.7.28 unusual rate of {word}"),),
                    ("status=sent (250 ok)",)][i % 3]
            text += message(f"{hour * 100 + i:012X}", f"{hour:02}:{i:02}", sender=f"{word}@example{i % 4}.net", login=f"u{i % 7}{word}",
                            client=f"198.51.100.{i}", ends=ends)
            text += lines((f"{hour:02}:{i:02}:05", f"smtpd[9]: NOQUEUE: reject: RCPT from e[192.0.2.{i}]: 554 5.7.1 <t@example.org>: Relay access "
                                                   f"denied; from=<{word}> to=<t@example.org> proto=ESMTP helo=<{word}>"))
        text += guesses(35 if hour == 3 else 1, f"{hour:02}", login=HOSTILE[hour % len(HOSTILE)])
    return text.encode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("maillog") / "log"
    path.write_bytes(b"".join(sorted(mixed().splitlines(keepends=True), key=lambda line: line[:15])))
    return path


def ask(porteiro, log, *words):
    return porteiro.run("maillog", "report", log, "--zone", "UTC", *words).stdout


def page(porteiro, log, *words):
    return Page(ask(porteiro, log, "--html", "-", *words))


# --- the page ---

def test_a_page_stands_alone(porteiro, log):
    text = ask(porteiro, log, "--html", "-")
    shown = Page(text)
    assert "script" not in shown.tags and "img" not in shown.tags and "link" not in shown.tags and shown.tags.count("svg") == 2
    for name, value in shown.attributes:
        assert not name.startswith("on"), name
        assert name not in ("href", "src") or value.startswith("#"), (name, value)
        assert value is None or "//" not in value and "javascript" not in value, (name, value)
    assert "url(http" not in text and "@import" not in text
    ids = [value for name, value in shown.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for name, value in shown.attributes if name == "href"} <= set(ids)
    content = [value for name, value in shown.attributes if name == "content" and "default-src" in value]
    assert content and content[0].startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "width=device-width, initial-scale=1" in dict(shown.attributes).values() or 'name="viewport"' in text
    assert "prefers-color-scheme:dark" in text


def test_what_strangers_wrote_stays_text(porteiro, log):
    text = ask(porteiro, log, "--html", "-")
    shown = Page(text)
    whole = "".join(shown.texts)
    assert "<script" not in text and "<img" not in text and text.count("</style>") == 2
    assert "</style>" in whole and "\\x1b[31mred" in whole and "\\xe2\\x80\\xaetxt.exe" in whole
    evidence = porteiro.json("maillog", "report", log)["suspects"][0]["lines"]
    assert evidence
    harmless(text)


def harmless(text):
    for character in text:
        assert character in "\n" or character >= " " and not "\x7f" <= character <= "\x9f", repr(character)
        assert character not in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", repr(character)


def test_page_and_json_agree(porteiro, log):
    known = porteiro.json("maillog", "report", log, "--zone", "UTC")
    tables = page(porteiro, log).tables
    for name in known["totals"].keys() - {"share"}:
        [row] = [cells for key, cells in tables["sums"] if key == name]
        assert number(row[1]) == known["totals"][name], name
    found = {key: number(cells[2]) for key, cells in tables["categories"] + tables["remote-categories"]}
    assert found == {name: n for name, n in known["categories"].items() if n}
    for name in ("logins", "clients", "domains", "refused_clients", "guessing_clients"):
        assert [[number(cell) for cell in cells[1:]] for _, cells in tables[name]] == [[row[key] for key in PEOPLE] for row in known[name]]
    for name, by in (("bounce_reasons", "bounced"), ("deferral_reasons", "deferred"), ("remote_refusals", "remote")):
        assert [number(cells[1]) for _, cells in tables[name]] == [row[by] for row in known[name]] != []
    assert [[number(cell) for cell in cells[1:]] for _, cells in tables["hours"]] == [[row[key] for key in PEOPLE] for row in known["hours"]]
    assert len(known["hours"]) == 24


def test_suspects_come_with_their_lines(porteiro, log):
    known = porteiro.json("maillog", "report", log, "--zone", "UTC")["suspects"]
    rows = page(porteiro, log).tables["suspects"]
    who = [(cells[0], number(cells[4]), number(cells[5])) for key, cells in rows if key]
    assert len(who) == len(known) and ("203.0.113.77", 1) in [row[:2] for row in who]
    assert [row[1:] for row in who] == [(suspect["times"], max(suspect["count"], suspect["total"])) for suspect in known]
    folded = [cells[0] for key, cells in rows if not key]
    assert len(folded) == sum(bool(suspect["lines"]) for suspect in known)
    guesser = next(suspect for suspect in known if suspect["limit"] == "a client guesses passwords")
    assert guesser["who"] == "203.0.113.77" and guesser["count"] == 30 and len(guesser["lines"]) == 3
    assert all("authentication failed" in line for line in guesser["lines"])
    assert any("authentication failed" in cell for cell in folded)


@pytest.mark.parametrize("policy, words, lang", [("pt-BR", [], "pt-BR"), ("en", [], "en"), (None, [], "en"), ("en", ["--language", "pt-BR"], "pt-BR")])
def test_a_page_has_the_language_of_the_policy(porteiro, log, policy, words, lang):
    if policy:
        porteiro.policy(f'network "Norte <b> & Sul" {{ timezone America/Sao_Paulo  language {policy} }}\n'
                        "class home { port25 observe }\npool city { class home prefix 198.51.100.0/24 }\n")
    text = ask(porteiro, log, "--html", "-", *words)
    shown = Page(text)
    assert f'<html lang="{lang}">' in text
    assert ("Suspeitos" in shown.texts) == (lang == "pt-BR") and ("Suspects" in shown.texts) == (lang == "en")
    assert any("Norte <b> & Sul" in text for text in shown.texts) == bool(policy)
    assert any("por hora" in text for text in shown.texts) == (lang == "pt-BR")


def test_a_page_goes_into_a_file_of_its_owner(porteiro, log, tmp_path):
    assert ask(porteiro, log, "--html", tmp_path / "page.html") == ""
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "page.html").read_text() == ask(porteiro, log, "--html", "-")
    assert "No such file" in porteiro.run("maillog", "report", log, "--html", tmp_path / "none" / "x", status=3).stderr


def test_an_empty_log_has_a_page_too(porteiro, tmp_path):
    (tmp_path / "log").write_text("")
    assert any("No line of a log was read." in text for text in page(porteiro, tmp_path / "log").texts)


def test_a_page_of_two_years(porteiro, tmp_path):
    text = "".join(f"{year}-{month:02}-{day:02}T10:00:00Z mx1 postfix/smtpd[9]: warning: e[192.0.2.9]: SASL LOGIN authentication failed: x\n"
                   for year in (2025, 2026) for month in range(1, 13) for day in range(1, 29))
    (tmp_path / "log").write_text(text)
    assert len(page(porteiro, tmp_path / "log").tables["hours"]) == porteiro.json("maillog", "report", tmp_path / "log")["totals"]["auth_failed"] - \
        porteiro.json("maillog", "report", tmp_path / "log")["totals"]["hours_lost"]


# --- CSV ---

def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def plain(cell):
    """Without the apostrophes that keep a cell from being a formula."""
    return re.sub(r"""(^|[;,"])'(?=[=+@-])""", r"\1", cell)


def shown(text):
    """As buf_add_shown() shows what JSON says."""
    return "".join(character if " " <= character <= "~" or character > "\xff" else "".join(
        f"\\x{byte:02x}" for byte in character.encode("latin-1")) for character in text)


@pytest.mark.parametrize("name", ["totals", "categories", "hours", "suspects", *LISTS])
def test_csv_and_json_agree(porteiro, log, name):
    known = porteiro.json("maillog", "report", log, "--zone", "UTC", "--top", "1000")
    text = ask(porteiro, log, "--csv", name)
    rows = rows_of(text)
    harmless(text)
    assert "\r" not in text
    if name in ("totals", "categories"):
        assert {row["name"]: int(row["value"]) for row in rows} == {key: value for key, value in known[name].items() if key != "share"}
    elif name == "suspects":
        for row, suspect in zip(rows, known["suspects"], strict=True):
            assert {key: plain(row[key]) for key in ("limit", "by", "then", "who", "since", "at", "until")} == \
                {key: shown(suspect[key]) for key in ("limit", "by", "then", "who", "since", "at", "until")}
            assert [int(row[key]) for key in ("count", "total", "times")] == [suspect[key] for key in ("count", "total", "times")]
            assert [plain(row[f"line{i}"]) for i in (1, 2, 3) if row[f"line{i}"]] == [plain(shown(line)) for line in suspect["lines"]]
    else:
        first = "at" if name == "hours" else "name"
        wanted = known["hours" if name == "hours" else LISTS[name]]
        assert [[int(row[key]) for key in COUNTERS] for row in rows] == [[row[key] for key in COUNTERS] for row in wanted]
        assert [plain(row[first]) for row in rows] == [plain(shown(row[first])) for row in wanted]
        assert wanted or name == "subscribers"


def test_no_cell_is_a_formula(porteiro, tmp_path):
    words = ["=1+1", "+1", "-1+2", "@SUM(A1)", "a;=1+1", "a,@b", "\t=1"]
    (tmp_path / "log").write_text("".join(message(f"{i:012X}", f"10:{i:02}", login=word) for i, word in enumerate(words)))
    text = ask(porteiro, tmp_path / "log", "--csv", "logins")
    assert len(rows_of(text)) == len(words)
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(text), delimiter=separator):
            assert not any(cell[:1] in tuple("=+-@") for cell in row), row


def test_lists_that_are_not_there(porteiro, log):
    done = porteiro.run("maillog", "report", log, "--csv", "nonsense", status=2)
    assert all(name in done.stderr for name in ["totals", "categories", "hours", "suspects", *LISTS]) and not done.stdout
    porteiro.run("maillog", "report", log, "--csv", "logins", "--json", status=2)
    porteiro.run("maillog", "report", log, "--html", "-", "--unparsed", status=2)
    porteiro.run("maillog", "report", log, "--html", "-", "--language", "fr", status=2)
    porteiro.run("maillog", "report", log, "--zone", "Mars/Phobos", status=2)


# --- text ---

def test_text_is_harmless_and_fits(porteiro, log, tmp_path):
    rules = tmp_path / "rules.conf"
    rules.write_text('mail-rule "x" { on reject  pattern "Relay"  category own }\n'
                     'mail-limit "y" { count own, auth_failed  by client  after 5 over 1d }\n'
                     'mail-limit "z" { count message  by login  after 5 over 1d }\n')
    for text in (ask(porteiro, log), ask(porteiro, log, "--unparsed"), porteiro.run("maillog", "try", rules, log).stdout):
        harmless(text)
    text = ask(porteiro, log)
    assert "\\x1b[31mred" in text and "\\xe2\\x80\\xaetxt.exe" in text
    for line in text.splitlines():
        assert len(re.sub(r"\\x[0-9a-f]{2}", "?", line)) <= 130, line
    assert "Subscribers" not in text and "Logins that sent most" in text
    assert "\\x1b[31mred" in porteiro.run("maillog", "try", rules, log).stdout


def test_the_zone_said_stands_above_the_policy(porteiro, log):
    porteiro.policy('network "N" { timezone America/Sao_Paulo }\nclass home { port25 observe }\npool city { class home prefix 198.51.100.0/24 }\n')
    assert " 00:00:00 +0000 to" in ask(porteiro, log).splitlines()[0]
    assert " 00:00:00 -0300 to" in porteiro.run("maillog", "report", log).stdout.splitlines()[0]


# --- try ---

def test_a_rule_gives_another_category(porteiro, generated, tmp_path):
    text, known = generated
    (tmp_path / "log").write_bytes(text)
    (tmp_path / "rules").write_text('mail-rule "own greylisting" { on reject  pattern "^Recipient address rejected: Greylisted"  '
                                    "category own_greylist }\n")
    answer = porteiro.json("maillog", "try", tmp_path / "rules", tmp_path / "log")
    [rule] = answer["rules"]
    assert (rule["category"], rule["lines"]) == ("own_greylist", known["greylist"]) and "Greylisted" in rule["example"]
    assert f"{known['greylist']} lines are own_greylist" in porteiro.run("maillog", "try", tmp_path / "rules", tmp_path / "log").stdout
    categories = porteiro.json("maillog", "report", tmp_path / "log", "--rules", tmp_path / "rules")["categories"]
    assert categories["own_greylist"] == known["greylist"] and categories["greylist"] == 0
    assert categories["local"] == known["local"]


def test_a_limit_catches_whom_it_must_and_says_whom_it_harms(porteiro, tmp_path):
    ok, spam = "status=sent (250 ok)", said("bounced", "550 5.7.1 spam")
    text = "".join(message(f"A{i:011X}", f"10:{i:02}", login="bot", ends=(spam,) if i % 2 else (ok,)) for i in range(30))
    text += "".join(message(f"B{i:011X}", f"11:{i:02}", login="few", ends=(ok,)) for i in range(9))
    text += "".join(message(f"C{i:011X}", f"12:{i:02}", login="list", ends=(ok,)) for i in range(20))
    (tmp_path / "log").write_text(text)
    (tmp_path / "rules").write_text('mail-limit "much" { count message  by login  after 10 over 1h  then suspend }\n')
    answer = porteiro.json("maillog", "try", tmp_path / "rules", tmp_path / "log")
    caught = {row["who"]: row for row in answer["caught"]}
    assert caught.keys() == {"bot", "list"} and answer["messages"] == 59
    assert (caught["bot"]["stopped"], caught["bot"]["harmed"]) == (20, 10)
    assert (caught["list"]["stopped"], caught["list"]["harmed"]) == (10, 10)
    [limit] = answer["limits"]
    assert (limit["by"], limit["then"], limit["caught"], limit["stopped"], limit["harmed"]) == ("login", "suspend", 2, 30, 20)
    shown = porteiro.run("maillog", "try", tmp_path / "rules", tmp_path / "log").stdout
    assert "2 caught" in shown and "30 messages came from them while it lasted; 20 of those were delivered" in shown


def test_who_guesses_is_caught_by_what_is_built_in(porteiro, tmp_path):
    (tmp_path / "log").write_text(guesses(29, "01", "192.0.2.1") + guesses(30, "02", "192.0.2.2"))
    suspects = porteiro.json("maillog", "report", tmp_path / "log")["suspects"]
    assert [(suspect["who"], suspect["count"]) for suspect in suspects] == [("192.0.2.2", 30)]


# --- the documents ---

@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    subprocess.run(["gcc", "-O1", "-o", folder / "generate", ROOT / "bench/maillog.c"], check=True)
    done = subprocess.run([folder / "generate", "2000000"], capture_output=True, check=True)
    return done.stdout, json.loads(done.stderr)


def test_every_key_of_try_is_documented(porteiro, log, tmp_path):
    (tmp_path / "rules").write_text('mail-rule "x" { on reject  pattern "Relay"  category own }\n'
                                    'mail-limit "y" { count own  by client  after 5 over 1d }\n')
    text = (ROOT / "docs" / "json.md").read_text()
    answer = porteiro.json("maillog", "try", tmp_path / "rules", log)
    assert answer["caught"] and answer["rules"]
    for key in set(keys(answer)):
        assert f'"{key}"' in text, key


def examples():
    """Every indented block of the document that begins with a rule or a limit."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", (ROOT / "docs" / "maillog.md").read_text(), re.M)
    return [re.sub(r"^    ", "", block, flags=re.M) for block in blocks if block.lstrip().startswith(("mail-rule", "mail-limit"))]


def test_the_examples_of_the_document_do_what_it_says(porteiro, tmp_path):
    assert sum(text.count("mail-rule") + text.count("mail-limit") for text in examples()) == 4
    refusal = "NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 5.7.1 <a@b>: Recipient address rejected: We do not like you today; from=<a@b> to=<a@b>"
    (tmp_path / "log").write_text(
        lines(("09:00:00", f"smtpd[9]: {refusal} proto=ESMTP helo=<x>"), ("09:00:01", f"postscreen[9]: {refusal} proto=ESMTP helo=<x>"))
        + message("A00000000001", "10:00", ends=(said("deferred", "451 4.7.650 IB506 later"),))
        + "".join(message(f"B{i:011X}", f"11:{i:02}", ends=(said("bounced", "550 5.1.1 no such user"),)) for i in range(40))
        + guesses(30, "12", "203.0.113.9") + guesses(30, "13", "192.0.2.77"))
    (tmp_path / "rules").write_text("\n".join(examples()))
    answer = porteiro.json("maillog", "try", tmp_path / "rules", tmp_path / "log")
    assert {rule["name"]: rule["lines"] for rule in answer["rules"]} == {"our policy server": 1, "a provider that puts us off": 1}
    assert {(row["limit"], row["who"]) for row in answer["caught"]} == {("a customer whose mail bounces", "joe@example.net"),
                                                                       ("knocks at every door", "203.0.113.9")}


def test_the_document_names_all_there_is():
    text = (ROOT / "docs" / "maillog.md").read_text()

    def names(file, table):
        body = re.search(rf"#define {table}\(X\)((?:.*\\\n)+.*)", (ROOT / "src" / "maillog" / file).read_text())[1]
        return re.findall(r'X\(\w+, "([\w-]+)"', body)
    for file, table in (("category.h", "CATEGORIES"), ("event.h", "MAIL_KINDS"), ("rules.h", "LIMIT_WORDS")):
        found = [name for name in names(file, table) if name != "none"]
        assert len(found) > 5
        for name in found:
            assert f"`{name}`" in text, name


def test_pflogsumm_differs_as_the_document_says(porteiro, tmp_path):
    if not shutil.which("pflogsumm"):
        pytest.skip("pflogsumm is not installed")
    later = said("deferred", "450 4.0.0 later")
    text = message("A00000000001", "10:00", ends=(later,)).replace("qmgr[9]: A00000000001: removed", "smtp[9]: A00000000001: to=<x@example.org>, "
                   f"relay=mx[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, {later}")
    text += lines(("10:15:01", "qmgr[9]: A00000000001: from=<joe@example.net>, status=expired, returned to sender"),
                  ("10:15:01", "cleanup[9]: A00000000002: message-id=<x@mx1>"),
                  ("10:15:01", "bounce[9]: A00000000001: sender non-delivery notification: A00000000002"),
                  ("10:15:02", "qmgr[9]: A00000000002: from=<>, size=3000, nrcpt=1 (queue active)"),
                  ("10:15:03", "virtual[9]: A00000000002: to=<joe@example.net>, relay=virtual, delay=1, delays=0/0/0/1, dsn=2.0.0, "
                               "status=sent (delivered to maildir)"),
                  ("10:15:04", "qmgr[9]: A00000000002: removed"), ("10:15:04", "qmgr[9]: A00000000001: removed"))
    (tmp_path / "log").write_text(text)
    theirs = subprocess.run(["pflogsumm", tmp_path / "log"], capture_output=True, text=True, check=True).stdout
    ours = porteiro.json("maillog", "report", tmp_path / "log")["totals"]
    assert re.search(r"^ +1 +received", theirs, re.M) and (ours["messages"], ours["made"]) == (1, 1)
    assert re.search(r"^ +1 +deferred +\(2 +deferrals\)", theirs, re.M) and ours["deferred"] == 2
    assert re.search(r"^ +1 +delivered", theirs, re.M) and ours["delivered"] == 1
    assert "expired" not in theirs and ours["expired"] == 1
