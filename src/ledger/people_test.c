/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/test_support.h"

static struct person person_at(struct a_ledger *t, const char *id, int64_t at)
{
        struct person p;
        assert_int_equal(ledger_person(t->reader, t->arena, slice_of(id), at, &p), 0);
        return p;
}

static int64_t quarantine(struct a_ledger *t, const char *id, enum level level, int64_t start, int64_t until)
{
        int64_t n = 0;
        struct quarantine q = {
                .subscriber = slice_of(id), .level = level, .start = start, .until = until, .reason = S("spam")
        };
        assert_yes(t, client_quarantine_add(t->client, &q, &n));
        return n;
}

static void unknown_is_nobody(void **state)
{
        struct person p = person_at(*state, "x", time_now());
        assert_slice(p.id, "x");
        assert_int_equal(p.n_leases, 0);
        assert_int_equal(p.port25, STRATEGY_NONE);
        assert_int_equal(p.quarantine, LEVEL_NONE);
        assert_int_equal(p.next_change, TIME_NEVER);
}

static void quarantines_by_the_clock(void **state)
{
        struct a_ledger *t = *state;
        int64_t now = time_now();
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        int64_t mail = quarantine(t, "1", LEVEL_MAIL, now, now + 10 * HOUR);
        quarantine(t, "1", LEVEL_CAPTIVE, now + HOUR, now + 2 * HOUR);
        struct person p = person_at(t, "1", now + MINUTE);
        assert_int_equal(p.quarantine, LEVEL_MAIL);
        assert_int_equal(p.next_change, now + HOUR);
        p = person_at(t, "1", now + HOUR);
        assert_int_equal(p.quarantine, LEVEL_CAPTIVE);
        assert_int_equal(p.next_change, now + 2 * HOUR);
        p = person_at(t, "1", now + 2 * HOUR);
        assert_int_equal(p.quarantine, LEVEL_MAIL);
        p = person_at(t, "1", now + 10 * HOUR);
        assert_int_equal(p.quarantine, LEVEL_NONE);
        assert_int_equal(p.next_change, TIME_NEVER);
        assert_yes(t, client_quarantine_release(t->client, mail, S("clean")));
        assert_int_equal(person_at(t, "1", now + MINUTE).quarantine, LEVEL_NONE);
        assert_no(t, client_quarantine_release(t->client, mail, S("again")), "over already");
}

static void leases_by_the_clock(void **state)
{
        struct a_ledger *t = *state;
        int64_t now = time_now();
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, lease(t, "198.51.100.1", "1", now, now + HOUR));
        assert_yes(t, lease(t, "198.51.100.2", "1", now + 30 * MINUTE, TIME_NEVER));
        struct person p = person_at(t, "1", now + MINUTE);
        assert_int_equal(p.n_leases, 1);
        assert_int_equal(p.next_change, now + 30 * MINUTE);
        p = person_at(t, "1", now + 31 * MINUTE);
        assert_int_equal(p.n_leases, 2);
        assert_int_equal(p.next_change, now + HOUR);
        p = person_at(t, "1", now + HOUR);
        assert_int_equal(p.n_leases, 1);
        assert_int_equal(p.next_change, TIME_NEVER);
}

static void exemptions_end(void **state)
{
        struct a_ledger *t = *state;
        int64_t now = time_now(), id;
        assert_yes(t, subscribe(t, "1", NULL));
        struct exemption e = { .subscriber = S("1"),
                               .prefix = { .len = 128 },
                               .until = now + HOUR,
                               .owner = S("noc"),
                               .reason = S("no TLS") };
        assert_yes(t, client_exemption_add(t->client, &e, &id));
        assert_true(person_at(t, "1", time_now()).exempt);
        assert_int_equal(person_at(t, "1", time_now()).next_change, now + HOUR);
        assert_false(person_at(t, "1", now + HOUR).exempt);
        assert_yes(t, client_exemption_remove(t->client, id, S("has TLS now")));
        assert_false(person_at(t, "1", time_now()).exempt);
        assert_no(t, client_exemption_remove(t->client, id, S("x")), "removed");
        e.until = TIME_NEVER;
        assert_no(t, client_exemption_add(t->client, &e, &id), "needs an end");
        e.until = now - 1;
        assert_no(t, client_exemption_add(t->client, &e, &id), "must end");
        e.until = now + HOUR;
        e.owner = S("");
        assert_no(t, client_exemption_add(t->client, &e, &id), "owner");
        e.owner = S("noc");
        e.subscriber = S("2");
        assert_no(t, client_exemption_add(t->client, &e, &id), "not known");
}

