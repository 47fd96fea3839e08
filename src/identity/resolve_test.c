/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/resolve.h"
#include "ledger/pile.h"
#include "ledger/test_support.h"

#define T(minutes) (1000 * DAY + (minutes)*MINUTE)
#define HEAD                                                                                                           \
        "network \"Example\" { timezone UTC }\nclass home { port25 open }\n"                                           \
        "pool city { class home prefix 198.51.100.0/24 }\n"

/* What one question may use: at most two policies, and what is expected of the answer. */
struct asking {
        const char *address;
        int port;
        const char *proto, *realm;
        int64_t at, tolerance;
        const char *policy, *then; /* text of the newest and of the one in force then; NULL: none */
};

static struct policy *parse(const char *text)
{
        autodiags *d = diags_new();
        struct policy_input in = { .name = S("test.conf"), .text = slice_of(text) };
        struct policy *p = policy_parse(&in, d);
        if (!p)
                panic("the policy is wrong: %s", text);
        return p;
}

static struct resolve_answer ask(struct a_ledger *t, const struct asking *k)
{
        autopolicy *newest = parse(k->policy ? k->policy : HEAD), *then = parse(k->then ? k->then : HEAD);
        autocgnat *c = cgnat_new(newest), *d = cgnat_new(then);
        struct resolve_policy policies[] = { { 7, newest, c }, { 3, then, d } };
        struct resolve_question q = { .port = (uint16_t)k->port,
                                      .proto = slice_of(k->proto),
                                      .realm = slice_of(k->realm),
                                      .has_realm = k->realm != NULL,
                                      .at = k->at,
                                      .tolerance = k->tolerance,
                                      .policies = policies,
                                      .n_policies = k->then ? 2 : 1 };
        struct resolve_answer r;
        assert_true(addr_parse(slice_of(k->address), &q.address));
        assert_int_equal(resolve(t->reader, t->arena, &q, &r), 0);
        return r;
}

/* "exact a", "ambiguous a b", "unknown"; a line of nobody as kind:value. In the order of the alphabet. */
static const char *words(struct a_ledger *t, const struct resolve_answer *r)
{
        struct slice names[64];
        autobuf out;
        buf_init(&out, 4096);
        buf_adds(&out, resolve_verdict_name(r->verdict));
        for (size_t i = 0; i < r->n; i++) {
                autobuf line;
                buf_init(&line, 512);
                buf_addf(&line, "%.*s:%.*s", SLICE_ARGS(r->holders[i].line.kind), SLICE_ARGS(r->holders[i].line.value));
                struct slice name = r->holders[i].subscriber.number ? r->holders[i].subscriber.id : buf_slice(&line);
                name = arena_dup(t->arena, name);
                size_t k = i;
                for (; k > 0 && slice_cmp(names[k - 1], name) > 0; k--)
                        names[k] = names[k - 1];
                names[k] = name;
        }
        for (size_t i = 0; i < r->n; i++)
                buf_addf(&out, " %.*s", SLICE_ARGS(names[i]));
        return arena_dup(t->arena, buf_slice(&out)).p;
}

static bool has_reason(const struct resolve_answer *r, const char *part)
{
        for (size_t i = 0; i < r->n_reasons; i++)
                if (strstr(r->reasons[i].p, part))
                        return true;
        return false;
}

#define expect(t, want, reason, ...)                                                                                   \
        do {                                                                                                           \
                struct asking k_ = { __VA_ARGS__ };                                                                    \
                struct resolve_answer r_ = ask(t, &k_);                                                                \
                if (strcmp(words(t, &r_), want) != 0 || !has_reason(&r_, reason))                                      \
                        for (size_t i_ = 0; i_ < r_.n_reasons; i_++)                                                   \
                                print_error("reason: %s\n", r_.reasons[i_].p);                                         \
                assert_string_equal(words(t, &r_), want);                                                              \
                assert_true(*reason == '\0' || has_reason(&r_, reason));                                               \
        } while (0)

/* A lease as a feed tells it. */
struct fed {
        const char *prefix, *line, *realm, *why, *proto, *session;
        uint16_t low, high;
        int64_t start, end;
};

/* Ended leases go the way of an import: to the archive. */
static bool archived;

