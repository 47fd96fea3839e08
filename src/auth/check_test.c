/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/check.h"
#include "base/file.h"
#include "ledger/mail.h"
#include "ledger/test_support.h"

#include <sys/stat.h>

#define ANA "ana@example.net"
#define OLD "$1$abcdefgh$ZudLVuoYVVJqQvxPdfFIc0"
#define OLD_PASSWORD S("Saudade de 1984")

static const struct mail_rules rules = { .reuse_after = 180 * DAY, .network = { "example.net", 11 } };

static int mailbox(struct a_ledger *t, const char *address)
{
        struct mailbox_change c = { .value = { .address = slice_of(address), .subscriber = S("1") } };
        return client_mailbox(t->client, &c, MAILBOX_ADD, &rules);
}

static int a_network(void **state)
{
        if (a_ledger_new(state))
                return -1;
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, client_domain(t->client, S("example.net"), true, S("desk@example.org"), NULL));
        assert_yes(t, mailbox(t, ANA));
        assert_yes(t, mailbox(t, "rui@example.net"));
        return 0;
}

static struct auth_result check(struct a_ledger *t, const char *login, struct slice password)
{
        struct auth_result r;
        struct ledger *l;
        autobuf why;
        buf_init(&why, 4096);
        if (secrets_open(t->dir, &l, &why))
                fail_msg("%s", buf_cstr(&why));
        assert_int_equal(auth_check(l, t->arena, slice_of(login), password, &r), 0);
        ledger_close(l);
        return r;
}

#define assert_in(t, login, password) assert_int_equal(check(t, login, password).answer, AUTH_YES)
#define assert_out(t, login, password) assert_int_equal(check(t, login, password).answer, AUTH_NO)

static int64_t number_of(struct a_ledger *t, const char *address)
{
        struct mailbox m;
        assert_int_equal(ledger_mailbox(t->reader, t->arena, slice_of(address), &m), 0);
        return m.number;
}

static struct slice scheme_of(struct a_ledger *t, const char *address)
{
        struct credential v;
        assert_int_equal(ledger_credential(t->reader, t->arena, number_of(t, address), &v), 0);
        return v.scheme;
}

static void a_password_lets_in_its_owner_alone(void **state)
{
        struct a_ledger *t = *state;
        char hash[SECRET_HASH_MOST + 1];
        assert_out(t, ANA, S(""));
        assert_out(t, ANA, S("anything at all"));
        assert_int_equal(password_hash(S("trilho cebola"), hash), 0);
        assert_yes(t, client_password_set(t->client, S("Ana@Example.NET"), slice_of(hash)));
        assert_in(t, ANA, S("trilho cebola"));
        assert_in(t, "ANA@example.net", S("trilho cebola"));
        assert_out(t, ANA, S("Trilho cebola"));
        assert_out(t, ANA, slice_of(hash));
        assert_out(t, "rui@example.net", S("trilho cebola"));
        assert_out(t, "nobody@example.net", S("trilho cebola"));
        assert_out(t, "", S("trilho cebola"));
        assert_out(t, "ana@example.net' OR ''='", S("trilho cebola"));
        assert_out(t, "%@example.net", S("trilho cebola"));
        assert_slice(scheme_of(t, ANA), "yescrypt");
        assert_false(check(t, ANA, S("trilho cebola")).old);
}

static void what_is_no_hash_is_not_stored(void **state)
{
        struct a_ledger *t = *state;
        static const struct {
                struct slice address, hash;
                const char *words;
        } rows[] = {
                { S(ANA), S(""), "empty" },
                { S(ANA), S("*0"), "character" },
                { S(ANA), S("!"), "character" },
                { S(ANA), S("trilho cebola"), "character" },
                { S(ANA), S("'); DROP TABLE mailbox; --"), "character" },
                { S(ANA), S("$1$abcdefgh$ZudLVuoYVVJqQvxPdfFIc0\0"), "character" },
                { S(ANA), S("$6$rounds=900000000$abc$x"), "cost" },
                { S("nobody@example.net"), S(OLD), "no mailbox" },
                { S("ana"), S(OLD), "mailbox ana" },
                { S("ana@example.net'--"), S(OLD), "mailbox" },
        };
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_no(t, client_password_set(t->client, rows[i].address, rows[i].hash), rows[i].words);
        assert_slice(scheme_of(t, ANA), "");
}

