/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/maillog_report.h - what `maillog report` found, and its answers: text, JSON, CSV and a page of HTML.
 *
 * What is told stands in three tables, so that every answer tells the same under the same names: sums, counters (the columns of every list),
 * and lists. Text that comes from a log is shown by buf_add_shown(), html_add(), csv_put_foreign() or as a string of JSON, and by nothing else.
 * Owns:    nothing; what is told lives in the tally, until the command ends.
 * Threads: one.
 * Limits:  private to cli/. */
#pragma once

#include "cli/maillog_files.h"
#include "graph/words.h"
#include "maillog/tally.h"

struct report {
        struct cli cli;
        struct maillog_files files;
        const struct rules *rules;
        struct customers *customers; /* NULL: there is no ledger */
        const struct policy *policy; /* whose addresses are customers; NULL: there is none */
        struct maillog_tally *tally;
        size_t top;
        enum graph_language language; /* of a page */
        struct slice network;         /* its name; may be empty */
        uint64_t windows_lost;
};

enum report_about { REPORT_LINES, REPORT_MESSAGES, REPORT_REFUSALS, REPORT_LIMITS };
struct report_sum {
        const char *key, *text[GRAPH_LANGUAGES];
        enum report_about about;
        bool part;   /* of the sum before it */
        bool always; /* people are told of it even where it is zero */
        bool ours;   /* it stands in struct report; else in the totals */
        size_t at;
};
extern const struct report_sum report_sums[];
extern const size_t report_sums_n;
uint64_t report_sum_of(const struct report *r, const struct report_sum *s);
/* Lines of mail servers that were understood, in parts of `of`, rounded down: a single one that was not is seen. */
double report_share(const struct report *r, uint64_t of);

struct report_counter {
        const char *key, *text[GRAPH_LANGUAGES];
        bool programs; /* it is for them alone */
        bool wide;     /* a uint64_t */
        size_t at;     /* in struct maillog_counts */
};
extern const struct report_counter report_counters[];
extern const size_t report_counters_n;
uint64_t report_counter_of(const struct maillog_counts *c, const struct report_counter *counter);

struct report_list {
        const char *key, *csv, *title[GRAPH_LANGUAGES];
        enum maillog_who who;
        enum maillog_by by;
        size_t counter; /* which of the counters it is by */
};
extern const struct report_list report_lists[];
extern const size_t report_lists_n;
/* "login", "client", …: what a row of this kind is. */
const char *report_who(enum maillog_who who, enum graph_language language);
size_t report_top(const struct report *r, const struct report_list *list, struct maillog_row *rows);

/* What a category that is built in means; "" for one of the policy's own. */
const char *report_meaning(size_t category, enum graph_language language);
/* Whether it is what remote servers hold against us, and no refusal of ours. */
bool report_is_remote(const struct report *r, size_t category);

void report_text(const struct report *r, struct buf *out);
void report_json(const struct report *r, struct buf *out);
void report_html(const struct report *r, struct buf *out);
void report_csv(const struct report *r, struct slice list, struct buf *out);
/* Whether there is a list of this name; `all` gets the names there are. */
bool report_csv_has(struct slice list, struct buf *all);
