/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/mail.h"
#include "ledger/test_support.h"
#include "ledger/upkeep.h"

static const struct mail_rules rules = { .reuse_after = 180 * DAY, .network = { "example.net", 11 } };

static int domain(struct a_ledger *t, const char *name, const char *catch_all)
{
        struct slice to = slice_of(catch_all);
        return client_domain(t->client, slice_of(name), true, S("desk@example.org"), catch_all ? &to : NULL);
}

static struct mailbox_change change_of(const char *address, const char *subscriber)
{
        return (struct mailbox_change){ .value = { .address = slice_of(address), .subscriber = slice_of(subscriber) } };
}

static int mailbox(struct a_ledger *t, const char *address, const char *subscriber)
{
        struct mailbox_change c = change_of(address, subscriber);
        return client_mailbox(t->client, &c, MAILBOX_ADD, &rules);
}

static int principal(struct a_ledger *t, const char *address, bool yes)
{
        struct mailbox_change c = change_of(address, "");
        c.principal = true;
        c.value.principal = yes;
        return client_mailbox(t->client, &c, MAILBOX_SET, &rules);
}

static int forward(struct a_ledger *t, const char *address, const char *to)
{
        struct slice target = slice_of(to);
        struct mailbox_change c = change_of(address, "");
        c.forwards = true;
        c.value.forwards = &target;
        c.value.n_forwards = to != NULL;
        return client_mailbox(t->client, &c, MAILBOX_SET, &rules);
}

static int alias(struct a_ledger *t, const char *address, const char *to, bool add)
{
        struct slice target = slice_of(to);
        return client_alias(t->client, slice_of(address), &target, 1, add, &rules);
}

static int drop_mailbox(struct a_ledger *t, const char *address)
{
        return client_mailbox_remove(t->client, slice_of(address), S("test"));
}

static struct mailbox shown(struct a_ledger *t, const char *address)
{
        struct mailbox m = { .number = 0 };
        int status = ledger_mailbox(t->reader, t->arena, slice_of(address), &m);
        assert_true(status == 0 || status == -ENOENT);
        return m;
}

static int a_network(void **state)
{
        if (a_ledger_new(state))
                return -1;
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, subscribe(t, "2", NULL));
        assert_yes(t, domain(t, "example.net", NULL));
        return 0;
}

static void an_address_is_one_however_it_is_written(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, mailbox(t, "Maria.Silva@EXAMPLE.net", "1"));
        assert_slice(shown(t, "maria.silva@example.net").address, "maria.silva@example.net");
        assert_no(t, mailbox(t, "maria.silva@example.net", "1"), "known already");
        assert_no(t, mailbox(t, "x@elsewhere.example", "1"), "none of our domains");
        assert_no(t, mailbox(t, "x@example.net", "3"), "subscriber 3 is not known");
        assert_no(t, mailbox(t, "x@example.net", ""), "say whose");
        assert_no(t, mailbox(t, "\"x y\"@example.net", "1"), "quoted");
        assert_no(t, mailbox(t, "x y@example.net", "1"), "not allowed");
        assert_no(t, mailbox(t, "x/../y@example.net", "1"), "not allowed");
}

static void names_that_are_nobodys(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, domain(t, "hosted.example", NULL));
        assert_no(t, mailbox(t, "abuse@example.net", "1"), "exists by itself");
        assert_no(t, mailbox(t, "Postmaster@hosted.example", "1"), "exists by itself");
        assert_no(t, mailbox(t, "root@hosted.example", "1"), "reserved");
        assert_no(t, mailbox(t, "Hostmaster@example.net", "1"), "reserved");
        assert_yes(t, mailbox(t, "hostmaster@hosted.example", "1"));
        assert_yes(t, alias(t, "webmaster@example.net", "hostmaster@hosted.example", true));
}

