/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static const char of_64[] = "0123456789012345678901234567890123456789012345678901234567890123";

static void addresses_have_one_form(void **state)
{
        static const struct {
                const char *text, *any, *ours; /* NULL: refused */
        } facts[] = {
                { "Maria.Silva@EXAMPLE.net", "Maria.Silva@example.net", "maria.silva@example.net" },
                { " a@example.net\t", "a@example.net", "a@example.net" },
                { "a+tag@example.net", "a+tag@example.net", "a+tag@example.net" },
                { "o'brien&co@example.net", "o'brien&co@example.net", "o'brien&co@example.net" },
                { "a/b@example.net", "a/b@example.net", NULL },
                { "a!b%c@example.net", "a!b%c@example.net", NULL },
                { "-a@example.net", "-a@example.net", NULL },
                { "a@xn--caf-dma.example", "a@xn--caf-dma.example", "a@xn--caf-dma.example" },
                { "a@caf\xc3\xa9.example", NULL, NULL },
                { "jo\xc3\xa3o@example.net", NULL, NULL },
                { "\"a b\"@example.net", NULL, NULL },
                { "a b@example.net", NULL, NULL },
                { ".a@example.net", NULL, NULL },
                { "a.@example.net", NULL, NULL },
                { "a..b@example.net", NULL, NULL },
                { "a", NULL, NULL },
                { "@example.net", NULL, NULL },
                { "a@", NULL, NULL },
                { "a@net", NULL, NULL },
                { "a@example..net", NULL, NULL },
                { "a@example.net.", NULL, NULL },
                { "a@-example.net", NULL, NULL },
                { "a@example-.net", NULL, NULL },
                { "a@exam_ple.net", NULL, NULL },
                { "a@192.0.2.1", NULL, NULL },
                { "a@[192.0.2.1]", NULL, NULL },
                { "a@b@example.net", NULL, NULL },
                { "a@example.net\nb", NULL, NULL },
        };
        (void)state;
        autoarena *a = arena_new(1 << 20);
        for (size_t i = 0; i < COUNT_OF(facts); i++)
                for (int ours = 0; ours < 2; ours++) {
                        struct address got = { .whole = { NULL, 0 } };
                        const char *want = ours ? facts[i].ours : facts[i].any;
                        const char *wrong = address_parse(slice_of(facts[i].text), (enum address_whose)ours, a, &got);
                        if ((wrong == NULL) != (want != NULL) || (want && !slice_eq(got.whole, slice_of(want))))
                                fail_msg("%s: got %s %.*s, want %s", facts[i].text, wrong ? wrong : "",
                                         SLICE_ARGS(got.whole), want ? want : "no");
                }
}

static void lengths_are_those_of_the_standard(void **state)
{
        char text[400];
        struct address got;
        struct slice domain;
        (void)state;
        autoarena *a = arena_new(1 << 20);
        snprintf(text, sizeof text, "%s@example.net", of_64);
        assert_null(address_parse(slice_of(text), ADDRESS_OURS, a, &got));
        assert_int_equal(got.local.n, 64);
        snprintf(text, sizeof text, "x%s@example.net", of_64);
        assert_non_null(address_parse(slice_of(text), ADDRESS_OURS, a, &got));
        snprintf(text, sizeof text, "%.63s.example", of_64);
        assert_null(domain_parse(slice_of(text), a, &domain));
        snprintf(text, sizeof text, "%s.example", of_64);
        assert_non_null(domain_parse(slice_of(text), a, &domain));
        snprintf(text, sizeof text, "%.63s.%.63s.%.63s.%.53s.example", of_64, of_64, of_64, of_64);
        assert_int_equal(strlen(text), 253);
        assert_null(domain_parse(slice_of(text), a, &domain));
        snprintf(text, sizeof text, "%.63s.%.63s.%.63s.%.54s.example", of_64, of_64, of_64, of_64);
        assert_non_null(domain_parse(slice_of(text), a, &domain));
        snprintf(text, sizeof text, "%s@%.63s.%.63s.%.53s.example", of_64, of_64, of_64, of_64); /* 64 + 1 + 189 */
        assert_int_equal(strlen(text), 254);
        assert_null(address_parse(slice_of(text), ADDRESS_ANY, a, &got));
        snprintf(text, sizeof text, "%s@%.63s.%.63s.%.54s.example", of_64, of_64, of_64, of_64);
        assert_non_null(address_parse(slice_of(text), ADDRESS_ANY, a, &got));
}

static void names_that_are_kept_back(void **state)
{
        (void)state;
        assert_true(address_is_role(S("Abuse")) && address_is_role(S("postmaster")));
        assert_false(address_is_role(S("abuse2")));
        assert_true(address_is_reserved(S("root"), false));
        assert_false(address_is_reserved(S("webmaster"), false));
        assert_true(address_is_reserved(S("WebMaster"), true));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(addresses_have_one_form),
                                            cmocka_unit_test(lengths_are_those_of_the_standard),
                                            cmocka_unit_test(names_that_are_kept_back) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
