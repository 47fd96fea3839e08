/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/csv.h"
#include "base/buf.h"

static bool has_semicolons_only(struct slice text)
{
        bool quoted = false, semicolon = false;
        for (size_t i = 0; i < text.n && (quoted || (text.p[i] != '\n' && text.p[i] != '\r')); i++) {
                if (text.p[i] == '"')
                        quoted = !quoted;
                if (!quoted && text.p[i] == ',')
                        return false;
                semicolon = semicolon || (!quoted && text.p[i] == ';');
        }
        return semicolon;
}

void csv_init(struct csv *c, struct slice text)
{
        if (slice_starts(text, S("\xef\xbb\xbf")))
                text = slice_from(text, 3);
        c->left = text;
        c->line = 1;
        c->separator = has_semicolons_only(text) ? ';' : ',';
        c->n_cells = c->n_bytes = c->row_line = 0;
        c->wrong = NULL;
}

static bool bad(struct csv *c, const char *wrong)
{
        c->wrong = wrong;
        c->row_line = c->line;
        return false;
}

static bool add_byte(struct csv *c, char b)
{
        if (c->n_bytes == sizeof c->bytes)
                return bad(c, "the row has more than 65,536 bytes");
        c->bytes[c->n_bytes++] = b;
        return true;
}

/* One character of a cell: a whole UTF-8 sequence. */
static bool add_character(struct csv *c)
{
        unsigned char b = (unsigned char)c->left.p[0];
        size_t n = b < 0x80 ? 1 : slice_utf8(c->left);
        if (b == 0)
                return bad(c, "a zero byte");
        if (n == 0)
                return bad(c, "text that is not UTF-8 (is the file in Latin-1?): iconv -f LATIN1 -t UTF-8 converts it");
        for (size_t i = 0; i < n; i++)
                if (!add_byte(c, c->left.p[i]))
                        return false;
        c->line += b == '\n';
        c->left = slice_from(c->left, n);
        return true;
}

static bool at(const struct csv *c, char b)
{
        return c->left.n && c->left.p[0] == b;
}

/* "\n", "\r\n" or the end; does not move. */
static size_t line_end(const struct csv *c)
{
        return at(c, '\n') ? 1 : at(c, '\r') && c->left.n > 1 && c->left.p[1] == '\n' ? 2 : 0;
}

static bool read_quoted(struct csv *c)
{
        size_t opened = c->line;
        c->left = slice_from(c->left, 1);
        for (;;) {
                if (c->left.n == 0) {
                        bad(c, "quotes are opened here and never closed");
                        c->row_line = opened;
                        return false;
                }
                if (!at(c, '"')) {
                        if (!add_character(c))
                                return false;
                        continue;
                }
                c->left = slice_from(c->left, 1);
                if (!at(c, '"'))
                        break;
                if (!add_byte(c, '"'))
                        return false;
                c->left = slice_from(c->left, 1);
        }
        if (c->left.n && !at(c, c->separator) && !line_end(c))
                return bad(c, "text stands after closing quotes");
        return true;
}

/* Bytes that are nothing but themselves, at once. */
static bool add_run(struct csv *c)
{
        size_t n = 0;
        while (n < c->left.n && c->left.p[n] >= ' ' && (unsigned char)c->left.p[n] < 0x80 && c->left.p[n] != '"' &&
               c->left.p[n] != c->separator)
                n++;
        if (n > sizeof c->bytes - c->n_bytes)
                return bad(c, "the row has more than 65,536 bytes");
        if (n)
                memcpy(c->bytes + c->n_bytes, c->left.p, n);
        c->n_bytes += n;
        c->left = slice_from(c->left, n);
        return true;
}

static bool read_plain(struct csv *c)
{
        if (!add_run(c))
                return false;
        while (c->left.n && !at(c, c->separator) && !line_end(c)) {
                if (at(c, '"'))
                        return bad(c, "quotes stand within a cell that does not begin with them");
                if (at(c, '\r'))
                        return bad(c, "a carriage return without a line feed");
                if (!add_character(c))
                        return false;
        }
        return true;
}

static bool read_row(struct csv *c)
{
        for (;;) {
                size_t start = c->n_bytes;
                if (c->n_cells == CSV_CELLS_MOST)
                        return bad(c, "the row has more than 64 cells");
                if (!(at(c, '"') ? read_quoted(c) : read_plain(c)))
                        return false;
                c->cells[c->n_cells++] = (struct slice){ c->bytes + start, c->n_bytes - start };
                if (!at(c, c->separator))
                        break;
                c->left = slice_from(c->left, 1);
        }
        if (c->left.n) {
                c->left = slice_from(c->left, line_end(c));
                c->line++;
        }
        return true;
}

static void pass_line(struct csv *c)
{
        size_t n = slice_find(c->left, '\n');
        c->left = slice_from(c->left, n < c->left.n ? n + 1 : n);
        c->line++;
}

enum csv_found csv_next(struct csv *c)
{
        size_t n;
        while ((n = line_end(c))) {
                c->left = slice_from(c->left, n);
                c->line++;
        }
        c->n_cells = c->n_bytes = 0;
        c->row_line = c->line;
        c->wrong = NULL;
        if (c->left.n == 0)
                return CSV_END;
        if (read_row(c))
                return CSV_ROW;
        pass_line(c);
        return CSV_BAD;
}

void csv_put(struct buf *out, struct slice cell)
{
        bool quoted = cell.n && (cell.p[0] == ' ' || cell.p[cell.n - 1] == ' ');
        for (size_t i = 0; i < cell.n; i++)
                quoted = quoted || memchr(",;\"\r\n", cell.p[i], 5);
        if (!quoted) {
                buf_add(out, cell);
                return;
        }
        buf_addc(out, '"');
        for (size_t i = 0; i < cell.n; i++) {
                if (cell.p[i] == '"')
                        buf_addc(out, '"');
                buf_addc(out, cell.p[i]);
        }
        buf_addc(out, '"');
}

/* The last four are = + - @ as wide characters: some spreadsheets read them as the narrow ones. */
static bool begins_formula(struct slice s)
{
        static const struct slice signs[] = {
                S("="),           S("+"), S("-"), S("@"), S("\xef\xbc\x9d"), S("\xef\xbc\x8b"), S("\xef\xbc\x8d"),
                S("\xef\xbc\xa0")
        };
        for (size_t i = 0; i < COUNT_OF(signs); i++)
                if (slice_starts(s, signs[i]))
                        return true;
        return false;
}

void csv_put_foreign(struct buf *out, struct slice cell)
{
        autobuf shown, safe;
        buf_init(&shown, SIZE_MAX);
        buf_init(&safe, SIZE_MAX);
        buf_add_shown(&shown, cell); /* tabs and line ends are no more */
        for (size_t i = 0; i < shown.n; i++) {
                if ((i == 0 || memchr(",;\"", shown.p[i - 1], 3)) && begins_formula(slice_from(buf_slice(&shown), i)))
                        buf_addc(&safe, '\'');
                buf_addc(&safe, shown.p[i]);
        }
        csv_put(out, buf_slice(&safe));
}
