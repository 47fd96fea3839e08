/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/mail.h"

#include <stdio.h>

enum { REUSE_AFTER_DAYS = 180 }; /* where there is no policy yet: the default of its option */

int mail_policy(const struct cli *cli, struct policy **ret, struct mail_rules *rules)
{
        autodiags *d = diags_new();
        int status = cli_policy_of_people(cli, d, ret);
        *rules = (struct mail_rules){ .reuse_after = REUSE_AFTER_DAYS * DAY };
        if (status == EXIT_DONE && *ret)
                *rules = (struct mail_rules){ (*ret)->mail.reuse_after, (*ret)->network.domain };
        return status;
}

int mail_answer(const struct client *c, const char *what, int answer)
{
        struct slice rest = slice_of(answer == 0 ? client_reason(c) : "");
        while (rest.n) {
                autobuf line;
                buf_init(&line, 16384);
                buf_add_shown(&line, slice_cut(rest, '\n', &rest));
                fprintf(stderr, "porteiro: warning: %s\n", buf_cstr(&line));
        }
        return cli_answer(c, what, answer);
}

static bool read_act(const struct mail_act *act, struct cli *cli, struct slice *reason, int argc, char **argv,
                     int *status)
{
        if (!cli_parse(cli, act->shape, argc, argv, status))
                return false;
        *reason = slice_trim(slice_of(*act->reason));
        if (!act->reason_wanted || reason->n)
                return true;
        *status = cli_fail(EXIT_USAGE, "%s: --reason is missing", act->what);
        return false;
}

int mail_act(const struct mail_act *act, int argc, char **argv)
{
        struct cli cli;
        struct slice reason;
        int status;
        if (!read_act(act, &cli, &reason, argc, argv, &status))
                return status;
        autoclient *c = cli_client(&cli, &status);
        return c ? mail_answer(c, act->what, act->act(c, slice_of(cli.words[0]), reason)) : status;
}

static const char *suspend_reason, *lasts, *to;
const struct cli_option mail_suspend_options[MAIL_SUSPEND_OPTIONS] = {
        { .name = "reason", .argument = "TEXT", .help = "for the audit trail", .value = &suspend_reason },
        { .name = "for",
          .argument = "DURATION",
          .help = "it is lifted after so long (default: when somebody does)",
          .value = &lasts },
        { .name = "to",
          .argument = "N",
          .help = "so many recipients an hour are let through (default: none)",
          .value = &to },
};

int mail_suspend(const struct mail_suspend *s, int argc, char **argv)
{
        const struct mail_act act = { s->shape, s->what, &suspend_reason, true, NULL };
        struct cli cli;
        struct slice reason;
        int status;
        int64_t length = 0;
        uint64_t recipients = 0;
        if (!read_act(&act, &cli, &reason, argc, argv, &status))
                return status;
        if (lasts && (!duration_parse(slice_of(lasts), &length) || length <= 0))
                return cli_fail(EXIT_USAGE, "%s: --for %s: a duration, such as 24h", s->what, lasts);
        if (to && (!slice_u64(slice_of(to), LIMIT_COUNT_MOST, &recipients) || recipients == 0))
                return cli_fail(EXIT_USAGE, "%s: --to %s: how many recipients an hour", s->what, to);
        autoclient *c = cli_client(&cli, &status);
        if (!c)
                return status;
        int64_t until = length ? time_now() + length : TIME_NEVER;
        return mail_answer(c, s->what, s->until(c, slice_of(cli.words[0]), reason, until, (int64_t)recipients));
}

struct slice mail_address(struct arena *a, const char *word)
{
        struct address address;
        return address_parse(slice_of(word), ADDRESS_OURS, a, &address) ? slice_of(word) : address.whole;
}

struct slice mail_domain(struct arena *a, const char *word)
{
        struct slice name;
        return domain_parse(slice_of(word), a, &name) ? slice_of(word) : name;
}

bool mail_take_limits(const char *const *words, size_t n, struct mail_limits *ret, bool *said)
{
        *ret = mail_limits_inherit;
        for (size_t i = 0; i < n; i++) {
                enum mail_limit which;
                const char *wrong = mail_limits_parse_word(slice_of(words[i]), ret, &which);
                if (wrong) {
                        cli_fail(EXIT_USAGE, "--limit: %s: %s", words[i], wrong);
                        return false;
                }
                said[which] = true;
        }
        return true;
}

struct slice *mail_addresses(struct arena *a, const char *const *words, size_t *n)
{
        struct slice *all = arena_alloc(a, (*n + 1) * sizeof *all);
        if (!all)
                panic("out of memory (addresses)");
        for (size_t i = 0; i < *n; i++)
                all[i] = slice_of(words[i]);
        if (*n == 1 && slice_eq(all[0], S("none")))
                *n = 0;
        return all;
}

/* --- show --- */

void show_field(struct buf *out, const char *what, struct slice value)
{
        if (value.n == 0)
                return;
        buf_addf(out, "%-16s ", what);
        buf_add_shown(out, value);
        buf_addc(out, '\n');
}

void show_suspension(struct buf *out, const char *what, const struct suspension *s)
{
        char text[TIME_TEXT_MAX];
        if (!s->since)
                return;
        buf_addf(out, "%-16s since %s", what, time_print(s->since, text));
        if (s->until != TIME_NEVER)
                buf_addf(out, ", until %s", time_print(s->until, text));
        if (s->recipients)
                buf_addf(out, ", to %lld recipients an hour", (long long)s->recipients);
        buf_adds(out, " by ");
        buf_add_shown(out, s->author);
        buf_adds(out, ": ");
        buf_add_shown(out, s->reason);
        buf_addc(out, '\n');
}

void show_targets(struct buf *out, const char *what, const struct slice *all, size_t n)
{
        for (size_t i = 0; i < n; i++)
                show_field(out, what, all[i]);
}

void show_pointers(struct buf *out, const struct pointer *all, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                buf_addf(out, "%-16s %s ", "mail from",
                         slice_eq(all[i].kind, S("domain"))    ? "the catch-all of"
                         : slice_eq(all[i].kind, S("mailbox")) ? "the forward of"
                                                               : "alias");
                buf_add_shown(out, all[i].from);
                buf_addc(out, '\n');
        }
}

void pointers_json(struct json *j, const char *key, const struct pointer *all, size_t n)
{
        json_array(j, key);
        for (size_t i = 0; i < n; i++) {
                json_object(j, NULL);
                json_string(j, "kind", all[i].kind);
                json_string(j, "from", all[i].from);
                json_object_end(j);
        }
        json_array_end(j);
}
