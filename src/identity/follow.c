/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/follow.h"

struct follow {
        struct tail *tail;
        char heading[FOLLOW_HEADING_MOST];
};

struct follow *follow_new(const char *path)
{
        struct follow *f = xcalloc(1, sizeof *f);
        f->tail = tail_new(&(struct tail_options){ .path = path, .grace = FOLLOW_GRACE });
        return f;
}

void follow_free(struct follow *f)
{
        if (!f)
                return;
        tail_free(f->tail);
        free(f);
}

struct tail *follow_tail(struct follow *f)
{
        return f->tail;
}

void follow_place(struct follow *f, const struct reader_place *p, struct buf *out)
{
        char before[TAIL_BEFORE];
        struct tail_place place;
        if (p->heading.n > FOLLOW_HEADING_MOST)
                return;
        size_t n = tail_before(f->tail, p->offset, before);
        tail_place(f->tail, p->offset, (struct slice){ before, n }, &place);
        if (place.inode == 0)
                return;
        tail_place_print(&place, out);
        buf_addf(out, " %llu ", (unsigned long long)p->line);
        for (size_t i = 0; i < p->heading.n; i++)
                buf_addf(out, "%02x", (unsigned char)p->heading.p[i]);
}

static int nibble(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_heading(struct follow *f, struct slice hex)
{
        if (hex.n % 2 || hex.n / 2 > sizeof f->heading)
                return false;
        for (size_t i = 0; i < hex.n; i += 2) {
                int high = nibble(hex.p[i]), low = nibble(hex.p[i + 1]);
                if (high < 0 || low < 0)
                        return false;
                f->heading[i / 2] = (char)(high << 4 | low);
        }
        return true;
}

bool follow_resume(struct follow *f, struct slice text, struct reader_place *ret)
{
        struct tail_place place;
        uint64_t line;
        if (!tail_place_parse(text, &place, &text) || !slice_u64(slice_cut(text, ' ', &text), UINT64_MAX, &line) ||
            !parse_heading(f, text))
                return false;
        if (tail_resume(f->tail, &place) != 1)
                return false;
        *ret = (struct reader_place){ place.offset, line, { f->heading, text.n / 2 } };
        return true;
}
