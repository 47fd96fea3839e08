/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/policy.h - one checked policy: an immutable value that text was turned into.
 *
 * Read it, never write it. Lists keep the order of the file; names are unique within their kind
 * (but for cgnat, whose versions share a name). Pool prefixes are sorted by address in `prefixes`.
 * Owns:    everything through its arena; policy_free() ends it all.
 * Threads: immutable after policy_parse(), so any number of readers.
 * Limits:  POLICY_TEXT_MOST bytes of text, includes counted in. */
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "base/map.h"
#include "base/prefix.h"
#include "base/time.h"

enum { POLICY_TEXT_MOST = 32 << 20 };

#define STRATEGIES(X)                                                                                                  \
        X(OPEN, "open") X(OBSERVE, "observe") X(SHIFT, "shift") X(DIVERT, "divert") X(TRAP, "trap") X(BLOCK, "block")
#define STRATEGY_ENUM(id, name) STRATEGY_##id,
enum strategy { STRATEGIES(STRATEGY_ENUM) STRATEGY_COUNT, STRATEGY_NONE = -1 };

#define LEVELS(X) X(MAIL, "mail") X(SUBMISSION, "submission") X(CAPTIVE, "captive")
#define LEVEL_ENUM(id, name) LEVEL_##id,
enum level { LEVELS(LEVEL_ENUM) LEVEL_COUNT, LEVEL_NONE = -1 };

const char *strategy_name(enum strategy s); /* "none" for STRATEGY_NONE */
enum strategy strategy_of(struct slice name);
/* What takes something from the customer: shift, divert, trap and block. A promise speaks of these. */
bool strategy_restricts(enum strategy s);
const char *level_name(enum level l);
enum level level_of(struct slice name);

/* What a mailbox may use up (policy/limits.h). */
#define MAIL_LIMITS(X) X(QUOTA) X(MESSAGES_HOUR) X(MESSAGES_DAY) X(RECIPIENTS_HOUR) X(RECIPIENTS_DAY)
#define MAIL_LIMIT_ENUM(id) MAIL_LIMIT_##id,
enum mail_limit { MAIL_LIMITS(MAIL_LIMIT_ENUM) MAIL_LIMIT_COUNT };
enum { LIMIT_NONE = -1, LIMIT_INHERIT = -2 };
#define MAIL_QUOTA_LEAST (INT64_C(1) << 20)
struct mail_limits {
        int64_t v[MAIL_LIMIT_COUNT]; /* a number, LIMIT_NONE or LIMIT_INHERIT */
};

struct policy_network {
        struct place place;
        struct slice name, domain, timezone, language, abuse;
};

struct policy_server {
        struct place place;
        struct slice name, host_name;
        struct prefix *addresses; /* hosts */
        struct place *address_places;
        size_t n_addresses;
        enum strategy customers; /* on its port 25; default open */
        struct place customers_place;
};

struct policy_class {
        struct place place, port25_place, promise_place;
        struct slice name;
        enum strategy port25;
        bool told_first; /* promise told-first */
        struct mail_limits limits;
        struct place limit_places[MAIL_LIMIT_COUNT];
};

struct policy_pool {
        struct place place, port25_place;
        struct slice name;
        size_t class;           /* index in classes */
        struct slice interface; /* empty where none */
        struct place interface_place;
        enum strategy port25; /* STRATEGY_NONE where not written */
};

/* One prefix of one pool. */
struct policy_prefix {
        struct prefix prefix;
        uint8_t delegated; /* length of each customer's prefix in 128 bits; the default is 128 for IPv4, 64 for IPv6 */
        uint32_t pool;
        struct place place;
};

struct policy_cgnat {
        struct place place;
        struct slice name;
        int64_t from;
        struct prefix *inside, *outside;
        size_t n_inside, n_outside;
        uint16_t port_low, port_high;
        uint32_t block; /* ports a subscriber */
        bool logged;    /* the translation is known by its log alone: ports and block mean nothing */
};

