/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/whose.h - answers of `lease whose`, one or many, for people and for programs.
 *
 * Owns:    nothing.
 * Threads: one.
 * Limits:  private to cli/. */
#pragma once

#include "cli/lookup.h"

struct whose {
        struct resolve_question q;
        struct resolve_answer r;
        bool zoned;        /* the time said its zone */
        size_t row;        /* of the file; 0: it stood on the command line */
        const char *wrong; /* the question cannot be asked; NULL: it was */
        struct slice text; /* of a wrong question: the cell that is meant */
};

void whose_print(const struct whose *w, const struct lookup_policies *p, struct buf *out);
void whose_json(struct json *j, const struct whose *w);
void whose_csv_head(struct buf *out);
void whose_csv(const struct whose *w, struct buf *out);
/* What is recorded of it: texts and lists in the arena. */
struct lookup whose_record(const struct whose *w, struct arena *a);
