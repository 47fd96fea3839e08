/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/draft.h - a policy as it was written: values typed and placed, names not yet looked up.
 *
 * What the parser fills in by the option tables and check.c turns into a struct policy. Every value begins with the
 * place where it was written; line 0 there means that it was not, and that the default of its option stands.
 * Owns:    nothing; all of it lives in the arena the parser was given, texts in the diags.
 * Threads: one at a time.
 * Limits:  those of the text. */
#pragma once

#include "policy/policy.h"

struct word {
        struct place place;
        struct slice text;
};

struct number {
        struct place place;
        int64_t value; /* a count, microseconds, or the index of a choice */
};

struct real {
        struct place place;
        double value;
};

struct words {
        struct place place;
        struct word *v;
        size_t n, cap;
};

struct prefixes {
        struct place place;
        struct policy_prefix *v; /* delegated is 0 where not written */
        size_t n, cap;
};

struct range {
        struct place place;
        uint16_t low, high;
};

struct mark {
        struct place place;
        uint32_t value, mask;
};

struct edge {
        struct place place;
        enum edge_where where;
        bool has4, has6;
        struct addr v4, v6;
        struct place v4_place, v6_place;
        uint16_t port; /* 0: not written */
};

struct listen {
        struct place place;
        struct addr addr;
        uint16_t port;
};

struct submission {
        struct place place;
        uint16_t port[EDGE_PORTS_MOST];
        size_t n;
};

struct certificate {
        struct place place;
        struct slice name, chain, key;
};

struct certificates {
        struct place place;
        struct certificate *v;
        size_t n, cap;
};

/* relay ADDRESS:PORT | unix:/PATH, … or maildir /PATH */
struct next_hop {
        struct place place;
        bool maildir;
        struct slice path;
        struct policy_mta mta[EDGE_MTAS_MOST];
        size_t n;
};

/* What every block begins with. */
struct head {
        struct place place; /* the name, or the keyword where there is none */
        struct slice name;
        bool broken;  /* an unknown word stands inside: what seems missing may be misspelt */
        bool invalid; /* a value inside is wrong: what depends on several need not be said */
};

struct draft_network {
        struct head head;
        struct word domain, timezone, abuse;
        struct number language;
};

struct draft_server {
        struct head head;
        struct prefixes address;
        struct number customers;
        struct word host_name;
};

struct draft_class {
        struct head head;
        struct number port25, promise;
        struct number limits[MAIL_LIMIT_COUNT];
};

struct draft_pool {
        struct head head;
        struct word class, interface;
        struct prefixes prefix;
        struct number port25;
};

struct draft_cgnat {
        struct head head;
        struct word from;
        struct prefixes inside, outside;
        struct range ports;
        struct number block, mapping;
};

struct draft_feed {
        struct head head;
        struct listen radius;
        struct prefixes nas;
        struct word secret_file, file, realm;
        struct number format, line, tolerance;
};

struct draft_wave {
        struct head head;
        struct word from;
        struct words pool, class;
        struct prefixes prefix;
        struct number port25;
};

struct draft_exempt {
        struct head head;
        struct words subscriber;
        struct prefixes prefix;
        struct word until, owner, reason;
};

struct draft_never_cut {
        struct head head;
        struct words subscriber;
};

struct draft_never_ban {
        struct head head;
        struct prefixes prefix;
};

struct draft_tunnels {
        struct head head;
        struct number teredo, six_to_four, six_in_four;
};

struct draft_suspicion {
        struct head head;
        struct number half_life;
        struct real trap, divert, complaint, syn, other;
};

struct draft_keep {
        struct head head;
        struct number leases, sightings;
};

struct draft_quarantine {
        struct head head;
        struct real after;
        struct number level, duration, grace;
        struct prefixes reach;
};

struct draft_mail {
        struct head head;
        struct number reuse_after;
        struct number limits[MAIL_LIMIT_COUNT];
};

struct draft_sending {
        struct head head;
        struct number v[SENDING_WHOSE][SENDING_LIMITS];
};

struct draft_gate {
        struct head head;
        struct mark mark;
        struct number table, nflog_group, if_edge_down, divert_port, trap_port;
        struct edge edge;
};

struct draft_edge {
        struct head head;
        struct submission submission;
        struct prefixes listen;
        struct word name, help, plain_auth_until;
        struct certificates certificate;
        struct next_hop next_hop;
        struct number identify, next_hop_tls, size, recipients, connections, each, trap_connections, workers, ban_for;
};

struct draft_legacy {
        struct head head;
        struct listen listen;
        struct prefixes from;
        struct words sender;
        struct number messages_day;
        struct word until, owner;
};

struct draft_mail_log {
        struct head head;
        struct word file, zone;
};

struct draft_mail_rule {
        struct head head;
        struct words on, daemon;
        struct number field;
        struct word pattern, category;
};

struct draft_mail_limit {
        struct head head;
        struct words count;
        struct number by, side, after, over, then, lasts, to;
        struct prefixes except;
};

/* Blocks of one kind, in the order of the text. */
struct blocks {
        void *v;
        size_t n, cap;
};

struct draft {
        struct arena *arena;
        struct blocks network, server, class, pool, cgnat, feed, wave, exempt, never_cut, never_ban, tunnels, suspicion,
            keep, quarantine, mail, sending, gate, edge, legacy, mail_log, mail_rule, mail_limit;
        bool unknown_blocks; /* what seems missing may be misspelt */
};

/* for (EACH(wave, w, &draft->wave)) ... */
#define EACH(kind, it, list)                                                                                           \
        struct draft_##kind *it = (list)->v, *it##_end = it ? it + (list)->n : it;                                     \
        it != it##_end;                                                                                                \
        it++
