/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/upkeep.h"
#include "ledger/archive_forget.h"
#include "ledger/mailbox_put.h"
#include "ledger/nouns.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

enum { MERGE_SLICE = 4000 };
#define BETWEEN_SLICES (SECOND / 500)
#define BETWEEN_MOVES (SECOND / 20)
#define BETWEEN_TRIES (SECOND / 10)
#define MOVE_EVERY (10 * MINUTE)
#define RETRY_AFTER (10 * MINUTE)
#define LOOK_EVERY MINUTE
#define RESUME_EVERY (5 * SECOND)
#define SWEEP_EVERY DAY
#define FORGET_FIRST (10 * MINUTE) /* after the start, which has enough to do */
#define FORGET_EVERY DAY
#define CLOCK_JUMP HOUR          /* wall clock against monotonic clock, since the start */
#define CLOCK_SILENCE (30 * DAY) /* since the ledger last heard of anything */
enum { FORGET_ARENA = 256 << 20 };

struct upkeep {
        struct writer *writer;
        struct ledger *ledger;
        int64_t next_move, next_merge, next_sweep, next_forget, next_resume,
            now; /* by the monotonic clock, but `now` */
        struct forgetting *forgetting;
        struct merge *merge;
        struct move *move;
        int more;       /* of do_forget() */
        int64_t offset; /* wall clock minus monotonic clock at the start */
};

struct upkeep *upkeep_new(struct writer *w)
{
        struct upkeep *u = xcalloc(1, sizeof *u);
        u->writer = w;
        u->ledger = writer_ledger(w);
        u->next_forget = time_monotonic() + FORGET_FIRST;
        u->offset = time_now() - time_monotonic();
        return u;
}

void upkeep_free(struct upkeep *u)
{
        if (!u)
                return;
        merge_free(u->merge);
        forget_free(u->forgetting);
        free(u);
}

static void complain(struct upkeep *u, const char *what, int status)
{
        autobuf shown;
        buf_init(&shown, 1024);
        const char *why = ledger_error(u->ledger);
        log_event(what, "errno=%d reason=%s", -status, log_text(&shown, slice_of(why)));
}

/* --- moving --- */

static int do_move(struct ledger *l, void *arg)
{
        struct upkeep *u = arg;
        return archive_move(l, u->move, u->now);
}

/* True: there may be more at once. */
static bool move(struct upkeep *u)
{
        size_t n = 0;
        int status = archive_move_prepare(u->ledger, u->now - ARCHIVE_LIVE_FOR, &u->move, &n);
        if (status == 0 && n)
                status = writer_own(u->writer, do_move, u);
        archive_move_free(take(u->move));
        if (status < 0)
                complain(u, "archive-move-failed", status);
        return status == 0 && n == ARCHIVE_MOVE_MOST;
}

/* --- merging --- */

static int do_publish(struct ledger *l, void *arg)
{
        struct upkeep *u = arg;
        return merge_publish(l, u->merge, u->now);
}

static void stop_merging(struct upkeep *u, int64_t wait)
{
        merge_free(take(u->merge));
        u->next_merge = time_monotonic() + wait;
}

static void merge_slice(struct upkeep *u)
{
        int status = merge_step(u->ledger, u->merge, MERGE_SLICE);
        if (status > 0)
                return;
        if (status == 0)
                status = writer_own(u->writer, do_publish, u);
        if (status < 0)
                complain(u, "archive-merge-failed", status);
        stop_merging(u, status < 0 ? RETRY_AFTER : 0);
}

/* True: a merge has begun. */
static bool find_merge(struct upkeep *u)
{
        struct merge_plan plan;
        int status = archive_refresh(u->ledger);
        bool wanted = status == 0 && merge_wanted(u->ledger->archive, u->now, &plan);
        if (wanted)
                status = merge_begin(u->ledger, &plan, &u->merge);
        if (status < 0)
                complain(u, "archive-merge-failed", status);
        u->next_merge = time_monotonic() + (status < 0 ? RETRY_AFTER : LOOK_EVERY);
        return status == 0 && wanted;
}

static void sweep(struct upkeep *u)
{
        int status = archive_sweep(u->ledger);
        if (status < 0)
                complain(u, "archive-sweep-failed", status);
}

/* --- forgetting --- */

/* A clock that is years ahead would have everything erased: what is forgotten by itself waits while the clock went otherwise than time
 * did, or says that nothing at all was heard of for a month. Who is sure says `porteiro forget`. */
bool upkeep_clock_doubted(struct ledger *l, int64_t now, int64_t offset)
{
        static const char *const newest[] = { "SELECT at FROM audit ORDER BY n DESC LIMIT 1",
                                              "SELECT coalesce(max(at), 0) FROM sighting",
                                              "SELECT coalesce(max(at), 0) FROM feed" };
        int64_t jump = now - time_monotonic() - offset, last = 0;
        for (size_t i = 0; i < COUNT_OF(newest); i++) {
                int64_t at = 0;
                if (db_number(db_prepare(l, newest[i]), &at) == 0 && at > last)
                        last = at;
        }
        return jump > CLOCK_JUMP || jump < -CLOCK_JUMP || now - last > CLOCK_SILENCE;
}

