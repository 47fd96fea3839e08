/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New leases, sorted by month, prefix and start, pass by what is known in the same order: one cursor in each segment, and one in a picture
 * of the live table. What becomes of one:
 *
 *   nobody knows it            it goes to the segment of its month
 *   known, and no better       nothing
 *   better than a live one     the live table gets it, in the keeper's transaction
 *   better than an archived    it takes its place: "corrects" where it ends in the same month; else it goes to its own month and a void
 *                              record to the old one
 *
 * Better is an end that was seen over "still open", and that over an end that was presumed; else the later end. What does not come out in
 * the order of the file being written (a correction keeps the start that is known) waits in a second sorter, for files of its own. */
#include "ledger/pile_private.h"
#include "ledger/archive.h"
#include "ledger/nouns.h"
#include "ledger/pile_sort.h"

#include "base/time.h"

#include <errno.h>
#include <stdio.h>

enum { MEMORY_DEFAULT = 256 << 20, GROUP_LIVE = 65535, PAGE_ROWS = 10000, WINDOW_MOST = 4096, CANDIDATES_MOST = 16 };
enum { KIND_MOST = 32, PROGRESS_EVERY = 65536 };
#define SKEW (5 * SECOND)

struct known {
        struct segment *segment;
        int64_t month, rank;
        bool live;
        uint64_t at;
};

struct candidate {
        const struct known *known;
        uint64_t record;
        int64_t start;
        unsigned flags;
};

struct pile {
        char *dir, *incoming;
        size_t memory;
        struct sorter *all, *later;
        struct buf why;
        bool overrules, dry_run, spent;
        struct known *known;
        size_t n_known, known_cap;
        struct segment *live; /* the picture of the live table */
        struct segment_writer **writers;
        size_t n_writers, writers_cap;
        bool writing; /* the last of the writers is not finished */
        unsigned group;
        struct lease_copy held; /* the last one seen, until another key comes */
        struct sorted pending;
        bool has_pending;
        struct pile_result result;
        uint64_t done;
        void (*progress)(uint64_t done, uint64_t of);
};

static int fail(struct pile *p, int status, const char *what)
{
        buf_clear(&p->why);
        buf_addf(&p->why, "%s: %s", what, status == -ENOSPC ? "no space is left on its disk" : strerror(-status));
        return status;
}

int pile_new(const char *dir, size_t memory, struct pile **ret, struct buf *why)
{
        int status = archive_folders(dir);
        if (status < 0) {
                buf_clear(why);
                buf_addf(why, "%s/leases: %s", dir, strerror(-status));
                return status;
        }
        struct pile *p = xcalloc(1, sizeof *p);
        p->dir = xstrdup(dir);
        p->incoming = archive_incoming(dir);
        p->memory = memory ? memory : MEMORY_DEFAULT;
        p->all = sorter_new(p->incoming, p->memory / 4 * 3);
        p->later = sorter_new(p->incoming, p->memory / 8);
        buf_init(&p->why, 8192);
        *ret = p;
        return 0;
}

static void drop_writers(struct pile *p, bool keep)
{
        for (size_t i = 0; i < p->n_writers; i++)
                segment_writer_free(p->writers[i], keep);
        p->n_writers = 0;
}

void pile_free(struct pile *p)
{
        if (!p)
                return;
        drop_writers(p, false);
        segment_free(p->live);
        sorter_free(p->all);
        sorter_free(p->later);
        lease_copy_done(&p->held);
        buf_done(&p->why);
        free(p->writers);
        free(p->known);
        free(p->incoming);
        free(p->dir);
        free(p);
}

void pile_free_(struct pile **p)
{
        pile_free(*p);
}

const char *pile_why(const struct pile *p)
{
        return p->why.p ? p->why.p : "";
}

void pile_overrules(struct pile *p)
{
        p->overrules = true;
}

/* --- adding --- */

static bool fits(struct slice s, size_t most)
{
        for (size_t i = 0; i < s.n; i++)
                if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\n' && s.p[i] != '\t') || s.p[i] == 0x7f)
                        return false;
        return s.n <= most;
}

