/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Merging segments of one month, in slices.
 *
 * Tiers versus one file at once: a segment is written anew when four of its size have come together, so that a lease is written some five
 * times in its life and a month never has more than a few dozen files; a month that is over becomes one. Only the newest ones of a month are
 * merged, all up to the last: a correction stays newer than what it corrects. */
#include "ledger/archive_keep.h"

#include <errno.h>
#include <stdio.h>

enum { TIER_OF_LEAST = 2000, TIER_FACTOR = 4, INPUTS_LEAST = 4 };
#define MONTH_SETTLES (3 * DAY)
#define NEWEST_SETTLES HOUR

struct input {
        int64_t id, rank;
        struct segment *segment;
        uint64_t at;
        struct segment_row row;
};

struct merge {
        struct merge_plan plan;
        struct input *inputs;
        size_t n_all, n; /* n: those that have records left stand first */
        int64_t *ids;
        struct segment_writer *writer;
        int64_t rank;
        uint64_t forgotten;
        bool finishing;
};

struct part *archive_part_of(const struct archive *a, int64_t month, size_t i)
{
        for (size_t k = 0; k < a->n; k++)
                if (a->parts[k].info.month == month && i-- == 0)
                        return &a->parts[k];
        return NULL;
}

/* --- which --- */

static unsigned tier_of(const struct part *p)
{
        unsigned tier = 0;
        for (uint64_t n = p->info.leases / TIER_OF_LEAST; n; n /= TIER_FACTOR)
                tier++;
        return tier;
}

/* The longest row of newest segments in which four are of no higher tier. */
static bool by_tiers(const struct archive *a, int64_t month, size_t n, struct merge_plan *ret)
{
        for (unsigned tier = 16; tier-- > 0;) {
                size_t first = n;
                uint64_t leases = 0;
                while (first && tier_of(archive_part_of(a, month, first - 1)) <= tier)
                        leases += archive_part_of(a, month, --first)->info.leases;
                if (n - first < INPUTS_LEAST || leases > SEGMENT_LEASES_MOST)
                        continue;
                *ret = (struct merge_plan){ .month = month, .first = first, .n = n - first };
                return true;
        }
        return false;
}

static bool wanted_in(const struct archive *a, int64_t month, int64_t now, struct merge_plan *ret)
{
        size_t n = 0;
        uint64_t leases = 0;
        int64_t newest = 0;
        for (struct part *p; (p = archive_part_of(a, month, n)); n++) {
                leases += p->info.leases;
                newest = p->added > newest ? p->added : newest;
        }
        bool over = now > month_begin(month + 1) + MONTH_SETTLES && now > newest + NEWEST_SETTLES;
        if (n > 1 && over && leases <= SEGMENT_LEASES_MOST) {
                *ret = (struct merge_plan){ .month = month, .n = n };
                return true;
        }
        return by_tiers(a, month, n, ret);
}

bool merge_wanted(const struct archive *a, int64_t now, struct merge_plan *ret)
{
        for (size_t i = a->n; i-- > 0;)
                if (wanted_in(a, a->parts[i].info.month, now, ret))
                        return true;
        return false;
}

/* --- doing it --- */

static int load(struct ledger *l, struct input *in)
{
        if (segment_read(in->segment, in->at, &in->row) < 0)
                return db_fail(l, -EUCLEAN, "segment %lld is damaged", (long long)in->id);
        return 0;
}

static int begin_input(struct ledger *l, struct merge *m, const struct part *p)
{
        struct input *in = &m->inputs[m->n_all];
        autobuf why;
        buf_init(&why, 4096);
        autofree char *path = archive_path(l->archive->dir, p->info.month, p->id);
        *in = (struct input){ .id = p->id, .rank = p->rank };
        m->ids[m->n_all] = p->id;
        m->rank = p->rank;
        int status = segment_open(path, p->info.hash, &in->segment, &why);
        if (status < 0)
                return db_fail(l, status, "%s", buf_cstr(&why));
        m->n_all++;
        return load(l, in);
}

int merge_begin(struct ledger *l, const struct merge_plan *plan, struct merge **ret)
{
        struct merge *m = xcalloc(1, sizeof *m);
        autofree char *incoming = archive_incoming(l->archive->dir);
        autobuf why;
        static unsigned number;
        uint64_t leases = 0;
        int status = 0;
        buf_init(&why, 4096);
        m->plan = *plan;
        m->inputs = xcalloc(plan->n, sizeof *m->inputs);
        m->ids = xcalloc(plan->n, sizeof *m->ids);
        for (size_t i = 0; status == 0 && i < plan->n; i++) {
                const struct part *p = archive_part_of(l->archive, plan->month, plan->first + i);
                status = p ? begin_input(l, m, p) : -EAGAIN;
                leases += p ? p->info.leases : 0;
        }
        autofree char *path = xasprintf("%s/merge-%ld-%u.seg", incoming, (long)getpid(), ++number);
        unlink(path);
        if (status == 0 && (status = segment_writer_new(path, plan->month, leases, &m->writer, &why)) < 0)
                db_fail(l, status, "%s", buf_cstr(&why));
        m->n = m->n_all;
        if (status < 0)
                merge_free(m);
        else
                *ret = m;
        return status;
}

