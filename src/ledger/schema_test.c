/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/schema.h"
#include "ledger/test_support.h"

#include <fcntl.h>
#include <sys/stat.h>

static char *path_in(const struct a_ledger *t, const char *name)
{
        return xasprintf("%s/%s", t->dir, name);
}

static void make(struct a_ledger *t)
{
        autobuf why;
        buf_init(&why, 8192);
        assert_int_equal(client_open(t->dir, &t->client, &why), 0);
        assert_yes(t, subscribe(t, "1", "192.0.2.1"));
        client_close(take(t->client));
}

static void files_are_closed_to_others(void **state)
{
        struct a_ledger *t = *state;
        static const char *const names[] = { "ledger.db", "ledger.db-wal", "ledger.db-shm", "keeper.lock" };
        mode_t before = umask(0);
        make(t);
        umask(before);
        for (size_t i = 0; i < COUNT_OF(names); i++) {
                autofree char *path = path_in(t, names[i]);
                struct stat st;
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 0777, 0640);
        }
        autofree char *secrets = path_in(t, "secrets.db");
        assert_int_equal(access(secrets, F_OK), -1);
}

static void none_yet(void **state)
{
        struct a_ledger *t = *state;
        autobuf why;
        buf_init(&why, 8192);
        assert_int_equal(ledger_open_why(t->dir, &t->reader, &why), -ENOENT);
        autofree char *path = path_in(t, "ledger.db");
        int fd = open(path, O_RDWR | O_CREAT, 0640); /* as it is after a crash before the first commit */
        assert_int_equal(close(fd), 0);
        assert_int_equal(ledger_open(t->dir, &t->reader), -ENOENT);
        make(t);
        assert_int_equal(ledger_open(t->dir, &t->reader), 0);
}

static void set_version(struct a_ledger *t, const char *sql)
{
        autofree char *path = path_in(t, "ledger.db");
        struct ledger *l;
        assert_int_equal(db_open(path, DB_WRITE, &l), 0);
        assert_int_equal(db_script(l, sql), 0);
        ledger_close(l);
}

static void a_newer_ledger_is_refused(void **state)
{
        struct a_ledger *t = *state;
        autobuf why;
        buf_init(&why, 8192);
        make(t);
        set_version(t, "PRAGMA user_version = 999");
        assert_int_equal(ledger_open_why(t->dir, &t->reader, &why), -EUCLEAN);
        assert_non_null(strstr(buf_cstr(&why), "newer Porteiro"));
        buf_clear(&why);
        assert_int_equal(client_open(t->dir, &t->client, &why), -EUCLEAN);
        assert_non_null(strstr(buf_cstr(&why), "newer Porteiro"));
}

static void a_damaged_ledger_is_named(void **state)
{
        struct a_ledger *t = *state;
        char junk[8192];
        autobuf why;
        buf_init(&why, 8192);
        make(t);
        autofree char *path = path_in(t, "ledger.db"), *log = path_in(t, "ledger.db-wal");
        memset(junk, 'x', sizeof junk);
        autoclose int fd = open(path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
        assert_int_equal(truncate(log, 0), 0);
        assert_int_equal(ledger_open_why(t->dir, &t->reader, &why), -EUCLEAN);
        assert_non_null(strstr(buf_cstr(&why), "damaged"));
        buf_clear(&why);
        assert_int_equal(client_open(t->dir, &t->client, &why), -EUCLEAN);
        assert_non_null(strstr(buf_cstr(&why), "damaged"));
}

static void migrating_twice_is_migrating_once(void **state)
{
        (void)state;
        struct ledger *l;
        assert_int_equal(ledger_open_memory(&l), 0);
        assert_int_equal(schema_migrate(l), 0);
        assert_int_equal(schema_check(l), 0);
        ledger_close(l);
}

static void every_table_is_strict(void **state)
{
        (void)state;
        struct ledger *l;
        int64_t loose;
        assert_int_equal(ledger_open_memory(&l), 0);
        assert_int_equal(
            db_number(db_prepare(l, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
                                    " AND name NOT LIKE 'sqlite_%' AND NOT strict"),
                      &loose),
            0);
        assert_int_equal(loose, 0);
        ledger_close(l);
}

static void the_trail_is_only_added_to(void **state)
{
        (void)state;
        struct ledger *l;
        assert_int_equal(ledger_open_memory(&l), 0);
        assert_int_equal(
            db_script(l,
                      "INSERT INTO audit(at, author, verb, key, why, before, after) VALUES(1, '', '', '', '', '', '')"),
            0);
        assert_int_equal(db_script(l, "UPDATE audit SET why = 'x'"), -EEXIST);
        assert_int_equal(db_script(l, "DELETE FROM audit"), -EEXIST);
        ledger_close(l);
}

static void readers_cannot_write(void **state)
{
        struct a_ledger *t = *state;
        make(t);
        assert_int_equal(ledger_open(t->dir, &t->reader), 0);
        assert_true(db_script(t->reader, "DELETE FROM subscriber") < 0);
}

static void a_reader_sees_what_the_dead_wrote(void **state)
{
        struct a_ledger *t = *state;
        struct subscriber s;
        make(t); /* PERSIST_WAL: nothing of it is in ledger.db itself yet */
        assert_int_equal(ledger_open(t->dir, &t->reader), 0);
        assert_int_equal(ledger_subscriber(t->reader, t->arena, S("1"), &s), 0);
}

static void long_folder_names_do(void **state)
{
        struct a_ledger *t = *state;
        autobuf why;
        buf_init(&why, 8192);
        autofree char *dir = xasprintf("%s/%0120d", t->dir, 7);
        assert_int_equal(client_open(dir, &t->client, &why), 0);
        assert_yes(t, subscribe(t, "1", NULL));
        autofree char *none = xasprintf("%s/no/such", t->dir);
        struct client *c;
        assert_int_equal(client_open(none, &c, &why), -ENOENT);
        assert_non_null(strstr(buf_cstr(&why), "does not exist"));
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, a_folder_new, a_ledger_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                A_TEST(files_are_closed_to_others),
                A_TEST(none_yet),
                A_TEST(a_newer_ledger_is_refused),
                A_TEST(a_damaged_ledger_is_named),
                cmocka_unit_test(migrating_twice_is_migrating_once),
                cmocka_unit_test(every_table_is_strict),
                cmocka_unit_test(the_trail_is_only_added_to),
                A_TEST(readers_cannot_write),
                A_TEST(a_reader_sees_what_the_dead_wrote),
                A_TEST(long_folder_names_do),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