/* What the policy in force keeps. Without one nothing is forgotten by itself. */
static bool read_keep(struct upkeep *u, struct forget_before *ret)
{
        autoarena *a = arena_new(FORGET_ARENA);
        autodiags *d = diags_new();
        struct generation g;
        if (ledger_generation_in_force(u->ledger, a, TIME_NEVER, &g) != 0)
                return false;
        autopolicy *p = policy_parse(&(struct policy_input){ .name = S("generation"), .text = g.text }, d);
        if (!p)
                return false;
        *ret = (struct forget_before){ u->now - p->keep.leases, u->now - p->keep.sightings };
        return true;
}

static int do_forget(struct ledger *l, void *arg)
{
        struct upkeep *u = arg;
        autoarena *a = arena_new(FORGET_ARENA);
        struct verb_call c = { .ledger = l, .author = S("keeper"), .now = u->now, .arena = a };
        u->more = forget_step(&c, u->forgetting);
        return u->more < 0 ? u->more : 0;
}

static int64_t forget_slice(struct upkeep *u)
{
        int status = writer_own(u->writer, do_forget, u);
        if (status < 0)
                complain(u, "forget-failed", status);
        if (status == 0 && u->more)
                return u->more == 2 ? BETWEEN_TRIES : BETWEEN_SLICES;
        const struct forgotten *f = forget_result(u->forgetting);
        if (status == 0)
                log_event("forgotten", "leases=%llu sightings=%llu losses=%llu lines=%llu files=%llu",
                          (unsigned long long)f->leases, (unsigned long long)f->sightings,
                          (unsigned long long)f->losses, (unsigned long long)f->lines, (unsigned long long)f->files);
        forget_free(take(u->forgetting));
        return BETWEEN_SLICES;
}

static void begin_forgetting(struct upkeep *u)
{
        struct forget_before before;
        u->next_forget = time_monotonic() + FORGET_EVERY;
        if (upkeep_clock_doubted(u->ledger, u->now, u->offset)) {
                log_event("not-forgotten", "why=\"the clock is in doubt\" say=\"porteiro forget\"");
                return;
        }
        if (read_keep(u, &before))
                u->forgetting = forget_begin(&before);
}

/* --- suspensions that end --- */

static int do_resume(struct ledger *l, void *arg)
{
        struct upkeep *u = arg;
        autoarena *a = arena_new(FORGET_ARENA);
        return mail_resume_due(&(struct verb_call){ .ledger = l, .author = S("keeper"), .now = u->now, .arena = a });
}

/* Nothing is written where none is due: a commit every few seconds would be a flush of the disk every few seconds. */
static void resume(struct upkeep *u)
{
        int64_t due = 0;
        struct statement *s =
            db_prepare(u->ledger, "SELECT EXISTS(SELECT 1 FROM mailbox WHERE suspended > 0 AND suspended_until <= ?"
                                  " AND removed = " SQL_NEVER ") + EXISTS(SELECT 1 FROM subscriber WHERE suspended > 0"
                                  " AND suspended_until <= ? AND removed = " SQL_NEVER ")");
        db_int(s, u->now);
        db_int(s, u->now);
        int status = db_number(s, &due);
        if (status == 0 && due)
                status = writer_own(u->writer, do_resume, u);
        if (status < 0)
                complain(u, "resume-failed", status);
}

int64_t upkeep_step(struct upkeep *u, int64_t now)
{
        int64_t clock = time_monotonic();
        u->now = now;
        archive_bury(u->ledger, false);
        if (clock >= u->next_sweep) {
                sweep(u);
                u->next_sweep = clock + SWEEP_EVERY;
        }
        if (clock >= u->next_move) {
                bool more = move(u);
                u->next_move = clock + (more ? BETWEEN_MOVES : MOVE_EVERY);
                u->next_merge = 0;
                return BETWEEN_MOVES;
        }
        if (clock >= u->next_resume) {
                resume(u);
                u->next_resume = clock + RESUME_EVERY;
        }
        if (clock >= u->next_forget)
                begin_forgetting(u);
        if (u->forgetting)
                return forget_slice(u);
        if (u->merge) {
                merge_slice(u);
                return BETWEEN_SLICES;
        }
        if (clock >= u->next_merge && find_merge(u))
                return BETWEEN_SLICES;
        int64_t next = u->next_move < u->next_merge ? u->next_move : u->next_merge;
        next = u->next_resume < next ? u->next_resume : next;
        return !archive_buried(u->ledger) || next <= clock ? SECOND / 5 : next - clock;
}
