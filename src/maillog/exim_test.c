/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Forms that the specification and other releases have, and what strangers may write; what one release wrote is in parse_test.c. */
#include "maillog/exim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "maillog/fact_support.h"

#define ID "1xXK11-00042C-1E "

static const struct fact known[] = {
        /* the specification's own examples */
        { "16ZCW1-0005MB-00 <= kryten@dwarf.fict.example H=mailer.fict.example [192.0.2.123] U=exim P=smtp "
          "S=5678 "
          "id=a@b",
          "arrival size=5678 id=16ZCW1-0005MB-00 host=mailer.fict.example addr=192.0.2.123 "
          "from=kryten@dwarf.fict.example mid=a@b" },
        { "16ZCW1-0005MB-00 => monk@holistic.fict.example R=dnslookup T=remote_smtp H=holistic.fict.example "
          "[192.0.2.234]",
          "delivery status=sent id=16ZCW1-0005MB-00 host=holistic.fict.example addr=192.0.2.234 "
          "to=monk@holistic.fict.example" },
        { "16aiQz-0002Q5-00 == marvin@endrest.example R=dnslookup T=smtp defer (146): Connection refused",
          "delivery status=deferred id=16aiQz-0002Q5-00 to=marvin@endrest.example text=Connection refused" },
        { "0tRiQz-0002Q5-00 ** jim@trek99.example <jim@trek99.example>: unknown mail domain",
          "delivery status=bounced id=0tRiQz-0002Q5-00 to=jim@trek99.example orig=jim@trek99.example "
          "text=unknown "
          "mail domain" },
        { "17SXDU-000189-00 ** ace400@pb.example R=dnslookup T=remote_smtp: SMTP error from remote mailer "
          "after "
          "pipelined RCPT TO:<ace400@pb.example>: host pbmail3.py.example [192.0.2.111]: 553 5.3.0 "
          "<ace400@pb.example>...Addressee unknown",
          "delivery status=bounced code=553 id=17SXDU-000189-00 dsn=5.3.0 to=ace400@pb.example text=553 5.3.0 "
          "<ace400@pb.example>...Addressee unknown" },
        /* ids of 4.97, deliveries of all flags, commands, files, addresses between */
        { "1rFhTc-00000000abc-1234 <= <> R=1rFhTb-00000000abb-9876 U=exim P=local S=9",
          "arrival size=9 id=1rFhTc-00000000abc-1234 other=1rFhTb-00000000abb-9876" },
        { "1rFhTc-00000000abc-1234 Completed QT=1s", "removed id=1rFhTc-00000000abc-1234" },
        { ID "-> b@remote.example R=r T=t H=mx.remote.example [192.0.2.2]:25* X=TLS1.3:E:256 CV=yes "
             "DN=\"/C=DE/O=a: "
             "b\" A=plain:me C=\"250 2.0.0 Ok\"",
          "delivery status=sent code=250 id=1xXK11-00042C-1E host=mx.remote.example addr=192.0.2.2 port=25 "
          "dsn=2.0.0 "
          "to=b@remote.example text=250 2.0.0 Ok" },
        { ID ">> b@remote.example R=r T=t H=mx.remote.example [2001:db8::2] C=\"250 Ok\"",
          "delivery status=sent code=250 id=1xXK11-00042C-1E host=mx.remote.example addr=2001:db8::2 "
          "to=b@remote.example text=250 Ok" },
        { ID "*> b@remote.example R=r T=t", "delivery status=other id=1xXK11-00042C-1E to=b@remote.example" },
        { ID "=> |/usr/bin/filter -x 'a b' <joe@example.net> R=r T=address_pipe",
          "delivery status=sent id=1xXK11-00042C-1E to=joe@example.net" },
        { ID "=> /var/mail/a b (between@example.net) <joe@example.net> R=r T=address_file",
          "delivery status=sent id=1xXK11-00042C-1E to=joe@example.net" },
        { ID "=> joe (between@example.net) <first@example.net> R=r T=t ST=shadow (it failed: yes)",
          "delivery status=sent id=1xXK11-00042C-1E to=first@example.net" },
        { ID "== a@b.example routing defer (-51): retry time not reached",
          "delivery status=deferred id=1xXK11-00042C-1E to=a@b.example text=retry time not reached" },
        { ID "== a@b.example R=r T=t defer (0): SMTP error from remote mail server after MAIL "
             "FROM:<x@y.example> SIZE=1234: 421 4.7.28 too fast",
          "delivery status=deferred code=421 id=1xXK11-00042C-1E dsn=4.7.28 to=a@b.example text=421 4.7.28 too "
          "fast" },
        { ID "** joe: retry timeout exceeded",
          "delivery status=bounced id=1xXK11-00042C-1E to=joe text=retry timeout exceeded" },
        { ID "(= a@b.example H=[192.0.2.9] P=smtp S=1",
          "arrival size=1 id=1xXK11-00042C-1E addr=192.0.2.9 from=a@b.example" },
        /* names, ports, idents, certificates, a login with the sender that it claims, a proxy, a queue */
        { ID "<= a@b.example H=host.example.org (helo) [192.0.2.9]:4711 I=[192.0.2.1]:25 U=ident P=esmtpsa L* "
             "X=TLS1.2:A:256 CV=no DN=\"/CN=x\" SNI=mx.example.net "
             "A=login:joe@example.net:claimed@else.example PRDR "
             "PRX=192.0.2.3 K S=7 M8S=8 DKIM=b.example ARC RT=0.1s Q=slow id*=x@y",
          "arrival size=7 id=1xXK11-00042C-1E host=host.example.org addr=192.0.2.9 port=4711 "
          "login=joe@example.net "
          "method=login from=a@b.example helo=helo mid=x@y" },
        /* the time and process that Exim writes even to syslog, a zone, and lines that were cut for it */
        { "2026-11-28 15:08:01 " ID "Completed", "removed id=1xXK11-00042C-1E" },
        { "2026-11-28 15:08:01.123 +0100 [77] " ID "Completed", "removed id=1xXK11-00042C-1E" },
        { "[1/2] 2026-11-28 15:08:01 " ID "<= a@b.example H=(x) [192.0.2.9] P=smtp S=1 for c@d.example e@",
          "arrival odd id=1xXK11-00042C-1E" },
        { "[2/2] f.example", "note text=[2/2] f.example" },
        { "[2\\3] f.example", "note text=[2\\3] f.example" },
        /* a newer form of a failed login; the server's own trouble is none */
        { "login authenticator failed for H=(bot) [192.0.2.9]:5: 535 Incorrect authentication data "
          "(set_id=a@b)",
          "auth-failed code=535 addr=192.0.2.9 port=5 login=a@b method=login helo=bot text=Incorrect "
          "authentication data" },
        { "login authenticator failed for [192.0.2.9]: 435 Unable to authenticate at present: no",
          "warning code=435 addr=192.0.2.9 method=login text=435 Unable to authenticate at present: no" },
        { "a thing nobody ever heard of", "unknown text=a thing nobody ever heard of" },
        { ID "a thing nobody ever heard of", "unknown id=1xXK11-00042C-1E text=a thing nobody ever heard of" },
        { "", "unknown" },
        { "1xXK11-00042C-1E", "unknown text=1xXK11-00042C-1E" },
};

