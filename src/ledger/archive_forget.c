/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/archive_forget.h"
#include "ledger/nouns.h"

#include "base/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

enum { ROWS_SLICE = 2000, LINES_SLICE = 5000, MERGE_SLICE = 20000, LOG_TRIES = 30 };

enum stage {
        STAGE_LEASES,
        STAGE_SIGHTINGS,
        STAGE_LOSSES,
        STAGE_BANS, /* that are over; they hold addresses, as sightings do */
        STAGE_SEGMENTS,
        STAGE_LINES,
        STAGE_AUDIT,
        STAGE_BURY,
        STAGE_LOG,
        STAGE_DONE
};

struct forgetting {
        struct forget_before before;
        struct forgotten done;
        uint64_t bans;
        enum stage stage;
        struct merge *merge;
        bool rewritten;  /* the month in which the line falls */
        bool one_by_one; /* its segments, for they do not fit into one */
        int64_t rank;    /* of the last of them that was written anew */
        int64_t line;    /* all lines up to this number were looked at */
        unsigned tries;
};

struct forgetting *forget_begin(const struct forget_before *before)
{
        struct forgetting *f = xcalloc(1, sizeof *f);
        f->before = *before;
        return f;
}

void forget_free(struct forgetting *f)
{
        if (!f)
                return;
        merge_free(f->merge);
        free(f);
}

const struct forgotten *forget_result(const struct forgetting *f)
{
        return &f->done;
}

static void next_stage(struct forgetting *f)
{
        f->stage++;
        f->tries = 0;
}

/* --- rows --- */

static int erase(struct verb_call *c, struct forgetting *f, const char *sql, int64_t before, uint64_t *count)
{
        struct statement *s = db_prepare(c->ledger, sql);
        db_int(s, before);
        db_int(s, ROWS_SLICE);
        int status = db_run(s);
        uint64_t n = (uint64_t)sqlite3_changes64(c->ledger->db);
        if (status < 0)
                return status;
        *count += n;
        if (n < ROWS_SLICE)
                next_stage(f);
        return 1;
}

/* A line is a name, perhaps a person's: it goes when no lease of the live table and no holding has it. */
static int erase_lines(struct verb_call *c, struct forgetting *f)
{
        int64_t last;
        struct statement *s =
            db_prepare(c->ledger, "DELETE FROM line WHERE number > ?1 AND number <= ?2"
                                  " AND NOT EXISTS (SELECT 1 FROM holding h WHERE h.line = line.number)"
                                  " AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.line = line.number)");
        db_int(s, f->line);
        db_int(s, f->line + LINES_SLICE);
        int status = db_run(s);
        if (status < 0)
                return status;
        f->done.lines += (uint64_t)sqlite3_changes64(c->ledger->db);
        f->line += LINES_SLICE;
        status = db_number(db_prepare(c->ledger, "SELECT coalesce(max(number), 0) FROM line"), &last);
        if (status == 0 && f->line >= last)
                next_stage(f);
        return status < 0 ? status : 1;
}

/* --- segments --- */

static int drop_old(struct verb_call *c, struct forgetting *f)
{
        struct archive *a = c->ledger->archive;
        int status = 0;
        for (size_t i = 0; status == 0 && i < a->n; i++) {
                if (a->parts[i].info.last >= f->before.leases)
                        continue;
                status = archive_drop(c->ledger, &a->parts[i]);
                f->done.leases += a->parts[i].info.leases;
                f->done.files++;
        }
        return status;
}

static bool has_older(const struct segment *s, int64_t before)
{
        for (uint64_t i = 0; i < segment_info(s)->leases; i++)
                if (segment_end(s, i) < before)
                        return true;
        return false;
}

static bool is_corrected(const struct archive *a, const struct part *p)
{
        for (size_t i = 0; i < a->n; i++)
                if (a->parts[i].info.month == p->info.month && a->parts[i].rank > p->rank &&
                    a->parts[i].info.corrections)
                        return true;
        return false;
}

/* From the oldest to the newest: a correction stands until what it corrects is gone. */
static int plan_next(struct verb_call *c, struct forgetting *f, struct merge_plan *plan)
{
        int status = 0;
        plan->n = 1;
        plan->alone = true;
        for (struct part *p; (p = archive_part_of(c->ledger->archive, plan->month, plan->first)); plan->first++) {
                if (p->rank <= f->rank)
                        continue;
                status = archive_open_part(c->ledger, p);
                if (status < 0)
                        return status;
                if (has_older(p->segment, f->before.leases) || is_corrected(c->ledger->archive, p))
                        return merge_begin(c->ledger, plan, &f->merge);
        }
        return 0;
}

