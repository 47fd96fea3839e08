/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/maillog_suspects.h"

static int by_excess(const void *a, const void *b)
{
        const struct limits_caught *x = *(const struct limits_caught *const *)a,
                                   *y = *(const struct limits_caught *const *)b;
        double over_x = (double)x->total / (double)x->limit->after, over_y = (double)y->total / (double)y->limit->after;
        return over_x < over_y ? 1 : over_x > over_y ? -1 : slice_cmp(x->key, y->key);
}

size_t maillog_suspects(const struct limits *l, const struct limits_caught ***ret)
{
        const struct limits_caught *c, **v = NULL;
        size_t n = 0, cap = 0;
        for (size_t i = 0; (c = limits_next(l, &i));) {
                v = xgrow(v, &cap, n + 1, sizeof *v);
                v[n++] = c;
        }
        if (n)
                qsort(v, n, sizeof *v, by_excess);
        *ret = v;
        return n;
}

uint64_t maillog_suspect_least(const struct limits_caught *c)
{
        return c->total > c->count ? c->total : c->count;
}

void maillog_suspect_json(struct json *j, const struct limits_caught *c)
{
        json_string(j, "limit", c->limit->name);
        json_string(j, "by", slice_of(mail_limit_key_name(c->limit->by)));
        json_string(j, "then", slice_of(mail_limit_then_name(c->limit->then)));
        json_string(j, "who", c->key);
        json_time(j, "since", c->since);
        json_time(j, "at", c->at);
        json_time(j, "until", c->until);
        json_int(j, "count", (int64_t)c->count);
        json_int(j, "total", (int64_t)c->total);
        json_int(j, "times", (int64_t)c->times);
        json_array(j, "lines");
        for (size_t k = 0; k < c->n_lines; k++)
                json_string(j, NULL, c->lines[k]);
        json_array_end(j);
}