/* A source of leases that is followed: exactly one of radius and file. */
struct policy_feed {
        struct place place, radius_place, nas_place, secret_place, file_place;
        struct slice name;
        bool radius;
        struct addr listen; /* of radius */
        uint16_t port;
        struct prefix *nas;
        size_t n_nas;
        struct slice secret_file, file;
        size_t format, line; /* indexes in policy_feed_formats() and policy_feed_lines() */
        struct slice realm;
        int64_t tolerance;
};

struct policy_wave {
        struct place place, port25_place;
        struct slice name;
        int64_t from;
        enum strategy port25;
        size_t *pools, *classes; /* indexes; none given means any */
        size_t n_pools, n_classes;
        struct prefix *prefixes;
        size_t n_prefixes;
};

struct policy_exemption {
        struct place place;
        struct slice name, owner, reason;
        struct slice *subscribers;
        struct prefix *prefixes;
        size_t n_subscribers, n_prefixes;
        int64_t until;
};

/* Who outside is never banned (policy/ban.h). */
struct policy_never_ban {
        struct place place;
        struct prefix *prefixes;
        size_t n_prefixes;
};

struct policy_tunnels {
        struct place place;
        bool teredo, six_to_four, six_in_four; /* true: block */
};

struct policy_suspicion {
        struct place place;
        int64_t half_life;
        double points_trap, points_divert, points_complaint, points_syn, points_other;
};

struct policy_keep {
        struct place place;
        int64_t leases, sightings; /* so long after the lease's end, and after the sighting */
};

struct policy_quarantine {
        struct place place;
        bool by_rule; /* false where no quarantine block is written: nobody is quarantined by rule */
        double after;
        enum level level;
        int64_t duration, grace;
        struct prefix *reach; /* what a captive customer may still reach */
        size_t n_reach;
};

struct policy_mail {
        struct place place;
        int64_t reuse_after;       /* how long a removed address is given to nobody else */
        struct mail_limits limits; /* never LIMIT_INHERIT: this is the end of the chain */
        struct place limit_places[MAIL_LIMIT_COUNT];
};

/* How much may be sent besides the limits of mailboxes: of each mailbox, of all of a subscriber, from one address. The second index is that of
 * enum quota_limit (guard/quota.h). */
enum { SENDING_MAILBOX, SENDING_SUBSCRIBER, SENDING_ADDRESS, SENDING_WHOSE, SENDING_LIMITS = 7 };
struct policy_sending {
        struct place place;
        int64_t v[SENDING_WHOSE][SENDING_LIMITS]; /* a number or LIMIT_NONE */
};

enum edge_where { EDGE_LOCAL, EDGE_ROUTE, EDGE_DNAT };

struct policy_gate {
        struct place place, edge_place;
        uint32_t mark, mask;
        uint32_t table;
        uint16_t nflog_group;
        bool open_if_edge_down; /* default: reset */
        enum edge_where edge;
        struct addr edge4, edge6; /* for route and dnat; all zeros where not given */
        struct place edge4_place, edge6_place;
        bool has_edge4, has_edge6;
        uint16_t edge_port;              /* for dnat */
        uint16_t divert_port, trap_port; /* where the edge listens on this box, on 127.0.0.1 and ::1 */
};

enum { EDGE_PORTS_MOST = 8, EDGE_MTAS_MOST = 16 };

/* An MTA behind the edge: an address and port, or the path of a Unix socket. */
struct policy_mta {
        struct place place;
        struct addr addr;
        uint16_t port;     /* 0: a Unix socket */
        struct slice path; /* of the socket */
};

struct policy_certificate {
        struct place place;
        struct slice name, chain, key; /* host name, paths */
};