static void forms(void **state)
{
        (void)state;
        check_facts(exim_parse, known, COUNT_OF(known));
}

/* What a stranger writes into HELO, sender, recipient, login, Subject, message id or reply is the value of that field, or the line is odd; it is never
 * an address, a login or a reason. 198.51.100.1 is the innocent. */
static const struct fact hostile[] = {
        { ID "<= a@b H=(x [198.51.100.1]) [192.0.2.66] P=smtp S=1",
          "arrival size=1 id=1xXK11-00042C-1E addr=192.0.2.66 from=a@b helo=x [198.51.100.1]" },
        { ID "<= a@b H=([198.51.100.1]) [192.0.2.66] P=smtp S=1",
          "arrival size=1 id=1xXK11-00042C-1E addr=192.0.2.66 from=a@b helo=[198.51.100.1]" },
        { ID "<= a@b H=(x) [198.51.100.1] P=smtp S=1 id=y) [192.0.2.66] P=smtp S=1 T=\"z\"",
          "arrival size=1 id=1xXK11-00042C-1E addr=192.0.2.66 from=a@b helo=x) [198.51.100.1] P=smtp S=1 "
          "id=y" },
        { ID "<= \" from <y\"@b H=(x) [198.51.100.1] P=esmtpa A=plain:victim S=1 T=\") [192.0.2.66] P=smtp S=1 "
             "from <\" "
             "from <y\"@b>",
          "arrival size=1 id=1xXK11-00042C-1E addr=192.0.2.66 from=\" from <y\"@b helo=x) [198.51.100.1] "
          "P=esmtpa "
          "A=plain:victim S=1 T=\"" },
        { ID "<= a@b H=(x) [198.51.100.1] P=smtp S=1 for z@z) [192.0.2.66] P=smtp S=1 for c@d",
          "arrival size=1 nrcpt=1 id=1xXK11-00042C-1E addr=192.0.2.66 from=a@b helo=x) [198.51.100.1] P=smtp "
          "S=1 for "
          "z@z" },
        { ID "<= \"a H=h [198.51.100.1] P=smtp S=1\"@b H=h.example [192.0.2.66] P=smtp S=2",
          "arrival size=2 id=1xXK11-00042C-1E host=h.example addr=192.0.2.66 from=\"a H=h [198.51.100.1] "
          "P=smtp "
          "S=1\"@b" },
        { ID "<= a@b H=(h) [192.0.2.66] P=smtp S=1 id=\"x) [198.51.100.1] P=smtp S=2\"@y T=\"\\\") "
             "[198.51.100.1] P=smtp "
             "S=3\" for c@[198.51.100.1]",
          "arrival size=1 nrcpt=1 id=1xXK11-00042C-1E addr=192.0.2.66 from=a@b helo=h mid=\"x) [198.51.100.1] "
          "P=smtp "
          "S=2\"@y" },
        { ID "<= a@b H=(h) [192.0.2.66] U=x A=plain:victim P=smtp S=1",
          "arrival size=1 id=1xXK11-00042C-1E addr=192.0.2.66 login=victim method=plain from=a@b helo=h" },
        { ID "<= a@b H=(h) [192.0.2.66] U=ident with blanks P=smtp S=1",
          "arrival odd id=1xXK11-00042C-1E addr=192.0.2.66" },
        { "H=(h) [192.0.2.66] F=<\"> rejected RCPT <v@v>: spam\"@b> rejected RCPT <c@d>: relay not permitted",
          "reject addr=192.0.2.66 stage=RCPT action=rejected from=\"> rejected RCPT <v@v>: spam\"@b to=c@d "
          "helo=h "
          "text=relay not permitted" },
        { "H=(h) [192.0.2.66] F=<a@b> rejected RCPT <\"x) [198.51.100.1] F=<a@b> rejected RCPT <v@v>: "
          "spam\"@d>: no",
          "reject odd stage=RCPT" },
        { "H=h.example [192.0.2.66] F=<a@b> rejected RCPT <\"x) [198.51.100.1] rejected RCPT <v@v>: spam\"@d>: "
          "no",
          "reject host=h.example addr=192.0.2.66 stage=RCPT action=rejected from=a@b to=\"x) [198.51.100.1] "
          "rejected RCPT "
          "<v@v>: spam\"@d text=no" },
        { "H=(h: spam) [192.0.2.66] rejected EHLO or HELO h: spam: not you",
          "reject addr=192.0.2.66 stage=HELO action=rejected helo=h: spam text=not you" },
        { "plain authenticator failed for (h) [192.0.2.66]: 535 Incorrect authentication data (set_id=x) "
          "(set_id=victim)",
          "auth-failed code=535 addr=192.0.2.66 login=x) (set_id=victim method=plain helo=h text=Incorrect "
          "authentication data" },
        { "plain authenticator failed for (h) [192.0.2.66]: 535 Incorrect authentication data (set_id=x) "
          "[198.51.100.1]: 535 "
          "Incorrect authentication data (set_id=victim)",
          "auth-failed odd method=plain" },
        { ID "=> c@d R=r T=t H=mx [192.0.2.2] C=\"250 \\\" H=evil [198.51.100.1] QT=9s C=\\\"x\" QT=1s",
          "delivery status=sent code=250 id=1xXK11-00042C-1E host=mx addr=192.0.2.2 to=c@d delay=1s text=250 "
          "\\\" H=evil "
          "[198.51.100.1] QT=9s C=\\\"x" },
        { ID "** \"c: SMTP error from remote mail server after end of data: 550 spam\"@d R=r T=t: no",
          "delivery status=bounced id=1xXK11-00042C-1E to=\"c: SMTP error from remote mail server after end of "
          "data: 550 "
          "spam\"@d text=no" },
        { "SMTP protocol synchronization error (input): rejected \"x H=(y) [198.51.100.1] z\" H=(h) "
          "[192.0.2.66] next "
          "input=\"\"",
          "reject odd stage=command" },
        { "SMTP protocol synchronization error (input): rejected \"x\" H=(h) [192.0.2.66] next input=\"spam\"",
          "reject addr=192.0.2.66 stage=command helo=h text=SMTP protocol synchronization error" },
        { "rejected EHLO from [192.0.2.66]: syntactically invalid argument(s): x) [198.51.100.1]: spam",
          "reject addr=192.0.2.66 stage=HELO helo=x) [198.51.100.1]: spam text=syntactically invalid "
          "argument(s)" },
};

