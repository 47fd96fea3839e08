/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/password.h"
#include "auth/check.h"
#include "auth/quality.h"
#include "base/file.h"
#include "cli/file_import.h"
#include "ledger/address.h"
#include "ledger/mail.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA = 64 << 20, TEXTS_MOST = 1 << 16, OUT = 64 << 20 };

static const char *from_stdin;
#define STDIN_OPTION                                                                                                   \
        {                                                                                                              \
                .name = "stdin", .help = "read it from standard input, its first line, instead of the terminal",       \
                .value = &from_stdin                                                                                   \
        }
static const struct cli_option password_options[] = { STDIN_OPTION };
const struct cli_shape password_shape = { "mailbox password ADDRESS [--stdin]", password_options,
                                          COUNT_OF(password_options), 1, 1 };
const struct cli_shape check_password_shape = { "mailbox check-password ADDRESS [--stdin]", password_options,
                                                COUNT_OF(password_options), 1, 1 };
const struct cli_shape passwords_shape = { "mailbox passwords import FILE.csv [--dry-run] [--key KEY]",
                                           file_import_options, COUNT_OF(file_import_options), 1, 1 };
const struct cli_shape app_password_shape = { "mailbox app-password add|list|remove …", NULL, 0, 0, 0 };
static const struct cli_shape add_shape = { "mailbox app-password add ADDRESS LABEL", NULL, 0, 2, 2 };
static const struct cli_shape list_shape = { "mailbox app-password list ADDRESS", NULL, 0, 1, 1 };
static const struct cli_shape remove_shape = { "mailbox app-password remove ADDRESS NUMBER", NULL, 0, 2, 2 };

/* --- setting one --- */

/* The sentence for a customer: in his language, or in English. */
static void say_to_customer(struct slice language, enum password_fault fault)
{
        char name[64], line[64], path[CLI_PATH_MOST];
        autobuf text;
        buf_init(&text, TEXTS_MOST);
        snprintf(name, sizeof name, "texts/password.%s", slice_ieq(language, S("pt-BR")) ? "pt-BR" : "en");
        if (cli_share(name, path) || file_read(path, &text) < 0)
                return;
        int n = snprintf(line, sizeof line, "\n%s: ", password_fault_key(fault));
        const char *at = strstr(buf_cstr(&text), line);
        if (at)
                fprintf(stderr, "To the customer: %.*s\n", (int)strcspn(at + n, "\n"), at + n);
}

static int load_words(struct words **ret)
{
        char path[CLI_PATH_MOST];
        size_t line;
        int status = cli_share("data/weak-words", path);
        if (status)
                return status;
        int failed = words_load(path, ret, &line);
        if (failed == -EBADMSG)
                return cli_fail(EXIT_SYSTEM, "%s:%zu: is no word of 3 to %d letters", path, line, WORD_MOST);
        return failed ? cli_fail(EXIT_SYSTEM, "%s: %s", path, strerror(-failed)) : EXIT_DONE;
}

static int find_mailbox(struct ledger *l, struct arena *a, const char *what, const char *address, struct mailbox *ret)
{
        struct address parsed;
        const char *wrong = address_parse(slice_of(address), ADDRESS_OURS, a, &parsed);
        if (wrong)
                return cli_fail(EXIT_NO, "%s: %s: %s", what, address, wrong);
        int failed = ledger_mailbox(l, a, parsed.whole, ret);
        if (failed == -ENOENT)
                return cli_fail(EXIT_NO, "%s: there is no mailbox %s", what, address);
        return failed ? cli_ledger_failed(l, failed) : EXIT_DONE;
}

static int weigh(const struct cli *cli, struct slice password)
{
        autowords *words = NULL;
        autoarena *a = arena_new(ARENA);
        struct mailbox m;
        struct subscriber s;
        int status;
        autoledger *l = cli_ledger(cli, NULL, &status);
        if (status || (status = find_mailbox(l, a, "mailbox password", cli->words[0], &m)) ||
            (status = load_words(&words)))
                return status;
        int failed = ledger_subscriber(l, a, m.subscriber, &s);
        if (failed)
                return cli_ledger_failed(l, failed);
        enum password_fault fault = password_weak(words, password, &(struct password_owner){ m.address, s.name });
        if (fault == FAULT_NONE)
                return EXIT_DONE;
        cli_fail(EXIT_NO, "mailbox password: %.*s: %s", SLICE_ARGS(m.address), password_fault_words(fault));
        say_to_customer(s.language, fault);
        return EXIT_NO;
}

