/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transactions with MTAs that can be scripted (edge/test_support.h): what is said to them, what is kept, and every way they can fail. */
#include "edge/next_hop.h"
#include "edge/test_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SHORT (60 * INT64_C(1000)) /* instead of HOP_WAIT */

struct a_test {
        struct loop *loop;
        struct a_mta mta[2];
        char paths[2][64];
        struct policy_mta at[2];
        struct hops_rules rules;
        struct hops *hops;
};

/* One transaction, and what it was told. */
struct a_mail {
        struct relay *relay;
        enum relay_on on; /* the last event */
        int events;
        unsigned code;
        bool unsure, free_at_once, over; /* over: the relay is freed */
        char text[256], enhanced[16], why[128];
};

static void hears(void *arg, const struct relay_event *e)
{
        struct a_mail *m = arg;
        m->on = e->on;
        m->events++;
        m->code = e->reply.code;
        m->unsure = e->unsure;
        snprintf(m->text, sizeof m->text, "%.*s", SLICE_ARGS(e->reply.text));
        snprintf(m->enhanced, sizeof m->enhanced, "%.*s", SLICE_ARGS(e->reply.enhanced));
        snprintf(m->why, sizeof m->why, "%s", e->why ? e->why : "");
        m->over = m->free_at_once || e->on == RELAY_ON_GONE || e->on == RELAY_ON_DONE;
        if (m->over)
                relay_free(take(m->relay));
}

static void open_hops(struct a_test *t)
{
        hops_free(t->hops);
        t->hops = hops_new(t->loop, &t->rules);
}

static int setup(void **state)
{
        struct a_test *t = xcalloc(1, sizeof *t);
        t->loop = loop_new();
        for (int i = 0; i < 2; i++) {
                snprintf(t->paths[i], sizeof t->paths[i], "/tmp/porteiro-mta-%d-%d.sock", i, (int)getpid());
                a_mta_open(&t->mta[i], t->loop, t->paths[i]);
                t->at[i].path = slice_of(t->paths[i]);
        }
        t->rules = (struct hops_rules){
                .mtas = t->at, .n = 1, .smtp = { .helo = S("edge.example.net") }, .identify = true, .wait = SHORT
        };
        open_hops(t);
        *state = t;
        return 0;
}

static int teardown(void **state)
{
        struct a_test *t = *state;
        hops_free(t->hops);
        for (int i = 0; i < 2; i++)
                a_mta_close(&t->mta[i]);
        loop_free(t->loop);
        free(t);
        return 0;
}

static void begin_mail(struct a_test *t, struct a_mail *m, const char *login, const struct smtp_mail *mail)
{
        struct slice who[SMTP_XCLIENT_COUNT] = { [SMTP_XCLIENT_ADDR] = S("192.0.2.7") };
        struct smtp_mail usual = { .from = { .local = S("ana"), .domain = S("example.net") } };
        who[SMTP_XCLIENT_LOGIN] = slice_of(login);
        *m = (struct a_mail){ .on = RELAY_ON_ROOM };
        m->relay = relay_new(t->hops, mail ? mail : &usual, who, hears, m);
}

static void rcpt(struct a_test *t, struct a_mail *m, const char *local)
{
        struct smtp_rcpt r = { .to = { .local = slice_of(local), .domain = S("example.org") } };
        m->events = 0;
        relay_rcpt(m->relay, &r);
        settle(t->loop);
}

static void whole_message(struct a_test *t, struct a_mail *m)
{
        assert_non_null(m->relay);
        relay_data(m->relay);
        settle(t->loop);
        if (m->over || m->on != RELAY_ON_DATA || m->code != 354)
                return;
        relay_bytes(m->relay, S("Subject: x\r\n\r\n.dot\r\n"));
        relay_end(m->relay);
        settle(t->loop);
}

