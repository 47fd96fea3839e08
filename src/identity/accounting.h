/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/accounting.h - one RADIUS accounting report (RFC 2866, RFC 2869, RFC 3162, RFC 4818, RFC 6911), however it came, as an event.
 *
 * The detail reader fills it from text, the listener from a packet; what it means is decided here, once.
 * Names come out as raw.h writes them: what was UTF-8 is unchanged.
 * Owns:    nothing; slices are the caller's.
 * Threads: pure.
 * Limits:  EVENT_HELD_MOST addresses and prefixes. */
#pragma once

#include "identity/event.h"

enum accounting_status {
        ACCOUNTING_START = 1,
        ACCOUNTING_STOP = 2,
        ACCOUNTING_INTERIM = 3,
        ACCOUNTING_ON = 7,
        ACCOUNTING_OFF = 8
};

struct accounting {
        int status; /* Acct-Status-Type; 0 where missing */
        struct slice user, session, cause;
        struct slice nas_id, calling, circuit,
            remote;      /* NAS-Identifier, Calling-Station-Id, ADSL-Agent-Circuit-Id / -Remote-Id */
        struct addr nas; /* NAS-IP-Address or NAS-IPv6-Address */
        bool has_nas;
        int64_t event_time;   /* Event-Timestamp, µs UTC; 0 where missing */
        int64_t arrival;      /* when the server got it, µs UTC */
        bool arrival_guessed; /* its zone was: it does not say that Event-Timestamp is ahead */
        int64_t delay;        /* Acct-Delay-Time, µs; it counts where Event-Timestamp is missing */
        int64_t session_time; /* Acct-Session-Time, µs; -1 where missing */
        struct held held[EVENT_HELD_MOST];
        size_t n_held;
};

/* What recognises the subscriber: the first of these that the report has (LINE_AUTO), or only the one named. */
#define LINE_CHOICES(X)                                                                                                \
        X(AUTO, "auto") X(USER, "user") X(CIRCUIT, "circuit") X(REMOTE, "remote") X(MAC, "mac") X(DUID, "duid")
#define LINE_CHOICE_ENUM(id, name) LINE_##id,
enum line_choice { LINE_CHOICES(LINE_CHOICE_ENUM) };

/* Acct-Terminate-Cause by its number, as dictionaries write it; empty where there is no such. */
struct slice accounting_cause(uint32_t n);

/* NULL and *e filled in (its slices: the report's or the arena's), or what is wrong with the report. A report that is right and says nothing of
 * addresses gives an event with n_held 0. Realm and evidence are the caller's
 * to add. At is Event-Timestamp, unless the clock of the NAS was never set (before 2000) or is more than a minute
 * ahead of the arrival: then arrival less Acct-Delay-Time. */
const char *accounting_event(const struct accounting *r, enum line_choice by, struct arena *a, struct event *e);
