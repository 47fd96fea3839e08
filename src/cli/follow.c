/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lease follow: what the duty does with the feeds of the policy, for one source given here, until SIGTERM or SIGINT. */
#include "base/log.h"
#include "cli/lease.h"
#include "identity/feed.h"
#include "policy/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const char *radius, *secret_file, *format, *line, *realm, *name, *nas[CLI_VALUES_MOST];
static size_t n_nas;
static const struct cli_option options[] = {
        { .name = "format",
          .argument = "FORMAT",
          .help = "what the file is (default: by its first bytes)",
          .value = &format },
        { .name = "radius",
          .argument = "ADDRESS:PORT",
          .help = "listen there for RADIUS accounting",
          .value = &radius },
        { .name = "nas",
          .argument = "PREFIX",
          .help = "who may report; several times",
          .values = nas,
          .n_values = &n_nas },
        { .name = "secret-file", .argument = "FILE", .help = "its first line is the secret", .value = &secret_file },
        { .name = "line", .argument = "WHICH", .help = "auto, user, circuit, remote, mac or duid", .value = &line },
        { .name = "realm", .argument = "NAME", .help = "address space of all it names", .value = &realm },
        { .name = "name",
          .argument = "NAME",
          .help = "where it stood is kept under it (default: of the file)",
          .value = &name },
};
const struct cli_shape follow_shape = {
        "lease follow FILE | --radius ADDRESS:PORT --nas PREFIX --secret-file FILE [--format FORMAT] [--line WHICH] "
        "[--realm NAME]",
        options, COUNT_OF(options), 0, 1
};

/* By the first bytes; READER_FORMAT_COUNT where they do not say, or are not there. */
static enum reader_format detect(const char *path)
{
        char head[65536];
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t n = fd == -1 ? -1 : read(fd, head, sizeof head);
        return n <= 0 ? READER_FORMAT_COUNT : reader_detect((struct slice){ head, (size_t)n });
}

static int choose_line(struct feed_source *s)
{
        const char *const *choices = policy_feed_lines();
        size_t i = 0;
        while (line && choices[i] && strcmp(choices[i], line) != 0)
                i++;
        if (line && !choices[i])
                return cli_fail(EXIT_USAGE, "--line: %s: auto, user, circuit, remote, mac or duid", line);
        s->line = (enum line_choice)i;
        return EXIT_DONE;
}

static int choose_file(struct feed_source *s, const char *path)
{
        const char *slash = strrchr(path, '/');
        if (n_nas || secret_file)
                return cli_fail(EXIT_USAGE, "--nas and --secret-file go with --radius");
        s->file = slice_of(path);
        s->name = slice_of(slash ? slash + 1 : path);
        s->format = format ? reader_format_of(slice_of(format)) : detect(path);
        if (s->format != READER_FORMAT_COUNT)
                return EXIT_DONE;
        if (format)
                return cli_fail(EXIT_USAGE, "--format: %s: there is no such format", format);
        return cli_fail(EXIT_NO, "%s: its first bytes do not say what it is: --format FORMAT", path);
}

static int choose_socket(struct feed_source *s, struct prefix *prefixes)
{
        if (format)
                return cli_fail(EXIT_USAGE, "--format goes with a file");
        if (n_nas == 0 || !secret_file)
                return cli_fail(EXIT_USAGE, "--radius needs --nas and --secret-file");
        if (!addr_port_parse(slice_of(radius), &s->listen, &s->port))
                return cli_fail(EXIT_USAGE, "--radius: %s: ADDRESS:PORT, such as 192.0.2.1:1813 or [2001:db8::1]:1813",
                                radius);
        for (size_t i = 0; i < n_nas; i++)
                if (!cli_prefix("--nas", nas[i], &prefixes[i]))
                        return EXIT_USAGE;
        s->radius = true;
        s->name = slice_of(radius);
        s->nas = prefixes;
        s->n_nas = n_nas;
        s->secret_file = slice_of(secret_file);
        return EXIT_DONE;
}

static void show(const struct feed_counts *c, size_t open, bool last)
{
        fprintf(stderr, "\r%llu reports, %llu changes of leases, %llu wrong; %zu sessions are open\033[K%s",
                (unsigned long long)c->events, (unsigned long long)c->leases,
                (unsigned long long)(c->wrong + c->unusable + c->malformed + c->wrong_secret), open, last ? "\n" : "");
}

int lease_follow(int argc, char **argv)
{
        struct cli cli;
        int status;
        struct prefix prefixes[CLI_VALUES_MOST];
        if (!cli_parse(&cli, &follow_shape, argc, argv, &status))
                return status;
        if ((cli.n_words == 1) == (radius != NULL))
                return cli_fail(EXIT_USAGE, "lease follow: a FILE, or --radius ADDRESS:PORT");
        struct feed_source s = { .realm = slice_of(realm) };
        status = choose_line(&s);
        if (!status)
                status = radius ? choose_socket(&s, prefixes) : choose_file(&s, cli.words[0]);
        if (status)
                return status;
        if (name)
                s.name = slice_of(name);
        cli_zone(&cli);
        log_duty("follow");
        bool terminal = isatty(STDERR_FILENO);
        if (terminal)
                fprintf(stderr, "%s %s into the ledger in %s, until Ctrl-C\n", radius ? "listening on" : "following",
                        radius ? radius : cli.words[0], cli.state);
        return feeds_run(&(struct feeds_options){
            .dir = cli.state, .sources = &s, .n = 1, .alone = true, .progress = terminal ? show : NULL });
}