static void an_old_hash_is_renewed_at_login(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, client_password_set(t->client, S(ANA), S("{MD5-CRYPT}" OLD)));
        struct auth_result r = check(t, ANA, OLD_PASSWORD);
        assert_true(r.answer == AUTH_YES && r.old && r.may_send);
        assert_false(check(t, ANA, S("wrong")).old);
        assert_yes(t, auth_follow_up(t->client, &r, OLD_PASSWORD, time_now()));
        assert_slice(scheme_of(t, ANA), "yescrypt");
        assert_in(t, ANA, OLD_PASSWORD);
        assert_false(check(t, ANA, OLD_PASSWORD).old);
        /* Whoever checked at the same time, and comes later: what is stored now stays. */
        assert_yes(t, client_password_set(t->client, S(ANA), S("{PLAIN-MD5}d41d8cd98f00b204e9800998ecf8427e")));
        assert_no(t, auth_follow_up(t->client, &r, OLD_PASSWORD, time_now()), "meanwhile");
        assert_out(t, ANA, OLD_PASSWORD);
        /* A checker renews, and does nothing else: what is new already stays, and nothing becomes old. */
        char own[SECRET_HASH_MOST + 1], other[SECRET_HASH_MOST + 1];
        assert_int_equal(password_hash(OLD_PASSWORD, own), 0);
        assert_int_equal(password_hash(S("of somebody else"), other), 0);
        assert_yes(t, client_password_set(t->client, S(ANA), slice_of(own)));
        assert_no(t, client_password_rehash(t->client, r.secret.mailbox, slice_of(own), slice_of(other)),
                  "only a hash of an old system");
        assert_yes(t, client_password_set(t->client, S(ANA), S(OLD)));
        assert_no(t, client_password_rehash(t->client, r.secret.mailbox, S(OLD), S("{MD5-CRYPT}" OLD)),
                  "only a hash of an old system");
        assert_in(t, ANA, OLD_PASSWORD);
}

static void applications_have_their_own(void **state)
{
        struct a_ledger *t = *state;
        char one[APP_PASSWORD_TEXT + 1], two[APP_PASSWORD_TEXT + 1], digest[APP_DIGEST_HEX + 1];
        struct application *all;
        size_t n;
        int64_t first, second;
        assert_int_equal(app_password_make(one), 0);
        assert_int_equal(app_password_make(two), 0);
        app_password_digest(slice_of(one), digest);
        assert_no(t, client_app_password_add(t->client, S(ANA), S("phone"), slice_of(one), &first), "digest");
        assert_no(t, client_app_password_add(t->client, S(ANA), S(" "), slice_of(digest), &first), "label");
        assert_no(t, client_app_password_add(t->client, S(ANA), S("a\033[2Jb"), slice_of(digest), &first), "control");
        assert_yes(t, client_app_password_add(t->client, S(ANA), S("phone"), slice_of(digest), &first));
        app_password_digest(slice_of(two), digest);
        assert_no(t, client_app_password_add(t->client, S(ANA), S("Phone"), slice_of(digest), &second), "already");
        assert_yes(t, client_app_password_add(t->client, S(ANA), S("printer"), slice_of(digest), &second));
        assert_in(t, ANA, slice_of(one));
        assert_out(t, "rui@example.net", slice_of(one));
        struct auth_result r = check(t, ANA, slice_of(two));
        assert_true(r.application == second && r.used == 0 && !r.old);
        assert_yes(t, auth_follow_up(t->client, &r, slice_of(two), time_now()));
        assert_true(check(t, ANA, slice_of(two)).used > 0);
        assert_no(t, client_app_password_remove(t->client, S("rui@example.net"), first), "no application");
        assert_yes(t, client_app_password_remove(t->client, S(ANA), first));
        assert_no(t, client_app_password_remove(t->client, S(ANA), first), "no application");
        assert_out(t, ANA, slice_of(one));
        assert_in(t, ANA, slice_of(two));
        assert_int_equal(ledger_applications(t->reader, t->arena, number_of(t, ANA), &all, &n), 0);
        assert_true(n == 1 && all[0].id == second);
        assert_slice(all[0].label, "printer");
}

static void who_is_suspended_may_read(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, client_password_set(t->client, S(ANA), S(OLD)));
        assert_yes(t, client_mailbox_suspend(t->client, S(ANA), S("infected")));
        struct auth_result r = check(t, ANA, OLD_PASSWORD);
        assert_true(r.answer == AUTH_YES && !r.may_send);
        assert_yes(t, client_mailbox_suspend(t->client, S(ANA), S("")));
        assert_true(check(t, ANA, OLD_PASSWORD).may_send);
        assert_yes(t, client_subscriber_suspend(t->client, S("1"), S("unpaid")));
        assert_false(check(t, ANA, OLD_PASSWORD).may_send);
}

