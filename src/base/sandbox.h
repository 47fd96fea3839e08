/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/sandbox.h - a process gives up what it does not need, in two steps.
 *
 * sandbox_become() first: another user, few capabilities, while files and sockets are still to be opened.
 * sandbox_lock() last: no capability but those kept for good, no_new_privs, Landlock over the file system, and a
 * seccomp list of system calls.
 * Owns:    nothing; what is given up is gone for the life of the process and of its children.
 * Threads: only while one thread runs.
 * Limits:  Landlock as far as the kernel knows it (none before 5.13): sandbox_lock() says how far. Seccomp and
 *          capabilities are required: without them it fails.
 *
 * Errno versus death: a call off the list gets EPERM (clone3: ENOSYS, so that libc falls back on clone, whose flags a
 * filter can see), and the kernel's audit log gets a line. Where `deadly` is set the process dies instead: our tests
 * use it, so that no call is missing from a list unnoticed; operators get the error, because a libc newer than our list
 * must not end a duty. */
#pragma once

#include "base/buf.h"

/* What may be done beneath a path. */
enum {
        SANDBOX_READ = 1,
        SANDBOX_WRITE = 2, /* also make, rename and remove what is in it */
        SANDBOX_EXECUTE = 4
};

/* Groups of system calls on top of what every process here needs: memory, time, reading files, AF_UNIX, an event loop.
 */
enum {
        SANDBOX_FILES = 1, /* make, link, rename, remove, sync, chmod */
        SANDBOX_SERVE = 2, /* bind, listen, accept */
        SANDBOX_NETLINK = 4,
        SANDBOX_CHILDREN =
            8, /* fork, execve, kill, wait, and what a program needs to start: memory that may be executed */
        SANDBOX_ACCEPT = 16,  /* on a socket that listens already */
        SANDBOX_FORK = 32,    /* another of the same program, locked in as this one is; nobody need wait for it */
        SANDBOX_NET = 64,     /* sockets of IPv4 and IPv6, and TCP to anywhere */
        SANDBOX_WATCH = 256,  /* inotify: to hear of files that change */
        SANDBOX_CONFINE = 128 /* children may lock themselves in further (base/confine.h) */
};

struct sandbox_path {
        const char *path; /* NULL: the state folder */
        unsigned rights;
};

struct sandbox {
        uint64_t keep;  /* capabilities for good, 1 << CAP_…; children started get them too */
        uint64_t first; /* capabilities until sandbox_lock() */
        unsigned calls;
        const char *also;                 /* one more group where it exists; NULL: none */
        const struct sandbox_path *paths; /* one that is not there is passed over */
        size_t n_paths;
        bool deadly;
};

/* Becomes `user` (NULL: nobody else) with `group` (and `also`) as its only one, and keeps keep|first of the capabilities it has. 0: done; 1: one of
 * the two names does not exist, or we are not root: the same user as before, but capabilities were given up; -errno:
 * `why` says what. */
int sandbox_become(const struct sandbox *s, const char *user, const char *group, struct buf *why);
/* 0, and *landlock the version in use (0: this kernel has none); -errno: `why` says what, and the caller must end. */
int sandbox_lock(const struct sandbox *s, const char *state, int *landlock, struct buf *why);
