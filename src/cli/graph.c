/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"
#include "cli/graph.h"
#include "graph/svg.h"
#include "graph/terminal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>

enum { ARENA = 256 << 20, OUT = 64 << 20, JSON_POINTS = 300 };

static const char *since, *until, *svg, *stacked, *plain;

static const struct cli_option options[] = {
        { .name = "since", .argument = "day|week|month|year|TIME", .help = "from when (day)", .value = &since },
        { .name = "until", .argument = "TIME", .help = "to when (now)", .value = &until },
        { .name = "svg", .argument = "FILE", .help = "as SVG into a file (- is standard output)", .value = &svg },
        { .name = "stacked", .help = "with --svg: areas one upon the other, instead of lines", .value = &stacked },
        { .name = "ascii", .help = "nothing but ASCII", .value = &plain },
};

static const struct cli_shape shape = { .usage = "graph [SERIES…]   or: porteiro graph sample",
                                        .options = options,
                                        .n_options = COUNT_OF(options),
                                        .words_most = 16 };

/* --- what is asked for --------------------------------------------------------------------------------------------------- */

static const struct span {
        const char *name, *title;
        int64_t length;
} spans[] = { { "day", "a day", DAY },
              { "week", "a week", 7 * DAY },
              { "month", "a month", 31 * DAY },
              { "year", "a year", 365 * DAY } };

/* NULL: --since is no such word. */
static const struct span *span_of(const char *word)
{
        for (size_t i = 0; i < COUNT_OF(spans); i++)
                if (strcmp(word, spans[i].name) == 0)
                        return &spans[i];
        return NULL;
}

static bool read_times(int64_t *from, int64_t *to)
{
        const struct span *span = span_of(since ? since : "day");
        *to = time_now();
        if (until && !cli_time("--until", until, TIME_LAST_INSTANT, to))
                return false;
        if (span)
                *from = *to - span->length;
        else if (!cli_since("--since", since, from))
                return false;
        if (*from > 0 && *to - *from >= MINUTE && *to < INT64_C(4102444800) * SECOND)
                return true;
        cli_fail(EXIT_USAGE, "--since: a picture shows at least a minute, between 1970 and 2100");
        return false;
}

static size_t columns_of_terminal(void)
{
        struct winsize w;
        if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == -1 || w.ws_col == 0)
                return GRAPH_COLUMNS;
        return w.ws_col < GRAPH_COLUMNS_LEAST  ? GRAPH_COLUMNS_LEAST
               : w.ws_col > GRAPH_COLUMNS_MOST ? GRAPH_COLUMNS_MOST
                                               : w.ws_col;
}

/* A pattern may name more series than there are words. */
static size_t points_wanted(const struct cli *cli)
{
        size_t series = cli->n_words ? cli->n_words : GRAPH_SERIES_MOST;
        for (size_t i = 0; i < cli->n_words; i++)
                if (strpbrk(cli->words[i], "*?["))
                        series = GRAPH_SERIES_MOST;
        if (cli->json)
                return JSON_POINTS;
        return svg ? GRAPH_SVG_POINTS(series) : columns_of_terminal() - GRAPH_GUTTER;
}

/* --- the picture --------------------------------------------------------------------------------------------------------- */

static const char *title_of(const struct policy *p, char *out, size_t n)
{
        const struct span *span = span_of(since ? since : "day");
        struct slice name = p ? p->network.name : S("Porteiro");
        snprintf(out, n, "%.*s%s%s", SLICE_ARGS(name), span ? ": " : "", span ? span->title : "");
        return out;
}

/* Series of one kind, as many as a picture holds; what is left out is said. */
static int choose_series(const struct graph_set *set, struct graph *g, bool named)
{
        size_t left = 0;
        g->kind = set->v[0].kind;
        for (size_t i = 0; i < set->n; i++) {
                if (set->v[i].kind != g->kind && named)
                        return cli_fail(EXIT_USAGE, "graph: %s and %s have nothing in common: draw one after the other",
                                        set->v[0].name, set->v[i].name);
                if (set->v[i].kind != g->kind || g->n_series == GRAPH_SERIES_MOST)
                        left++;
                else
                        g->series[g->n_series++] =
                            (struct graph_series){ .name = slice_of(set->v[i].name), .points = set->v[i].points };
        }
        if (left)
                fprintf(stderr, "porteiro: note: %zu more series are not drawn: name those you want (--json has all)\n",
                        left);
        return EXIT_DONE;
}

