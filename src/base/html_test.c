/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void whatever_is_written_stays_text(void **state)
{
        (void)state;
        static const struct {
                struct slice text;
                const char *want;
        } facts[] = {
                { S(""), "" },
                { S("joe@example.net"), "joe@example.net" },
                { S("\"><script>alert('1')</script>"),
                  "&#34;&#62;&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;" },
                { S("&amp; &#60; -->"), "&#38;amp; &#38;#60; --&#62;" },
                { S("</style>]]>"), "&#60;/style&#62;]]&#62;" },
                { S("a\0b\x1b[31m\x7f\t\n"), "a\\x00b\\x1b[31m\\x7f\\x09\\x0a" },
                { S("ação \xf0\x9f\x93\xa7"), "ação \xf0\x9f\x93\xa7" },
                { S("\xff\xc3(\xc3"), "\\xff\\xc3(\\xc3" },
                { S("\xc2\x9b"), "\\xc2\\x9b" },                                        /* C1: CSI */
                { S("\xe2\x80\xaetxt.exe"), "\\xe2\\x80\\xaetxt.exe" },                 /* U+202E */
                { S("\xe2\x81\xa6\xd8\x9c"), "\\xe2\\x81\\xa6\\xd8\\x9c" },             /* U+2066, U+061C */
                { S("\xc0\xbcscript\xe0\x80\xbc"), "\\xc0\\xbcscript\\xe0\\x80\\xbc" }, /* "<", overlong */
        };
        for (size_t i = 0; i < COUNT_OF(facts); i++) {
                autobuf out;
                buf_init(&out, 4096);
                html_add(&out, facts[i].text);
                assert_string_equal(buf_cstr(&out), facts[i].want);
        }
}

static void no_byte_opens_markup(void **state)
{
        (void)state;
        for (int a = 0; a < 256; a++) {
                char c = (char)a;
                autobuf out;
                buf_init(&out, 64);
                html_add(&out, (struct slice){ &c, 1 });
                assert_null(strpbrk(buf_cstr(&out), "<>\"'"));
                assert_true(a == '&' ? strcmp(buf_cstr(&out), "&#38;") == 0 : out.n > 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(whatever_is_written_stays_text),
                cmocka_unit_test(no_byte_opens_markup),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
