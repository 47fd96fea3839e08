/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sum and the hash of segments. Four lanes of multiply and rotate: gigabytes a second, so that checking costs less than reading. */
#include "ledger/segment_format.h"

static const uint64_t odd[2] = { 0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f };

static uint64_t rotate(uint64_t v, unsigned by)
{
        return v << by | v >> (64 - by);
}

static void round_of(struct segment_sum *s, const uint8_t *p)
{
        for (size_t i = 0; i < 4; i++) {
                uint64_t v;
                memcpy(&v, p + 8 * i, sizeof v);
                s->lane[i] = rotate(s->lane[i] + v * odd[1], 31) * odd[0];
        }
}

void segment_sum_init(struct segment_sum *s)
{
        *s = (struct segment_sum){ .lane = { odd[0] + odd[1], odd[1], 0, -odd[0] } };
}

void segment_sum_add(struct segment_sum *s, const void *data, size_t n)
{
        const uint8_t *p = data;
        size_t have = s->n % sizeof s->rest;
        s->n += n;
        if (have) {
                size_t room = sizeof s->rest - have, some = n < room ? n : room;
                memcpy(s->rest + have, p, some);
                p += some;
                n -= some;
                if (some == room)
                        round_of(s, s->rest);
        }
        for (; n >= sizeof s->rest; p += sizeof s->rest, n -= sizeof s->rest)
                round_of(s, p);
        if (n)
                memcpy(s->rest + s->n % sizeof s->rest - n, p, n);
}

uint64_t segment_sum_end(const struct segment_sum *s)
{
        struct segment_sum t = *s;
        size_t have = t.n % sizeof t.rest;
        if (have) {
                memset(t.rest + have, 0, sizeof t.rest - have);
                round_of(&t, t.rest);
        }
        uint64_t sum = t.n;
        for (size_t i = 0; i < 4; i++)
                sum = rotate((sum ^ t.lane[i]) * odd[0], 27) + odd[1];
        sum = (sum ^ sum >> 33) * odd[1];
        return sum ^ sum >> 29;
}

uint64_t segment_sum_of(const void *p, size_t n)
{
        struct segment_sum s;
        segment_sum_init(&s);
        segment_sum_add(&s, p, n);
        return segment_sum_end(&s);
}

size_t segment_line_text(struct slice kind, struct slice value, char out[SEGMENT_LINE_MOST])
{
        if (kind.n + 1 + value.n > SEGMENT_LINE_MOST)
                return 0;
        memcpy(out, kind.p ? kind.p : "", kind.n);
        out[kind.n] = ':';
        memcpy(out + kind.n + 1, value.p ? value.p : "", value.n);
        return kind.n + 1 + value.n;
}

uint32_t segment_line_hash(const uint8_t key[16], struct slice kind, struct slice value)
{
        char text[SEGMENT_LINE_MOST];
        size_t n = segment_line_text(kind, value, text);
        return (uint32_t)hash_with_key(key, (struct slice){ text, n });
}
