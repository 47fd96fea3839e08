/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph sample: the gate's counters into STATE/graph/gate.rings.
 *
 * A program of its own versus the duty gate: the gate must outlive whatever happens to pictures (a full or failing disk ends who has
 * a file mapped), and needs no right to write here. This one needs CAP_NET_ADMIN and its folder, and may die at any time: what it does
 * not see is unknown, and drawn so. */
#include "base/file.h"
#include "cli/graph.h"
#include "gate/netlink.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static const char *every;

static const struct cli_option options[] = {
        { .name = "every",
          .argument = "DURATION",
          .help = "go on, and look this often (10s is what the files can tell apart)",
          .value = &every },
};

static const struct cli_shape shape = { .usage = "graph sample [--every DURATION]",
                                        .options = options,
                                        .n_options = COUNT_OF(options) };

struct sampling {
        struct rings *rings;
        int64_t now;
        size_t n, left_out;
        int failed;
};

static void put(struct sampling *s, struct slice name, uint64_t value)
{
        size_t series;
        int failed = rings_series(s->rings, name, RINGS_RATE, &series);
        if (failed == -ENOSPC && rings_count(s->rings) < RINGS_SERIES_MOST)
                s->failed = failed; /* the disk is full, not the table */
        else if (failed)
                s->left_out++;
        else
                rings_counter(s->rings, series, s->now, value);
        s->n += !failed;
}

/* attempts_GROUP_STRATEGY is GROUP/STRATEGY; packets only where no attempts are counted. */
static void on_counter(void *arg, const struct counter_value *c)
{
        struct slice rest, what = slice_cut(c->name, '_', &rest);
        bool attempts = slice_eq(what, S("attempts"));
        size_t at = rest.n;
        autobuf name;
        buf_init(&name, 4096);
        while (at > 0 && rest.p[at - 1] != '_')
                at--;
        struct slice group = { rest.p, at ? at - 1 : 0 };
        if (at < 2 || (!attempts && !slice_eq(group, S("asymmetric")) && !slice_eq(group, S("flood"))))
                return;
        buf_addf(&name, "%.*s/%.*s", SLICE_ARGS(group), (int)(rest.n - at), rest.p + at);
        put(arg, buf_slice(&name), c->packets);
}

static int sample(struct netlink *netlink, struct rings *rings, bool quiet)
{
        struct sampling s = { .rings = rings, .now = time_now() };
        int failed = netlink_counters(netlink, on_counter, &s);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "graph sample: %s%s", strerror(-failed),
                                failed == -EPERM ? " (this needs root, or CAP_NET_ADMIN)" : "");
        if (s.failed)
                return cli_fail(EXIT_SYSTEM, "graph sample: %s", strerror(-s.failed));
        if (s.left_out && !quiet)
                fprintf(stderr,
                        "porteiro: warning: graph sample: %zu counters are left out: at most %d series, names of at "
                        "most %d bytes\n",
                        s.left_out, RINGS_SERIES_MOST, RINGS_NAME_MOST);
        return s.n ? EXIT_DONE : EXIT_NO;
}

/* Until the next round multiple: samples then stand on the borders of slots. */
static void wait_for_next(int64_t period)
{
        int64_t left = period - time_now() % period;
        struct timespec t = { .tv_sec = left / SECOND, .tv_nsec = left % SECOND * 1000 };
        nanosleep(&t, NULL);
}

/* Root's first look must not shut out the user the folder is of. */
static void give_to_owner(struct rings *r, const char *folder)
{
        struct stat st;
        int failed = stat(folder, &st) == -1 ? -errno : rings_give(r, st.st_uid, st.st_gid);
        if (failed)
                fprintf(stderr, "porteiro: warning: graph sample: %s: %s\n", folder, strerror(-failed));
}

static int open_rings(const char *state, struct rings **ret)
{
        autofree char *folder = xasprintf("%s/graph", state), *path = xasprintf("%s/graph/gate.rings", state);
        autobuf why;
        buf_init(&why, 8192);
        int failed = folder_make(folder, 0750);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "graph sample: %s: %s", folder, strerror(-failed));
        failed = rings_open(path, ret, &why);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "graph sample: %s%s", buf_cstr(&why),
                                failed == -EBADMSG ? " (move it away, and a new one is begun)" : "");
        if (geteuid() == 0)
                give_to_owner(*ret, folder);
        return EXIT_DONE;
}

int cmd_graph_sample(int argc, char **argv)
{
        struct cli cli;
        int status;
        int64_t period = 0;
        autonetlink *netlink = NULL;
        autorings *rings = NULL;
        every = NULL;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        if (every && (!duration_parse(slice_of(every), &period) || period > RINGS_SILENCE))
                return cli_fail(EXIT_USAGE, "--every: %s: 1s to 5m; what is silent for longer is unknown", every);
        int failed = netlink_open(&netlink);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "graph sample: %s", strerror(-failed));
        status = open_rings(cli.state, &rings);
        if (status)
                return status;
        status = sample(netlink, rings, false);
        while (every && status != EXIT_SYSTEM) { /* where no gate stands there may be one soon */
                wait_for_next(period);
                status = sample(netlink, rings, true);
        }
        return status == EXIT_NO ? cli_fail(EXIT_NO, "graph sample: no gate stands in this kernel") : status;
}
