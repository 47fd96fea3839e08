/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/quality.h"
#include "auth/password.h"
#include "base/file.h"

#include <errno.h>
#include <pwquality.h>

enum { FILE_MOST = 1 << 20, PART_LEAST = 3, FOLDED_MOST = PASSWORD_CHECK_MOST };

struct words {
        struct arena *arena;
        struct slice *all; /* folded */
        size_t n, cap;
};

#define FAULT_KEY(id, key, words) key,
#define FAULT_WORDS(id, key, words) words,

const char *password_fault_key(enum password_fault f)
{
        static const char *const keys[] = { PASSWORD_FAULTS(FAULT_KEY) };
        return keys[f];
}

const char *password_fault_words(enum password_fault f)
{
        static const char *const words[] = { PASSWORD_FAULTS(FAULT_WORDS) };
        return words[f];
}

/* --- folding: small letters without accents, and the letter a digit or sign is written for --- */

/* The second byte of U+00C0 to U+00FF, after 0xC3: its letter without the accent; a blank where it has none. */
static const char latin[] = "aaaaaaaceeeeiiiidnooooo ouuuuy saaaaaaaceeeeiiiidnooooo ouuuuy y";

static char fold_ascii(char c)
{
        static const char from[] = "0134578@$!|+", to[] = "oieastbasilt";
        if (c >= 'A' && c <= 'Z')
                return (char)(c | 0x20);
        const char *at = c ? strchr(from, c) : NULL;
        return at ? to[at - from] : c;
}

/* Appends at most FOLDED_MOST bytes; `digits`, where given, says which of them were digits. */
static size_t fold(struct slice s, char out[FOLDED_MOST], bool digits[FOLDED_MOST])
{
        size_t n = 0;
        for (size_t i = 0; i < s.n && n < FOLDED_MOST; i++) {
                unsigned char c = (unsigned char)s.p[i], next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;
                bool accented = c == 0xC3 && next >= 0x80 && next < 0xC0 && latin[next - 0x80] != ' ';
                if (digits)
                        digits[n] = c >= '0' && c <= '9';
                out[n++] = accented ? latin[next - 0x80] : fold_ascii((char)c);
                i += accented;
        }
        return n;
}

static struct slice fold_into(struct arena *a, struct slice s)
{
        char out[FOLDED_MOST];
        size_t n = fold(s, out, NULL);
        return arena_dup(a, (struct slice){ out, n });
}

/* --- the list --- */

size_t words_count(const struct words *w)
{
        return w->n;
}

static int longest_first(const void *a, const void *b)
{
        const struct slice *x = a, *y = b;
        return x->n != y->n ? (x->n < y->n ? 1 : -1) : slice_cmp(*x, *y);
}

static bool add_line(struct words *w, struct slice line)
{
        line = slice_trim(line);
        if (line.n == 0 || line.p[0] == '#')
                return true;
        for (size_t i = 0; i < line.n; i++)
                if (line.p[i] <= ' ' || line.p[i] == 0x7f)
                        return false;
        if (line.n < PART_LEAST || line.n > WORD_MOST || w->n == WORDS_MOST)
                return false;
        w->all = arena_grow(w->arena, w->all, &w->cap, w->n + 1, sizeof *w->all);
        w->all[w->n++] = fold_into(w->arena, line);
        return true;
}

int words_load(const char *path, struct words **ret, size_t *line)
{
        autobuf text;
        buf_init(&text, FILE_MOST);
        *line = 0;
        int status = file_read(path, &text);
        if (status < 0)
                return status;
        struct words *w = xcalloc(1, sizeof *w);
        w->arena = arena_new(16 << 20);
        struct slice rest = buf_slice(&text);
        while (status == 0 && rest.p) {
                ++*line;
                if (!add_line(w, slice_cut(rest, '\n', &rest)))
                        status = -EBADMSG;
        }
        if (status < 0) {
                words_free(w);
                return status;
        }
        if (w->n)
                qsort(w->all, w->n, sizeof *w->all, longest_first);
        *ret = w;
        return 0;
}

void words_free(struct words *w)
{
        if (!w)
                return;
        arena_free(w->arena);
        free(w);
}

void words_free_(struct words **w)
{
        words_free(*w);
}

/* --- what is left without them --- */

struct guess {
        char text[FOLDED_MOST];
        bool digit[FOLDED_MOST];
        bool taken[FOLDED_MOST];
        size_t n, words;
};

static bool stands_at(const struct guess *g, size_t at, struct slice word, bool backwards)
{
        for (size_t i = 0; i < word.n; i++)
                if (g->taken[at + i] || g->text[at + i] != word.p[backwards ? word.n - 1 - i : i])
                        return false;
        return true;
}

/* Takes the word out wherever it stands, forwards or backwards. */
static bool take_out(struct guess *g, struct slice word)
{
        bool any = false;
        for (size_t at = 0; word.n >= PART_LEAST && at + word.n <= g->n; at++) {
                if (!stands_at(g, at, word, false) && !stands_at(g, at, word, true))
                        continue;
                memset(g->taken + at, true, word.n);
                g->words++;
                any = true;
        }
        return any;
}

