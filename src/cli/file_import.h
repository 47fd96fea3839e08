/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/file_import.h - a CSV file of customers or mailboxes on its way into the ledger: columns by their names, every mistake by its line.
 *
 * The noun says which columns there are, turns each row into a change, and sends them all; the rest is here. With mistakes found already the
 * ledger is still asked for its own, so that one run tells all.
 * Owns:    the mistakes, until the run ends; cells are the arena's.
 * Threads: one.
 * Limits:  a file of 256 MB; MISTAKES_TOLD_MOST mistakes are told, all are counted. */
#pragma once

#include "base/csv.h"
#include "cli/cli.h"

enum { FILE_COLUMNS_MOST = 24, MISTAKES_TOLD_MOST = 1000 };

struct file_import {
        const struct cli *cli;
        const char *const *columns;
        size_t n_columns, required; /* the first so many must be there; 0: the first */
        bool secret;                /* no message says what stands in the file */
        void (*read_row)(struct file_import *f, int64_t row);
        int (*send)(struct file_import *f, struct client *c, struct bulk_import *bulk); /* the client's answer */
        void *rows;                                                                     /* the noun's own */
        /* The rest is file_import_run()'s. */
        const char *path;
        struct arena *arena;
        struct csv csv;
        size_t place[FILE_COLUMNS_MOST];
        struct mistake *mistakes;
        size_t n_mistakes, kept, cap;
};

extern const struct cli_option file_import_options[2]; /* --dry-run, --key */
int file_import_run(struct file_import *f);

/* For read_row. */
void file_mistake(struct file_import *f, int64_t row, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool file_has(const struct file_import *f, size_t column);
struct slice file_cell(struct file_import *f, size_t column); /* trimmed; empty where the file has no such column */
/* The next item of a cell that holds a list, parted by blanks; a backslash keeps a blank or a backslash. False at its end. */
bool file_next_item(struct file_import *f, struct slice *list, struct slice *item);
/* The other way: adds an item to a list. */
void file_add_item(struct buf *list, struct slice item);
/* "yes", "no", or empty: false. Puts a mistake down otherwise. */
bool file_yes_no(struct file_import *f, size_t column, int64_t row);
/* A cell of "NAME=VALUE ..." into limits: all are said, what does not stand in the cell is inherited. */
void file_limits(struct file_import *f, size_t column, int64_t row, struct mail_limits *ret, bool *said);
