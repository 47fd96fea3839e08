/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/event.h - what a mail server says in one line, as an event with fields: the same for every server.
 *
 * What stands behind each kind is which fields it has. Text that a stranger chose is a field's value, and no more.
 * Owns:    nothing; slices point into the line.
 * Threads: values.
 * Limits:  none. */
#pragma once

#include "base/buf.h"

#define MAIL_DAEMONS(X)                                                                                                \
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
        X(VIRUS_FILTER, "virus-filter") /* the seed's own */                                                           \
        X(EXIM, "exim")                                                                                                \
        X(DOVECOT, "dovecot")

#define MAIL_KINDS(X)                                                                                                  \
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
        X(CONTENT, "content")         /* the seed's filter: action: SPAM, GOOD, VIRUS */                               \
        X(ARRIVAL, "arrival") /* client, login, method, from, size, nrcpt (0: not said), message_id at once; */        \
                              /* other_id: the message that a bounce is of */                                          \
        X(LOGIN, "login")     /* to a mailbox: client, login, method */

#define KIND_ENUM(id, name) MAIL_##id,
#define DAEMON_ENUM(id, name) MAIL_BY_##id,
enum mail_kind { MAIL_KINDS(KIND_ENUM) MAIL_KINDS_ALL };
enum mail_daemon { MAIL_BY_NONE, MAIL_DAEMONS(DAEMON_ENUM) MAIL_DAEMONS_ALL };
enum mail_status {
        MAIL_NO_STATUS,
        MAIL_SENT,
        MAIL_DEFERRED,
        MAIL_BOUNCED,
        MAIL_STATUS_EXPIRED,
        MAIL_OTHER_STATUS /* deliverable, undeliverable: probes */
};

struct mail_peer {
        struct slice name, address, port;
};

struct mail_event {
        enum mail_kind kind;
        enum mail_daemon daemon;
        enum mail_status status;
        bool odd;
        uint32_t code;     /* of the SMTP reply, 0: none */
        uint32_t attempts; /* of AUTH_FAILED: how many the line tells of, 0: one */
        uint64_t size, nrcpt;
        struct slice queue_id, other_id; /* empty for NOQUEUE */
        struct mail_peer client;         /* or relay */
        struct slice login, method, from, to, orig_to, helo, stage, action, dsn, message_id, delay, delays;
        struct slice
            text; /* a refusal: without code, dsn and what it echoes in front; a delivery: what stands in its parentheses */
        struct slice echo; /* "<…>: " in front of the text of a refusal */
};

const char *mail_kind_name(enum mail_kind kind);
/* A refusal of ours; a check of header or body may also hold, redirect or warn. */
static inline bool mail_refuses(const struct mail_event *e)
{
        return e->kind == MAIL_REJECT || (e->kind == MAIL_CHECK && slice_ends(e->action, S("reject")));
}
/* Lines of which no more is to be known than what they begin with, which is not empty. */
struct mail_row {
        struct slice starts;
        enum mail_kind kind;
};
/* The kind of the first row that s, not empty, begins with; its text is all of s. False: none. */
bool mail_one_of(const struct mail_row *rows, size_t n, struct slice s, struct mail_event *ret);
/* "postfix/submission/smtpd", "exim4", "dovecot": its daemon, NONE where it is none of ours; *instance gets what stands before the first
 * slash. */
enum mail_daemon mail_daemon_of(struct slice program, struct slice *instance);
/* The event in one line, kind first: "delivery id=… addr=… to=… status=sent text=…", what is not there left out. For tests and for whoever asks how
 * a line was read. */
void mail_event_print(const struct mail_event *e, struct buf *out);
