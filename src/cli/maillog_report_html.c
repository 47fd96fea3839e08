/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `maillog report --html`: the page, and what its parts are made of. */
#include "cli/maillog_report_html.h"
#include "base/html.h"
#include "cli/maillog_suspects.h"
#include "graph/svg.h"

#include <stdio.h>

/* Nothing may be loaded or run, whatever got into the page: all of it stands in this file. */
#define POLICY "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark;--ground:#fff;--ink:#1c2530;--dim:#5b6673;--rule:#c3cad3;--link:#0072b2}\n"
    "@media (prefers-color-scheme:dark){:root{--ground:#12171d;--ink:#e6ebf1;--dim:#9aa6b3;--rule:#3d4854;"
    "--link:#4aa8e0}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--ground);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.5rem;margin:0}\n"
    "h2{font-size:1.2rem;margin:2.5rem 0 .5rem}\n"
    "h3{font-size:1rem;margin:1.5rem 0 .25rem}\n"
    "p{margin:.5rem 0}\n"
    "a{color:var(--link)}\n"
    "nav a{margin-right:1rem;white-space:nowrap}\n"
    ".lead{font-size:1.1rem}\n"
    ".note{color:var(--dim)}\n"
    ".wide{overflow-x:auto;margin:.5rem 0}\n"
    ".wide svg{display:block;min-width:40rem;max-width:100%;height:auto}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}\n"
    "thead th{color:var(--dim);font-weight:600;overflow-wrap:normal}\n"
    "tbody th{font-weight:400;min-width:14rem;max-width:42rem}\n"
    ".n{text-align:right}\n"
    "td.n{white-space:nowrap}\n"
    ".t{white-space:nowrap}\n"
    "summary{cursor:pointer}\n"
    "pre{margin:.25rem 0 .75rem;white-space:pre-wrap;font-size:.85rem}\n"
    "@media print{nav{display:none}}\n"
    "</style>\n";

/* --- texts --- */

const char *html_number(const struct page *p, uint64_t n, char out[HTML_NUMBER_MAX])
{
        char digits[HTML_NUMBER_MAX], *to = out;
        int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
        for (int i = 0; i < length; i++) {
                if (i && (length - i) % 3 == 0)
                        *to++ = p->r->language == GRAPH_PORTUGUESE ? '.' : ',';
                *to++ = digits[i];
        }
        *to = '\0';
        return out;
}

void html_say(const struct page *p, enum html_word w, const char *const *texts, size_t n)
{
        size_t used = 0;
        for (const char *c = html_word(p, w); *c; c++) {
                if (*c == '#' && used < n)
                        html_add(p->out, slice_of(texts[used++]));
                else
                        buf_addc(p->out, *c);
        }
}

void html_say_number(const struct page *p, enum html_word w, uint64_t n)
{
        char number[HTML_NUMBER_MAX];
        html_say(p, w, &(const char *){ html_number(p, n, number) }, 1);
}

/* --- parts --- */

void html_heading(const struct page *p, const char *id, const char *text)
{
        buf_addf(p->out, "<h2 id=\"%s\">%s</h2>\n", id, text);
}

void html_table(const struct page *p, const char *id, const char *const *titles, size_t n, size_t numbers)
{
        buf_addf(p->out, "<div class=\"wide\" tabindex=\"0\">\n<table id=\"table-%s\">\n<thead><tr>", id);
        for (size_t i = 0; i < n; i++)
                buf_addf(p->out, "<th scope=\"col\"%s>%s</th>", i + numbers >= n ? " class=\"n\"" : "", titles[i]);
        buf_adds(p->out, "</tr></thead>\n<tbody>\n");
}

void html_table_end(const struct page *p)
{
        buf_adds(p->out, "</tbody>\n</table>\n</div>\n");
}

void html_row(const struct page *p, const char *key, struct slice text)
{
        buf_addf(p->out, "<tr%s%s%s><th scope=\"row\">", key ? " data-key=\"" : "", key ? key : "", key ? "\"" : "");
        html_add(p->out, text);
        buf_adds(p->out, "</th>");
}

void html_row_end(const struct page *p)
{
        buf_adds(p->out, "</tr>\n");
}

void html_cell(const struct page *p, struct slice text)
{
        buf_adds(p->out, "<td>");
        html_add(p->out, text);
        buf_adds(p->out, "</td>");
}

void html_cell_number(const struct page *p, uint64_t n)
{
        char number[HTML_NUMBER_MAX];
        buf_addf(p->out, "<td class=\"n\">%s</td>", html_number(p, n, number));
}

/* --- the page --- */

static void head(const struct page *p)
{
        buf_addf(p->out, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n",
                 html_word(p, HTML_TAG));
        buf_adds(p->out, "<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY "\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                         "<meta name=\"color-scheme\" content=\"light dark\">\n"
                         "<meta name=\"referrer\" content=\"no-referrer\">\n"
                         "<meta name=\"robots\" content=\"noindex\">\n<title>");
        buf_adds(p->out, html_word(p, HTML_TITLE));
        if (p->r->network.n)
                buf_adds(p->out, ": ");
        html_add(p->out, p->r->network);
        buf_adds(p->out, "</title>\n");
        buf_adds(p->out, style);
        graph_svg_style(p->out);
        buf_adds(p->out, "</head>\n<body>\n");
}

