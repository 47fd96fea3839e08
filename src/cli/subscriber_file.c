/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subscribers from a file, and back into one.
 *
 * A column that is missing leaves that field of everybody alone; an empty cell empties it. Lists stand in one cell, parted by blanks; a
 * backslash keeps a blank or a backslash of a value. */
#include "base/csv.h"
#include "base/file.h"
#include "base/map.h"
#include "cli/subscriber.h"
#include "ledger/line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARENA = 1 << 30, FILE_MOST = 256 << 20, OUT = 512 << 20, LIST_MOST = 256 };

#define COLUMNS(X)                                                                                                     \
        X(id) X(name) X(class) X(port25) X(language) X(email) X(phone) X(post) X(never_cut) X(lines) X(addresses)
#define COLUMN_ENUM(n) COLUMN_##n,
enum column { COLUMNS(COLUMN_ENUM) COLUMN_COUNT };
#define COLUMN_NAME(n) #n,
static const char *const column_names[] = { COLUMNS(COLUMN_NAME) };

static const char *dry_run;
static const struct cli_option import_options[] = {
        { .name = "dry-run", .help = "show what would change, and change nothing", .value = &dry_run },
};
const struct cli_shape subscriber_import_shape = { "subscriber import FILE.csv [--dry-run]", import_options,
                                                   COUNT_OF(import_options), 1, 1 };
const struct cli_shape subscriber_export_shape = { "subscriber export", NULL, 0, 0, 0 };

struct mistake {
        int64_t line;
        size_t order;
        char *text;
};

struct import {
        const char *path;
        const struct policy *policy;
        struct arena *arena;
        struct csv csv;
        size_t place[COLUMN_COUNT]; /* which cell; CSV_CELLS_MOST where the file has no such column */
        struct subscriber_change *rows;
        size_t n_rows, rows_cap;
        struct map ids; /* of rows, by id: to their line */
        struct mistake *mistakes;
        size_t n_mistakes, mistakes_cap;
};

