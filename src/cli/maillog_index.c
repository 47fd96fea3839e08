/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog index`: makes the index of a log by hand, or goes on with it. */
#include "cli/maillog.h"
#include "maillog/zone.h"
#include "maillog/index.h"
#include "maillog/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static const char *zone;
static const struct cli_option options[] = {
        { .name = "zone",
          .argument = "NAME",
          .help = "of times without one, such as America/Sao_Paulo (default: the policy's)",
          .value = &zone },
};
const struct cli_shape maillog_index_shape = { "maillog index FILE... [--zone NAME]", options, COUNT_OF(options), 1,
                                               CLI_WORDS_MOST };

struct indexing {
        const struct cli *cli;
        const char *path;
        struct maillog_reader *reader;
        struct index_writer *writer;
        struct syslog_clock clock;
        char head[INDEX_HEAD];
        bool shows_progress;
};

static int add_lines(struct indexing *x, struct slice piece)
{
        uint64_t at = maillog_reader_offset(x->reader);
        while (piece.n) {
                struct record e;
                size_t n = slice_find(piece, '\n');
                if (n == piece.n) /* half a line may grow */
                        return 0;
                bool mail = record_read(&x->clock, (struct slice){ piece.p, n }, &e);
                int failed =
                    index_add(x->writer, at, (struct slice){ piece.p, n + 1 }, mail ? &e.event : NULL, mail ? e.at : 0);
                if (failed)
                        return failed;
                at += n + 1;
                piece = slice_from(piece, n + 1);
        }
        return 0;
}

static void show(const struct indexing *x)
{
        uint64_t size = maillog_reader_size(x->reader);
        if (x->shows_progress && size)
                maillog_progress(x->path, 0.999 * (double)maillog_reader_done(x->reader) / (double)size);
}

static int read_on(struct indexing *x)
{
        struct slice piece;
        int got = maillog_reader_seek(x->reader, index_covered(x->writer));
        record_clock(&x->clock, zone_of_process(), maillog_reader_written(x->reader), 0, 0);
        while (got >= 0 && (got = maillog_reader_next(x->reader, &piece)) == 1) {
                got = add_lines(x, piece);
                if (got < 0)
                        return cli_fail(EXIT_SYSTEM, "the index of %s: %s", x->path, strerror(-got));
                show(x);
        }
        int failed = index_end(x->writer);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "the index of %s: %s", x->path, strerror(-failed));
        if (got < 0)
                return cli_fail(EXIT_SYSTEM, "%s: %s", x->path, strerror(-got));
        if (maillog_reader_trouble(x->reader))
                return cli_fail(EXIT_NO, "%s: %s; what stood before is in the index", x->path,
                                maillog_reader_trouble(x->reader));
        return EXIT_DONE;
}

/* An index is gone on with only where its blocks end as the file does there. */
static bool agrees(struct indexing *x)
{
        uint8_t key[INDEX_KEY];
        autoindexview *v = NULL;
        autobuf why;
        char end[INDEX_TAIL];
        buf_init(&why, 8192);
        if (index_key(x->cli->state, false, key) < 0 ||
            index_view(x->cli->state, key, index_identity(key, x->head), &v, &why) < 0 || !index_view_count(v))
                return true;
        size_t last = index_view_count(v) - 1;
        struct index_block b = index_view_block(v, last);
        size_t n = b.length < INDEX_TAIL ? (size_t)b.length : INDEX_TAIL;
        return maillog_reader_seek(x->reader, b.offset + b.length - n) == 0 &&
               maillog_reader_peek(x->reader, end, n) == (ssize_t)n &&
               index_view_ends_so(v, last, (struct slice){ end, n });
}

static int index_file(struct indexing *x)
{
        automaillogreader *reader = NULL;
        autoindex *writer = NULL;
        autobuf why;
        buf_init(&why, 8192);
        int failed = maillog_reader_open(x->path, &reader);
        ssize_t n = failed ? failed : maillog_reader_peek(reader, x->head, sizeof x->head);
        if (n < 0)
                return cli_fail(EXIT_SYSTEM, "%s: %s", x->path, strerror((int)-n));
        if (n < INDEX_HEAD)
                return EXIT_DONE; /* read faster than an index of it */
        autofree char *whole = realpath(x->path, NULL);
        x->reader = reader;
        int (*open)(const char *, const char *, const char *, struct index_writer **, struct buf *) =
            agrees(x) ? index_open : index_open_new;
        failed = open(x->cli->state, whole ? whole : x->path, x->head, &writer, &why);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "%s", buf_cstr(&why));
        x->writer = writer;
        int status = read_on(x);
        if (x->shows_progress)
                maillog_progress("", 1);
        return status;
}

int maillog_index_run(int argc, char **argv)
{
        struct cli cli;
        int status, worst = EXIT_DONE;
        zone = NULL;
        if (!cli_parse(&cli, &maillog_index_shape, argc, argv, &status))
                return status;
        status = maillog_set_zone(&cli, zone);
        for (size_t i = 0; i < cli.n_words && !status; i++) {
                struct indexing x = { .cli = &cli, .path = cli.words[i], .shows_progress = isatty(STDERR_FILENO) };
                int done = index_file(&x);
                worst = done > worst ? done : worst;
        }
        return status ? status : worst;
}
