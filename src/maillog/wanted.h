/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/wanted.h - what can be searched for in mail logs, and whether an event has it.
 *
 * One table of fields serves the search of lines, the stories and the index: they cannot disagree. A field is compared as a whole, and
 * only where the server itself writes it: an address that stands in HELO, in a reply or in a Subject is none.
 *
 *     joe@example.net       who sent it, who gets it, or who logged in; letters may be large or small
 *     4WyJ3k0ZzGz1t, 46E0BAB8E5      a queue id
 *     <20261128.1@example.net>       a message-id
 *     192.0.2.1, ::ffff:192.0.2.1, 2001:db8::1   who connected
 *     login:joe             who logged in, where the name is no address
 *
 * "address:", "id:", "message-id:" and "client:" in front say what it is, as "login:" does.
 * Owns:    nothing; slices point into what was given.
 * Threads: pure functions.
 * Limits:  WANTED_MOST together. An IPv6 address is looked for as it is written canonically (RFC 5952). */
#pragma once

#include "base/prefix.h"
#include "maillog/event.h"

enum { WANTED_MOST = 16, WANTED_FIELDS = 8 };

#define WANTED_KINDS(X)                                                                                                \
        X(ADDRESS, "address")                                                                                          \
        X(ID, "id")                                                                                                    \
        X(MESSAGE_ID, "message-id")                                                                                    \
        X(CLIENT, "client")                                                                                            \
        X(LOGIN, "login")

#define WANTED_ENUM(id, name) WANTED_##id,
enum wanted_kind { WANTED_KINDS(WANTED_ENUM) WANTED_KINDS_ALL };

struct wanted {
        enum wanted_kind kind;
        struct slice text;  /* empty for a field that is a client */
        struct addr client; /* of CLIENT */
};

const char *wanted_kind_name(enum wanted_kind kind);
/* False: it has none of the forms. */
bool wanted_parse(struct slice given, struct wanted *ret);
/* What a line that has it must contain, whatever the case of its letters. */
struct slice wanted_literal(const struct wanted *w, char room[ADDR_TEXT_MAX]);
/* All of an event that can be searched for; how many. */
size_t wanted_fields(const struct mail_event *e, struct wanted ret[WANTED_FIELDS]);
/* Bit i: w[i] is there. */
uint32_t wanted_in(const struct wanted *w, size_t n, const struct mail_event *e);
/* Equal for a field and for what finds it, under a key of the caller's. */
uint64_t wanted_hash(const uint8_t key[16], const struct wanted *w);