static void one_of_his_is_the_principal(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, mailbox(t, "b@example.net", "1"));
        assert_yes(t, mailbox(t, "other@example.net", "2"));
        assert_true(shown(t, "a@example.net").principal);
        assert_false(shown(t, "b@example.net").principal);
        assert_true(shown(t, "other@example.net").principal);
        assert_no(t, principal(t, "a@example.net", false), "make another one it instead");
        assert_no(t, drop_mailbox(t, "a@example.net"), "make one of them it first");
        assert_yes(t, principal(t, "b@example.net", true));
        assert_false(shown(t, "a@example.net").principal);
        assert_true(shown(t, "b@example.net").principal);
        assert_true(shown(t, "other@example.net").principal);
        assert_yes(t, drop_mailbox(t, "a@example.net"));
        assert_yes(t, drop_mailbox(t, "b@example.net")); /* the last one may go */
        assert_yes(t, mailbox(t, "c@example.net", "1"));
        assert_true(shown(t, "c@example.net").principal);
}

static void numbers_are_never_given_again(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        int64_t first = shown(t, "a@example.net").number;
        assert_yes(t, drop_mailbox(t, "a@example.net"));
        assert_int_equal(shown(t, "a@example.net").number, 0);
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_true(shown(t, "a@example.net").number > first);
}

static void a_removed_address_waits(void **state)
{
        struct a_ledger *t = *state;
        struct mail_rules at_once = rules;
        at_once.reuse_after = 0;
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, mailbox(t, "his@example.net", "1"));
        assert_yes(t, principal(t, "his@example.net", true));
        assert_yes(t, drop_mailbox(t, "a@example.net"));
        assert_no(t, mailbox(t, "a@example.net", "2"), "it is free from 2");
        assert_no(t, alias(t, "a@example.net", "x@example.org", true), "it is free from 2");
        assert_yes(t, alias(t, "a@example.net", "his@example.net", true)); /* still the same man */
        assert_yes(t, client_alias_remove(t->client, S("a@example.net"), S("")));
        assert_no(t, mailbox(t, "a@example.net", "2"), "it is free from 2");
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, drop_mailbox(t, "a@example.net"));
        struct mailbox_change c = change_of("a@example.net", "2");
        assert_yes(t, client_mailbox(t->client, &c, MAILBOX_ADD, &at_once));
}

static void a_removed_alias_waits_too(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, alias(t, "info@example.net", "x@example.org", true));
        assert_yes(t, client_alias_remove(t->client, S("info@example.net"), S("")));
        assert_no(t, mailbox(t, "info@example.net", "1"), "it is free from 2");
        assert_no(t, alias(t, "info@example.net", "y@example.org", true), "it is free from 2");
        assert_yes(t, alias(t, "info@example.net", "x@example.org", true)); /* the same people get the mail */
}

static void roles_stay(void **state)
{
        struct a_ledger *t = *state;
        struct alias v;
        assert_int_equal(ledger_alias(t->reader, t->arena, S("abuse@example.net"), &v), 0);
        assert_true(v.role);
        assert_slice(v.targets[0], "desk@example.org");
        assert_no(t, client_alias_remove(t->client, S("postmaster@example.net"), S("")), "as long as its domain");
        assert_yes(t, alias(t, "Abuse@example.net", "noc@example.org", false));
        assert_int_equal(ledger_alias(t->reader, t->arena, S("abuse@example.net"), &v), 0);
        assert_slice(v.targets[0], "noc@example.org");
        assert_no(t, client_domain(t->client, S("new.example"), true, S(""), NULL), "--abuse");
        assert_no(t, client_domain(t->client, S("new.example"), true, S("abuse@new.example"), NULL), "round and round");
}

