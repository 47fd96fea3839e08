/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/time.h"
#include "maillog/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const int64_t START = INT64_C(1795000000) * SECOND; /* begins a slot of the windows below */

/* Who was caught, as "who at since count times client", seconds from START. */
struct a_limits {
        struct rules *rules;
        struct limits *l;
        struct buf told;
};

static void caught(void *arg, const struct limits_caught *c)
{
        struct a_limits *t = arg;
        buf_addf(&t->told, "%.*s at=%lld since=%lld until=%lld count=%llu times=%llu client=%.*s\n", SLICE_ARGS(c->key),
                 (long long)((c->at - START) / SECOND), (long long)((c->since - START) / SECOND),
                 (long long)((c->until - START) / SECOND), (unsigned long long)c->count, (unsigned long long)c->times,
                 SLICE_ARGS(c->client));
}

/* 198.51.100.7 was a's for a minute, then b's. */
static struct slice subscriber(void *arg, struct slice client, int64_t at)
{
        (void)arg;
        return !slice_eq(client, S("198.51.100.7")) ? S("") : at < START + MINUTE ? S("a") : S("b");
}

static struct policy *network;

static const struct policy *pools(void *arg)
{
        (void)arg;
        return network;
}

static void begin(struct a_limits *t, const char *text)
{
        autodiags *d = diags_new();
        struct policy *p = policy_parse_mail(&(struct policy_input){ .name = S("test"), .text = slice_of(text) }, d);
        assert_non_null(p);
        *t = (struct a_limits){ .rules = rules_new(p, d) };
        assert_non_null(t->rules);
        buf_init(&t->told, 1 << 20);
        t->l = limits_new(t->rules,
                          (struct limits_who){
                              .subscriber = subscriber, .caught = caught, .arg = t, .pools = pools, .weighs = true });
}

static void end(struct a_limits *t, const char *want)
{
        if (strcmp(buf_cstr(&t->told), want) != 0)
                print_error("got\n%swant\n%s", buf_cstr(&t->told), want);
        assert_string_equal(buf_cstr(&t->told), want);
        limits_free(t->l);
        rules_free(t->rules);
        buf_done(&t->told);
}

static void fact(struct a_limits *t, int64_t second, uint32_t n, const char *client, const char *login)
{
        limits_count(t->l, &(struct limits_fact){ .at = START + second * SECOND,
                                                  .category = CATEGORY_LOCAL,
                                                  .words = 1u << LIMIT_REFUSED,
                                                  .n = n,
                                                  .client = slice_of(client),
                                                  .login = slice_of(login) });
}

static const struct limits_caught *only(const struct a_limits *t)
{
        size_t i = 0;
        const struct limits_caught *c = limits_next(t->l, &i);
        assert_non_null(c);
        assert_null(limits_next(t->l, &i));
        return c;
}

static void caught_once_while_it_lasts(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by client  after 4 over 1h  lasts 2h }");
        fact(&t, 0, 1, "192.0.2.1", "");
        fact(&t, 10, 2, "192.0.2.1", ""); /* half of it */
        fact(&t, 20, 1, "192.0.2.1", "");
        fact(&t, 7219, 50, "192.0.2.1", ""); /* a second before the end */
        assert_int_equal(only(&t)->times, 1);
        assert_int_equal(only(&t)->total, 53);
        fact(&t, 7220, 1, "192.0.2.1", "");
        assert_int_equal(only(&t)->times, 2);
        assert_int_equal(only(&t)->client.n, 0);
        end(&t, "192.0.2.1 at=20 since=10 until=7220 count=4 times=1 client=192.0.2.1\n"
                "192.0.2.1 at=7220 since=10 until=14420 count=51 times=2 client=192.0.2.1\n");
}

