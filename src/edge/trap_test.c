/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trap without its clock: trap_tick() is DRIP_TICK. */
#include "edge/trap.h"
#include "edge/test_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int setup(void **state)
{
        struct a_worker *t = xcalloc(1, sizeof *t);
        a_worker_open(t, NULL);
        *state = t;
        return 0;
}

static int teardown(void **state)
{
        struct a_worker *t = *state;
        a_worker_close(t);
        free(t);
        return 0;
}

/* Until bytes come; how many ticks that took. `most`: no more than that. */
static int ticks_until_bytes(struct a_worker *t, int fd, struct buf *out, int most)
{
        for (int i = 1; i <= most; i++) {
                trap_tick(&t->w);
                if (*a_worker_hear(t, fd, out))
                        return i;
        }
        return 0;
}

static int caught(struct a_worker *t)
{
        autobuf got;
        buf_init(&got, A_TEXT);
        int fd = a_worker_dial(t, EDGE_TRAP);
        assert_string_equal(a_worker_hear(t, fd, &got), "220-mail.example.net\r\n");
        assert_true(ticks_until_bytes(t, fd, &got, DRIP_SLOTS) > 0);
        assert_string_equal(buf_cstr(&got), "220 mail.example.net ESMTP\r\n");
        return fd;
}

static void who_names_a_recipient_is_dripped_to(void **state)
{
        struct a_worker *t = *state;
        autobuf got, all;
        buf_init(&got, A_TEXT);
        buf_init(&all, A_TEXT);
        autoclose int fd = caught(t);
        a_worker_send(t, fd, S("HELO bot\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"));
        a_worker_hear(t, fd, &got); /* of the answer to all three the first byte */
        assert_int_equal(got.n, 1);
        buf_addc(&all, got.p[0]);
        for (int i = 0; i < 200; i++) {
                int ticks = ticks_until_bytes(t, fd, &got, 2 * DRIP_SLOTS);
                if (!ticks)
                        break;
                assert_int_equal(got.n, 1);
                assert_true(i == 0 || ticks == DRIP_SLOTS);
                buf_addc(&all, got.p[0]);
        }
        assert_non_null(strstr(buf_cstr(&all), "\r\n451 4.3.0 Try later"));
        a_worker_send(t, fd, S("QUIT\r\n")); /* heard again */
        assert_non_null(strstr(a_worker_hear(t, fd, &got), "221 "));
        settle_for(t->w.loop, 50000);
        assert_int_equal(t->keeper.rows, 1);
}

/* Two that are told the same share its text, and each hears his own reference. */
static void a_crowd_is_parked(void **state)
{
        struct a_worker *t = *state;
        static const char words[] = "HELO bot\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
        autobuf got, ref;
        buf_init(&got, A_TEXT);
        buf_init(&ref, A_TEXT);
        autoclose int one = caught(t), two = caught(t);
        a_worker_send(t, one, slice_of(words));
        a_worker_send(t, two, slice_of(words));
        struct session *second = t->w.sessions, *first = second->next;
        trap_tick(&t->w);
        assert_true(!first->io && !second->io && !first->helo);
        assert_ptr_equal(first->drip, second->drip);
        for (int i = 0; i < 200 * DRIP_SLOTS && first->drip; i++)
                trap_tick(&t->w);
        char text[SMTP_REF_TEXT_MAX];
        buf_adds(&ref, session_ref(first, text));
        assert_non_null(first->io); /* it is heard again */
        assert_non_null(strstr(a_worker_hear(t, one, &got), buf_cstr(&ref)));
        close(take_fd(&two));
        for (int i = 0; i < 3 * DRIP_SLOTS && t->w.n_sessions > 1; i++) {
                trap_tick(&t->w);
                settle_for(t->w.loop, 2000);
        }
        assert_int_equal(t->w.n_sessions, 1);
}

