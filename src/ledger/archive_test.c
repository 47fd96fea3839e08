/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything answers the same from the live table, from the archive, and half from each. */
#include "ledger/archive_keep.h"
#include "ledger/pile.h"
#include "ledger/test_support.h"
#include "ledger/upkeep.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PEOPLE = 8, LEASES = 600, ADDRESSES = 10 };
#define NOVEMBER (INT64_C(1793491200) * SECOND) /* 2026-11-01 */

struct facts {
        struct lease all[LEASES];
        char texts[LEASES][2][32];
        size_t n;
};

static uint64_t seed = 88172645463325252u;

static int64_t chance(uint64_t below)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (int64_t)(seed % below);
}

static struct prefix some_prefix(void)
{
        static const char *const all[] = { "192.0.2.1",    "192.0.2.2",       "192.0.2.3",         "192.0.2.64/28",
                                           "192.0.2.65",   "2001:db8:5::/56", "2001:db8:5:1::/64", "2001:db8:5:2::/64",
                                           "198.51.100.9", "203.0.113.128" };
        return prefix_at(all[chance(ADDRESSES)]);
}

/* Over three months; some of people nobody knows. */
static void make_facts(struct facts *f, size_t n)
{
        f->n = n;
        for (size_t i = 0; i < n; i++) {
                struct lease *l = &f->all[i];
                int who = (int)chance(PEOPLE + 2);
                snprintf(f->texts[i][0], sizeof f->texts[i][0], "%d", who);
                snprintf(f->texts[i][1], sizeof f->texts[i][1], "session-%zu", i);
                *l = (struct lease){ .prefix = some_prefix(),
                                     .start = NOVEMBER - 60 * DAY + chance(80 * 24) * HOUR + (int64_t)i,
                                     .line = { S("user"), slice_of(f->texts[i][0]) },
                                     .user = slice_of(f->texts[i][0]),
                                     .session = slice_of(f->texts[i][1]),
                                     .nas = S("bras1"),
                                     .source = S("radius"),
                                     .evidence = S("detail:1"),
                                     .realm = chance(5) ? S("") : S("norte"),
                                     .why_ended = S("User-Request") };
                l->end = l->start + 1 + chance(chance(9) ? 30 : 700) * HOUR;
                if (chance(4) == 0) {
                        l->port_low = (uint16_t)(1024 + 512 * chance(4));
                        l->port_high = (uint16_t)(l->port_low + 511);
                        l->proto = chance(2) ? S("tcp") : S("");
                }
        }
}

static void people(struct a_ledger *t)
{
        for (int i = 0; i < PEOPLE; i++) {
                char id[8];
                snprintf(id, sizeof id, "%d", i);
                assert_yes(t, subscribe(t, id, NULL));
        }
}

static void say(struct buf *out, const char *what, const struct lease *l, size_t n)
{
        char text[PREFIX_TEXT_MAX];
        buf_addf(out, "%s\n", what);
        for (size_t i = 0; i < n; i++)
                buf_addf(out, "  %s %u-%u %.*s %lld %lld %.*s:%.*s sub=%.*s %.*s %.*s %.*s %.*s realm=%.*s %.*s\n",
                         prefix_print(&l[i].prefix, text), l[i].port_low, l[i].port_high, SLICE_ARGS(l[i].proto),
                         (long long)l[i].start, (long long)l[i].end, SLICE_ARGS(l[i].line.kind),
                         SLICE_ARGS(l[i].line.value), SLICE_ARGS(l[i].subscriber), SLICE_ARGS(l[i].source),
                         SLICE_ARGS(l[i].nas), SLICE_ARGS(l[i].session), SLICE_ARGS(l[i].user), SLICE_ARGS(l[i].realm),
                         SLICE_ARGS(l[i].why_ended));
}