/* Those of one month are written anew as one, for a correction in a newer one counts for all. */
static int plan_rewrite(struct verb_call *c, struct forgetting *f)
{
        struct archive *a = c->ledger->archive;
        struct merge_plan plan = { .month = month_of(f->before.leases), .forget = f->before.leases };
        uint64_t leases = 0;
        bool older = false;
        int status = 0;
        f->rewritten = true;
        if (f->one_by_one)
                return plan_next(c, f, &plan);
        for (struct part *p; status == 0 && (p = archive_part_of(a, plan.month, plan.n)); plan.n++) {
                status = older ? 0 : archive_open_part(c->ledger, p);
                older = older || (status == 0 && has_older(p->segment, f->before.leases));
                leases += p->info.leases;
        }
        if (status < 0 || !older)
                return status;
        f->one_by_one = leases > SEGMENT_LEASES_MOST;
        return f->one_by_one ? plan_next(c, f, &(struct merge_plan){ .month = plan.month, .forget = plan.forget })
                             : merge_begin(c->ledger, &plan, &f->merge);
}

static int rewrite(struct verb_call *c, struct forgetting *f)
{
        int status = merge_step(c->ledger, f->merge, MERGE_SLICE);
        if (status > 0)
                return 1;
        if (status == 0)
                status = merge_publish(c->ledger, f->merge, c->now);
        if (status == 0) {
                f->done.leases += merge_forgotten(f->merge);
                f->done.files++;
                f->rank = merge_rank(f->merge);
        }
        f->rewritten = status == 0 && !f->one_by_one; /* 1: the list has changed, and it is begun anew */
        if (status == -E2BIG && !f->one_by_one) {
                f->one_by_one = true;
                status = 0;
        }
        merge_free(take(f->merge));
        return status < 0 ? status : 1;
}

static int erase_segments(struct verb_call *c, struct forgetting *f)
{
        int status = archive_refresh(c->ledger);
        if (status < 0)
                return status;
        if (f->merge)
                return rewrite(c, f);
        if (!f->rewritten) {
                status = drop_old(c, f);
                if (status == 0)
                        status = archive_refresh(c->ledger);
                if (status == 0)
                        status = plan_rewrite(c, f);
                return status < 0 ? status : 1;
        }
        next_stage(f);
        return 1;
}

/* --- the end --- */

static int audit(struct verb_call *c, struct forgetting *f)
{
        const struct forgotten *d = &f->done;
        autobuf text;
        struct json j;
        buf_init(&text, 4096);
        next_stage(f);
        if (d->leases + d->sightings + d->losses + d->lines == 0)
                return 1;
        json_init_compact(&j, &text);
        json_object(&j, NULL);
        json_time(&j, "leases_ended_before", f->before.leases);
        json_time(&j, "sightings_before", f->before.sightings);
        json_int(&j, "leases", (int64_t)d->leases);
        json_int(&j, "sightings", (int64_t)d->sightings);
        json_int(&j, "losses", (int64_t)d->losses);
        json_int(&j, "lines", (int64_t)d->lines);
        json_object_end(&j);
        json_done(&j);
        int status =
            record_audit(c, &(struct record){ .verb = "forget", .key = S("facts"), .after = buf_slice(&text) });
        return status < 0 ? status : 1;
}

static int bury(struct verb_call *c, struct forgetting *f)
{
        archive_bury(c->ledger, false);
        if (!archive_buried(c->ledger))
                return 2;
        c->ledger->log_emptied = false;
        c->ledger->empty_log = true; /* after this commit */
        next_stage(f);
        return 1;
}

static int see_log(struct verb_call *c, struct forgetting *f)
{
        if (c->ledger->log_emptied || ++f->tries > LOG_TRIES) {
                f->done.log_kept = !c->ledger->log_emptied;
                next_stage(f);
                return 0;
        }
        c->ledger->empty_log = true;
        return 2;
}

int forget_step(struct verb_call *c, struct forgetting *f)
{
        switch (f->stage) {
        case STAGE_LEASES:
                return erase(c, f,
                             "DELETE FROM lease WHERE id IN (SELECT id FROM lease WHERE end <> " SQL_NEVER
                             " AND end < ? LIMIT ?)",
                             f->before.leases, &f->done.leases);
        case STAGE_SIGHTINGS:
                return erase(c, f, "DELETE FROM sighting WHERE id IN (SELECT id FROM sighting WHERE at < ? LIMIT ?)",
                             f->before.sightings, &f->done.sightings);
        case STAGE_LOSSES:
                return erase(c, f, "DELETE FROM loss WHERE id IN (SELECT id FROM loss WHERE at < ? LIMIT ?)",
                             f->before.sightings, &f->done.losses);
        case STAGE_BANS:
                return erase(c, f, "DELETE FROM ban WHERE id IN (SELECT id FROM ban WHERE until < ? LIMIT ?)",
                             f->before.sightings, &f->bans);
        case STAGE_SEGMENTS:
                return erase_segments(c, f);
        case STAGE_LINES:
                return erase_lines(c, f);
        case STAGE_AUDIT:
                return audit(c, f);
        case STAGE_BURY:
                return bury(c, f);
        case STAGE_LOG:
                return see_log(c, f);
        case STAGE_DONE:
                break;
        }
        return 0;
}