int run_password(int argc, char **argv)
{
        struct cli cli;
        autotyped typed = { .n = 0 };
        char hash[SECRET_HASH_MOST + 1];
        int status;
        if (!cli_parse(&cli, &password_shape, argc, argv, &status))
                return status;
        status = typed_read("mailbox password", from_stdin, true, &typed);
        struct slice password = { typed.text, typed.n };
        if (status == EXIT_DONE)
                status = weigh(&cli, password);
        if (status)
                return status;
        int failed = password_hash(password, hash);
        if (failed)
                return cli_fail(EXIT_SYSTEM, "mailbox password: %s", strerror(-failed));
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "mailbox password", client_password_set(c, slice_of(cli.words[0]), slice_of(hash)))
                 : status;
}

/* --- checking one --- */

/* What the answer allows to be made better; where it cannot be, it stays as good as it was. */
static void follow_up(const struct cli *cli, const struct auth_result *r, struct slice password)
{
        int status;
        if (!r->old && !r->application)
                return;
        autoclient *c = cli_client(cli, &status);
        int failed = c ? auth_follow_up(c, r, password, time_now()) : 0;
        if (failed < 0)
                fprintf(stderr, "porteiro: warning: the hash was not renewed: %s\n", client_reason(c));
}

int run_check_password(int argc, char **argv)
{
        struct cli cli;
        struct auth_result r;
        autotyped typed = { .n = 0 };
        struct ledger *l = NULL;
        autobuf why;
        int status;
        buf_init(&why, 8192);
        if (!cli_parse(&cli, &check_password_shape, argc, argv, &status) ||
            (status = typed_read("mailbox check-password", from_stdin, false, &typed)))
                return status;
        struct slice password = { typed.text, typed.n };
        int failed = secrets_open(cli.state, &l, &why);
        if (failed)
                return cli_fail(failed == -ENOENT ? EXIT_NO : EXIT_SYSTEM, "%s",
                                why.n ? buf_cstr(&why) : strerror(-failed));
        autoarena *a = arena_new(ARENA);
        failed = auth_check(l, a, slice_of(cli.words[0]), password, &r);
        status = failed ? cli_ledger_failed(l, failed) : r.answer == AUTH_YES ? EXIT_DONE : EXIT_NO;
        ledger_close(l);
        if (status == EXIT_SYSTEM)
                return status;
        printf("%s\n", r.answer == AUTH_NO ? "no" : r.may_send ? "yes" : "yes, to read: suspended from sending");
        if (r.answer == AUTH_YES)
                follow_up(&cli, &r, password);
        return status;
}

/* --- a file of hashes --- */

static const char *const hash_columns[] = { "address", "hash" };

struct import {
        struct password_row *rows;
        size_t n, cap;
};

static void read_row(struct file_import *f, int64_t row)
{
        struct import *im = f->rows;
        im->rows = xgrow(im->rows, &im->cap, im->n + 1, sizeof *im->rows);
        im->rows[im->n++] = (struct password_row){ file_cell(f, 0), file_cell(f, 1), row };
}

static int send_rows(struct file_import *f, struct client *c, struct bulk_import *bulk)
{
        const struct import *im = f->rows;
        return client_password_import(c, bulk, im->rows, im->n);
}

static int run_import(int argc, char **argv)
{
        struct cli cli;
        struct import im = { .rows = NULL };
        int status;
        if (!cli_parse(&cli, &passwords_shape, argc, argv, &status))
                return status;
        struct file_import f = { .cli = &cli,
                                 .columns = hash_columns,
                                 .n_columns = COUNT_OF(hash_columns),
                                 .required = COUNT_OF(hash_columns),
                                 .secret = true,
                                 .read_row = read_row,
                                 .send = send_rows,
                                 .rows = &im };
        status = file_import_run(&f);
        free(im.rows);
        return status;
}