static void never_cut_wants_a_second_person(void **state)
{
        struct a_ledger *t = *state;
        char self[128], upper[128];
        struct subscriber_change c = { .value = { .id = S("1"), .never_cut = true }, .never_cut = true };
        struct audit_row *rows;
        size_t n;
        assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_ADD));
        assert_int_equal(ledger_audit(t->reader, t->arena, S("1"), 1, &rows, &n), 0);
        struct slice rest, name = slice_cut(rows[0].author, '(', &rest);
        snprintf(self, sizeof self, "%.*s", SLICE_ARGS(rows[0].author));
        snprintf(upper, sizeof upper, " %.*s ", SLICE_ARGS(name));
        for (char *p = upper; *p; p++)
                *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
        struct quarantine q = { .subscriber = S("1"), .level = LEVEL_MAIL, .until = TIME_NEVER, .reason = S("spam") };
        const char *const refused[] = { "", " ", self, upper };
        for (size_t i = 0; i < COUNT_OF(refused); i++) {
                q.approved_by = slice_of(refused[i]);
                assert_no(t, client_quarantine_add(t->client, &q, NULL), "never cut");
        }
        q.proposed = true;
        q.approved_by = S("");
        assert_yes(t, client_quarantine_add(t->client, &q, NULL));
        assert_int_equal(person_at(t, "1", time_now()).quarantine, LEVEL_NONE);
        q.proposed = false;
        q.approved_by = S("maria");
        assert_yes(t, client_quarantine_add(t->client, &q, NULL));
        assert_int_equal(person_at(t, "1", time_now()).quarantine, LEVEL_MAIL);
        /* named by the policy alone */
        assert_yes(t, subscribe(t, "2", NULL));
        struct quarantine other = { .subscriber = S("2"),
                                    .level = LEVEL_MAIL,
                                    .until = TIME_NEVER,
                                    .reason = S("spam"),
                                    .needs_approval = true };
        assert_no(t, client_quarantine_add(t->client, &other, NULL), "never cut");
}

static void wrong_quarantines_are_refused(void **state)
{
        struct a_ledger *t = *state;
        int64_t now = time_now();
        assert_yes(t, subscribe(t, "1", NULL));
        const struct {
                struct quarantine q;
                const char *want;
        } rows[] = {
                { { .subscriber = S("2"), .until = TIME_NEVER, .reason = S("x") }, "not known" },
                { { .subscriber = S("1"), .until = TIME_NEVER }, "reason" },
                { { .subscriber = S("1"), .start = now + 5, .until = now + 5, .reason = S("x") },
                  "end after it starts" },
                { { .subscriber = S("1"), .start = 1, .until = 2, .reason = S("x") }, "over already" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_no(t, client_quarantine_add(t->client, &rows[i].q, NULL), rows[i].want);
        assert_no(t, client_quarantine_release(t->client, 77, S("x")), "no quarantine 77");
}

static bool same_person(const struct person *a, const struct person *b)
{
        bool same = slice_eq(a->id, b->id) && slice_eq(a->class, b->class) && a->port25 == b->port25 &&
                    a->quarantine == b->quarantine && a->exempt == b->exempt && a->never_cut == b->never_cut &&
                    a->n_leases == b->n_leases && a->next_change == b->next_change;
        size_t found = 0;
        for (size_t i = 0; same && i < a->n_leases; i++)
                for (size_t k = 0; k < b->n_leases; k++)
                        found += prefix_cmp(&a->leases[i].prefix, &b->leases[k].prefix) == 0 &&
                                 slice_eq(b->leases[k].subscriber, a->id);
        return same && found == a->n_leases;
}

/* Everybody at once says of each what is said of him alone. */
static void whole_agrees_with_one_by_one(void **state)
{
        struct a_ledger *t = *state;
        int64_t now = time_now();
        for (int i = 0; i < 60; i++) {
                char id[16], address[32], other[32];
                snprintf(id, sizeof id, "s%02d", (i * 37) % 60);
                snprintf(address, sizeof address, "192.0.2.%d", i);
                snprintf(other, sizeof other, "198.51.100.%d", i);
                assert_yes(t, subscribe(t, id, i % 3 ? address : NULL));
                if (i % 4 == 0)
                        assert_yes(t, lease(t, other, id, now + (i % 8 ? HOUR : -HOUR), now + DAY));
                struct subscriber_change c = {
                        .value = { .id = slice_of(id), .class = S("plus"), .port25 = STRATEGY_BLOCK },
                        .class = i % 5 == 0,
                        .port25 = i % 7 == 0
                };
                assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_SET));
                if (i % 6 == 0)
                        quarantine(t, id, LEVEL_SUBMISSION, now + (i % 12 ? HOUR : 0), now + DAY);
                struct exemption e = { .subscriber = slice_of(id),
                                       .prefix = { .len = 128 },
                                       .until = now + DAY,
                                       .owner = S("o"),
                                       .reason = S("r") };
                if (i % 11 == 0)
                        assert_yes(t, client_exemption_add(t->client, &e, NULL));
        }
        assert_yes(t, client_subscriber_remove(t->client, S("s00"), S("")));
        struct person *people;
        struct slice *ids;
        size_t n, n_ids;
        for (int64_t at = time_now(); at < now + 2 * DAY; at += 50 * MINUTE) {
                assert_int_equal(ledger_people_whole(t->reader, t->arena, at, &people, &n), 0);
                assert_int_equal(ledger_people(t->reader, t->arena, at, &ids, &n_ids), 0);
                assert_int_equal(n, n_ids);
                assert_true(n > 10);
                for (size_t i = 0; i < n; i++) {
                        char id[16];
                        snprintf(id, sizeof id, "%.*s", SLICE_ARGS(people[i].id));
                        struct person alone = person_at(t, id, at);
                        if (!same_person(&people[i], &alone))
                                fail_msg("%s differs at +%lld min", id, (long long)((at - now) / MINUTE));
                }
        }
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, a_ledger_new, a_ledger_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                A_TEST(unknown_is_nobody),
                A_TEST(quarantines_by_the_clock),
                A_TEST(leases_by_the_clock),
                A_TEST(exemptions_end),
                A_TEST(never_cut_wants_a_second_person),
                A_TEST(wrong_quarantines_are_refused),
                A_TEST(whole_agrees_with_one_by_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
