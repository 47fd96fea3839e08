/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/test_support.h - what the tests of this room share: a folder of its own for each test, and short ways to say things.
 *
 * Owns:    the folder, from a_ledger_new() to a_ledger_free().
 * Threads: one.
 * Limits:  for *_test.c only. */
#pragma once

#include "base/time.h"
#include "ledger/client.h"
#include "ledger/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>

struct a_ledger {
        char dir[64];
        struct client *client; /* in process: the keeper for its moment */
        struct ledger *reader;
        struct arena *arena;
};

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)st, (void)kind, (void)at;
        return remove(path);
}

static inline int a_folder_new(void **state)
{
        struct a_ledger *t = xcalloc(1, sizeof *t);
        snprintf(t->dir, sizeof t->dir, "/tmp/porteiro-ledger-XXXXXX");
        if (!mkdtemp(t->dir))
                return -1;
        t->arena = arena_new(256 << 20);
        *state = t;
        return 0;
}

static inline int a_ledger_new(void **state)
{
        autobuf why;
        buf_init(&why, 8192);
        if (a_folder_new(state))
                return -1;
        struct a_ledger *t = *state;
        if (client_open(t->dir, &t->client, &why) || ledger_open_why(t->dir, &t->reader, &why)) {
                fprintf(stderr, "%s\n", buf_cstr(&why));
                return -1;
        }
        return 0;
}

static inline int a_ledger_free(void **state)
{
        struct a_ledger *t = *state;
        ledger_close(t->reader);
        client_close(t->client);
        arena_free(t->arena);
        nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(t);
        return 0;
}

static inline struct prefix prefix_at(const char *text)
{
        struct prefix p;
        if (prefix_parse(slice_of(text), &p) != PREFIX_OK)
                panic("test: %s is no prefix", text);
        return p;
}

#define assert_slice(got, want) assert_slice_at(got, want, __FILE__, __LINE__)
static inline void assert_slice_at(struct slice got, const char *want, const char *file, int line)
{
        if (!slice_eq(got, slice_of(want)))
                print_error("got \"%.*s\", want \"%s\"\n", SLICE_ARGS(got), want);
        _assert_true(slice_eq(got, slice_of(want)), "same text", file, line);
}

/* The answer of a call: yes, or no with these words in its reason. */
#define assert_yes(t, call) assert_answer((t)->client, call, 0, "", __FILE__, __LINE__)
#define assert_no(t, call, words) assert_answer((t)->client, call, 1, words, __FILE__, __LINE__)
static inline void assert_answer(const struct client *c, int answer, int want, const char *words, const char *file,
                                 int line)
{
        if (answer != want || !strstr(client_reason(c), words))
                print_error("answer %d \"%s\", want %d \"%s\"\n", answer, client_reason(c), want, words);
        _assert_true(answer == want && strstr(client_reason(c), words), "the answer", file, line);
}

/* A subscriber with one line user:ID and, where given, one fixed address. */
static inline int subscribe(struct a_ledger *t, const char *id, const char *address)
{
        struct line line = { S("user"), slice_of(id) };
        struct prefix prefix;
        struct subscriber_change c = { .value = { .id = slice_of(id), .port25 = STRATEGY_NONE },
                                       .add_lines = &line,
                                       .n_add_lines = 1 };
        if (address) {
                prefix = prefix_at(address);
                c.add_addresses = &prefix;
                c.n_add_addresses = 1;
        }
        return client_subscriber(t->client, &c, SUBSCRIBER_ADD);
}

static inline int lease(struct a_ledger *t, const char *prefix, const char *user, int64_t start, int64_t end)
{
        struct lease l = { .prefix = prefix_at(prefix),
                           .start = start,
                           .end = end,
                           .line = { S("user"), slice_of(user) },
                           .source = S("radius") };
        return client_lease_add(t->client, &l);
}

/* What no verb would do: an alias leads to this alone. */
static inline int force_target(struct a_ledger *t, int64_t alias, const char *to)
{
        autoledger *l = NULL;
        char path[128];
        snprintf(path, sizeof path, "%s/ledger.db", t->dir);
        int status = db_open(path, DB_WRITE, &l);
        struct statement *s = db_prepare(l, "UPDATE target SET address = ? WHERE kind = 'alias' AND number = ?");
        db_text(s, slice_of(to));
        db_int(s, alias);
        return status < 0 ? status : db_run(s);
}