static const char *wrong(const struct lease *l)
{
        struct prefix masked = prefix_of(l->prefix.addr, l->prefix.len);
        const struct slice texts[] = { l->realm, l->source, l->nas, l->session, l->user, l->why_ended, l->evidence };
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                if (!fits(texts[i], LEDGER_TEXT_MOST))
                        return "has a text that is too long or has control characters";
        if (!fits(l->line.kind, KIND_MOST) || !fits(l->line.value, LINE_VALUE_MOST) || !l->line.kind.n ||
            !l->line.value.n)
                return "has a line that is none";
        if (l->prefix.len > 128 || prefix_cmp(&masked, &l->prefix) != 0 || !l->source.n || !fits(l->proto, KIND_MOST))
                return "has no source or no prefix";
        if (l->end != TIME_NEVER && month_of(l->end) >= GROUP_LIVE)
                return "ends thousands of years from now";
        return l->start < 0 || l->end < l->start ? "ends before it starts" : NULL;
}

static int add(struct pile *p, unsigned group, const struct lease *l)
{
        autobuf user;
        struct lease whole = *l;
        buf_init(&user, 1024);
        const char *what = wrong(l);
        if (what) {
                buf_clear(&p->why);
                buf_addf(&p->why, "a lease %s", what);
                return -EINVAL;
        }
        if (whole.user.n == 0) {
                line_print(&l->line, &user);
                whole.user = buf_slice(&user);
        }
        int status = sorter_add(p->all, group, &whole, 0);
        return status < 0 ? fail(p, status, p->incoming) : 0;
}

int pile_add(struct pile *p, const struct lease *l)
{
        if (l->end == TIME_NEVER)
                return fail(p, -EINVAL, "a lease that has not ended");
        return add(p, (unsigned)month_of(l->end), l);
}

int pile_add_live(struct pile *p, const struct lease *l)
{
        return add(p, GROUP_LIVE, l);
}

/* --- what is known --- */

static void know(struct pile *p, struct segment *s, int64_t month, int64_t rank, bool live)
{
        p->known = xgrow(p->known, &p->known_cap, p->n_known + 1, sizeof *p->known);
        p->known[p->n_known++] = (struct known){ .segment = s, .month = month, .rank = rank, .live = live };
}

static int new_writer(struct pile *p, int64_t month, uint64_t most, struct segment_writer **ret)
{
        static unsigned number;
        autofree char *path = xasprintf("%s/%ld-%u.seg", p->incoming, (long)getpid(), ++number);
        unlink(path); /* of a dead process that had our number */
        return segment_writer_new(path, month, most, ret, &p->why);
}

/* A page of the live table; *after becomes its last row. */
static int read_page(struct ledger *l, struct sorter *to, int64_t *after, size_t *ret_n)
{
        autoarena *a = arena_new(256 << 20);
        struct statement *s = db_prepare(l, "SELECT " LEASE_COLUMNS " FROM lease l JOIN line n ON n.number = l.line"
                                            " WHERE l.id > ? ORDER BY l.id LIMIT ?");
        db_int(s, *after);
        db_int(s, PAGE_ROWS);
        int status = 0;
        *ret_n = 0;
        while (status == 0 && db_row(s)) {
                struct lease lease = lease_of_row(s, a);
                *after = lease.id;
                status = sorter_add(to, 0, &lease, 0);
                ++*ret_n;
        }
        int end = db_done(s);
        return status < 0 ? status : end;
}

static int write_picture(struct pile *p, struct sorter *rows)
{
        struct segment_writer *w = NULL;
        struct sorted one;
        int status = sorter_begin(rows);
        if (status == 0)
                status = new_writer(p, -1, sorter_count(rows), &w);
        while (status == 0 && (status = sorter_next(rows, &one)) > 0)
                status = segment_writer_add(w, &one.lease, 0) < 0 ? -EIO : 0; /* full: the rest is not known */
        while (status == 0 && (status = segment_writer_finish(w, UINT32_MAX)) > 0)
                status = 0;
        if (status == 0)
                status = segment_open(segment_writer_path(w), NULL, &p->live, &p->why);
        segment_writer_free(w, false);
        return status;
}

/* Page by page, each in a moment of its own. */
static int picture_live(struct pile *p, struct ledger *l)
{
        autosorter *rows = sorter_new(p->incoming, p->memory / 8);
        int64_t after = 0;
        size_t n = 1;
        int status = 0;
        while (status == 0 && n)
                status = read_page(l, rows, &after, &n);
        if (status == 0 && sorter_count(rows))
                status = write_picture(p, rows);
        if (status == 0 && p->live)
                know(p, p->live, -1, INT64_MAX, true);
        return status < 0 && buf_slice(&p->why).n == 0 ? fail(p, status, p->incoming) : status;
}

