/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/indexer.h"
#include "maillog/index.h"
#include "maillog/record.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

void indexer_end(struct indexer *x)
{
        if (x->writer)
                x->failed += index_end(x->writer) < 0;
        index_close_(&x->writer);
        x->writer = NULL;
}

/* The first bytes of the file, if it is the one at the path. */
static bool read_head(const struct indexer *x, char head[INDEX_HEAD])
{
        struct stat st;
        autoclose int fd = open(x->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        return fd != -1 && fstat(fd, &st) == 0 && st.st_dev == x->device && st.st_ino == x->inode &&
               pread(fd, head, INDEX_HEAD, 0) == INDEX_HEAD;
}

static void begin(struct indexer *x, int64_t written)
{
        char head[INDEX_HEAD], whole[PATH_MAX];
        autobuf why;
        buf_init(&why, 4096);
        if (!read_head(x, head) ||
            index_open(x->state, realpath(x->path, whole) ? whole : x->path, head, &x->writer, &why) != 0)
                return;
        syslog_clock_init(&x->clock, x->zone, written);
}

static int add_lines(struct indexer *x, struct slice lines, uint64_t offset)
{
        int failed = 0;
        while (lines.n && !failed) {
                struct record r;
                size_t n = slice_find(lines, '\n');
                if (n == lines.n)
                        return 0; /* half a line at the end of a file */
                bool mail = record_read(&x->clock, (struct slice){ lines.p, n }, &r);
                failed = index_add(x->writer, offset, (struct slice){ lines.p, n + 1 }, mail ? &r.event : NULL,
                                   mail ? r.at : 0);
                offset += n + 1;
                lines = slice_from(lines, n + 1);
        }
        return failed;
}

void indexer_piece(struct indexer *x, const struct maillog_piece *piece, int64_t written)
{
        if (piece->device != x->device || piece->inode != x->inode || piece->offset < x->at) {
                indexer_end(x);
                x->device = piece->device;
                x->inode = piece->inode;
        }
        x->at = piece->offset + piece->lines.n;
        if (!x->writer)
                begin(x, written);
        if (!x->writer || piece->offset < index_covered(x->writer))
                return;
        if (add_lines(x, piece->lines, piece->offset) < 0) {
                x->failed++;
                index_close_(&x->writer);
                x->writer = NULL;
        }
}