static void import(struct a_ledger *t, const struct lease *l)
{
        struct pile_result got;
        autobuf why;
        autopile *p = NULL;
        buf_init(&why, 4096);
        assert_int_equal(pile_new(t->dir, 0, &p, &why), 0);
        assert_int_equal(pile_add(p, l), 0);
        assert_int_equal(pile_commit(p, t->client, NULL, 0, false, NULL, &got), 0);
        assert_int_equal(got.added, 1);
}

static void feed(struct a_ledger *t, const struct fed *w)
{
        struct slice value, kind = slice_cut(slice_of(w->line), ':', &value);
        struct lease l = { .prefix = prefix_at(w->prefix),
                           .realm = slice_of(w->realm),
                           .port_low = w->low,
                           .port_high = w->high,
                           .proto = slice_of(w->proto),
                           .start = w->start,
                           .end = w->end,
                           .line = { kind, value },
                           .source = S("radius"),
                           .user = slice_of(w->line),
                           .session = slice_of(w->session),
                           .why_ended = slice_of(w->why) };
        if (archived && l.end != TIME_NEVER && l.end < time_now())
                import(t, &l);
        else
                assert_yes(t, client_leases_put(t->client, S(""), S(""), &l, 1, NULL));
}
#define FEED(t, ...) feed(t, &(struct fed){ __VA_ARGS__ })

static void one_holder_is_exact(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "a", NULL));
        FEED(t, .prefix = "198.51.100.7", .line = "user:a", .start = T(0), .end = T(60), .why = "User-Request");
        FEED(t, .prefix = "198.51.100.8", .line = "user:x", .start = T(0), .end = TIME_NEVER);
        expect(t, "exact a", "", .address = "198.51.100.7", .at = T(0));
        expect(t, "exact a", "", .address = "::ffff:198.51.100.7", .at = T(60) - 1);
        expect(t, "exact a", "", .address = "198.51.100.7", .port = 25, .proto = "tcp", .at = T(30));
        expect(t, "exact user:x", "the line is nobody's", .address = "198.51.100.8", .at = T(30));
        expect(t, "unknown", "ended 0s before (User-Request)", .address = "198.51.100.7", .at = T(60));
        expect(t, "unknown", "ended 40m before", .address = "198.51.100.7", .at = T(100));
        expect(t, "unknown", "began 1h after", .address = "198.51.100.7", .at = T(-60));
        expect(t, "unknown", "of pool city", .address = "198.51.100.7", .at = T(-60));
        expect(t, "unknown", "no pool of the policy", .address = "203.0.113.7", .at = T(0));
        expect(t, "unknown", "no lease of 198.51.100.7 is known", .address = "198.51.100.7", .at = T(0) - 300 * DAY);
        expect(t, "unknown", "", .address = "198.51.100.7", .at = 0, .tolerance = HOUR);
}

static void hands_that_change_within_the_tolerance(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        FEED(t, .prefix = "198.51.100.7", .line = "user:a", .start = T(0), .end = T(60), .why = "User-Request");
        FEED(t, .prefix = "198.51.100.7", .line = "user:b", .start = T(60) + SECOND, .end = T(90));
        FEED(t, .prefix = "198.51.100.7", .line = "user:b", .start = T(91), .end = TIME_NEVER);
        expect(t, "exact a", "", .address = "198.51.100.7", .at = T(60) - 3 * SECOND, .tolerance = 2 * SECOND);
        expect(t, "ambiguous a b", "changed hands within the tolerance of 2s", .address = "198.51.100.7",
               .at = T(60) - SECOND, .tolerance = 2 * SECOND);
        expect(t, "ambiguous a b", "changed hands", .address = "198.51.100.7", .at = T(60), .tolerance = 2 * SECOND);
        expect(t, "exact b", "", .address = "198.51.100.7", .at = T(60) + 2 * SECOND + 1, .tolerance = 2 * SECOND);
        /* the last instant of the lease is one microsecond before its end */
        expect(t, "ambiguous a b", "", .address = "198.51.100.7", .at = T(60) + 2 * SECOND - 1,
               .tolerance = 2 * SECOND);
        expect(t, "exact b", "", .address = "198.51.100.7", .at = T(60) + 2 * SECOND, .tolerance = 2 * SECOND);
        expect(t, "exact b", "", .address = "198.51.100.7", .at = T(90), .tolerance = 5 * MINUTE); /* both are his */
        expect(t, "ambiguous a b", "", .address = "198.51.100.7", .at = T(70), .tolerance = DAY);
}

