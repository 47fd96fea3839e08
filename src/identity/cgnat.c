/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/cgnat.h"

/* Numbers of addresses: an IPv6 prefix has more than 64 bits count. */
#define COUNT unsigned __int128
#define COUNT_MOST (~(COUNT)0)

struct run {
        struct prefix prefix;
        COUNT first; /* the number of its first address */
};

struct side {
        struct run *in_order, *by_address;
        size_t n;
        COUNT total;
};

struct cgnat_version {
        const struct policy_cgnat *block;
        int64_t until;
        struct side sides[2]; /* by enum cgnat_side */
        uint32_t blocks;      /* an outside address has */
};

struct cgnat {
        struct cgnat_version *versions; /* by name, then `from` */
        size_t n;
};

static COUNT number_of(const struct addr *a)
{
        COUNT n = 0;
        for (size_t i = 0; i < sizeof a->b; i++)
                n = n << 8 | a->b[i];
        return n;
}

static struct addr address_of(COUNT n)
{
        struct addr a;
        for (size_t i = sizeof a.b; i-- > 0; n >>= 8)
                a.b[i] = (uint8_t)n;
        return a;
}

static COUNT plus(COUNT a, COUNT b)
{
        return a > COUNT_MOST - b ? COUNT_MOST : a + b;
}

static int by_address(const void *a, const void *b)
{
        const struct run *x = a, *y = b;
        return prefix_cmp(&x->prefix, &y->prefix);
}

static void side_init(struct side *s, const struct prefix *prefixes, size_t n)
{
        *s = (struct side){ .in_order = xcalloc(n, sizeof *s->in_order),
                            .by_address = xcalloc(n, sizeof *s->by_address),
                            .n = n };
        for (size_t i = 0; i < n; i++) {
                unsigned bits = 128u - prefixes[i].len;
                s->in_order[i] = s->by_address[i] = (struct run){ prefixes[i], s->total };
                s->total = plus(s->total, bits == 128 ? COUNT_MOST : (COUNT)1 << bits);
        }
        if (n)
                qsort(s->by_address, n, sizeof *s->by_address, by_address);
}

/* The number of an address of this side: false where it has none. Prefixes of one side never overlap. */
static bool side_number(const struct side *s, const struct addr *a, COUNT *ret)
{
        size_t low = 0, high = s->n;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (addr_cmp(&s->by_address[middle].prefix.addr, a) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == 0 || !prefix_has(&s->by_address[low - 1].prefix, a))
                return false;
        const struct run *r = &s->by_address[low - 1];
        *ret = r->first + (number_of(a) - number_of(&r->prefix.addr));
        return true;
}

/* number < s->total */
static struct addr side_address(const struct side *s, COUNT number)
{
        size_t low = 0, high = s->n;
        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;
                if (s->in_order[middle].first <= number)
                        low = middle;
                else
                        high = middle;
        }
        const struct run *r = &s->in_order[low];
        return address_of(number_of(&r->prefix.addr) + (number - r->first));
}

static int by_name_and_from(const void *a, const void *b)
{
        const struct cgnat_version *x = a, *y = b;
        int order = slice_cmp(x->block->name, y->block->name);
        return order ? order : (x->block->from > y->block->from) - (x->block->from < y->block->from);
}

struct cgnat *cgnat_new(const struct policy *p)
{
        struct cgnat *c = xcalloc(1, sizeof *c);
        c->versions = xcalloc(p->n_cgnats, sizeof *c->versions);
        for (; c->n < p->n_cgnats; c->n++) {
                const struct policy_cgnat *b = &p->cgnats[c->n];
                struct cgnat_version *v = &c->versions[c->n];
                *v = (struct cgnat_version){ .block = b, .until = TIME_NEVER };
                v->blocks = (1u + b->port_high - b->port_low) / b->block;
                side_init(&v->sides[CGNAT_INSIDE], b->inside, b->n_inside);
                side_init(&v->sides[CGNAT_OUTSIDE], b->outside, b->n_outside);
        }
        if (c->n)
                qsort(c->versions, c->n, sizeof *c->versions, by_name_and_from);
        for (size_t i = 1; i < c->n; i++)
                if (slice_eq(c->versions[i - 1].block->name, c->versions[i].block->name))
                        c->versions[i - 1].until = c->versions[i].block->from;
        return c;
}

