/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Forms of other releases, and what strangers may write; what one release wrote is in parse_test.c. */
#include "maillog/dovecot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "maillog/fact_support.h"

static const struct fact known[] = {
        /* 2.2 */
        { "imap-login: Login: user=<joe>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, mpid=17301, secured, "
          "session=<DA6+hK/B>",
          "login addr=192.0.2.9 login=joe method=PLAIN text=Login" },
        { "imap-login: Disconnected (auth failed, 3 attempts in 12 secs): user=<joe>, method=LOGIN, "
          "rip=192.0.2.9, "
          "lip=192.0.2.1, TLS, session=<x>",
          "auth-failed attempts=3 addr=192.0.2.9 login=joe method=LOGIN text=Disconnected (auth failed, 3 "
          "attempts in 12 secs)" },
        { "pop3-login: Aborted login (auth failed, 1 attempts in 2 secs): user=<joe>, method=PLAIN, "
          "rip=2001:db8::9, "
          "lip=2001:db8::1, session=<x>",
          "auth-failed attempts=1 addr=2001:db8::9 login=joe method=PLAIN text=Aborted login (auth failed, 1 "
          "attempts in 2 "
          "secs)" },
        { "imap-login: Disconnected (no auth attempts in 0 secs): user=<>, rip=192.0.2.9, lip=192.0.2.1, TLS "
          "handshaking: "
          "SSL_accept() failed: error:1408A10B:SSL routines:ssl3_get_client_hello:wrong version number, "
          "session=<x>",
          "note addr=192.0.2.9 text=Disconnected (no auth attempts in 0 secs)" },
        { "lmtp(4711, joe@example.net): 8JxAbc: msgid=<1@x>: saved mail to INBOX",
          "delivery status=sent to=joe@example.net mid=<1@x> text=saved mail to INBOX" },
        { "imap(joe@example.net): Disconnected: Logged out in=175 out=1335",
          "note text=Disconnected: Logged out in=175 out=1335" },
        /* 2.3 */
        { "lmtp(joe@example.net)<10133><S3nrHOnw>: sieve: msgid=<1@x>: stored mail into mailbox 'Junk'",
          "delivery status=sent to=joe@example.net mid=<1@x> text=stored mail into mailbox 'Junk'" },
        { "lda(joe)<1><x>: msgid=unspecified: saved mail to INBOX",
          "delivery status=sent to=joe mid=unspecified text=saved mail to INBOX" },
        { "lmtp(joe)<1><x>: msgid=<1@x>: save failed to INBOX: Quota exceeded (mailbox for user is full)",
          "warning to=joe mid=<1@x> text=save failed to INBOX: Quota exceeded (mailbox for user is full)" },
        { "lmtp(joe)<1><x>: sieve: msgid=<1@x>: forwarded to <a@b.example>",
          "note to=joe mid=<1@x> text=forwarded to <a@b.example>" },
        { "imap-login: proxy(joe,192.0.2.9): started proxying to 192.0.2.7:143: user=<joe>, method=PLAIN, "
          "rip=192.0.2.9",
          "note text=proxy(joe,192.0.2.9): started proxying to 192.0.2.7:143: user=<joe>, method=PLAIN, "
          "rip=192.0.2.9" },
        { "auth-worker(77): Error: sql(joe,192.0.2.9): no", "warning text=sql(joe,192.0.2.9): no" },
        { "imap(joe)<1><x>: Debug: Effective uid=5000", "verbose text=imap(joe)<1><x>: Debug: Effective uid=5000" },
        /* 2.4 */
        { "imap-login: Logged in: user=<joe>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, mpid=1, TLS, "
          "session=<x>",
          "login addr=192.0.2.9 login=joe method=PLAIN text=Logged in" },
        { "imap-login: Info: Login aborted: Connection closed (auth failed, 3 attempts in 15 secs) "
          "(auth_failed): user=<eft>, "
          "method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, TLS, session=<25Nw4GQ3Ms9QM7WQ>",
          "auth-failed attempts=3 addr=192.0.2.9 login=eft method=PLAIN text=Login aborted: Connection closed "
          "(auth failed, 3 "
          "attempts in 15 secs) (auth_failed)" },
        { "managesieve-login: Login aborted: Logged out (no auth attempts in 0 secs) (no_auth_attempts): "
          "user=<>, "
          "rip=192.0.2.9, lip=192.0.2.1, session=<x>",
          "note addr=192.0.2.9 text=Login aborted: Logged out (no auth attempts in 0 secs) "
          "(no_auth_attempts)" },
        /* a port behind the address, where login_log_format_elements has it */
        { "imap-login: Login: user=<joe>, method=PLAIN, rip=192.0.2.9, rport=4711, lip=192.0.2.1",
          "login addr=192.0.2.9 port=4711 login=joe method=PLAIN text=Login" },
        { "imap-login: Login: user=<joe>, method=PLAIN", "login odd text=Login" },
        { "never heard of: it", "unknown text=never heard of: it" },
        { "unheard-of: it", "unknown text=it" },
        { "", "unknown" },
};

static void forms(void **state)
{
        (void)state;
        check_facts(dovecot_parse, known, COUNT_OF(known));
}

/* 198.51.100.1 is the innocent, `victim` the account. */
static const struct fact hostile[] = {
        { "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<victim>, method=PLAIN, "
          "rip=198.51.100.1, "
          "lip=192.0.2.1, session=<x>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, session=<y>",
          "auth-failed attempts=1 addr=192.0.2.9 login=victim>, method=PLAIN, rip=198.51.100.1, lip=192.0.2.1, "
          "session=<x "
          "method=PLAIN text=Disconnected (auth failed, 1 attempts in 2 secs)" },
        /* two names are possible, one address */
        { "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<victim>, x=<y>, method=PLAIN, "
          "rip=192.0.2.9, "
          "lip=192.0.2.1, session=<y>",
          "auth-failed odd attempts=1 addr=192.0.2.9 method=PLAIN text=Disconnected (auth failed, 1 attempts "
          "in 2 secs)" },
        { "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<x> imap-login: Login: "
          "user=<victim>, "
          "method=PLAIN, rip=198.51.100.1, lip=192.0.2.1>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1",
          "auth-failed attempts=1 addr=192.0.2.9 login=x> imap-login: Login: user=<victim>, method=PLAIN, "
          "rip=198.51.100.1, lip=192.0.2.1 method=PLAIN text=Disconnected (auth failed, 1 attempts in 2 "
          "secs)" },
        /* a mechanism that holds an address */
        { "imap-login: Disconnected (tried to use unsupported auth mechanism): user=<>, method=X, "
          "rip=198.51.100.1, "
          "rip=192.0.2.9, lip=192.0.2.1",
          "note odd text=Disconnected (tried to use unsupported auth mechanism)" },
        { "lmtp(joe)<1><x>: msgid=<a>: saved mail to INBOX: msgid=<1@x>: saved mail to INBOX",
          "delivery status=sent to=joe mid=<a>: saved mail to INBOX: msgid=<1@x> text=saved mail to INBOX" },
        { "auth: passwd-file(victim>, rip=198.51.100.1,192.0.2.9): unknown user",
          "note text=passwd-file(victim>, rip=198.51.100.1,192.0.2.9): unknown user" },
};

static void injections(void **state)
{
        (void)state;
        check_facts(dovecot_parse, hostile, COUNT_OF(hostile));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(forms), cmocka_unit_test(injections) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
