/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/graph.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>

enum { AUDIT_MOST = 20000 };

/* --- series -------------------------------------------------------------------------------------------------------------- */

static bool wanted(const char *name, const char *const *patterns, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (fnmatch(patterns[i], name, 0) == 0)
                        return true;
        return n == 0;
}

static void take_series(struct graph_set *set, const struct rings *r, size_t series, char *name)
{
        struct graph_found f = { .name = name, .kind = rings_kind(r, series) };
        f.points = xcalloc(set->n_points, sizeof *f.points);
        rings_read(r, series, set->from, set->to, set->n_points, f.points);
        for (size_t i = 0; i < set->n_points; i++)
                f.sum += f.points[i].sum;
        set->v = xgrow(set->v, &set->cap, set->n + 1, sizeof *set->v);
        set->v[set->n++] = f;
}

static int read_file(struct graph_set *set, const char *path, const char *const *patterns, size_t n_patterns)
{
        autorings *r = NULL;
        autobuf why;
        buf_init(&why, 8192);
        if (rings_view(path, &r, &why) < 0)
                return cli_fail(EXIT_SYSTEM, "graph: %s", buf_cstr(&why));
        const char *file = strrchr(path, '/') + 1;
        int stem = (int)(strlen(file) - strlen(".rings"));
        for (size_t i = 0; i < rings_count(r); i++) {
                struct slice series = rings_name(r, i);
                autofree char *name = xasprintf("%.*s/%.*s", stem, file, SLICE_ARGS(series));
                if (wanted(name, patterns, n_patterns))
                        take_series(set, r, i, take(name));
        }
        return EXIT_DONE;
}

static int by_sum(const void *a, const void *b)
{
        const struct graph_found *x = a, *y = b;
        return x->sum != y->sum ? (x->sum < y->sum ? 1 : -1) : strcmp(x->name, y->name);
}

int graph_set_read(struct graph_set *set, const char *state, const char *const *patterns, size_t n_patterns)
{
        glob_t found;
        int status = EXIT_DONE, escaped = 0;
        for (const char *c = state; *c; c++)
                escaped |= strchr("*?[\\{},", *c) != NULL;
        autofree char *pattern = xasprintf("%s/{graph,maillog}/*.rings", state);
        if (escaped)
                return cli_fail(EXIT_USAGE, "graph: %s: a folder of this name cannot be listed", state);
        int failed = glob(pattern, GLOB_BRACE, NULL, &found);
        if (failed == GLOB_NOMATCH)
                return cli_fail(
                    EXIT_NO, "graph: %s: nothing was sampled yet (porteiro graph sample), and no mail log is followed",
                    state);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "graph: %s cannot be listed", state);
        for (size_t i = 0; i < found.gl_pathc && i < GRAPH_FILES_MOST && !status; i++)
                status = read_file(set, found.gl_pathv[i], patterns, n_patterns);
        globfree(&found);
        if (!status && set->n == 0)
                status = cli_fail(EXIT_NO,
                                  n_patterns ? "graph: no series has such a name" : "graph: there is no series yet");
        if (set->n)
                qsort(set->v, set->n, sizeof *set->v, by_sum);
        return status;
}

void graph_set_done(struct graph_set *set)
{
        for (size_t i = 0; i < set->n; i++) {
                free(set->v[i].name);
                free(set->v[i].points);
        }
        free(set->v);
        *set = (struct graph_set){ .n = 0 };
}

/* --- marks --------------------------------------------------------------------------------------------------------------- */

struct marks {
        struct graph_mark *v;
        size_t n;
        int64_t from, to;
        struct arena *arena;
};

static void mark(struct marks *m, int64_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void mark(struct marks *m, int64_t at, const char *fmt, ...)
{
        va_list ap;
        char text[256];
        if (at < m->from || at >= m->to || m->n == GRAPH_MARKS_MOST)
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        struct slice label = arena_dup(m->arena, slice_of(text));
        if (label.p)
                m->v[m->n++] = (struct graph_mark){ at, label };
}

/* The newest come first, so that these stay where there are too many. */
static int of_generations(struct ledger *l, struct marks *m)
{
        struct generation *all = NULL;
        struct audit_row *rows = NULL;
        size_t n = 0;
        int failed = ledger_generations(l, m->arena, &all, &n);
        for (size_t i = n; !failed && i-- > 0;)
                if (all[i].state != GENERATION_PREPARED && all[i].state != GENERATION_FAILED)
                        mark(m, all[i].at, "generation %lld", (long long)all[i].n);
        if (!failed)
                failed = ledger_audit(l, m->arena, S(""), AUDIT_MOST, &rows, &n);
        for (size_t i = 0; !failed && i < n; i++)
                if (slice_eq(rows[i].verb, S("rollback")))
                        mark(m, rows[i].at, "%.*s taken back", SLICE_ARGS(rows[i].key));
        return failed;
}

static void of_waves(const struct policy *p, struct marks *m)
{
        for (size_t i = 0; i < p->n_waves; i++)
                mark(m, p->waves[i].from, "wave %.*s: %s", SLICE_ARGS(p->waves[i].name),
                     strategy_name(p->waves[i].port25));
}

size_t graph_marks(const struct cli *cli, const struct policy *p, int64_t from, int64_t to, struct arena *a,
                   struct graph_mark marks[GRAPH_MARKS_MOST])
{
        struct marks m = { .v = marks, .from = from, .to = to, .arena = a };
        autoledger *l = NULL;
        autobuf why;
        buf_init(&why, 8192);
        if (p)
                of_waves(p, &m);
        int failed = ledger_open_why(cli->state, &l, &why);
        if (failed == 0)
                failed = of_generations(l, &m);
        if (failed < 0 && failed != -ENOENT)
                fprintf(stderr, "porteiro: warning: no generation is marked: %s\n",
                        l ? ledger_error(l) : buf_cstr(&why));
        return m.n;
}