/* Every reader of leases, asked a few hundred questions: all that it says. */
static void ask(struct a_ledger *t, struct buf *out)
{
        struct ledger *r = NULL;
        autobuf why;
        buf_init(&why, 4096);
        assert_int_equal(ledger_open_why(t->dir, &r, &why), 0);
        struct lease *l = NULL;
        size_t n = 0;
        uint64_t kept = seed;
        seed = 4711;
        for (size_t i = 0; i < 150; i++) {
                struct prefix p = some_prefix();
                int64_t at = NOVEMBER - 62 * DAY + chance(100 * 24) * HOUR, until = at + 1 + chance(5) * DAY;
                arena_clear(t->arena);
                if (ledger_holders(r, t->arena, &p.addr, at, &l, &n) != 0)
                        fail_msg("%s", ledger_error(r));
                say(out, "holders", l, n);
                uint16_t port = (uint16_t)(chance(2) * (1024 + chance(2000)));
                assert_int_equal(
                    ledger_holders_between(r, t->arena, &p.addr, port, chance(2) ? S("tcp") : S(""), at, until, &l, &n),
                    0);
                say(out, "between", l, n);
                char id[8];
                snprintf(id, sizeof id, "%d", (int)chance(PEOPLE));
                assert_int_equal(ledger_leases_of(r, t->arena, slice_of(id), at, &l, &n), 0);
                say(out, "of", l, n);
                assert_int_equal(
                    ledger_lease_list(r, t->arena, i % 3 ? slice_of(id) : S(""), at, i % 2 ? 7 : SIZE_MAX, &l, &n), 0);
                say(out, "list", l, n);
                struct person person;
                assert_int_equal(ledger_person(r, t->arena, slice_of(id), at, &person), 0);
                buf_addf(out, "person %zu\n", person.n_leases);
        }
        seed = kept;
        struct sighting *g;
        assert_int_equal(ledger_sightings(r, t->arena, S(""), 0, TIME_NEVER, 1000, &g, &n), 0);
        for (size_t i = 0; i < n; i++)
                buf_addf(out, "sighting %zu %.*s\n", g[i].holders, SLICE_ARGS(g[i].subscriber));
        assert_int_equal(ledger_sightings(r, t->arena, S("3"), 0, TIME_NEVER, 1000, &g, &n), 0);
        buf_addf(out, "sightings of 3: %zu\n", n);
        ledger_close(r);
}

static void sightings(struct a_ledger *t)
{
        struct sighting all[60];
        for (size_t i = 0; i < COUNT_OF(all); i++)
                all[i] = (struct sighting){ .source = S("trap"),
                                            .prefix = i % 5 ? some_prefix() : prefix_at("2001:db8:5::/48"),
                                            .at = NOVEMBER - 60 * DAY + chance(80 * 24) * HOUR,
                                            .count = 1 };
        assert_yes(t, client_sightings_add(t->client, all, COUNT_OF(all), 0, 0));
}

static void assert_same_text(const struct buf *got, const struct buf *want)
{
        if (got->n == want->n && memcmp(got->p, want->p, want->n) == 0)
                return;
        size_t i = 0;
        while (i < got->n && i < want->n && got->p[i] == want->p[i])
                i++;
        size_t from = i > 600 ? i - 600 : 0;
        fail_msg("at byte %zu:\n%.*s\n--- want:\n%.*s", i, (int)(i + 300 < got->n ? 900 : got->n - from), got->p + from,
                 (int)(i + 300 < want->n ? 900 : want->n - from), want->p + from);
}

#define a_text(name)                                                                                                   \
        autobuf name;                                                                                                  \
        buf_init(&name, 256 << 20)