static void who_is_removed_is_out_for_good(void **state)
{
        struct a_ledger *t = *state;
        char text[APP_PASSWORD_TEXT + 1], digest[APP_DIGEST_HEX + 1];
        int64_t id;
        assert_int_equal(app_password_make(text), 0);
        app_password_digest(slice_of(text), digest);
        assert_yes(t, client_password_set(t->client, S("rui@example.net"), S(OLD)));
        assert_yes(t, client_app_password_add(t->client, S("rui@example.net"), S("phone"), slice_of(digest), &id));
        assert_in(t, "rui@example.net", slice_of(text));
        assert_yes(t, client_mailbox_remove(t->client, S("rui@example.net"), S("left")));
        assert_out(t, "rui@example.net", OLD_PASSWORD);
        assert_out(t, "rui@example.net", slice_of(text));
        /* The same address again, of the same subscriber: another mailbox. */
        assert_yes(t, mailbox(t, "rui@example.net"));
        assert_out(t, "rui@example.net", OLD_PASSWORD);
        assert_out(t, "rui@example.net", slice_of(text));
        assert_slice(scheme_of(t, "rui@example.net"), "");
}

static void a_file_is_all_or_nothing(void **state)
{
        struct a_ledger *t = *state;
        autobuf report;
        buf_init(&report, 1 << 16);
        struct bulk_import im = { .key = S("may"), .report = &report };
        struct password_row rows[] = { { S(ANA), S(OLD), 2 },
                                       { S("rui@example.net"), S("*0"), 3 },
                                       { S("ana@EXAMPLE.net"), S(OLD), 4 },
                                       { S("nobody@example.net"), S(OLD), 5 } };
        assert_no(t, client_password_import(t->client, &im, rows, 4), "3 errors");
        assert_non_null(strstr(buf_cstr(&report), "line 3: the hash has a character"));
        assert_non_null(strstr(buf_cstr(&report), "line 4: mailbox ana@example.net stands in line 2 already"));
        assert_non_null(strstr(buf_cstr(&report), "line 5: there is no mailbox"));
        assert_slice(scheme_of(t, ANA), "");
        assert_yes(t, client_password_import(t->client, &im, rows, 1));
        assert_in(t, ANA, OLD_PASSWORD);
        assert_yes(t, client_password_import(t->client, &im, rows, 1));
        assert_true(im.done_at > 0);
        im = (struct bulk_import){ .report = &report };
        assert_yes(t, client_password_import(t->client, &im, rows, 1));
        assert_non_null(strstr(buf_cstr(&report), "0 added, 0 changed, 1 unchanged"));
        rows[0].hash = S("{PLAIN-MD5}d41d8cd98f00b204e9800998ecf8427e");
        im.dry_run = true;
        assert_yes(t, client_password_import(t->client, &im, rows, 1));
        assert_non_null(strstr(buf_cstr(&report), "~ ana@example.net: password MD5-CRYPT -> PLAIN-MD5"));
        assert_in(t, ANA, OLD_PASSWORD);
}

