/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/asker.h - questions to the duty `auth`, without waiting: is this the password, is this domain ours.
 *
 * An answer always comes: where the duty is away, overloaded or late it is ASKER_UNAVAILABLE, which is never a no. Good logins are
 * remembered for ASKER_KEEP under a keyed hash, so that a program that opens ten connections costs one check; wrong ones never.
 * Owns:    its connection, what is asked, and what is remembered; an answer's account is the caller's.
 * Threads: one loop.
 * Limits:  ASKER_MOST questions at once; ASKER_REMEMBERS logins and domains; ASKER_PATIENCE for an answer. */
#pragma once

#include "base/loop.h"
#include "base/slice.h"
#include "base/time.h"

enum { ASKER_MOST = 512, ASKER_REMEMBERS = 2048 };
#define ASKER_KEEP (30 * SECOND)
#define ASKER_PATIENCE (12 * SECOND)

enum asker_answer { ASKER_NO, ASKER_YES, ASKER_UNAVAILABLE };

/* Who logged in; one block of memory, freed with free(). */
struct account {
        int64_t mailbox;
        int64_t seen; /* when it was heard last that he may send (monotonic); 0: at the login alone */
        struct slice address, subscriber;
        bool suspended, senders_cut; /* senders_cut: there are more addresses than are told */
        struct slice weak;           /* why the password is easy to guess; empty where it is not */
        int64_t messages_hour, messages_day, recipients_hour, recipients_day; /* or LIMIT_NONE */
        struct slice *senders;                                                /* his own first (auth/wire.h) */
        size_t n_senders;
};
struct account *account_copy(const struct account *a);
bool account_may_write_as(const struct account *a, struct slice address);

struct asker;
struct question;

struct asker *asker_new(struct loop *l, const char *socket, const uint8_t key[16]);
void asker_free(struct asker *a);
void asker_keep(struct asker *a, int64_t us); /* instead of ASKER_KEEP */

/* The account is NULL but for a yes, and then the caller's. An answer that is known already is told before this returns NULL. */
typedef void asker_told(void *arg, enum asker_answer answer, struct account *account);
struct question *asker_check(struct asker *a, struct slice login, struct slice password, asker_told *told, void *arg);
struct question *asker_domain(struct asker *a, struct slice domain, asker_told *told, void *arg);
/* Whether who logged in before may still send: his mailbox is there, and nobody suspended it. Never remembered. */
struct question *asker_sending(struct asker *a, const struct account *account, asker_told *told, void *arg);
/* The one who asked is gone: nothing is told any more. */
void asker_forget(struct question *q);