static void what_he_says_meanwhile_waits(void **state)
{
        struct a_worker *t = *state;
        autobuf got;
        buf_init(&got, A_TEXT);
        autoclose int fd = caught(t);
        a_worker_send(t, fd, S("HELO bot\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"));
        a_worker_hear(t, fd, &got);
        for (int i = 0; i < 100; i++)
                a_worker_send(t, fd, S("NOOP\r\n"));
        assert_string_equal(a_worker_hear(t, fd, &got), "");
        assert_int_equal(t->w.sessions->smtp.commands, 3);
}

static void a_thousand_commands_cost_no_memory(void **state)
{
        struct a_worker *t = *state;
        autobuf many;
        buf_init(&many, A_TEXT);
        autoclose int fd = caught(t);
        buf_adds(&many, "HELO bot\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n");
        for (int i = 0; i < 900; i++)
                buf_adds(&many, "NOOP\r\n");
        a_worker_send(t, fd, buf_slice(&many));
        const struct drip *d = t->w.sessions->drip;
        assert_true(d->n > 0 && d->n <= SMTP_REPLY_LINE_MOST);
        assert_int_equal(d->text[d->n - 1], '\n');
}

static void who_talks_before_the_greeting_is_told_of_at_once(void **state)
{
        struct a_worker *t = *state;
        autoclose int fd = a_worker_dial(t, EDGE_TRAP);
        a_worker_send(t, fd, S("EHLO bot\r\n"));
        assert_true(t->w.sessions->told);
        assert_true(t->w.sessions->smtp.did & SMTP_DID_TALK_EARLY);
}

/* He never closes: what io_finish() gave him is not taken away by the drip that goes on. */
static void one_that_is_told_to_go_is_not_kept(void **state)
{
        struct a_worker *t = *state;
        autobuf got;
        buf_init(&got, A_TEXT);
        autoclose int fd = caught(t);
        a_worker_send(t, fd, S("HELO bot\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"));
        session_stop(t->w.sessions);
        for (int i = 0; i < 100 * DRIP_SLOTS; i++)
                trap_tick(&t->w);
        assert_int_equal(t->w.n_sessions, 1);
        settle_for(t->w.loop, SESSION_LINGER + 200000);
        assert_int_equal(t->w.n_sessions, 0);
}

static void past_its_limit_it_is_short(void **state)
{
        struct a_worker *t = *state;
        autobuf got;
        int fds[HURRIED_MOST + 4];
        size_t n = 0, limit = (size_t)t->w.policy->edge.trap_connections;
        buf_init(&got, A_TEXT);
        for (size_t i = 0; i < limit; i++)
                fds[n++] = a_worker_dial(t, EDGE_TRAP);
        int hurried = fds[n++] = a_worker_dial(t, EDGE_TRAP);
        assert_string_equal(a_worker_hear(t, hurried, &got), "220 mail.example.net ESMTP\r\n");
        for (int i = 1; i < HURRIED_MOST; i++)
                fds[n++] = a_worker_dial(t, EDGE_TRAP);
        fds[n++] = a_worker_dial(t, EDGE_TRAP);
        assert_true(slice_starts(slice_of(a_worker_hear(t, fds[n - 1], &got)), S("421 ")));
        /* customers have room all the same */
        fds[n++] = a_worker_dial(t, EDGE_DIVERT);
        assert_true(slice_starts(slice_of(a_worker_hear(t, fds[n - 1], &got)), S("220 ")));
        a_worker_send(t, hurried, S("HELO bot\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"));
        assert_non_null(strstr(a_worker_hear(t, hurried, &got), "\r\n421 "));
        for (size_t i = 0; i < n; i++)
                close(fds[i]);
        settle(t->w.loop);
        assert_int_equal(t->w.n_sessions + t->w.n_trapped + t->w.n_hurried, 0);
}

int main(void)
{
#define A_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                A_TEST(who_names_a_recipient_is_dripped_to),
                A_TEST(a_crowd_is_parked),
                A_TEST(what_he_says_meanwhile_waits),
                A_TEST(a_thousand_commands_cost_no_memory),
                A_TEST(who_talks_before_the_greeting_is_told_of_at_once),
                A_TEST(one_that_is_told_to_go_is_not_kept),
                A_TEST(past_its_limit_it_is_short),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
