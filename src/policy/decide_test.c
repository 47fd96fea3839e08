/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char sketch[] =
    "network \"Example\" { timezone America/Sao_Paulo }\n"
    "class home { port25 shift }\n"                                                                 /* 2 */
    "class business { port25 observe }\n"                                                           /* 3 */
    "class corporate { port25 open promise told-first }\n"                                          /* 4 */
    "pool londrina { class home prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56 }\n"         /* 5 */
    "pool fixed { class corporate prefix 192.0.2.0/24 }\n"                                          /* 6 */
    "pool legacy { class home interface vlan120 port25 open }\n"                                    /* 7 */
    "pool tuned { class home prefix 203.0.113.0/24 port25 trap }\n"                                 /* 8 */
    "wave pilot { from 2026-12-01 pool londrina prefix 198.51.100.0/26 port25 observe }\n"          /* 9 */
    "wave first { from 2027-01-11 pool londrina port25 shift }\n"                                   /* 10 */
    "wave all { from 2027-03-01 class home port25 block }\n"                                        /* 11 */
    "wave tuned { from 2027-04-01 pool tuned port25 divert }\n"                                     /* 12 */
    "wave same1 { from 2028-01-01 prefix 198.51.100.0/25 port25 observe }\n"                        /* 13 */
    "wave same2 { from 2028-01-01 pool londrina port25 divert }\n"                                  /* 14 */
    "wave same3 { from 2028-01-01 class home port25 trap }\n"                                       /* 15 */
    "wave same4 { from 2028-01-01 class home port25 block }\n"                                      /* 16 */
    "wave offices { from 2028-06-01 class business, corporate pool fixed, londrina port25 trap }\n" /* 17 */
    "wave near1 { from 2029-01-01 prefix 198.51.100.0/24, 198.51.100.64/27 port25 block }\n"        /* 18 */
    "wave near2 { from 2029-01-01 prefix 198.51.100.0/25 port25 shift }\n"                          /* 19 */
    "wave both1 { from 2030-01-01 pool londrina class home port25 block }\n"                        /* 20 */
    "wave both2 { from 2030-01-01 pool londrina port25 shift }\n"                                   /* 21 */
    "exempt x { subscriber 10442 until 2027-12-31 owner noc@example.net reason \"no TLS\" }\n"
    "exempt y { prefix 192.0.2.8/29 until \"2026-06-30 12:00\" owner noc@example.net reason \"no TLS\" }\n"
    "exempt z { subscriber 10442, 7 until 2026-12-31 owner noc@example.net reason \"also\" }\n";

static struct policy *parse(const char *text)
{
        autodiags *d = diags_new();
        autobuf said;
        struct policy_input in = { .name = S("f"), .text = slice_of(text) };
        struct policy *p = policy_parse(&in, d);
        buf_init(&said, 1 << 20);
        diags_print(d, &said);
        if (!p)
                fail_msg("%s", buf_cstr(&said));
        return p;
}

static int64_t when(const char *text)
{
        int64_t at;
        if (time_parse(slice_of(text), TIME_FIRST_INSTANT, &at) != TIME_OK)
                fail_msg("not a time: %s", text);
        return at;
}

