/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/outbox.h"

void outbox_done(struct outbox *o)
{
        outbox_drop(o, o->n);
        free(o->rows);
        *o = (struct outbox){ 0 };
}

bool outbox_put(struct outbox *o, const struct tally_row *row)
{
        char text[SKETCH_BYTES_MOST];
        if (o->n == OUTBOX_MOST)
                return false;
        struct slice hosts = sketch_encode(&row->hosts, text);
        o->rows = xgrow(o->rows, &o->cap, o->n + 1, sizeof *o->rows);
        o->rows[o->n++] = (struct outbox_row){ .prefix = row->prefix,
                                               .label = row->label,
                                               .n_hosts = (uint16_t)hosts.n,
                                               .at = row->first,
                                               .seconds = (row->last - row->first + SECOND - 1) / SECOND,
                                               .count = row->count,
                                               .hosts = slice_dup(hosts) };
        return true;
}

size_t outbox_batch(const struct outbox *o, struct sighting out[OUTBOX_BATCH])
{
        size_t n = o->n < OUTBOX_BATCH ? o->n : OUTBOX_BATCH;
        for (size_t i = 0; i < n; i++) {
                const struct outbox_row *row = &o->rows[i];
                /* a sum of many connections has no port of the customer's */
                out[i] = (struct sighting){ .source = S("kernel"),
                                            .prefix = row->prefix,
                                            .at = row->at,
                                            .seconds = row->seconds,
                                            .count = row->count,
                                            .strategy = tally_label_strategy(row->label),
                                            .hosts = { row->hosts, row->n_hosts },
                                            .detail = tally_label_detail(row->label) };
        }
        return n;
}

int64_t outbox_drop(struct outbox *o, size_t n)
{
        int64_t count = 0;
        for (size_t i = 0; i < n; i++) {
                count += o->rows[i].count;
                free(o->rows[i].hosts);
        }
        if (n)
                memmove(o->rows, o->rows + n, (o->n - n) * sizeof *o->rows);
        o->n -= n;
        return count;
}
