/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy stands on a lower floor and cannot ask the readers for their words. tests/test_lease_feed.py has the rest. */
#include "identity/feed.h"
#include "policy/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void the_words_of_the_policy_are_those_of_the_readers(void **state)
{
        static const char *const lines[] = {
#define LINE_WORD(id, name) name,
                LINE_CHOICES(LINE_WORD)
        };
        (void)state;
        size_t n = 0;
        for (; policy_feed_formats()[n]; n++)
                assert_int_equal(reader_format_of(slice_of(policy_feed_formats()[n])), n);
        assert_int_equal(n, READER_FORMAT_COUNT);
        for (n = 0; policy_feed_lines()[n]; n++)
                assert_string_equal(policy_feed_lines()[n], lines[n]);
        assert_int_equal(n, COUNT_OF(lines));
}

static struct buf wanted(const char *feed)
{
        struct buf out;
        autobuf text;
        buf_init(&text, 4096);
        buf_init(&out, 4096);
        buf_addf(&text, "network x { timezone UTC } class h { port25 open } pool p { class h prefix 192.0.2.0/24 } %s",
                 feed);
        autodiags *d = diags_new();
        autopolicy *p = policy_parse(&(struct policy_input){ .name = S("x"), .text = buf_slice(&text) }, d);
        assert_non_null(p);
        feeds_wanted(p, &out);
        return out;
}

/* A duty starts itself anew where, and only where, this text differs. */
static void what_a_duty_must_open_anew_differs(void **state)
{
        static const char base[] = "feed a { radius 192.0.2.1:1813  nas 192.0.2.0/28  secret-file /s }";
        static const struct {
                const char *feed;
                bool same;
        } rows[] = {
                { base, true },
                { "feed a { radius 192.0.2.1:1813  nas 192.0.2.0/28  secret-file /s  tolerance 9s }", true },
                { "", false },
                { "feed b { radius 192.0.2.1:1813  nas 192.0.2.0/28  secret-file /s }", false },
                { "feed a { radius 192.0.2.2:1813  nas 192.0.2.0/28  secret-file /s }", false },
                { "feed a { radius 192.0.2.1:1814  nas 192.0.2.0/28  secret-file /s }", false },
                { "feed a { radius 192.0.2.1:1813  nas 192.0.2.0/27  secret-file /s }", false },
                { "feed a { radius 192.0.2.1:1813  nas 192.0.2.0/28, 192.0.2.99  secret-file /s }", false },
                { "feed a { radius 192.0.2.1:1813  nas 192.0.2.0/28  secret-file /t }", false },
                { "feed a { radius 192.0.2.1:1813  nas 192.0.2.0/28  secret-file /s  line mac }", false },
                { "feed a { radius 192.0.2.1:1813  nas 192.0.2.0/28  secret-file /s  realm x }", false },
                { "feed a { file /s  format isc }", false },
        };
        (void)state;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autobuf first = wanted(base), second = wanted(rows[i].feed);
                if (slice_eq(buf_slice(&first), buf_slice(&second)) != rows[i].same)
                        fail_msg("%s", rows[i].feed);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_words_of_the_policy_are_those_of_the_readers),
                cmocka_unit_test(what_a_duty_must_open_anew_differs),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