static void a_domain_goes_when_it_is_empty(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_no(t, client_domain_remove(t->client, S("example.net"), S("")), "1 mailboxes and 0 aliases");
        assert_no(t, client_domain_remove(t->client, S("example.net"), S("")), "a@example.net");
        assert_yes(t, drop_mailbox(t, "a@example.net"));
        assert_yes(t, client_domain_remove(t->client, S("Example.NET"), S("")));
        struct alias v;
        assert_int_equal(ledger_alias(t->reader, t->arena, S("abuse@example.net"), &v), -ENOENT);
        assert_yes(t, domain(t, "example.net", NULL)); /* the roles come back with it, whatever reuse says */
        assert_no(t, mailbox(t, "a@example.net", "2"), "it is free from 2");
}

static void loops_are_found(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, mailbox(t, "b@example.net", "1"));
        assert_no(t, forward(t, "a@example.net", "A@Example.net"), "a@example.net -> a@example.net");
        assert_yes(t, forward(t, "a@example.net", "b@example.net"));
        assert_yes(t, alias(t, "x@example.net", "a@example.net", true));
        assert_no(t, forward(t, "b@example.net", "x@example.net"),
                  "b@example.net -> x@example.net -> a@example.net -> b@example.net");
        assert_yes(t, forward(t, "b@example.net", "out@example.org"));
        assert_no(t, alias(t, "y@example.net", "y@example.net", true), "round");
}

static void loops_through_catch_alls_are_found(void **state)
{
        struct a_ledger *t = *state;
        struct slice x = S("x@example.net");
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, alias(t, "x@example.net", "a@example.net", true));
        assert_yes(t, client_domain(t->client, S("example.net"), false, S(""), &x));
        assert_no(t, drop_mailbox(t, "a@example.net"), "a@example.net -> x@example.net -> a@example.net");
        struct slice nobody = S("nobody@example.net");
        assert_no(t, client_domain(t->client, S("example.net"), false, S(""), &nobody), "make it first");
        assert_yes(t, alias(t, "away@example.net", "z@later.example", true));
        assert_no(t, domain(t, "later.example", "away@example.net"), "round");
        assert_yes(t, domain(t, "later.example", "out@example.org"));
}

static void ways_have_an_end(void **state)
{
        struct a_ledger *t = *state;
        char from[64], to[64];
        for (int i = 0; i < ROUTE_STEPS_MOST; i++) {
                snprintf(from, sizeof from, "s%d@example.net", i);
                snprintf(to, sizeof to, "s%d@example.net", i + 1);
                assert_yes(t, alias(t, from, to, true));
        }
        assert_no(t, alias(t, "s10@example.net", "s11@example.net", true), "more than 10 times");
        assert_no(t, alias(t, "before@example.net", "s0@example.net", true), "more than 10 times");
        assert_yes(t, alias(t, "before@example.net", "s1@example.net", true));
}

static void who_points_there_is_told(void **state)
{
        struct a_ledger *t = *state;
        struct pointer *all;
        size_t n;
        struct slice a = S("a@example.net");
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, mailbox(t, "b@example.net", "2"));
        assert_yes(t, alias(t, "x@example.net", "A@example.NET", true));
        assert_yes(t, forward(t, "b@example.net", "a@example.net"));
        assert_yes(t, domain(t, "hosted.example", NULL));
        assert_yes(t, client_domain(t->client, S("hosted.example"), false, S(""), &a));
        assert_int_equal(ledger_points_to(t->reader, t->arena, a, &all, &n), 0);
        assert_int_equal(n, 3);
        assert_slice(all[0].from, "x@example.net");
        assert_slice(all[1].kind, "domain");
        assert_slice(all[2].from, "b@example.net");
        assert_yes(t, drop_mailbox(t, "a@example.net"));
        assert_non_null(strstr(client_reason(t->client), "still sent on to a@example.net by alias x@example.net"));
        assert_yes(t, alias(t, "y@example.net", "a@example.net", true));
        assert_non_null(strstr(client_reason(t->client), "there is no a@example.net yet"));
}