static void whose_words_they_are(void **state)
{
        (void)state;
        struct a_limits t;
        autodiags *d = diags_new();
        autopolicy *p =
            policy_parse(&(struct policy_input){ .name = S("network"),
                                                 .text = S("network n { timezone UTC } class home { port25 open }"
                                                           "pool p { class home prefix 198.51.100.0/24 }") },
                         d);
        network = p;
        begin(&t, "mail-limit ours { count local  by client  from customers  after 1 }"
                  "mail-limit theirs { count local  by client  from outside  after 1 }");
        fact(&t, 0, 1, "198.51.100.9", "");
        fact(&t, 1, 1, "203.0.113.9", "");
        fact(&t, 2, 1, "203.0.113.10", "joe"); /* from abroad, with his password */
        network = NULL;
        end(&t, "198.51.100.9 at=0 since=0 until=86400 count=1 times=1 client=198.51.100.9\n"
                "203.0.113.9 at=1 since=1 until=86401 count=1 times=1 client=203.0.113.9\n"
                "203.0.113.10 at=2 since=2 until=86402 count=1 times=1 client=203.0.113.10\n");
}

/* A window of an hour forgets after seven slots of ten minutes at the latest, and never within the hour. */
static void a_window_is_never_too_lax(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by client  after 2 over 1h  lasts 1m }");
        fact(&t, 0, 1, "192.0.2.1", "");
        fact(&t, 3599, 1, "192.0.2.1", "");
        fact(&t, 0, 1, "192.0.2.2", "");
        fact(&t, 4200, 1, "192.0.2.2", "");
        end(&t, "192.0.2.1 at=3599 since=0 until=3659 count=2 times=1 client=192.0.2.1\n");
}

static void time_may_go_back(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by client  after 2 over 1h  lasts 2h }");
        fact(&t, 9000, 2, "192.0.2.1", "");
        fact(&t, 0, 2, "192.0.2.1", "");
        fact(&t, -90000, 2, "192.0.2.1", "");
        end(&t, "192.0.2.1 at=9000 since=9000 until=16200 count=2 times=1 client=192.0.2.1\n");
}

/* Two files, the younger read first. */
static void since_when_goes_back_with_it(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by client  after 2 over 1h }");
        fact(&t, 100, 1, "192.0.2.1", "");
        fact(&t, 50, 1, "192.0.2.1", "");
        end(&t, "192.0.2.1 at=50 since=50 until=86450 count=2 times=1 client=192.0.2.1\n");
}

static void networks(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by network  after 2 }");
        fact(&t, 0, 1, "192.0.2.1", "");
        fact(&t, 1, 1, "192.0.2.255", "");
        fact(&t, 2, 1, "192.0.3.1", "");
        fact(&t, 3, 1, "2001:db8:1:2::1", "");
        fact(&t, 4, 1, "2001:db8:1:2:ffff::1", "");
        fact(&t, 5, 1, "2001:db8:1:3::1", "");
        fact(&t, 6, 9, "unknown", "");
        fact(&t, 7, 9, "", "");
        end(&t, "192.0.2.0/24 at=1 since=0 until=86401 count=2 times=1 client=192.0.2.255\n"
                "2001:db8:1:2::/64 at=4 since=3 until=86404 count=2 times=1 client=2001:db8:1:2:ffff::1\n");
}

/* The own monitoring counts nowhere, not even as a login. */
static void exceptions(void **state)
{
        (void)state;
        static const char *const by[] = { "client", "network", "login", "subscriber" };
        for (size_t i = 0; i < COUNT_OF(by); i++) {
                struct a_limits t;
                autofree char *text = xasprintf(
                    "mail-limit x { count local  by %s  after 1  except 198.51.100.0/24, 2001:db8::/32 }", by[i]);
                begin(&t, text);
                fact(&t, 0, 9, "198.51.100.7", "ana");
                fact(&t, 0, 9, "::ffff:198.51.100.7", "ana");
                fact(&t, 0, 9, "2001:db8::1", "ana");
                end(&t, "");
        }
}

static void subscribers(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by subscriber  after 3 }");
        fact(&t, 58, 2, "198.51.100.7", "");
        fact(&t, 59, 1, "198.51.100.7", "");
        fact(&t, 60, 2, "198.51.100.7", ""); /* somebody else's by now */
        fact(&t, 61, 9, "198.51.100.8", "");
        end(&t, "a at=59 since=58 until=86459 count=3 times=1 client=198.51.100.7\n");
}

