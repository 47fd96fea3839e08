/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Whether the text has a line that begins with `begin` and goes on with `name` and a blank. */
static bool has_line(struct slice text, const char *begin, const char *name)
{
        autofree char *want = xasprintf("%s%s ", begin, name);
        for (struct slice rest; text.p; text = rest)
                if (slice_starts(slice_cut(text, '\n', &rest), slice_of(want)))
                        return true;
        return false;
}

static void every_row_is_explained(void **state)
{
        (void)state;
        size_t n;
        const struct block *b = policy_blocks(&n);
        autobuf help;
        buf_init(&help, 1 << 20);
        policy_options_print(&help);
        assert_false(help.full);
        for (size_t i = 0; i < n; i++) {
                assert_true(has_line(buf_slice(&help), "", b[i].name));
                assert_ptr_equal(policy_block(slice_of(b[i].name)), &b[i]);
                for (size_t k = 0; k < b[i].n_options; k++) {
                        const struct option *o = &b[i].options[k];
                        assert_true(has_line(buf_slice(&help), "    ", o->name));
                        assert_ptr_equal(block_option(&b[i], slice_of(o->name)), o); /* no name twice */
                        assert_true(o->help[strlen(o->help) - 1] == '.');
                        assert_false(o->required && o->fallback);
                        assert_true((o->type == OPTION_CHOICE) == (o->choices != NULL));
                        assert_true(o->offset < b[i].size);
                }
        }
        assert_null(policy_block(S("console")));
        assert_null(block_option(&b[0], S("prefix")));
}

static void lines_fit_a_terminal(void **state)
{
        (void)state;
        autobuf help;
        buf_init(&help, 1 << 20);
        policy_options_print(&help);
        for (struct slice rest, text = buf_slice(&help); text.p; text = rest) {
                struct slice line = slice_cut(text, '\n', &rest);
                if (line.n > 84)
                        fail_msg("%zu: %.*s", line.n, SLICE_ARGS(line));
        }
        assert_non_null(strstr(buf_cstr(&help),
                               "    half-life DURATION\n        Time in which points fade to half. From 1m to 3653d."
                               " Default: 24h.\n"));
        assert_non_null(strstr(buf_cstr(&help), "    until DATE\n"));
}

static void the_manual_is_made_of_macros(void **state)
{
        (void)state;
        autobuf roff;
        size_t dots = 0;
        buf_init(&roff, 1 << 20);
        policy_options_roff(&roff);
        for (struct slice rest, text = buf_slice(&roff); text.p; text = rest) {
                struct slice line = slice_cut(text, '\n', &rest);
                bool macro = slice_starts(line, S("."));
                dots += macro;
                if (macro && !slice_starts(line, S(".SS ")) && !slice_eq(line, S(".TP")))
                        fail_msg("%.*s", SLICE_ARGS(line));
                assert_false(slice_starts(line, S("'")));
        }
        assert_true(dots > 60);
        assert_non_null(strstr(buf_cstr(&roff), ".TP\n\\fBif\\-edge\\-down\\fR reset | open\n"));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(every_row_is_explained),
                                            cmocka_unit_test(lines_fit_a_terminal),
                                            cmocka_unit_test(the_manual_is_made_of_macros) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