/* One call a slice; whoever asks for other dates begins anew. */
int verb_forget(struct verb_call *c)
{
        struct forget_before before = { .leases = ipc_int(c->args) };
        before.sightings = ipc_int(c->args);
        if (c->args->bad || !c->ledger->archive)
                return -EBADMSG;
        if (before.leases > c->now || before.sightings > c->now || before.leases < 0 || before.sightings < 0)
                return verb_no(c, "only what was can be forgotten");
        struct archive_writing *w = archive_writing(c->ledger);
        if (w->forgetting && memcmp(&w->forgetting->before, &before, sizeof before) != 0)
                forget_free(take(w->forgetting));
        if (!w->forgetting)
                w->forgetting = forget_begin(&before);
        int more = forget_step(c, w->forgetting);
        struct forgotten done = w->forgetting->done;
        if (more <= 0)
                forget_free(take(w->forgetting));
        if (more < 0)
                return more;
        const uint64_t counts[] = { done.leases, done.sightings, done.losses, done.lines, done.files, done.log_kept };
        ipc_put_int(c->results, more);
        for (size_t i = 0; i < COUNT_OF(counts); i++)
                ipc_put_int(c->results, (int64_t)counts[i]);
        return 0;
}

/* --- what is there, as a reader sees it --- */

static int count_rows(struct ledger *l, const char *sql, int64_t before, struct forget_kind *k)
{
        struct statement *s = db_prepare(l, sql);
        db_int(s, before);
        if (db_row(s)) {
                k->older = (uint64_t)db_get_int(s);
                k->oldest = db_get_int(s);
        }
        return db_done(s);
}

static void add_older(struct forget_kind *k, int64_t at, int64_t before)
{
        k->older += at < before;
        k->oldest = at < k->oldest ? at : k->oldest;
}

static int count_segments(struct ledger *l, int64_t before, struct forgettable *r)
{
        struct archive *a = l->archive;
        int64_t oldest = INT64_MAX;
        int status = archive_refresh(l);
        for (size_t i = 0; status == 0 && i < a->n; i++)
                oldest = a->parts[i].info.month < oldest ? a->parts[i].info.month : oldest;
        r->files += status == 0 ? a->n : 0;
        /* All are opened before the first is read, as in archive_each(). */
        for (size_t i = 0; status == 0 && i < a->n; i++)
                status = archive_open_part(l, &a->parts[i]);
        for (size_t i = 0; status == 0 && i < a->n; i++) {
                const struct segment_info *info = &a->parts[i].info;
                if (info->month > oldest && month_begin(info->month) >= before)
                        continue;
                for (uint64_t k = 0; status == 0 && k < info->leases; k++)
                        add_older(&r->leases, segment_end(a->parts[i].segment, k), before);
        }
        return status;
}

/* Files that no row lists, in the folders of months. */
static void count_strays(struct ledger *l, struct forgettable *r)
{
        autofree char *leases = xasprintf("%s/leases", l->archive->dir);
        uint64_t found = 0;
        DIR *list = opendir(leases);
        for (struct dirent *e; list && (e = readdir(list));) {
                if (e->d_name[0] == '.' || strcmp(e->d_name, "incoming") == 0)
                        continue;
                autofree char *folder = xasprintf("%s/%s", leases, e->d_name);
                DIR *month = opendir(folder);
                for (struct dirent *file; month && (file = readdir(month));)
                        found += file->d_name[0] != '.';
                if (month)
                        closedir(month);
        }
        if (list)
                closedir(list);
        r->strays = found > r->files ? found - r->files : 0;
}

int ledger_forgettable(struct ledger *l, const struct forget_before *before, struct forgettable *ret)
{
        bool began;
        *ret = (struct forgettable){ 0 };
        ret->leases.oldest = ret->sightings.oldest = ret->losses.oldest = TIME_NEVER;
        int status = db_snapshot(l, &began);
        if (status < 0)
                return status;
        status = count_rows(l,
                            "SELECT count(*) FILTER (WHERE end < ?), coalesce(min(end), " SQL_NEVER
                            ") FROM lease WHERE end <> " SQL_NEVER,
                            before->leases, &ret->leases);
        if (status == 0)
                status = count_rows(
                    l, "SELECT count(*) FILTER (WHERE at < ?), coalesce(min(at), " SQL_NEVER ") FROM sighting",
                    before->sightings, &ret->sightings);
        if (status == 0)
                status =
                    count_rows(l, "SELECT count(*) FILTER (WHERE at < ?), coalesce(min(at), " SQL_NEVER ") FROM loss",
                               before->sightings, &ret->losses);
        if (status == 0 && l->archive)
                status = count_segments(l, before->leases, ret);
        if (status == 0 && l->archive)
                count_strays(l, ret);
        return db_snapshot_end(l, began, status);
}
