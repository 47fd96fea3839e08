/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Facts in any order of time: nobody is caught twice while it lasts, nor for what he did not do. */
#include "base/time.h"
#include "maillog/limits.h"

static const char policy[] = "mail-limit a { count spam  by client  after 3 over 10m  lasts 20m  except 192.0.2.9 }"
                             "mail-limit b { count spam, recipients  by login  after 5 over 1h  lasts 2m }"
                             "mail-limit c { count refused  by network  after 1 over 1m  lasts 1h }";
static int64_t until[3][16];

static void caught(void *arg, const struct limits_caught *c)
{
        int64_t *last = &until[*c->limit->name.p - 'a'][(c->key.n + (size_t)c->key.p[c->key.n - 1]) % 16];
        if (c->at < *last || c->until != c->at + c->limit->lasts || c->since > c->at)
                panic("caught while caught");
        if (slice_eq(c->key, S("192.0.2.9")) || c->count < (uint64_t)c->limit->after || c->count > *(uint64_t *)arg)
                panic("caught for nothing");
        *last = c->until;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const char *const names[] = { "192.0.2.1", "192.0.2.2", "192.0.2.9", "2001:db8::1", "" };
        static const char *const logins[] = { "Ana", "ana", "b", "" };
        static struct rules *r;
        autodiags *d = diags_new();
        uint64_t all = 0;
        r = r ? r : rules_new(policy_parse_mail(&(struct policy_input){ .text = slice_of(policy) }, d), d);
        struct limits *l = limits_new(r, (struct limits_who){ .caught = caught, .arg = &all });
        memset(until, 0, sizeof until);
        for (; n >= 4; data += 4, n -= 4) {
                struct slice client = slice_of(names[data[0] % 5]), login = slice_of(logins[data[0] / 5 % 4]);
                all += 1u + (data[3] >> 5);
                limits_count(l, &(struct limits_fact){ 1000 * DAY + (data[1] << 8 | data[2]) * SECOND,
                                                       data[3] & 1 ? CATEGORY_SPAM : 0, data[3] >> 1 & 15, 1,
                                                       data[3] >> 5, client, login, S("line\n") });
        }
        limits_free(l);
        return 0;
}