/* The keeper's work, as if `now` were then, until there is none left. */
static void keep(struct a_ledger *t, int64_t now)
{
        struct writer *w = NULL;
        autobuf why;
        buf_init(&why, 4096);
        client_close(take(t->client));
        assert_int_equal(writer_open(t->dir, &w, &why), 0);
        struct upkeep *u = upkeep_new(w);
        for (int idle = 0; idle < 3;)
                idle = upkeep_step(u, now) < SECOND / 10 ? 0 : idle + 1;
        archive_bury(writer_ledger(w), true);
        upkeep_free(u);
        writer_close(w);
        assert_int_equal(client_open(t->dir, &t->client, &why), 0);
}

static void put(struct a_ledger *t, const struct lease *all, size_t n)
{
        for (size_t i = 0; i < n; i += 100)
                assert_yes(t, client_leases_put(t->client, S(""), S(""), all + i, n - i < 100 ? n - i : 100, NULL));
}

static void moving_changes_no_answer(void **state)
{
        struct a_ledger *t = *state;
        autofree struct facts *f = xcalloc(1, sizeof *f);
        make_facts(f, LEASES);
        a_text(before);
        people(t);
        sightings(t);
        put(t, f->all, f->n);
        ask(t, &before);
        /* by days: segments of all ages, merged as they come */
        for (int day = -60; day <= 60; day += 15) {
                a_text(after);
                keep(t, NOVEMBER + day * DAY);
                ask(t, &after);
                assert_same_text(&after, &before);
        }
        struct lease *l;
        size_t n;
        assert_int_equal(ledger_leases_open(t->reader, t->arena, S("radius"), 0, &l, &n), 0);
        assert_int_equal(n, 0); /* none is in the live table any more */
}

static void import(struct a_ledger *t, const struct lease *all, size_t n, size_t memory, struct pile_result *ret)
{
        autobuf why;
        buf_init(&why, 4096);
        autopile *p = NULL;
        assert_int_equal(pile_new(t->dir, memory, &p, &why), 0);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(pile_add(p, &all[i]), 0);
        int status = pile_commit(p, t->client, NULL, 0, false, NULL, ret);
        if (status != 0)
                fail_msg("%s", pile_why(p));
}

static size_t files_in(struct a_ledger *t, const char *folder)
{
        size_t n = 0;
        autofree char *path = xasprintf("%s/leases/%s", t->dir, folder);
        DIR *list = opendir(path);
        for (struct dirent *e; list && (e = readdir(list));)
                n += e->d_name[0] != '.';
        if (list)
                closedir(list);
        return n;
}

static void a_pile_answers_as_the_live_table(void **state)
{
        struct a_ledger *t = *state;
        autofree struct facts *f = xcalloc(1, sizeof *f);
        struct pile_result r;
        make_facts(f, LEASES);
        a_text(before);
        a_text(after);
        people(t);
        sightings(t);
        put(t, f->all, f->n);
        ask(t, &before);
        import(t, f->all, f->n, 0, &r); /* known in the live table */
        assert_int_equal(r.known, LEASES);
        assert_int_equal(r.added + r.corrected + r.segments, 0);
        for (size_t i = 0; i < f->n; i++) { /* taken back, every one */
                struct lease gone = f->all[i];
                gone.end = gone.start;
                put(t, &gone, 1);
        }
        import(t, f->all, f->n / 2, 0, &r);
        assert_int_equal(r.added, LEASES / 2);
        import(t, f->all, f->n, 0, &r);
        assert_int_equal(r.added, LEASES / 2);
        assert_int_equal(r.known, LEASES / 2);
        ask(t, &after);
        assert_same_text(&after, &before);
        assert_int_equal(files_in(t, "incoming"), 0);
        keep(t, NOVEMBER + 90 * DAY);
        buf_clear(&after);
        ask(t, &after);
        assert_same_text(&after, &before);
        assert_int_equal(files_in(t, "2026-10"), 1); /* a month that is over is one file */
}

static struct lease of_alice(int64_t start, int64_t end, const char *why)
{
        return (struct lease){ .prefix = prefix_at("192.0.2.1"),
                               .start = start,
                               .end = end,
                               .line = { S("user"), S("alice") },
                               .user = S("alice"),
                               .session = S("s1"),
                               .source = S("radius"),
                               .why_ended = slice_of(why) };
}

