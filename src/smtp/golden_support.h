/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/golden_support.h - files that hold a conversation as it happens, for the tests of both machines.
 *
 * A test runs the lines of one side and writes down all that comes of them; that must be the file. With PORTEIRO_GOLDEN=write the file is
 * written: give it one side's lines, and read what was added before you keep it.
 * Owns:    nothing.
 * Threads: one.
 * Limits:  for *_test.c only. */
#pragma once

#include "base/file.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { TEXT_MOST = 1 << 20 };

/* \{x*500} */
static inline size_t golden_add_many(struct buf *out, struct slice s)
{
        struct slice count = { s.p + 4, slice_find(slice_from(s, 4), '}') };
        uint64_t n;
        assert_true(slice_u64(count, 100000, &n));
        while (n--)
                buf_addc(out, s.p[2]);
        return 4 + count.n + 1;
}

static inline void golden_unescape(struct slice s, struct buf *out)
{
        while (s.n) {
                size_t used = 2;
                char c = s.n > 1 && s.p[0] == '\\' ? s.p[1] : '\0';
                if (c == '{')
                        used = golden_add_many(out, s);
                else if (c == 'x') {
                        char hex[3] = { s.p[2], s.p[3], '\0' };
                        buf_addc(out, (char)strtol(hex, NULL, 16));
                        used = 4;
                } else if (c)
                        buf_addc(out, c == 'r' ? '\r' : c == 'n' ? '\n' : c == '0' ? '\0' : c);
                else {
                        buf_addc(out, s.p[0]);
                        used = 1;
                }
                s = slice_from(s, used);
        }
}

/* The first line that differs. */
static inline void golden_show(const char *path, int way, struct slice got, struct slice want)
{
        for (size_t n = 1; got.p || want.p; n++) {
                struct slice is = slice_cut(got, '\n', &got), should = slice_cut(want, '\n', &want);
                if (!slice_eq(is, should)) {
                        print_error("%s:%zu, way %d, is \"%.*s\", should be \"%.*s\"\n", path, n, way, SLICE_ARGS(is),
                                    SLICE_ARGS(should));
                        return;
                }
        }
}

static inline void golden_write(const char *path, struct buf *got, struct buf *text)
{
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(buf_cstr(got), f);
        assert_int_equal(fclose(f), 0);
        buf_clear(text);
        buf_add(text, buf_slice(got));
}

/* `run` runs one file in one of `ways` ways of delivery; all must give the file. */
static inline bool golden_check(const char *path, void (*run)(struct slice, int, struct buf *), int ways, bool write)
{
        autobuf text;
        buf_init(&text, TEXT_MOST);
        assert_int_equal(file_read(path, &text), 0);
        for (int way = 0; way < ways; way++) {
                autobuf got;
                buf_init(&got, TEXT_MOST);
                run(buf_slice(&text), way, &got);
                if (write && way == 0)
                        golden_write(path, &got, &text);
                if (slice_eq(buf_slice(&got), buf_slice(&text)))
                        continue;
                golden_show(path, way, buf_slice(&got), buf_slice(&text));
                return false;
        }
        return true;
}

static inline void golden_check_all(const char *pattern, void (*run)(struct slice, int, struct buf *), int ways)
{
        glob_t found;
        size_t bad = 0;
        const char *mode = getenv("PORTEIRO_GOLDEN");
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        for (size_t i = 0; i < found.gl_pathc; i++)
                bad += !golden_check(found.gl_pathv[i], run, ways, mode && strcmp(mode, "write") == 0);
        globfree(&found);
        assert_int_equal(bad, 0);
}
