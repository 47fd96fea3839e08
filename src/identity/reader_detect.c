/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which format a file is of, by what only that format has. */
#include "identity/reader.h"

static bool contains(struct slice s, struct slice what)
{
        return s.n && memmem(s.p, s.n, what.p, what.n);
}

static struct slice first_line(struct slice head)
{
        if (slice_starts(head, S("\xef\xbb\xbf")))
                head = slice_from(head, 3);
        while (head.n && (head.p[0] == '\n' || head.p[0] == '\r'))
                head = slice_from(head, 1);
        return slice_trim((struct slice){ head.p, slice_find(head, '\n') });
}

static bool has_cell(struct slice line, struct slice word)
{
        char separator = slice_find(line, ',') < line.n ? ',' : ';';
        while (line.n) {
                struct slice cell = slice_trim(slice_cut(line, separator, &line));
                if (cell.n > 2 && cell.p[0] == '"' && cell.p[cell.n - 1] == '"')
                        cell = (struct slice){ cell.p + 1, cell.n - 2 };
                if (slice_ieq(cell, word))
                        return true;
        }
        return false;
}

static bool is_isc_line(struct slice line)
{
        static const char *const words[] = { "ia-na \"", "ia-ta \"", "ia-pd \"", "server-duid ",
                                             "authoring-byte-order " };
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (slice_starts(line, slice_of(words[i])))
                        return true;
        return (slice_starts(line, S("lease ")) && slice_find(line, '{') < line.n) ||
               (slice_starts(line, S("#")) && contains(line, S("dhcpd.leases(5)")));
}

static bool is_detail_line(struct slice line)
{
        return line.n && (line.p[0] == '\t' || line.p[0] == ' ') && contains(line, S("-")) && contains(line, S(" = "));
}

enum reader_format reader_detect(struct slice head)
{
        struct slice heading = first_line(head);
        if (slice_starts(heading, S("address,hwaddr,")))
                return READER_KEA4;
        if (slice_starts(heading, S("address,duid,")))
                return READER_KEA6;
        if (contains(head, S("_NAT_PORT_BLOCK_")) || contains(head, S("_NAT_PBA_")))
                return READER_BLOCKS_JUNOS;
        if (has_cell(heading, S("time")) && has_cell(heading, S("event")))
                return READER_BLOCKS_CSV;
        if (has_cell(heading, S("address")) || has_cell(heading, S("prefix")))
                return READER_CSV;
        bool detail = false;
        while (head.n) {
                struct slice line = slice_cut(head, '\n', &head);
                if (is_isc_line(line))
                        return READER_ISC;
                detail = detail || is_detail_line(line);
        }
        return detail ? READER_DETAIL : READER_FORMAT_COUNT;
}