/* The one lease that counts, wherever it stands, ends so. */
static void assert_one(struct a_ledger *t, size_t row, const char *when, int64_t end)
{
        struct ledger *r = NULL;
        struct lease *l;
        size_t n;
        struct prefix p = prefix_at("192.0.2.1");
        assert_int_equal(ledger_open(t->dir, &r), 0);
        if (ledger_holders_between(r, t->arena, &p.addr, 0, S(""), 0, TIME_NEVER, &l, &n) != 0)
                fail_msg("%s", ledger_error(r));
        if (n != 1 || l[0].end != end)
                fail_msg("row %zu, %s: %zu leases, the first until %lld, want %lld", row, when, n,
                         n ? (long long)l[0].end : 0, (long long)end);
        assert_int_equal(ledger_holders(r, t->arena, &p.addr, end, &l, &n), 0);
        assert_int_equal(n, 0);
        ledger_close(r);
}

/* What is known, what an import says of it, and which of them is right. */
static void corrections(void **state)
{
        const int64_t s = NOVEMBER - 2 * DAY;
        const struct {
                int64_t known;
                const char *known_why;
                int64_t start, said;
                const char *said_why;
                int64_t want;
        } rows[] = {
                { s + DAY, "User-Request", s, s + DAY, "User-Request", s + DAY },
                { s + DAY, "silent", s, s + HOUR, "User-Request", s + HOUR },
                { s + DAY, "silent", s, s + 5 * DAY, "User-Request", s + 5 * DAY }, /* another month */
                { s + 5 * DAY, "expired", s, s + DAY, "User-Request", s + DAY },    /* and back */
                { s + DAY, "User-Request", s, s + 2 * HOUR, "silent", s + DAY },
                { s + DAY, "User-Request", s, s + 2 * DAY, "replaced", s + DAY },
                { s + DAY, "User-Request", s, s + DAY + HOUR, "Lost-Carrier", s + DAY + HOUR },
                { s + DAY, "User-Request", s, s + HOUR, "Lost-Carrier", s + DAY },
                { s + DAY, "silent", s + 3 * SECOND, s + HOUR, "User-Request", s + HOUR },
                { s + DAY, "silent", s - 3 * SECOND, s + 6 * DAY, "User-Request", s + 6 * DAY },
                { s + DAY, "User-Request", s - 4 * SECOND, s + HOUR, "no stop seen", s + DAY },
        };
        (void)state;
        for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
                bool live = i % 2;
                size_t k = i / 2;
                struct pile_result r;
                struct a_ledger *t = NULL;
                struct lease known = of_alice(s, rows[k].known, rows[k].known_why);
                struct lease said = of_alice(rows[k].start, rows[k].said, rows[k].said_why);
                assert_int_equal(a_ledger_new((void **)&t), 0);
                if (live)
                        put(t, &known, 1);
                else
                        import(t, &known, 1, 0, &r);
                import(t, &said, 1, 0, &r);
                assert_int_equal(r.added, 0);
                assert_int_equal(r.corrected, rows[k].want != rows[k].known);
                assert_one(t, k, live ? "live" : "archived", rows[k].want);
                keep(t, NOVEMBER + DAY);
                assert_one(t, k, "moved", rows[k].want);
                import(t, &said, 1, 0, &r);
                assert_int_equal(r.known, 1);
                keep(t, NOVEMBER + 90 * DAY);
                assert_one(t, k, "merged", rows[k].want);
                a_ledger_free((void **)&t);
        }
}