static int open_archive(struct pile *p, struct ledger *l)
{
        bool began;
        int status = db_snapshot(l, &began);
        if (status == 0)
                status = archive_refresh(l);
        for (size_t i = 0; status == 0 && i < l->archive->n; i++) {
                struct part *part = &l->archive->parts[i];
                status = archive_open_part(l, part);
                if (status == 0)
                        know(p, part->segment, part->info.month, part->rank, false);
        }
        status = db_snapshot_end(l, began, status);
        if (status < 0) {
                buf_clear(&p->why);
                buf_adds(&p->why, ledger_error(l));
        }
        return status;
}

static bool same_source(const struct lease *a, const struct lease *b)
{
        return slice_eq(a->source, b->source) && slice_eq(a->nas, b->nas) && slice_eq(a->session, b->session) &&
               slice_eq(a->user, b->user);
}

static int64_t slack(const struct pile *p)
{
        return p->overrules ? 0 : SKEW;
}

/* Records of one segment that are the same lease. The cursor only goes forward: leases are asked for in order. */
static int look_in(struct pile *p, struct known *k, const struct lease *l, struct candidate *all, size_t *n)
{
        const struct segment_info *info = segment_info(k->segment);
        int64_t from = l->start - slack(p), until = l->start + slack(p);
        if (info->first > until || info->last < from)
                return 0;
        k->at = segment_find(k->segment, &l->prefix, from, k->at);
        for (uint64_t i = k->at; i < info->leases && i - k->at < WINDOW_MOST && *n < CANDIDATES_MOST; i++) {
                struct prefix here = segment_prefix(k->segment, i);
                struct segment_row row;
                if (segment_start(k->segment, i) > until || prefix_cmp(&here, &l->prefix) != 0)
                        break;
                if (segment_read(k->segment, i, &row) < 0)
                        return fail(p, -EUCLEAN, "a segment of the archive");
                if (same_source(&row.lease, l))
                        all[(*n)++] = (struct candidate){ k, i, row.lease.start, row.flags };
        }
        return 0;
}

static bool counts(const struct candidate *c, const struct candidate *all, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (all[i].start == c->start && all[i].known->month == c->known->month &&
                    all[i].known->rank > c->known->rank)
                        return false;
        return !(c->flags & SEGMENT_VOID);
}

/* The one that counts: the live one, else that of the nearest start. *ret stays NULL where none is known. */
static int find_known(struct pile *p, const struct lease *l, struct candidate *ret, struct segment_row *row,
                      bool *found)
{
        struct candidate all[CANDIDATES_MOST];
        size_t n = 0;
        int status = 0;
        *found = false;
        for (size_t i = 0; status == 0 && i < p->n_known; i++)
                status = look_in(p, &p->known[i], l, all, &n);
        for (size_t i = 0; status == 0 && i < n; i++) {
                int64_t away = llabs(all[i].start - l->start);
                if (!counts(&all[i], all, n))
                        continue;
                if (*found && !all[i].known->live && (ret->known->live || away >= llabs(ret->start - l->start)))
                        continue;
                *ret = all[i];
                *found = true;
        }
        if (status == 0 && *found && segment_read(ret->known->segment, ret->record, row) < 0)
                status = fail(p, -EUCLEAN, "a segment of the archive");
        return status;
}

/* --- which of two is right --- */

static int strength(const struct lease *l)
{
        static const char *const presumed[] = { "no stop seen", "silent", "replaced", "expired", "nas-reset" };
        if (l->end == TIME_NEVER)
                return 1;
        for (size_t i = 0; i < COUNT_OF(presumed); i++)
                if (slice_eq(l->why_ended, slice_of(presumed[i])))
                        return 0;
        return 2;
}

static bool better(const struct pile *p, const struct lease *l, const struct lease *known)
{
        if (p->overrules)
                return l->end != known->end || !slice_eq(l->why_ended, known->why_ended) ||
                       l->port_high != known->port_high || !slice_eq(l->line.value, known->line.value) ||
                       !slice_eq(l->line.kind, known->line.kind);
        return strength(l) != strength(known) ? strength(l) > strength(known) : l->end > known->end;
}

/* --- writing --- */

