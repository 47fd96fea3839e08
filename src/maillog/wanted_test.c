/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"
#include "maillog/record.h"
#include "maillog/literal.h"
#include "maillog/recent.h"
#include "maillog/wanted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void forms(void **state)
{
        (void)state;
        static const struct {
                const char *given;
                int kind; /* -1: none */
                const char *text;
        } rows[] = {
                { "joe@example.net", WANTED_ADDRESS, "joe@example.net" },
                { "\"a b\"@x", WANTED_ADDRESS, "\"a b\"@x" },
                { "46E0BAB8E5", WANTED_ID, "46E0BAB8E5" },
                { "4WyJ3k0ZzGz1t", WANTED_ID, "4WyJ3k0ZzGz1t" },
                { "<m.1@x>", WANTED_MESSAGE_ID, "<m.1@x>" },
                { "192.0.2.1", WANTED_CLIENT, "192.0.2.1" },
                { "::ffff:192.0.2.1", WANTED_CLIENT, "192.0.2.1" },
                { "2001:DB8:0:0::1", WANTED_CLIENT, "2001:db8::1" },
                { "login:joe", WANTED_LOGIN, "joe" },
                { "address:login:joe@x", WANTED_ADDRESS, "login:joe@x" },
                { "client:2001:db8::1", WANTED_CLIENT, "2001:db8::1" },
                { "id:46E0BAB8E5", WANTED_ID, "46E0BAB8E5" },
                { "message-id:<m>", WANTED_MESSAGE_ID, "<m>" },
                { "mail.log", -1, "" },
                { "joe", -1, "" },
                { "", -1, "" },
                { "login:", -1, "" },
                { "client:joe", -1, "" },
                { "46E0BAB8E5:", -1, "" },
                { "<>", -1, "" },
                { "4WyJ3k0ZzGz1t4WyJ3k0ZzGz1t", -1, "" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct wanted w;
                char room[ADDR_TEXT_MAX];
                bool fits = wanted_parse(slice_of(rows[i].given), &w);
                if (fits != (rows[i].kind >= 0) || (fits && (int)w.kind != rows[i].kind))
                        fail_msg("%s: kind %d", rows[i].given, fits ? (int)w.kind : -1);
                if (fits)
                        assert_true(slice_eq(wanted_literal(&w, room), slice_of(rows[i].text)));
        }
}

static void what_finds_a_field_has_its_hash(void **state)
{
        (void)state;
        static const uint8_t key[16] = { 1, 2, 3 };
        const struct mail_event e = { .kind = MAIL_CLIENT,
                                      .queue_id = S("46E0BAB8E5"),
                                      .from = S("Joe@X"),
                                      .login = S("Ann@x"),
                                      .message_id = S("<M@x>"),
                                      .client.address = S("::FFFF:192.0.2.1") };
        static const struct {
                const char *given;
                bool there;
        } rows[] = { { "joe@x", true },     { "46E0BAB8E5", true },  { "ANN@X", true },       { "login:ann@x", true },
                     { "192.0.2.1", true }, { "<M@x>", true },       { "<m@x>", false },      { "192.0.2.2", false },
                     { "oe@x", false },     { "46e0bab8e5", false }, { "joe@xx", false },     { "login:joe@x", false },
                     { "FE0BA", false },    { "BAB8E", false },      { "2001:db8::1", false } };
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct wanted w, fields[WANTED_FIELDS];
                if (!wanted_parse(slice_of(rows[i].given), &w))
                        continue;
                size_t n = wanted_fields(&e, fields), same = 0;
                for (size_t k = 0; k < n; k++)
                        same += wanted_hash(key, &w) == wanted_hash(key, &fields[k]);
                if (wanted_in(&w, 1, &e) != rows[i].there || (rows[i].there && !same))
                        fail_msg("%s: %d, %zu equal hashes", rows[i].given, (int)wanted_in(&w, 1, &e), same);
        }
        const struct mail_event relayed = { .kind = MAIL_DELIVERY, .client.address = S("192.0.2.1") };
        struct wanted fields[WANTED_FIELDS];
        assert_int_equal(wanted_fields(&relayed, fields), 0);
}

