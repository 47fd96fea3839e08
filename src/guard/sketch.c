/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard/sketch.h"
#include "base/map.h"

#include <math.h>

/* 8 bits of the hash choose the register; of the other 56 the first 1 is at 1 … 56, or there is none. */
enum { VALUE_MOST = 57 };

void sketch_init(struct sketch *s)
{
        *s = (struct sketch){ .registers = { 0 } };
}

static void raise_to(struct sketch *s, uint8_t at, uint8_t value)
{
        if (s->registers[at] < value)
                s->registers[at] = value;
}

void sketch_add(struct sketch *s, const uint8_t key[16], struct slice item)
{
        uint64_t hash = hash_with_key(key, item);
        uint64_t rest = hash << 8;
        raise_to(s, (uint8_t)(hash >> 56), rest ? (uint8_t)(__builtin_clzll(rest) + 1) : VALUE_MOST);
}

static bool is_sketch(struct slice e)
{
        bool dense = e.n == SKETCH_REGISTERS;
        if (!dense && (e.n % 2 || e.n > 2 * SKETCH_SPARSE_MOST))
                return false;
        for (size_t i = 0; i < e.n; i++) {
                uint8_t value = (uint8_t)e.p[i];
                bool is_value = dense || i % 2;
                if (is_value && (value > VALUE_MOST || (!dense && value == 0)))
                        return false;
                if (!is_value && i && value <= (uint8_t)e.p[i - 2])
                        return false;
        }
        return true;
}

bool sketch_merge(struct sketch *s, struct slice e)
{
        if (!is_sketch(e))
                return false;
        bool dense = e.n == SKETCH_REGISTERS;
        for (size_t i = 0; i < e.n; i += dense ? 1 : 2)
                raise_to(s, dense ? (uint8_t)i : (uint8_t)e.p[i], (uint8_t)e.p[dense ? i : i + 1]);
        return true;
}

struct slice sketch_encode(const struct sketch *s, char out[SKETCH_BYTES_MOST])
{
        size_t set = 0, n = 0;
        for (size_t i = 0; i < SKETCH_REGISTERS; i++)
                set += s->registers[i] != 0;
        if (set > SKETCH_SPARSE_MOST) {
                memcpy(out, s->registers, SKETCH_REGISTERS);
                return (struct slice){ out, SKETCH_REGISTERS };
        }
        for (size_t i = 0; i < SKETCH_REGISTERS; i++)
                if (s->registers[i]) {
                        out[n++] = (char)i;
                        out[n++] = (char)s->registers[i];
                }
        return (struct slice){ out, n };
}

uint64_t sketch_count(const struct sketch *s)
{
        const double m = SKETCH_REGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
        double sum = 0, empty = 0;
        for (size_t i = 0; i < SKETCH_REGISTERS; i++) {
                sum += ldexp(1, -s->registers[i]);
                empty += s->registers[i] == 0;
        }
        double estimate = alpha * m * m / sum;
        if (estimate <= 2.5 * m && empty > 0)
                estimate = m * log(m / empty);
        if (estimate > 1e18) /* only a hostile sketch says so */
                estimate = 1e18;
        return (uint64_t)(estimate + 0.5);
}

uint64_t sketch_estimate(struct slice encoded)
{
        struct sketch s;
        sketch_init(&s);
        return sketch_merge(&s, encoded) ? sketch_count(&s) : 0;
}
