/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/csv.h - comma separated values as spreadsheets write them (RFC 4180), row by row.
 *
 * Quotes, doubled quotes, line ends within quotes, CRLF or LF, a byte order mark. Where the first line has semicolons and no comma, the
 * semicolon separates: spreadsheets set to Portuguese write so. Rows without any byte are passed over.
 * Owns:    the bytes of one row: cells live until the next csv_next().
 * Threads: pure.
 * Limits:  CSV_ROW_MOST bytes and CSV_CELLS_MOST cells a row; text must be UTF-8. A bad row is told and passed over, so that one run finds
 *          all of them. */
#pragma once

#include "base/slice.h"

enum { CSV_ROW_MOST = 65536, CSV_CELLS_MOST = 64 };

enum csv_found { CSV_ROW, CSV_BAD, CSV_END };

struct csv {
        struct slice left;
        size_t line; /* of what comes next, from 1 */
        char separator;
        struct slice cells[CSV_CELLS_MOST];
        size_t n_cells;
        size_t row_line;   /* where the row began, or what is wrong stands */
        const char *wrong; /* after CSV_BAD */
        char bytes[CSV_ROW_MOST];
        size_t n_bytes;
};

void csv_init(struct csv *c, struct slice text);
enum csv_found csv_next(struct csv *c);

/* A cell as it must be written: quoted where it has to be. */
struct buf;
void csv_put(struct buf *out, struct slice cell);
/* The same for text that strangers wrote, which is not to be read back: what harms a terminal as \xNN, and an apostrophe before what a
 * spreadsheet takes for a formula, wherever a cell may begin: also behind a comma, a semicolon or a quote, for spreadsheets part cells there
 * as they are set. */
void csv_put_foreign(struct buf *out, struct slice cell);