/* A feed that changes its mind after the lease was archived. */
static void feeds_correct_the_archive(void **state)
{
        struct a_ledger *t = *state;
        struct lease *l;
        size_t n;
        struct lease lease = of_alice(NOVEMBER, NOVEMBER + HOUR, "silent");
        put(t, &lease, 1);
        for (int i = 0; i < 3; i++) {
                keep(t, NOVEMBER + 9 * DAY);
                assert_one(t, 0, "archived", lease.end);
                lease.end += 20 * DAY; /* the second one is of another month */
                put(t, &lease, 1);
                assert_one(t, 0, "corrected", lease.end);
                keep(t, NOVEMBER + 70 * DAY);
                assert_one(t, 0, "archived again", lease.end);
        }
        lease.end = lease.start;
        put(t, &lease, 1);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(
                    ledger_holders_between(t->reader, t->arena, &lease.prefix.addr, 0, S(""), 0, TIME_NEVER, &l, &n),
                    0);
                assert_int_equal(n, 0);
                keep(t, NOVEMBER + (80 + 40 * i) * DAY);
        }
}

static void open_leases_go_to_the_live_table(void **state)
{
        struct a_ledger *t = *state;
        struct pile_result r;
        struct lease *l;
        size_t n;
        autobuf why;
        buf_init(&why, 4096);
        for (int i = 0; i < 2; i++) {
                autopile *p = NULL;
                struct lease open = of_alice(NOVEMBER + i * SECOND, TIME_NEVER, "");
                assert_int_equal(pile_new(t->dir, 0, &p, &why), 0);
                assert_int_equal(pile_add(p, &open), -EINVAL);
                assert_int_equal(pile_commit(p, t->client, &open, 1, true, NULL, &r), 0);
                assert_int_equal(r.added, i == 0);
                assert_int_equal(pile_commit(p, t->client, &open, 0, false, NULL, &r), -EINVAL);
                pile_free(take(p));
                assert_int_equal(pile_new(t->dir, 0, &p, &why), 0);
                assert_int_equal(pile_commit(p, t->client, &open, 1, false, NULL, &r), 0);
                assert_int_equal(r.added, i == 0);
                assert_int_equal(ledger_leases_open(t->reader, t->arena, S("radius"), NOVEMBER, &l, &n), 0);
                assert_int_equal(n, 1);
        }
}

/* More of them than one transaction takes, beside some that are over. */
static void many_open_leases_go_in_parts(void **state)
{
        struct a_ledger *t = *state;
        enum { MANY = 1201 };
        autobuf why;
        buf_init(&why, 4096);
        for (int round = 0; round < 2; round++) {
                autopile *p = NULL;
                struct pile_result r;
                struct lease *all;
                size_t n;
                assert_int_equal(pile_new(t->dir, 0, &p, &why), 0);
                for (int i = 0; i < MANY; i++) {
                        char session[32];
                        struct lease l = of_alice(NOVEMBER + i, i % 8 ? TIME_NEVER : NOVEMBER + i + HOUR, "");
                        snprintf(session, sizeof session, "session-%d", i);
                        l.session = slice_of(session);
                        l.prefix.addr.b[15] = (uint8_t)(i % 200);
                        assert_int_equal(i % 8 ? pile_add_live(p, &l) : pile_add(p, &l), 0);
                }
                assert_int_equal(pile_commit(p, t->client, NULL, 0, false, NULL, &r), 0);
                assert_int_equal(round ? r.known : r.added, MANY);
                assert_int_equal(ledger_leases_open(t->reader, t->arena, S("radius"), NOVEMBER, &all, &n), 0);
                assert_int_equal(n, MANY - (MANY + 7) / 8);
                assert_int_equal(ledger_lease_list(t->reader, t->arena, S(""), 0, SIZE_MAX, &all, &n), 0);
                assert_int_equal(n, MANY);
        }
        int64_t from = 0;
        assert_no(t, client_segments_live(t->client, S("1-1.seg"), &from), "was not looked through");
        bool more;
        autofree char *pipe = xasprintf("%s/leases/incoming/pipe.seg", t->dir);
        assert_int_equal(mkfifo(pipe, 0600), 0);
        alarm(60); /* nobody ever writes into it */
        assert_no(t, client_segments_check(t->client, S("pipe.seg"), &more), "was cut short");
        alarm(0);
        from = -1;
        assert_int_equal(client_segments_live(t->client, S("1-1.seg"), &from), -EBADMSG);
}

