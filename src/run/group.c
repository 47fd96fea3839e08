/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/group.h"
#include "base/diag.h"
#include "ledger/ledger.h"

#include <errno.h>

enum { ARENA = 256 << 20 };

#define WAIT_EVERY (SECOND / 2)

struct group {
        struct ledger *ledger;
        int64_t change; /* the ledger's last one when we looked */
        int64_t asked;
        uint16_t number;
};

static int read_number(struct ledger *l, uint16_t *ret)
{
        autoarena *a = arena_new(ARENA);
        autodiags *d = diags_new();
        struct generation g;
        int failed = ledger_generation_in_force(l, a, TIME_NEVER, &g);
        if (failed)
                return failed;
        autopolicy *p = policy_parse(&(struct policy_input){ .name = S("generation"), .text = g.text }, d);
        if (!p)
                return -EUCLEAN;
        *ret = p->gate.nflog_group;
        return 0;
}

/* 0 once a generation is in force. The change is read first: one that comes between is then looked at again. */
static int look(struct group *g, const char *dir)
{
        int failed = g->ledger ? 0 : ledger_open(dir, &g->ledger);
        if (!failed)
                failed = ledger_last_change(g->ledger, &g->change);
        return failed ? failed : read_number(g->ledger, &g->number);
}

struct group *group_wait(const char *dir, void (*waiting)(void))
{
        struct group *g = xcalloc(1, sizeof *g);
        for (bool said = false; look(g, dir) != 0; said = true) {
                if (!said)
                        waiting();
                usleep(WAIT_EVERY);
        }
        return g;
}

void group_free(struct group *g)
{
        if (g)
                ledger_close(g->ledger);
        free(g);
}

uint16_t group_number(const struct group *g)
{
        return g->number;
}

static bool generation_among(struct group *g, int64_t after)
{
        autoarena *a = arena_new(ARENA);
        struct change *changes;
        size_t n;
        if (ledger_changes(g->ledger, a, after, &changes, &n) != 0)
                return true; /* too many to tell */
        for (size_t i = 0; i < n; i++)
                if (slice_eq(changes[i].kind, S("generation")))
                        return true;
        return false;
}

bool group_still(struct group *g, int64_t now)
{
        int64_t before = g->change;
        uint16_t number = g->number;
        if (now - g->asked < GROUP_EVERY)
                return true;
        g->asked = now;
        if (ledger_last_change(g->ledger, &g->change) != 0 || g->change == before || !generation_among(g, before))
                return true;
        return read_number(g->ledger, &number) != 0 || number == g->number;
}
