/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog find`: what became of a message, for who is asked on the telephone. The ledger is not asked. */
#include "cli/maillog.h"
#include "maillog/zone.h"

#include <errno.h>
#include <stdio.h>

enum { OUT = 256 << 20, FOUND_MOST = 10000, FOUND_DEFAULT = 20 };

static const char *since, *until, *zone, *most, *lines;
static const struct cli_option options[] = {
        { .name = "since",
          .argument = "TIME",
          .help = "stories of which a line is not older; also 24h, 7d",
          .value = &since },
        { .name = "until", .argument = "TIME", .help = "stories of which a line is not younger", .value = &until },
        { .name = "zone",
          .argument = "NAME",
          .help = "of times without one, such as America/Sao_Paulo (default: the policy's)",
          .value = &zone },
        { .name = "most",
          .argument = "N",
          .help = "how many stories, those that matched last (default: 20)",
          .value = &most },
        { .name = "lines", .help = "with all lines of the log", .value = &lines },
};
const struct cli_shape maillog_find_shape = {
        "maillog find WHAT... [FILE...] [--since TIME] [--until TIME] [--most N] [--lines] [--zone NAME]\n\n"
        "  WHAT: an e-mail address, a queue id, <message-id>, a client's address, or login:NAME;\n"
        "        of several, all must hold. Without FILE: the logs that have an index.",
        options, COUNT_OF(options), 1, CLI_WORDS_MOST
};

struct asked {
        struct cli cli;
        struct wanted wanted[WANTED_MOST];
        struct find_wish wish;
        size_t files_at; /* the first word that is a file */
};

static bool is_path(const char *word)
{
        return *word == '/' || strncmp(word, "./", 2) == 0 || strncmp(word, "../", 3) == 0;
}

/* Words are what is wanted as long as they have a form of it. */
static int take_words(struct asked *a)
{
        size_t n = 0;
        while (n < a->cli.n_words && n < WANTED_MOST && !is_path(a->cli.words[n]) &&
               wanted_parse(slice_of(a->cli.words[n]), &a->wanted[n]))
                n++;
        if (!n)
                return cli_fail(EXIT_USAGE,
                                "%s: no e-mail address, queue id, <message-id>, client's address or login:NAME",
                                a->cli.words[0]);
        a->files_at = a->wish.story.n_wanted = n;
        return EXIT_DONE;
}

static void progress(void *arg, const char *path, double part)
{
        (void)arg;
        maillog_progress(path, part);
}

static int take_arguments(struct asked *a)
{
        uint64_t n = FOUND_DEFAULT;
        struct story_wish *w = &a->wish.story;
        w->until = TIME_NEVER;
        w->wanted = a->wanted;
        int status = maillog_set_zone(&a->cli, zone);
        if (status)
                return status;
        if (most && (!slice_u64(slice_of(most), FOUND_MOST, &n) || n == 0))
                return cli_fail(EXIT_USAGE, "--most %s: a number from 1 to %d", most, FOUND_MOST);
        if ((since && !cli_since("--since", since, &w->since)) ||
            (until && !cli_time("--until", until, TIME_LAST_INSTANT, &w->until)))
                return EXIT_USAGE;
        w->most = (size_t)n;
        a->wish.state = a->cli.state;
        a->wish.zone = zone_of_process();
        a->wish.progress = isatty(STDERR_FILENO) ? progress : NULL;
        return take_words(a);
}

static int add_files(struct find *f, const struct asked *a)
{
        for (size_t i = a->files_at; i < a->cli.n_words; i++) {
                int failed = find_add(f, a->cli.words[i]);
                if (failed)
                        return cli_fail(EXIT_SYSTEM, "%s: %s", a->cli.words[i], strerror(-failed));
        }
        if (a->files_at < a->cli.n_words)
                return EXIT_DONE;
        int n = find_add_indexed(f);
        if (n == 0 || n == -ENOENT)
                return cli_fail(EXIT_USAGE, "no log has an index in %s/maillog: say which files", a->cli.state);
        return n < 0 ? cli_fail(EXIT_SYSTEM, "%s/maillog/index: %s", a->cli.state, strerror(-n)) : EXIT_DONE;
}

static int print(const struct asked *a, struct find *f, const struct stories *stories)
{
        struct maillog_found found = { .stories = stories,
                                       .wish = &a->wish.story,
                                       .n = stories_count(stories),
                                       .lines = lines,
                                       .more = find_more(f) };
        autobuf out;
        buf_init(&out, OUT);
        if (a->cli.json)
                maillog_find_json(&found, &out);
        else
                maillog_find_text(&found, &out);
        if (find_troubles(f).n) {
                autofree char *troubles = slice_dup(find_troubles(f));
                cli_fail(EXIT_NO, "%s", troubles);
        }
        int status = cli_print(&out);
        if (status)
                return status;
        if (!found.n && !a->cli.json)
                cli_fail(EXIT_NO, "nothing is found");
        return found.n ? EXIT_DONE : find_incomplete(f) ? EXIT_SYSTEM : EXIT_NO;
}

int maillog_find_run(int argc, char **argv)
{
        struct asked a = { .files_at = 0 };
        int status;
        since = until = zone = most = lines = NULL;
        if (!cli_parse(&a.cli, &maillog_find_shape, argc, argv, &status))
                return status;
        status = take_arguments(&a);
        if (status)
                return status;
        autofind *f = find_new(&a.wish);
        status = add_files(f, &a);
        if (status)
                return status;
        struct stories *stories = find_run(f);
        if (a.wish.progress)
                maillog_progress("", 1);
        return print(&a, f, stories);
}
