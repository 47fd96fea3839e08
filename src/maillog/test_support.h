/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/test_support.h - the categories that are built in, for tests.
 *
 * Owns:    one set of them, until the process ends.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "maillog/category.h"

struct test_categories {
        struct categories *all;
        struct category_scratch *scratch;
};

static inline const struct test_categories *test_categories(void)
{
        static struct test_categories t;
        if (!t.all) {
                autobuf why;
                size_t wrong;
                buf_init(&why, 4096);
                t.all = categories_new(NULL, 0, &wrong, &why);
                if (!t.all)
                        panic("%s", buf_cstr(&why));
                t.scratch = category_scratch_new(t.all);
        }
        return &t;
}

static inline uint8_t test_category(const struct mail_event *e)
{
        return category_of(test_categories()->all, test_categories()->scratch, e, NULL);
}

static inline const char *test_category_name(uint8_t category)
{
        return categories_name(test_categories()->all, category);
}
