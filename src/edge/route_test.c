/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/route.h"
#include "ledger/test_support.h"

static const struct mail_rules rules = { .reuse_after = 180 * DAY, .network = { "example.net", 11 } };

enum { TARGETS = 8 };

static int mailbox(struct a_ledger *t, const char *address, const char *forward, bool keep)
{
        struct slice target = slice_of(forward);
        struct mailbox_change c = { .value = { .address = slice_of(address),
                                               .subscriber = S("1"),
                                               .forwards = &target,
                                               .n_forwards = forward != NULL,
                                               .keep = keep },
                                    .forwards = forward != NULL,
                                    .keep = forward != NULL };
        return client_mailbox(t->client, &c, MAILBOX_ADD, &rules);
}

/* `to`: addresses parted by blanks. */
static int alias(struct a_ledger *t, const char *address, const char *to)
{
        struct slice targets[TARGETS], rest = slice_of(to);
        size_t n = 0;
        while (rest.p && n < TARGETS)
                targets[n++] = slice_cut(rest, ' ', &rest);
        return client_alias(t->client, slice_of(address), targets, n, true, &rules);
}

static int a_network(void **state)
{
        if (a_ledger_new(state))
                return -1;
        struct a_ledger *t = *state;
        struct slice catch_all = S("eva@example.net");
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, client_domain(t->client, S("example.net"), true, S("ana@example.net"), NULL));
        assert_yes(t, client_domain(t->client, S("shop.example"), true, S("desk@example.org"), NULL));
        assert_yes(t, client_domain(t->client, S("catch.example"), true, S("ana@example.net"), &catch_all));
        assert_yes(t, mailbox(t, "ana@example.net", NULL, false));
        assert_yes(t, mailbox(t, "eva@example.net", NULL, false));
        assert_yes(t, mailbox(t, "rui@example.net", "far@example.org", true));
        assert_yes(t, mailbox(t, "gone@example.net", "far@example.org", false));
        assert_yes(t, mailbox(t, "moved@example.net", "eva@example.net", false));
        assert_yes(t, alias(t, "sales@shop.example", "ana@example.net rui@example.net"));
        assert_yes(t, alias(t, "all@shop.example", "sales@shop.example ana@example.net moved@example.net"));
        assert_yes(t, alias(t, "dead@shop.example", "nobody@example.net"));
        assert_yes(t, alias(t, "half@shop.example", "nobody@example.net ana@example.net"));
        assert_yes(t, client_mailbox_suspend(t->client, S("eva@example.net"), S("spam")));
        return 0;
}

