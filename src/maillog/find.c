/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/find_inside.h"

#include "maillog/postfix.h"

#include <errno.h>

/* Up to LITERALS_MOST texts are looked for one by one faster than each line is looked at. */
enum { KEYS_MOST = 256, LITERALS_MOST = 6, TROUBLES_MOST = 64 << 10, IDS_EACH = 4 };

struct find *find_new(const struct find_wish *wish)
{
        struct find *f = xcalloc(1, sizeof *f);
        char room[ADDR_TEXT_MAX];
        f->wish = *wish;
        buf_init(&f->troubles, TROUBLES_MOST);
        for (size_t i = 0; i < wish->story.n_wanted; i++) {
                literal_init(&f->wanted[i], wanted_literal(&wish->story.wanted[i], room));
                f->hits[i] = recent_new(FIND_IDS_MOST);
        }
        f->message_ids = recent_new(FIND_IDS_MOST);
        f->stories = stories_new(&wish->story);
        if (wish->state)
                f->has_key = index_key(wish->state, false, f->key) == 0;
        return f;
}

void find_free_(struct find **f)
{
        struct find *gone = *f;
        if (!gone)
                return;
        for (size_t i = 0; i < gone->n_sources; i++)
                find_source_done(&gone->sources[i]);
        for (size_t i = 0; i < WANTED_MOST; i++)
                recent_free(gone->hits[i]);
        recent_free(gone->message_ids);
        stories_free(gone->stories);
        buf_done(&gone->troubles);
        free(gone->sources);
        free(gone);
}

void find_trouble(struct find *f, const char *path, const char *what)
{
        buf_addf(&f->troubles, "%s%s: %s", f->troubles.n ? "\n" : "", path, what);
}

/* --- what is read of a file --- */

/* What is done with lines, and with which. */
struct look {
        void (*at)(struct find *f, struct slice line);
        const struct literal *literals; /* a line that matters has one of these; none: any may */
        size_t n_literals;
        const uint64_t *keys; /* a line that matters is in a block that can have one of these */
        size_t n_keys;
};

struct range {
        uint64_t from, to;
        int64_t first, last; /* times of its lines, as far as known */
};

struct plan {
        struct range *ranges;
        size_t n, cap;
};

static void plan_add(struct plan *p, struct range r)
{
        if (r.from == r.to)
                return;
        if (p->n && p->ranges[p->n - 1].to == r.from) {
                p->ranges[p->n - 1].to = r.to;
                return;
        }
        p->ranges = xgrow(p->ranges, &p->cap, p->n + 1, sizeof *p->ranges);
        p->ranges[p->n++] = r;
}

/* Blocks that can have one of the keys, gaps between blocks, and all behind the last. */
static struct plan plan_of(const struct source *s, const struct look *look)
{
        struct plan p = { 0 };
        struct index_block last = { 0 };
        for (size_t i = 0; s->view && look->n_keys <= KEYS_MOST && i < index_view_count(s->view); i++) {
                struct index_block b = index_view_block(s->view, i);
                plan_add(&p, (struct range){ last.offset + last.length, b.offset, last.last, 0 });
                if (index_view_can_have(s->view, i, look->keys, look->n_keys))
                        plan_add(&p, (struct range){ b.offset, b.offset + b.length, b.first, b.last });
                last = b;
        }
        plan_add(&p, (struct range){ last.offset + last.length, UINT64_MAX, last.last, 0 });
        return p;
}

static void show_progress(struct find *f, const struct source *s)
{
        uint64_t size = maillog_reader_size(s->reader);
        if (f->wish.progress && size)
                f->wish.progress(f->wish.arg, s->path, (double)maillog_reader_done(s->reader) / (double)size);
}

/* The clock sees the first line of each piece, so that years and hours go on between the few lines that are read. */
static void set_clock(struct find *f, struct slice piece)
{
        struct syslog_line l;
        syslog_parse(&f->clock, (struct slice){ piece.p, slice_find(piece, '\n') }, &l);
}

static struct slice line_around(struct slice piece, const char *p)
{
        const char *start = memrchr(piece.p, '\n', (size_t)(p - piece.p));
        start = start ? start + 1 : piece.p;
        size_t left = (size_t)(piece.p + piece.n - start);
        return (struct slice){ start, slice_find((struct slice){ start, left }, '\n') };
}

/* Lines with one of the literals, in order, each once. */
static void look_at_some(struct find *f, const struct look *look, struct slice piece)
{
        const char *next[WANTED_MOST];
        for (size_t i = 0; i < look->n_literals; i++)
                next[i] = literal_find(&look->literals[i], piece);
        for (;;) {
                const char *first = NULL;
                for (size_t i = 0; i < look->n_literals; i++)
                        if (next[i] && (!first || next[i] < first))
                                first = next[i];
                if (!first)
                        return;
                struct slice line = line_around(piece, first);
                look->at(f, line);
                const char *after = line.p + line.n;
                struct slice rest = slice_from(piece, (size_t)(after - piece.p));
                for (size_t i = 0; i < look->n_literals; i++)
                        if (next[i] && next[i] < after)
                                next[i] = literal_find(&look->literals[i], rest);
        }
}

static void look_at(struct find *f, const struct look *look, struct slice piece)
{
        if (look->n_literals) {
                look_at_some(f, look, piece);
                return;
        }
        while (piece.n) {
                struct slice rest, line = slice_cut(piece, '\n', &rest);
                look->at(f, line);
                piece = rest;
        }
}