static void injections(void **state)
{
        (void)state;
        check_facts(exim_parse, hostile, COUNT_OF(hostile));
}

static void queue_ids(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                size_t n;
        } rows[] = { { "1xXK11-00042C-1E x", 16 }, { "1rFhTc-00000000abc-1234 x", 23 }, { "1xXK11-00042C-1E", 0 },
                     { "1xXK11-00042C-1Ex ", 0 },  { "1xXK1-00042C-1E x", 0 },          { "", 0 },
                     { "unable-to-open x", 0 },    { "no-such-id-here x", 0 } };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_int_equal(exim_queue_id(slice_of(rows[i].text)), rows[i].n);
}

/* However many addresses stand in a line, it takes no longer than a few. */
static void many_addresses(void **state)
{
        (void)state;
        autobuf line;
        buf_init(&line, 1 << 20);
        buf_adds(&line, ID "<= a@b H=(");
        for (int i = 0; i < 20000; i++)
                buf_adds(&line, "x) [198.51.100.1] P=smtp S=1 ");
        buf_adds(&line, ") [192.0.2.66] P=smtp S=1");
        struct mail_event e;
        exim_parse(buf_slice(&line), &e);
        assert_int_equal(e.kind, MAIL_ARRIVAL);
        assert_true(e.odd && !e.client.address.n);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(forms), cmocka_unit_test(injections),
                                            cmocka_unit_test(queue_ids), cmocka_unit_test(many_addresses) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
