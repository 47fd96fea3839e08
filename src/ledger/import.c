/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subscribers by the file: all rows or none, every mistake told, and what changed. */
#include "ledger/bulk.h"
#include "ledger/enrol.h"
#include "ledger/wire.h"

#include <errno.h>

struct subscriber_import {
        struct enrolment *plans;
        struct bulk bulk;
};

/* A refused row is named, and the others are still looked at. */
static int refused(struct verb_call *c, struct subscriber_import *im, struct enrolment *p, int status)
{
        p->broken = p->broken || status == 1;
        return bulk_refused(c, &im->bulk, p->change.row, status);
}

static int plan_row(struct verb_call *c, struct map *seen, struct enrolment *p)
{
        struct slice id = p->change.value.id;
        if (id.n && map_put(seen, id, p))
                return verb_no(c, "subscriber %.*s stands twice in the file", SLICE_ARGS(id));
        return enrol_make(c, SUBSCRIBER_PUT, p);
}

static int import_run(struct verb_call *c, struct subscriber_import *im)
{
        automap seen = { .n = 0 };
        int status = 0;
        for (size_t i = 0; status == 0 && i < im->bulk.n; i++)
                status = refused(c, im, &im->plans[i], plan_row(c, &seen, &im->plans[i]));
        for (size_t i = 0; status == 0 && i < im->bulk.n; i++)
                if (!im->plans[i].broken)
                        status = refused(c, im, &im->plans[i], enrol_drop(c, &im->plans[i]));
        for (size_t i = 0; status == 0 && i < im->bulk.n; i++)
                if (!im->plans[i].broken)
                        status = refused(c, im, &im->plans[i], enrol_store(c, &im->plans[i], "subscriber import"));
        return status;
}

static int take_rows(struct verb_call *c, struct subscriber_import *im)
{
        im->bulk.n = ipc_count(c->args);
        im->plans = arena_alloc(c->arena, im->bulk.n * sizeof *im->plans);
        if (!im->plans)
                return db_fail(c->ledger, -E2BIG, "the file is too large for one import");
        for (size_t i = 0; i < im->bulk.n && !c->args->bad; i++)
                im->plans[i].change = wire_get_subscriber_change(c->args, c->arena);
        return c->args->bad ? -EBADMSG : 0;
}

int verb_subscriber_import(struct verb_call *c)
{
        struct subscriber_import im = { .plans = NULL };
        int status = bulk_begin(c, &im.bulk, "subscriber import");
        if (status == 0)
                status = take_rows(c, &im);
        if (status == 0)
                status = import_run(c, &im);
        for (size_t i = 0; status == 0 && i < im.bulk.n && im.bulk.errors == 0; i++)
                bulk_tell(&im.bulk, im.plans[i].change.value.id, im.plans[i].existed, im.plans[i].touched,
                          im.plans[i].differences);
        return bulk_finish(c, &im.bulk, status);
}
