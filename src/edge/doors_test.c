/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is listened on for a policy. The sockets themselves are opened by tests/test_edge.py, in a name space. */
#include "edge/doors.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <cmocka.h>

#define NETWORK                                                                                                        \
        "network \"Test\" { domain example.net  timezone UTC }\nclass home { port25 divert }\n"                        \
        "pool homes { class home  prefix 198.51.100.0/24 }\n"
#define EDGE(more) "edge { certificate a.example chain /c key /k  next-hop relay 127.0.0.1:25  " more " }\n"
#define LEGACY                                                                                                         \
        "legacy panels { listen 192.0.2.1:2626  from 192.0.2.0/24  sender @p.example  until 2099-01-01  owner x }\n"

static struct policy *policy_of(const char *text)
{
        autodiags *d = diags_new();
        autobuf said;
        buf_init(&said, 1 << 16);
        struct policy *p = policy_parse(&(struct policy_input){ .name = S("test"), .text = slice_of(text) }, d);
        diags_print(d, &said);
        if (!p)
                fail_msg("%s", buf_cstr(&said));
        return p;
}

static void what_is_wanted(void **state)
{
        static const struct {
                const char *policy, *want;
        } rows[] = {
                { NETWORK, "" },
                { NETWORK EDGE("submission port 587, 465"),
                  "submission 0 0 0.0.0.0:587\nsubmission 0 0 [::]:587\nsubmission 1 0 0.0.0.0:465\nsubmission 1 0 "
                  "[::]:465\n"
                  "divert 0 0 127.0.0.1:2525\ntrap 0 0 127.0.0.1:2526\ndivert 0 0 [::1]:2525\ntrap 0 0 [::1]:2526\n" },
                { NETWORK EDGE("submission port 587  listen 203.0.113.25, 2001:db8::25") LEGACY,
                  "submission 0 0 203.0.113.25:587\nsubmission 0 0 [2001:db8::25]:587\n"
                  "divert 0 0 127.0.0.1:2525\ntrap 0 0 127.0.0.1:2526\ndivert 0 0 [::1]:2525\ntrap 0 0 [::1]:2526\n"
                  "legacy 0 0 192.0.2.1:2626\n" },
                { NETWORK EDGE("submission port 587  listen 203.0.113.25") "gate { edge route 203.0.113.9  mark "
                                                                           "0x2500/0xff00 }\n",
                  "submission 0 0 203.0.113.25:587\n" },
        };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autopolicy *p = policy_of(rows[i].policy);
                autobuf got;
                buf_init(&got, 4096);
                doors_wanted(p, &got);
                assert_string_equal(buf_cstr(&got), rows[i].want);
        }
}

static uint16_t free_port(void)
{
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof at;
        autoclose int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
        return ntohs(at.sin_port);
}

/* All or nothing, and the sentence names the one that cannot be had. */
static void a_door_that_is_taken_is_named(void **state)
{
        char text[1024];
        unsigned port = free_port(), other = free_port(), third = free_port();
        struct setup s = { .n_listeners = 0 };
        autobuf why;
        (void)state;
        buf_init(&why, 4096);
        snprintf(text, sizeof text,
                 NETWORK EDGE("submission port %u  listen 127.0.0.1") "gate { divert-port %u  trap-port %u }\n", port,
                 other, third);
        autopolicy *p = policy_of(text);
        assert_int_equal(doors_open(p, &s, &why), 0);
        assert_true(s.n_listeners >= 3); /* the box may have no IPv6 */
        assert_int_equal(s.listeners[0].role, EDGE_SUBMISSION);
        struct setup again = { .n_listeners = 0 };
        assert_int_equal(doors_open(p, &again, &why), -EADDRINUSE);
        assert_int_equal(again.n_listeners, 0);
        assert_non_null(strstr(buf_cstr(&why), "127.0.0.1:"));
        assert_non_null(strstr(buf_cstr(&why), "(submission): "));
        doors_close(&s);
        assert_int_equal(s.n_listeners, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_wanted),
                                            cmocka_unit_test(a_door_that_is_taken_is_named) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