/* Whoever can write his login in any case has one window. */
static void logins(void **state)
{
        (void)state;
        struct a_limits t;
        char longer[400];
        memset(longer, 'L', sizeof longer - 1);
        longer[sizeof longer - 1] = '\0';
        begin(&t, "mail-limit x { count local  by login  after 2 }");
        fact(&t, 0, 1, "192.0.2.1", "Ana@Example.ORG");
        fact(&t, 1, 1, "192.0.2.2", "aNA@example.org");
        fact(&t, 2, 9, "192.0.2.1", "");
        fact(&t, 3, 1, "192.0.2.1", longer);
        end(&t, "ana@example.org at=1 since=0 until=86401 count=2 times=1 client=192.0.2.2\n");
}

static void what_is_counted(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit recipients { count recipients  by login  after 10 }"
                  "mail-limit recipient { count recipient  by login  after 10 }"
                  "mail-limit messages { count message, recipients  by login  after 10 }");
        limits_count(t.l, &(struct limits_fact){ .at = START,
                                                 .words = 1u << LIMIT_MESSAGE | 1u << LIMIT_RECIPIENT,
                                                 .n = 1,
                                                 .recipients = 10,
                                                 .login = S("ana") });
        limits_count(t.l,
                     &(struct limits_fact){ .at = START, .category = CATEGORY_RECIPIENT, .n = 11, .login = S("ana") });
        end(&t, "ana at=0 since=0 until=86400 count=10 times=1 client=\n"
                "ana at=0 since=0 until=86400 count=11 times=1 client=\n");
}

static void the_latest_lines_are_kept(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by client  after 6 }");
        for (int i = 0; i < 9; i++) {
                autofree char *line = xasprintf("line %d\nthe next", i);
                limits_count(t.l, &(struct limits_fact){ .at = START + i,
                                                         .category = CATEGORY_LOCAL,
                                                         .n = 1,
                                                         .client = S("192.0.2.1"),
                                                         .line = slice_of(line) });
        }
        const struct limits_caught *c = only(&t);
        assert_int_equal(c->n_lines, LIMITS_LINES);
        for (size_t i = 0; i < LIMITS_LINES; i++) {
                char want[16];
                snprintf(want, sizeof want, "line %zu", i + 3);
                assert_true(slice_eq(c->lines[i], slice_of(want)));
        }
        end(&t, "192.0.2.1 at=0 since=0 until=86400 count=6 times=1 client=192.0.2.1\n");
}

static void weigh(struct a_limits *t, int64_t second, bool accused, bool delivered)
{
        limits_weigh(t->l, &(struct limits_message){ .at = START + second * SECOND,
                                                     .client = S("192.0.2.1"),
                                                     .login = S("Ana"),
                                                     .accused = accused,
                                                     .delivered = delivered });
}

static void harm_is_weighed_while_it_lasts(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by login  after 1  lasts 1h }");
        weigh(&t, 0, false, true);
        fact(&t, 100, 1, "192.0.2.1", "ana");
        weigh(&t, 99, false, true);
        weigh(&t, 100, false, true);
        weigh(&t, 101, true, true);
        weigh(&t, 102, false, false);
        weigh(&t, 3699, false, true);
        weigh(&t, 3700, false, true);
        assert_int_equal(only(&t)->stopped, 4);
        assert_int_equal(only(&t)->harmed, 2);
        end(&t, "ana at=100 since=100 until=3700 count=1 times=1 client=192.0.2.1\n");
}