static void sends(struct a_test *t, const char *login)
{
        struct a_mail m;
        begin_mail(t, &m, login, NULL);
        rcpt(t, &m, "rui");
        assert_int_equal(m.on, RELAY_ON_RCPT);
        assert_int_equal(m.code, 250);
        whole_message(t, &m);
        assert_int_equal(m.on, RELAY_ON_DONE);
        assert_string_equal(m.text, "Queued as 1");
        assert_null(m.relay);
        settle(t->loop);
}

static size_t heard(const struct a_mta *m, const char *verb)
{
        size_t n = 0;
        const char *at = m->heard.p ? m->heard.p : "";
        for (; (at = strstr(at, verb)); at++)
                n += at == m->heard.p || at[-1] == '\n';
        return n;
}

/* --- what goes well --- */

static void a_connection_is_kept_and_used_again(void **state)
{
        struct a_test *t = *state;
        for (int i = 0; i < 3; i++)
                sends(t, "ana@example.net");
        assert_int_equal(t->mta[0].server.accepted, 1);
        assert_int_equal(t->mta[0].messages, 3);
        assert_string_equal(buf_cstr(&t->mta[0].message), "Subject: x\r\n\r\n..dot\r\n");
        assert_int_equal(hops_counts(t->hops).reuses, 2);
        assert_int_equal(hops_counts(t->hops).idle, 1);
        assert_int_equal(hops_counts(t->hops).lent, 0);
}

static void xclient_goes_out_where_the_identity_changes(void **state)
{
        struct a_test *t = *state;
        sends(t, "ana@example.net");
        sends(t, "ana@example.net");
        assert_int_equal(heard(&t->mta[0], "XCLIENT"), 1);
        sends(t, "rui@example.net");
        assert_int_equal(heard(&t->mta[0], "XCLIENT"), 2);
        assert_non_null(strstr(buf_cstr(&t->mta[0].heard), "LOGIN=rui@example.net"));
        sends(t, ""); /* who has no login is not taken for the last one who had */
        assert_int_equal(heard(&t->mta[0], "XCLIENT"), 3);
        assert_non_null(strstr(buf_cstr(&t->mta[0].heard), "LOGIN=[UNAVAILABLE]"));
}

static void of_two_that_are_kept_the_one_that_knows_him_is_taken(void **state)
{
        struct a_test *t = *state;
        struct a_mail a, b;
        begin_mail(t, &a, "ana@example.net", NULL);
        begin_mail(t, &b, "rui@example.net", NULL);
        rcpt(t, &a, "x");
        rcpt(t, &b, "x");
        relay_free(a.relay);
        settle(t->loop);
        relay_free(b.relay);
        settle(t->loop);
        assert_int_equal(hops_counts(t->hops).idle, 2);
        sends(t, "ana@example.net");
        sends(t, "rui@example.net");
        assert_int_equal(heard(&t->mta[0], "XCLIENT"), 2);
}

static void without_identify_there_is_no_xclient(void **state)
{
        struct a_test *t = *state;
        t->rules.identify = false;
        t->mta[0].offers = A_MTA_OFFERS;
        open_hops(t);
        sends(t, "ana@example.net");
        assert_int_equal(heard(&t->mta[0], "XCLIENT"), 0);
}

static void an_mta_that_takes_one_command_at_a_time(void **state)
{
        struct a_test *t = *state;
        struct a_mail m;
        t->mta[0].offers = A_MTA_XCLIENT;
        sends(t, "ana@example.net");
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        rcpt(t, &m, "eva");
        assert_int_equal(m.code, 250);
        whole_message(t, &m);
        assert_int_equal(t->mta[0].messages, 2);
}

/* --- refusals --- */

