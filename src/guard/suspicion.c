/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/suspicion.h"

#include <math.h>

static const char *const names[] = {
#define SUSPICION_NAME(id, name) name,
        SUSPICION_SOURCES(SUSPICION_NAME)
};

enum suspicion_source suspicion_source_of(struct slice name)
{
        for (int i = 0; i < SUSPICION_OTHER; i++)
                if (slice_eq(name, slice_of(names[i])))
                        return (enum suspicion_source)i;
        return SUSPICION_OTHER;
}

bool suspicion_harmless(enum suspicion_source s)
{
        return s == SUSPICION_LEGACY || s == SUSPICION_PLAIN_AUTH;
}

/* !(x > 0) is also true of NaN. */
static double bounded(double x)
{
        return !(x > 0) ? 0 : x > SUSPICION_MOST ? SUSPICION_MOST : x;
}

double suspicion_faded(double score, int64_t age, int64_t half_life)
{
        if (age <= 0)
                return bounded(score);
        if (half_life <= 0)
                return 0;
        return bounded(bounded(score) * exp2(-(double)age / (double)half_life));
}

/* Instants may be anything, their difference not. */
static int64_t age_of(int64_t at, int64_t now)
{
        int64_t age;
        if (at >= now)
                return 0;
        return __builtin_sub_overflow(now, at, &age) ? INT64_MAX : age;
}

void suspicion_fade(struct suspicion_sum *s, int64_t half_life, int64_t now)
{
        int64_t age = age_of(s->at, now);
        s->hard = suspicion_faded(s->hard, age, half_life);
        s->syn = suspicion_faded(s->syn, age, half_life);
        if (s->at < now)
                s->at = now;
}

static double points_of(const struct policy_suspicion *p, enum suspicion_source source)
{
        switch (source) {
        case SUSPICION_SYN:
                return p->points_syn;
        case SUSPICION_TRAP:
                return p->points_trap;
        case SUSPICION_DIVERT:
                return p->points_divert;
        case SUSPICION_COMPLAINT:
                return p->points_complaint;
        case SUSPICION_LEGACY:
        case SUSPICION_PLAIN_AUTH:
                return 0;
        default:
                return p->points_other;
        }
}

void suspicion_add(struct suspicion_sum *s, const struct policy_suspicion *p, const struct suspicion_fact *fact,
                   int64_t now)
{
        suspicion_fade(s, p->half_life, now);
        double count = fact->count > 0 ? (double)fact->count : 0;
        double points =
            suspicion_faded(bounded(points_of(p, fact->source)) * count, age_of(fact->at, s->at), p->half_life);
        double *sum = fact->source == SUSPICION_SYN ? &s->syn : &s->hard;
        *sum = bounded(*sum + points);
}

double suspicion_syn_part(const struct suspicion_sum *s, double after)
{
        double most = bounded(after) / 2;
        return s->syn < most ? bounded(s->syn) : most;
}

double suspicion_score(const struct suspicion_sum *s, double after)
{
        return bounded(bounded(s->hard) + suspicion_syn_part(s, after));
}

int64_t suspicion_since(int64_t half_life, int64_t now)
{
        int64_t window, since;
        if (__builtin_mul_overflow(half_life, (int64_t)SUSPICION_HALF_LIVES, &window) ||
            __builtin_sub_overflow(now, window, &since))
                return 0;
        return since < 0 ? 0 : since;
}
