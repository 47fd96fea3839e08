/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/setup.h - all that a worker of the edge is given at its start: it opens nothing and looks nothing up.
 *
 * The host writes it into a sealed memory file, whose descriptor is the worker's one argument; the listening sockets, the table of counts
 * and the host's end of the control socket are descriptors that it names.
 * Owns:    struct setup owns what it was read into; setup_done() wipes the keys.
 * Threads: one.
 * Limits:  SETUP_MOST bytes; SETUP_LISTENERS_MOST sockets. */
#pragma once

#include "base/buf.h"

enum { SETUP_MOST = 64 << 20, SETUP_LISTENERS_MOST = 64, SETUP_CERTIFICATES_MOST = 256 };

#define EDGE_ROLES(X) X(SUBMISSION, "submission") X(DIVERT, "divert") X(TRAP, "trap") X(LEGACY, "legacy")
#define EDGE_ROLE_ENUM(id, name) EDGE_##id,
enum edge_role { EDGE_ROLES(EDGE_ROLE_ENUM) EDGE_ROLE_COUNT };
const char *edge_role_name(enum edge_role r);

struct setup_listener {
        int fd;
        enum edge_role role;
        bool tls;      /* at once (465) */
        size_t legacy; /* index in the policy, of role legacy */
};

struct setup_certificate {
        struct slice name, chain, key; /* PEM */
};

struct setup {
        struct slice policy; /* the generation's text */
        struct slice keeper_socket, auth_socket, deliver_socket;
        struct slice sketch_key; /* 16 bytes */
        struct slice filter;     /* of system calls (base/seccomp.h) */
        int control, counts;     /* the host; the shared table of guard/window.h, -1: none */
        size_t counts_bytes;
        int64_t worker, workers; /* this one's number, from 0; how many there are */
        struct setup_listener listeners[SETUP_LISTENERS_MOST];
        size_t n_listeners;
        struct setup_certificate *certificates;
        size_t n_certificates;
        struct buf text; /* what the slices point into */
};

void setup_put(const struct setup *s, struct buf *out);
/* Takes the bytes over. False: they are no setup. */
bool setup_get(struct buf *text, struct setup *ret);
void setup_done(struct setup *s);