static void nothing_secret_is_in_the_ledger(void **state)
{
        struct a_ledger *t = *state;
        struct audit_row *rows;
        size_t n, met = 0;
        assert_yes(t, client_password_set(t->client, S(ANA), S(OLD)));
        assert_int_equal(ledger_audit(t->reader, t->arena, S(ANA), 100, &rows, &n), 0);
        for (size_t i = 0; i < n; i++)
                met += slice_eq(rows[i].verb, S("password set")) &&
                       slice_eq(rows[i].after, S("{\"password\":\"MD5-CRYPT\"}"));
        assert_int_equal(met, 1);
        static const char *const files[] = { "ledger.db", "ledger.db-wal" };
        for (size_t i = 0; i < COUNT_OF(files); i++) {
                char path[128];
                autobuf text;
                buf_init(&text, 64 << 20);
                snprintf(path, sizeof path, "%s/%s", t->dir, files[i]);
                assert_int_equal(file_read(path, &text), 0);
                assert_null(memmem(text.p, text.n, "ZudLVuoYVVJqQv", 14));
        }
        struct stat st;
        char path[128];
        snprintf(path, sizeof path, "%s/secrets", t->dir);
        assert_true(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
        snprintf(path, sizeof path, "%s/secrets/secrets.db", t->dir);
        assert_true(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640);
}

/* --- a crash after the ledger's commit and before the other's --- */

static const char *const secret_files[] = { "secrets.db", "secrets.db-wal", "secrets.db-shm" };

static void keep_or_bring_back(struct a_ledger *t, struct buf kept[3], bool back)
{
        for (size_t i = 0; i < COUNT_OF(secret_files); i++) {
                char path[128];
                snprintf(path, sizeof path, "%s/secrets/%s", t->dir, secret_files[i]);
                if (back)
                        assert_int_equal(file_replace(path, 0640, buf_slice(&kept[i])), 0);
                else
                        assert_int_equal(file_read(path, &kept[i]), 0);
        }
}

static void restart(struct a_ledger *t)
{
        autobuf why;
        buf_init(&why, 4096);
        assert_int_equal(client_open(t->dir, &t->client, &why), 0);
}

static void half_a_commit_is_settled(void **state)
{
        struct a_ledger *t = *state;
        struct buf kept[3];
        struct application *all;
        struct audit_row *rows;
        size_t n;
        int64_t id;
        char digest[APP_DIGEST_HEX + 1], hash[SECRET_HASH_MOST + 1];
        for (size_t i = 0; i < 3; i++)
                buf_init(&kept[i], 16 << 20);
        assert_yes(t, client_password_set(t->client, S(ANA), S(OLD)));
        assert_yes(t, client_password_set(t->client, S("rui@example.net"), S(OLD)));
        keep_or_bring_back(t, kept, false);
        app_password_digest(S("abcd-efgh-jkmn-pqrs-tuvw"), digest);
        assert_int_equal(password_hash(S("trilho cebola"), hash), 0);
        assert_yes(t, client_password_set(t->client, S(ANA), slice_of(hash)));
        assert_yes(t, client_app_password_add(t->client, S(ANA), S("phone"), slice_of(digest), &id));
        assert_yes(t, client_mailbox_remove(t->client, S("rui@example.net"), S("left")));
        client_close(t->client);
        keep_or_bring_back(t, kept, true);
        /* Before anybody settles it: the former password holds, and the removed one is out. */
        assert_in(t, ANA, OLD_PASSWORD);
        assert_out(t, ANA, S("trilho cebola"));
        assert_out(t, "rui@example.net", OLD_PASSWORD);
        restart(t);
        assert_in(t, ANA, OLD_PASSWORD);
        assert_out(t, "rui@example.net", OLD_PASSWORD);
        assert_slice(scheme_of(t, ANA), "of an old system");
        assert_int_equal(ledger_applications(t->reader, t->arena, number_of(t, ANA), &all, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(ledger_audit(t->reader, t->arena, S(ANA), 1, &rows, &n), 0);
        assert_slice(rows[0].verb, "password undone");
        client_close(t->client);
        restart(t); /* once is enough */
        assert_int_equal(ledger_audit(t->reader, t->arena, S(ANA), 1, &rows, &n), 0);
        assert_slice(rows[0].verb, "password undone");
        assert_yes(t, client_password_set(t->client, S(ANA), slice_of(hash)));
        assert_in(t, ANA, S("trilho cebola"));
        for (size_t i = 0; i < 3; i++)
                buf_done(&kept[i]);
}

static void a_newer_file_is_refused(void **state)
{
        struct a_ledger *t = *state;
        autobuf why;
        struct ledger *l;
        buf_init(&why, 4096);
        assert_true(secrets_open("/nonexistent", &l, &why) < 0);
        assert_true(why.n > 0);
        char path[128];
        snprintf(path, sizeof path, "%s/secrets/secrets.db", t->dir);
        client_close(t->client);
        t->client = NULL;
        for (size_t i = 1; i < 3; i++) {
                char log[128];
                snprintf(log, sizeof log, "%s/secrets/%s", t->dir, secret_files[i]);
                unlink(log);
        }
        assert_int_equal(file_replace(path, 0640,
                                      S("this is no database, and longer than a header of one would have to be "
                                        "............................")),
                         0);
        buf_clear(&why);
        assert_int_equal(client_open(t->dir, &t->client, &why), -EUCLEAN);
        t->client = NULL;
        assert_non_null(strstr(buf_cstr(&why), "secrets.db: it is damaged"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, a_network, a_ledger_free)
                TEST(a_password_lets_in_its_owner_alone), TEST(what_is_no_hash_is_not_stored),
                TEST(an_old_hash_is_renewed_at_login),    TEST(applications_have_their_own),
                TEST(who_is_suspended_may_read),          TEST(who_is_removed_is_out_for_good),
                TEST(a_file_is_all_or_nothing),           TEST(nothing_secret_is_in_the_ledger),
                TEST(half_a_commit_is_settled),           TEST(a_newer_file_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