enum edge_identify { EDGE_IDENTIFY_NONE, EDGE_IDENTIFY_XCLIENT, EDGE_IDENTIFY_PROXY };
enum edge_tls { EDGE_TLS_NEVER, EDGE_TLS_MAY, EDGE_TLS_MUST };

struct policy_edge {
        struct place place;
        bool written;                    /* false: this policy has no edge block, and no duty edge listens */
        uint16_t ports[EDGE_PORTS_MOST]; /* 465: TLS at once; any other: STARTTLS */
        size_t n_ports;
        struct place ports_place;
        struct prefix *listen; /* hosts; none: all addresses of the box */
        size_t n_listen;
        struct slice name; /* in greetings; never empty where written */
        struct slice help; /* where a refused customer is sent */
        struct policy_certificate *certificates;
        size_t n_certificates;
        struct place next_hop_place;
        struct slice maildir; /* empty: the MTAs */
        struct policy_mta *mtas;
        size_t n_mtas;
        enum edge_identify identify;
        enum edge_tls next_hop_tls;
        int64_t size, recipients;
        int64_t connections, each,
            trap_connections;     /* of a process; of one address (a /64); in the trap, of a process */
        int64_t workers;          /* 0: as many as processors */
        int64_t plain_auth_until; /* 0: never */
        int64_t ban_for;          /* µs */
};

/* A listener for those who can neither log in nor speak TLS. */
struct policy_legacy {
        struct place place;
        struct slice name, owner;
        struct addr listen;
        uint16_t port;
        struct prefix *from;
        size_t n_from;
        struct slice *senders;
        size_t n_senders;
        int64_t messages_day, until;
};

/* A log file of a mail server that is followed. */
struct policy_mail_log {
        struct place place, file_place;
        struct slice name, file, zone; /* zone: of times that name none; never empty */
};

/* What puts an event of a mail log into a category (maillog/category.h has the words). */
struct policy_mail_rule {
        struct place place, on_place, daemon_place, pattern_place, category_place;
        struct slice name, pattern, category, field;
        struct slice *on, *daemons;
        size_t n_on, n_daemons;
};

/* How often is too often, and what follows (maillog/limits.h). */
#define MAIL_LIMIT_KEYS(X) X(LOGIN, "login") X(SUBSCRIBER, "subscriber") X(CLIENT, "client") X(NETWORK, "network")
#define MAIL_LIMIT_ACTIONS(X)                                                                                          \
        X(REPORT, "report") X(SIGHTING, "sighting") X(BAN, "ban") X(SUSPEND, "suspend") X(LIMIT, "limit")
#define MAIL_LIMIT_SIDES(X) X(ANY, "any") X(CUSTOMERS, "customers") X(OUTSIDE, "outside")
#define MAIL_SIDE_ENUM(id, name) MAIL_SIDE_##id,
enum mail_limit_side { MAIL_LIMIT_SIDES(MAIL_SIDE_ENUM) };
#define MAIL_KEY_ENUM(id, name) MAIL_KEY_##id,
#define MAIL_THEN_ENUM(id, name) MAIL_THEN_##id,
enum mail_limit_key { MAIL_LIMIT_KEYS(MAIL_KEY_ENUM) MAIL_KEY_COUNT };
enum mail_limit_then { MAIL_LIMIT_ACTIONS(MAIL_THEN_ENUM) MAIL_THEN_COUNT };
const char *mail_limit_key_name(enum mail_limit_key k);
const char *mail_limit_then_name(enum mail_limit_then t);

struct policy_mail_limit {
        struct place place, count_place;
        struct slice name;
        struct slice *count; /* what is counted */
        size_t n_count;
        enum mail_limit_key by;
        enum mail_limit_side side;
        int64_t after, over; /* so many within so long (µs) */
        enum mail_limit_then then;
        int64_t lasts; /* µs */
        int64_t to;    /* of `limit`: recipients an hour */
        struct prefix *except;
        size_t n_except;
};

