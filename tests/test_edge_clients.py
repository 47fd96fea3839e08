# SPDX-License-Identifier: GPL-3.0-or-later
"""Submission with the programs people use, a real Postfix behind: who gets in and writes as whom, and what arrives."""
import base64
import re
import smtplib

import pytest

from lab.core import wait_for
from edge_support import (ANA, EVA, HOME, HOME6, LEO, NAME, PASSWORD, RUI, SERVER, SERVER6, Edge, dated, need, plain)

TEXT = dated("From: Ana <ana@example.net>\r\nTo: bia@example.org\r\nSubject: %s\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
             ".\r\n..dois\r\nolá, João  \r\n\r\nFrom aqui\r\n" + "x" * 900 + "\r\n\t fim\r\n")
REF = re.compile(r"\[([A-Z0-9]{8})\]")


@pytest.fixture(scope="module")
def edge():
    with Edge() as edge:
        yield edge


def lines(text):
    return text.replace("\r\n", "\n").encode()


def check(edge, subject, text, source=HOME, login=ANA):
    """It arrived once, byte by byte; the trace says that it was submitted and by whose token, and not from where."""
    mail, = edge.arrived(subject)
    assert mail.rest == lines(text)
    token = re.search(r"with (?:UTF8SMTPSA|ESMTPSA) id ([A-Z0-9]{8});", mail.received)[1]
    assert f"by {NAME}" in mail.received and source not in mail.received and login not in mail.received
    shown = "IPv6:" + source if ":" in source else source
    assert f"[{shown}]" in mail.mta and f"(Authenticated sender: {login})" in mail.mta      # what XCLIENT told
    assert edge.events("message-relayed", id=token, login=login)[-1]["src"] == source
    return mail


def postfix_log(edge):
    with open(edge.mta.log, encoding="utf-8") as log:
        return log.read()


# --- programs ---