static void literals_are_found_wherever_they_stand(void **state)
{
        (void)state;
        static const char *const texts[] = {
                "x", "@Z", "Joe@Example.net", "[192.0.2.1]",
                "a-text-that-is-longer-than-all-the-lanes-that-are-compared-at-once-@-and-more"
        };
        char in[300];
        for (size_t t = 0; t < COUNT_OF(texts); t++) {
                struct literal l;
                size_t n = strlen(texts[t]);
                literal_init(&l, slice_of(texts[t]));
                for (size_t size = 0; size < sizeof in; size++) {
                        memset(in, 'j', sizeof in);
                        autofree char *exact = xmalloc(size + 1);
                        memcpy(exact, in, size);
                        assert_null(literal_find(&l, (struct slice){ exact, size }));
                        for (size_t at = 0; at + n <= size; at += 1 + size / 40) {
                                memcpy(exact, in, size);
                                for (size_t i = 0; i < n; i++)
                                        exact[at + i] = (char)(texts[t][i] ^ (at % 2 && texts[t][i] >= 'a' ? 0x20 : 0));
                                assert_ptr_equal(literal_find(&l, (struct slice){ exact, size }), exact + at);
                        }
                }
        }
}

static void the_text_of_a_line_is_what_syslog_says(void **state)
{
        (void)state;
        static const char *const lines[] = {
                "Nov 28 13:20:02 mx postfix/smtpd[1]: AAAAAAAAA1: client=c[192.0.2.1]",
                "Nov  8 13:20:02 mx postfix/smtpd: a: b",
                "Aug 4 08:28:49 mx postfix/smtpd[99]: x y",
                "<22>Nov 28 13:20:02 mx postfix/smtpd[1]: x\r",
                "2026-11-28T13:20:02.5-03:00 mx postfix/a/b[1]: x",
                "2026-11-28 13:20:02Z mx postfix/smtpd[1]:x",
        };
        for (size_t i = 0; i < COUNT_OF(lines); i++) {
                struct syslog_clock c;
                struct syslog_line l;
                syslog_clock_init(&c, (struct syslog_zone){ 0 }, INT64_C(1800000000000000));
                assert_true(syslog_parse(&c, slice_of(lines[i]), &l));
                if (!slice_eq(l.text, record_text(slice_of(lines[i]))))
                        fail_msg("%s: %.*s", lines[i], SLICE_ARGS(record_text(slice_of(lines[i]))));
        }
        static const char *const none[] = { "",
                                            "<",
                                            "<22>",
                                            "x",
                                            "2026-11-28T13:20:02Z",
                                            "Nov 28 13:20:02 mx x[",
                                            " ",
                                            "Nov 28 13:20:02 mx postfix/smtpd[1]:" };
        for (size_t i = 0; i < COUNT_OF(none); i++)
                assert_int_equal(record_text(slice_of(none[i])).n, 0);
}

static void the_longest_unseen_go(void **state)
{
        (void)state;
        struct recent *r = recent_new(100);
        char text[16];
        for (int i = 0; i < 1000; i++) {
                snprintf(text, sizeof text, "id%d", i);
                assert_true(recent_add(r, slice_of(text), i));
                recent_add(r, S("id0"), i);
        }
        assert_true(recent_lost(r) && recent_count(r) >= 100 && recent_count(r) <= 200);
        assert_true(recent_has(r, S("id0")) && recent_has(r, S("id999")) && !recent_has(r, S("id1")));
        recent_trim(r, 10);
        struct slice each;
        size_t n = 0;
        for (size_t i = 0; recent_next(r, &i, &each); n++)
                assert_true(slice_eq(each, S("id0")) || slice_cmp(each, S("id990")) > 0);
        assert_int_equal(n, 10);
        recent_free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(forms),
                cmocka_unit_test(what_finds_a_field_has_its_hash),
                cmocka_unit_test(literals_are_found_wherever_they_stand),
                cmocka_unit_test(the_text_of_a_line_is_what_syslog_says),
                cmocka_unit_test(the_longest_unseen_go),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