struct policy {
        struct arena *arena;
        struct policy_network network;
        struct policy_server *servers;
        struct policy_class *classes;
        struct policy_pool *pools;
        struct policy_prefix *prefixes; /* of all pools, sorted, never overlapping */
        struct policy_cgnat *cgnats;
        struct policy_feed *feeds;
        struct policy_wave *waves;
        struct policy_exemption *exemptions;
        struct slice *never_cut; /* subscribers */
        struct policy_never_ban *never_bans;
        size_t n_servers, n_classes, n_pools, n_prefixes, n_cgnats, n_feeds, n_waves, n_exemptions, n_never_cut,
            n_never_bans;
        struct policy_tunnels tunnels;
        struct policy_suspicion suspicion;
        struct policy_keep keep;
        struct policy_quarantine quarantine;
        struct policy_mail mail;
        struct policy_sending sending;
        struct policy_gate gate;
        struct policy_edge edge;
        struct policy_legacy *legacies;
        size_t n_legacies;
        struct policy_mail_log *mail_logs;
        struct policy_mail_rule *mail_rules;
        struct policy_mail_limit *mail_limits;
        size_t n_mail_logs, n_mail_rules, n_mail_limits;
        struct map class_names, pool_names, wave_names; /* for policy_find_*() */
};

/* Text of one file, and how to get what it includes. `read` returns false when the file cannot be read (errno says
 * why); *text is malloc'ed and freed by the parser. NULL: includes are refused. */
struct policy_input {
        struct slice name, text;
        bool (*read)(void *arg, struct slice path, char **text, size_t *n);
        void *read_arg;
};

/* Parses and checks everything that the text alone decides. Adds every mistake to `d`. Sets the process's zone to the
 * network's. Returns NULL where there was an error. Warnings do not hinder. */
struct policy *policy_parse(const struct policy_input *in, struct diags *d);
/* Reads `path` and what it includes (relative to the including file) from disk. */
struct policy *policy_load(const char *path, struct diags *d);
/* The same of the blocks for mail logs alone, with all others read and left: a file of rules need not be a policy. Sets no zone. */
struct policy *policy_parse_mail(const struct policy_input *in, struct diags *d);
struct policy *policy_load_mail(const char *path, struct diags *d);
void policy_free(struct policy *p);
void policy_free_(struct policy **p);
#define autopolicy CLEANUP(policy_free_) struct policy

/* One text that holds the file and all it includes, and parses to the same policy: what a generation keeps. Each file stands whole
 * behind a line "#@ file NAME", and includes find theirs among them, so that places still name the file and line the operator wrote.
 * `sources` are the diags of one parse. */
void policy_flatten(const struct diags *sources, struct buf *out);

/* Checks that need this machine: interfaces and files of feeds that do not exist are warned of. */
void policy_check_machine(const struct policy *p, struct diags *d);
/* Waves of p that are past and that `running` does not have: one warning each. */
void policy_check_against(const struct policy *p, const struct policy *running, int64_t now, struct diags *d);

/* The pool whose prefix holds the address; NULL where none. Cost: log of the number of prefixes. */
const struct policy_prefix *policy_find_prefix(const struct policy *p, const struct addr *a);
size_t policy_find_class(const struct policy *p, struct slice name); /* n_classes where absent */
size_t policy_find_pool(const struct policy *p, struct slice name);
size_t policy_find_wave(const struct policy *p, struct slice name);
/* The cgnat whose inside holds the address (any version); NULL: the address is of the Internet. */
const struct policy_cgnat *policy_find_inside(const struct policy *p, const struct addr *a);
bool policy_never_cut(const struct policy *p, struct slice subscriber);
/* The exemption in force at `at`; NULL where none. By subscriber (may be empty) or by address (may be NULL). */
const struct policy_exemption *policy_find_exemption(const struct policy *p, struct slice subscriber,
                                                     const struct addr *a, int64_t at);
