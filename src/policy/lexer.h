/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/lexer.h - the text of one policy file as words, strings, braces and commas.
 *
 * A word goes to the next blank, brace or comma. A string stands in double quotes on one line; it has no escapes, so a
 * backslash is a backslash. `#` begins a comment where a token could begin. Whatever else is in the text (control
 * bytes, bytes that are not UTF-8, a quote that never closes) becomes a diagnostic, and the reading goes on behind it.
 * Owns:    nothing; tokens point into the text that the diags keep.
 * Threads: one at a time.
 * Limits:  TOKEN_MOST bytes a token. */
#pragma once

#include "base/diag.h"

enum { TOKEN_MOST = 1024 };

enum token_kind { TOKEN_WORD, TOKEN_STRING, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_END };

struct token {
        enum token_kind kind;
        bool first;        /* on its line, and the line does not go on a list */
        struct slice text; /* without the quotes */
        struct place place;
};

struct lexer {
        struct diags *d;
        struct slice text;
        size_t at, line_start;
        uint32_t source, line;
        bool fresh;          /* no token on this line yet */
        bool after_comma;    /* the last token was a comma */
        bool told_semicolon; /* one complaint a file is enough */
};

void lexer_init(struct lexer *l, struct diags *d, uint32_t source);
/* The next token; TOKEN_END for ever after the last. */
struct token lexer_next(struct lexer *l);
