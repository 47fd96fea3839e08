/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of rings whose table and slots are any bytes; sums are set right, so that what stands behind them is reached. */
#include "graph/rings_format.h"

#include <math.h>

enum { POINTS = 50, REACHED = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void look(const struct rings *r, size_t series, int64_t from, int64_t length)
{
        struct rings_point points[POINTS];
        rings_read(r, series, from, from + length, POINTS, points);
        for (size_t i = 0; i < POINTS; i++)
                if (isnan(points[i].mean) != isnan(points[i].max) || !(points[i].known >= 0))
                        panic("point %zu of %lld", i, (long long)from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static _Alignas(64) uint8_t file[RINGS_SLOTS_AT + 38388 * sizeof(struct rings_slot)];
        struct rings_series *table = (void *)(file + sizeof(struct rings_header));
        struct rings_slot *slots = (void *)(file + RINGS_SLOTS_AT);
        autobuf why;
        autorings *r = NULL;
        buf_init(&why, 1024);
        for (size_t i = 0; n && i < sizeof file; i += n)
                memcpy(file + i, data, n < sizeof file - i ? n : sizeof file - i);
        *(struct rings_header *)(void *)file = rings_header_made();
        table[0].name_sum = rings_sum(&table[0], offsetof(struct rings_series, name_sum));
        for (size_t i = 0; i < rings_slots(); i += REACHED)
                slots[i].sum = rings_slot_sum(&slots[i]);
        if (rings_of((struct slice){ (const char *)file, sizeof file }, &r, &why) < 0)
                panic("the header is right");
        for (size_t i = 0; i < rings_count(r); i++)
                for (size_t k = 0; k < rings_slots(); k += 997 * REACHED)
                        look(r, i, ((int64_t)slots[k].step % 400000000 + 1) * 10000000, (int64_t)(k + 1) * 60000000);
        return 0;
}