static void a_refused_sender_is_the_answer_to_each_recipient(void **state)
{
        struct a_test *t = *state;
        static const char *const offers[] = { A_MTA_OFFERS A_MTA_XCLIENT, A_MTA_XCLIENT };
        for (size_t i = 0; i < COUNT_OF(offers); i++) {
                struct a_mail m;
                open_hops(t);
                t->mta[0].offers = offers[i];
                t->mta[0].verb = "MAIL";
                t->mta[0].reply = "550 5.7.1 Not you\r\n";
                begin_mail(t, &m, "ana@example.net", NULL);
                for (int k = 0; k < 2; k++) {
                        rcpt(t, &m, "rui");
                        assert_int_equal(m.events, 1);
                        assert_int_equal(m.code, 550);
                        assert_string_equal(m.enhanced, "5.7.1");
                        assert_string_equal(m.text, "Not you");
                }
                whole_message(t, &m);
                assert_int_equal(m.code, 554); /* nobody is left */
                relay_free(m.relay);
                t->mta[0].verb = NULL;
                settle(t->loop);
                sends(t, "ana@example.net");
        }
}

static void a_refused_recipient_or_message_is_told(void **state)
{
        struct a_test *t = *state;
        struct a_mail m;
        t->mta[0].verb = "RCPT";
        t->mta[0].reply = "450 4.2.0 Later\r\n";
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        assert_int_equal(m.code, 450);
        t->mta[0].verb = ".";
        t->mta[0].reply = "554 5.7.1 No such words\r\n";
        rcpt(t, &m, "eva");
        assert_int_equal(m.code, 250);
        whole_message(t, &m);
        assert_int_equal(m.on, RELAY_ON_DONE);
        assert_int_equal(m.code, 554);
        assert_string_equal(m.text, "No such words");
        t->mta[0].verb = NULL;
        sends(t, "ana@example.net");
        assert_int_equal(t->mta[0].server.accepted, 1);
}

static void a_refused_data_is_told(void **state)
{
        struct a_test *t = *state;
        struct a_mail m;
        t->mta[0].verb = "DATA";
        t->mta[0].reply = "451 4.3.0 Not now\r\n";
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        whole_message(t, &m);
        assert_int_equal(m.on, RELAY_ON_DATA);
        assert_int_equal(m.code, 451);
        relay_free(m.relay);
        t->mta[0].verb = NULL;
        settle(t->loop);
        sends(t, "ana@example.net");
        assert_int_equal(t->mta[0].server.accepted, 1);
}

/* "354" to a recipient is neither yes nor no. */
static void an_answer_of_the_wrong_kind_ends_it(void **state)
{
        static const char *const verbs[] = { "MAIL", "RCPT", "." };
        struct a_test *t = *state;
        for (size_t i = 0; i < COUNT_OF(verbs); i++) {
                struct a_mail m;
                t->mta[0].verb = verbs[i];
                t->mta[0].reply = "354 Go on\r\n";
                begin_mail(t, &m, "ana@example.net", NULL);
                rcpt(t, &m, "rui");
                if (m.relay)
                        whole_message(t, &m);
                assert_int_equal(m.on, RELAY_ON_GONE);
                assert_int_equal(m.code, 451);
                assert_string_equal(m.why, "unexpected-reply");
        }
}

static void what_the_mta_does_not_offer_is_refused_in_words(void **state)
{
        static const struct {
                struct smtp_mail mail;
                unsigned code;
                const char *enhanced;
        } rows[] = { { { .from = { .null = true }, .body = SMTP_BODY_8BITMIME }, 554, "5.6.3" },
                     { { .from = { .null = true }, .utf8 = true }, 550, "5.6.7" },
                     { { .from = { .null = true }, .size = 2000 }, 552, "5.3.4" } };
        struct a_test *t = *state;
        t->mta[0].offers = "250-SIZE 1000\r\n" A_MTA_XCLIENT;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct a_mail m;
                begin_mail(t, &m, "ana@example.net", &rows[i].mail);
                rcpt(t, &m, "rui");
                assert_int_equal(m.on, RELAY_ON_RCPT);
                assert_int_equal(m.code, rows[i].code);
                assert_string_equal(m.enhanced, rows[i].enhanced);
                relay_free(m.relay);
                settle(t->loop);
        }
        assert_int_equal(heard(&t->mta[0], "MAIL"), 0);
        assert_int_equal(hops_counts(t->hops).lent, 0);
}

