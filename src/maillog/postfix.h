/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/postfix.h - what a daemon of Postfix 2.x to 3.x says in one line, as an event with fields.
 *
 * Field-wise and anchored: each form is read from its start, or from an end that only Postfix writes. Text that a stranger chose (HELO,
 * sender, recipient, login, a remote reply, the Subject) is a field's value and never looked into for another field. Where such text
 * makes a line that could be read in two ways, the event is `odd`: what it is and who the client was still hold (they stand
 * before all such text), its other fields are left empty and no category follows from it.
 * Owns:    nothing; slices point into the line.
 * Threads: pure functions.
 * Limits:  a login in a refusal is not read: HELO stands before it and can look like it. A refusal by header or body checks has no
 *          client: the Subject stands before that. The queue id leads to it. */
#pragma once

#include "base/slice.h"

#define POSTFIX_DAEMONS(X)                                                                                             \
        X(SMTPD, "smtpd")                                                                                              \
        X(CLEANUP, "cleanup")                                                                                          \
        X(QMGR, "qmgr")                                                                                                \
        X(OQMGR, "oqmgr")                                                                                              \
        X(NQMGR, "nqmgr")                                                                                              \
        X(SMTP, "smtp")                                                                                                \
        X(LMTP, "lmtp")                                                                                                \
        X(LOCAL, "local")                                                                                              \
        X(VIRTUAL, "virtual")                                                                                          \
        X(PIPE, "pipe")                                                                                                \
        X(ERROR, "error")                                                                                              \
        X(RETRY, "retry")                                                                                              \
        X(DISCARD, "discard")                                                                                          \
        X(BOUNCE, "bounce")                                                                                            \
        X(DEFER, "defer")                                                                                              \
        X(TRACE, "trace")                                                                                              \
        X(PICKUP, "pickup")                                                                                            \
        X(POSTSCREEN, "postscreen")                                                                                    \
        X(DNSBLOG, "dnsblog")                                                                                          \
        X(TLSPROXY, "tlsproxy")                                                                                        \
        X(ANVIL, "anvil")                                                                                              \
        X(VERIFY, "verify")                                                                                            \
        X(SCACHE, "scache")                                                                                            \
        X(PROXYMAP, "proxymap")                                                                                        \
        X(PROXYWRITE, "proxywrite")                                                                                    \
        X(REWRITE, "trivial-rewrite")                                                                                  \
        X(TLSMGR, "tlsmgr")                                                                                            \
        X(MASTER, "master")                                                                                            \
        X(SCRIPT, "postfix-script")                                                                                    \
        X(POSTSUPER, "postsuper")                                                                                      \
        X(POSTDROP, "postdrop")                                                                                        \
        X(SENDMAIL, "sendmail")                                                                                        \
        X(POSTMAP, "postmap")                                                                                          \
        X(POSTALIAS, "postalias")                                                                                      \
        X(POSTQUEUE, "postqueue")                                                                                      \
        X(POSTLOG, "postlog")                                                                                          \
        X(POSTLOGD, "postlogd")                                                                                        \
        X(POSTMULTI, "postmulti")                                                                                      \
        X(FLUSH, "flush")                                                                                              \
        X(SHOWQ, "showq")                                                                                              \
        X(SPAWN, "spawn")                                                                                              \
        X(QMQPD, "qmqpd")                                                                                              \
        X(VIRUS_FILTER, "virus-filter") /* the seed's own */

#define POSTFIX_KINDS(X)                                                                                               \
        X(UNKNOWN, "unknown")         /* a daemon said what is not read here */                                        \
        X(NOTE, "note")               /* understood, and of no consequence */                                          \
        X(WARNING, "warning")         /* warning, error, fatal, panic: `text` */                                       \
        X(VERBOSE, "verbose")         /* of a daemon run with -v */                                                    \
        X(CONNECT, "connect")         /* client */                                                                     \
        X(DISCONNECT, "disconnect")   /* client, text: counters */                                                     \
        X(LOST, "lost")               /* the client went: stage */                                                     \
        X(CLIENT, "client")           /* a message begins: client, login, method */                                    \
        X(PICKUP, "pickup")           /* a message begins here: from */                                                \
        X(REJECT, "reject")           /* client, stage, code, dsn, text, from, to, helo */                             \
        X(ACTION, "action")           /* reject_warning, hold, filter, discard …: `action`, the rest as REJECT */    \
        X(CHECK, "check")             /* header and body checks: action, text */                                       \
        X(MESSAGE_ID, "message-id")   /* message_id */                                                                 \
        X(QUEUED, "queued")           /* from, size, nrcpt */                                                          \
        X(DELIVERY, "delivery")       /* to, orig_to, relay, delay, delays, dsn, status, text */                       \
        X(EXPIRED, "expired")         /* from: too old, returned */                                                    \
        X(REMOVED, "removed")         /* the end of a message */                                                       \
        X(SAID, "said")               /* a remote server's reply on the way, not the end: relay, text */               \
        X(NOTICE, "notice")           /* a bounce was made: text (its kind), other_id */                               \
        X(AUTH_FAILED, "auth-failed") /* client, method, login (may be empty), text */                                 \
        X(SCREEN, "screen")           /* postscreen: action, client */                                                 \
        X(LISTED, "listed")           /* dnsblog: client, text: the list */                                            \
        X(ANVIL, "anvil")             /* text */                                                                       \
        X(TLS, "tls")                 /* a TLS connection: text */                                                     \
        X(CONTENT, "content")         /* the seed's filter: action: SPAM, GOOD, VIRUS */

#define POSTFIX_ENUM(id, name) POSTFIX_##id,
#define POSTFIX_DAEMON_ENUM(id, name) POSTFIX_BY_##id,
enum postfix_kind { POSTFIX_KINDS(POSTFIX_ENUM) POSTFIX_KINDS_ALL };
enum postfix_daemon { POSTFIX_BY_NONE, POSTFIX_DAEMONS(POSTFIX_DAEMON_ENUM) POSTFIX_DAEMONS_ALL };
enum postfix_status {
        POSTFIX_NO_STATUS,
        POSTFIX_SENT,
        POSTFIX_DEFERRED,
        POSTFIX_BOUNCED,
        POSTFIX_STATUS_EXPIRED,
        POSTFIX_OTHER_STATUS /* deliverable, undeliverable: probes */
};

struct postfix_peer {
        struct slice name, address, port;
};

struct postfix_event {
        enum postfix_kind kind;
        enum postfix_daemon daemon;
        enum postfix_status status;
        bool odd;
        uint32_t code; /* of the SMTP reply, 0: none */
        uint64_t size, nrcpt;
        struct slice queue_id, other_id; /* empty for NOQUEUE */
        struct postfix_peer client;      /* or relay */
        struct slice login, method, from, to, orig_to, helo, stage, action, dsn, message_id, delay, delays;
        struct slice
            text; /* a refusal: without code, dsn and what it echoes in front; a delivery: what stands in its parentheses */
        struct slice echo; /* "<…>: " in front of the text of a refusal */
};

const char *postfix_kind_name(enum postfix_kind kind);
/* "postfix/submission/smtpd": its daemon, NONE where it is no Postfix; *instance gets what stands before the first slash. */
enum postfix_daemon postfix_daemon_of(struct slice program, struct slice *instance);
/* How many bytes of a queue id, long or short, stand at the start of `s`, up to a ':'; 0: none. */
size_t postfix_queue_id(struct slice s);
/* The kind UNKNOWN is an answer, too. */
void postfix_parse(enum postfix_daemon daemon, struct slice text, struct postfix_event *ret);
