/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/event.h"

#define NAME(id, name) name,
#define DAEMON_ROW(id, name) S(name),

const char *mail_kind_name(enum mail_kind kind)
{
        static const char *const names[] = { MAIL_KINDS(NAME) };
        return kind < COUNT_OF(names) ? names[kind] : "unknown";
}

/* Programs that are whole servers; with a slash, they are none. */
static enum mail_daemon server_of(struct slice program)
{
        static const struct {
                struct slice name;
                enum mail_daemon daemon;
        } rows[] = { { S("dovecot"), MAIL_BY_DOVECOT }, { S("exim"), MAIL_BY_EXIM }, { S("exim4"), MAIL_BY_EXIM } };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (slice_eq(rows[i].name, program))
                        return rows[i].daemon;
        return MAIL_BY_NONE;
}

bool mail_one_of(const struct mail_row *rows, size_t n, struct slice s, struct mail_event *ret)
{
        for (size_t i = 0; i < n; i++)
                if (*rows[i].starts.p == *s.p && slice_starts(s, rows[i].starts)) {
                        ret->kind = rows[i].kind;
                        ret->text = s;
                        return true;
                }
        return false;
}

enum mail_daemon mail_daemon_of(struct slice program, struct slice *instance)
{
        static const struct slice names[] = { MAIL_DAEMONS(DAEMON_ROW) };
        const char *slash = memchr(program.p, '/', program.n), *last = slash;
        if (!slash)
                return server_of(program);
        for (const char *p = slash; (p = memchr(p + 1, '/', (size_t)(program.p + program.n - p - 1)));)
                last = p;
        struct slice name = slice_from(program, (size_t)(last - program.p) + 1);
        *instance = (struct slice){ program.p, (size_t)(slash - program.p) };
        for (size_t i = 0; i + 1 < MAIL_BY_EXIM; i++)
                if (names[i].n == name.n && *names[i].p == *name.p && memcmp(names[i].p, name.p, name.n) == 0)
                        return (enum mail_daemon)(i + 1);
        return MAIL_BY_NONE;
}

void mail_event_print(const struct mail_event *e, struct buf *out)
{
        static const char *const statuses[] = { "", "sent", "deferred", "bounced", "expired", "other" };
        const struct {
                const char *name;
                struct slice value;
        } slices[] = { { "id", e->queue_id },      { "host", e->client.name }, { "addr", e->client.address },
                       { "port", e->client.port }, { "login", e->login },      { "method", e->method },
                       { "stage", e->stage },      { "action", e->action },    { "dsn", e->dsn },
                       { "echo", e->echo },        { "from", e->from },        { "to", e->to },
                       { "orig", e->orig_to },     { "helo", e->helo },        { "mid", e->message_id },
                       { "delay", e->delay },      { "other", e->other_id },   { "text", e->text } };
        const struct {
                const char *name;
                uint64_t value;
        } numbers[] = { { "code", e->code }, { "size", e->size }, { "nrcpt", e->nrcpt }, { "attempts", e->attempts } };
        buf_adds(out, mail_kind_name(e->kind));
        if (e->odd)
                buf_adds(out, " odd");
        if (e->status)
                buf_addf(out, " status=%s", statuses[e->status]);
        for (size_t i = 0; i < COUNT_OF(numbers); i++)
                if (numbers[i].value)
                        buf_addf(out, " %s=%llu", numbers[i].name, (unsigned long long)numbers[i].value);
        for (size_t i = 0; i < COUNT_OF(slices); i++)
                if (slices[i].value.n)
                        buf_addf(out, " %s=%.*s", slices[i].name, SLICE_ARGS(slices[i].value));
}
