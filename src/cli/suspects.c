/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose machine is infected: the scores of today, and what they are drawn from. */
#include "cli/cli.h"
#include "guard/sketch.h"
#include "guard/suspicion.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

enum { ARENA = 1 << 30, OUT = 64 << 20, SHOWN = 50, SOURCES_MOST = 16, FACTS_MOST = 20000 };
#define EVIDENCE_SPAN (7 * DAY)
#define SCORE_LEAST 0.05

static const char *most;
static const struct cli_option options[] = {
        { .name = "most", .argument = "N", .help = "the first N (default: 50)", .value = &most }
};
static const struct cli_shape shape = { "suspects [--most N]", options, COUNT_OF(options), 0, 0 };

struct by_source {
        struct slice source;
        int64_t count;
};

struct suspect {
        struct suspicion suspicion;
        struct subscriber subscriber;
        double score; /* now */
        struct by_source sources[SOURCES_MOST];
        size_t n_sources;
        int64_t last; /* 0: never in the span */
        uint64_t hosts;
        enum level quarantined;
};

static double faded(const struct suspicion *s, int64_t half_life, int64_t now)
{
        return now <= s->at ? s->score : s->score * exp2(-(double)(now - s->at) / (double)half_life);
}

static void add_fact(struct suspect *s, struct sketch *hosts, const struct sighting *fact)
{
        size_t i = 0;
        if (suspicion_harmless(suspicion_source_of(fact->source)))
                return;
        while (i < s->n_sources && !slice_eq(s->sources[i].source, fact->source))
                i++;
        if (i == s->n_sources && i < SOURCES_MOST)
                s->sources[s->n_sources++] = (struct by_source){ .source = fact->source };
        if (i < SOURCES_MOST)
                s->sources[i].count += fact->count;
        int64_t end = fact->at + fact->seconds * SECOND;
        s->last = end > s->last ? end : s->last;
        sketch_merge(hosts, fact->hosts);
}

static int add_evidence(struct ledger *l, struct arena *a, int64_t now, struct suspect *s)
{
        struct sighting *facts;
        struct person person = { .quarantine = LEVEL_NONE };
        struct sketch hosts;
        size_t n = 0;
        sketch_init(&hosts);
        int failed = ledger_subscriber(l, a, s->suspicion.subscriber, &s->subscriber);
        if (failed == 0)
                failed = ledger_person(l, a, s->suspicion.subscriber, now, &person);
        if (failed == 0)
                failed = ledger_sightings(l, a, s->suspicion.subscriber, now - EVIDENCE_SPAN, TIME_NEVER, FACTS_MOST,
                                          &facts, &n);
        for (size_t i = 0; failed == 0 && i < n; i++)
                add_fact(s, &hosts, &facts[i]);
        s->quarantined = person.quarantine;
        s->hosts = sketch_count(&hosts);
        return failed;
}

static int by_score(const void *a, const void *b)
{
        const struct suspect *x = a, *y = b;
        if (x->score != y->score)
                return x->score < y->score ? 1 : -1;
        return slice_cmp(x->suspicion.subscriber, y->suspicion.subscriber);
}

static int read_suspects(struct ledger *l, struct arena *a, int64_t half_life, size_t limit, struct suspect **ret,
                         size_t *n_ret)
{
        struct suspicion *all;
        size_t n = 0, kept = 0;
        int64_t now = time_now();
        int failed = ledger_suspicions(l, a, &all, &n);
        struct suspect *s = failed ? NULL : arena_alloc(a, (n + 1) * sizeof *s);
        if (!failed && !s)
                failed = -ENOMEM;
        for (size_t i = 0; failed == 0 && i < n; i++) {
                double score = faded(&all[i], half_life, now);
                if (score >= SCORE_LEAST)
                        s[kept++] = (struct suspect){ .suspicion = all[i], .score = score };
        }
        if (failed)
                return failed;
        qsort(s, kept, sizeof *s, by_score);
        *n_ret = kept < limit ? kept : limit;
        for (size_t i = 0; failed == 0 && i < *n_ret; i++)
                failed = add_evidence(l, a, now, &s[i]);
        *ret = s;
        return failed;
}

static void print_table(const struct suspect *all, size_t n, struct buf *out)
{
        static const char *const titles[] = { "subscriber", "name",      "score",     "in 7 days",
                                              "hosts≈",     "last seen", "quarantine" };
        char when[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                const struct suspect *s = &all[i];
                autobuf text;
                buf_init(&text, 4096);
                for (size_t k = 0; k < s->n_sources; k++)
                        buf_addf(&text, "%s%.*s %lld", k ? ", " : "", SLICE_ARGS(s->sources[k].source),
                                 (long long)s->sources[k].count);
                table_add(t, "%.*s", SLICE_ARGS(s->suspicion.subscriber));
                table_add(t, "%.*s", SLICE_ARGS(s->subscriber.name));
                table_add(t, "%.1f", s->score);
                table_add(t, "%s", buf_cstr(&text));
                table_add(t, "%llu", (unsigned long long)s->hosts);
                table_add(t, "%s", s->last ? time_print(s->last, when) : "");
                table_add(t, "%s", s->quarantined == LEVEL_NONE ? "" : level_name(s->quarantined));
        }
        table_print(t, out);
        if (n == 0)
                buf_adds(out, "nobody is suspected\n");
}

static void print_json(const struct suspect *all, size_t n, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_array(&j, "suspects");
        for (size_t i = 0; i < n; i++) {
                const struct suspect *s = &all[i];
                json_object(&j, NULL);
                json_string(&j, "subscriber", s->suspicion.subscriber);
                json_string(&j, "name", s->subscriber.name);
                json_real(&j, "score", s->score);
                json_object(&j, "sources");
                for (size_t k = 0; k < s->n_sources; k++) {
                        autofree char *key = slice_dup(s->sources[k].source);
                        json_int(&j, key, s->sources[k].count);
                }
                json_object_end(&j);
                json_int(&j, "hosts", (int64_t)s->hosts);
                json_time(&j, "last_seen", s->last ? s->last : TIME_NEVER);
                json_cstr(&j, "quarantine", s->quarantined == LEVEL_NONE ? NULL : level_name(s->quarantined));
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

int cmd_suspects(int argc, char **argv)
{
        struct cli cli;
        struct suspect *all = NULL;
        size_t n = 0;
        uint64_t shown = SHOWN;
        bool none;
        int status;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        if (most && (!slice_u64(slice_of(most), INT32_MAX, &shown) || shown == 0))
                return cli_fail(EXIT_USAGE, "--most: %s: a number from 1", most);
        autodiags *d = diags_new();
        struct policy *found;
        status = cli_policy_of_people(&cli, d, &found);
        autopolicy *policy = found;
        if (status)
                return status;
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int64_t half_life = policy && policy->suspicion.half_life > 0 ? policy->suspicion.half_life : DAY;
        int failed = l ? read_suspects(l, a, half_life, (size_t)shown, &all, &n) : 0;
        if (failed)
                return cli_ledger_failed(l, failed);
        if (cli.json)
                print_json(all, n, &out);
        else
                print_table(all, n, &out);
        return cli_print(&out);
}