static void an_mta_that_takes_no_identity_gets_no_mail(void **state)
{
        struct a_test *t = *state;
        struct a_mail m;
        t->mta[0].offers = A_MTA_OFFERS;
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        assert_int_equal(m.on, RELAY_ON_GONE);
        assert_int_equal(heard(&t->mta[0], "MAIL"), 0);
        t->mta[0].offers = A_MTA_OFFERS A_MTA_XCLIENT;
        t->mta[0].verb = "XCLIENT";
        t->mta[0].reply = "550 5.7.0 Not from you\r\n";
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        assert_int_equal(m.on, RELAY_ON_GONE);
        assert_string_equal(m.why, "xclient-refused");
}

/* --- what goes wrong --- */

static void it_may_die_at_each_step(void **state)
{
        static const char *const steps[] = { "GREETING", "EHLO", "XCLIENT", "MAIL", "RCPT", "DATA", "." };
        struct a_test *t = *state;
        for (size_t i = 0; i < COUNT_OF(steps); i++) {
                struct a_mail m;
                open_hops(t);
                t->mta[0].dies_at = steps[i];
                begin_mail(t, &m, "ana@example.net", NULL);
                rcpt(t, &m, "rui");
                if (m.relay)
                        whole_message(t, &m);
                assert_int_equal(m.on, RELAY_ON_GONE);
                assert_int_equal(m.unsure, i == COUNT_OF(steps) - 1);
                assert_int_equal(hops_counts(t->hops).lent, 0);
                assert_int_equal(hops_counts(t->hops).idle, 0);
        }
}

static void a_kept_one_that_is_dead_is_replaced_once(void **state)
{
        struct a_test *t = *state;
        struct a_mail m;
        sends(t, "ana@example.net");
        t->mta[0].dies_at = "MAIL"; /* it dies as the first command comes, twice */
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        assert_int_equal(m.on, RELAY_ON_GONE);
        assert_int_equal(t->mta[0].server.accepted, 2);
        t->mta[0].dies_at = NULL;
        sends(t, "ana@example.net");
        t->mta[0].dies_at = "XCLIENT"; /* where another identity is the first command */
        begin_mail(t, &m, "rui@example.net", NULL);
        rcpt(t, &m, "rui");
        assert_int_equal(m.on, RELAY_ON_GONE);
        t->mta[0].dies_at = NULL;
        sends(t, "rui@example.net");
}

static void who_has_an_answer_is_not_moved(void **state)
{
        struct a_test *t = *state;
        struct a_mail m;
        sends(t, "ana@example.net");
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        assert_int_equal(m.code, 250);
        t->mta[0].dies_at = "RCPT";
        rcpt(t, &m, "eva");
        assert_int_equal(m.on, RELAY_ON_GONE);
        assert_int_equal(t->mta[0].server.accepted, 1);
}

static void another_mta_takes_over_and_gives_back(void **state)
{
        struct a_test *t = *state;
        t->rules.n = 2;
        open_hops(t);
        sends(t, "ana@example.net");
        assert_int_equal(t->mta[0].messages, 1);
        a_server_close(&t->mta[0].server);
        settle(t->loop);
        sends(t, "ana@example.net");
        assert_int_equal(t->mta[1].messages, 1);
        assert_true(hops_healthy(t->hops));
        a_server_open(&t->mta[0].server, t->loop, t->paths[0]);
        a_server_hang_up(&t->mta[1].server);
        settle_for(t->loop, SECOND + 50000);
        sends(t, "ana@example.net");
        assert_int_equal(t->mta[0].messages, 2);
}