static void two_leases_at_once_are_told_apart_by_nobody(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        FEED(t, .prefix = "198.51.100.7", .line = "user:a", .start = T(0), .end = TIME_NEVER);
        FEED(t, .prefix = "198.51.100.7", .line = "user:b", .start = T(5), .end = TIME_NEVER);
        FEED(t, .prefix = "198.51.100.9", .line = "user:a", .start = T(0), .end = TIME_NEVER, .session = "1");
        FEED(t, .prefix = "198.51.100.9", .line = "user:a", .start = T(5), .end = TIME_NEVER, .session = "2");
        FEED(t, .prefix = "198.51.100.10", .line = "user:a", .start = T(0), .end = TIME_NEVER);
        FEED(t, .prefix = "198.51.100.10", .line = "mac:001122aabbcc", .start = T(0), .end = TIME_NEVER);
        expect(t, "exact a", "", .address = "198.51.100.7", .at = T(4));
        expect(t, "ambiguous a b", "at the same time", .address = "198.51.100.7", .at = T(6));
        expect(t, "exact a", "", .address = "198.51.100.9", .at = T(6));
        expect(t, "ambiguous a mac:00:11:22:aa:bb:cc", "", .address = "198.51.100.10", .at = T(6));
}

static void the_more_specific_holds_while_it_is_there(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "reseller", "2001:db8::/48"));
        assert_yes(t, subscribe(t, "customer", NULL));
        int64_t now = time_now();
        FEED(t, .prefix = "2001:db8:0:100::/56", .line = "user:customer", .start = now + HOUR, .end = now + 2 * HOUR);
        expect(t, "exact reseller", "", .address = "2001:db8::1", .at = now + 90 * MINUTE);
        expect(t, "exact customer", "lies around it", .address = "2001:db8:0:1ab::1", .at = now + 90 * MINUTE);
        expect(t, "exact reseller", "", .address = "2001:db8:0:1ab::1", .at = now + 30 * MINUTE);
        expect(t, "ambiguous customer reseller", "changed hands", .address = "2001:db8:0:1ab::1", .at = now + HOUR,
               .tolerance = 2 * SECOND);
        expect(t, "exact customer", "", .address = "2001:db8:0:1ab::1", .at = now + HOUR);
}

static void presumed_ends(void **state)
{
        struct a_ledger *t = *state;
        static const struct {
                const char *why, *inside, *after;
        } rows[] = {
                { "silent", "exact a", "ambiguous a" },  { "no stop seen", "exact a", "ambiguous a" },
                { "expired", "exact a", "ambiguous a" }, { "User-Request", "exact a", "unknown" },
                { "nas-reset", "exact a", "unknown" },
        };
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                char address[32];
                snprintf(address, sizeof address, "198.51.100.%zu", i + 1);
                FEED(t, .prefix = address, .line = "user:a", .start = T(0), .end = T(60), .why = rows[i].why);
                expect(t, rows[i].inside, "", .address = address, .at = T(30));
                expect(t, rows[i].after, "40m before", .address = address, .at = T(100));
                expect(t, "unknown", "ended 1d 23h before", .address = address, .at = T(60) + 47 * HOUR);
        }
        expect(t, "exact a", "presumed (silent)", .address = "198.51.100.1", .at = T(30));
        expect(t, "ambiguous a", "nobody saw it end", .address = "198.51.100.1", .at = T(100));
        /* somebody came since: then it is his end that counts */
        FEED(t, .prefix = "198.51.100.1", .line = "user:b", .start = T(70), .end = T(80), .why = "User-Request");
        expect(t, "unknown", "ended 20m before (User-Request)", .address = "198.51.100.1", .at = T(100));
        expect(t, "ambiguous a", "", .address = "198.51.100.1", .at = T(65));
        expect(t, "exact b", "", .address = "198.51.100.1", .at = T(75));
}

