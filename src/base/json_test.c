/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"
#include "base/time.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void commas_and_indents(void **state)
{
        (void)state;
        autobuf out;
        struct json j;
        buf_init(&out, 10000);
        json_init(&j, &out);
        json_object(&j, NULL);
        json_int(&j, "n", INT64_MIN);
        json_array(&j, "list");
        json_bool(&j, NULL, true);
        json_null(&j, NULL);
        json_array(&j, NULL);
        json_array_end(&j);
        json_array_end(&j);
        json_object(&j, "empty");
        json_object_end(&j);
        json_cstr(&j, "none", NULL);
        json_object_end(&j);
        json_done(&j);
        assert_string_equal(buf_cstr(&out),
                            "{\n  \"n\": -9223372036854775808,\n  \"list\": [\n    true,\n    null,\n    []\n  ],\n"
                            "  \"empty\": {},\n  \"none\": null\n}\n");
}

static const char *string(struct buf *out, struct slice text)
{
        struct json j;
        buf_init(out, 1000);
        json_init_compact(&j, out);
        json_string(&j, NULL, text);
        json_done(&j);
        return buf_cstr(out);
}

static void strings(void **state)
{
        (void)state;
        static const struct {
                struct slice text;
                const char *want;
        } rows[] = {
                { { "plain", 5 }, "\"plain\"" },
                { { "say \"x\\\"", 8 }, "\"say \\\"x\\\\\\\"\"" },
                { { "a\0\n\x1f\x7f", 5 }, "\"a\\u0000\\u000a\\u001f\\u007f\"" },
                { { "S\xC3\xA3o \xF0\x9F\x98\x80", 9 }, "\"S\xC3\xA3o \xF0\x9F\x98\x80\"" },
                { { "\xff\xC3", 2 }, "\"\\u00ff\\u00c3\"" },
                { { "\xC3(", 2 }, "\"\\u00c3(\"" },
                { { NULL, 0 }, "\"\"" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autobuf out;
                assert_string_equal(string(&out, rows[i].text), rows[i].want);
        }
}

static void numbers_and_times(void **state)
{
        (void)state;
        autobuf out;
        struct json j;
        buf_init(&out, 1000);
        json_init_compact(&j, &out);
        json_array(&j, NULL);
        json_real(&j, NULL, 0.0125);
        json_real(&j, NULL, (double)NAN);
        json_real(&j, NULL, (double)INFINITY);
        json_time(&j, NULL, 1700000000 * SECOND + 5);
        json_time(&j, NULL, TIME_NEVER);
        json_array_end(&j);
        json_done(&j);
        assert_string_equal(buf_cstr(&out), "[0.013,null,null,\"2023-11-14T22:13:20Z\",null]");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(commas_and_indents), cmocka_unit_test(strings),
                                            cmocka_unit_test(numbers_and_times) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