/* More than fits into its memory: runs in a file, and the same result. */
static void a_pile_spills(void **state)
{
        struct a_ledger *t = *state;
        enum { MANY = 40000 };
        struct pile_result r;
        autobuf why;
        buf_init(&why, 4096);
        for (int round = 0; round < 2; round++) {
                autopile *p = NULL;
                assert_int_equal(pile_new(t->dir, 1 << 20, &p, &why), 0);
                for (size_t i = 0; i < MANY; i++) {
                        char session[32], user[32];
                        size_t k = i * 7919 % MANY;
                        snprintf(session, sizeof session, "session-%zu", k);
                        snprintf(user, sizeof user, "user%zu", k % 100);
                        struct lease l = of_alice(NOVEMBER + (int64_t)k * MINUTE, NOVEMBER + (int64_t)(k + 1) * MINUTE,
                                                  "User-Request");
                        l.session = slice_of(session);
                        l.user = l.line.value = slice_of(user);
                        l.prefix.addr.b[15] = (uint8_t)(k % 200);
                        assert_int_equal(pile_add(p, &l), 0);
                }
                assert_int_equal(pile_commit(p, t->client, NULL, 0, false, NULL, &r), 0);
                assert_int_equal(round ? r.known : r.added, MANY);
        }
        struct lease *all;
        size_t n;
        assert_int_equal(ledger_lease_list(t->reader, t->arena, S(""), 0, SIZE_MAX, &all, &n), 0);
        assert_int_equal(n, MANY);
}

/* Killed at any moment of an import: all of it is there, or nothing. */
static void a_killed_import_leaves_nothing_half_done(void **state)
{
        struct a_ledger *t = *state;
        enum { ROUNDS = 25, EACH = 3000 };
        size_t there = 0;
        client_close(take(t->client));
        for (int round = 0; round < ROUNDS; round++) {
                pid_t child = fork();
                if (child == 0) {
                        autobuf why;
                        struct pile *p = NULL;
                        struct pile_result r;
                        buf_init(&why, 4096);
                        if (client_open(t->dir, &t->client, &why) || pile_new(t->dir, 1 << 20, &p, &why))
                                _exit(1);
                        for (int i = 0; i < EACH; i++) {
                                char session[32];
                                struct lease l =
                                    of_alice(NOVEMBER + i * HOUR, NOVEMBER + (i + 1) * HOUR, "User-Request");
                                snprintf(session, sizeof session, "%d-%d", round, i);
                                l.session = slice_of(session);
                                pile_add(p, &l);
                        }
                        _exit(pile_commit(p, t->client, NULL, 0, false, NULL, &r) != 0);
                }
                usleep((useconds_t)chance(round % 5 ? 60000 : 2000000));
                kill(child, SIGKILL);
                assert_int_equal(waitpid(child, NULL, 0), child);
                autobuf why;
                struct lease *all;
                size_t n;
                buf_init(&why, 4096);
                assert_int_equal(client_open(t->dir, &t->client, &why), 0);
                arena_clear(t->arena);
                if (ledger_lease_list(t->reader, t->arena, S(""), 0, SIZE_MAX, &all, &n) != 0)
                        fail_msg("%s", ledger_error(t->reader));
                assert_true(n == there || n == there + EACH);
                there = n;
                client_close(take(t->client));
        }
        struct writer *w = NULL;
        autobuf why;
        buf_init(&why, 4096);
        assert_int_equal(writer_open(t->dir, &w, &why), 0);
        assert_int_equal(archive_sweep(writer_ledger(w)), 0);
        writer_close(w);
        assert_int_equal(files_in(t, "incoming"), 0);
}

