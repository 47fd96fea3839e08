/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/exim_inside.h - the parts of exim.h's parser, one file each.
 *
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  at most EXIM_WAYS addresses of a line are tried as its client's. */
#pragma once

#include "maillog/exim.h"
#include "maillog/scan.h"

enum { EXIM_WAYS = 32 };

/* What may follow a host; false: it is not that. */
struct exim_rest {
        bool (*read)(struct slice s, const struct exim_rest *rest, struct mail_event *ret);
        enum mail_kind kind;
        struct slice stage;
};

/* "name (helo) [address]:port" and then *rest, in how many ways. At one, *ret is it; at none or more, it is odd, and its client is the only one
 * there can be, if so. */
unsigned exim_host(struct slice s, const struct exim_rest *rest, struct mail_event *ret);
/* Up to a blank; one within quotes, or behind a backslash, is none. False: the quotes are not closed. */
bool exim_word(struct slice *s, struct slice *ret);
/* A ':' at the end of the word, but not of the line, goes back to what follows it. */
void exim_give_colon(struct slice *s, struct slice *word);
/* " KEY=value" or " FLAG"; *end: it was the last, and the ": " behind it is taken. False: there is none. */
bool exim_field(struct slice *s, struct slice *key, struct slice *value, bool *end);
/* "[192.0.2.1]:4711" */
bool exim_address(struct slice *s, struct mail_peer *ret);
/* "plain:login" */
void exim_login(struct slice value, struct mail_event *ret);
/* "<…>" without its brackets. */
struct slice exim_bare(struct slice s);

/* What follows "<= ". */
void exim_arrival(struct slice s, struct mail_event *ret);
/* What follows "=> ", "** ", "== " …; the status is set. */
void exim_delivery(struct slice s, struct mail_event *ret);
/* What follows the host of a line that begins with it: " F=<…> rejected RCPT <…>: reason" and the like. */
bool exim_of_client(struct slice s, const struct exim_rest *rest, struct mail_event *ret);
