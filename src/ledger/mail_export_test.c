/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/mail_export.h"
#include "ledger/mail.h"
#include "ledger/test_support.h"

#include <sys/stat.h>

#define OLD "$1$abcdefgh$ZudLVuoYVVJqQvxPdfFIc0"

static const struct mail_rules rules = { .reuse_after = 0, .network = { "example.net", 11 } };

/* All of mail.db as text: "mailbox ana@example.net|01/1/|0|1|…". */
static void dump(struct a_ledger *t, struct buf *out)
{
        static const char *const tables[] = { "domain", "mailbox", "application", "alias", "sender" };
        char path[128], sql[64];
        sqlite3 *db;
        snprintf(path, sizeof path, "%s/mail/mail.db", t->dir);
        buf_clear(out);
        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
        for (size_t i = 0; i < COUNT_OF(tables); i++) {
                sqlite3_stmt *st;
                snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1, 2", tables[i]);
                if (i == 0)
                        snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1", tables[i]);
                assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
                while (sqlite3_step(st) == SQLITE_ROW) {
                        buf_addf(out, "%s ", tables[i]);
                        for (int c = 0; c < sqlite3_column_count(st); c++)
                                buf_addf(out, "%s%s", c ? "|" : "", (const char *)sqlite3_column_text(st, c));
                        buf_addc(out, '\n');
                }
                sqlite3_finalize(st);
        }
        sqlite3_close(db);
}

/* What was followed change by change is what a comparison of everything makes. */
static void assert_whole(struct a_ledger *t, struct buf *shown)
{
        struct mail_export *m;
        autobuf why, again;
        buf_init(&why, 4096);
        buf_init(&again, 1 << 20);
        dump(t, shown);
        if (mail_export_open(t->dir, t->reader, &m, &why) || mail_export_follow(m, t->reader, true, &why))
                fail_msg("%s", buf_cstr(&why));
        mail_export_close(m);
        dump(t, &again);
        assert_string_equal(buf_cstr(shown), buf_cstr(&again));
}

#define assert_has(t, words) assert_shown(t, words, true)
#define assert_lacks(t, words) assert_shown(t, words, false)
static void assert_shown(struct a_ledger *t, const char *words, bool want)
{
        autobuf shown;
        buf_init(&shown, 1 << 20);
        assert_whole(t, &shown);
        if ((strstr(buf_cstr(&shown), words) != NULL) != want)
                fail_msg("%s \"%s\":\n%s", want ? "lacks" : "has", words, buf_cstr(&shown));
}

static int put(struct a_ledger *t, const char *address, const char *forward, bool keep)
{
        struct slice target = slice_of(forward);
        struct mailbox_change c = { .value = { .address = slice_of(address),
                                               .subscriber = S("1"),
                                               .forwards = &target,
                                               .n_forwards = forward != NULL,
                                               .keep = keep },
                                    .forwards = true,
                                    .keep = true };
        struct mailbox m;
        bool known = ledger_mailbox(t->reader, t->arena, slice_of(address), &m) == 0;
        return client_mailbox(t->client, &c, known ? MAILBOX_SET : MAILBOX_ADD, &rules);
}

static int alias(struct a_ledger *t, const char *address, const char *to)
{
        struct slice target = slice_of(to);
        return client_alias(t->client, slice_of(address), &target, 1, true, &rules);
}

static int a_network(void **state)
{
        if (a_ledger_new(state))
                return -1;
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", NULL));
        return 0;
}