void merge_free(struct merge *m)
{
        if (!m)
                return;
        for (size_t i = 0; i < m->n_all; i++)
                segment_free(m->inputs[i].segment);
        segment_writer_free(m->writer, false);
        free(m->inputs);
        free(m->ids);
        free(m);
}

/* The least key; of equal ones that of the newest segment. */
static size_t least_of(const struct merge *m)
{
        size_t least = 0;
        for (size_t i = 1; i < m->n; i++) {
                int order = segment_key_cmp(&m->inputs[i].row.lease, &m->inputs[least].row.lease);
                if (order < 0 || (order == 0 && m->inputs[i].rank > m->inputs[least].rank))
                        least = i;
        }
        return least;
}

/* A row's user may stand in the row itself: after a move it is read anew. */
static int advance(struct ledger *l, struct merge *m, size_t i)
{
        struct input *in = &m->inputs[i];
        if (++in->at < segment_info(in->segment)->leases)
                return load(l, in);
        struct input done = *in;
        *in = m->inputs[--m->n];
        m->inputs[m->n] = done;
        return i < m->n ? load(l, in) : 0;
}

static int is_forgotten(struct ledger *l, const struct merge *m, const struct segment_row *row, bool *ret)
{
        const struct archive *a = l->archive;
        *ret = row->lease.end < m->plan.forget;
        for (size_t i = 0; m->plan.alone && !*ret && i < a->n; i++)
                if (a->parts[i].id == m->ids[0])
                        return archive_corrected(l, &a->parts[i], &row->lease, ret);
        return 0;
}

static int put(struct ledger *l, struct merge *m, const struct segment_row *row, unsigned flags)
{
        bool forgotten = false;
        int status = is_forgotten(l, m, row, &forgotten);
        if (status < 0)
                return status;
        if (forgotten) {
                m->forgotten += !(flags & SEGMENT_VOID);
                return 0;
        }
        bool whole = m->plan.first == 0;
        if (whole && flags & SEGMENT_VOID)
                return 0;
        return segment_writer_add(m->writer, &row->lease, whole ? 0 : flags);
}

static int merge_one(struct ledger *l, struct merge *m)
{
        size_t top = least_of(m);
        struct segment_row row = m->inputs[top].row;
        if (row.lease.user.p == m->inputs[top].row.user)
                row.lease.user.p = row.user;
        unsigned flags = row.flags;
        int status = advance(l, m, top);
        for (size_t i = 0; status == 0 && i < m->n;) {
                if (segment_key_cmp(&m->inputs[i].row.lease, &row.lease) != 0) {
                        i++;
                        continue;
                }
                flags |= m->inputs[i].row.flags & SEGMENT_CORRECTS;
                status = advance(l, m, i);
        }
        return status < 0 ? status : put(l, m, &row, flags);
}

int merge_step(struct ledger *l, struct merge *m, uint64_t budget)
{
        while (!m->finishing && budget--) {
                if (m->n == 0) {
                        m->finishing = true;
                        break;
                }
                int status = merge_one(l, m);
                if (status > 0)
                        return db_fail(l, -E2BIG, "month %lld: more names than one segment can have",
                                       (long long)m->plan.month);
                if (status < 0)
                        return status == -EUCLEAN
                                   ? status
                                   : db_fail(l, status, "%s: %s", segment_writer_path(m->writer), strerror(-status));
        }
        for (size_t i = 0; i < m->n_all; i++)
                segment_release(m->inputs[i].segment);
        if (!m->finishing)
                return 1;
        int status = segment_writer_finish(m->writer, budget);
        return status < 0 ? db_fail(l, status, "%s: %s", segment_writer_path(m->writer), strerror(-status)) : status;
}

int merge_publish(struct ledger *l, struct merge *m, int64_t now)
{
        const struct segment_info *info = segment_writer_info(m->writer);
        int status = archive_refresh(l);
        size_t found = 0;
        for (size_t i = 0; status == 0 && i < l->archive->n; i++)
                for (size_t k = 0; k < m->plan.n; k++)
                        found += l->archive->parts[i].id == m->ids[k];
        if (status < 0 || found != m->plan.n)
                return status < 0 ? status : 1;
        for (size_t i = 0; status == 0 && i < l->archive->n; i++)
                for (size_t k = 0; status == 0 && k < m->plan.n; k++)
                        if (l->archive->parts[i].id == m->ids[k])
                                status = archive_drop(l, &l->archive->parts[i]);
        if (status == 0 && info->leases)
                status = archive_adopt(l, segment_writer_path(m->writer), info, m->rank, now);
        return status;
}

int64_t merge_rank(const struct merge *m)
{
        return m->rank;
}

uint64_t merge_forgotten(const struct merge *m)
{
        return m->forgotten;
}
