/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/event.h"

#define NAME(id, name) name,
#define DAEMON_ROW(id, name) S(name),

const char *mail_kind_name(enum mail_kind kind)
{
        static const char *const names[] = { MAIL_KINDS(NAME) };
        return kind < COUNT_OF(names) ? names[kind] : "unknown";
}

enum mail_daemon mail_daemon_of(struct slice program, struct slice *instance)
{
        static const struct slice names[] = { MAIL_DAEMONS(DAEMON_ROW) };
        const char *slash = memchr(program.p, '/', program.n), *last = slash;
        if (!slash)
                return MAIL_BY_NONE;
        for (const char *p = slash; (p = memchr(p + 1, '/', (size_t)(program.p + program.n - p - 1)));)
                last = p;
        struct slice name = slice_from(program, (size_t)(last - program.p) + 1);
        *instance = (struct slice){ program.p, (size_t)(slash - program.p) };
        for (size_t i = 0; i < COUNT_OF(names); i++)
                if (names[i].n == name.n && *names[i].p == *name.p && memcmp(names[i].p, name.p, name.n) == 0)
                        return (enum mail_daemon)(i + 1);
        return MAIL_BY_NONE;
}
