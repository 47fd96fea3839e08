/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every tests/policy/NAME.conf says exactly what NAME.diag holds, and says the same again when flattened to one text.
 * A new case is a new .conf: run this program with PORTEIRO_GOLDEN=write to get its .diag, and read that before you keep it. */
#include "base/file.h"
#include "policy/policy.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { TEXT_MOST = 1 << 20 };

static bool write_text(const char *path, struct buf *text)
{
        FILE *f = fopen(path, "w");
        if (!f)
                return false;
        fputs(buf_cstr(text), f);
        return fclose(f) == 0;
}

/* Whether the flattened text of `d` gives the same messages; *again gets them. */
static bool same_when_flattened(const struct diags *d, struct buf *said, struct buf *again)
{
        autobuf flat;
        autodiags *other = diags_new();
        buf_init(&flat, TEXT_MOST);
        policy_flatten(d, &flat);
        struct policy_input in = { .name = S("flattened"), .text = buf_slice(&flat) };
        autopolicy *p = policy_parse(&in, other);
        diags_print(other, again);
        return slice_eq(buf_slice(said), buf_slice(again)) && (p != NULL) == (diags_errors(d) == 0);
}

static bool check_one(const char *conf, bool write)
{
        autobuf said, want, again;
        autofree char *path = xasprintf("%.*s.diag", (int)(strlen(conf) - strlen(".conf")), conf);
        autodiags *d = diags_new();
        buf_init(&said, TEXT_MOST);
        buf_init(&want, TEXT_MOST);
        buf_init(&again, TEXT_MOST);
        autopolicy *p = policy_load(conf, d);
        diags_print(d, &said);
        if (write)
                return write_text(path, &said);
        bool good = file_read(path, &want) >= 0 && slice_eq(buf_slice(&said), buf_slice(&want));
        if (!good)
                print_error("%s says:\n%s%s holds:\n%s", conf, buf_cstr(&said), path, buf_cstr(&want));
        if ((p != NULL) != (diags_errors(d) == 0) || !same_when_flattened(d, &said, &again)) {
                print_error("%s says, when flattened:\n%s", conf, buf_cstr(&again));
                good = false;
        }
        return good;
}

static void every_policy_says_what_its_golden_says(void **state)
{
        (void)state;
        glob_t found;
        size_t bad = 0;
        const char *how = getenv("PORTEIRO_GOLDEN");
        assert_int_equal(glob("tests/policy/*.conf", 0, NULL, &found), 0);
        for (size_t i = 0; i < found.gl_pathc; i++)
                bad += !check_one(found.gl_pathv[i], how && strcmp(how, "write") == 0);
        globfree(&found);
        assert_int_equal(bad, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(every_policy_says_what_its_golden_says) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
