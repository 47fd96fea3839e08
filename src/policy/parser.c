/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/parser.h"
#include "policy/files.h"
#include "policy/lexer.h"
#include "policy/options.h"
#include "policy/values.h"

static const struct place nowhere = { 0 };

enum { AHEAD_MOST = 3 };

struct parser {
        struct lexer lexer;
        struct token ahead[AHEAD_MOST]; /* read, and not yet taken */
        size_t n_ahead;
        struct values values;
        struct files *files;
        struct draft *draft;
        struct diags *d;
        unsigned depth;
};

static struct token peek_at(struct parser *p, size_t i)
{
        while (p->n_ahead <= i)
                p->ahead[p->n_ahead++] = lexer_next(&p->lexer);
        return p->ahead[i];
}

static struct token peek(struct parser *p)
{
        return peek_at(p, 0);
}

static struct token take_next(struct parser *p)
{
        struct token t = peek(p);
        p->n_ahead--;
        memmove(p->ahead, p->ahead + 1, p->n_ahead * sizeof p->ahead[0]);
        return t;
}

static bool is_text(struct token t)
{
        return t.kind == TOKEN_WORD || t.kind == TOKEN_STRING;
}

static bool is_word(struct token t, const char *word)
{
        return t.kind == TOKEN_WORD && slice_eq(t.text, slice_of(word));
}

/* What a diagnostic calls the token. */
static const char *kind_of(struct token t)
{
        static const char *const names[] = { "a word", "a string", "\"{\"", "\"}\"", "\",\"", "the end of the file" };
        return names[t.kind];
}

/* ---- getting over a mistake ---- */

/* Takes a "{" and all up to its "}". */
static void skip_braces(struct parser *p)
{
        size_t depth = 0;
        for (struct token t = peek(p); t.kind != TOKEN_END; t = peek(p)) {
                take_next(p);
                depth += t.kind == TOKEN_OPEN;
                if (t.kind == TOKEN_CLOSE && --depth == 0)
                        return;
        }
}

/* To the next option of `b`, the end of the line or the end of the block, whichever comes first. */
static void skip_option(struct parser *p, const struct block *b)
{
        for (struct token t = peek(p); t.kind != TOKEN_END && t.kind != TOKEN_CLOSE && !t.first; t = peek(p)) {
                if (t.kind == TOKEN_WORD && block_option(b, t.text))
                        return;
                if (t.kind == TOKEN_OPEN)
                        skip_braces(p);
                else
                        take_next(p);
        }
}

/* To the end of the line, with the braces that open on it. */
static void skip_statement(struct parser *p)
{
        for (struct token t = peek(p); t.kind != TOKEN_END && !t.first; t = peek(p)) {
                if (t.kind == TOKEN_OPEN) {
                        skip_braces(p);
                        return;
                }
                take_next(p);
        }
}

/* Whether a block begins here: its keyword, its name where it has one, "{". */
static bool at_block(struct parser *p)
{
        struct token t = peek(p);
        const struct block *b = t.kind == TOKEN_WORD ? policy_block(t.text) : NULL;
        if (!b)
                return false;
        if (b->naming != NAMING_NONE && !is_text(peek_at(p, 1)))
                return false;
        return peek_at(p, b->naming != NAMING_NONE ? 2 : 1).kind == TOKEN_OPEN;
}

/* ---- options ---- */

static bool is_list(enum option_type type)
{
        return type == OPTION_NAMES || type == OPTION_SUBSCRIBERS || type == OPTION_HOSTS || type == OPTION_PREFIXES ||
               type == OPTION_POOL_PREFIXES || type == OPTION_SUBMISSION || type == OPTION_CERTIFICATES ||
               type == OPTION_SENDERS;
}

/* The value that must stand here, on the line of its option; false after a diagnostic. */
static bool take_value(struct parser *p, const struct option *o, struct place option, struct token *ret)
{
        struct token t = peek(p);
        if (is_text(t) && !t.first) {
                *ret = take_next(p);
                return true;
        }
        diag_error(p->d, option, "%s has no value", o->name);
        if (is_text(t))
                diag_note(p->d, t.place, "a value stands on the line of its option");
        return false;
}

/* `prefix` is NULL where what stands before was no prefix. */
static void parse_delegated(struct parser *p, struct policy_prefix *prefix)
{
        struct token t;
        static const struct option delegated = { .name = "delegated" };
        if (!is_word(peek(p), "delegated") || peek(p).first)
                return;
        struct place place = take_next(p).place;
        if (take_value(p, &delegated, place, &t) && prefix)
                value_parse_delegated(&p->values, t, prefix);
}