static int finish_writer(struct pile *p)
{
        struct segment_writer *w = p->writing ? p->writers[p->n_writers - 1] : NULL;
        int status = 0;
        p->writing = false;
        while (w && (status = segment_writer_finish(w, UINT32_MAX)) > 0)
                ;
        return status < 0 ? fail(p, status, segment_writer_path(w)) : 0;
}

/* `most`: no more than that are coming for this month. */
static int write_one(struct pile *p, unsigned group, const struct lease *l, unsigned flags, uint64_t most)
{
        int64_t month = group == GROUP_LIVE ? -1 : (int64_t)group;
        for (int attempt = 0; !p->dry_run && attempt < 2; attempt++) {
                int status = 0;
                if (!p->writing) {
                        p->writers = xgrow(p->writers, &p->writers_cap, p->n_writers + 1, sizeof *p->writers);
                        status = new_writer(p, month, most, &p->writers[p->n_writers]);
                        if (status < 0)
                                return status;
                        p->n_writers++;
                        p->writing = true;
                }
                const char *path = segment_writer_path(p->writers[p->n_writers - 1]);
                status = segment_writer_add(p->writers[p->n_writers - 1], l, flags);
                if (status <= 0)
                        return status < 0 ? fail(p, status, path) : 0;
                if ((status = finish_writer(p)) < 0)
                        return status;
        }
        return p->dry_run ? 0 : fail(p, -EMSGSIZE, "a lease");
}

static int keep_for_later(struct pile *p, unsigned group, const struct lease *l, unsigned flags)
{
        int status = sorter_add(p->later, group, l, flags);
        return status < 0 ? fail(p, status, p->incoming) : 0;
}

static int correct(struct pile *p, unsigned group, const struct lease *l, const struct candidate *c,
                   const struct lease *known, uint64_t most)
{
        struct lease right = *l;
        unsigned month = (unsigned)c->known->month;
        right.start = known->start;
        if (right.end < right.start)
                right.end = right.start;
        if (c->known->live || group == GROUP_LIVE)
                return keep_for_later(p, GROUP_LIVE, &right, 0);
        if (month == group && right.start == l->start)
                return write_one(p, group, &right, SEGMENT_CORRECTS, most);
        if (month == group)
                return keep_for_later(p, group, &right, SEGMENT_CORRECTS);
        int status = keep_for_later(p, month, known, SEGMENT_CORRECTS | SEGMENT_VOID);
        return status < 0 ? status : keep_for_later(p, (unsigned)month_of(right.end), &right, 0);
}

/* One lease of the pile, all that it says of it put together. */
static int settle(struct pile *p, unsigned group, const struct lease *l, uint64_t most)
{
        struct candidate c = { .known = NULL };
        struct segment_row row;
        bool found;
        int status = find_known(p, l, &c, &row, &found);
        if (status < 0)
                return status;
        if (found && !better(p, l, &row.lease)) {
                p->result.known++;
                return 0;
        }
        if (found) {
                p->result.corrected++;
                return correct(p, group, l, &c, &row.lease, most);
        }
        p->result.added++;
        if (p->overrules && l->end == l->start) /* taken back before it was known */
                return 0;
        return group == GROUP_LIVE ? keep_for_later(p, group, l, 0) : write_one(p, group, l, 0, most);
}

/* Puts what is pending where it belongs; of the second sorter nothing is compared any more. */
static int flush(struct pile *p, struct sorter *from)
{
        if (!p->has_pending)
                return 0;
        uint64_t most = sorter_count_of(from, p->pending.group);
        p->has_pending = false;
        return from == p->all ? settle(p, p->pending.group, &p->held.lease, most)
                              : write_one(p, p->pending.group, &p->held.lease, p->pending.flags, most);
}

static int next_group(struct pile *p, unsigned group)
{
        p->group = group;
        for (size_t i = 0; i < p->n_known; i++)
                p->known[i].at = 0;
        return finish_writer(p);
}

static int take_one(struct pile *p, struct sorter *from, const struct sorted *one)
{
        int status = 0;
        bool same =
            p->has_pending && p->pending.group == one->group && segment_key_cmp(&p->held.lease, &one->lease) == 0;
        if (same && from == p->all)
                p->result.known++;
        if (same && (!better(p, &one->lease, &p->held.lease) || one->flags & SEGMENT_VOID))
                return 0;
        if (!same)
                status = flush(p, from);
        if (status == 0 && one->group != p->group)
                status = next_group(p, one->group);
        lease_copy_set(&p->held, &one->lease);
        p->pending.group = one->group;
        p->pending.flags = one->flags;
        p->has_pending = true;
        return status;
}