static void limits_and_suspensions(void **state)
{
        struct a_ledger *t = *state;
        struct mailbox_change c = change_of("a@example.net", "1");
        c.limits[MAIL_LIMIT_QUOTA] = c.limits[MAIL_LIMIT_MESSAGES_DAY] = true;
        c.value.limits.v[MAIL_LIMIT_QUOTA] = 1 << 30;
        c.value.limits.v[MAIL_LIMIT_MESSAGES_DAY] = LIMIT_NONE;
        assert_yes(t, client_mailbox(t->client, &c, MAILBOX_ADD, &rules));
        struct mailbox m = shown(t, "a@example.net");
        assert_int_equal(m.limits.v[MAIL_LIMIT_QUOTA], 1 << 30);
        assert_int_equal(m.limits.v[MAIL_LIMIT_MESSAGES_DAY], LIMIT_NONE);
        assert_int_equal(m.limits.v[MAIL_LIMIT_RECIPIENTS_DAY], LIMIT_INHERIT);
        c.value.limits.v[MAIL_LIMIT_QUOTA] = -5;
        assert_no(t, client_mailbox(t->client, &c, MAILBOX_SET, &rules), "quota: no such limit");
        assert_no(t, client_mailbox_suspend(t->client, S("a@example.net"), S("")), "not suspended");
        assert_yes(t, client_mailbox_suspend(t->client, S("A@example.net"), S("stolen password")));
        assert_yes(t, client_subscriber_suspend(t->client, S("1"), S("unpaid")));
        m = shown(t, "a@example.net");
        assert_slice(m.suspension.reason, "stolen password");
        assert_slice(m.subscriber_suspension.reason, "unpaid");
        assert_yes(t, client_mailbox_suspend(t->client, S("a@example.net"), S("")));
        m = shown(t, "a@example.net");
        assert_int_equal(m.suspension.since, 0);
        assert_true(m.subscriber_suspension.since > 0);
        assert_int_equal(m.subscriber_suspension.until, TIME_NEVER);
        int64_t soon = time_now() + HOUR;
        assert_no(t, client_subscriber_suspend_until(t->client, S("1"), S("a rule"), soon, 0),
                  "suspended already, for longer");
        assert_no(t, client_mailbox_suspend_until(t->client, S("a@example.net"), S("a rule"), soon - 2 * HOUR, 0),
                  "later than now");
        assert_yes(t, client_mailbox_suspend_until(t->client, S("a@example.net"), S("a rule"), soon, 0));
        assert_no(t, client_mailbox_suspend_until(t->client, S("a@example.net"), S("a rule"), soon - MINUTE, 0),
                  "for longer");
        assert_yes(t, client_mailbox_suspend_until(t->client, S("a@example.net"), S("a rule"), soon + MINUTE, 0));
        assert_int_equal(shown(t, "a@example.net").suspension.until, soon + MINUTE);
}

/* The keeper's work, as if `now` were then. */
static void keep(struct a_ledger *t, int64_t now)
{
        struct writer *w = NULL;
        autobuf why;
        buf_init(&why, 4096);
        client_close(take(t->client));
        assert_int_equal(writer_open(t->dir, &w, &why), 0);
        struct upkeep *u = upkeep_new(w);
        for (int i = 0; i < 10; i++)
                upkeep_step(u, now);
        upkeep_free(u);
        writer_close(w);
        assert_int_equal(client_open(t->dir, &t->client, &why), 0);
}

static size_t trail_of(struct a_ledger *t, const char *address, struct audit_row **ret)
{
        size_t n;
        assert_int_equal(ledger_audit(t->reader, t->arena, slice_of(address), 9, ret, &n), 0);
        return n;
}

