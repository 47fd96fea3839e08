/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/reader_support.h - for tests of readers: a text read whole, and again in every two pieces and byte by byte, as lines of words.
 *
 * An event: "begins 2024-07-10T00:00:00Z start=… expires=… line=KIND:VALUE held=… nas=… session=… user=… why=… @FILE:LINE", without what is empty;
 * "wrong LINE: text" and "warn LINE: text".
 * Owns:    what `said` holds.
 * Threads: one.
 * Limits:  tests only. */
#pragma once

#include "identity/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

struct said {
        struct buf text;
        size_t events, wrongs, warnings;
};

static inline void say_time(struct buf *out, const char *name, int64_t us)
{
        char text[32];
        time_t t = (time_t)(us / SECOND);
        struct tm tm;
        if (us == TIME_NEVER || us == 0)
                return;
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));
        buf_addf(out, " %s%s", name, text);
}

static inline void say_text(struct buf *out, const char *name, struct slice s)
{
        if (s.n)
                buf_addf(out, " %s=%.*s", name, SLICE_ARGS(s));
}

static inline void say_event(void *arg, const struct event *e)
{
        static const char *const kinds[] = { "begins", "holds", "ends", "nas-resets", "is" };
        struct said *s = arg;
        char text[PREFIX_TEXT_MAX];
        s->events++;
        buf_adds(&s->text, kinds[e->kind]);
        say_time(&s->text, "", e->at);
        say_time(&s->text, "start=", e->start);
        say_time(&s->text, "expires=", e->expires);
        if (e->line.kind.n)
                buf_addf(&s->text, " %.*s:%.*s", SLICE_ARGS(e->line.kind), SLICE_ARGS(e->line.value));
        for (size_t i = 0; i < e->n_held; i++) {
                buf_addf(&s->text, " %s", prefix_print(&e->held[i].prefix, text));
                if (e->held[i].port_high)
                        buf_addf(&s->text, ":%u-%u", e->held[i].port_low, e->held[i].port_high);
                if (e->held[i].proto.n)
                        buf_addf(&s->text, "/%.*s", SLICE_ARGS(e->held[i].proto));
        }
        say_text(&s->text, "realm", e->realm);
        say_text(&s->text, "nas", e->nas);
        say_text(&s->text, "session", e->session);
        say_text(&s->text, "user", e->user);
        say_text(&s->text, "why", e->why);
        buf_addf(&s->text, " @%.*s\n", SLICE_ARGS(e->evidence));
}

static inline void say_wrong(void *arg, uint64_t line, const char *text)
{
        struct said *s = arg;
        s->wrongs++;
        buf_addf(&s->text, "wrong %llu: %s\n", (unsigned long long)line, text);
}

static inline void say_warning(void *arg, uint64_t line, const char *text)
{
        struct said *s = arg;
        s->warnings++;
        buf_addf(&s->text, "warn %llu: %s\n", (unsigned long long)line, text);
}

/* In pieces that end at `cut`, and then of `step` bytes. */
static inline void read_in_pieces(const struct reader_options *options, struct slice text, size_t cut, size_t step,
                                  struct said *s)
{
        struct reader_options o = *options;
        o.event = say_event;
        o.wrong = say_wrong;
        o.warn = say_warning;
        o.arg = s;
        *s = (struct said){ 0 };
        buf_init(&s->text, 256 << 20);
        autoreader *r = reader_new(&o);
        for (size_t at = 0; at < text.n;) {
                size_t n = at == 0 && cut ? cut : step;
                n = n < text.n - at ? n : text.n - at;
                autofree char *exact = xmalloc(n); /* a sanitizer sees who reads past it, or keeps it */
                memcpy(exact, text.p + at, n);
                reader_feed(r, (struct slice){ exact, n });
                at += n;
        }
        reader_end(r);
}

static inline void expect_said(const struct reader_options *o, struct slice text, const char *want)
{
        struct said whole, pieces;
        read_in_pieces(o, text, 0, text.n ? text.n : 1, &whole);
        if (strcmp(buf_cstr(&whole.text), want) != 0)
                fail_msg("read:\n%.*s\ngot:\n%s\nwant:\n%s", SLICE_ARGS(text), buf_cstr(&whole.text), want);
        for (size_t cut = 0; cut < text.n; cut++) {
                read_in_pieces(o, text, cut, cut ? text.n : 1, &pieces);
                if (!slice_eq(buf_slice(&pieces.text), buf_slice(&whole.text)))
                        fail_msg("cut at %zu:\n%s\nbut whole:\n%s", cut, buf_cstr(&pieces.text), buf_cstr(&whole.text));
                buf_done(&pieces.text);
        }
        buf_done(&whole.text);
}

struct reading {
        const char *text, *want;
};

static inline void expect_readings(const struct reader_options *o, const struct reading *rows, size_t n)
{
        for (size_t i = 0; i < n; i++)
                expect_said(o, slice_of(rows[i].text), rows[i].want);
}

/* A file of PORTEIRO_DATA; skips the test, and says so, where it is absent. */
static inline void read_data(const char *name, struct buf *out)
{
        const char *dir = getenv("PORTEIRO_DATA");
        char path[512];
        snprintf(path, sizeof path, "%s/leases/%s", dir ? dir : "../shared/data", name);
        FILE *f = fopen(path, "re");
        if (!f) {
                print_message("%s: not there: skipped\n", path);
                skip();
        }
        char bytes[65536];
        for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
                buf_add(out, (struct slice){ bytes, n });
        fclose(f);
}
