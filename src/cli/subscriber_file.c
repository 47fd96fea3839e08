/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subscribers from a file, and back into one.
 *
 * A column that is missing leaves that field of everybody alone; an empty cell empties it. Lists stand in one cell, parted by blanks; a
 * backslash keeps a blank or a backslash of a value. */
#include "base/map.h"
#include "cli/file_import.h"
#include "cli/subscriber.h"
#include "ledger/line.h"

#include <stdio.h>

enum { ARENA = 1 << 30, OUT = 512 << 20 };

#define COLUMNS(X)                                                                                                     \
        X(id)                                                                                                          \
        X(name) X(class) X(port25) X(language) X(email) X(phone) X(post) X(never_cut) X(lines) X(addresses) X(limits)
#define COLUMN_ENUM(n) COLUMN_##n,
enum column { COLUMNS(COLUMN_ENUM) COLUMN_COUNT };
#define COLUMN_NAME(n) #n,
static const char *const column_names[] = { COLUMNS(COLUMN_NAME) };

const struct cli_shape subscriber_import_shape = { "subscriber import FILE.csv [--dry-run] [--key KEY]",
                                                   file_import_options, COUNT_OF(file_import_options), 1, 1 };
const struct cli_shape subscriber_export_shape = { "subscriber export", NULL, 0, 0, 0 };

struct import {
        const struct policy *policy;
        struct subscriber_change *rows;
        size_t n_rows, rows_cap;
        struct map ids; /* of rows, by id: to their line */
};

static void read_lines(struct file_import *f, struct subscriber_change *c)
{
        struct slice list = file_cell(f, COLUMN_lines), item;
        size_t cap = 0;
        while (file_next_item(f, &list, &item)) {
                c->add_lines = arena_grow(f->arena, c->add_lines, &cap, c->n_add_lines + 1, sizeof *c->add_lines);
                if (!c->add_lines)
                        panic("out of memory (import)");
                const char *wrong = line_parse(item, f->arena, &c->add_lines[c->n_add_lines]);
                if (wrong)
                        file_mistake(f, c->row, "line %.*s: %s", SLICE_ARGS(item), wrong);
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

static void read_addresses(struct file_import *f, struct subscriber_change *c)
{
        struct slice list = file_cell(f, COLUMN_addresses), item;
        size_t cap = 0;
        while (file_next_item(f, &list, &item)) {
                c->add_addresses =
                    arena_grow(f->arena, c->add_addresses, &cap, c->n_add_addresses + 1, sizeof *c->add_addresses);
                if (!c->add_addresses)
                        panic("out of memory (import)");
                enum prefix_error wrong = prefix_parse(item, &c->add_addresses[c->n_add_addresses]);
                if (wrong)
                        file_mistake(f, c->row, "address %.*s: %s", SLICE_ARGS(item), prefix_wrong(wrong));
                else
                        c->n_add_addresses++;
        }
}

static void read_words(struct file_import *f, struct subscriber_change *c)
{
        const struct import *im = f->rows;
        autobuf text;
        buf_init(&text, 1024);
        struct slice port25 = file_cell(f, COLUMN_port25);
        c->value.port25 = port25.n && !slice_eq(port25, S("none")) ? strategy_of(port25) : STRATEGY_NONE;
        if (port25.n && !slice_eq(port25, S("none")) && c->value.port25 == STRATEGY_NONE)
                file_mistake(f, c->row, "port25 %.*s: open, observe, shift, divert, trap or block", SLICE_ARGS(port25));
        c->value.never_cut = file_yes_no(f, COLUMN_never_cut, c->row);
        const char *wrong = subscriber_class_wrong(im->policy, c->value.class, &text);
        if (wrong)
                file_mistake(f, c->row, "%s", wrong);
        file_limits(f, COLUMN_limits, c->row, &c->value.limits, c->limits);
}

static void read_row(struct file_import *f, int64_t row)
{
        struct import *im = f->rows;
        size_t before = f->n_mistakes;
        struct subscriber_change c = { .row = row,
                                       .name = file_has(f, COLUMN_name),
                                       .class = file_has(f, COLUMN_class),
                                       .port25 = file_has(f, COLUMN_port25),
                                       .language = file_has(f, COLUMN_language),
                                       .email = file_has(f, COLUMN_email),
                                       .phone = file_has(f, COLUMN_phone),
                                       .post = file_has(f, COLUMN_post),
                                       .never_cut = file_has(f, COLUMN_never_cut),
                                       .keep_lines = !file_has(f, COLUMN_lines),
                                       .keep_addresses = !file_has(f, COLUMN_addresses) };
        c.value.id = file_cell(f, COLUMN_id);
        c.value.name = file_cell(f, COLUMN_name);
        c.value.class = file_cell(f, COLUMN_class);
        c.value.language = file_cell(f, COLUMN_language);
        c.value.email = file_cell(f, COLUMN_email);
        c.value.phone = file_cell(f, COLUMN_phone);
        c.value.post = file_cell(f, COLUMN_post);
        read_words(f, &c);
        read_lines(f, &c);
        read_addresses(f, &c);
        void *first = c.value.id.n ? map_put(&im->ids, c.value.id, (void *)(uintptr_t)c.row) : NULL;
        if (first)
                file_mistake(f, c.row, "subscriber %.*s stands in line %lld already", SLICE_ARGS(c.value.id),
                             (long long)(uintptr_t)first);
        if (f->n_mistakes > before)
                return;
        im->rows = xgrow(im->rows, &im->rows_cap, im->n_rows + 1, sizeof *im->rows);
        im->rows[im->n_rows++] = c;
}

static int send(struct file_import *f, struct client *c, struct bulk_import *bulk)
{
        const struct import *im = f->rows;
        if (!im->policy && file_has(f, COLUMN_class) && im->n_rows)
                fprintf(stderr, "porteiro: warning: classes are not checked: no policy is in force yet\n");
        return client_subscriber_import(c, bulk, im->rows, im->n_rows);
}

int subscriber_import(int argc, char **argv)
{
        struct cli cli;
        struct policy *policy;
        int status;
        if (!cli_parse(&cli, &subscriber_import_shape, argc, argv, &status))
                return status;
        autodiags *d = diags_new();
        status = cli_policy_of_people(&cli, d, &policy);
        if (status)
                return status;
        struct import im = { .policy = policy };
        struct file_import f = { .cli = &cli,
                                 .columns = column_names,
                                 .n_columns = COLUMN_COUNT,
                                 .read_row = read_row,
                                 .send = send,
                                 .rows = &im };
        status = file_import_run(&f);
        free(im.rows);
        map_done(&im.ids);
        policy_free(policy);
        return status;
}

/* --- export --- */

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
                file_add_item(&list, buf_slice(&item));
        }
        csv_put(out, buf_slice(&list));
        buf_addc(out, ',');
        buf_clear(&list);
        for (size_t i = 0; i < v->n_leases; i++) {
                const struct lease *l = &v->leases[i];
                if (slice_eq(l->source, S("static")) && is_own(&l->line, v->id) && l->realm.n == 0 && l->port_high == 0)
                        file_add_item(&list, slice_of(prefix_print(&l->prefix, text)));
        }
        csv_put(out, buf_slice(&list));
        buf_addc(out, ',');
        buf_clear(&list);
        mail_limits_print(&v->limits, &list);
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