static void a_suspension_ends_once(void **state)
{
        struct a_ledger *t = *state;
        struct audit_row *rows;
        int64_t soon = time_now() + HOUR;
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, mailbox(t, "b@example.net", "1"));
        assert_yes(t, client_mailbox_suspend_until(t->client, S("a@example.net"), S("a rule"), soon, 0));
        assert_yes(t, client_mailbox_suspend_until(t->client, S("b@example.net"), S("a rule"), soon, 0));
        assert_yes(t, client_subscriber_suspend_until(t->client, S("2"), S("a rule"), soon, 0));
        assert_yes(t, client_mailbox_remove(t->client, S("b@example.net"), S("left")));
        keep(t, soon - 1);
        assert_int_equal(trail_of(t, "a@example.net", &rows), 2);
        for (int again = 0; again < 2; again++)
                keep(t, soon + again);
        assert_int_equal(shown(t, "a@example.net").suspension.since, 0);
        assert_int_equal(trail_of(t, "a@example.net", &rows), 3);
        assert_slice(rows[0].verb, "mailbox resume");
        assert_slice(rows[0].author, "keeper");
        assert_int_equal(trail_of(t, "b@example.net", &rows), 3);
        assert_slice(rows[0].verb, "mailbox remove");
        trail_of(t, "2", &rows);
        assert_slice(rows[0].verb, "subscriber resume");
}

static void his_mailboxes_go_with_him(void **state)
{
        struct a_ledger *t = *state;
        struct audit_row *rows;
        size_t n;
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, mailbox(t, "b@example.net", "1"));
        assert_yes(t, mailbox(t, "c@example.net", "2"));
        assert_yes(t, client_subscriber_remove(t->client, S("1"), S("left")));
        assert_int_equal(shown(t, "a@example.net").number, 0);
        assert_int_equal(shown(t, "b@example.net").number, 0);
        assert_true(shown(t, "c@example.net").number > 0);
        assert_int_equal(ledger_audit(t->reader, t->arena, S("b@example.net"), 9, &rows, &n), 0);
        assert_int_equal(n, 2);
        assert_slice(rows[0].verb, "mailbox remove");
        assert_slice(rows[0].why, "subscriber removed");
        assert_true(rows[0].before.n > 0 && rows[0].after.n == 0);
        assert_yes(t, subscribe(t, "1", NULL)); /* the id again: another man */
        assert_no(t, mailbox(t, "a@example.net", "1"), "it is free from 2");
}

static void changes_name_what_changed(void **state)
{
        struct a_ledger *t = *state;
        struct change *all;
        size_t n, mailboxes = 0;
        int64_t last;
        assert_yes(t, mailbox(t, "a@example.net", "1"));
        assert_yes(t, mailbox(t, "b@example.net", "1"));
        assert_int_equal(ledger_last_change(t->reader, &last), 0);
        struct subscriber_change c = { .value = { .id = S("1"), .class = S("home") }, .class = true };
        assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_SET));
        assert_yes(t, alias(t, "x@example.net", "a@example.net", true));
        assert_int_equal(ledger_changes(t->reader, t->arena, last, &all, &n), 0);
        for (size_t i = 0; i < n; i++)
                mailboxes += slice_eq(all[i].kind, S("mailbox"));
        assert_int_equal(mailboxes, 2);
        assert_slice(all[n - 1].kind, "alias");
        assert_slice(all[n - 1].key, "x@example.net");
}

#define T(f) cmocka_unit_test_setup_teardown(f, a_network, a_ledger_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(an_address_is_one_however_it_is_written),
                T(names_that_are_nobodys),
                T(one_of_his_is_the_principal),
                T(numbers_are_never_given_again),
                T(a_removed_address_waits),
                T(a_removed_alias_waits_too),
                T(roles_stay),
                T(a_domain_goes_when_it_is_empty),
                T(loops_are_found),
                T(loops_through_catch_alls_are_found),
                T(ways_have_an_end),
                T(who_points_there_is_told),
                T(limits_and_suspensions),
                T(a_suspension_ends_once),
                T(his_mailboxes_go_with_him),
                T(changes_name_what_changed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
