/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/host.h - the duty `edge`: opens what its workers may not, starts them, and starts them anew.
 *
 *     listening sockets, certificates, counts ──► setup ──► porteiro-edge × n
 *
 * A new generation, or a certificate file that changed, gives new workers; the former ones stop accepting, finish their conversations and
 * end. The sockets stay open all the while, so nobody is turned away. What needs other sockets or folders ends the duty, and who
 * started it starts it again.
 * Owns:    the sockets, the shared table of counts, the workers.
 * Threads: one.
 * Limits:  HOST_WORKERS_MOST processes, those that drain counted in. Counts are lost when the duty ends, not when a worker does. */
#pragma once

#include "policy/policy.h"

enum { HOST_WORKERS_MOST = 128 };

enum host_news { HOST_SAME, HOST_NEW_POLICY, HOST_OTHER_SOCKETS };

struct host_options {
        const char *dir;
        uint8_t sketch_key[16];
        bool deadly; /* a system call off the list ends a worker */
        const struct policy *(*policy)(void);
        struct slice (*text)(void); /* of that generation */
        enum host_news (*news)(void);
        /* `folders` may be read, `programs` executed, from then on; ends the process where that fails. */
        void (*lock_in)(const char *const *folders, size_t n, const char *program);
};

/* What of a policy needs other sockets or folders, as text. */
void host_wants(const struct policy *p, struct buf *out);
/* Until SIGTERM, or HOST_OTHER_SOCKETS. An exit status. */
int host_run(const struct host_options *o);
