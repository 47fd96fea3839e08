/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/file_import.h"
#include "base/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARENA = 1 << 30, FILE_MOST = 256 << 20, REPORT_MOST = 64 << 20 };

static const char *dry_run, *key;
const struct cli_option file_import_options[2] = {
        { .name = "dry-run", .help = "show what would change, and change nothing", .value = &dry_run },
        { .name = "key",
          .argument = "KEY",
          .help = "name of this import: done once, however often it is asked for",
          .value = &key },
};

struct mistake {
        int64_t row;
        size_t order;
        char *text;
};

void file_mistake(struct file_import *f, int64_t row, const char *fmt, ...)
{
        va_list ap;
        char *text = NULL;
        if (f->n_mistakes++ >= 2 * MISTAKES_TOLD_MOST)
                return;
        va_start(ap, fmt);
        if (vasprintf(&text, fmt, ap) == -1)
                panic("out of memory (message)");
        va_end(ap);
        f->mistakes = xgrow(f->mistakes, &f->cap, f->kept + 1, sizeof *f->mistakes);
        f->mistakes[f->kept] = (struct mistake){ row, f->kept, text };
        f->kept++;
}

/* --- the head --- */

static void read_column(struct file_import *f, size_t at)
{
        struct slice title = slice_trim(f->csv.cells[at]);
        for (size_t i = 0; i < f->n_columns; i++) {
                if (!slice_ieq(title, slice_of(f->columns[i])))
                        continue;
                if (f->place[i] != CSV_CELLS_MOST)
                        file_mistake(f, (int64_t)f->csv.row_line, "column %s stands twice", f->columns[i]);
                f->place[i] = at;
                return;
        }
        autobuf all;
        buf_init(&all, 1024);
        for (size_t i = 0; i < f->n_columns; i++)
                buf_addf(&all, "%s%s", i ? "," : "", f->columns[i]);
        if (f->secret)
                title = S("of that name");
        file_mistake(f, (int64_t)f->csv.row_line, "there is no column %.*s (%s)", SLICE_ARGS(title), buf_cstr(&all));
}

static bool read_head(struct file_import *f)
{
        for (size_t i = 0; i < f->n_columns; i++)
                f->place[i] = CSV_CELLS_MOST;
        enum csv_found found = csv_next(&f->csv);
        if (found == CSV_BAD)
                file_mistake(f, (int64_t)f->csv.row_line, "%s", f->csv.wrong);
        if (found == CSV_END)
                file_mistake(f, 1, "the file is empty: its first line names the columns");
        if (found != CSV_ROW)
                return false;
        for (size_t i = 0; i < f->csv.n_cells; i++)
                read_column(f, i);
        for (size_t i = 0; i < f->required || i == 0; i++)
                if (f->place[i] == CSV_CELLS_MOST)
                        file_mistake(f, (int64_t)f->csv.row_line, "the column %s is missing", f->columns[i]);
        return f->n_mistakes == 0;
}

/* --- cells --- */

bool file_has(const struct file_import *f, size_t column)
{
        return f->place[column] != CSV_CELLS_MOST;
}

struct slice file_cell(struct file_import *f, size_t column)
{
        if (!file_has(f, column))
                return (struct slice){ NULL, 0 };
        struct slice s = arena_dup(f->arena, slice_trim(f->csv.cells[f->place[column]]));
        if (!s.p)
                panic("out of memory (import)");
        return s;
}

bool file_next_item(struct file_import *f, struct slice *list, struct slice *item)
{
        *list = slice_trim(*list);
        char *out = arena_alloc(f->arena, list->n + 1);
        size_t i = 0, n = 0;
        if (!out)
                panic("out of memory (import)");
        while (i < list->n && list->p[i] != ' ') {
                if (list->p[i] == '\\' && i + 1 < list->n)
                        i++;
                out[n++] = list->p[i++];
        }
        *list = slice_from(*list, i);
        *item = (struct slice){ out, n };
        return i > 0;
}

void file_add_item(struct buf *list, struct slice item)
{
        if (list->n)
                buf_addc(list, ' ');
        for (size_t i = 0; i < item.n; i++) {
                if (item.p[i] == ' ' || item.p[i] == '\\')
                        buf_addc(list, '\\');
                buf_addc(list, item.p[i]);
        }
}

bool file_yes_no(struct file_import *f, size_t column, int64_t row)
{
        bool yes = false;
        struct slice text = file_cell(f, column);
        if (text.n && !cli_yes_no(text, &yes))
                file_mistake(f, row, "%s %.*s: yes or no", f->columns[column], SLICE_ARGS(text));
        return yes;
}

void file_limits(struct file_import *f, size_t column, int64_t row, struct mail_limits *ret, bool *said)
{
        struct slice list = file_cell(f, column), item;
        *ret = mail_limits_inherit;
        for (size_t i = 0; i < MAIL_LIMIT_COUNT; i++)
                said[i] = file_has(f, column);
        while (file_next_item(f, &list, &item)) {
                enum mail_limit which;
                const char *wrong = mail_limits_parse_word(item, ret, &which);
                if (wrong)
                        file_mistake(f, row, "%s %.*s: %s", f->columns[column], SLICE_ARGS(item), wrong);
        }
}