static void where_mail_goes(void **state)
{
        static const struct {
                const char *address;
                enum route_found found;
                const char *boxes; /* as found, parted by blanks */
                size_t foreign, nobody;
        } rows[] = {
                { "ana@example.net", ROUTE_HERE, "ana@example.net", 0, 0 },
                { "Ana@EXAMPLE.net", ROUTE_HERE, "ana@example.net", 0, 0 },
                { "eva@example.net", ROUTE_HERE, "eva@example.net", 0, 0 }, /* suspended */
                { "abuse@example.net", ROUTE_HERE, "ana@example.net", 0, 0 },
                { "POSTMASTER@example.net", ROUTE_HERE, "ana@example.net", 0, 0 },
                { "abuse@shop.example", ROUTE_FOREIGN, "", 1, 0 },
                { "rui@example.net", ROUTE_HERE, "rui@example.net", 1, 0 },
                { "gone@example.net", ROUTE_FOREIGN, "", 1, 0 },
                { "moved@example.net", ROUTE_HERE, "eva@example.net", 0, 0 },
                { "sales@shop.example", ROUTE_HERE, "ana@example.net rui@example.net", 1, 0 },
                { "all@shop.example", ROUTE_HERE, "ana@example.net eva@example.net rui@example.net", 1, 0 },
                { "dead@shop.example", ROUTE_NOWHERE, "", 0, 1 },
                { "half@shop.example", ROUTE_HERE, "ana@example.net", 0, 1 },
                { "anybody@catch.example", ROUTE_HERE, "eva@example.net", 0, 0 },
                { "abuse@catch.example", ROUTE_HERE, "ana@example.net", 0, 0 },
                { "nobody@example.net", ROUTE_UNKNOWN, "", 0, 1 },
                { "x@example.org", ROUTE_ELSEWHERE, "", 1, 0 },
                { "ana@sub.example.net", ROUTE_ELSEWHERE, "", 1, 0 },
                /* nobody of ours, however it is written */
                { "ana%example.org@example.net", ROUTE_UNKNOWN, "", 0, 1 },
                { "example.org!ana@example.net", ROUTE_UNKNOWN, "", 0, 1 },
                { "\"../../etc/passwd\"@example.net", ROUTE_UNKNOWN, "", 0, 1 },
                { "\"ana@example.org\"@example.net", ROUTE_ELSEWHERE, "", 1, 0 },
                { "' OR '1'='1@example.net", ROUTE_UNKNOWN, "", 0, 1 },
                { "ana@[192.0.2.1]", ROUTE_ELSEWHERE, "", 1, 0 },
                { "ana@", ROUTE_ELSEWHERE, "", 1, 0 },
                { "", ROUTE_ELSEWHERE, "", 1, 0 },
        };
        struct a_ledger *t = *state;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct route r;
                autobuf got;
                buf_init(&got, 4096);
                assert_int_equal(route_find(t->reader, t->arena, NULL, slice_of(rows[i].address), &r), 0);
                for (size_t k = 0; k < r.n; k++)
                        buf_addf(&got, "%s%.*s", k ? " " : "", SLICE_ARGS(r.boxes[k].address));
                if (r.found != rows[i].found || r.foreign != rows[i].foreign || r.nobody != rows[i].nobody ||
                    strcmp(buf_cstr(&got), rows[i].boxes) != 0)
                        fail_msg("%s: found %d, foreign %zu, nobody %zu, boxes %s", rows[i].address, r.found, r.foreign,
                                 r.nobody, buf_cstr(&got));
        }
}

/* The ledger refuses a loop; one that is there all the same ends. */
static void round_and_round(void **state)
{
        struct a_ledger *t = *state;
        struct route r;
        assert_yes(t, alias(t, "one@shop.example", "two@shop.example"));
        assert_no(t, alias(t, "two@shop.example", "one@shop.example"), "round and round");
        struct alias one;
        assert_yes(t, alias(t, "two@shop.example", "ana@example.net"));
        assert_int_equal(ledger_alias(t->reader, t->arena, S("two@shop.example"), &one), 0);
        assert_int_equal(force_target(t, one.number, "one@shop.example"), 0);
        assert_int_equal(route_find(t->reader, t->arena, NULL, S("one@shop.example"), &r), 0);
        assert_int_equal(r.found, ROUTE_NOWHERE);
        assert_yes(t, alias(t, "a0@shop.example", "ana@example.net"));
        for (int i = 1; i < ROUTE_STEPS_MOST; i++) {
                autofree char *from = xasprintf("a%d@shop.example", i), *to = xasprintf("a%d@shop.example", i - 1);
                assert_yes(t, alias(t, from, to));
        }
        assert_int_equal(route_find(t->reader, t->arena, NULL, S("a9@shop.example"), &r), 0);
        assert_true(r.found == ROUTE_HERE && r.n == 1);
        assert_no(t, alias(t, "a10@shop.example", "a9@shop.example"), "more than");
}

static void the_quota_is_that_of_the_chain(void **state)
{
        struct a_ledger *t = *state;
        struct route r;
        struct mailbox_change c = { .value = { .address = S("ana@example.net"), .limits = mail_limits_inherit } };
        assert_int_equal(route_find(t->reader, t->arena, NULL, S("ana@example.net"), &r), 0);
        assert_int_equal(r.boxes[0].quota, LIMIT_NONE);
        c.limits[MAIL_LIMIT_QUOTA] = true;
        c.value.limits.v[MAIL_LIMIT_QUOTA] = 5 << 20;
        assert_yes(t, client_mailbox(t->client, &c, MAILBOX_SET, &rules));
        assert_int_equal(route_find(t->reader, t->arena, NULL, S("abuse@example.net"), &r), 0);
        assert_int_equal(r.boxes[0].quota, 5 << 20);
}

#define T(f) cmocka_unit_test_setup_teardown(f, a_network, a_ledger_free)
int main(void)
{
        const struct CMUnitTest tests[] = { T(where_mail_goes), T(round_and_round), T(the_quota_is_that_of_the_chain) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
