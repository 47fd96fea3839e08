/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth/nursery.h - a process that does nothing but fork checkers of passwords.
 *
 * A process of its own versus forks of the duty: SQLite's locks belong to the process, and what it remembers of them must not be copied by
 * a fork; and who reads what edges send shall not be able to fork. So this one is forked first, before anything is open, reads the list of
 * weak words, locks itself in, and from then on gives each descriptor that it is sent to a new checker. One that dies is replaced, with
 * nothing else lost.
 * Owns:    the word list; shared with the checkers as long as nobody writes to it, and nobody does.
 * Threads: one. It ends, and all checkers with it, when the duty does.
 * Limits:  none of its own: how many there are is the duty's to say. */
#pragma once

#include "base/buf.h"

struct nursery_options {
        const char *dir;
        const char *words; /* path of the list of weak words; NULL: what it would have found is not found */
        void (*lock_in)(
            void); /* called in the nursery, may fork afterwards and ends the process where it cannot; may be NULL */
};

/* Before any ledger is open in this process. 0 and the socket that nursery_ask() wants, or -errno. No core is dumped of this process or the
 * others from here on. */
int nursery_start(const struct nursery_options *o, int *ret);
/* A socket to a new checker (auth/checker.h): 0, or -errno (-EPIPE: the nursery is gone). */
int nursery_ask(int nursery, int *ret);