/* Of many that came near a limit, those go that are neither caught nor counted any more. */
static void what_is_over_is_forgotten(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by client  after 2  over 1h  lasts 24h }");
        for (int i = 0; i < 40000; i++) {
                autofree char *client = xasprintf("2001:db8::%x", i);
                fact(&t, 0, i < 3 ? 2 : 1, client, "");
                if (i % 100 == 0)
                        limits_tidy(t.l, START);
        }
        limits_tidy(t.l, START + 2 * HOUR);
        const struct limits_caught *c;
        size_t n = 0;
        for (size_t i = 0; (c = limits_next(t.l, &i)); n++) {
                autofree char *want = xasprintf("2001:db8::%zx", n);
                assert_true(slice_eq(c->key, slice_of(n ? want : "2001:db8::0")));
        }
        assert_int_equal(n, 3);
        fact(&t, 7200, 9, "2001:db8::1", ""); /* still caught */
        fact(&t, 7200, 2, "2001:db8::4", "");
        end(&t, "2001:db8::0 at=0 since=0 until=86400 count=2 times=1 client=2001:db8::0\n"
                "2001:db8::1 at=0 since=0 until=86400 count=2 times=1 client=2001:db8::1\n"
                "2001:db8::2 at=0 since=0 until=86400 count=2 times=1 client=2001:db8::2\n"
                "2001:db8::4 at=7200 since=7200 until=93600 count=2 times=1 client=2001:db8::4\n");
}

static void a_full_memory_is_forgotten(void **state)
{
        (void)state;
        struct a_limits t;
        begin(&t, "mail-limit x { count local  by client  after 2 }");
        fact(&t, 0, 2, "192.0.2.1", "");
        for (int i = 0; i < LIMITS_CAUGHT_MOST; i++) {
                char client[32];
                snprintf(client, sizeof client, "2001:db8::%x", i);
                fact(&t, 0, 1, client, "");
        }
        size_t i = 0;
        assert_null(limits_next(t.l, &i));
        assert_true(limits_evicted(t.l) > 0);
        fact(&t, 1, 2, "192.0.2.1", "");
        assert_int_equal(only(&t)->times, 1);
        assert_int_equal(t.told.n, 2 * strlen("192.0.2.1 at=0 since=0 until=86400 count=2 times=1 client=192.0.2.1\n"));
        buf_clear(&t.told);
        end(&t, "");
}

static void words_of_entries(void **state)
{
        (void)state;
        static const struct {
                struct entry e;
                uint32_t want;
        } facts[] = {
                { { .kind = MAIL_QUEUED }, 1u << LIMIT_MESSAGE | 1u << LIMIT_RECIPIENT },
                { { .kind = MAIL_REJECT, .refuses = true, .category = CATEGORY_RBL }, 1u << LIMIT_REFUSED },
                { { .kind = MAIL_CHECK, .refuses = true, .category = CATEGORY_OTHER }, 1u << LIMIT_REFUSED },
                { { .kind = MAIL_CHECK, .category = CATEGORY_SPAM }, 0 }, /* held */
                { { .kind = MAIL_AUTH_FAILED }, 1u << LIMIT_AUTH_FAILED },
                { { .kind = MAIL_DELIVERY, .status = MAIL_SENT }, 0 },
                { { .kind = MAIL_DELIVERY, .status = MAIL_DEFERRED }, 1u << LIMIT_DEFERRED },
                { { .kind = MAIL_DELIVERY, .status = MAIL_BOUNCED }, 1u << LIMIT_BOUNCED },
                { { .kind = MAIL_DELIVERY, .status = MAIL_STATUS_EXPIRED }, 1u << LIMIT_BOUNCED },
                { { .kind = MAIL_DELIVERY, .status = MAIL_OTHER_STATUS }, 0 },
                { { .kind = MAIL_REMOVED }, 0 },
        };
        for (size_t i = 0; i < COUNT_OF(facts); i++)
                assert_int_equal(limits_words(&facts[i].e), facts[i].want);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(caught_once_while_it_lasts),
                cmocka_unit_test(a_window_is_never_too_lax),
                cmocka_unit_test(time_may_go_back),
                cmocka_unit_test(since_when_goes_back_with_it),
                cmocka_unit_test(networks),
                cmocka_unit_test(exceptions),
                cmocka_unit_test(subscribers),
                cmocka_unit_test(logins),
                cmocka_unit_test(what_is_counted),
                cmocka_unit_test(the_latest_lines_are_kept),
                cmocka_unit_test(harm_is_weighed_while_it_lasts),
                cmocka_unit_test(what_is_over_is_forgotten),
                cmocka_unit_test(a_full_memory_is_forgotten),
                cmocka_unit_test(words_of_entries),
                cmocka_unit_test(whose_words_they_are),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