/* "chain PATH key PATH" behind the name; `c` is NULL where that was wrong. */
static void parse_certificate(struct parser *p, struct place option, struct certificate *c)
{
        static const char *const words[] = { "chain", "key" };
        struct certificate unused = { .place = option };
        c = c ? c : &unused;
        struct slice *paths[] = { &c->chain, &c->key };
        for (size_t i = 0; i < COUNT_OF(words); i++) {
                const struct option o = { .name = words[i] };
                struct token t;
                if (!is_word(peek(p), words[i]) || peek(p).first) {
                        diag_error(p->d, option, "certificate is NAME chain PATH key PATH, and %s is missing",
                                   words[i]);
                        return;
                }
                struct place place = take_next(p).place;
                if (!take_value(p, &o, place, &t) || !value_parse_path(&p->values, words[i], t, paths[i]))
                        return;
        }
}

/* One wrong value in a list does not hide the next. */
static void parse_list(struct parser *p, const struct option *o, struct place option, void *field)
{
        struct token t, comma = { 0 };
        if (o->type == OPTION_SUBMISSION && is_word(peek(p), "port") && !peek(p).first)
                take_next(p);
        for (bool more = true; more; more = comma.kind == TOKEN_COMMA) {
                t = peek(p);
                if (comma.kind == TOKEN_COMMA && (!is_text(t) || t.first))
                        diag_error(p->d, comma.place, "a value is missing after this comma");
                else if (!take_value(p, o, option, &t))
                        return;
                else {
                        bool added = value_parse(&p->values, o, t, field);
                        struct prefixes *list = field;
                        if (o->type == OPTION_POOL_PREFIXES)
                                parse_delegated(p, added ? &list->v[list->n - 1] : NULL);
                        struct certificates *certificates = field;
                        if (o->type == OPTION_CERTIFICATES)
                                parse_certificate(p, option, added ? &certificates->v[certificates->n - 1] : NULL);
                }
                comma = peek(p);
                if (comma.kind == TOKEN_COMMA)
                        take_next(p);
        }
}

/* edge local | route A[, A6] | dnat A[, A6] [port P] */
static void parse_edge(struct parser *p, struct edge *e)
{
        static const struct option route = { .name = "edge route" }, dnat = { .name = "edge dnat" },
                                   port = { .name = "port" };
        const struct option *address = e->where == EDGE_DNAT ? &dnat : &route;
        struct token t;
        if (e->where == EDGE_LOCAL)
                return;
        do {
                struct prefix host;
                if (!take_value(p, address, e->place, &t) || !value_parse_host(&p->values, t, &host))
                        return;
                bool v4 = prefix_is_v4(&host), *has = v4 ? &e->has4 : &e->has6;
                if (*has) {
                        diag_error(p->d, t.place, "the edge has one IPv%d address", v4 ? 4 : 6);
                        diag_note(p->d, v4 ? e->v4_place : e->v6_place, "the other");
                }
                *has = true;
                *(v4 ? &e->v4 : &e->v6) = host.addr;
                *(v4 ? &e->v4_place : &e->v6_place) = t.place;
        } while (peek(p).kind == TOKEN_COMMA && (take_next(p), true));
        if (e->where == EDGE_DNAT && is_word(peek(p), "port") && !peek(p).first) {
                struct place place = take_next(p).place;
                if (take_value(p, &port, place, &t))
                        value_parse_port(&p->values, t, &e->port);
        }
}

/* next-hop relay MTA[, MTA…] | maildir PATH */
static void parse_next_hop(struct parser *p, struct next_hop *h)
{
        static const struct option relay = { .name = "next-hop relay" }, maildir = { .name = "next-hop maildir" };
        struct token t;
        if (h->maildir) {
                if (take_value(p, &maildir, h->place, &t))
                        value_parse_path(&p->values, maildir.name, t, &h->path);
                return;
        }
        do {
                struct policy_mta mta;
                if (!take_value(p, &relay, h->place, &t) || !value_parse_mta(&p->values, t, &mta))
                        return;
                if (h->n < EDGE_MTAS_MOST)
                        h->mta[h->n++] = mta;
                else
                        diag_error(p->d, t.place, "next-hop has %d MTAs at most", EDGE_MTAS_MOST);
        } while (peek(p).kind == TOKEN_COMMA && (take_next(p), true));
}

static void parse_values(struct parser *p, const struct option *o, struct place option, void *field)
{
        struct token t;
        if (is_word(peek(p), "=") && !peek(p).first) {
                diag_error(p->d, take_next(p).place, "no \"=\" stands between an option and its value");
                if (!is_text(peek(p)))
                        return;
        }
        if (is_list(o->type)) {
                parse_list(p, o, option, field);
                return;
        }
        if (!take_value(p, o, option, &t))
                return;
        bool good = value_parse(&p->values, o, t, field);
        if (good && o->type == OPTION_EDGE)
                parse_edge(p, field);
        if (good && o->type == OPTION_NEXT_HOP)
                parse_next_hop(p, field);
        if (o->type == OPTION_POINTS && is_word(peek(p), "points") && !peek(p).first)
                take_next(p);
}