int run_passwords(int argc, char **argv)
{
        static const struct cli_verb verbs[] = { { "import", &passwords_shape, run_import } };
        return cli_dispatch("mailbox passwords", verbs, COUNT_OF(verbs), argc, argv);
}

/* --- passwords of applications --- */

static int run_app_add(int argc, char **argv)
{
        struct cli cli;
        char text[APP_PASSWORD_TEXT + 1], digest[APP_DIGEST_HEX + 1];
        int64_t id;
        int status;
        if (!cli_parse(&cli, &add_shape, argc, argv, &status))
                return status;
        int failed = app_password_make(text);
        if (failed || !app_password_digest(slice_of(text), digest))
                return cli_fail(EXIT_SYSTEM, "mailbox app-password add: %s", strerror(-failed));
        autoclient *c = cli_client(&cli, &status);
        if (!c)
                return status;
        status = cli_answer(
            c, "mailbox app-password add",
            client_app_password_add(c, slice_of(cli.words[0]), slice_of(cli.words[1]), slice_of(digest), &id));
        if (status == EXIT_DONE)
                printf("number %lld: %s\nIt is shown this once, and stored nowhere. The hyphens are part of it.\n",
                       (long long)id, text);
        explicit_bzero(text, sizeof text);
        return status;
}

static void print_table(const struct application *all, size_t n, struct buf *out)
{
        static const char *const titles[] = { "number", "label", "since", "last used" };
        char at[TIME_TEXT_MAX];
        struct table *t = table_new(COUNT_OF(titles), titles);
        for (size_t i = 0; i < n; i++) {
                table_add(t, "%lld", (long long)all[i].id);
                table_add(t, "%.*s", SLICE_ARGS(all[i].label));
                table_add(t, "%s", time_print(all[i].created, at));
                table_add(t, "%s", all[i].used ? time_print(all[i].used, at) : "never");
        }
        table_print(t, out);
}

static void print_json(const struct application *all, size_t n, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_array(&j, "applications");
        for (size_t i = 0; i < n; i++) {
                json_object(&j, NULL);
                json_int(&j, "number", all[i].id);
                json_string(&j, "label", all[i].label);
                json_time(&j, "created", all[i].created);
                json_time(&j, "used", all[i].used ? all[i].used : TIME_NEVER);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

static int run_app_list(int argc, char **argv)
{
        struct cli cli;
        struct mailbox m;
        struct application *all = NULL;
        size_t n = 0;
        int status;
        if (!cli_parse(&cli, &list_shape, argc, argv, &status))
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        autoledger *l = cli_ledger(&cli, NULL, &status);
        if (!l || (status = find_mailbox(l, a, "mailbox app-password list", cli.words[0], &m)))
                return status;
        int failed = ledger_applications(l, a, m.number, &all, &n);
        if (failed)
                return cli_ledger_failed(l, failed);
        cli_zone(&cli);
        if (cli.json)
                print_json(all, n, &out);
        else
                print_table(all, n, &out);
        return cli_print(&out);
}

static int run_app_remove(int argc, char **argv)
{
        struct cli cli;
        uint64_t id;
        int status;
        if (!cli_parse(&cli, &remove_shape, argc, argv, &status))
                return status;
        if (!slice_u64(slice_of(cli.words[1]), INT64_MAX, &id))
                return cli_fail(EXIT_USAGE,
                                "mailbox app-password remove: %s: is no number (see mailbox app-password list)",
                                cli.words[1]);
        autoclient *c = cli_client(&cli, &status);
        return c ? cli_answer(c, "mailbox app-password remove",
                              client_app_password_remove(c, slice_of(cli.words[0]), (int64_t)id))
                 : status;
}

int run_app_password(int argc, char **argv)
{
        static const struct cli_verb verbs[] = {
                { "add", &add_shape, run_app_add },
                { "list", &list_shape, run_app_list },
                { "remove", &remove_shape, run_app_remove },
        };
        return cli_dispatch("mailbox app-password", verbs, COUNT_OF(verbs), argc, argv);
}
