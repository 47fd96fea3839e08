/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mailboxes by the file: all rows or none, every mistake told, and what changed.
 *
 * Rows that make a mailbox the principal one come first, so that it does not matter where in the file they stand; ways of mail are looked at
 * when all rows are stored, for the same reason. */
#include "ledger/bulk.h"
#include "ledger/mailbox_put.h"
#include "ledger/wire.h"

#include <errno.h>

struct mailbox_import {
        struct mailbox_plan *plans;
        struct bulk bulk;
        struct mail_rules rules;
        struct map seen, principals; /* of the file: by address, by subscriber; to the plan */
};

static bool says_principal(const struct mailbox_plan *p)
{
        return p->change.principal && p->change.value.principal;
}

static int put_row(struct verb_call *c, struct mailbox_import *im, struct mailbox_plan *p)
{
        int status = mailbox_make(c, MAILBOX_PUT, &im->rules, p);
        if (status)
                return status;
        const struct mailbox_plan *other = map_put(&im->seen, p->after.address, p);
        if (other)
                return verb_no(c, "mailbox %.*s stands in line %lld already", SLICE_ARGS(p->after.address),
                               (long long)other->change.row);
        other = says_principal(p) ? map_put(&im->principals, p->after.subscriber, p) : NULL;
        if (other)
                return verb_no(c, "line %lld makes another mailbox of subscriber %.*s the principal one",
                               (long long)other->change.row, SLICE_ARGS(p->after.subscriber));
        return mailbox_store(c, p, "mailbox import");
}

static int refused(struct verb_call *c, struct mailbox_import *im, struct mailbox_plan *p, int status)
{
        p->broken = p->broken || status == 1;
        return bulk_refused(c, &im->bulk, p->change.row, status);
}

static int run(struct verb_call *c, struct mailbox_import *im)
{
        int status = 0;
        for (int principals = 1; principals >= 0; principals--)
                for (size_t i = 0; status == 0 && i < im->bulk.n; i++)
                        if (says_principal(&im->plans[i]) == principals)
                                status = refused(c, im, &im->plans[i], put_row(c, im, &im->plans[i]));
        for (size_t i = 0; status == 0 && i < im->bulk.n; i++)
                if (!im->plans[i].broken)
                        status = refused(c, im, &im->plans[i], mailbox_route(c, &im->plans[i]));
        return status;
}

static int take_rows(struct verb_call *c, struct mailbox_import *im)
{
        im->bulk.n = ipc_count(c->args);
        im->plans = arena_alloc(c->arena, im->bulk.n * sizeof *im->plans);
        if (!im->plans)
                return db_fail(c->ledger, -E2BIG, "the file is too large for one import");
        for (size_t i = 0; i < im->bulk.n && !c->args->bad; i++)
                im->plans[i].change = wire_get_mailbox_change(c->args, c->arena);
        return c->args->bad ? -EBADMSG : 0;
}

int verb_mailbox_import(struct verb_call *c)
{
        struct mailbox_import im = { .plans = NULL };
        im.rules = wire_get_mail_rules(c->args); /* not what a key stands for */
        int status = bulk_begin(c, &im.bulk, "mailbox import");
        if (status == 0)
                status = take_rows(c, &im);
        if (status == 0)
                status = run(c, &im);
        for (size_t i = 0; status == 0 && i < im.bulk.n && im.bulk.errors == 0; i++)
                bulk_tell(&im.bulk, im.plans[i].after.address, im.plans[i].existed, im.plans[i].touched,
                          im.plans[i].differences);
        map_done(&im.seen);
        map_done(&im.principals);
        return bulk_finish(c, &im.bulk, status);
}