static void parse_option(struct parser *p, const struct block *b, const struct option *o, char *object)
{
        struct place option = take_next(p).place;
        struct place *written = (struct place *)(object + o->offset);
        bool repeats = is_list(o->type);
        if (written->line && !repeats) {
                diag_error(p->d, option, "%s is written twice in one %s", o->name, b->name);
                diag_note(p->d, *written, "the first is here");
        }
        struct place first = *written;
        size_t errors = diags_errors(p->d);
        parse_values(p, o, option, object + o->offset);
        if (diags_errors(p->d) != errors)
                ((struct head *)object)->invalid = true;
        if (repeats || !written->line)
                *written = first.line ? first : option;
        struct token t = peek(p);
        if (t.kind == TOKEN_COMMA) {
                diag_error(p->d, t.place, "%s takes one value, not a list", o->name);
                skip_option(p, b);
        }
}

static void reject_unknown_option(struct parser *p, const struct block *b, const struct option *before)
{
        struct slice names[32];
        struct token t = take_next(p);
        bool like_a_value = (t.text.p[0] >= '0' && t.text.p[0] <= '9') || slice_find(t.text, ':') < t.text.n;
        for (size_t i = 0; i < b->n_options; i++)
                names[i] = slice_of(b->options[i].name);
        diag_error(p->d, t.place, "%s has no option \"%.*s\"", b->name, SLICE_ARGS(t.text));
        if (before && is_list(before->type) && like_a_value)
                diag_note(p->d, nowhere, "a comma stands between the values of a list");
        else
                value_suggest(p->d, t.text, names, b->n_options);
        skip_option(p, b);
}

/* ---- blocks ---- */

/* What was not written gets the default of its option, read like any other text; place stays empty. */
static void apply_defaults(struct values *v, const struct block *b, char *object)
{
        for (size_t i = 0; i < b->n_options; i++) {
                const struct option *o = &b->options[i];
                const struct place *written = (const struct place *)(object + o->offset);
                struct token t = { .kind = TOKEN_WORD, .text = slice_of(o->fallback) };
                if (!written->line && o->fallback && !value_parse(v, o, t, object + o->offset))
                        panic("the default of %s %s is wrong: %s", b->name, o->name, o->fallback);
        }
}

static void require_options(struct parser *p, const struct block *b, const char *object)
{
        const struct head *head = (const struct head *)object;
        for (size_t i = 0; i < b->n_options && !head->broken; i++) {
                const struct option *o = &b->options[i];
                if (!o->required || ((const struct place *)(object + o->offset))->line)
                        continue;
                if (b->naming == NAMING_NONE)
                        diag_error(p->d, head->place, "%s needs %s", b->name, o->name);
                else
                        diag_error(p->d, head->place, "%s \"%.*s\" needs %s", b->name, SLICE_ARGS(head->name), o->name);
        }
}

static void *add_object(struct draft *draft, const struct block *b)
{
        struct blocks *list = (struct blocks *)((char *)draft + b->list);
        list->v = xgrow(list->v, &list->cap, list->n + 1, b->size);
        return memset((char *)list->v + list->n++ * b->size, 0, b->size);
}

/* From behind the "{" to the "}". */
static void parse_body(struct parser *p, const struct block *b, struct place open, char *object)
{
        const struct option *o = NULL, *before = NULL;
        for (struct token t = peek(p); t.kind != TOKEN_CLOSE; t = peek(p), before = o) {
                if (t.kind == TOKEN_END || at_block(p)) {
                        diag_error(p->d, t.place, "a \"}\" is missing before %s",
                                   t.kind == TOKEN_END ? kind_of(t) : "this block");
                        diag_note(p->d, open, "this \"{\" is open");
                        return;
                }
                o = t.kind == TOKEN_WORD ? block_option(b, t.text) : NULL;
                if (o)
                        parse_option(p, b, o, object);
                else {
                        ((struct head *)object)->broken = true;
                        if (t.kind == TOKEN_WORD)
                                reject_unknown_option(p, b, before);
                        else {
                                diag_error(p->d, t.place, "an option of %s is expected here, not %s", b->name,
                                           kind_of(t));
                                if (t.kind == TOKEN_OPEN)
                                        skip_braces(p);
                                else
                                        take_next(p);
                                skip_option(p, b);
                        }
                }
        }
        take_next(p);
}

static void check_once(struct parser *p, const struct block *b, struct place place)
{
        const struct blocks *list = (const struct blocks *)((const char *)p->draft + b->list);
        if (b->once && list->n) {
                diag_error(p->d, place, "%s is declared twice", b->name);
                diag_note(p->d, ((const struct head *)list->v)->place, "the first is here");
        }
}

