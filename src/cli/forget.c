/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Erases what the policy's `keep` no longer covers, then looks for itself what is left. */
#include "cli/cli.h"

#include <stdio.h>

enum { OUT = 65536, ASK_AGAIN_US = 100000 };

static const char *dry_run;
static const struct cli_option options[] = {
        { .name = "dry-run", .help = "only say what would be erased", .value = &dry_run },
};
static const struct cli_shape shape = { "forget [--dry-run]", options, COUNT_OF(options), 0, 0 };

struct report {
        struct forget_before before;
        struct forgotten done;
        struct forgettable left;
};

struct kind_row {
        const char *name;
        int64_t before;
        uint64_t erased;
        struct forget_kind left;
};

enum { KINDS = 3 };

static void kinds_of(const struct report *r, struct kind_row out[KINDS])
{
        out[0] = (struct kind_row){ "leases", r->before.leases, r->done.leases, r->left.leases };
        out[1] = (struct kind_row){ "sightings", r->before.sightings, r->done.sightings, r->left.sightings };
        out[2] = (struct kind_row){ "losses", r->before.sightings, r->done.losses, r->left.losses };
}

static bool is_proven(const struct report *r)
{
        const struct forgettable *l = &r->left;
        return l->leases.older + l->sightings.older + l->losses.older + l->strays == 0 && !r->done.log_kept;
}

static void print_text(const struct report *r, struct buf *out)
{
        static const char *const titles[] = { "kind", "kept from", "erased", "older, still there", "the oldest there" };
        struct kind_row kinds[KINDS];
        struct table *t = table_new(COUNT_OF(titles), titles);
        char from[TIME_TEXT_MAX], oldest[TIME_TEXT_MAX];
        kinds_of(r, kinds);
        for (size_t i = 0; i < KINDS; i++) {
                const struct kind_row *k = &kinds[i];
                table_add(t, "%s", k->name);
                table_add(t, "%s", time_print(k->before, from));
                table_add(t, "%llu", (unsigned long long)k->erased);
                table_add(t, "%llu", (unsigned long long)k->left.older);
                table_add(t, "%s", k->left.oldest == TIME_NEVER ? "none" : time_print(k->left.oldest, oldest));
        }
        table_print(t, out);
        buf_addf(out, "%llu lines that nobody has were erased\n", (unsigned long long)r->done.lines);
        buf_addf(out, "%llu segments, all of them listed; %llu other files\n", (unsigned long long)r->left.files,
                 (unsigned long long)r->left.strays);
        if (dry_run)
                return;
        buf_adds(out, r->done.log_kept
                          ? "the write-ahead log could not be emptied, it was read all the time: say it again\n"
                          : "the write-ahead log is empty\n");
}

static void print_json(const struct report *r, struct buf *out)
{
        struct kind_row kinds[KINDS];
        struct json j;
        json_report(&j, out);
        json_bool(&j, "dry_run", dry_run != NULL);
        json_array(&j, "kinds");
        kinds_of(r, kinds);
        for (size_t i = 0; i < KINDS; i++) {
                json_object(&j, NULL);
                json_cstr(&j, "kind", kinds[i].name);
                json_time(&j, "kept_from", kinds[i].before);
                json_int(&j, "erased", (int64_t)kinds[i].erased);
                json_int(&j, "older", (int64_t)kinds[i].left.older);
                json_time(&j, "oldest", kinds[i].left.oldest);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_int(&j, "lines", (int64_t)r->done.lines);
        json_int(&j, "segments", (int64_t)r->left.files);
        json_int(&j, "strays", (int64_t)r->left.strays);
        json_bool(&j, "log_emptied", !dry_run && !r->done.log_kept);
        json_report_end(&j);
}

static int erase(const struct cli *cli, struct report *r)
{
        int status, more = 1, failed = 0;
        autoclient *c = cli_client(cli, &status);
        while (c && failed == 0 && more) {
                failed = client_forget(c, &r->before, &r->done, &more);
                if (failed == 0 && more == 2)
                        usleep(ASK_AGAIN_US);
        }
        return !c ? status : cli_answer(c, "forget", failed);
}

static int look(const struct cli *cli, struct report *r)
{
        bool none;
        int status;
        autoledger *l = cli_ledger(cli, &none, &status);
        if (status)
                return status;
        int failed = l ? ledger_forgettable(l, &r->before, &r->left) : 0;
        return failed ? cli_ledger_failed(l, failed) : EXIT_DONE;
}

int cmd_forget(int argc, char **argv)
{
        struct cli cli;
        int status;
        struct report r = { .left.leases.oldest = TIME_NEVER };
        r.left.sightings.oldest = r.left.losses.oldest = TIME_NEVER;
        if (!cli_parse(&cli, &shape, argc, argv, &status))
                return status;
        autopolicy *p = cli_policy_in_force(&cli, TIME_NEVER, &status);
        if (!p)
                return status;
        int64_t now = time_now();
        r.before = (struct forget_before){ now - p->keep.leases, now - p->keep.sightings };
        if (!dry_run)
                status = erase(&cli, &r);
        if (status == EXIT_DONE)
                status = look(&cli, &r);
        if (status)
                return status;
        autobuf out;
        buf_init(&out, OUT);
        if (cli.json)
                print_json(&r, &out);
        else
                print_text(&r, &out);
        status = cli_print(&out);
        return status || dry_run || is_proven(&r) ? status : EXIT_NO;
}