static int read_range(struct find *f, struct source *s, const struct range *r, const struct look *look)
{
        struct slice piece;
        int got = maillog_reader_seek(s->reader, r->from);
        record_clock(&f->clock, f->wish.zone, s->written, r->first, r->last);
        while (got >= 0 && (got = maillog_reader_next(s->reader, &piece)) == 1) {
                uint64_t at = maillog_reader_offset(s->reader);
                if (at >= r->to)
                        return 0;
                if (piece.n > r->to - at)
                        piece.n = (size_t)(r->to - at);
                set_clock(f, piece);
                look_at(f, look, piece);
                f->bytes += piece.n;
                show_progress(f, s);
                if (at + piece.n >= r->to)
                        return 0;
        }
        return got;
}

static void complain_once(struct find *f, struct source *s, const char *what)
{
        f->incomplete = true;
        if (!s->complained)
                find_trouble(f, s->path, what);
        s->complained = true;
}

static void read_all(struct find *f, const struct look *look)
{
        for (size_t i = 0; i < f->n_sources; i++) {
                struct source *s = &f->sources[i];
                struct plan p = plan_of(s, look);
                int failed = 0;
                for (size_t k = 0; k < p.n && failed >= 0; k++)
                        failed = read_range(f, s, &p.ranges[k], look);
                free(p.ranges);
                if (failed < 0)
                        complain_once(f, s, strerror(-failed));
                else if (maillog_reader_trouble(s->reader))
                        complain_once(f, s, maillog_reader_trouble(s->reader));
        }
}

/* --- hits --- */

static void on_hit(struct find *f, struct slice line)
{
        struct record e;
        if (!record_read(&f->clock, line, &e))
                return;
        uint32_t mask = wanted_in(f->wish.story.wanted, f->wish.story.n_wanted, &e.event);
        if (mask && !e.event.queue_id.n)
                stories_add_single(f->stories, &e);
        for (size_t i = 0; i < f->wish.story.n_wanted; i++)
                if (e.event.queue_id.n && mask >> i & 1)
                        recent_add(f->hits[i], e.event.queue_id, e.at);
}

static void find_hits(struct find *f)
{
        uint64_t keys[WANTED_MOST];
        size_t n = f->wish.story.n_wanted;
        for (size_t i = 0; i < n; i++)
                keys[i] = wanted_hash(f->key, &f->wish.story.wanted[i]);
        read_all(f, &(struct look){ on_hit, f->wanted, n, keys, n });
}

/* All that is wanted must be in a story: whichever has the fewest ids leads to all of them. Of one alone, no more are looked at than can be
 * told, unless the last of them may be too young. */
static struct recent *choose_ids(struct find *f)
{
        const struct story_wish *w = &f->wish.story;
        struct recent *best = f->hits[0];
        for (size_t i = 1; i < w->n_wanted; i++)
                if (recent_count(f->hits[i]) < recent_count(best))
                        best = f->hits[i];
        if (w->n_wanted == 1 && w->until == TIME_NEVER)
                recent_trim(best, IDS_EACH * w->most);
        return best;
}

/* --- lives and kin --- */

static void on_line(struct find *f, struct slice line)
{
        struct slice text = record_text(line);
        size_t n = postfix_queue_id(text);
        if (!n)
                return;
        struct record e;
        struct slice id = { text.p, n }, said = slice_from(text, n + 1);
        if (recent_has(f->ids, id)) {
                if (record_read(&f->clock, line, &e) && slice_eq(e.event.queue_id, id))
                        stories_add(f->stories, &e);
        } else if (recent_count(f->message_ids) && slice_starts(said, S(" message-id=")) &&
                   recent_has(f->message_ids, slice_from(said, sizeof " message-id=" - 1))) {
                f->fresh = recent_add(f->ids, id, TIME_NEVER) || f->fresh;
        }
}

/* Texts of a set, as keys of an index and as literals. */
static size_t add_keys(const struct find *f, const struct recent *of, enum wanted_kind kind, size_t n,
                       uint64_t keys[KEYS_MOST], struct literal literals[LITERALS_MOST])
{
        struct slice text;
        for (size_t i = 0; n < KEYS_MOST && recent_next(of, &i, &text); n++) {
                keys[n] = wanted_hash(f->key, &(struct wanted){ .kind = kind, .text = text });
                if (n < LITERALS_MOST)
                        literal_init(&literals[n], text);
        }
        return n;
}

/* True where ids came to light whose lines were not all read. */
static bool find_lives(struct find *f)
{
        uint64_t keys[KEYS_MOST];
        struct literal literals[LITERALS_MOST];
        f->fresh = false;
        stories_again(f->stories);
        size_t n = recent_count(f->ids) + recent_count(f->message_ids);
        size_t ids = add_keys(f, f->ids, WANTED_ID, 0, keys, literals);
        add_keys(f, f->message_ids, WANTED_MESSAGE_ID, ids, keys, literals);
        read_all(f, &(struct look){ on_line, literals, n <= LITERALS_MOST ? n : 0, keys, n });
        return f->fresh;
}

static void find_kin(struct find *f)
{
        struct slice id;
        for (size_t i = 0; stories_message_id(f->stories, &i, &id);)
                recent_add(f->message_ids, id, 0);
        if (recent_count(f->message_ids) && find_lives(f))
                find_lives(f);
}

struct stories *find_run(struct find *f)
{
        find_sort(f);
        find_hits(f);
        f->ids = choose_ids(f);
        if (recent_count(f->ids)) {
                find_lives(f);
                find_kin(f);
        }
        stories_end(f->stories);
        return f->stories;
}

struct slice find_troubles(const struct find *f)
{
        return buf_slice(&f->troubles);
}

bool find_incomplete(const struct find *f)
{
        return f->incomplete;
}

bool find_more(const struct find *f)
{
        return stories_more(f->stories) || stories_full(f->stories) || (f->ids && recent_lost(f->ids));
}

uint64_t find_bytes(const struct find *f)
{
        return f->bytes;
}