static void parse_block(struct parser *p, const struct block *b)
{
        struct token word = take_next(p), name = word;
        bool named = b->naming != NAMING_NONE, good = true;
        if (named && !is_text(peek(p))) {
                diag_error(p->d, word.place, "%s has no name", b->name);
                good = false;
        } else if (named) {
                name = take_next(p);
                good = value_check_name(&p->values, b, name);
        }
        struct token open = peek(p);
        if (open.kind != TOKEN_OPEN) {
                diag_error(p->d, open.place, "\"{\" is expected here, not %s", kind_of(open));
                skip_statement(p);
                p->draft->unknown_blocks = true;
                return;
        }
        take_next(p);
        check_once(p, b, name.place);
        char *object = add_object(p->draft, b);
        *(struct head *)object = (struct head){ .place = name.place, .name = good && named ? name.text : S("") };
        parse_body(p, b, open.place, object);
        require_options(p, b, object);
        apply_defaults(&p->values, b, object);
}

static void reject_unknown_block(struct parser *p)
{
        struct slice names[32];
        size_t n, all;
        const struct block *blocks = policy_blocks(&all);
        struct token t = take_next(p);
        for (n = 0; n < all; n++)
                names[n] = slice_of(blocks[n].name);
        names[n++] = S("include");
        diag_error(p->d, t.place, "\"%.*s\" is not a block of the policy", SLICE_ARGS(t.text));
        for (n = 0; n < all; n++)
                if (block_option(&blocks[n], t.text)) {
                        diag_note(p->d, nowhere, "%.*s is an option of %s and stands inside its braces",
                                  SLICE_ARGS(t.text), blocks[n].name);
                        break;
                }
        if (n == all)
                value_suggest(p->d, t.text, names, all + 1);
        skip_statement(p);
        p->draft->unknown_blocks = true;
}

static void parse_file(struct files *files, struct draft *draft, uint32_t source, unsigned depth);

static void parse_include(struct parser *p)
{
        struct token word = take_next(p), name = peek(p);
        uint32_t source;
        if (!is_text(name) || name.first) {
                diag_error(p->d, word.place, "include needs the name of a file");
                return;
        }
        take_next(p);
        if (p->depth >= INCLUDE_DEPTH_MOST)
                diag_error(p->d, name.place, "files include files %d deep at most", INCLUDE_DEPTH_MOST);
        else if (files_include(p->files, name, &source))
                parse_file(p->files, p->draft, source, p->depth + 1);
        else
                p->draft->unknown_blocks = true;
}

static void parse_file(struct files *files, struct draft *draft, uint32_t source, unsigned depth)
{
        struct parser p = { .files = files, .draft = draft, .d = files->d, .depth = depth };
        p.values = (struct values){ .d = files->d, .arena = draft->arena };
        lexer_init(&p.lexer, files->d, source);
        for (struct token t = peek(&p); t.kind != TOKEN_END; t = peek(&p)) {
                const struct block *b = t.kind == TOKEN_WORD ? policy_block(t.text) : NULL;
                if (b)
                        parse_block(&p, b);
                else if (is_word(t, "include"))
                        parse_include(&p);
                else if (t.kind == TOKEN_WORD)
                        reject_unknown_block(&p);
                else {
                        diag_error(p.d, t.place, "a block is expected here, not %s", kind_of(t));
                        if (t.kind == TOKEN_OPEN)
                                skip_braces(&p);
                        else
                                take_next(&p);
                }
        }
}

/* A block that may stand once and does not stand at all is as if it stood empty. */
static void add_absent_blocks(struct values *v, struct draft *draft)
{
        size_t n;
        const struct block *blocks = policy_blocks(&n);
        for (size_t i = 0; i < n; i++) {
                const struct blocks *list = (const struct blocks *)((const char *)draft + blocks[i].list);
                if (blocks[i].once && list->n == 0)
                        apply_defaults(v, &blocks[i], add_object(draft, &blocks[i]));
        }
}

void policy_draft(const struct policy_input *in, struct diags *d, struct draft *ret)
{
        struct files files;
        struct values values = { .d = d, .arena = ret->arena };
        if (files_init(&files, in, d, ret->arena))
                parse_file(&files, ret, files.main, 0);
        else
                ret->unknown_blocks = true;
        add_absent_blocks(&values, ret);
        files_done(&files);
}

void policy_draft_done(struct draft *draft)
{
        size_t n;
        const struct block *blocks = policy_blocks(&n);
        for (size_t i = 0; i < n; i++)
                free(((struct blocks *)((char *)draft + blocks[i].list))->v);
}