static void port_blocks_of_a_log(void **state)
{
        struct a_ledger *t = *state;
        static const char logged[] = HEAD "cgnat n { inside 100.64.0.0/16 outside 203.0.113.0/28 mapping logged }\n";
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        assert_yes(t, subscribe(t, "box", "203.0.113.0/28"));
        FEED(t, .prefix = "203.0.113.1", .line = "inside:100.64.0.5", .low = 1024, .high = 1535, .start = T(0),
             .end = T(60), .session = "1024-1535/");
        FEED(t, .prefix = "203.0.113.1", .line = "inside:100.64.0.6", .low = 1536, .high = 2047, .start = T(0),
             .end = TIME_NEVER, .session = "1536-2047/");
        FEED(t, .prefix = "203.0.113.1", .line = "inside:100.64.0.6", .low = 5000, .high = 5009, .proto = "udp",
             .start = T(0), .end = TIME_NEVER, .session = "5000-5009/udp");
        FEED(t, .prefix = "100.64.0.5", .line = "user:a", .realm = "n", .start = T(0), .end = TIME_NEVER);
        FEED(t, .prefix = "100.64.0.6", .line = "user:b", .realm = "", .start = T(0), .end = TIME_NEVER);
        FEED(t, .prefix = "100.64.0.6", .line = "user:a", .realm = "other", .start = T(0), .end = TIME_NEVER);
        expect(t, "exact a", "", .address = "203.0.113.1", .port = 1024, .at = T(30), .policy = logged);
        expect(t, "exact b", "", .address = "203.0.113.1", .port = 2047, .at = T(30), .policy = logged);
        expect(t, "ambiguous a b", "no port was given", .address = "203.0.113.1", .at = T(30), .policy = logged);
        expect(t, "unknown", "not port 5004 of tcp", .address = "203.0.113.1", .port = 5004, .proto = "tcp",
               .at = T(30), .policy = logged);
        expect(t, "exact b", "", .address = "203.0.113.1", .port = 5004, .proto = "udp", .at = T(30), .policy = logged);
        expect(t, "unknown", "known by its log alone", .address = "203.0.113.1", .port = 3000, .at = T(30),
               .policy = logged);
        expect(t, "unknown", "ended 10m before", .address = "203.0.113.1", .port = 1024, .at = T(70), .policy = logged);
        /* allocated, and no release seen for more than a day */
        expect(t, "exact b", "", .address = "203.0.113.1", .port = 1536, .at = T(0) + DAY, .policy = logged);
        expect(t, "ambiguous b", "no release", .address = "203.0.113.1", .port = 1536, .at = T(0) + DAY + 1,
               .policy = logged);
        /* without the policy the realm of the inside address is not known: all of them are in question */
        expect(t, "ambiguous a b", "", .address = "203.0.113.1", .port = 1536, .at = T(30));
        /* the box is not who is behind it, until it is nobody's translation */
        expect(t, "unknown", "shared by a translation", .address = "203.0.113.2", .at = time_now(), .policy = logged);
        expect(t, "exact box", "", .address = "203.0.113.2", .at = time_now());
}

#define DET HEAD "cgnat n { from 1970-01-02 inside 100.64.0.0/24 outside 203.0.113.0/31 }\n"

