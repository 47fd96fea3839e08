/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/literal.h"

enum { LANES = 16, AT_ONCE = 64, CASE = 0x20 };

/* Sixteen bytes at any address: gcc and clang make vector instructions of it on every processor that has them. */
typedef uint8_t lanes __attribute__((vector_size(LANES), aligned(1), may_alias));

static char fold(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c + CASE) : c;
}

void literal_init(struct literal *l, struct slice text)
{
        if (!text.n)
                panic("a literal of nothing");
        l->n = text.n < LITERAL_MOST ? text.n : LITERAL_MOST;
        for (size_t i = 0; i < l->n; i++)
                l->text[i] = fold(text.p[i]);
}

static bool is_here(const struct literal *l, const char *p)
{
        for (size_t i = 0; i < l->n; i++)
                if (fold(p[i]) != l->text[i])
                        return false;
        return true;
}

static const char *find_slowly(const struct literal *l, const char *p, size_t places)
{
        for (size_t i = 0; i < places; i++)
                if ((p[i] | CASE) == (l->text[0] | CASE) && is_here(l, p + i))
                        return p + i;
        return NULL;
}

/* Setting the bit of the case makes letters equal, and a few other pairs, too: is_here() tells. */
static lanes agree(const char *p, lanes byte)
{
        return (lanes)((*(const lanes *)(const void *)p | ((lanes){ 0 } + CASE)) == byte);
}

static bool any(lanes a, lanes b, lanes c, lanes d)
{
        uint64_t w[2];
        lanes all = a | b | c | d;
        memcpy(w, &all, sizeof w);
        return w[0] | w[1];
}

const char *literal_find(const struct literal *l, struct slice in)
{
        if (in.n < l->n)
                return NULL;
        const size_t middle = l->n / 2, last = l->n - 1, places = in.n - last;
        const lanes none = { 0 }, first_byte = none + (uint8_t)(l->text[0] | CASE),
                    middle_byte = none + (uint8_t)(l->text[middle] | CASE),
                    last_byte = none + (uint8_t)(l->text[last] | CASE);
        size_t i = 0;
        for (; i + AT_ONCE <= places; i += AT_ONCE) {
                lanes hits[AT_ONCE / LANES];
                for (size_t k = 0; k < COUNT_OF(hits); k++) {
                        const char *p = in.p + i + k * LANES;
                        hits[k] = agree(p, first_byte) & agree(p + middle, middle_byte) & agree(p + last, last_byte);
                }
                const char *hit = any(hits[0], hits[1], hits[2], hits[3]) ? find_slowly(l, in.p + i, AT_ONCE) : NULL;
                if (hit)
                        return hit;
        }
        return find_slowly(l, in.p + i, places - i);
}