static const struct {
        const char *at, *pool, *address, *own_class, *want;
        uint32_t line; /* that decided; 0: none */
} decisions[] = {
        /* the class decides until a wave comes */
        { "2026-11-30 23:59:59", "londrina", "198.51.100.1", NULL, "shift", 2 },
        { "2026-12-01 00:00:00", "londrina", "198.51.100.1", NULL, "observe", 9 },
        { "2026-12-01 00:00:00", "londrina", "198.51.100.64", NULL, "shift", 2 }, /* past the pilot's prefix */
        { "2026-12-01 00:00:00", "londrina", NULL, NULL, "shift", 2 },            /* no address: no prefix holds it */
        { "2026-12-01 00:00:00", "londrina", "2001:db8:100::1", NULL, "shift", 2 },
        /* the later wave wins, also over a narrower one */
        { "2027-01-10 23:59:59", "londrina", "198.51.100.1", NULL, "observe", 9 },
        { "2027-01-11 00:00:00", "londrina", "198.51.100.1", NULL, "shift", 10 },
        { "2027-03-01 00:00:00", "londrina", "198.51.100.1", NULL, "block", 11 },
        /* the same instant in another zone */
        { "2027-03-01 02:59:59Z", "londrina", "198.51.100.1", NULL, "shift", 10 },
        { "2027-03-01 03:00:00Z", "londrina", "198.51.100.1", NULL, "block", 11 },
        /* a wave of another class */
        { "2027-03-01 00:00:00", "fixed", "192.0.2.1", NULL, "open", 4 },
        /* port25 of a pool yields only to waves that name the pool */
        { "2027-03-01 00:00:00", "legacy", "198.51.100.1", NULL, "open", 7 },
        { "2028-01-01 00:00:00", "legacy", "198.51.100.1", NULL, "open", 7 },
        { "2027-03-31 23:59:59", "tuned", "203.0.113.1", NULL, "trap", 8 },
        { "2027-04-01 00:00:00", "tuned", "203.0.113.1", NULL, "divert", 12 },
        { "2028-01-01 00:00:00", "tuned", "203.0.113.1", NULL, "divert", 12 },
        /* ties: prefix, then pool, then class, then the later in the file */
        { "2028-01-01 00:00:00", "londrina", "198.51.100.1", NULL, "observe", 13 },
        { "2028-01-01 00:00:00", "londrina", "198.51.100.128", NULL, "divert", 14 },
        { "2028-01-01 00:00:00", NULL, "203.0.113.200", "home", "block", 16 },
        /* of prefixes the longest one that holds the address, wherever the waves stand in the file */
        { "2029-01-01 00:00:00", "londrina", "198.51.100.95", NULL, "block", 18 },
        { "2029-01-01 00:00:00", "londrina", "198.51.100.96", NULL, "shift", 19 },
        { "2029-01-01 00:00:00", "londrina", "198.51.100.128", NULL, "block", 18 },
        { "2030-01-01 00:00:00", "londrina", "198.51.100.1", NULL, "block", 20 },
        /* his own class shields him from the pool's port25 and from waves that do not name it */
        { "2027-03-01 00:00:00", "londrina", "198.51.100.1", "business", "observe", 3 },
        { "2026-12-01 00:00:00", "londrina", "198.51.100.1", "corporate", "open", 4 },
        { "2028-01-01 00:00:00", "londrina", "198.51.100.1", "home", "block", 16 }, /* 13 and 14 do not name home */
        { "2026-12-01 00:00:00", "tuned", "203.0.113.1", "business", "observe", 3 },
        { "2027-03-01 00:00:00", "tuned", "203.0.113.1", "home", "block", 11 },
        { "2027-03-01 00:00:00", "legacy", "203.0.113.1", "home", "block", 11 },
        /* but not from those that do, where their other dimensions hold too */
        { "2028-06-01 00:00:00", "londrina", "198.51.100.1", "business", "trap", 17 },
        { "2028-06-01 00:00:00", "tuned", "203.0.113.1", "business", "observe", 3 },
        { "2028-06-01 00:00:00", "fixed", "192.0.2.1", NULL, "trap", 17 },
        { "2028-06-01 00:00:00", "fixed", "192.0.2.1", "home", "block", 16 },
        /* in no pool */
        { "2028-06-01 00:00:00", NULL, "198.51.100.1", NULL, "none", 0 },
        { "2028-06-01 00:00:00", NULL, NULL, "corporate", "open", 4 },
};

static void precedence(void **state)
{
        (void)state;
        autopolicy *p = parse(sketch);
        for (size_t i = 0; i < COUNT_OF(decisions); i++) {
                struct addr a;
                struct decide_query q = { .at = when(decisions[i].at), .pool = p->n_pools, .own_class = p->n_classes };
                if (decisions[i].pool)
                        assert_true((q.pool = policy_find_pool(p, slice_of(decisions[i].pool))) < p->n_pools);
                if (decisions[i].own_class)
                        assert_true((q.own_class = policy_find_class(p, slice_of(decisions[i].own_class))) <
                                    p->n_classes);
                if (decisions[i].address) {
                        assert_true(addr_parse(slice_of(decisions[i].address), &a));
                        q.addr = &a;
                }
                struct decision got = policy_decide(p, &q);
                if (strcmp(strategy_name(got.strategy), decisions[i].want) != 0 || got.place.line != decisions[i].line)
                        fail_msg("row %zu: %s by line %u, want %s by line %u", i, strategy_name(got.strategy),
                                 got.place.line, decisions[i].want, decisions[i].line);
                assert_true((got.by == DECIDED_BY_WAVE) == (decisions[i].line >= 9));
                assert_true((got.by == DECIDED_BY_NOTHING) == (decisions[i].line == 0));
                if (got.by == DECIDED_BY_WAVE)
                        assert_int_equal(p->waves[got.wave].port25_place.line, decisions[i].line);
        }
}

