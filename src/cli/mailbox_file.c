/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mailboxes from a file, and back into one.
 *
 * A column that is missing leaves that field of everybody alone; an empty cell empties it, but for principal: there it says nothing. Lists stand
 * in one cell, parted by blanks. */
#include "cli/file_import.h"
#include "cli/mail.h"
#include "cli/mailbox.h"

enum { OUT = 512 << 20, ARENA = 1 << 30 };

#define COLUMNS(X) X(address) X(subscriber) X(principal) X(name) X(forward) X(keep) X(limits) X(suspended) X(sender)
#define COLUMN_ENUM(n) COLUMN_##n,
enum column { COLUMNS(COLUMN_ENUM) COLUMN_COUNT };
#define COLUMN_NAME(n) #n,
static const char *const column_names[] = { COLUMNS(COLUMN_NAME) };

const struct cli_shape mailbox_import_shape = { "mailbox import FILE.csv [--dry-run] [--key KEY]", file_import_options,
                                                COUNT_OF(file_import_options), 1, 1 };
const struct cli_shape mailbox_export_shape = { "mailbox export", NULL, 0, 0, 0 };

struct import {
        struct mail_rules rules;
        struct mailbox_change *rows;
        size_t n_rows, rows_cap;
};

static void read_addresses(struct file_import *f, enum column column, struct slice **all, size_t *n)
{
        struct slice list = file_cell(f, column), item;
        size_t cap = 0;
        while (file_next_item(f, &list, &item)) {
                *all = arena_grow(f->arena, *all, &cap, *n + 1, sizeof **all);
                if (!*all)
                        panic("out of memory (import)");
                (*all)[(*n)++] = item;
        }
}

static void read_row(struct file_import *f, int64_t row)
{
        struct import *im = f->rows;
        size_t before = f->n_mistakes;
        struct mailbox_change c = { .row = row,
                                    .name = file_has(f, COLUMN_name),
                                    .principal = file_cell(f, COLUMN_principal).n != 0,
                                    .forwards = file_has(f, COLUMN_forward),
                                    .keep = file_cell(f, COLUMN_keep).n != 0,
                                    .senders = file_has(f, COLUMN_sender),
                                    .suspension = file_has(f, COLUMN_suspended) };
        c.value.address = file_cell(f, COLUMN_address);
        c.value.subscriber = file_cell(f, COLUMN_subscriber);
        c.value.name = file_cell(f, COLUMN_name);
        c.value.suspension.reason = file_cell(f, COLUMN_suspended);
        c.value.principal = file_yes_no(f, COLUMN_principal, row);
        c.value.keep = file_yes_no(f, COLUMN_keep, row);
        read_addresses(f, COLUMN_forward, &c.value.forwards, &c.value.n_forwards);
        read_addresses(f, COLUMN_sender, &c.value.senders, &c.value.n_senders);
        file_limits(f, COLUMN_limits, row, &c.value.limits, c.limits);
        if (f->n_mistakes > before)
                return;
        im->rows = xgrow(im->rows, &im->rows_cap, im->n_rows + 1, sizeof *im->rows);
        im->rows[im->n_rows++] = c;
}

static int send(struct file_import *f, struct client *c, struct bulk_import *bulk)
{
        const struct import *im = f->rows;
        return client_mailbox_import(c, bulk, im->rows, im->n_rows, &im->rules);
}

int mailbox_import(int argc, char **argv)
{
        struct cli cli;
        int status;
        struct import im = { .rows = NULL };
        if (!cli_parse(&cli, &mailbox_import_shape, argc, argv, &status))
                return status;
        autopolicy *p = NULL;
        status = mail_policy(&cli, &p, &im.rules);
        if (status)
                return status;
        struct file_import f = { .cli = &cli,
                                 .columns = column_names,
                                 .n_columns = COLUMN_COUNT,
                                 .read_row = read_row,
                                 .send = send,
                                 .rows = &im };
        status = file_import_run(&f);
        free(im.rows);
        return status;
}

/* --- export --- */

static void put_row(const struct mailbox *m, struct buf *out)
{
        autobuf forward, limits, sender;
        buf_init(&forward, TARGETS_MOST * (ADDRESS_MOST + 2));
        buf_init(&limits, 1024);
        buf_init(&sender, SENDERS_MOST * (ADDRESS_MOST + 2));
        for (size_t i = 0; i < m->n_forwards; i++)
                file_add_item(&forward, m->forwards[i]);
        for (size_t i = 0; i < m->n_senders; i++)
                file_add_item(&sender, m->senders[i]);
        mail_limits_print(&m->limits, &limits);
        const struct slice cells[] = { m->address,
                                       m->subscriber,
                                       m->principal ? S("yes") : S("no"),
                                       m->name,
                                       buf_slice(&forward),
                                       m->keep ? S("yes") : S("no"),
                                       buf_slice(&limits),
                                       m->suspension.reason,
                                       buf_slice(&sender) };
        for (size_t i = 0; i < COUNT_OF(cells); i++) {
                if (i)
                        buf_addc(out, ',');
                csv_put(out, cells[i]);
        }
        buf_addc(out, '\n');
}

int mailbox_export(int argc, char **argv)
{
        struct cli cli;
        struct mailbox *all = NULL;
        size_t n = 0;
        bool none;
        int status;
        if (!cli_parse(&cli, &mailbox_export_shape, argc, argv, &status))
                return status;
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = l ? ledger_mailboxes(l, a, &(struct mail_query){ .most = 0 }, &all, &n) : 0;
        if (failed)
                return cli_ledger_failed(l, failed);
        for (size_t i = 0; i < COLUMN_COUNT; i++)
                buf_addf(&out, "%s%s", i ? "," : "", column_names[i]);
        buf_addc(&out, '\n');
        for (size_t i = 0; i < n; i++)
                put_row(&all[i], &out);
        return cli_print(&out);
}