static void read_rows(struct file_import *f)
{
        size_t width = f->csv.n_cells;
        for (;;) {
                enum csv_found found = csv_next(&f->csv);
                if (found == CSV_END)
                        return;
                if (found == CSV_BAD)
                        file_mistake(f, (int64_t)f->csv.row_line, "%s", f->csv.wrong);
                else if (f->csv.n_cells != width)
                        file_mistake(f, (int64_t)f->csv.row_line, "%zu cells where the first line has %zu",
                                     f->csv.n_cells, width);
                else
                        f->read_row(f, (int64_t)f->csv.row_line);
        }
}

/* --- telling --- */

static int by_row(const void *a, const void *b)
{
        const struct mistake *x = a, *y = b;
        if (x->row != y->row)
                return x->row < y->row ? -1 : 1;
        return x->order < y->order ? -1 : x->order > y->order;
}

/* The ledger's own: "line 12: …", one a line; it counts those it did not tell. */
static void take_report(struct file_import *f, struct slice report, int64_t errors)
{
        size_t before = f->n_mistakes;
        while (report.n) {
                struct slice line = slice_cut(report, '\n', &report), text;
                uint64_t n = 0;
                struct slice head = slice_cut(line, ':', &text);
                if (slice_starts(head, S("line ")) && slice_u64(slice_from(head, 5), INT64_MAX, &n))
                        line = slice_trim(text);
                file_mistake(f, (int64_t)n, "%.*s", SLICE_ARGS(line));
        }
        f->n_mistakes = before + (size_t)errors;
}

static int tell_mistakes(struct file_import *f)
{
        autobuf text;
        buf_init(&text, REPORT_MOST);
        qsort(f->mistakes, f->kept, sizeof *f->mistakes, by_row);
        size_t told = f->kept < MISTAKES_TOLD_MOST ? f->kept : MISTAKES_TOLD_MOST;
        for (size_t i = 0; i < told; i++) {
                buf_adds(&text, "porteiro: ");
                buf_add_shown(&text, slice_of(f->path));
                buf_addf(&text, ":%lld: ", (long long)f->mistakes[i].row);
                buf_add_escaped(&text, slice_of(f->mistakes[i].text));
                buf_addc(&text, '\n');
        }
        fwrite(buf_cstr(&text), 1, text.n, stderr);
        if (f->n_mistakes > told)
                cli_fail(EXIT_NO, "%s: and %zu more", f->path, f->n_mistakes - told);
        return cli_fail(EXIT_NO, "%s: %zu mistake%s: nothing was imported", f->path, f->n_mistakes,
                        f->n_mistakes == 1 ? "" : "s");
}

/* Its last line is the sum; the differences before it are for a dry run. */
static int tell_success(const struct bulk_import *bulk)
{
        char when[TIME_TEXT_MAX];
        struct slice all = slice_trim(buf_slice(bulk->report));
        size_t last = all.n;
        while (last && all.p[last - 1] != '\n')
                last--;
        autobuf out;
        buf_init(&out, REPORT_MOST + 256);
        if (bulk->done_at) {
                buf_addf(&out, "done already, at %s by ", time_print(bulk->done_at, when));
                buf_add_shown(&out, bulk->done_by);
                buf_adds(&out, ": nothing was changed\n");
                return cli_print(&out);
        }
        for (struct slice rest = dry_run ? all : slice_from(all, last); rest.n;) {
                buf_add_shown(&out, slice_cut(rest, '\n', &rest));
                buf_adds(&out, rest.n ? "\n" : dry_run ? " (a dry run: nothing was changed)\n" : "\n");
        }
        return cli_print(&out);
}

static int send_rows(struct file_import *f)
{
        autobuf report;
        int status;
        buf_init(&report, REPORT_MOST);
        autoclient *c = cli_client(f->cli, &status);
        if (!c)
                return status;
        struct bulk_import bulk = { .dry_run = dry_run || f->n_mistakes, .key = slice_of(key), .report = &report };
        int answer = f->send(f, c, &bulk);
        if (answer < 0 || (answer > 0 && bulk.errors == 0))
                return cli_answer(c, f->path, answer);
        if (answer > 0)
                take_report(f, buf_slice(&report), bulk.errors);
        return f->n_mistakes ? EXIT_NO : tell_success(&bulk);
}

static int run(struct file_import *f)
{
        autobuf text;
        buf_init(&text, FILE_MOST);
        int failed = file_read(f->path, &text);
        if (failed)
                return cli_fail(failed == -EFBIG ? EXIT_NO : EXIT_SYSTEM, "%s: %s", f->path, strerror(-failed));
        csv_init(&f->csv, buf_slice(&text));
        bool head = read_head(f);
        if (head)
                read_rows(f);
        int status = head ? send_rows(f) : EXIT_NO;
        if (f->secret && text.p)
                explicit_bzero(text.p, text.n);
        return f->n_mistakes && status == EXIT_NO ? tell_mistakes(f) : status;
}

int file_import_run(struct file_import *f)
{
        autoarena *a = arena_new(ARENA);
        f->arena = a;
        f->path = f->cli->words[0];
        if (key && !*key)
                return cli_fail(EXIT_USAGE, "--key: is empty");
        int status = run(f);
        for (size_t i = 0; i < f->kept; i++)
                free(f->mistakes[i].text);
        free(f->mistakes);
        return status;
}
