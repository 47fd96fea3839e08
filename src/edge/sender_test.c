/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void as_whom(void **state)
{
        struct slice senders[] = { S("alarm@example.net"), S("@panels.example.net") };
        struct policy_legacy legacy = { .senders = senders, .n_senders = 2 };
        struct policy policy = { .legacies = &legacy, .n_legacies = 1 };
        static struct worker worker;
        struct slice own[] = { S("ana@example.net"), S("*@ana.example") };
        struct account account = { .senders = own, .n_senders = 2 };
        struct setup_listener at_legacy = { .role = EDGE_LEGACY }, at_submission = { .role = EDGE_SUBMISSION };
        struct session panel = { .worker = &worker, .listener = &at_legacy };
        struct session customer = { .worker = &worker, .listener = &at_submission, .account = &account };
        struct session stranger = { .worker = &worker, .listener = &at_submission };
        const struct {
                const struct session *who;
                const char *as;
                bool may;
        } rows[] = {
                { &panel, "alarm@example.net", true },
                { &panel, "ALARM@example.NET", true },
                { &panel, "7@panels.example.net", true },
                { &panel, "7@PANELS.example.net", true },
                { &panel, "7@more.panels.example.net", false },
                { &panel, "7@notpanels.example.net", false },
                { &panel, "@panels.example.net", false },
                { &panel, "alarm@example.net.br", false },
                { &panel, "xalarm@example.net", false },
                { &panel, "", false },
                { &panel, "ana@example.net", false },
                { &customer, "ana@example.net", true },
                { &customer, "any@ana.example", true },
                { &customer, "@ana.example", false },
                { &customer, "any@banana.example", false },
                { &customer, "alarm@example.net", false },
                { &customer, "", false },
                { &stranger, "ana@example.net", false },
                { &stranger, "", false },
        };
        (void)state;
        worker.policy = &policy;
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                if (sender_allowed(rows[i].who, slice_of(rows[i].as)) != rows[i].may)
                        fail_msg("%zu: as \"%s\"", i, rows[i].as);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(as_whom) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
