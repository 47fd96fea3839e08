/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/values.h - one word of the policy file as a typed value.
 *
 * Says what is wrong with a word, and what would be right, at its place. Values of several words (lists, edge,
 * delegated) are put together by the parser from these.
 * Owns:    nothing; lists grow in the arena.
 * Threads: one at a time.
 * Limits:  SUBSCRIBER_MOST bytes an id, KERNEL_NAME_MOST a name that names an object of the kernel, 15 an interface. */
#pragma once

#include "policy/lexer.h"
#include "policy/options.h"

enum { SUBSCRIBER_MOST = 64, KERNEL_NAME_MOST = 31, FREE_NAME_MOST = 64, PATH_TEXT_MOST = 1024 };

struct values {
        struct diags *d;
        struct arena *arena;
};

/* Sets the field (or adds to the list) that is at `ret`; false after a diagnostic. `t` is a word or a string. */
bool value_parse(struct values *v, const struct option *o, struct token t, void *ret);
/* The delegated length behind an IPv6 prefix. */
bool value_parse_delegated(struct values *v, struct token t, struct policy_prefix *ret);
bool value_parse_port(struct values *v, struct token t, uint16_t *ret);
/* One address, no prefix. */
bool value_parse_host(struct values *v, struct token t, struct prefix *ret);
/* ADDRESS:PORT or unix:/PATH. */
bool value_parse_mta(struct values *v, struct token t, struct policy_mta *ret);
/* `name`: of the option, for the diagnostic. */
bool value_parse_path(struct values *v, const char *name, struct token t, struct slice *ret);
bool value_check_name(struct values *v, const struct block *b, struct token t);
/* Adds the line of help that offers the candidate nearest to `word`, if one is near. */
void value_suggest(struct diags *d, struct slice word, const struct slice *candidates, size_t n);
