/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/rows.h"

#include <errno.h>

struct rows rows_of(struct ledger *l, struct arena *a, size_t size)
{
        return (struct rows){ .ledger = l, .arena = a, .size = size };
}

void *rows_add(struct rows *r)
{
        void *all = arena_grow(r->arena, r->all, &r->cap, r->n + 1, r->size);
        if (!all) {
                r->full = true;
                return NULL;
        }
        r->all = all;
        return (char *)all + r->size * r->n++;
}

int rows_done(struct rows *r, int status, void **ret, size_t *n)
{
        if (status == 0 && (r->full || arena_full(r->arena)))
                status = db_fail(r->ledger, -ENOMEM, "the answer is larger than the memory given to it");
        if (status == 0) {
                *ret = r->all;
                *n = r->n;
        }
        return status;
}
