/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/match.h - which session an event is of, and when it says that this began.
 *
 * Session ids are not unique and starts get lost, so this is a judgement; bindings.h says by which rules.
 * Owns:    nothing.
 * Threads: pure; the table is only read.
 * Limits:  SESSION_KIN_MOST sessions of one key are looked at. */
#pragma once

#include "base/time.h"
#include "identity/sessions.h"

#define MATCH_SKEW                                                                                                     \
        MINUTE /* starts that differ by no more are the same: clocks, retransmissions, the delay of a report */

/* NULL: none that is known. */
struct session *match_event(struct sessions *t, const struct event *e);
/* When the holding began, as far as the event tells; 0: it does not. */
int64_t match_start_told(const struct event *e);
/* The instant of the event, where its NAS stamps all reports of a session with the start: the start and the session's time. */
int64_t match_instant(const struct session *s, const struct event *e);
bool match_is_stamped(const struct session *s, const struct event *e, int64_t claimed);
/* Leases with an expiry and without a session's id are known by what they hold as well. */
bool match_by_held(const struct event *e);
bool match_is_this(const struct binding *n, const struct held *h);
/* What the session holds of this: the one that stands, or the last that did; NULL: never. */
struct binding *match_own(const struct session *s, const struct held *h);
int64_t match_distance(int64_t a, int64_t b);