/* A third of them ends on the 5th, the others on the 25th, and each has a NAS of its own. */
static void import_of_many_nas(struct a_ledger *t, int round, int many, const struct lease *extra)
{
        autobuf why;
        autopile *p = NULL;
        struct pile_result r;
        buf_init(&why, 4096);
        assert_int_equal(pile_new(t->dir, 0, &p, &why), 0);
        assert_int_equal(pile_add(p, extra), 0);
        for (int i = 0; i < many; i++) {
                char nas[32];
                int64_t day = NOVEMBER - (i % 3 ? 7 : 27) * DAY;
                struct lease l = of_alice(day + i, day + i + HOUR, "User-Request");
                snprintf(nas, sizeof nas, "nas%d-%d", round, i);
                l.nas = slice_of(nas);
                l.prefix.addr.b[15] = (uint8_t)(2 + i % 200);
                assert_int_equal(pile_add(p, &l), 0);
        }
        assert_int_equal(pile_commit(p, t->client, NULL, 0, false, NULL, &r), 0);
}

static size_t leases_there(struct a_ledger *t)
{
        struct lease *all;
        size_t n;
        arena_clear(t->arena);
        assert_int_equal(ledger_lease_list(t->reader, t->arena, S(""), 0, SIZE_MAX, &all, &n), 0);
        return n;
}

/* More names in a month than one segment has room for; what is corrected in the newer one does not stand up again in the older. */
static void a_month_of_many_segments_is_forgotten(void **state)
{
        struct a_ledger *t = *state;
        enum { MANY = 60000 };
        struct forgotten done = { .leases = 0 };
        int more = 1;
        int64_t s = NOVEMBER - 29 * DAY;
        struct lease first = of_alice(s, s + 25 * DAY, "silent"), right = of_alice(s, s + DAY, "User-Request");
        import_of_many_nas(t, 0, MANY, &first);
        import_of_many_nas(t, 1, MANY, &right);
        assert_int_equal(leases_there(t), 2 * MANY + 1);
        while (more) {
                assert_yes(t, client_forget(t->client, &(struct forget_before){ .leases = NOVEMBER - 20 * DAY }, &done,
                                            &more));
                usleep(more == 2 ? 50000 : 0);
        }
        assert_int_equal(leases_there(t), MANY / 3 * 4);
        assert_true(done.leases > MANY / 3 * 2);
        assert_int_equal(files_in(t, "2026-10"), 2);
}

static void a_clock_that_is_years_ahead_forgets_nothing(void **state)
{
        struct a_ledger *t = *state;
        int64_t now = time_now(), offset = now - time_monotonic();
        assert_yes(t, subscribe(t, "1", "192.0.2.1")); /* an audit row, of now */
        assert_false(upkeep_clock_doubted(t->reader, now, offset));
        assert_false(upkeep_clock_doubted(t->reader, now + 30 * MINUTE, offset)); /* NTP set it right */
        assert_true(upkeep_clock_doubted(t->reader, now + 2 * HOUR, offset));
        assert_true(upkeep_clock_doubted(t->reader, now - 2 * HOUR, offset));
        /* it was wrong before we started: nothing was heard of for years */
        assert_true(upkeep_clock_doubted(t->reader, now + 1000 * DAY, offset + 1000 * DAY));
        assert_false(upkeep_clock_doubted(t->reader, now + 29 * DAY, offset + 29 * DAY));
}