/* Both take connections, and say nothing. */
static void a_client_is_not_kept_for_silent_ones(void **state)
{
        struct a_test *t = *state;
        static const char *const steps[] = { "GREETING", "EHLO" };
        t->rules.n = 2;
        for (size_t i = 0; i < COUNT_OF(steps); i++) {
                struct a_mail m;
                t->mta[0].mute_at = t->mta[1].mute_at = steps[i];
                open_hops(t);
                begin_mail(t, &m, "ana@example.net", NULL);
                rcpt(t, &m, "rui");
                assert_int_equal(m.events, 0);
                settle_for(t->loop, 4 * SHORT);
                assert_int_equal(m.on, RELAY_ON_GONE);
                assert_int_equal(hops_counts(t->hops).connects, 2);
                assert_false(hops_healthy(t->hops));
        }
        t->mta[0].mute_at = "XCLIENT";
        struct a_mail m;
        open_hops(t);
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        settle_for(t->loop, 2 * SHORT);
        assert_int_equal(m.on, RELAY_ON_GONE);
}

static void a_reply_that_nobody_asked_for_ends_it(void **state)
{
        struct a_test *t = *state;
        struct a_mail m;
        t->mta[0].verb = "RCPT";
        t->mta[0].reply = "250 Ok\r\n250 And more\r\n";
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        if (m.relay)
                rcpt(t, &m, "eva");
        assert_int_equal(m.on, RELAY_ON_GONE);
}

/* --- all connections are lent --- */

static void who_comes_last_waits_in_order(void **state)
{
        struct a_test *t = *state;
        static struct a_mail m[HOP_LENT_MOST + 3];
        for (size_t i = 0; i < COUNT_OF(m); i++) {
                begin_mail(t, &m[i], "ana@example.net", NULL);
                rcpt(t, &m[i], "rui");
        }
        assert_int_equal(t->mta[0].server.accepted, HOP_LENT_MOST);
        assert_int_equal(m[HOP_LENT_MOST].events, 0);
        relay_free(take(m[HOP_LENT_MOST + 1].relay)); /* from the middle of the queue */
        whole_message(t, &m[0]);
        assert_int_equal(m[HOP_LENT_MOST].on, RELAY_ON_RCPT);
        assert_int_equal(m[HOP_LENT_MOST + 2].events, 0);
        relay_free(take(m[1].relay));
        settle(t->loop);
        assert_int_equal(m[HOP_LENT_MOST + 2].on, RELAY_ON_RCPT);
        assert_int_equal(hops_counts(t->hops).waits, 3);
        for (size_t i = 0; i < COUNT_OF(m); i++)
                relay_free(m[i].relay);
        settle(t->loop);
        assert_int_equal(hops_counts(t->hops).lent, 0);
}

static void who_thinks_gives_way_to_who_waits(void **state)
{
        struct a_test *t = *state;
        static struct a_mail m[HOP_LENT_MOST + 1];
        t->rules.wait = 3 * SECOND;
        for (size_t i = 0; i < COUNT_OF(m); i++) {
                begin_mail(t, &m[i], "ana@example.net", NULL);
                rcpt(t, &m[i], "rui");
        }
        settle_for(t->loop, 2 * SECOND + 300000); /* half the patience, at the next look */
        assert_int_equal(m[HOP_LENT_MOST].on, RELAY_ON_RCPT);
        size_t gone = 0;
        for (size_t i = 0; i < HOP_LENT_MOST; i++)
                gone += m[i].on == RELAY_ON_GONE;
        assert_true(gone >= 1);
        for (size_t i = 0; i < COUNT_OF(m); i++)
                relay_free(m[i].relay);
        settle(t->loop);
        assert_int_equal(hops_counts(t->hops).lent, 0);
}

