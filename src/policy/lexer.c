/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/lexer.h"

void lexer_init(struct lexer *l, struct diags *d, uint32_t source)
{
        *l = (struct lexer){ .d = d, .text = diags_source_text(d, source), .source = source, .line = 1, .fresh = true };
        if (slice_starts(l->text, S("\xEF\xBB\xBF"))) /* the mark some editors put first */
                l->at = 3;
}

static struct slice ahead(const struct lexer *l)
{
        return slice_from(l->text, l->at);
}

static struct place place_at(const struct lexer *l, size_t from, size_t to)
{
        return (struct place){ .source = l->source,
                               .line = l->line,
                               .column = (uint32_t)(from - l->line_start) + 1,
                               .length = (uint32_t)(to - from) };
}

static void next_line(struct lexer *l)
{
        l->at++;
        l->line++;
        l->line_start = l->at;
        l->fresh = true;
}

static bool is_blank(struct slice s)
{
        return s.p[0] == ' ' || s.p[0] == '\t' || (s.p[0] == '\r' && (s.n == 1 || s.p[1] == '\n'));
}

/* How many bytes of a word stand here; 0 where none. */
static size_t word_bytes(struct slice s)
{
        unsigned char c = (unsigned char)s.p[0];
        if (c >= 0x80)
                return slice_utf8(s);
        return c > 0x20 && c != 0x7F && !strchr("{},;\"#", c);
}

/* Bytes that are neither text nor blank. */
static bool is_bad(struct slice s)
{
        unsigned char c = (unsigned char)s.p[0];
        if (c >= 0x80)
                return slice_utf8(s) == 0;
        return (c < 0x20 || c == 0x7F) && c != '\n' && !is_blank(s);
}

static void skip_bad(struct lexer *l)
{
        size_t from = l->at;
        unsigned char c = (unsigned char)l->text.p[from];
        while (l->at < l->text.n && is_bad(ahead(l)))
                l->at++;
        if (c >= 0x80)
                diag_error(l->d, place_at(l, from, l->at), "byte 0x%02x is not text in UTF-8", c);
        else
                diag_error(l->d, place_at(l, from, l->at), "control byte 0x%02x does not belong in a policy", c);
}

static void skip_comment(struct lexer *l)
{
        const char *end = memchr(l->text.p + l->at, '\n', l->text.n - l->at);
        l->at = end ? (size_t)(end - l->text.p) : l->text.n;
}

static void skip_semicolon(struct lexer *l)
{
        if (!l->told_semicolon)
                diag_error(l->d, place_at(l, l->at, l->at + 1),
                           "\";\" is not used: an option ends where the next begins");
        l->told_semicolon = true;
        l->at++;
}

static void skip_between(struct lexer *l)
{
        while (l->at < l->text.n) {
                char c = l->text.p[l->at];
                if (c == '\n')
                        next_line(l);
                else if (c == '#')
                        skip_comment(l);
                else if (c == ';')
                        skip_semicolon(l);
                else if (is_blank(ahead(l)))
                        l->at++;
                else if (is_bad(ahead(l)))
                        skip_bad(l);
                else
                        return;
        }
}

static struct slice take_word(struct lexer *l)
{
        size_t from = l->at, n;
        while (l->at < l->text.n && (n = word_bytes(ahead(l))))
                l->at += n;
        char stop = l->at < l->text.n ? l->text.p[l->at] : ' ';
        if (stop == '#' || stop == '"')
                diag_error(l->d, place_at(l, l->at, l->at + 1),
                           "put a space before %s, or quotes around the whole word",
                           stop == '#' ? "a comment" : "a string");
        return (struct slice){ l->text.p + from, l->at - from };
}

static struct slice take_string(struct lexer *l)
{
        size_t open = l->at++;
        size_t from = l->at;
        while (l->at < l->text.n && l->text.p[l->at] != '"' && l->text.p[l->at] != '\n') {
                struct slice s = ahead(l);
                if (s.p[0] == '\t' || !is_bad(s))
                        l->at += (unsigned char)s.p[0] >= 0x80 ? slice_utf8(s) : 1;
                else
                        skip_bad(l);
        }
        struct slice text = { l->text.p + from, l->at - from };
        if (l->at < l->text.n && l->text.p[l->at] == '"')
                l->at++;
        else
                diag_error(l->d, place_at(l, open, l->at), "this string has no closing quote on its line");
        return text;
}

static struct token take_token(struct lexer *l)
{
        if (l->at == l->text.n)
                return (struct token){ .kind = TOKEN_END };
        const char *p = l->text.p + l->at;
        static const struct {
                char c;
                enum token_kind kind;
        } marks[] = { { '{', TOKEN_OPEN }, { '}', TOKEN_CLOSE }, { ',', TOKEN_COMMA } };
        for (size_t i = 0; i < COUNT_OF(marks); i++)
                if (*p == marks[i].c) {
                        l->at++;
                        return (struct token){ .kind = marks[i].kind, .text = { p, 1 } };
                }
        if (*p == '"')
                return (struct token){ .kind = TOKEN_STRING, .text = take_string(l) };
        return (struct token){ .kind = TOKEN_WORD, .text = take_word(l) };
}

struct token lexer_next(struct lexer *l)
{
        skip_between(l);
        size_t from = l->at;
        struct token t = take_token(l);
        t.place = place_at(l, from, l->at);
        t.first = l->fresh && !l->after_comma;
        l->fresh = false;
        l->after_comma = t.kind == TOKEN_COMMA;
        if (t.text.n > TOKEN_MOST) {
                diag_error(l->d, t.place, "this %s is longer than %d bytes", t.kind == TOKEN_STRING ? "string" : "word",
                           TOKEN_MOST);
                t.text.n = TOKEN_MOST;
        }
        return t;
}
