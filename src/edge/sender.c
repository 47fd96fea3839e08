/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/sender.h"

static bool of_legacy(const struct policy_legacy *l, struct slice address)
{
        for (size_t i = 0; i < l->n_senders; i++) {
                struct slice one = l->senders[i];
                bool domain = one.n && one.p[0] == '@';
                if (domain && address.n > one.n && slice_ieq(slice_from(address, address.n - one.n), one))
                        return true;
                if (!domain && slice_ieq(one, address))
                        return true;
        }
        return false;
}

bool sender_allowed(const struct session *s, struct slice address)
{
        if (s->listener->role == EDGE_LEGACY)
                return of_legacy(&s->worker->policy->legacies[s->listener->legacy], address);
        return s->account && account_may_write_as(s->account, address);
}