static void bans_that_are_over_are_forgotten(void **state)
{
        struct a_ledger *t = *state;
        struct forgotten done;
        struct ban *all;
        size_t n;
        int more = 1;
        struct ban ban = { .until = time_now() + 100000, .reason = S("guessing"), .evidence = S("") };
        assert_int_equal(prefix_parse(S("203.0.113.9"), &ban.prefix), PREFIX_OK);
        assert_yes(t, client_ban_add(t->client, &ban, NULL, NULL));
        ban.until = time_now() + DAY;
        assert_int_equal(prefix_parse(S("203.0.113.10"), &ban.prefix), PREFIX_OK);
        assert_yes(t, client_ban_add(t->client, &ban, NULL, NULL));
        usleep(150000);
        const struct forget_before before = { .leases = time_now() - 365 * DAY, .sightings = time_now() };
        while (more) {
                assert_yes(t, client_forget(t->client, &before, &done, &more));
                usleep(more == 2 ? 50000 : 0);
        }
        assert_int_equal(ledger_bans(t->reader, t->arena, time_now(), false, &all, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(all[0].prefix.addr.b[15], 10);
}

struct walk {
        struct a_ledger *t;
        size_t n;
};

static bool is_any(void *arg, const struct lease *lease)
{
        (void)arg, (void)lease;
        return true;
}

static void count_and_remove(void *arg, const struct lease *lease)
{
        struct walk *w = arg;
        (void)lease;
        if (w->n++)
                return;
        autofree char *path = xasprintf("%s/leases/2026-11/2.seg", w->t->dir);
        assert_int_equal(unlink(path), 0);
}

/* A walk over all may take longer than a merged segment lingers: it has what it began with. */
static void a_walk_keeps_what_goes_away_meanwhile(void **state)
{
        struct a_ledger *t = *state;
        struct pile_result r;
        struct walk w = { .t = t };
        bool began;
        for (int i = 0; i < 2; i++) {
                struct lease l = of_alice(NOVEMBER + i * HOUR, NOVEMBER + i * HOUR + MINUTE, "User-Request");
                import(t, &l, 1, 0, &r);
        }
        assert_int_equal(db_snapshot(t->reader, &began), 0);
        int status = archive_each(t->reader, is_any, count_and_remove, &w);
        assert_int_equal(db_snapshot_end(t->reader, began, status), 0);
        assert_int_equal(w.n, 2);
}

static void a_damaged_segment_is_said(void **state)
{
        struct a_ledger *t = *state;
        struct pile_result r;
        struct lease lease = of_alice(NOVEMBER, NOVEMBER + HOUR, "User-Request"), *l;
        size_t n;
        import(t, &lease, 1, 0, &r);
        autofree char *path = xasprintf("%s/leases/2026-11/1.seg", t->dir);
        assert_int_equal(truncate(path, 4150), 0);
        assert_int_equal(ledger_holders(t->reader, t->arena, &lease.prefix.addr, NOVEMBER, &l, &n), -EUCLEAN);
        assert_non_null(strstr(ledger_error(t->reader), "1.seg: is damaged: it was cut short"));
        assert_int_equal(ledger_holders(t->reader, t->arena, &lease.prefix.addr, NOVEMBER - DAY, &l, &n), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(ledger_holders(t->reader, t->arena, &lease.prefix.addr, NOVEMBER, &l, &n), -EAGAIN);
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, a_ledger_new, a_ledger_free)

int main(void)
{
        const struct CMUnitTest tests[] = {
                A_TEST(moving_changes_no_answer),
                A_TEST(a_pile_answers_as_the_live_table),
                cmocka_unit_test(corrections),
                A_TEST(feeds_correct_the_archive),
                A_TEST(open_leases_go_to_the_live_table),
                A_TEST(many_open_leases_go_in_parts),
                A_TEST(a_pile_spills),
                A_TEST(a_killed_import_leaves_nothing_half_done),
                A_TEST(a_month_of_many_segments_is_forgotten),
                A_TEST(a_clock_that_is_years_ahead_forgets_nothing),
                A_TEST(bans_that_are_over_are_forgotten),
                A_TEST(a_walk_keeps_what_goes_away_meanwhile),
                A_TEST(a_damaged_segment_is_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
