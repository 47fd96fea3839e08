/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge/dossier.h"

void dossier_init(struct dossier *d, struct slice id)
{
        *d = (struct dossier){ .id = slice_dup(id) };
        dossier_clear(d);
}

void dossier_done(struct dossier *d)
{
        free(d->id);
        *d = (struct dossier){ .id = NULL };
}

void dossier_clear(struct dossier *d)
{
        *d = (struct dossier){
                .id = d->id, .first = TIME_NEVER, .forgiven = d->forgiven, .look_at = TIME_NEVER, .known = d->known
        };
}

void dossier_add(struct dossier *d, const struct policy_suspicion *points, const struct sighting *s, int64_t now)
{
        enum suspicion_source source = suspicion_source_of(s->source);
        struct suspicion_fact fact = { .source = source, .at = s->at, .count = s->count };
        /* a minute's sum stands at its first attempt: a release in its midst forgives all of it */
        if (suspicion_harmless(source) || fact.at <= d->forgiven || fact.at < suspicion_since(points->half_life, now))
                return;
        suspicion_add(&d->sum, points, &fact, now);
        if (__builtin_add_overflow(d->counts[source], s->count, &d->counts[source]))
                d->counts[source] = INT64_MAX;
        if (source == SUSPICION_SYN)
                sketch_merge(&d->hosts, s->hosts);
        if (fact.at < d->first)
                d->first = fact.at;
}

bool dossier_moved(const struct dossier *d, const struct policy_suspicion *points, double score, double after,
                   int64_t now)
{
        if (d->known.at == 0)
                return score > 0;
        double known = suspicion_faded(d->known.score, now - d->known.at, points->half_life);
        double off = score > known ? score - known : known - score, most = score > known ? score : known;
        return off > most / 20 || (score >= after) != (known >= after);
}

static void add_count(struct buf *out, int64_t n, const char *one, const char *many)
{
        if (n)
                buf_addf(out, "%s%lld %s", out->n ? ", " : "", (long long)n, n == 1 ? one : many);
}

void dossier_evidence(const struct dossier *d, struct buf *out)
{
        char text[TIME_TEXT_MAX];
        add_count(out, d->counts[SUSPICION_TRAP], "conversation in the trap", "conversations in the trap");
        add_count(out, d->counts[SUSPICION_DIVERT], "diverted conversation without login",
                  "diverted conversations without login");
        add_count(out, d->counts[SUSPICION_COMPLAINT], "complaint", "complaints");
        add_count(out, d->counts[SUSPICION_OTHER], "other sighting", "other sightings");
        add_count(out, d->counts[SUSPICION_SYN], "attempt", "attempts");
        unsigned long long hosts = sketch_count(&d->hosts);
        if (hosts)
                buf_addf(out, " to about %llu host%s", hosts, hosts == 1 ? "" : "s");
        if (d->first != TIME_NEVER)
                buf_addf(out, " since %s", time_print(d->first, text));
}
