/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/frames.h"
#include "ledger/verbs.h"
#include "ledger/wire.h"

#include <errno.h>

void frame_sightings_add(struct buf *b, const struct sighting *all, size_t n, int64_t lost, int64_t lost_at)
{
        size_t start = b->n;
        ipc_begin(b, VERB_sightings_add);
        ipc_put_int(b, lost);
        ipc_put_int(b, lost_at);
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++)
                wire_put_sighting(b, &all[i]);
        ipc_end(b, start);
}

void frame_ban_add(struct buf *out, const struct ban *b)
{
        size_t start = out->n;
        ipc_begin(out, VERB_ban_add);
        wire_put_prefix(out, &b->prefix);
        ipc_put_int(out, b->until);
        ipc_put_text(out, b->reason);
        ipc_put_text(out, b->evidence);
        ipc_put_int(out, b->by_rule);
        ipc_end(out, start);
}

int frame_answer(struct slice *in, int *status, struct slice *reason)
{
        struct ipc_reader r;
        int64_t size = ipc_frame(*in, &r);
        if (size <= 0)
                return (int)size;
        *in = slice_from(*in, (size_t)size);
        *status = (int)ipc_int(&r);
        *reason = ipc_text(&r);
        return r.bad ? -EBADMSG : 1;
}