static int write_svg(const struct graph *g, struct buf *out)
{
        graph_svg(g, out);
        if (strcmp(svg, "-") == 0)
                return cli_print(out);
        int failed = out->full ? -EFBIG : file_replace(svg, 0644, buf_slice(out));
        return failed ? cli_fail(EXIT_SYSTEM, "%s: %s", svg, strerror(-failed)) : EXIT_DONE;
}

static int draw(const struct graph_set *set, struct graph *g, bool named, struct buf *out)
{
        struct graph_series series[GRAPH_SERIES_MOST];
        g->series = series;
        int status = choose_series(set, g, named);
        if (status)
                return status;
        graph_measure(g);
        if (svg)
                return write_svg(g, out);
        const char *term = getenv("TERM");
        struct graph_terminal t = { .columns = set->n_points + GRAPH_GUTTER, .ascii = plain };
        t.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
        graph_terminal(g, &t, out);
        return cli_print(out);
}

/* --- JSON ---------------------------------------------------------------------------------------------------------------- */

/* Rates may be far below a thousandth, which json_real() would make zero. */
static void json_number(struct json *j, const char *key, double value)
{
        char text[40];
        int n = snprintf(text, sizeof text, "%.7g", value);
        if (isfinite(value))
                json_raw(j, key, (struct slice){ text, (size_t)n });
        else
                json_null(j, key);
}

static void json_series(struct json *j, const struct graph_set *set, const struct graph_found *f)
{
        struct graph_series s = { .name = slice_of(f->name), .points = f->points };
        struct graph g = { .kind = f->kind,
                           .from = set->from,
                           .to = set->to,
                           .n_points = set->n_points,
                           .series = &s,
                           .n_series = 1 };
        graph_measure(&g);
        json_object(j, NULL);
        json_cstr(j, "name", f->name);
        json_cstr(j, "kind", f->kind == RINGS_RATE ? "rate" : "level");
        json_number(j, "mean", s.mean);
        json_number(j, "maximum", s.max);
        json_number(j, "last", s.last);
        json_array(j, "points");
        for (size_t i = 0; i < set->n_points; i++) {
                json_array(j, NULL);
                json_number(j, NULL, f->points[i].mean);
                json_number(j, NULL, f->points[i].max);
                json_number(j, NULL, f->points[i].known);
                json_array_end(j);
        }
        json_array_end(j);
        json_object_end(j);
}

static int print_json(const struct graph_set *set, const struct graph *g, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_time(&j, "from", g->from);
        json_time(&j, "to", g->to);
        json_number(&j, "step", (double)(g->to - g->from) / (double)g->n_points / SECOND);
        json_array(&j, "series");
        for (size_t i = 0; i < set->n; i++)
                json_series(&j, set, &set->v[i]);
        json_array_end(&j);
        json_array(&j, "marks");
        for (size_t i = 0; i < g->n_marks; i++) {
                json_object(&j, NULL);
                json_time(&j, "at", g->marks[i].at);
                json_string(&j, "label", g->marks[i].label);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
        return cli_print(out);
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

int cmd_graph(int argc, char **argv)
{
        struct cli cli;
        int status;
        char title[256];
        struct graph_mark marks[GRAPH_MARKS_MOST];
        if (argc > 1 && strcmp(argv[1], "sample") == 0)
                return cmd_graph_sample(argc - 1, argv + 1);
        since = until = svg = stacked = plain = NULL;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        if (stacked && !svg)
                return cli_fail(EXIT_USAGE, "--stacked is for --svg: in the terminal each series has a panel");
        autopolicy *p = cli_policy_if_any(&cli);
        struct graph g = { .stacked = stacked, .marks = marks };
        if (!read_times(&g.from, &g.to))
                return EXIT_USAGE;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        g.n_points = points_wanted(&cli);
        autograph set = { .from = g.from, .to = g.to, .n_points = g.n_points };
        status = graph_set_read(&set, cli.state, cli.words, cli.n_words);
        if (status)
                return status;
        g.title = slice_of(title_of(p, title, sizeof title));
        g.n_marks = graph_marks(&cli, p, g.from, g.to, a, marks);
        return cli.json ? print_json(&set, &g, &out) : draw(&set, &g, cli.n_words > 0, &out);
}
