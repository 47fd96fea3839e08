/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge/rules.h"

static const char *const reasons[] = {
#define RULES_WORDS(id, words) words,
        RULES_REASONS(RULES_WORDS)
};

const char *rules_reason_words(enum rules_reason r)
{
        return reasons[r];
}

static struct rules_verdict nothing(enum rules_reason reason, int64_t again)
{
        return (struct rules_verdict){ RULES_NOTHING, reason, again };
}

/* What keeps a rule from cutting him; HIGH where nothing does. */
static enum rules_reason hindrance(const struct rules_facts *f)
{
        if (f->never_cut)
                return RULES_NEVER_CUT;
        if (f->exempt)
                return RULES_EXEMPT;
        return f->promised ? RULES_PROMISED : RULES_HIGH;
}

bool rules_reached(double score, double after)
{
        return score >= after - after / 200;
}

struct rules_verdict rules_judge(const struct rules_facts *f, const struct policy_quarantine *q, int64_t now)
{
        if (!q->by_rule)
                return nothing(RULES_OFF, TIME_NEVER);
        if (!rules_reached(f->score, q->after))
                return nothing(RULES_LOW, TIME_NEVER);
        if (f->present >= q->level)
                return nothing(RULES_PRESENT, TIME_NEVER);
        int64_t peace;
        if (f->ended && !__builtin_add_overflow(f->ended, q->grace, &peace) && now < peace)
                return nothing(RULES_GRACE, peace);
        enum rules_reason reason = hindrance(f);
        if (reason == RULES_HIGH)
                return (struct rules_verdict){ RULES_QUARANTINE, RULES_HIGH, TIME_NEVER };
        if (f->proposed >= q->level)
                return nothing(RULES_PROPOSED, TIME_NEVER);
        return (struct rules_verdict){ RULES_PROPOSE, reason, TIME_NEVER };
}
