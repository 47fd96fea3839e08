/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/maildir.h - messages into Maildirs, so that whatever was acknowledged is on disk.
 *
 *     MAILDIR/tmp/NAME                           a message while it arrives: one file, whoever it is for
 *     MAILDIR/42/10442/Maildir/{tmp,new,cur}     the mailbox with the number 10442 (maildir_folder())
 *     MAILDIR/lock                               held while somebody delivers here: what stands in tmp/ at the start is of the dead
 *
 * The order of maildir_commit(): fsync of the file; for each mailbox a hard link in its new/; fsync of each new/, and of all folders above
 * that we were the first to use; then only 0. Killed at any moment before, the sender was told nothing and sends again.
 *
 * THE MAILBOX'S NUMBER VERSUS ITS ADDRESS in the path. The number is never given again, so nobody who gets an address reads the mail of
 * who had it before; it is the folder that mail.db tells Postfix and Dovecot, so either may take over from us; and no byte that a stranger
 * sends gets into a path.
 *
 * ONE FILE FOR ALL RECIPIENTS VERSUS ONE EACH with Delivered-To. A message to a hundred mailboxes is written and flushed once, and the
 * file tells no recipient of the others. So on top stands Return-Path alone, which is the same for all. CRLF becomes LF: that is what
 * Maildirs hold.
 *
 * A COPY VERSUS A REFUSAL where no hard link is possible (another file system, or one without links; a Landlock before Linux 5.19): it is
 * copied to new/.NAME and renamed there. Readers pass over names with a dot in front.
 * Owns:    MAILDIR, by its lock; a message's descriptor and buffer until it is committed or dropped.
 * Threads: one. fsync() waits for the disk.
 * Limits:  MAILDIR_PIECE bytes of a message are kept in memory. Every function returns 0 or -errno. */
#pragma once

#include "base/buf.h"
#include "base/map.h"

enum {
        MAILDIR_FOLDER_MAX = 64,
        MAILDIR_NAME_MAX = 224,
        MAILDIR_PIECE = 32 << 10,
        MAILDIR_OLD_HOURS = 36, /* what was not finished by then never will be (maildir(5)) */
};

/* For tests: asked before each system call that changes something, by the call's name; not 0: it fails with this errno. */
struct maildir_hook {
        int (*before)(void *arg, const char *call);
        void *arg;
};

struct maildir {
        int root, lock;
        uint64_t count;   /* messages begun */
        struct map boxes; /* those used since the start, by number */
        char host[64];    /* in names */
        struct maildir_hook hook;
};

/* Makes the folder where it is missing, not those above it; takes its lock; removes what the last one left in tmp/. */
int maildir_open(struct maildir *m, const char *path, const struct maildir_hook *hook, struct buf *why);
void maildir_done(struct maildir *m); /* after all messages; a struct of zeros with root and lock -1 is fine */

/* "42/10442/Maildir", as ledger/mail_export.c prints it. */
const char *maildir_folder(int64_t number, char out[MAILDIR_FOLDER_MAX]);

struct maildir_message;
int maildir_begin(struct maildir *m, int64_t now, struct maildir_message **ret);
/* Text with CRLF at the ends of lines, in any pieces. */
int maildir_write(struct maildir_message *w, struct slice text);
/* Into all of these mailboxes, or, as far as the file system lets us take back, into none. Each number once. */
int maildir_commit(struct maildir_message *w, const int64_t *numbers, size_t n);
uint64_t maildir_size(const struct maildir_message *w);    /* of the file */
const char *maildir_name(const struct maildir_message *w); /* as it is in new/ after the commit */
/* Ends it, after a commit or instead of one: what is still in tmp/ goes. NULL is fine. */
void maildir_drop(struct maildir_message *w);
