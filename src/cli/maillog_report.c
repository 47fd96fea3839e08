/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog report`: files of mail logs → what they add up to. */
#include "base/file.h"
#include "cli/maillog.h"
#include "cli/maillog_report.h"
#include "maillog/customers.h"
#include "maillog/zone.h"

#include <errno.h>
#include <stdio.h>

enum { OUT = 64 << 20, TOP_MOST = 1000, TOP_DEFAULT = 10 };

static const char *zone, *top, *rules_file, *html, *language, *csv, *unparsed;
static const struct cli_option options[] = {
        { .name = "zone",
          .argument = "NAME",
          .help = "of times without one, such as America/Sao_Paulo (default: the policy's)",
          .value = &zone },
        { .name = "top", .argument = "N", .help = "how many of each list (default: 10; --csv: 1000)", .value = &top },
        { .name = "rules",
          .argument = "FILE",
          .help = "its mail-rules and mail-limits, instead of those of the policy",
          .value = &rules_file },
        { .name = "html", .argument = "FILE", .help = "as a page into a file (- is standard output)", .value = &html },
        { .name = "language",
          .argument = "pt-BR|en",
          .help = "of the page (default: the policy's, else en)",
          .value = &language },
        { .name = "csv",
          .argument = "LIST",
          .help = "one list for a spreadsheet: totals, categories, hours, suspects, logins, …",
          .value = &csv },
        { .name = "unparsed", .help = "only the lines that are not understood", .value = &unparsed },
};
const struct cli_shape maillog_report_shape = {
        "maillog report FILE... [--zone NAME] [--top N] [--rules FILE] [--html FILE | --csv LIST | --unparsed]",
        options, COUNT_OF(options), 1, CLI_WORDS_MOST
};

static void print_unparsed(const struct batch *b)
{
        autobuf shown;
        buf_init(&shown, SIZE_MAX);
        for (size_t i = 0; i < b->n_unparsed; i++) {
                buf_add_shown(&shown, b->unparsed[i]);
                buf_addc(&shown, '\n');
        }
        fwrite(buf_cstr(&shown), 1, shown.n, stdout);
}

static struct slice subscriber(void *arg, struct slice client, int64_t at)
{
        const struct report *r = arg;
        return customers_of(r->customers, client, at);
}

static const struct policy *pools(void *arg)
{
        const struct report *r = arg;
        return r->policy;
}

static void apply(void *arg, struct batch *b)
{
        struct report *r = arg;
        print_unparsed(b);
        maillog_tally_batch(r->tally, b);
}

/* --- arguments --- */

static int take_csv(void)
{
        autobuf all;
        buf_init(&all, 4096);
        if (csv && !report_csv_has(slice_of(csv), &all))
                return cli_fail(EXIT_USAGE, "--csv %s: there is no such list; there are: %s", csv, buf_cstr(&all));
        return EXIT_DONE;
}

static int take_language(struct report *r)
{
        if (language && strcmp(language, "pt-BR") != 0 && strcmp(language, "en") != 0)
                return cli_fail(EXIT_USAGE, "--language %s: neither pt-BR nor en", language);
        if (language)
                r->language = strcmp(language, "pt-BR") == 0 ? GRAPH_PORTUGUESE : GRAPH_ENGLISH;
        return EXIT_DONE;
}

static int take_forms(struct report *r)
{
        if (r->cli.json + !!html + !!csv + !!unparsed > 1)
                return cli_fail(EXIT_USAGE, "--json, --html, --csv and --unparsed are one answer each");
        int status = take_csv();
        return status ? status : take_language(r);
}

static int take_arguments(struct report *r)
{
        uint64_t n = csv ? TOP_MOST : TOP_DEFAULT;
        if (top && (!slice_u64(slice_of(top), TOP_MOST, &n) || n == 0))
                return cli_fail(EXIT_USAGE, "--top %s: a number from 1 to %d", top, TOP_MOST);
        r->top = (size_t)n;
        r->files = (struct maillog_files){ .paths = r->cli.words,
                                           .n = r->cli.n_words,
                                           .keeps_unparsed = unparsed != NULL,
                                           .keeps_reasons = true,
                                           .shows_progress = isatty(STDERR_FILENO) && !r->cli.json && !unparsed,
                                           .apply = apply,
                                           .arg = r };
        return take_forms(r);
}

/* --- answers --- */

/* It says who wrote to whom: nobody else reads it but by the owner's will. */
static int write_page(const struct buf *out)
{
        int failed = out->full ? -EFBIG : file_replace(html, 0600, buf_slice(out));
        return failed ? cli_fail(EXIT_SYSTEM, "%s: %s", html, strerror(-failed)) : EXIT_DONE;
}

static int print(const struct report *r)
{
        autobuf out;
        buf_init(&out, OUT);
        if (r->cli.json)
                report_json(r, &out);
        else if (html)
                report_html(r, &out);
        else if (csv)
                report_csv(r, slice_of(csv), &out);
        else if (!unparsed)
                report_text(r, &out);
        return html && strcmp(html, "-") != 0 ? write_page(&out) : cli_print(&out);
}

static int read_and_print(struct report *r, const struct rules *rules)
{
        struct limits_who who = { .subscriber = r->customers ? subscriber : NULL, .pools = pools, .arg = r };
        automaillogtally *tally = maillog_tally_new(rules, who, zone_of_process());
        r->rules = rules;
        r->files.categories = rules->categories;
        r->tally = tally;
        int status = maillog_files_read(&r->files);
        maillog_tally_end(tally);
        r->windows_lost = limits_evicted(maillog_tally_limits(tally));
        bool nothing = status == EXIT_SYSTEM && maillog_tally_totals(tally)->lines.lines == 0; /* told already */
        int printed = nothing ? status : print(r);
        return printed ? printed : status;
}

int maillog_report_run(int argc, char **argv)
{
        struct report r = { 0 };
        int status;
        zone = top = rules_file = html = language = csv = unparsed = NULL;
        if (!cli_parse(&r.cli, &maillog_report_shape, argc, argv, &status))
                return status;
        autopolicy *p = cli_policy_if_any(&r.cli);
        r.policy = p;
        r.network = p ? p->network.name : S("");
        r.language = p && slice_starts(p->network.language, S("pt")) ? GRAPH_PORTUGUESE : GRAPH_ENGLISH;
        status = take_arguments(&r);
        if (status)
                return status;
        autorules *rules = maillog_rules(&r.cli, rules_file, &status);
        status = rules ? maillog_set_zone(&r.cli, zone) : status; /* reading them set that of the policy */
        if (status)
                return status;
        autoledger *ledger = NULL;
        r.customers = ledger_open(r.cli.state, &ledger) == 0 ? customers_new(ledger, TIME_NEVER) : NULL;
        status = read_and_print(&r, rules);
        customers_free(r.customers);
        return status;
}