/* Midnight is the network's, not the machine's. */
static void dates_are_the_networks(void **state)
{
        (void)state;
        static const struct {
                const char *zone, *before, *at;
        } rows[] = {
                { "America/Sao_Paulo", "2026-12-01T02:59:59.999999Z", "2026-12-01T03:00:00Z" },
                { "Africa/Maputo", "2026-11-30T21:59:59.999999Z", "2026-11-30T22:00:00Z" },
                { "UTC", "2026-11-30T23:59:59.999999Z", "2026-12-01T00:00:00Z" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autofree char *text = xasprintf("network x { timezone %s }\nclass home { port25 open }\n"
                                                "pool a { class home prefix 192.0.2.0/24 }\n"
                                                "wave w { from 2026-12-01 port25 block }\n",
                                                rows[i].zone);
                autopolicy *p = parse(text);
                struct decide_query q = { .at = when(rows[i].before), .pool = 0, .own_class = p->n_classes };
                assert_int_equal(policy_decide(p, &q).strategy, STRATEGY_OPEN);
                assert_int_equal(policy_next_change(p, q.at), when(rows[i].at));
                q.at = when(rows[i].at);
                assert_int_equal(policy_decide(p, &q).strategy, STRATEGY_BLOCK);
                assert_int_equal(policy_next_change(p, q.at), TIME_NEVER);
        }
}

static void changes_come_in_order(void **state)
{
        (void)state;
        static const char *const want[] = { "2026-06-30 12:00:00", "2026-12-01", "2027-01-01", "2027-01-11",
                                            "2027-03-01",          "2027-04-01", "2028-01-01", "2028-06-01",
                                            "2029-01-01",          "2030-01-01" };
        autopolicy *p = parse(sketch);
        int64_t at = when("2026-01-01");
        for (size_t i = 0; i < COUNT_OF(want); i++) {
                char text[TIME_TEXT_MAX];
                int64_t next = policy_next_change(p, at);
                if (next != when(want[i]) + (i == 0)) /* a time that is given counts to its end */
                        fail_msg("%zu: %s, want %s", i, time_print(next, text), want[i]);
                at = next;
        }
        assert_int_equal(policy_next_change(p, at), TIME_NEVER);
}

static void exemptions_end(void **state)
{
        (void)state;
        static const struct {
                const char *subscriber, *address, *at, *want;
        } rows[] = {
                { "10442", NULL, "2026-01-01", "x" }, /* of two the one that ends last */
                { "10442", NULL, "2027-12-31T23:59:59.999999-03:00", "x" },
                { "10442", NULL, "2028-01-01", NULL },
                { "7", NULL, "2026-12-31 23:59:59", "z" },
                { "7", NULL, "2027-01-01", NULL },
                { "8", NULL, "2026-01-01", NULL },
                { "", "192.0.2.15", "2026-06-30 12:00", "y" },
                { "", "192.0.2.15", "2026-06-30 12:00:01", NULL },
                { "", "192.0.2.16", "2026-06-30", NULL },
                { "7", "192.0.2.15", "2026-06-30", "z" },
        };
        autopolicy *p = parse(sketch);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct addr a;
                if (rows[i].address)
                        assert_true(addr_parse(slice_of(rows[i].address), &a));
                const struct policy_exemption *e = policy_find_exemption(p, slice_of(rows[i].subscriber),
                                                                         rows[i].address ? &a : NULL, when(rows[i].at));
                if (!slice_eq(e ? e->name : S(""), slice_of(rows[i].want)))
                        fail_msg("row %zu: %.*s", i, SLICE_ARGS(e ? e->name : S("none")));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(precedence), cmocka_unit_test(dates_are_the_networks),
                                            cmocka_unit_test(changes_come_in_order), cmocka_unit_test(exemptions_end) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
