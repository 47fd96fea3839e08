/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/maillog_files.h"
#include "maillog/reader.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

struct reading {
        struct maillog_files *files;
        struct maillog_reader *reader; /* of the file being read; NULL: the next is to be opened */
        size_t at;
        bool begins;
        uint64_t pieces;
        int64_t shown;
        int status;
};

static void show_progress(struct reading *r)
{
        int64_t now = time_monotonic();
        if (!r->files->shows_progress || now - r->shown < SECOND / 4)
                return;
        r->shown = now;
        uint64_t size = maillog_reader_size(r->reader), done = maillog_reader_done(r->reader);
        fprintf(stderr, "\r\033[K%s: ", r->files->paths[r->at]);
        if (size)
                fprintf(stderr, "%.0f %%, ", 100.0 * (double)done / (double)size);
        fprintf(stderr, "%.1f GB read", (double)done / 1e9);
}

static void fail_file(struct reading *r, int status, const char *why)
{
        cli_fail(status, "%s: %s", r->files->paths[r->at], why);
        r->status = status > r->status ? status : r->status;
}

static bool open_next(struct reading *r)
{
        for (; r->at < r->files->n; r->at++) {
                int failed = maillog_reader_open(r->files->paths[r->at], &r->reader);
                r->begins = true;
                if (!failed)
                        return true;
                fail_file(r, EXIT_SYSTEM, strerror(-failed));
        }
        return false;
}

static void close_file(struct reading *r, int failed)
{
        char why[256];
        if (r->files->shows_progress)
                fputs("\r\033[K", stderr);
        r->files->too_long += maillog_reader_too_long(r->reader);
        if (failed < 0) {
                fail_file(r, EXIT_SYSTEM, strerror(-failed));
        } else if (maillog_reader_trouble(r->reader)) {
                snprintf(why, sizeof why, "%s; what stood before is counted", maillog_reader_trouble(r->reader));
                fail_file(r, EXIT_NO, why);
        }
        maillog_reader_free_(&r->reader);
        r->reader = NULL;
        r->at++;
}

static bool next(void *arg, struct batch *b)
{
        struct reading *r = arg;
        struct slice piece;
        while (r->reader || open_next(r)) {
                int got = maillog_reader_next(r->reader, &piece);
                if (got == 1) {
                        int64_t written = maillog_reader_written(r->reader);
                        b->begins_file = r->begins;
                        b->written = written ? written : time_now();
                        r->begins = false;
                        maillog_reader_swap(r->reader, &b->memory, &b->cap_memory);
                        b->text = piece;
                        show_progress(r);
                        return true;
                }
                close_file(r, got);
        }
        return false;
}

static void apply(void *arg, struct batch *b)
{
        struct maillog_files *f = ((struct reading *)arg)->files;
        f->apply(f->arg, b);
}

static size_t processors(void)
{
        cpu_set_t set;
        return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

struct aged {
        const char *path;
        size_t place;
        struct timespec written;
};

static int by_age(const void *a, const void *b)
{
        const struct aged *x = a, *y = b;
        if (x->written.tv_sec != y->written.tv_sec)
                return x->written.tv_sec < y->written.tv_sec ? -1 : 1;
        if (x->written.tv_nsec != y->written.tv_nsec)
                return x->written.tv_nsec < y->written.tv_nsec ? -1 : 1;
        return x->place < y->place ? -1 : 1;
}

/* The oldest first, as a shell does not give rotated logs: limits count in time, and messages go on in the next file. What is no file
 * (a pipe, standard input) leaves all as they were given. */
static void sort_by_age(const char **paths, size_t n)
{
        autofree struct aged *all = xcalloc(n + 1, sizeof *all);
        for (size_t i = 0; i < n; i++) {
                struct stat st;
                if (stat(paths[i], &st) == -1 || !S_ISREG(st.st_mode))
                        return;
                all[i] = (struct aged){ paths[i], i, st.st_mtim };
        }
        qsort(all, n, sizeof *all, by_age);
        for (size_t i = 0; i < n; i++)
                paths[i] = all[i].path;
}

int maillog_files_read(struct maillog_files *f)
{
        struct reading r = { .files = f, .status = EXIT_DONE };
        sort_by_age(f->paths, f->n);
        struct batch_common common;
        batch_common_init(&common, f->categories);
        common.keeps_unparsed = f->keeps_unparsed;
        common.keeps_reasons = f->keeps_reasons;
        crew_run(&(struct crew){ &common, processors(), next, apply, &r });
        batch_common_done(&common);
        return r.status;
}

struct rules *maillog_rules(const struct cli *cli, const char *file, int *status)
{
        autodiags *d = diags_new();
        struct policy *p = file ? policy_load_mail(file, d) : cli_policy_if_any(cli);
        struct rules *r = file && !p ? NULL : rules_new(p, d);
        *status = EXIT_DONE;
        if (r)
                return r;
        policy_free(p);
        autobuf text;
        buf_init(&text, 1 << 20);
        diags_print(d, &text);
        fputs(buf_cstr(&text), stderr);
        *status = EXIT_NO;
        return NULL;
}
