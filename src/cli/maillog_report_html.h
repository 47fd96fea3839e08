/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/maillog_report_html.h - the parts of the page of `maillog report --html`, and its words.
 *
 * A page stands alone: it asks for no other file, has no script, and links to nothing but its own parts.
 * Owns:    nothing; writes into the report's buf.
 * Threads: one.
 * Limits:  HTML_SUSPECTS_MOST suspects; the page says how many more there are. */
#pragma once

#include "cli/maillog_report.h"

enum { HTML_SUSPECTS_MOST = 1000 };

/* maillog_report_words.c has the texts. */
enum html_word {
        HTML_TAG,
        HTML_TITLE,
        HTML_NOTHING,
        HTML_PERIOD,
        HTML_FATE,
        HTML_DOOR,
        HTML_UNDERSTOOD,
        HTML_NOT_UNDERSTOOD,
        HTML_NOBODY,
        HTML_CAUGHT,
        HTML_OVER_TIME,
        HTML_BY_CATEGORY,
        HTML_REMOTE,
        HTML_REMOTE_NOTE,
        HTML_SUSPECTS,
        HTML_SUSPECTS_NOTE,
        HTML_MORE,
        HTML_WHO,
        HTML_LIMIT,
        HTML_SINCE,
        HTML_AT,
        HTML_TIMES,
        HTML_AT_LEAST,
        HTML_EVIDENCE,
        HTML_CATEGORY,
        HTML_MEANING,
        HTML_NUMBER,
        HTML_OWN_RULE,
        HTML_LISTS,
        HTML_HOURS,
        HTML_HOUR,
        HTML_SUMS,
        HTML_SUM,
        HTML_CLAIM,
        HTML_WORDS_ALL
};

enum { HTML_NUMBER_MAX = 32 };

struct page {
        const struct report *r;
        struct buf *out;
};

const char *html_word(const struct page *p, enum html_word w);
/* "1,234,567", "1.234.567" */
const char *html_number(const struct page *p, uint64_t n, char out[HTML_NUMBER_MAX]);
/* The word with the texts in place of its marks. */
void html_say(const struct page *p, enum html_word w, const char *const *texts, size_t n);
void html_say_number(const struct page *p, enum html_word w, uint64_t n);

/* A heading, which the head of the page leads to. */
void html_heading(const struct page *p, const char *id, const char *text);
/* A table that scrolls by itself where the screen is narrow. The first column is text, the last `numbers` are numbers. */
void html_table(const struct page *p, const char *id, const char *const *titles, size_t n, size_t numbers);
void html_table_end(const struct page *p);
/* A row begins with what it is of; `key`, where not NULL, is what programs call it. */
void html_row(const struct page *p, const char *key, struct slice text);
void html_row_end(const struct page *p);
void html_cell(const struct page *p, struct slice text);
void html_cell_number(const struct page *p, uint64_t n);

/* The parts of the page, in their order. */
void html_pictures(const struct page *p);
void html_suspects(const struct page *p);
void html_categories(const struct page *p);
void html_lists(const struct page *p);
void html_hours(const struct page *p);
void html_bars(const struct page *p, const size_t *categories, size_t n);
