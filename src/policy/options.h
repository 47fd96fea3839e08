/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/options.h - every block and option of the policy file, as rows of tables.
 *
 * The parser reads by these rows, and the help in the terminal and the manual page are printed from them: an option
 * exists once. A new option is one row here and one field in draft.h.
 * Owns:    constant tables.
 * Threads: pure functions.
 * Limits:  none. */
#pragma once

#include "policy/draft.h"

enum option_type {
        OPTION_TEXT,          /* struct word; `high` bytes at most */
        OPTION_HOST_NAME,     /* struct word */
        OPTION_EMAIL,         /* struct word */
        OPTION_ZONE,          /* struct word */
        OPTION_TIME,          /* struct word: read when the time zone is known */
        OPTION_INTERFACE,     /* struct word */
        OPTION_NAME,          /* struct word: the name of another block */
        OPTION_NAMES,         /* struct words */
        OPTION_SUBSCRIBERS,   /* struct words */
        OPTION_HOSTS,         /* struct prefixes */
        OPTION_PREFIXES,      /* struct prefixes */
        OPTION_POOL_PREFIXES, /* struct prefixes, each with its delegated length */
        OPTION_CHOICE,        /* struct number: index in choices */
        OPTION_NUMBER,        /* struct number in low..high */
        OPTION_DURATION,      /* struct number in low..high microseconds */
        OPTION_SIZE,          /* struct number in low..high bytes, or none (LIMIT_NONE) */
        OPTION_LIMIT,         /* struct number in low..high, or none (LIMIT_NONE) */
        OPTION_POINTS,        /* struct real in low..high */
        OPTION_PORTS,         /* struct range */
        OPTION_MARK,          /* struct mark */
        OPTION_EDGE,          /* struct edge */
        OPTION_LISTEN,        /* struct listen */
        OPTION_PATH,          /* struct word: an absolute path */
        OPTION_SUBMISSION,    /* struct submission: ports */
        OPTION_CERTIFICATES,  /* struct certificates: a host name, its chain, its key */
        OPTION_NEXT_HOP,      /* struct next_hop */
        OPTION_SENDERS,       /* struct words: addresses, or @domain */
        OPTION_TYPE_COUNT
};

struct option {
        const char *name;
        enum option_type type;
        bool required;
        int64_t low, high;
        const char *fallback; /* the default as an operator would write it; NULL where there is none */
        const char *const *choices;
        const char *help;
        size_t offset; /* of the field in its draft */
};

enum naming { NAMING_NONE, NAMING_KERNEL, NAMING_FREE };

struct block {
        const char *name;
        enum naming naming;
        bool once;
        const char *help;
        size_t size, list; /* of its draft; offset of its list in struct draft */
        const struct option *options;
        size_t n_options;
};

const struct block *policy_blocks(size_t *n);
const struct block *policy_block(struct slice name); /* NULL where unknown */
const struct option *block_option(const struct block *b, struct slice name);
/* Strategies and levels as lists of choices, in the order of their enums, NULL at the end. */
const char *const *policy_strategies(void);
const char *const *policy_levels(void);
/* Formats and choices of a feed, in the order of enum reader_format and enum line_choice (identity/). */
const char *const *policy_feed_formats(void);
const char *const *policy_feed_lines(void);
const char *const *policy_mail_fields(void);
enum language_choice { LANGUAGE_PT_BR, LANGUAGE_EN };
enum edge_down_choice { EDGE_DOWN_RESET, EDGE_DOWN_OPEN };
enum tunnel_choice { TUNNEL_OPEN, TUNNEL_BLOCK };
enum mapping_choice { MAPPING_COMPUTED, MAPPING_LOGGED };

/* "PREFIX[, PREFIX…]" */
void option_print_values(const struct option *o, struct buf *out);
/* `porteiro help conf` */
void policy_options_print(struct buf *out);
/* The option reference of porteiro.conf(5), as man macros. */
void policy_options_roff(struct buf *out);
