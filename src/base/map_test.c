/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { MANY = 20000 };

struct name {
        char text[16];
};

static struct slice key_of(struct name *names, size_t i)
{
        return slice_of(names[i].text);
}

static void puts_finds_drops(void **state)
{
        (void)state;
        automap m = { 0 };
        int a, b;
        assert_null(map_find(&m, S("x")));
        assert_null(map_drop(&m, S("x")));
        assert_null(map_put(&m, S("x"), &a));
        assert_ptr_equal(map_put(&m, S("x"), &b), &a);
        assert_ptr_equal(map_find(&m, S("x")), &b);
        assert_int_equal(m.n, 1);
        assert_null(map_put(&m, S(""), &a)); /* the empty key is a key */
        assert_ptr_equal(map_find(&m, S("")), &a);
        assert_ptr_equal(map_drop(&m, S("x")), &b);
        assert_null(map_find(&m, S("x")));
        assert_int_equal(m.n, 1);
}

/* Every other key is dropped again and again: no look-up may stop at a gap. */
static void gaps_close(void **state)
{
        (void)state;
        automap m = { 0 };
        autofree struct name *names = xcalloc(MANY, sizeof *names);
        for (size_t i = 0; i < MANY; i++) {
                snprintf(names[i].text, sizeof names[i].text, "key-%zu", i);
                map_put(&m, key_of(names, i), &names[i]);
        }
        for (size_t i = 0; i < MANY; i += 2)
                assert_ptr_equal(map_drop(&m, key_of(names, i)), &names[i]);
        assert_int_equal(m.n, MANY / 2);
        for (size_t i = 0; i < MANY; i++)
                assert_ptr_equal(map_find(&m, key_of(names, i)), i % 2 ? &names[i] : NULL);
        size_t seen = 0, at = 0;
        for (struct map_entry *e; (e = map_next(&m, &at));)
                seen += slice_eq(e->key, slice_of(((struct name *)e->value)->text));
        assert_int_equal(seen, MANY / 2);
}

/* SipHash-1-3 under the key 00..0f: the vectors that rust's core::hash::sip tests with. */
static void hashes_as_published(void **state)
{
        (void)state;
        uint8_t key[16], text[8];
        for (uint8_t i = 0; i < 16; i++)
                key[i] = i;
        for (uint8_t i = 0; i < 8; i++)
                text[i] = i;
        static const uint64_t want[] = { 0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d,
                                         0x8bf80ab8e7ddf7fb };
        for (size_t n = 0; n < COUNT_OF(want); n++)
                assert_int_equal(hash_with_key(key, (struct slice){ (const char *)text, n }), want[n]);
        assert_int_equal(hash_bytes(S("a")), hash_bytes(S("a")));
        assert_int_not_equal(hash_bytes(S("a")), hash_bytes(S("b")));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(puts_finds_drops), cmocka_unit_test(gaps_close),
                                            cmocka_unit_test(hashes_as_published) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
