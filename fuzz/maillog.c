/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of a mail log: every field lies in the line that it is said to be of, and an odd line has no sender, recipient or category. */
#include "maillog/postfix.h"
#include "maillog/syslog.h"
#include "maillog/test_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void within(struct slice line, struct slice s)
{
        if (s.n && (s.p < line.p || s.p + s.n > line.p + line.n))
                panic("a field from elsewhere");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct slice in = { (const char *)data, n };
        struct syslog_clock clock;
        struct syslog_line line;
        syslog_clock_init(&clock, (struct syslog_zone){ 0 }, INT64_C(1700000000000000));
        for (int64_t size; (size = syslog_next(&clock, in, &line)) != SYSLOG_MORE;) {
                struct slice whole = { in.p, (size_t)(size < 0 ? -size : size) }, instance = { 0 };
                in = slice_from(in, whole.n);
                if (size < 0)
                        continue;
                struct mail_event e;
                postfix_parse(mail_daemon_of(line.program, &instance), line.text, &e);
                const struct slice fields[] = { line.host,     line.program,     line.text, instance, e.queue_id,
                                                e.client.name, e.client.address, e.login,   e.method, e.from,
                                                e.to,          e.orig_to,        e.helo,    e.stage,  e.other_id,
                                                e.dsn,         e.text,           e.echo,    e.delay,  e.delays,
                                                e.message_id };
                for (size_t i = 0; i < COUNT_OF(fields); i++)
                        within(whole, fields[i]);
                if (e.odd && (e.from.n || e.to.n || e.helo.n || test_category(&e) != CATEGORY_OTHER) &&
                    e.kind == MAIL_REJECT)
                        panic("an odd line was believed");
        }
        return 0;
}
