/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text is a policy or has mistakes; a policy flattens to the same policy, and decides about anyone without harm. */
#include "policy/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void decide_about_many(const struct policy *p)
{
        for (size_t i = 0; i < p->n_prefixes && i < 100; i++) {
                const struct addr *a = &p->prefixes[i].prefix.addr;
                struct decide_query q = { .at = p->n_waves ? p->waves[0].from : 0, .addr = a };
                q.own_class = i % 2 ? p->n_classes : 0;
                q.pool = policy_find_prefix(p, a)->pool;
                if (policy_decide(p, &q).strategy == STRATEGY_NONE)
                        panic("a customer without a strategy");
                policy_find_inside(p, a);
                policy_find_exemption(p, S("1"), a, policy_next_change(p, q.at));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct policy_input in = { .name = S("fuzz.conf"), .text = { (const char *)data, n } };
        autodiags *d = diags_new(), *again = diags_new();
        autobuf said, flat;
        buf_init(&said, 64 << 20);
        buf_init(&flat, 64 << 20);
        autopolicy *p = policy_parse(&in, d);
        diags_print(d, &said);
        if (!p)
                return 0;
        decide_about_many(p);
        policy_flatten(d, &flat);
        in.text = buf_slice(&flat);
        autopolicy *q = policy_parse(&in, again);
        if (!q || q->n_prefixes != p->n_prefixes || q->n_waves != p->n_waves)
                panic("flattened it is another policy");
        return 0;
}