/* "2026-11-28 00:00" of a time, and its zone, which stands behind the seconds. */
static const char *zone_of(const char *time)
{
        return time + strlen("2026-12-01 14:30:05 ");
}

static void say_period(const struct page *p)
{
        const struct maillog_totals *t = maillog_tally_totals(p->r->tally);
        char from[TIME_TEXT_MAX], until[TIME_TEXT_MAX], zone[TIME_TEXT_MAX];
        char messages[HTML_NUMBER_MAX], recipients[HTML_NUMBER_MAX];
        snprintf(zone, sizeof zone, "%s", zone_of(time_print(t->first, from)));
        time_print(t->last, until);
        from[strlen("2026-12-01 14:30")] = until[strlen("2026-12-01 14:30")] = '\0';
        const char *const texts[] = { from, until, zone, html_number(p, t->messages, messages),
                                      html_number(p, t->recipients, recipients) };
        html_say(p, HTML_PERIOD, texts, COUNT_OF(texts));
}

static void say_numbers(const struct page *p, enum html_word w, const uint64_t *v, size_t n)
{
        char numbers[3][HTML_NUMBER_MAX];
        const char *texts[3];
        for (size_t i = 0; i < n && i < COUNT_OF(texts); i++)
                texts[i] = html_number(p, v[i], numbers[i]);
        buf_addc(p->out, '\n');
        html_say(p, w, texts, n);
}

static void say_understood(const struct page *p)
{
        const struct batch_sums *l = &maillog_tally_totals(p->r->tally)->lines;
        uint64_t not = l->unknown + l->broken + p->r->files.too_long;
        char share[HTML_NUMBER_MAX];
        snprintf(share, sizeof share, "%.2f", 100 * report_share(p->r, 10000));
        if (p->r->language == GRAPH_PORTUGUESE && strchr(share, '.'))
                *strchr(share, '.') = ',';
        buf_adds(p->out, "</p>\n<p>");
        html_say(p, HTML_UNDERSTOOD, &(const char *){ share }, 1);
        buf_addc(p->out, ' ');
        if (not )
                html_say_number(p, HTML_NOT_UNDERSTOOD, not );
}

static void lead(const struct page *p)
{
        const struct maillog_totals *t = maillog_tally_totals(p->r->tally);
        autofree const struct limits_caught **v = NULL;
        size_t n = maillog_suspects(maillog_tally_limits(p->r->tally), &v);
        buf_addf(p->out, "<header>\n<h1>%s%s", html_word(p, HTML_TITLE), p->r->network.n ? ": " : "");
        html_add(p->out, p->r->network);
        buf_adds(p->out, "</h1>\n<p class=\"lead\">");
        if (!t->first) {
                buf_addf(p->out, "%s</p>\n</header>\n", html_word(p, HTML_NOTHING));
                return;
        }
        say_period(p);
        say_numbers(p, HTML_FATE, (const uint64_t[]){ t->delivered, t->deferred, t->bounced }, 3);
        say_numbers(p, HTML_DOOR, (const uint64_t[]){ t->refused, t->lines.kinds[MAIL_AUTH_FAILED] }, 2);
        say_understood(p);
        buf_adds(p->out, "</p>\n<p>");
        if (n)
                html_say_number(p, HTML_CAUGHT, n);
        else
                buf_adds(p->out, html_word(p, HTML_NOBODY));
        buf_adds(p->out, "</p>\n</header>\n");
}

static void links(const struct page *p)
{
        static const struct {
                const char *id;
                enum html_word word;
        } parts[] = { { "over-time", HTML_OVER_TIME },    { "suspects", HTML_SUSPECTS }, { "lists", HTML_LISTS },
                      { "categories", HTML_BY_CATEGORY }, { "hours", HTML_HOURS },       { "sums", HTML_SUMS } };
        buf_adds(p->out, "<nav>");
        for (size_t i = 0; i < COUNT_OF(parts); i++)
                buf_addf(p->out, "<a href=\"#%s\">%s</a>\n", parts[i].id, html_word(p, parts[i].word));
        buf_adds(p->out, "</nav>\n");
}

static void sums(const struct page *p)
{
        const char *const titles[] = { html_word(p, HTML_SUM), html_word(p, HTML_NUMBER) };
        html_heading(p, "sums", html_word(p, HTML_SUMS));
        html_table(p, "sums", titles, COUNT_OF(titles), 1);
        for (size_t i = 0; i < report_sums_n; i++) {
                const struct report_sum *s = &report_sums[i];
                html_row(p, s->key, slice_of(s->text[p->r->language]));
                html_cell_number(p, report_sum_of(p->r, s));
                html_row_end(p);
        }
        html_table_end(p);
}

void report_html(const struct report *r, struct buf *out)
{
        struct page p = { r, out };
        head(&p);
        lead(&p);
        links(&p);
        buf_adds(out, "<main>\n");
        html_pictures(&p);
        html_suspects(&p);
        html_categories(&p);
        html_lists(&p);
        html_hours(&p);
        sums(&p);
        buf_addf(out, "</main>\n<footer>\n<p class=\"note\">%s</p>\n</footer>\n</body>\n</html>\n",
                 html_word(&p, HTML_CLAIM));
}