static void nobody_without_mail_gets_a_file(void **state)
{
        struct a_ledger *t = *state;
        char path[128];
        struct stat st;
        snprintf(path, sizeof path, "%s/mail", t->dir);
        assert_int_equal(stat(path, &st), -1);
        assert_yes(t, client_domain(t->client, S("example.net"), true, S("desk@example.org"), NULL));
        assert_true(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
        snprintf(path, sizeof path, "%s/mail/mail.db", t->dir);
        assert_true(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640);
        assert_has(t, "domain example.net\n");
        assert_has(t, "alias abuse@example.net|desk@example.org\n");
        assert_has(t, "alias postmaster@example.net|desk@example.org\n");
}

static void each_change_is_followed(void **state)
{
        struct a_ledger *t = *state;
        char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        struct slice all = S("ana@example.net");
        int64_t id;
        assert_yes(t, client_domain(t->client, S("example.net"), true, S("desk@example.org"), NULL));
        assert_yes(t, put(t, "ana@example.net", NULL, true));
        assert_has(t, "mailbox ana@example.net|01/1/|0|1|{CRYPT}!\n");
        assert_has(t, "alias ana@example.net|ana@example.net\n");
        assert_has(t, "sender ana@example.net|ana@example.net\n");
        assert_yes(t, client_password_set(t->client, S("ana@example.net"), S(OLD)));
        assert_has(t, "mailbox ana@example.net|01/1/|0|1|{CRYPT}" OLD "\n");
        assert_yes(
            t, client_password_set(t->client, S("ana@example.net"), S("{PLAIN-MD5}d41d8cd98f00b204e9800998ecf8427e")));
        assert_has(t, "|{PLAIN-MD5}d41d8cd98f00b204e9800998ecf8427e\n");
        assert_yes(t, client_app_password_add(t->client, S("ana@example.net"), S("phone"), slice_of(digest), &id));
        assert_has(t, "application ana@example.net|0123456789abcdef");
        assert_yes(t, client_app_password_remove(t->client, S("ana@example.net"), id));
        assert_lacks(t, "application ");
        assert_yes(t, put(t, "ana@example.net", "far@example.com", true));
        assert_has(t, "alias ana@example.net|far@example.com\n");
        assert_has(t, "alias ana@example.net|ana@example.net\n");
        assert_yes(t, put(t, "ana@example.net", "far@example.com", false));
        assert_lacks(t, "alias ana@example.net|ana@example.net\n");
        assert_yes(t, put(t, "ana@example.net", NULL, true));
        assert_lacks(t, "far@example.com");
        assert_yes(t, alias(t, "sales@example.net", "ana@example.net"));
        assert_has(t, "alias sales@example.net|ana@example.net\n");
        assert_has(t, "sender sales@example.net|ana@example.net\n");
        assert_yes(t, client_domain(t->client, S("example.net"), false, S(""), &all));
        assert_has(t, "alias @example.net|ana@example.net\n");
        assert_yes(t, client_mailbox_suspend(t->client, S("ana@example.net"), S("infected")));
        assert_has(t, "mailbox ana@example.net|01/1/|0|0|");
        assert_has(t, "alias ana@example.net|ana@example.net\n");
        assert_lacks(t, "sender ");
        assert_yes(t, client_mailbox_suspend(t->client, S("ana@example.net"), S("")));
        assert_yes(t, client_subscriber_suspend(t->client, S("1"), S("unpaid")));
        assert_lacks(t, "sender ");
        assert_yes(t, client_subscriber_suspend(t->client, S("1"), S("")));
        assert_has(t, "sender sales@example.net|ana@example.net\n");
        assert_yes(t, client_alias_remove(t->client, S("sales@example.net"), S("test")));
        assert_lacks(t, "sales@example.net");
        all = S("");
        assert_yes(t, client_domain(t->client, S("example.net"), false, S(""), &all));
        assert_lacks(t, "alias @example.net");
        assert_yes(t, client_mailbox_remove(t->client, S("ana@example.net"), S("left")));
        assert_lacks(t, "mailbox ana@example.net");
        assert_lacks(t, "sender ");
        assert_yes(t, put(t, "ana@example.net", NULL, true));
        assert_has(t, "mailbox ana@example.net|02/2/|0|1|{CRYPT}!\n"); /* a folder of its own, and no password */
}

static void quotas_come_from_where_they_are_said(void **state)
{
        struct a_ledger *t = *state;
        static const char policy[] =
            "network \"Test\" { domain example.net  timezone UTC  language en  abuse abuse@example.net }\n"
            "mail { quota 1G }\nclass home { port25 observe }\nclass plus { port25 observe  quota 5G }\n"
            "pool p { class home  prefix 198.51.100.0/24 }\n";
        int64_t n;
        assert_yes(t, client_domain(t->client, S("example.net"), true, S("desk@example.org"), NULL));
        assert_yes(t, put(t, "ana@example.net", NULL, true));
        assert_has(t, "|01/1/|0|1|");
        assert_yes(t, client_generation_add(t->client, slice_of(policy), 0, S("test"), &n));
        assert_yes(t, client_generation_loaded(t->client, n, true, S("")));
        assert_has(t, "|01/1/|1073741824|1|");
        struct subscriber_change c = { .value = { .id = S("1"), .class = S("plus") }, .class = true };
        assert_yes(t, client_subscriber(t->client, &c, SUBSCRIBER_SET));
        assert_has(t, "|01/1/|5368709120|1|");
        struct mailbox_change own = { .value = { .address = S("ana@example.net") } };
        own.limits[MAIL_LIMIT_QUOTA] = true;
        own.value.limits.v[MAIL_LIMIT_QUOTA] = -1; /* none */
        assert_yes(t, client_mailbox(t->client, &own, MAILBOX_SET, &rules));
        assert_has(t, "|01/1/|0|1|");
}

static void what_is_damaged_is_made_anew(void **state)
{
        struct a_ledger *t = *state;
        char path[128], journal[140];
        static const char *const texts[] = { "", "no database at all", "SQLite format 3" };
        static const char *const names[] = { "b@example.net", "c@example.net", "d@example.net" };
        assert_yes(t, client_domain(t->client, S("example.net"), true, S("desk@example.org"), NULL));
        assert_yes(t, put(t, "ana@example.net", NULL, true));
        snprintf(path, sizeof path, "%s/mail/mail.db", t->dir);
        snprintf(journal, sizeof journal, "%s-journal", path);
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                autobuf why;
                buf_init(&why, 4096);
                client_close(t->client);
                FILE *f = fopen(path, "w");
                fprintf(f, "%s", texts[i]);
                fclose(f);
                f = fopen(journal, "w");
                fprintf(f, "left by somebody");
                fclose(f);
                assert_int_equal(client_open(t->dir, &t->client, &why), 0);
                assert_yes(t, put(t, names[i], NULL, true));
                assert_has(t, "mailbox ana@example.net|01/1/|0|1|{CRYPT}!\n");
                assert_int_equal(access(journal, F_OK), -1);
        }
}

static void a_reader_that_holds_it_puts_it_off(void **state)
{
        struct a_ledger *t = *state;
        char path[128];
        sqlite3 *reader;
        assert_yes(t, client_domain(t->client, S("example.net"), true, S("desk@example.org"), NULL));
        snprintf(path, sizeof path, "%s/mail/mail.db", t->dir);
        assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
        assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM domain", NULL, NULL, NULL), SQLITE_OK);
        assert_yes(t, put(t, "ana@example.net", NULL, true)); /* the ledger does not wait for it */
        assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(reader);
        assert_yes(t, put(t, "b@example.net", NULL, true));
        assert_has(t, "mailbox ana@example.net|");
        assert_has(t, "mailbox b@example.net|");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, a_network, a_ledger_free)
                TEST(nobody_without_mail_gets_a_file),      TEST(each_change_is_followed),
                TEST(quotas_come_from_where_they_are_said), TEST(what_is_damaged_is_made_anew),
                TEST(a_reader_that_holds_it_puts_it_off),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
