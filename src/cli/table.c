/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

enum { COLUMNS_MOST = 16, CELL_MOST = 4096, WIDTH_MOST = 60 };

struct table {
        size_t columns, n_cells, cap;
        char **cells; /* the titles are the first row */
};

static void add(struct table *t, struct slice text)
{
        struct buf cell;
        buf_init(&cell, CELL_MOST);
        buf_add_shown(&cell, text);
        t->cells = xgrow(t->cells, &t->cap, t->n_cells + 1, sizeof *t->cells);
        t->cells[t->n_cells++] = buf_take(&cell);
}

struct table *table_new(size_t columns, const char *const *titles)
{
        struct table *t = xcalloc(1, sizeof *t);
        if (columns == 0 || columns > COLUMNS_MOST)
                panic("a table of %zu columns", columns);
        t->columns = columns;
        for (size_t i = 0; i < columns; i++)
                add(t, slice_of(titles[i]));
        return t;
}

void table_add(struct table *t, const char *fmt, ...)
{
        va_list ap;
        char *text = NULL;
        va_start(ap, fmt);
        if (vasprintf(&text, fmt, ap) == -1)
                panic("out of memory (table)");
        va_end(ap);
        add(t, slice_of(text));
        free(text);
}

void table_add_text(struct table *t, struct slice text, size_t most)
{
        size_t n = 0, shown = 0;
        while (n < text.n && shown < most) {
                size_t sequence = slice_utf8(slice_from(text, n));
                n += sequence ? sequence : 1;
                shown++;
        }
        if (n == text.n) {
                add(t, text);
                return;
        }
        autobuf cut;
        buf_init(&cut, CELL_MOST);
        buf_add(&cut, (struct slice){ text.p, n });
        buf_adds(&cut, "…");
        add(t, buf_slice(&cut));
}

/* What stands on the screen: sequences of UTF-8 count as one. */
static size_t width_of(const char *s)
{
        size_t n = 0;
        for (; *s; s++)
                n += ((unsigned char)*s & 0xC0) != 0x80;
        return n;
}

static void print_row(const struct table *t, size_t row, const size_t *widths, struct buf *out)
{
        size_t line = out->n;
        for (size_t i = 0; i < t->columns; i++) {
                const char *cell = t->cells[row * t->columns + i];
                size_t n = width_of(cell);
                buf_adds(out, cell);
                if (i + 1 < t->columns)
                        buf_addf(out, "%*s", (int)(n < widths[i] ? widths[i] - n : 0) + 2, "");
        }
        while (!out->full && out->n > line && out->p[out->n - 1] == ' ')
                out->n--;
        buf_addc(out, '\n');
}

void table_print(struct table *t, struct buf *out)
{
        size_t widths[COLUMNS_MOST] = { 0 };
        while (t->n_cells % t->columns)
                add(t, S(""));
        for (size_t i = 0; i < t->n_cells; i++) {
                size_t n = width_of(t->cells[i]);
                if (n > WIDTH_MOST)
                        n = WIDTH_MOST;
                if (n > widths[i % t->columns])
                        widths[i % t->columns] = n;
        }
        for (size_t row = 0; row * t->columns < t->n_cells; row++)
                print_row(t, row, widths, out);
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i]);
        free(t->cells);
        free(t);
}
