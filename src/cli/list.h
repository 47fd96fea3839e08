/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/list.h - what every `list` does: options, ledger, rows, then a table for people or an array for programs.
 *
 * Owns:    the paging options of this run.
 * Threads: one.
 * Limits:  the answer is whole or not at all. */
#pragma once

#include "cli/cli.h"

struct cli_list {
        const struct cli_shape *shape;
        const char *key; /* of the array in JSON: "mailboxes" */
        size_t row_size;
        /* 0; -errno of the ledger; 1 after it was told on stderr what is wrong with the options. */
        int (*read)(struct ledger *l, struct arena *a, const struct cli *cli, void *rows, size_t *n);
        void (*print)(const void *rows, size_t n, struct buf *out);
        void (*row_json)(struct json *j, const char *key, const void *row);
};
int cli_list(const struct cli_list *list, int argc, char **argv);

/* Long lists by the page: --after KEY --most N. */
extern const char *cli_after, *cli_most;
#define CLI_PAGE(what)                                                                                                 \
        { .name = "after", .argument = what, .help = "those that follow this one", .value = &cli_after },              \
        {                                                                                                              \
                .name = "most", .argument = "N", .help = "at most so many", .value = &cli_most                         \
        }
/* --most as a number (0: all); prints what is wrong and returns false. */
bool cli_page(size_t *ret_most);
/* Under a table: how many these are, and where the next page begins if this one is full. */
void cli_page_end(size_t n, const char *one, const char *several, struct slice last, struct buf *out);
