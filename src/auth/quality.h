/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth/quality.h - whether a password is too easy to guess, and why.
 *
 * What guessers try first: what stands in the word list (share/porteiro/weak-words: Portuguese, English, football, keyboards), the
 * login, the customer's name and his domain, all of them also backwards and with 4 for a and 0 for o, and any of it with a year behind.
 * What is left of the password without those must be worth POINTS_LEAST: a digit counts half, since years and dates are digits. Then
 * libpwquality says what it thinks of repeats, sequences and palindromes; its dictionary is not asked, for the answer shall be the same
 * on every machine.
 * Owns:    the word list.
 * Threads: one at a time.
 * Limits:  WORDS_MOST words of 3 to WORD_MOST letters. */
#pragma once

#include "base/arena.h"

#define PASSWORD_FAULTS(X)                                                                                             \
        X(NONE, "none", "nothing is wrong with it")                                                                    \
        X(SHORT, "short", "it is shorter than 8 characters")                                                           \
        X(LONG, "long", "it is longer than 128 bytes")                                                                 \
        X(CONTROL, "control", "it has a control character, which many programs cannot send")                           \
        X(LOGIN, "login", "it is made of the login")                                                                   \
        X(NAME, "name", "it is made of the customer's name")                                                           \
        X(DOMAIN, "domain", "it is made of the domain's name")                                                         \
        X(WORD, "word", "it is made of words that are guessed first")                                                  \
        X(SIMPLE, "simple", "it has too few different letters, or is nearly all digits")                               \
        X(PATTERN, "pattern", "it repeats itself, counts up, or reads the same backwards")
#define PASSWORD_FAULT_ENUM(id, key, words) FAULT_##id,
enum password_fault { PASSWORD_FAULTS(PASSWORD_FAULT_ENUM) FAULT_COUNT };
const char *password_fault_key(enum password_fault f);   /* of the texts for customers: texts/password.LANGUAGE */
const char *password_fault_words(enum password_fault f); /* for operators */

enum { WORDS_MOST = 20000, WORD_MOST = 64, POINTS_LEAST = 6 };

struct words;
/* One word a line, # begins a comment. 0; -errno; -EBADMSG where a line is no word (*line says which). */
int words_load(const char *path, struct words **ret, size_t *line);
void words_free(struct words *w);
void words_free_(struct words **w);
#define autowords CLEANUP(words_free_) struct words
size_t words_count(const struct words *w);

struct password_owner {
        struct slice login; /* "joao.silva@example.net" */
        struct slice name;  /* the customer's, may be empty */
};
/* words may be NULL: what it would have found is not found. */
enum password_fault password_weak(const struct words *w, struct slice password, const struct password_owner *owner);