static int pass(struct pile *p, struct sorter *from)
{
        struct sorted one;
        p->group = UINT32_MAX;
        int status = sorter_begin(from);
        while (status == 0 && (status = sorter_next(from, &one)) > 0) {
                status = take_one(p, from, &one);
                if (from != p->all || ++p->done % PROGRESS_EVERY)
                        continue;
                for (size_t i = 0; i < p->n_known; i++)
                        segment_release(p->known[i].segment);
                if (p->progress)
                        p->progress(p->done, sorter_count(from));
        }
        if (status == 0)
                status = flush(p, from);
        if (status == 0)
                status = finish_writer(p);
        return status < 0 && buf_slice(&p->why).n == 0 ? fail(p, status, p->incoming) : status;
}

int pile_write(struct pile *p, struct ledger *l, struct pile_result *ret)
{
        buf_clear(&p->why);
        /* The live table first: what moves to the archive meanwhile is seen in both, rather than in neither. */
        int status = p->overrules ? 0 : picture_live(p, l);
        if (status == 0)
                status = open_archive(p, l);
        if (status == 0)
                status = pass(p, p->all);
        if (status == 0)
                status = pass(p, p->later);
        p->result.segments = p->n_writers;
        *ret = p->result;
        return status;
}

size_t pile_files(const struct pile *p)
{
        return p->n_writers;
}

const char *pile_file(const struct pile *p, size_t i, const struct segment_info **ret_info)
{
        *ret_info = segment_writer_info(p->writers[i]);
        return segment_writer_path(p->writers[i]);
}

void pile_given(struct pile *p)
{
        drop_writers(p, true);
}

/* --- handing over --- */

static int check_all(struct pile *p, struct client *c, struct slice *names)
{
        int status = 0;
        for (size_t i = 0; status == 0 && i < p->n_writers; i++) {
                bool more = true;
                names[i] = slice_of(strrchr(segment_writer_path(p->writers[i]), '/') + 1);
                while (status == 0 && more)
                        status = client_segments_check(c, names[i], &more);
        }
        return status;
}

/* Without an answer it may have been done. */
static int note_begun(struct pile *p, int status)
{
        if (status == 0 || status == -ETIMEDOUT || status == -ECONNRESET)
                p->result.begun = true;
        return status;
}

static int put_live(struct pile *p, struct client *c, struct slice name)
{
        int64_t from = 0;
        int status;
        do
                status = note_begun(p, client_segments_live(c, name, &from));
        while (status == 0 && from);
        return status;
}

/* What is open is told first and bit by bit: whoever is killed meanwhile tells it once more, and it is known. */
static int ask_keeper(struct pile *p, struct client *c)
{
        autofree struct slice *names = xcalloc(p->n_writers + 1, sizeof *names);
        size_t n = 0;
        int status = check_all(p, c, names);
        for (size_t i = 0; status == 0 && i < p->n_writers; i++) {
                if (segment_writer_info(p->writers[i])->month < 0)
                        status = put_live(p, c, names[i]);
                else
                        names[n++] = names[i];
        }
        p->result.segments = n;
        if (status == 0 && n)
                status = note_begun(p, client_segments_add(c, names, n));
        if (status == 0)
                return 0;
        buf_clear(&p->why);
        buf_adds(&p->why, client_reason(c));
        return status > 0 ? -EINVAL : status;
}

int pile_commit(struct pile *p, struct client *c, const struct lease *open, size_t n_open, bool dry_run,
                void (*progress)(uint64_t done, uint64_t of), struct pile_result *ret)
{
        autoledger *l = NULL;
        int status = 0;
        *ret = (struct pile_result){ 0 };
        if (p->spent)
                return fail(p, -EINVAL, "a pile that was committed already");
        p->spent = true;
        p->dry_run = dry_run;
        p->progress = progress;
        for (size_t i = 0; status == 0 && i < n_open; i++)
                status = pile_add_live(p, &open[i]);
        if (status == 0)
                status = ledger_open_why(p->dir, &l, &p->why);
        if (status == 0)
                status = pile_write(p, l, ret);
        if (status == 0 && !dry_run && p->n_writers)
                status = ask_keeper(p, c);
        *ret = p->result;
        drop_writers(p, false);
        return status;
}
