/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subscribers by the file: all rows or none, every mistake told, and what changed. */
#include "ledger/enrol.h"
#include "ledger/wire.h"

#include <errno.h>

enum { REPORT_MOST = 30 << 20 };

struct import {
        struct enrolment *plans;
        size_t n, errors, added, changed;
        struct buf report;
};

/* A refused row is named, and the others are still looked at. */
static int refused(struct verb_call *c, struct import *im, struct enrolment *p, int status)
{
        if (status != 1)
                return status;
        im->errors++;
        p->broken = true;
        if (p->change.row)
                buf_addf(&im->report, "line %lld: ", (long long)p->change.row);
        buf_add(&im->report, buf_slice(c->why));
        buf_addc(&im->report, '\n');
        buf_clear(c->why);
        return 0;
}

static void report_differences(struct import *im)
{
        for (size_t i = 0; i < im->n; i++) {
                const struct enrolment *p = &im->plans[i];
                im->added += !p->existed;
                im->changed += p->existed && p->touched;
                if (!p->touched)
                        continue;
                buf_addf(&im->report, "%c %.*s", p->existed ? '~' : '+', SLICE_ARGS(p->change.value.id));
                if (p->differences.n)
                        buf_addf(&im->report, ": %.*s", SLICE_ARGS(p->differences));
                buf_addc(&im->report, '\n');
        }
        buf_addf(&im->report, "%zu added, %zu changed, %zu unchanged\n", im->added, im->changed,
                 im->n - im->added - im->changed);
}

static int plan_row(struct verb_call *c, struct map *seen, struct enrolment *p)
{
        struct slice id = p->change.value.id;
        if (id.n && map_put(seen, id, p))
                return verb_no(c, "subscriber %.*s stands twice in the file", SLICE_ARGS(id));
        return enrol_make(c, SUBSCRIBER_PUT, p);
}

static int import_run(struct verb_call *c, struct import *im)
{
        automap seen = { .n = 0 };
        int status = 0;
        for (size_t i = 0; status == 0 && i < im->n; i++)
                status = refused(c, im, &im->plans[i], plan_row(c, &seen, &im->plans[i]));
        for (size_t i = 0; status == 0 && i < im->n; i++)
                if (!im->plans[i].broken)
                        status = refused(c, im, &im->plans[i], enrol_drop(c, &im->plans[i]));
        for (size_t i = 0; status == 0 && i < im->n; i++)
                if (!im->plans[i].broken)
                        status = refused(c, im, &im->plans[i], enrol_store(c, &im->plans[i], "subscriber import"));
        return status;
}

int verb_subscriber_import(struct verb_call *c)
{
        struct import im = { .n = 0 };
        bool dry_run = ipc_int(c->args) != 0;
        im.n = ipc_count(c->args);
        im.plans = arena_alloc(c->arena, im.n * sizeof *im.plans);
        if (!im.plans)
                return db_fail(c->ledger, -E2BIG, "the file is too large for one import");
        for (size_t i = 0; i < im.n && !c->args->bad; i++)
                im.plans[i].change = wire_get_subscriber_change(c->args, c->arena);
        if (c->args->bad)
                return -EBADMSG;
        buf_init(&im.report, REPORT_MOST);
        int status = import_run(c, &im);
        if (status == 0 && im.errors)
                status = verb_no(c, "%zu error%s; nothing was imported", im.errors, im.errors == 1 ? "" : "s");
        if (status == 0)
                report_differences(&im);
        /* A dry run is a success that is taken back: the client turns this answer into 0. */
        if (status == 0 && dry_run)
                status = 2;
        ipc_put_text(c->results, buf_slice(&im.report));
        buf_done(&im.report);
        return status;
}