static void who_waits_too_long_is_told(void **state)
{
        struct a_test *t = *state;
        static struct a_mail m[HOP_LENT_MOST + 1];
        for (size_t i = 0; i < COUNT_OF(m); i++) {
                begin_mail(t, &m[i], "ana@example.net", NULL);
                rcpt(t, &m[i], "rui");
                if (i < HOP_LENT_MOST)
                        relay_data(m[i].relay);
        }
        settle_for(t->loop, SECOND + 100000); /* the queue is looked at each second */
        assert_int_equal(m[HOP_LENT_MOST].on, RELAY_ON_GONE);
        assert_string_equal(m[HOP_LENT_MOST].why, "all connections to the MTA are in use");
        for (size_t i = 0; i < COUNT_OF(m); i++)
                relay_free(m[i].relay);
}

static void who_waits_hears_of_an_mta_that_dies(void **state)
{
        struct a_test *t = *state;
        static struct a_mail m[HOP_LENT_MOST + 2];
        for (size_t i = 0; i < COUNT_OF(m); i++) {
                begin_mail(t, &m[i], "ana@example.net", NULL);
                rcpt(t, &m[i], "rui");
        }
        a_server_close(&t->mta[0].server);
        settle(t->loop);
        for (size_t i = 0; i < COUNT_OF(m); i++)
                assert_int_equal(m[i].on, RELAY_ON_GONE);
        assert_int_equal(hops_counts(t->hops).lent, 0);
}

/* Its own limit is reached: it takes connections and greets nobody. Those that it has serve the others in turn. */
static void an_mta_with_few_places_serves_in_turn(void **state)
{
        struct a_test *t = *state;
        struct a_mail a, b, c, d;
        begin_mail(t, &a, "ana@example.net", NULL);
        rcpt(t, &a, "rui");
        t->mta[0].mute_at = "GREETING";
        begin_mail(t, &b, "ana@example.net", NULL);
        rcpt(t, &b, "rui");
        settle_for(t->loop, 2 * SHORT);
        assert_int_equal(b.on, RELAY_ON_GONE); /* who found it out */
        begin_mail(t, &c, "ana@example.net", NULL);
        begin_mail(t, &d, "ana@example.net", NULL);
        rcpt(t, &c, "rui");
        rcpt(t, &d, "rui");
        assert_int_equal(c.events + d.events, 0);
        whole_message(t, &a);
        assert_int_equal(a.on, RELAY_ON_DONE);
        assert_int_equal(c.on, RELAY_ON_RCPT);
        assert_int_equal(c.code, 250);
        whole_message(t, &c);
        assert_int_equal(d.code, 250);
        relay_free(d.relay);
        settle(t->loop);
}

/* --- freed at every stage --- */

static void a_relay_may_be_freed_at_every_stage(void **state)
{
        static const char *const mute[] = { "GREETING", "EHLO", "XCLIENT", "MAIL", "RCPT", "DATA", ".", "NOTHING" };
        static const char *const offers[] = { A_MTA_OFFERS A_MTA_XCLIENT, A_MTA_XCLIENT };
        struct a_test *t = *state;
        for (size_t i = 0; i < 2 * COUNT_OF(mute); i++) {
                struct a_mail m;
                open_hops(t);
                t->mta[0].offers = offers[i % 2];
                t->mta[0].mute_at = mute[i / 2];
                begin_mail(t, &m, "ana@example.net", NULL);
                rcpt(t, &m, "rui");
                if (i / 2 > 4) {
                        relay_data(m.relay);
                        settle(t->loop);
                }
                if (i / 2 > 5)
                        relay_bytes(m.relay, S("Subject: x\r\n\r\n"));
                if (i / 2 == 6)
                        relay_end(m.relay);
                settle(t->loop);
                size_t ended = t->mta[0].messages;
                relay_free(m.relay);
                settle(t->loop);
                assert_int_equal(t->mta[0].messages, ended); /* an unfinished one is never ended */
                a_server_hang_up(&t->mta[0].server);
                settle(t->loop);
                assert_int_equal(hops_counts(t->hops).lent, 0);
        }
        struct a_mail m;
        begin_mail(t, &m, "ana@example.net", NULL);
        relay_free(m.relay); /* before anything */
}