static void arithmetic_leads_inside(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        assert_yes(t, subscribe(t, "box", "203.0.113.0/30"));
        FEED(t, .prefix = "100.64.0.1", .line = "user:a", .realm = "n", .start = T(0), .end = T(60), .why = "Lost");
        FEED(t, .prefix = "100.64.0.1", .line = "user:b", .realm = "n", .start = T(60), .end = TIME_NEVER);
        FEED(t, .prefix = "100.64.0.2", .line = "user:x", .realm = "n", .start = T(0), .end = TIME_NEVER);
        expect(t, "exact a", "", .address = "203.0.113.0", .port = 1536, .at = T(30), .policy = DET);
        expect(t, "exact b", "", .address = "203.0.113.0", .port = 2047, .proto = "udp", .at = T(61), .policy = DET);
        expect(t, "ambiguous a b", "changed hands", .address = "203.0.113.0", .port = 2047, .at = T(60),
               .tolerance = SECOND, .policy = DET);
        expect(t, "exact user:x", "", .address = "203.0.113.0", .port = 2048, .at = T(30), .policy = DET);
        expect(t, "ambiguous a user:x", "124 more addresses behind", .address = "203.0.113.0", .at = T(30),
               .policy = DET);
        expect(t, "unknown", "behind it is 100.64.0.0 of n", .address = "203.0.113.0", .port = 1024, .at = T(30),
               .policy = DET);
        expect(t, "unknown", "not among the ports", .address = "203.0.113.0", .port = 25, .at = T(30), .policy = DET);
        expect(t, "exact a", "inside cgnat n", .address = "100.64.0.1", .at = T(30), .policy = DET);
        expect(t, "exact a", "private", .address = "100.64.0.1", .at = T(30));
        expect(t, "exact a", "", .address = "100.64.0.1", .realm = "n", .at = T(30));
        expect(t, "unknown", "", .address = "100.64.0.1", .realm = "m", .at = T(30));
        expect(t, "unknown", "", .address = "203.0.113.0", .port = 1536, .at = HOUR, .policy = DET); /* before `from` */
        /* where the log speaks, nothing is computed */
        FEED(t, .prefix = "203.0.113.0", .line = "inside:100.64.0.2", .low = 1536, .high = 2047, .start = T(0),
             .end = TIME_NEVER);
        expect(t, "exact user:x", "by the log", .address = "203.0.113.0", .port = 1536, .at = T(30), .policy = DET);
}

static void a_policy_that_said_otherwise_is_heard(void **state)
{
        struct a_ledger *t = *state;
        static const char other[] = HEAD "cgnat n { inside 100.64.0.0/24 outside 203.0.113.0/31 block 1024 }\n";
        static const char versions[] = HEAD "cgnat n { inside 100.64.0.0/24 outside 203.0.113.0/31 }\n"
                                            "cgnat n { from \"1972-09-27 00:30\" inside 100.64.0.0/24 outside "
                                            "203.0.113.0/31 block 1024 }\n"; /* T(30) */
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        FEED(t, .prefix = "100.64.0.1", .line = "user:a", .realm = "n", .start = T(0), .end = TIME_NEVER);
        FEED(t, .prefix = "100.64.0.0", .line = "user:b", .realm = "n", .start = T(0), .end = TIME_NEVER);
        expect(t, "exact a", "", .address = "203.0.113.0", .port = 1536, .at = T(30), .policy = DET, .then = DET);
        expect(t, "ambiguous a b", "generation 3, in force then", .address = "203.0.113.0", .port = 1536, .at = T(30),
               .policy = DET, .then = other);
        expect(t, "exact a", "", .address = "203.0.113.0", .port = 1536, .at = T(30), .policy = DET, .then = HEAD);
        expect(t, "exact a", "does not know", .address = "203.0.113.0", .port = 1536, .at = T(30), .policy = HEAD,
               .then = DET);
        expect(t, "exact a", "", .address = "203.0.113.0", .port = 1536, .at = T(29), .policy = versions);
        expect(t, "exact b", "", .address = "203.0.113.0", .port = 1536, .at = T(30), .policy = versions);
        expect(t, "ambiguous a b", "began within the tolerance", .address = "203.0.113.0", .port = 1536, .at = T(30),
               .tolerance = SECOND, .policy = versions);
}

static void a_line_that_gets_its_subscriber_later(void **state)
{
        struct a_ledger *t = *state;
        FEED(t, .prefix = "198.51.100.7", .line = "user:a", .start = T(0), .end = T(60));
        expect(t, "exact user:a", "", .address = "198.51.100.7", .at = T(30));
        assert_yes(t, subscribe(t, "a", NULL));
        expect(t, "exact a", "", .address = "198.51.100.7", .at = T(30));
        /* an id that is given out again is another man, and so is the next who gets the line */
        assert_yes(t, client_subscriber_remove(t->client, S("a"), S("left")));
        assert_yes(t, subscribe(t, "a", NULL));
        struct resolve_answer r = ask(t, &(struct asking){ .address = "198.51.100.7", .at = T(30) });
        assert_string_equal(words(t, &r), "exact a");
        assert_true(r.holders[0].subscriber.removed != TIME_NEVER);
}

