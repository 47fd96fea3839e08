/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/reign.h"
#include "base/diag.h"
#include "ledger/ledger.h"

#include <errno.h>

enum { ARENA = 256 << 20 };

#define WAIT_EVERY (SECOND / 2)

struct reign {
        struct ledger *ledger;
        void (*wants)(const struct policy *p, struct buf *out);
        int64_t change; /* the ledger's last one when we looked */
        int64_t asked;
        struct policy *policy;
        char *text;
        struct buf wanted;
};

static int read_policy(struct ledger *l, struct policy **ret, char **text)
{
        autoarena *a = arena_new(ARENA);
        autodiags *d = diags_new();
        struct generation g;
        int failed = ledger_generation_in_force(l, a, TIME_NEVER, &g);
        if (failed)
                return failed;
        *ret = policy_parse(&(struct policy_input){ .name = S("generation"), .text = g.text }, d);
        if (*ret)
                *text = slice_dup(g.text);
        return *ret ? 0 : -EUCLEAN;
}

/* 0 once a generation is in force. The change is read first: one that comes between is then looked at again. */
static int look(struct reign *r, const char *dir)
{
        int failed = r->ledger ? 0 : ledger_open(dir, &r->ledger);
        if (!failed)
                failed = ledger_last_change(r->ledger, &r->change);
        return failed ? failed : read_policy(r->ledger, &r->policy, &r->text);
}

struct reign *reign_wait(const char *dir, void (*wants)(const struct policy *p, struct buf *out), void (*waiting)(void))
{
        struct reign *r = xcalloc(1, sizeof *r);
        r->wants = wants;
        buf_init(&r->wanted, POLICY_TEXT_MOST * 2);
        for (bool said = false; look(r, dir) != 0; said = true) {
                if (!said)
                        waiting();
                usleep(WAIT_EVERY);
        }
        wants(r->policy, &r->wanted);
        return r;
}

void reign_free(struct reign *r)
{
        if (!r)
                return;
        policy_free(r->policy);
        free(r->text);
        buf_done(&r->wanted);
        ledger_close(r->ledger);
        free(r);
}

struct slice reign_text(const struct reign *r)
{
        return slice_of(r->text);
}

const struct policy *reign_policy(const struct reign *r)
{
        return r->policy;
}

static bool generation_among(struct reign *r, int64_t after)
{
        autoarena *a = arena_new(ARENA);
        struct change *changes;
        size_t n;
        if (ledger_changes(r->ledger, a, after, &changes, &n) != 0)
                return true; /* too many to tell */
        for (size_t i = 0; i < n; i++)
                if (slice_eq(changes[i].kind, S("generation")))
                        return true;
        return false;
}

/* Another policy than reign_policy(), where one rules by now. */
static enum reign_news news(struct reign *r, int64_t now, struct policy **policy, char **text)
{
        int64_t before = r->change;
        autobuf wanted;
        buf_init(&wanted, POLICY_TEXT_MOST * 2);
        if (now - r->asked < REIGN_EVERY)
                return REIGN_SAME;
        r->asked = now;
        if (ledger_last_change(r->ledger, &r->change) != 0 || r->change == before || !generation_among(r, before))
                return REIGN_SAME;
        if (read_policy(r->ledger, policy, text) != 0 || strcmp(*text, r->text) == 0)
                return REIGN_SAME;
        r->wants(*policy, &wanted);
        return slice_eq(buf_slice(&wanted), buf_slice(&r->wanted)) ? REIGN_NEW : REIGN_ELSE;
}

enum reign_news reign_follow(struct reign *r, int64_t now)
{
        autopolicy *policy = NULL;
        autofree char *text = NULL;
        enum reign_news what = news(r, now, &policy, &text);
        if (what != REIGN_NEW)
                return what;
        policy_free(r->policy);
        free(r->text);
        r->policy = take(policy);
        r->text = take(text);
        return REIGN_NEW;
}

/* Who asks this keeps texts of the policy he began with: it stays. */
bool reign_still(struct reign *r, int64_t now)
{
        autopolicy *policy = NULL;
        autofree char *text = NULL;
        return news(r, now, &policy, &text) != REIGN_ELSE;
}