/* Twice the points: each letter or sign 2, each digit 1, each word 2; what comes again counts once. */
static size_t doubled_points(const struct guess *g)
{
        bool seen[256] = { false };
        size_t points = 2 * g->words;
        for (size_t i = 0; i < g->n; i++) {
                if (g->taken[i])
                        continue;
                unsigned char c = (unsigned char)g->text[i];
                points += g->digit[i] ? 1 : seen[c] ? 1 : 2;
                seen[c] = true;
        }
        return points;
}

/* The word in the password, or the password within the word. */
static bool take_whole(struct guess *g, struct slice whole)
{
        char folded[FOLDED_MOST];
        struct slice all = { folded, fold(whole, folded, NULL) };
        bool any = take_out(g, all);
        for (size_t at = 0; g->n >= PART_LEAST && at + g->n <= all.n; at++)
                if (memcmp(all.p + at, g->text, g->n) == 0) {
                        memset(g->taken, true, g->n);
                        any = true;
                }
        return any;
}

/* And its parts between dots, blanks, digits and the like. */
static bool take_parts(struct guess *g, struct slice whole)
{
        bool any = take_whole(g, whole);
        if (whole.n == 0)
                return any;
        for (size_t start = 0, i = 0; i <= whole.n; i++) {
                unsigned char c = i < whole.n ? (unsigned char)whole.p[i] : ' ';
                if (c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
                        continue;
                char folded[FOLDED_MOST];
                size_t n = fold((struct slice){ whole.p + start, i - start }, folded, NULL);
                any = take_out(g, (struct slice){ folded, n }) || any;
                start = i + 1;
        }
        return any;
}

static void take_listed(struct guess *g, const struct words *w)
{
        for (size_t i = 0; w && i < w->n; i++)
                take_out(g, w->all[i]);
}

/* What is taken out first may break what comes after: of "internet" at example.net, "net" leaves five letters. So it is weighed in both orders. */
static enum password_fault weighed(const struct words *w, struct slice password, const struct password_owner *owner,
                                   bool listed_first)
{
        struct guess g = { .n = 0 };
        struct slice domain, local = slice_cut(owner->login, '@', &domain);
        g.n = fold(password, g.text, g.digit);
        if (listed_first)
                take_listed(&g, w);
        bool whole = take_whole(&g, owner->login), own = take_parts(&g, local) || whole;
        bool name = take_parts(&g, owner->name), place = take_parts(&g, domain);
        if (!listed_first)
                take_listed(&g, w);
        bool weak = doubled_points(&g) < 2 * POINTS_LEAST;
        enum password_fault fault = !weak     ? FAULT_NONE
                                    : own     ? FAULT_LOGIN
                                    : name    ? FAULT_NAME
                                    : place   ? FAULT_DOMAIN
                                    : g.words ? FAULT_WORD
                                              : FAULT_SIMPLE;
        explicit_bzero(&g, sizeof g);
        return fault;
}

static enum password_fault guessed(const struct words *w, struct slice password, const struct password_owner *owner)
{
        enum password_fault fault = weighed(w, password, owner, false);
        return fault ? fault : weighed(w, password, owner, true);
}

static enum password_fault patterned(struct slice password)
{
        pwquality_settings_t *settings = pwquality_default_settings();
        char typed[PASSWORD_MOST + 1];
        void *detail = NULL;
        if (!settings)
                panic("out of memory (pwquality)");
        memcpy(typed, password.p, password.n);
        typed[password.n] = '\0';
        pwquality_set_int_value(settings, PWQ_SETTING_DICT_CHECK, 0);
        pwquality_set_int_value(settings, PWQ_SETTING_USER_CHECK, 0);
        pwquality_set_int_value(settings, PWQ_SETTING_MIN_LENGTH, 6);
        pwquality_set_int_value(settings, PWQ_SETTING_MAX_REPEAT, 3);
        pwquality_set_int_value(settings, PWQ_SETTING_MAX_SEQUENCE, 4);
        int score = pwquality_check(settings, typed, NULL, NULL, &detail);
        if (score == PWQ_ERROR_MEM_ALLOC)
                panic("out of memory (pwquality)");
        pwquality_free_settings(settings);
        explicit_bzero(typed, sizeof typed);
        return score < 0 ? FAULT_PATTERN : FAULT_NONE;
}

/* What a person counts: not the bytes that continue one. */
static size_t characters(struct slice s)
{
        size_t n = 0;
        for (size_t i = 0; i < s.n; i++)
                n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
        return n;
}

enum password_fault password_weak(const struct words *w, struct slice password, const struct password_owner *owner)
{
        if (password.n > PASSWORD_MOST)
                return FAULT_LONG;
        for (size_t i = 0; i < password.n; i++)
                if ((unsigned char)password.p[i] < ' ' || password.p[i] == 0x7f)
                        return FAULT_CONTROL;
        if (characters(password) < PASSWORD_LEAST)
                return FAULT_SHORT;
        enum password_fault fault = guessed(w, password, owner);
        return fault ? fault : patterned(password);
}
