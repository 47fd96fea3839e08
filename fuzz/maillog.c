/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of a mail log, each read as every server's: every field lies in the line, and an odd line has no sender, recipient, login or category. */
#include "maillog/parse.h"
#include "maillog/syslog.h"
#include "maillog/test_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(enum mail_daemon daemon, struct slice text)
{
        struct mail_event e;
        mail_parse(daemon, text, &e);
        const struct slice fields[] = { e.queue_id, e.client.name, e.client.address, e.client.port, e.login,   e.method,
                                        e.from,     e.to,          e.orig_to,        e.helo,        e.dsn,     e.text,
                                        e.echo,     e.delay,       e.delays,         e.message_id,  e.other_id };
        for (size_t i = 0; i < COUNT_OF(fields); i++)
                if (fields[i].n && (fields[i].p < text.p || fields[i].p + fields[i].n > text.p + text.n))
                        panic("a field from elsewhere");
        if (e.odd && (e.from.n || e.to.n || e.helo.n || (e.login.n && daemon >= MAIL_BY_EXIM)))
                panic("an odd line was believed");
        if (e.odd && e.kind == MAIL_REJECT && test_category(&e) != CATEGORY_OTHER)
                panic("an odd line has a reason");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct slice in = { (const char *)data, n }, instance;
        struct syslog_clock clock;
        struct syslog_line line;
        syslog_clock_init(&clock, (struct syslog_zone){ 0 }, INT64_C(1700000000000000));
        for (int64_t size; (size = syslog_next(&clock, in, &line)) != SYSLOG_MORE;) {
                size_t whole = (size_t)(size < 0 ? -size : size);
                struct slice text = size < 0 ? slice_trim((struct slice){ in.p, whole }) : line.text;
                check(size < 0 ? MAIL_BY_NONE : mail_daemon_of(line.program, &instance), text);
                check(MAIL_BY_EXIM, text);
                check(MAIL_BY_DOVECOT, text);
                in = slice_from(in, whole);
        }
        return 0;
}