WAYS = [(587, SERVER, HOME), (465, SERVER, HOME), (587, SERVER6, HOME6), (465, SERVER6, HOME6)]
IDS = ["587", "465", "587-v6", "465-v6"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("port, to, source", WAYS, ids=IDS)
def test_swaks(edge, port, to, source, mechanism):
    need("swaks")
    subject = f"swaks-{mechanism}-{port}-{'6' if ':' in to else '4'}"
    message = edge.folder / "message"
    message.write_bytes((TEXT % subject).encode().removesuffix(b"\r\n"))     # it puts one before the dot
    done = edge.command("swaks", "--server", to, "--port", port, *(["-6"] if ":" in to else []), "--local-interface", source,
                        "--to", "bia@example.org", "--from", ANA, "--tls-on-connect" if port == 465 else "--tls", "--auth", mechanism, "--auth-user", ANA, "--auth-password",
                        PASSWORD, "--ehlo", "pc.example.net", "--data", f"@{message}", "--suppress-data")
    assert done.returncode == 0, done.stdout
    check(edge, subject, TEXT % subject, source)
    assert re.search(rf"client=unknown\[{source}\], sasl_method=XCLIENT, sasl_username={ANA}", postfix_log(edge))


@pytest.mark.parametrize("port, to, source", WAYS, ids=IDS)
def test_msmtp(edge, port, to, source):
    need("msmtp")
    subject = f"msmtp-{port}-{'6' if ':' in to else '4'}"
    done = edge.command("msmtp", "-C", "/dev/null", f"--host={to}", f"--port={port}", f"--source-ip={source}", "--auth=plain", f"--user={ANA}",
                        f"--passwordeval=echo {PASSWORD}", f"--from={ANA}", "--tls=on", "--tls-certcheck=off",
                        f"--tls-starttls={'off' if port == 465 else 'on'}", "bia@example.org", input=TEXT.replace("\r", "") % subject)
    assert done.returncode == 0, done.stderr
    check(edge, subject, TEXT % subject, source)


@pytest.mark.parametrize("port, to, source", WAYS, ids=IDS)
def test_curl(edge, port, to, source):
    need("curl")
    subject = f"curl-{port}-{'6' if ':' in to else '4'}"
    message = edge.folder / "message"
    message.write_bytes((TEXT % subject).encode())
    shown = f"[{to}]" if ":" in to else to
    done = edge.command("curl", "-sS", "--connect-to", f"{NAME}:{port}:{shown}:{port}", "--cacert", edge.folder / "tls/chain.pem",
                        "--interface", source, "--ssl-reqd", f"{'smtps' if port == 465 else 'smtp'}://{NAME}:{port}/pc.example.net", "--mail-from", ANA,
                        "--mail-rcpt", "bia@example.org", "--user", f"{ANA}:{PASSWORD}", "--upload-file", message)
    assert done.returncode == 0, done.stderr
    check(edge, subject, TEXT % subject, source)


@pytest.mark.parametrize("port", [587, 465])
def test_s_nail(edge, port):
    need("s-nail")
    scheme = "smtps" if port == 465 else "submission"
    login = f"{ANA.replace('@', '%40')}:{PASSWORD.replace(' ', '%20')}"
    done = edge.command("s-nail", "-:/", "-S", "v15-compat=y", "-S", f"mta={scheme}://{login}@{SERVER}:{port}", "-S", "tls-verify=ignore",
                        "-S", "smtp-use-starttls" if port != 465 else "nosmtp-use-starttls", "-S", f"from={ANA}", "-S", "hostname=pc.example.net",
                        "-S", "mime-encoding=8bit", "-S", "sendwait", "-s", f"nail-{port}", "bia@example.org",
                        input="Olá, João\n.\nfim\n", env={"LC_ALL": "C.UTF-8", "HOME": str(edge.folder)})
    assert done.returncode == 0, done.stderr
    mail, = edge.arrived(f"nail-{port}")
    assert f"(Authenticated sender: {ANA})" in mail.mta and mail.rest.endswith(b"\n.\nfim\n")


@pytest.mark.parametrize("port, to, source", WAYS, ids=IDS)
def test_python(edge, port, to, source):
    """Python tries LOGIN, too, where PLAIN is not offered; a second message needs no second login."""
    with edge.smtplib(None, port, to, source) as client:
        client.ehlo_or_helo_if_needed()
        client.user, client.password = ANA, PASSWORD
        assert client.auth("LOGIN" if port == 465 else "PLAIN", client.auth_login if port == 465 else client.auth_plain)[0] == 235
        for n in "ab":
            subject = f"python-{port}-{':' in to}-{n}"
            assert client.sendmail(ANA, ["bia@example.org"], (TEXT % subject).encode(), ["BODY=8BITMIME"]) == {}
            check(edge, subject, TEXT % subject, source)


# --- who gets in ---

def test_no_login_before_tls(edge):
    with edge.talk() as talk:
        assert talk.greeting == (220, f"{NAME} ESMTP")
        assert "STARTTLS" in talk.hello() and not any(each.startswith("AUTH") for each in talk.offers)
        for line in ("AUTH PLAIN " + plain(ANA), "AUTH LOGIN", "AUTH PLAIN", "AUTH"):
            code, text = talk.say(line)
            assert code in (538, 501) and (code == 538 or line == "AUTH"), (line, code, text)
        assert talk.say("MAIL FROM:<ana@example.net>")[0] == 530
        talk.must("RSET")
        assert talk.say("AUTH PLAIN " + plain(ANA))[0] == 538
        talk.starttls()
        assert "AUTH PLAIN LOGIN" in talk.offers and "STARTTLS" not in talk.offers
        assert talk.say("STARTTLS")[0] == 503


@pytest.mark.parametrize("port", [587, 465])
def test_no_mail_without_a_login(edge, port):
    with edge.talk(port) as talk:
        talk.hello()
        if port == 587:
            talk.starttls()
        for to in ("bia@example.org", ANA, "postmaster@example.net"):
            code, text = talk.say(f"MAIL FROM:<{ANA}>")
            assert code == 530 and REF.search(text)
            assert talk.say(f"RCPT TO:<{to}>")[0] in (503, 530) and talk.say("DATA")[0] in (503, 530)


def test_a_login_elsewhere_is_refused_before_its_password_and_forgotten(edge):
    """What another provider's customer types is none of our business: no log, counter or file has his name."""
    name, secret = "zulmira@provedor-alheio.example", "senha-que-nao-e-nossa"
    with edge.talk(465) as talk:
        talk.hello()
        talk.must("AUTH LOGIN", 334)
        code, text = talk.say(base64.b64encode(name.encode()).decode())
        assert code == 535 and "customers of your access provider" in text and "https://example.net/25" in text
        assert talk.say("AUTH PLAIN " + plain(name, secret))[0] == 535
        talk.login()                                     # nothing was held against him
    assert edge.wait_event("login-foreign", 2)
    for word in (name, name.partition("@")[2], secret, base64.b64encode(name.encode()).decode()):
        assert word not in edge.log() and word not in postfix_log(edge)
        done = edge.command("grep", "-rlaF", word, edge.folder)
        assert done.stdout == "", done.stdout
    assert not edge.porteiro.json("ban", "list")["bans"]


def test_wrong_passwords_names_and_forms(edge):
    with edge.talk(465) as talk:
        talk.hello()
        assert talk.say("AUTH PLAIN " + plain(ANA, "errada"))[0] == 535
        assert talk.say("AUTH PLAIN " + plain("ninguem@example.net"))[0] == 535
        assert talk.say("AUTH PLAIN " + base64.b64encode(f"{RUI}\0{ANA}\0{PASSWORD}".encode()).decode())[0] == 535    # as somebody else
        for bad in ("AUTH PLAIN =", "AUTH PLAIN !!!", "AUTH PLAIN " + base64.b64encode(b"x").decode()):
            assert talk.say(bad)[0] in (501, 535), bad
        assert talk.say("AUTH CRAM-MD5")[0] == 504
        talk.must("AUTH PLAIN", 334)
        assert talk.say("*")[0] == 501
        assert talk.say("AUTH PLAIN " + plain("ana"))[0] == 235           # of the network's own domain
        assert talk.say("AUTH PLAIN " + plain(ANA))[0] == 503


# --- as whom ---

def test_another_ones_sender_is_refused(edge):
    with edge.logged_in() as talk:
        for sender in (RUI, "ana@example.org", "vendas@example.net.evil.example", "ana@example.net@example.org", "nobody@example.net"):
            code, text = talk.say(f"MAIL FROM:<{sender}>")
            assert code in (553, 501), (sender, code, text)
        code, text = talk.say(f"MAIL FROM:<{RUI}>")
        assert (code, text[:5]) == (553, "5.7.1") and REF.search(text)


@pytest.mark.parametrize("head, code", [
    (f"From: {RUI}", 550), (f"From: Ana <{ANA}>, Rui <{RUI}>", 550), (f"From: {ANA}\r\nFrom: {RUI}", 550), ("Subject: x", 550),
    ("From: ana@example.net@example.org", 550), (f'From: "{ANA}" <{RUI}>', 550), ("From:", 550),
    (f"From: {ANA}\r\nSender: {RUI}", 550), (f"From: {ANA}\r\nSender: {ANA}, {ANA}", 550), (f"From: {ANA}\r\nSender: {ANA}\r\nSender: {ANA}", 550),
    (f"From: {ANA}\r\nSender: vendas@example.net", 250),
    (f"From: {ANA}", 250), (f"From: VENDAS@Example.NET, {ANA}", 250), (f"FROM:\r\n {ANA}", 250), ("From: Loja <pedidos@loja.example.org>", 250),
])
def test_the_author_must_be_his(edge, head, code):
    with edge.logged_in() as talk:
        said = talk.send(text=f"{head}\r\nSubject: author\r\n\r\nx\r\n")
        assert said[0] == code, said
        assert talk.send("author-next")[0] == 250                        # the conversation goes on


@pytest.mark.parametrize("sender", ["vendas@example.net", "ANA@EXAMPLE.NET", "ana@pessoal.example.org", "qualquer@loja.example.org",
                                    "abuse@example.net"])
def test_aliases_and_further_senders(edge, sender):
    with edge.logged_in() as talk:
        said = talk.say(f"MAIL FROM:<{sender}>")
        assert said[0] == (553 if sender.startswith("abuse") else 250), said    # abuse@ leads to the desk, not to her


def test_the_null_sender_may_send_as_himself(edge):
    with edge.logged_in() as talk:
        assert talk.send("null", sender="", text=dated(f"From: {ANA}\r\nSubject: null\r\n\r\nx\r\n"))[0] == 250
        assert talk.send("null2", sender="", text=dated(f"From: {RUI}\r\nSubject: null2\r\n\r\nx\r\n"))[0] == 550
    assert b"Return-Path: <>" in edge.arrived("null")[0].data


def test_a_suspended_mailbox_logs_in_and_may_not_send(edge):
    edge.porteiro.run("mailbox", "suspend", LEO, "--reason", "infected")
    with edge.logged_in(LEO, 465) as talk:
        code, text = talk.say(f"MAIL FROM:<{LEO}>")
        assert code == 550 and "suspended" in text and REF.search(text)
    edge.porteiro.run("mailbox", "resume", LEO)
    with edge.logged_in(LEO, 465) as talk:
        assert talk.send("resumed", sender=LEO)[0] == 250


def test_a_limited_mailbox_may_send_little(edge):
    lia = "lia@example.net"
    edge.porteiro.run("mailbox", "add", lia, "--subscriber", "10")
    edge.porteiro.run("mailbox", "password", lia, "--stdin", input=PASSWORD + "\n")
    edge.porteiro.run("mailbox", "suspend", lia, "--reason", "its mail bounces", "--for", "1h", "--to", "2")
    shown = edge.porteiro.json("mailbox", "show", lia)
    assert shown["may_send"] and shown["mailbox"]["suspended"]["recipients_hour"] == 2
    assert "for longer" in edge.porteiro.run("mailbox", "suspend", lia, "--reason", "less", "--for", "1m", "--to", "5", status=1).stderr
    with edge.logged_in(lia, 465) as talk:
        assert talk.say(f"MAIL FROM:<{lia}>")[0] == 250
        said = [talk.say(f"RCPT TO:<r{n}@example.org>") for n in range(3)]
        assert [code for code, _ in said[:2]] == [250, 250] and said[2][0] // 100 == 4, said
    edge.porteiro.run("mailbox", "suspend", lia, "--reason", "worse")
    assert "for longer" in edge.porteiro.run("mailbox", "suspend", lia, "--reason", "rule", "--for", "9h", "--to", "5", status=1).stderr
    assert not edge.porteiro.json("mailbox", "show", lia)["may_send"]


def test_portuguese(edge):
    """The network's language is that of the replies; the change of the policy reaches new conversations."""
    edge.write(language="pt-BR")
    n = len(edge.events("edge-ready"))
    edge.porteiro.run("apply")
    edge.wait_event("edge-ready", n + 2)

    def new():
        with edge.talk(465) as talk:
            talk.hello()
            return talk.say("AUTH PLAIN " + plain(ANA, "errada"))[1]
    wait_for(lambda: "Usuario ou senha incorretos" in new(), "Portuguese", 15)
    with edge.logged_in() as talk:
        assert "nao pertence ao seu usuario" in talk.say(f"MAIL FROM:<{RUI}>")[1]
        assert "nao pertence ao seu usuario" in talk.send(text=f"From: {RUI}\r\n\r\nx\r\n")[1]
        assert "Comando desconhecido" in talk.say("XYZZY")[1]
        assert all(ord(each) < 128 for each in talk.say("MAIL")[1])
        assert talk.say("QUIT")[1].startswith("2.0.0 Ate logo")
    edge.write(language="en")
    n = len(edge.events("edge-ready"))
    edge.porteiro.run("apply")
    edge.wait_event("edge-ready", n + 2)
    wait_for(lambda: "wrong" in new(), "English", 15)


def test_the_reference_of_a_refusal_leads_to_the_line(edge):
    with edge.logged_in() as talk:
        code, text = talk.send(text=f"From: {RUI}\r\nSubject: x\r\n\r\nx\r\n")
        assert code == 550
        line, = edge.events("message-refused", id=REF.search(text)[1])
        assert line["login"].strip('"') == ANA and line["src"] == HOME
        again = talk.say(f"MAIL FROM:<{RUI}>")[1]
        assert REF.search(again)[1] == line["id"]
        assert edge.events("sender-refused", id=line["id"]), "a refused sender is in the log, too"


# --- how much ---

def test_limits_are_charged_when_a_message_was_taken_and_not_before(edge):
    """Three messages and five recipients an hour: what was refused, by whomever, costs nothing."""
    with edge.logged_in(EVA) as talk:
        for _ in range(4):
            assert talk.send(sender=EVA, text=f"From: {RUI}\r\n\r\nx\r\n")[0] == 550
            talk.must(f"MAIL FROM:<{EVA}>")
            assert talk.say("RCPT TO:<nobody@example.org>")[0] == 550
            talk.must("RCPT TO:<bia@example.org>")
            talk.must("RSET")
        assert talk.send("limit-1", EVA, ["a@example.org", "b@example.org"])[0] == 250
        assert talk.send("limit-2", EVA, ["a@example.org", "c@example.org"])[0] == 250
        talk.must(f"MAIL FROM:<{EVA}>")
        talk.must("RCPT TO:<d@example.org>")
        code, text = talk.say("RCPT TO:<e@example.org>")                 # the sixth
        assert (code, text[:5]) == (452, "4.7.1") and REF.search(text)
        assert talk.data(dated(f"From: {EVA}\r\nSubject: limit-3\r\n\r\nx\r\n"))[0] == 250     # for the fifth
        talk.must(f"MAIL FROM:<{EVA}>")
        assert talk.say("RCPT TO:<a@example.org>")[0] == 452
    with edge.logged_in(EVA, 465) as talk:                                # whichever worker has it
        talk.must(f"MAIL FROM:<{EVA}>")
        assert talk.say("RCPT TO:<a@example.org>")[0] == 452
    assert edge.events("over-limit", login=EVA)[-1]["most"] in ("3", "5")


def test_unknown_recipients_are_refused_one_by_one(edge):
    with edge.smtplib() as client:
        refused = client.sendmail(ANA, ["nobody@example.org", "bia@example.org", "bia@elsewhere.example"],
                                  dated(f"From: {ANA}\r\nSubject: some\r\n\r\nx\r\n"))
        assert {each: text.split(b": ")[-1].split(b" [")[0] for each, (_, text) in refused.items()} == {
            "nobody@example.org": b"No such user", "bia@elsewhere.example": b"no mail leaves this test"}    # but who logged in may relay
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail(ANA, ["nobody@example.org"], "x")
    assert len(edge.arrived("some")) == 1


# --- the protocol ---

def test_what_is_offered(edge):
    with edge.talk(465) as talk:
        offers = talk.hello()
        assert set(offers) == {"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 52428800", "AUTH PLAIN LOGIN", "ENHANCEDSTATUSCODES",
                               "LIMITS MAILMAX=1000 RCPTMAX=100"}


def test_a_message_without_date_and_id_gets_them(edge):
    text = f"From: {ANA}\r\nSubject: bare-head\r\n\r\nx\r\n"
    with edge.logged_in() as talk:
        assert talk.send(text=text)[0] == 250
        assert talk.send(text=f"From: {ANA}\r\nSubject: no-body\r\n")[0] == 250
    for subject in ("bare-head", "no-body"):
        head = edge.arrived(subject)[0].rest.decode()
        assert len(re.findall(r"^Date: \w{3}, \d\d? \w{3} 20\d\d \d\d:\d\d:\d\d -0300$", head, re.M)) == 1, head
        assert len(re.findall(rf"^Message-ID: <[\w.-]+@{NAME}>$", head, re.M | re.I)) == 1, head


def test_pipelining(edge):
    """Everything at once, a refusal in the middle: answers keep the order, and only the good one is delivered."""
    with edge.logged_in() as talk:
        talk.send_raw(f"NOOP\r\nMAIL FROM:<{RUI}>\r\nMAIL FROM:<{ANA}>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<bia@example.org>\r\nDATA\r\n")
        assert [talk.reply()[0] for _ in range(6)] == [250, 553, 250, 550, 250, 354]
        talk.send_raw(dated(f"From: {ANA}\r\nSubject: piped\r\n\r\n..x\r\n.\r\n") + f"MAIL FROM:<{ANA}>\r\nRCPT TO:<bia@example.org>\r\nRSET\r\nQUIT\r\n")
        assert [talk.reply()[0] for _ in range(5)] == [250, 250, 250, 250, 221]
    mail, = edge.arrived("piped")
    assert mail.rest.endswith(b"\n\n.x\n")


def test_bdat_is_not_offered_and_does_nothing(edge):
    with edge.logged_in() as talk:
        talk.envelope()
        assert talk.say("BDAT 5 LAST")[0] in (500, 502, 503)
        talk.must("RSET")
        assert talk.send("after-bdat")[0] == 250
        assert talk.say("BURL imap://x LAST")[0] in (500, 502) and talk.say("VRFY ana")[0] == 252 and talk.say("EXPN all")[0] in (500, 502)
        assert talk.say("ETRN example.org")[0] in (500, 502) and talk.say("XCLIENT ADDR=127.0.0.1")[0] in (500, 502)
        assert talk.say("XFORWARD ADDR=127.0.0.1")[0] in (500, 502)
    assert len(edge.arrived("after-bdat")) == 1


def test_size(edge):
    with edge.logged_in() as talk:
        code, text = talk.say(f"MAIL FROM:<{ANA}> SIZE=60000000")
        assert (code, text[:5]) == (552, "5.3.4")
        talk.must(f"MAIL FROM:<{ANA}> SIZE=1000")
        talk.must("RSET")
        big = dated(f"From: {ANA}\r\nSubject: big\r\n\r\n") + ("." * 70 + "\r\n") * 100000
        assert talk.send(text=big)[0] == 250                             # dots are doubled on the way and back
        assert edge.arrived("big")[0].rest == lines(big.replace("\r\n..", "\r\n."))


def test_a_message_that_is_too_big_is_read_and_refused(edge):
    with edge.logged_in() as talk:
        talk.envelope()
        talk.must("DATA", 354)
        talk.send_raw(f"From: {ANA}\r\nSubject: giant\r\n\r\n")
        piece = b"x" * 998 + b"\r\n"
        for _ in range(530):
            talk.send_raw(piece * 100)
        assert talk.say(".")[0] == 552
        assert talk.send("after-giant")[0] == 250
    edge.arrived("after-giant")
    assert not any(b"Subject: giant" in each for each in edge.files().values())


def test_8bitmime_smtputf8_and_dsn_reach_the_mta(edge):
    with edge.logged_in() as talk:
        talk.must(f"MAIL FROM:<{ANA}> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159")
        talk.must("RCPT TO:<joão@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;jo\\x{E3}o@example.org")
        text = dated(f"From: {ANA}\r\nTo: joão@example.org\r\nSubject: utf8\r\n\r\nolá\r\n")
        assert talk.data(text)[0] == 250
        mail, = edge.arrived("utf8")
        assert "UTF8SMTPSA" in mail.received and mail.rest == lines(text) and "Delivered-To: joão@example.org" in mail.mta
        assert talk.say(f"MAIL FROM:<{ANA}> BODY=BINARYMIME")[0] in (501, 555) and talk.say("MAIL FROM:<joão@example.net>")[0] in (501, 553)
        assert talk.say(f"MAIL FROM:<{ANA}> HOLDFOR=5")[0] in (501, 555)
    wait_for(lambda: any(b"Original-Envelope-Id: QQ314159" in each and b"Action: delivered" in each for each in edge.files().values()),
             "the report that NOTIFY=SUCCESS asked for", 15)


def test_many_headers_of_full_size_pass_whole(edge):
    """Just under what is held before the first byte goes to the MTA; dots at the beginning of each line of the body behind it."""
    head = dated(f"From: {ANA}\r\nSubject: full-head\r\n") + "".join(f"X-{n}: {'y' * 70}\r\n" for n in range(1250))
    text = head + "\r\n" + ".\r\n" * 30000
    assert 95000 < len(head) < 102000
    with edge.logged_in() as talk:
        assert talk.send(text=text.replace("\r\n.", "\r\n.."))[0] == 250
        assert edge.arrived("full-head")[0].rest == lines(text)
        assert talk.send(text=head + "X: " + ("y" * 70 + "\r\n ") * 300 + "\r\n\r\nx\r\n")[0] == 552
        assert talk.send("after-head")[0] == 250


def test_tls_is_of_this_decade(edge):
    with edge.talk(465) as talk:
        assert talk.socket.version() in ("TLSv1.3", "TLSv1.2")
    done = edge.command("openssl", "s_client", "-connect", f"{SERVER}:465", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", input="")
    assert done.returncode != 0 and "protocol version" in done.stderr, done


def test_the_way_to_the_mta_under_tls(edge):
    n = len(edge.events("edge-ready"))
    edge.write(more="next-hop-tls must")
    edge.porteiro.run("apply")
    edge.wait_event("edge-ready", n + 2)
    wait_for(lambda: len(edge.pids("worker")) == 2, "the end of the former ones", 10)
    with edge.logged_in() as talk:
        assert talk.send("under-tls")[0] == 250
    assert f"(Authenticated sender: {ANA})" in edge.arrived("under-tls")[0].mta
    assert "TLS connection established from" in postfix_log(edge)
