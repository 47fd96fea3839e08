/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard/quota.h - how much a customer may send: messages, recipients and distinct recipients, an hour and a day.
 *
 * Asked by identity: of the login first, then of his subscriber, then of the address (IPv4 alone, IPv6 by its /64). quota_ask() changes
 * nothing and may be called at every RCPT; quota_charge() is for when the message was accepted, so one that is refused later costs
 * nothing. Forwards, vacation replies and delivery reports are not the customer's sending: nobody asks for them here.
 * The windows slide: there is no midnight, and a limit used up comes back by sixths of its period.
 * Owns:    nothing; all state is in the caller's window table (kinds from WINDOW_KINDS_QUOTA on), which processes may share.
 * Threads: as guard/window.h. Between ask and charge others may charge: by so many messages as are in hand a limit can be passed.
 * Limits:  A distinct recipient of a day is the first to be counted of that name within a day; that takes one name of the table for each
 *          (identity, recipient) whose limit is set, and one more an hour. Should the table be too small, one whose name was lost counts
 *          again. 320 bytes of login, subscriber and recipient count. QUOTA_COUNT_MOST messages and recipients a period. */
#pragma once

#include "base/prefix.h"
#include "guard/window.h"
#include "policy/policy.h"

#define QUOTA_IDENTITIES(X) X(LOGIN, "mailbox") X(SUBSCRIBER, "subscriber") X(ADDRESS, "address")
#define QUOTA_IDENTITY_ENUM(id, name) QUOTA_##id,
enum quota_identity { QUOTA_IDENTITIES(QUOTA_IDENTITY_ENUM) QUOTA_IDENTITY_COUNT };

/* X(id, words, period) */
#define QUOTA_LIMITS(X)                                                                                                \
        X(MESSAGES_HOUR, "messages per hour", HOUR)                                                                    \
        X(MESSAGES_DAY, "messages per day", DAY)                                                                       \
        X(RECIPIENTS_HOUR, "recipients per hour", HOUR)                                                                \
        X(RECIPIENTS_DAY, "recipients per day", DAY)                                                                   \
        X(DISTINCT_HOUR, "different recipients per hour", HOUR)                                                        \
        X(DISTINCT_DAY, "different recipients per day", DAY)                                                           \
        X(INVALID_HOUR, "unknown recipients per hour", HOUR)
#define QUOTA_LIMIT_ENUM(id, words, period) QUOTA_##id,
enum quota_limit { QUOTA_LIMITS(QUOTA_LIMIT_ENUM) QUOTA_LIMIT_COUNT };

enum { QUOTA_COUNT_MOST = UINT32_MAX };

/* Each a number, 0 among them, or LIMIT_NONE. LIMIT_INHERIT is our own bug: policy/limits.h has resolved it. */
struct quota_limits {
        int64_t v[QUOTA_LIMIT_COUNT];
};
extern const struct quota_limits quota_limits_none;

/* Who sends. An empty login or subscriber, and an address of zeros, is nobody, whose limits are not looked at. */
struct quota_who {
        struct slice login, subscriber;
        struct addr address;
        struct quota_limits limits[QUOTA_IDENTITY_COUNT];
};

/* The recipients so far, each once, in their one form. */
struct quota_message {
        const struct slice *recipients;
        size_t n;
};

struct quota_answer {
        bool passes;
        enum quota_identity whose; /* the first limit that says no */
        enum quota_limit limit;
        int64_t most;
        uint64_t used;   /* of `most`, without this message */
        int64_t room_at; /* when it would pass, if nothing else is sent; TIME_NEVER: never */
};

const char *quota_identity_name(enum quota_identity i);
const char *quota_limit_words(enum quota_limit l);

/* Would this message pass now? */
struct quota_answer quota_ask(const struct window_table *t, const struct quota_who *who, const struct quota_message *m,
                              int64_t now);
/* It was accepted. */
void quota_charge(struct window_table *t, const struct quota_who *who, const struct quota_message *m, int64_t now);
/* One of the recipients he named does not exist. The answer is about the next one. */
struct quota_answer quota_invalid(struct window_table *t, const struct quota_who *who, int64_t now);
/* What of a limit is used: for showing it beside the limit. */
uint64_t quota_used(const struct window_table *t, const struct quota_who *who, enum quota_identity whose,
                    enum quota_limit limit, int64_t now);
