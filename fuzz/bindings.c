/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any events in any order: no lease is empty or without its line, and the same events tell the same live as from a file's end. */
#include "identity/bindings.h"

#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void look(void *arg, const struct lease *l, bool settled)
{
        (void)settled;
        *(size_t *)arg += l->end != l->start;
        if (l->end < l->start || l->user.n == 0 || l->line.kind.n == 0)
                panic("a lease that is none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const char names[] = "abcd";
        size_t told = 0;
        const struct bindings_rules rules = { .most = 16, .live = n & 1, .settle = MINUTE, .emit = look, .arg = &told };
        autobindings *b = bindings_new(&rules);
        int64_t clock = INT64_C(1700000000) * SECOND;
        for (size_t i = 0; i + 8 <= n; i += 8) {
                const uint8_t *d = data + i;
                clock += (int64_t)d[0] * d[0] * SECOND - 4 * MINUTE;
                struct event e = { .kind = d[1] & 3, .at = clock, .expires = TIME_NEVER, .source = S("x") };
                e.start = d[1] & 4 ? clock - d[2] * MINUTE : 0;
                e.expires = d[1] & 8 ? clock + d[2] * MINUTE : TIME_NEVER;
                e.nas = (struct slice){ names + (d[3] & 1), 1 };
                e.session = (struct slice){ names, (d[3] >> 1) & 1 };
                e.user = (struct slice){ names + ((d[3] >> 2) & 3), (d[3] >> 4) & 1 };
                e.line = d[3] & 32 ? (struct line){ S("user"), e.user.n ? e.user : S("z") } : (struct line){ 0 };
                for (e.n_held = 0; e.n_held < (d[4] & 3); e.n_held++)
                        e.held[e.n_held].prefix = (struct prefix){ { { d[5 + e.n_held] & 3 } }, 64 };
                bindings_event(b, &e);
                if (d[4] & 4)
                        bindings_tick(b, clock);
        }
        bindings_finish(b, clock);
        return 0;
}
