/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void words_of_limits(void **state)
{
        static const struct {
                const char *word;
                enum mail_limit which;
                int64_t value; /* INT64_MIN: refused */
        } facts[] = {
                { "quota=2G", MAIL_LIMIT_QUOTA, INT64_C(2) << 30 },
                { "quota=1M", MAIL_LIMIT_QUOTA, 1 << 20 },
                { "quota=none", MAIL_LIMIT_QUOTA, LIMIT_NONE },
                { "quota=inherit", MAIL_LIMIT_QUOTA, LIMIT_INHERIT },
                { "messages-hour=0", MAIL_LIMIT_MESSAGES_HOUR, 0 },
                { "recipients-day=1000000000", MAIL_LIMIT_RECIPIENTS_DAY, 1000000000 },
                { "quota=0", MAIL_LIMIT_QUOTA, INT64_MIN },
                { "quota=1000", MAIL_LIMIT_QUOTA, INT64_MIN },
                { "quota=-1", MAIL_LIMIT_QUOTA, INT64_MIN },
                { "messages-hour=-1", MAIL_LIMIT_MESSAGES_HOUR, INT64_MIN },
                { "messages-hour=1000000001", MAIL_LIMIT_MESSAGES_HOUR, INT64_MIN },
                { "messages-hour=1K", MAIL_LIMIT_MESSAGES_HOUR, INT64_MIN },
                { "messages-hour=", MAIL_LIMIT_MESSAGES_HOUR, INT64_MIN },
                { "messages-hour", MAIL_LIMIT_COUNT, INT64_MIN },
                { "size=1", MAIL_LIMIT_COUNT, INT64_MIN },
                { "=1", MAIL_LIMIT_COUNT, INT64_MIN },
        };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(facts); i++) {
                struct mail_limits l = mail_limits_inherit;
                enum mail_limit which;
                bool right = !mail_limits_parse_word(slice_of(facts[i].word), &l, &which);
                if (right != (facts[i].value != INT64_MIN) || (right && which != facts[i].which) ||
                    (right && l.v[which] != facts[i].value))
                        fail_msg("%s", facts[i].word);
        }
}

static void what_is_printed_reads_back(void **state)
{
        (void)state;
        autobuf out;
        buf_init(&out, 1024);
        struct mail_limits l = mail_limits_inherit;
        mail_limits_print(&l, &out);
        assert_int_equal(out.n, 0);
        l.v[MAIL_LIMIT_QUOTA] = INT64_C(1500) << 20;
        l.v[MAIL_LIMIT_MESSAGES_DAY] = LIMIT_NONE;
        mail_limits_print(&l, &out);
        assert_string_equal(buf_cstr(&out), "quota=1500M messages-day=none");
}

static struct policy *read_policy(const char *text, struct diags *d)
{
        struct policy *p = policy_parse(&(struct policy_input){ .name = S("p"), .text = slice_of(text) }, d);
        assert_non_null(p);
        return p;
}

/* Who speaks first up the chain is who decides. */
static void the_chain(void **state)
{
        (void)state;
        enum mail_limit which = MAIL_LIMIT_MESSAGES_DAY;
        struct mail_limits mailbox = mail_limits_inherit, subscriber = mail_limits_inherit;
        autodiags *d = diags_new();
        autopolicy *p =
            read_policy("network \"T\" { timezone UTC }\n"
                        "class home { port25 block  messages-day 300 }\nclass plus { port25 block }\n"
                        "pool a { class home prefix 192.0.2.0/25 }\npool b { class plus prefix 192.0.2.128/25 }\n"
                        "mail { messages-day 100  quota 1G }\n",
                        d);
        struct limit_found f = mail_limit_find(which, &mailbox, &subscriber, S("plus"), p);
        assert_int_equal(f.value, 100);
        assert_int_equal(f.source, LIMIT_SOURCE_POLICY);
        assert_int_equal(f.place.line, 6);
        f = mail_limit_find(which, &mailbox, &subscriber, S(""), p);
        assert_int_equal(f.source, LIMIT_SOURCE_POLICY);
        f = mail_limit_find(which, &mailbox, &subscriber, S("home"), p);
        assert_int_equal(f.value, 300);
        assert_int_equal(f.source, LIMIT_SOURCE_CLASS);
        assert_int_equal(f.place.line, 2);
        subscriber.v[which] = LIMIT_NONE;
        f = mail_limit_find(which, &mailbox, &subscriber, S("home"), p);
        assert_int_equal(f.value, LIMIT_NONE);
        assert_int_equal(f.source, LIMIT_SOURCE_SUBSCRIBER);
        mailbox.v[which] = 0;
        f = mail_limit_find(which, &mailbox, &subscriber, S("home"), p);
        assert_int_equal(f.value, 0);
        assert_int_equal(f.source, LIMIT_SOURCE_MAILBOX);
        f = mail_limit_find(MAIL_LIMIT_RECIPIENTS_HOUR, &mailbox, &subscriber, S("home"), p);
        assert_int_equal(f.value, LIMIT_NONE);
        assert_int_equal(f.place.line, 0); /* the default of the option */
        f = mail_limit_find(MAIL_LIMIT_QUOTA, &mailbox, &subscriber, S("gone"), NULL);
        assert_int_equal(f.source, LIMIT_SOURCE_NOWHERE);
        assert_int_equal(f.value, LIMIT_NONE);
        assert_int_equal(p->mail.reuse_after, 180 * DAY);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(words_of_limits),
                                            cmocka_unit_test(what_is_printed_reads_back), cmocka_unit_test(the_chain) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