static void a_late_stop_corrects_the_answer(void **state)
{
        struct a_ledger *t = *state;
        assert_yes(t, subscribe(t, "a", NULL));
        assert_yes(t, subscribe(t, "b", NULL));
        FEED(t, .prefix = "198.51.100.7", .line = "user:a", .start = T(0), .end = TIME_NEVER);
        expect(t, "exact a", "", .address = "198.51.100.7", .at = T(30));
        FEED(t, .prefix = "198.51.100.7", .line = "user:a", .start = T(0), .end = T(20), .why = "Lost-Carrier");
        expect(t, "unknown", "ended 10m before (Lost-Carrier)", .address = "198.51.100.7", .at = T(30));
        FEED(t, .prefix = "198.51.100.7", .line = "user:b", .start = T(25), .end = TIME_NEVER);
        expect(t, "exact b", "", .address = "198.51.100.7", .at = T(30));
        FEED(t, .prefix = "198.51.100.7", .line = "user:b", .start = T(25), .end = T(25)); /* taken back */
        expect(t, "unknown", "", .address = "198.51.100.7", .at = T(30));
}

static void there_is_an_end_to_what_is_listed(void **state)
{
        struct a_ledger *t = *state;
        enum { SHARERS = 1100 };
        static const char many[] = HEAD "cgnat n { inside 100.64.0.0/20 outside 203.0.113.0/31 block 16 }\n";
        static struct lease all[SHARERS];
        static char names[SHARERS][16];
        for (size_t i = 0; i < SHARERS; i++) {
                snprintf(names[i], sizeof names[i], "u%zu", i);
                all[i] = (struct lease){ .prefix = prefix_at("100.64.0.0"),
                                         .realm = S("n"),
                                         .start = T(0),
                                         .end = TIME_NEVER,
                                         .line = { S("user"), slice_of(names[i]) },
                                         .source = S("radius"),
                                         .user = slice_of(names[i]) };
                all[i].prefix.addr.b[14] = (uint8_t)(i >> 8);
                all[i].prefix.addr.b[15] = (uint8_t)i;
        }
        assert_yes(t, client_leases_put(t->client, S(""), S(""), all, SHARERS, NULL));
        struct resolve_answer r = ask(t, &(struct asking){ .address = "203.0.113.0", .at = T(30), .policy = many });
        assert_int_equal(r.verdict, RESOLVE_AMBIGUOUS);
        assert_int_equal(r.n, RESOLVE_MOST);
        assert_true(r.more && has_reason(&r, "only the first 1000"));
}

static int an_archive_new(void **state)
{
        archived = true;
        return a_ledger_new(state);
}

static int an_archive_free(void **state)
{
        archived = false;
        return a_ledger_free(state);
}

#define WITH_LEDGER(f) cmocka_unit_test_setup_teardown(f, a_ledger_new, a_ledger_free)
#define WITH_ARCHIVE(f) cmocka_unit_test_setup_teardown(f, an_archive_new, an_archive_free)

int main(void)
{
        const struct CMUnitTest tests[] = { WITH_LEDGER(one_holder_is_exact),
                                            WITH_ARCHIVE(one_holder_is_exact),
                                            WITH_ARCHIVE(hands_that_change_within_the_tolerance),
                                            WITH_ARCHIVE(presumed_ends),
                                            WITH_ARCHIVE(port_blocks_of_a_log),
                                            WITH_ARCHIVE(arithmetic_leads_inside),
                                            WITH_ARCHIVE(a_line_that_gets_its_subscriber_later),
                                            WITH_LEDGER(hands_that_change_within_the_tolerance),
                                            WITH_LEDGER(two_leases_at_once_are_told_apart_by_nobody),
                                            WITH_LEDGER(the_more_specific_holds_while_it_is_there),
                                            WITH_LEDGER(presumed_ends),
                                            WITH_LEDGER(port_blocks_of_a_log),
                                            WITH_LEDGER(arithmetic_leads_inside),
                                            WITH_LEDGER(a_policy_that_said_otherwise_is_heard),
                                            WITH_LEDGER(a_line_that_gets_its_subscriber_later),
                                            WITH_LEDGER(a_late_stop_corrects_the_answer),
                                            WITH_LEDGER(there_is_an_end_to_what_is_listed) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
