/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/quality.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define WORDS "data/weak-words"

static struct words *words;

static int load(void **state)
{
        size_t line;
        (void)state;
        return words_load(WORDS, &words, &line);
}

static int unload(void **state)
{
        (void)state;
        words_free(words);
        return 0;
}

static const struct password_owner owner = { S("joao.silva42@sercom-lab.example.net"),
                                             S("João Maria Conceição da Sé") };

static void what_is_refused_and_why(void **state)
{
        (void)state;
        static const struct {
                struct slice password;
                enum password_fault want;
        } rows[] = {
                { S(""), FAULT_SHORT },
                { S("a7!kQ2x"), FAULT_SHORT },
                { S("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"), FAULT_SHORT }, /* ten bytes, five letters */
                { S("abc\tdefgh1jk"), FAULT_CONTROL },
                { S("abcd\0efgh1jk"), FAULT_CONTROL },
                { S("kq7w\x7fzt9vb"), FAULT_CONTROL },
                { S("joao.silva42"), FAULT_LOGIN },
                { S("JoaoSilva1984"), FAULT_LOGIN },
                { S("j0ao.s1lva!"), FAULT_LOGIN },
                { S("oaoj2019!"), FAULT_LOGIN }, /* backwards */
                { S("ao.silva"), FAULT_LOGIN },  /* a piece of it */
                { S("conceicao12"), FAULT_NAME },
                { S("Concei\xc3\xa7\xc3\xa3o12"), FAULT_NAME },
                { S("C0nc31c40.."), FAULT_NAME },
                { S("sercom2026"), FAULT_DOMAIN },
                { S("Sercom-Lab1"), FAULT_DOMAIN },
                { S("senha123456"), FAULT_WORD },
                { S("S3nh@123!"), FAULT_WORD },
                { S("Flamengo1981!"), FAULT_WORD },
                { S("ognemalf81"), FAULT_WORD },
                { S("Corinthians2012"), FAULT_WORD },
                { S("cora\xc3\xa7\xc3\xa3o19"), FAULT_WORD },
                { S("deusefiel"), FAULT_WORD },
                { S("qwertyuiop"), FAULT_WORD },
                { S("1qaz2wsx3edc"), FAULT_WORD },
                { S("12345678"), FAULT_WORD },
                { S("mudar@123"), FAULT_WORD },
                { S("password1!"), FAULT_WORD },
                { S("94817263"), FAULT_SIMPLE },
                { S("19/08/1985"), FAULT_SIMPLE },
                { S("kkkkkkkkkkkkkkkk"), FAULT_PATTERN },
                { S("kwzgtwwtgzwk"), FAULT_PATTERN },
                { S("wk7....9zq"), FAULT_PATTERN },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                enum password_fault got = password_weak(words, rows[i].password, &owner);
                if (got != rows[i].want)
                        fail_msg("%.*s: %s, wanted %s", SLICE_ARGS(rows[i].password), password_fault_key(got),
                                 password_fault_key(rows[i].want));
        }
        char text[129];
        memset(text, 'x', sizeof text);
        assert_int_equal(password_weak(words, (struct slice){ text, sizeof text }, &owner), FAULT_LONG);
}

/* A part of the owner's domain or login that stands within a listed word hides it from nobody. */
static void a_part_does_not_break_a_listed_word(void **state)
{
        (void)state;
        static const struct password_owner of_net = { S("ana.gon@example.net"), S("Ana Gon") };
        static const struct slice rows[] = { S("internet1"), S("Internet2026"), S("flamengo1981") };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                enum password_fault got = password_weak(words, rows[i], &of_net);
                if (!got)
                        fail_msg("%.*s is taken", SLICE_ARGS(rows[i]));
        }
        assert_int_equal(password_weak(words, S("trilho cebola quartzo"), &of_net), FAULT_NONE);
}

static void what_is_taken(void **state)
{
        (void)state;
        static const struct slice rows[] = {
                S("trilho cebola quartzo"),
                S("kW7#pzt9"),
                S("tR0vao-Lento"),
                S("\xd0\xba\xd0\xbe\xd1\x82 \xd0\xb8 \xd0\xbf\xd1\x91\xd1\x81"),
                S("abacate no bonde 7"),
                S("xkqzpwvt"),
                S("uQ9=uX2%rL"),
                S("ruelapteleia"),
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                enum password_fault got = password_weak(words, rows[i], &owner);
                if (got)
                        fail_msg("%.*s: %s", SLICE_ARGS(rows[i]), password_fault_key(got));
        }
}

static void lists_that_are_none(void **state)
{
        (void)state;
        char path[] = "/tmp/porteiro-words-XXXXXX";
        autoclose int fd = mkstemp(path);
        static const struct {
                const char *text;
                size_t line; /* 0: right */
        } rows[] = { { "# a\n\nsenha\r\nabc\n", 0 },
                     { "senha\nab\n", 2 },
                     { "two words\n", 1 },
                     { "ok1\nok2\n\001bc\n", 3 },
                     { "", 0 } };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                autowords *w = NULL;
                size_t line = 0;
                assert_int_equal(ftruncate(fd, 0), 0);
                assert_true(pwrite(fd, rows[i].text, strlen(rows[i].text), 0) >= 0);
                assert_int_equal(words_load(path, &w, &line) == 0, rows[i].line == 0);
                if (rows[i].line)
                        assert_int_equal(line, rows[i].line);
        }
        unlink(path);
        autowords *w = NULL;
        size_t line;
        assert_true(words_load("/nonexistent", &w, &line) < 0);
        assert_true(words_count(words) > 800);
}

static void customers_are_told_every_reason(void **state)
{
        (void)state;
        static const char *const files[] = { "texts/password.en", "texts/password.pt-BR" };
        for (size_t i = 0; i < COUNT_OF(files); i++) {
                autobuf text;
                buf_init(&text, 1 << 16);
                assert_int_equal(file_read(files[i], &text), 0);
                for (enum password_fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
                        char key[64];
                        snprintf(key, sizeof key, "\n%s: ", password_fault_key(f));
                        if (!strstr(buf_cstr(&text), key))
                                fail_msg("%s lacks %s", files[i], password_fault_key(f));
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_refused_and_why),
                cmocka_unit_test(a_part_does_not_break_a_listed_word),
                cmocka_unit_test(what_is_taken),
                cmocka_unit_test(lists_that_are_none),
                cmocka_unit_test(customers_are_told_every_reason),
        };
        return cmocka_run_group_tests(tests, load, unload);
}