static void mistake(struct import *im, int64_t line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void mistake(struct import *im, int64_t line, const char *fmt, ...)
{
        va_list ap;
        char *text = NULL;
        va_start(ap, fmt);
        if (vasprintf(&text, fmt, ap) == -1)
                panic("out of memory (message)");
        va_end(ap);
        im->mistakes = xgrow(im->mistakes, &im->mistakes_cap, im->n_mistakes + 1, sizeof *im->mistakes);
        im->mistakes[im->n_mistakes] = (struct mistake){ line, im->n_mistakes, text };
        im->n_mistakes++;
}

/* --- the head --- */

static void read_column(struct import *im, size_t cell)
{
        struct slice title = slice_trim(im->csv.cells[cell]);
        for (size_t i = 0; i < COLUMN_COUNT; i++) {
                if (!slice_ieq(title, slice_of(column_names[i])))
                        continue;
                if (im->place[i] != CSV_CELLS_MOST)
                        mistake(im, (int64_t)im->csv.row_line, "column %s stands twice", column_names[i]);
                im->place[i] = cell;
                return;
        }
        mistake(im, (int64_t)im->csv.row_line,
                "there is no column %.*s (id,name,class,port25,language,email,phone,post,never_cut,lines,addresses)",
                SLICE_ARGS(title));
}

static bool read_head(struct import *im)
{
        for (size_t i = 0; i < COLUMN_COUNT; i++)
                im->place[i] = CSV_CELLS_MOST;
        enum csv_found found = csv_next(&im->csv);
        if (found == CSV_BAD)
                mistake(im, (int64_t)im->csv.row_line, "%s", im->csv.wrong);
        if (found == CSV_END)
                mistake(im, 1, "the file is empty: its first line names the columns");
        if (found != CSV_ROW)
                return false;
        for (size_t i = 0; i < im->csv.n_cells; i++)
                read_column(im, i);
        if (im->place[COLUMN_id] == CSV_CELLS_MOST)
                mistake(im, (int64_t)im->csv.row_line, "the column id is missing");
        return im->n_mistakes == 0;
}

/* --- rows --- */

static bool has(const struct import *im, enum column c)
{
        return im->place[c] != CSV_CELLS_MOST;
}

static struct slice cell(struct import *im, enum column c)
{
        if (!has(im, c))
                return (struct slice){ NULL, 0 };
        struct slice s = arena_dup(im->arena, slice_trim(im->csv.cells[im->place[c]]));
        if (!s.p)
                panic("out of memory (import)");
        return s;
}

/* The next item of a list; false at its end. */
static bool next_item(struct import *im, struct slice *list, struct slice *item)
{
        *list = slice_trim(*list);
        char *out = arena_alloc(im->arena, list->n + 1);
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

static void read_lines(struct import *im, struct subscriber_change *c)
{
        struct slice list = cell(im, COLUMN_lines), item;
        size_t cap = 0;
        while (next_item(im, &list, &item)) {
                c->add_lines = arena_grow(im->arena, c->add_lines, &cap, c->n_add_lines + 1, sizeof *c->add_lines);
                if (!c->add_lines)
                        panic("out of memory (import)");
                const char *wrong = line_parse(item, im->arena, &c->add_lines[c->n_add_lines]);
                if (wrong)
                        mistake(im, c->row, "line %.*s: %s", SLICE_ARGS(item), wrong);
                else
                        c->n_add_lines++;
        }
}

static const char *prefix_wrong(enum prefix_error e)
{
        return e == PREFIX_HOST_BITS    ? "has bits set past its length"
               : e == PREFIX_BAD_LENGTH ? "no such prefix length"
                                        : "no address or prefix";
}

static void read_addresses(struct import *im, struct subscriber_change *c)
{
        struct slice list = cell(im, COLUMN_addresses), item;
        size_t cap = 0;
        while (next_item(im, &list, &item)) {
                c->add_addresses =
                    arena_grow(im->arena, c->add_addresses, &cap, c->n_add_addresses + 1, sizeof *c->add_addresses);
                if (!c->add_addresses)
                        panic("out of memory (import)");
                enum prefix_error wrong = prefix_parse(item, &c->add_addresses[c->n_add_addresses]);
                if (wrong)
                        mistake(im, c->row, "address %.*s: %s", SLICE_ARGS(item), prefix_wrong(wrong));
                else
                        c->n_add_addresses++;
        }
}

static void read_words(struct import *im, struct subscriber_change *c)
{
        autobuf text;
        buf_init(&text, 1024);
        struct slice port25 = cell(im, COLUMN_port25), never_cut = cell(im, COLUMN_never_cut);
        c->value.port25 = port25.n && !slice_eq(port25, S("none")) ? strategy_of(port25) : STRATEGY_NONE;
        if (port25.n && !slice_eq(port25, S("none")) && c->value.port25 == STRATEGY_NONE)
                mistake(im, c->row, "port25 %.*s: open, observe, shift, divert, trap or block", SLICE_ARGS(port25));
        if (never_cut.n && !subscriber_yes_no(never_cut, &c->value.never_cut))
                mistake(im, c->row, "never_cut %.*s: yes or no", SLICE_ARGS(never_cut));
        const char *wrong = subscriber_class_wrong(im->policy, c->value.class, &text);
        if (wrong)
                mistake(im, c->row, "%s", wrong);
}

static void read_row(struct import *im)
{
        size_t before = im->n_mistakes;
        struct subscriber_change c = { .row = (int64_t)im->csv.row_line,
                                       .name = has(im, COLUMN_name),
                                       .class = has(im, COLUMN_class),
                                       .port25 = has(im, COLUMN_port25),
                                       .language = has(im, COLUMN_language),
                                       .email = has(im, COLUMN_email),
                                       .phone = has(im, COLUMN_phone),
                                       .post = has(im, COLUMN_post),
                                       .never_cut = has(im, COLUMN_never_cut),
                                       .keep_lines = !has(im, COLUMN_lines),
                                       .keep_addresses = !has(im, COLUMN_addresses) };
        c.value.id = cell(im, COLUMN_id);
        c.value.name = cell(im, COLUMN_name);
        c.value.class = cell(im, COLUMN_class);
        c.value.language = cell(im, COLUMN_language);
        c.value.email = cell(im, COLUMN_email);
        c.value.phone = cell(im, COLUMN_phone);
        c.value.post = cell(im, COLUMN_post);
        read_words(im, &c);
        read_lines(im, &c);
        read_addresses(im, &c);
        void *first = c.value.id.n ? map_put(&im->ids, c.value.id, (void *)(uintptr_t)c.row) : NULL;
        if (first)
                mistake(im, c.row, "subscriber %.*s stands in line %lld already", SLICE_ARGS(c.value.id),
                        (long long)(uintptr_t)first);
        if (im->n_mistakes > before)
                return;
        im->rows = xgrow(im->rows, &im->rows_cap, im->n_rows + 1, sizeof *im->rows);
        im->rows[im->n_rows++] = c;
}

static void read_rows(struct import *im)
{
        size_t width = im->csv.n_cells;
        for (;;) {
                enum csv_found found = csv_next(&im->csv);
                if (found == CSV_END)
                        return;
                if (found == CSV_BAD)
                        mistake(im, (int64_t)im->csv.row_line, "%s", im->csv.wrong);
                else if (im->csv.n_cells != width)
                        mistake(im, (int64_t)im->csv.row_line, "%zu cells where the first line has %zu",
                                im->csv.n_cells, width);
                else
                        read_row(im);
        }
}

/* --- telling --- */

static int by_line(const void *a, const void *b)
{
        const struct mistake *x = a, *y = b;
        if (x->line != y->line)
                return x->line < y->line ? -1 : 1;
        return x->order < y->order ? -1 : x->order > y->order;
}

/* The ledger's own: "line 12: …", one a line. */
static void take_report(struct import *im, struct slice report)
{
        while (report.n) {
                struct slice line = slice_cut(report, '\n', &report), text;
                uint64_t n = 0;
                struct slice head = slice_cut(line, ':', &text);
                if (slice_starts(head, S("line ")) && slice_u64(slice_from(head, 5), INT64_MAX, &n))
                        line = slice_trim(text);
                mistake(im, (int64_t)n, "%.*s", SLICE_ARGS(line));
        }
}

static int tell_mistakes(struct import *im)
{
        autobuf text;
        buf_init(&text, FILE_MOST);
        qsort(im->mistakes, im->n_mistakes, sizeof *im->mistakes, by_line);
        for (size_t i = 0; i < im->n_mistakes; i++) {
                buf_addf(&text, "porteiro: %s:%lld: ", im->path, (long long)im->mistakes[i].line);
                buf_add_escaped(&text, slice_of(im->mistakes[i].text));
                buf_addc(&text, '\n');
        }
        fwrite(buf_cstr(&text), 1, text.n, stderr);
        return cli_fail(EXIT_NO, "%s: %zu mistake%s: nothing was imported", im->path, im->n_mistakes,
                        im->n_mistakes == 1 ? "" : "s");
}

/* Its last line is the sum; the differences before it are for a dry run. */
static int tell_success(struct buf *report)
{
        struct slice all = slice_trim(buf_slice(report));
        size_t last = all.n;
        while (last && all.p[last - 1] != '\n')
                last--;
        autobuf out;
        buf_init(&out, OUT);
        buf_add(&out, dry_run ? all : slice_from(all, last));
        buf_adds(&out, dry_run ? " (a dry run: nothing was changed)\n" : "\n");
        return cli_print(&out);
}

/* With mistakes found already the ledger is still asked for its own, so that one run tells all. */
static int send_rows(const struct cli *cli, struct import *im)
{
        autobuf report;
        int status;
        buf_init(&report, 64 << 20);
        autoclient *c = cli_client(cli, &status);
        if (!c)
                return status;
        struct bulk_import bulk = { .dry_run = dry_run || im->n_mistakes, .report = &report };
        int answer = client_subscriber_import(c, &bulk, im->rows, im->n_rows);
        if (answer < 0)
                return cli_answer(c, im->path, answer);
        if (answer > 0)
                take_report(im, buf_slice(&report));
        return im->n_mistakes ? EXIT_NO : tell_success(&report);
}

static int import_file(const struct cli *cli, struct import *im)
{
        autobuf text;
        buf_init(&text, FILE_MOST);
        int failed = file_read(im->path, &text);
        if (failed)
                return cli_fail(failed == -EFBIG ? EXIT_NO : EXIT_SYSTEM, "%s: %s", im->path, strerror(-failed));
        csv_init(&im->csv, buf_slice(&text));
        if (read_head(im))
                read_rows(im);
        if (!im->policy && has(im, COLUMN_class) && im->n_rows)
                fprintf(stderr, "porteiro: warning: classes are not checked: no policy is in force yet\n");
        int status = EXIT_NO;
        if (im->n_rows || im->n_mistakes == 0)
                status = send_rows(cli, im);
        return im->n_mistakes && status == EXIT_NO ? tell_mistakes(im) : status;
}

int subscriber_import(int argc, char **argv)
{
        struct cli cli;
        int status;
        if (!cli_parse(&cli, &subscriber_import_shape, argc, argv, &status))
                return status;
        autodiags *d = diags_new();
        struct policy *policy;
        status = cli_policy_of_people(&cli, d, &policy);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        struct import *im = xcalloc(1, sizeof *im);
        im->path = cli.words[0];
        im->policy = policy;
        im->arena = a;
        status = import_file(&cli, im);
        for (size_t i = 0; i < im->n_mistakes; i++)
                free(im->mistakes[i].text);
        free(im->mistakes);
        free(im->rows);
        map_done(&im->ids);
        free(im);
        policy_free(policy);
        return status;
}

/* --- export --- */

static void add_item(struct buf *list, struct slice item)
{
        if (list->n)
                buf_addc(list, ' ');
        for (size_t i = 0; i < item.n; i++) {
                if (item.p[i] == ' ' || item.p[i] == '\\')
                        buf_addc(list, '\\');
                buf_addc(list, item.p[i]);
        }
}

static bool is_own(const struct line *l, struct slice id)
{
        return slice_eq(l->kind, S("static")) && slice_eq(l->value, id);
}

static void put_lists(const struct subscriber *v, struct buf *out)
{
        autobuf list, item;
        char text[PREFIX_TEXT_MAX];
        buf_init(&list, 1 << 20);
        buf_init(&item, 1024);
        for (size_t i = 0; i < v->n_lines; i++) {
                if (is_own(&v->lines[i], v->id))
                        continue;
                buf_clear(&item);
                line_print(&v->lines[i], &item);
                add_item(&list, buf_slice(&item));
        }
        csv_put(out, buf_slice(&list));
        buf_addc(out, ',');
        buf_clear(&list);
        for (size_t i = 0; i < v->n_leases; i++) {
                const struct lease *l = &v->leases[i];
                if (slice_eq(l->source, S("static")) && is_own(&l->line, v->id) && l->realm.n == 0 && l->port_high == 0)
                        add_item(&list, slice_of(prefix_print(&l->prefix, text)));
        }
        csv_put(out, buf_slice(&list));
        buf_addc(out, '\n');
}

static void put_row(const struct subscriber *v, struct buf *out)
{
        const struct slice cells[] = { v->id,
                                       v->name,
                                       v->class,
                                       v->port25 == STRATEGY_NONE ? S("") : slice_of(strategy_name(v->port25)),
                                       v->language,
                                       v->email,
                                       v->phone,
                                       v->post,
                                       v->never_cut ? S("yes") : S("no") };
        for (size_t i = 0; i < COUNT_OF(cells); i++) {
                csv_put(out, cells[i]);
                buf_addc(out, ',');
        }
        put_lists(v, out);
}

int subscriber_export(int argc, char **argv)
{
        struct cli cli;
        struct subscriber *all = NULL;
        size_t n = 0;
        bool none;
        int status;
        if (!cli_parse(&cli, &subscriber_export_shape, argc, argv, &status))
                return status;
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = l ? ledger_subscribers(l, a, &all, &n) : 0;
        if (failed)
                return cli_ledger_failed(l, failed);
        for (size_t i = 0; i < COLUMN_COUNT; i++)
                buf_addf(&out, "%s%s", i ? "," : "", column_names[i]);
        buf_addc(&out, '\n');
        for (size_t i = 0; i < n; i++)
                put_row(&all[i], &out);
        return cli_print(&out);
}