void cgnat_free(struct cgnat *c)
{
        for (size_t i = 0; c && i < c->n; i++)
                for (size_t k = 0; k < COUNT_OF(c->versions[i].sides); k++) {
                        free(c->versions[i].sides[k].in_order);
                        free(c->versions[i].sides[k].by_address);
                }
        if (c)
                free(c->versions);
        free(c);
}

void cgnat_free_(struct cgnat **c)
{
        cgnat_free(*c);
}

const struct cgnat_version *cgnat_next(const struct cgnat *c, enum cgnat_side side, const struct addr *a, int64_t since,
                                       int64_t until, size_t *at)
{
        COUNT number;
        while (*at < c->n) {
                const struct cgnat_version *v = &c->versions[(*at)++];
                if (v->block->from <= until && v->until > since && side_number(&v->sides[side], a, &number))
                        return v;
        }
        return NULL;
}

bool cgnat_realm(const struct cgnat *c, const struct addr *inside, struct slice *ret)
{
        size_t at = 0;
        const struct cgnat_version *v = cgnat_next(c, CGNAT_INSIDE, inside, INT64_MIN, INT64_MAX, &at);
        if (v)
                *ret = v->block->name;
        return v != NULL;
}

const struct policy_cgnat *cgnat_block(const struct cgnat_version *v)
{
        return v->block;
}

int64_t cgnat_until(const struct cgnat_version *v)
{
        return v->until;
}

/* Block number `block` of an outside address, which inside address number `number` has. */
static struct cgnat_share share_of(const struct cgnat_version *v, struct addr outside, uint32_t block, COUNT number)
{
        uint32_t low = v->block->port_low + block * v->block->block;
        return (struct cgnat_share){ .inside = side_address(&v->sides[CGNAT_INSIDE], number),
                                     .outside = outside,
                                     .port_low = (uint16_t)low,
                                     .port_high = (uint16_t)(low + v->block->block - 1) };
}

bool cgnat_outward(const struct cgnat_version *v, const struct addr *inside, struct cgnat_share *ret)
{
        COUNT number;
        if (v->block->logged || !side_number(&v->sides[CGNAT_INSIDE], inside, &number) ||
            number / v->blocks >= v->sides[CGNAT_OUTSIDE].total)
                return false;
        struct addr outside = side_address(&v->sides[CGNAT_OUTSIDE], number / v->blocks);
        *ret = share_of(v, outside, (uint32_t)(number % v->blocks), number);
        return true;
}

/* The number of the first inside address of an outside one, and how many there are. */
static size_t first_sharer(const struct cgnat_version *v, const struct addr *outside, COUNT *ret)
{
        COUNT number, total = v->sides[CGNAT_INSIDE].total;
        if (v->block->logged || !side_number(&v->sides[CGNAT_OUTSIDE], outside, &number) ||
            __builtin_mul_overflow(number, (COUNT)v->blocks, ret) || *ret >= total)
                return 0;
        COUNT left = total - *ret;
        return left < v->blocks ? (size_t)left : v->blocks;
}

bool cgnat_inward(const struct cgnat_version *v, const struct addr *outside, uint16_t port, struct cgnat_share *ret)
{
        COUNT first;
        size_t n = first_sharer(v, outside, &first);
        if (port < v->block->port_low || port > v->block->port_high)
                return false;
        uint32_t block = (uint32_t)(port - v->block->port_low) / v->block->block;
        if (block >= n)
                return false;
        *ret = share_of(v, *outside, block, first + block);
        return true;
}

size_t cgnat_sharers(const struct cgnat_version *v, const struct addr *outside)
{
        COUNT first;
        return first_sharer(v, outside, &first);
}

struct cgnat_share cgnat_sharer(const struct cgnat_version *v, const struct addr *outside, size_t k)
{
        COUNT first;
        size_t n = first_sharer(v, outside, &first);
        if (k >= n)
                panic("cgnat: sharer %zu of %zu", k, n);
        return share_of(v, *outside, (uint32_t)k, first + k);
}