static void a_relay_may_be_freed_inside_every_event(void **state)
{
        static const char *const steps[] = { "MAIL", "RCPT", "DATA", ".", "GREETING", "NOTHING" };
        struct a_test *t = *state;
        for (size_t i = 0; i < COUNT_OF(steps); i++)
                for (int how = 0; how < 2; how++) {
                        struct a_mail m;
                        open_hops(t);
                        t->mta[0].dies_at = how ? steps[i] : NULL;
                        t->mta[0].verb = how ? NULL : steps[i];
                        t->mta[0].reply = "550 5.7.1 No\r\n";
                        begin_mail(t, &m, "ana@example.net", NULL);
                        m.free_at_once = i != 2 && i != 3;
                        rcpt(t, &m, "rui");
                        m.free_at_once = true;
                        if (m.relay)
                                whole_message(t, &m);
                        settle(t->loop);
                        relay_free(m.relay);
                        settle(t->loop);
                        assert_int_equal(hops_counts(t->hops).lent, 0);
                }
}

/* A message that the MTA takes slowly holds the client back, and is whole in the end. */
static void a_slow_mta_holds_back(void **state)
{
        struct a_test *t = *state;
        struct a_mail m;
        static char line[1000];
        size_t sent = 0;
        memset(line, 'x', sizeof line);
        line[998] = '\r';
        line[999] = '\n';
        begin_mail(t, &m, "ana@example.net", NULL);
        rcpt(t, &m, "rui");
        relay_data(m.relay);
        settle(t->loop);
        while (relay_bytes(m.relay, (struct slice){ line, sizeof line }))
                sent += sizeof line;
        sent += sizeof line;
        assert_true(sent < 1000000);
        settle(t->loop);
        assert_int_equal(m.on, RELAY_ON_ROOM);
        relay_end(m.relay);
        settle(t->loop);
        assert_int_equal(m.on, RELAY_ON_DONE);
        assert_int_equal(t->mta[0].message.n, sent);
}

int main(void)
{
#define A_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                A_TEST(a_connection_is_kept_and_used_again),
                A_TEST(xclient_goes_out_where_the_identity_changes),
                A_TEST(of_two_that_are_kept_the_one_that_knows_him_is_taken),
                A_TEST(without_identify_there_is_no_xclient),
                A_TEST(an_mta_that_takes_one_command_at_a_time),
                A_TEST(a_refused_sender_is_the_answer_to_each_recipient),
                A_TEST(a_refused_recipient_or_message_is_told),
                A_TEST(a_refused_data_is_told),
                A_TEST(an_answer_of_the_wrong_kind_ends_it),
                A_TEST(what_the_mta_does_not_offer_is_refused_in_words),
                A_TEST(an_mta_that_takes_no_identity_gets_no_mail),
                A_TEST(it_may_die_at_each_step),
                A_TEST(a_kept_one_that_is_dead_is_replaced_once),
                A_TEST(who_has_an_answer_is_not_moved),
                A_TEST(another_mta_takes_over_and_gives_back),
                A_TEST(a_client_is_not_kept_for_silent_ones),
                A_TEST(a_reply_that_nobody_asked_for_ends_it),
                A_TEST(who_comes_last_waits_in_order),
                A_TEST(who_thinks_gives_way_to_who_waits),
                A_TEST(who_waits_too_long_is_told),
                A_TEST(who_waits_hears_of_an_mta_that_dies),
                A_TEST(an_mta_with_few_places_serves_in_turn),
                A_TEST(a_relay_may_be_freed_at_every_stage),
                A_TEST(a_relay_may_be_freed_inside_every_event),
                A_TEST(a_slow_mta_holds_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
