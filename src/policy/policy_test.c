/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#define HEAD "network \"Example\" { timezone America/Sao_Paulo }\nclass home { port25 block }\n"

static struct policy *parse_named(const char *name, const char *text, struct diags *d)
{
        struct policy_input in = { .name = slice_of(name), .text = slice_of(text) };
        return policy_parse(&in, d);
}

static struct policy *parse(const char *text)
{
        autodiags *d = diags_new();
        autobuf said;
        struct policy *p = parse_named("f", text, d);
        buf_init(&said, 1 << 20);
        diags_print(d, &said);
        if (!p)
                fail_msg("%s", buf_cstr(&said));
        return p;
}

/* The messages, without their excerpts. */
static void said(const struct diags *d, struct buf *out)
{
        autobuf all;
        buf_init(&all, 1 << 20);
        buf_init(out, 1 << 20);
        diags_print(d, &all);
        for (struct slice rest, text = buf_slice(&all); text.n; text = rest) {
                struct slice line = slice_cut(text, '\n', &rest);
                if (!slice_starts(line, S("  ")))
                        buf_addf(out, "%.*s\n", SLICE_ARGS(line));
        }
}

static void expect_said(const struct diags *d, const char *want)
{
        autobuf got;
        said(d, &got);
        assert_string_equal(buf_cstr(&got), want);
}

static int64_t when(const char *text)
{
        int64_t at;
        assert_int_equal(time_parse(slice_of(text), TIME_FIRST_INSTANT, &at), TIME_OK);
        return at;
}

static void expect_slice(struct slice got, const char *want)
{
        if (!slice_eq(got, slice_of(want)))
                fail_msg("\"%.*s\", want \"%s\"", SLICE_ARGS(got), want);
}

static void expect_prefix(const struct prefix *got, const char *want)
{
        char text[PREFIX_TEXT_MAX];
        assert_string_equal(prefix_print(got, text), want);
}

static void the_sketch_becomes_values(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        autopolicy *p = policy_load("tests/policy/sketch.conf", d);
        assert_non_null(p);
        expect_slice(p->network.name, "Sercomtel");
        expect_slice(p->network.timezone, "America/Sao_Paulo");
        expect_slice(p->network.language, "pt-BR");
        expect_slice(p->network.abuse, "abuse@example.net.br");
        assert_int_equal(p->n_servers, 2);
        assert_int_equal(p->servers[0].n_addresses, 2);
        assert_int_equal(p->servers[0].customers, STRATEGY_DIVERT);
        assert_int_equal(p->servers[1].customers, STRATEGY_OPEN);
        expect_slice(p->servers[1].host_name, "smtps.example.net.br");
        assert_int_equal(p->n_classes, 3);
        assert_true(p->classes[2].told_first);
        assert_false(p->classes[1].told_first);
        assert_int_equal(p->n_prefixes, 4);
        static const char *const prefixes[] = { "2001:db8:100::/40", "192.0.2.0/24", "198.51.100.0/24",
                                                "2001:db8:200::/48" };
        static const uint8_t delegated[] = { 56, 128, 128, 64 };
        for (size_t i = 0, at; i < 4; i++) {
                struct prefix want;
                prefix_parse(slice_of(prefixes[i]), &want);
                const struct policy_prefix *found = policy_find_prefix(p, &want.addr);
                assert_non_null(found);
                at = (size_t)(found - p->prefixes);
                expect_prefix(&p->prefixes[at].prefix, prefixes[i]);
                assert_int_equal(p->prefixes[at].delegated, delegated[i]);
        }
        expect_slice(p->pools[2].interface, "vlan120");
        assert_int_equal(p->pools[2].port25, STRATEGY_OPEN);
        assert_int_equal(p->pools[0].port25, STRATEGY_NONE);
        assert_int_equal(p->cgnats[0].block, 512);
        assert_int_equal(p->cgnats[0].port_high, 65535);
        assert_int_equal(p->cgnats[0].from, when("2026-01-01"));
        assert_int_equal(p->waves[0].from, when("2026-12-01 00:00"));
        assert_int_equal(p->waves[0].n_prefixes, 1);
        assert_int_equal(p->waves[2].classes[0], 0);
        assert_int_equal(p->exemptions[0].until, when("2028-01-01") - 1);
        assert_true(policy_never_cut(p, S("20002")));
        assert_false(policy_never_cut(p, S("2000")));
        assert_true(p->tunnels.teredo && p->tunnels.six_to_four && p->tunnels.six_in_four);
        assert_true(p->quarantine.by_rule);
        assert_int_equal(p->quarantine.grace, 2 * HOUR);
        assert_int_equal(p->gate.mark, 0x2500);
        assert_int_equal(p->gate.mask, 0xff00);
}

static void what_is_not_written_has_its_default(void **state)
{
        (void)state;
        autopolicy *p = parse(HEAD "pool a { class home prefix 2001:db8::/32, 2001:db9::/80, 2001:dba::1 }\n"
                                   "cgnat n { inside 100.64.0.0/16 outside 203.0.113.0/24 }\n");
        expect_slice(p->network.language, "pt-BR");
        assert_int_equal(p->prefixes[0].delegated, 64);
        assert_int_equal(p->prefixes[1].delegated, 128); /* longer than 64: each customer has an address */
        assert_int_equal(p->prefixes[2].delegated, 128);
        assert_int_equal(p->cgnats[0].from, when("1970-01-01"));
        assert_int_equal(p->cgnats[0].port_low, 1024);
        assert_int_equal(p->cgnats[0].block, 512);
        assert_false(p->tunnels.teredo || p->tunnels.six_to_four || p->tunnels.six_in_four);
        assert_int_equal(p->suspicion.half_life, DAY);
        assert_true(p->suspicion.points_trap == 5 && p->suspicion.points_divert == 1 &&
                    p->suspicion.points_complaint == 10);
        assert_true(p->suspicion.points_syn == 0.01 && p->suspicion.points_other == 1);
        assert_false(p->quarantine.by_rule);
        assert_true(p->quarantine.after == 20);
        assert_int_equal(p->quarantine.level, LEVEL_MAIL);
        assert_int_equal(p->quarantine.duration, DAY);
        assert_int_equal(p->gate.table, 2500);
        assert_int_equal(p->gate.nflog_group, 25);
        assert_false(p->gate.open_if_edge_down);
        assert_int_equal(p->gate.edge, EDGE_LOCAL);
        assert_int_equal(p->gate.divert_port, 2525);
        assert_int_equal(p->gate.trap_port, 2526);
        assert_int_equal(p->n_never_cut, 0);
}

static void the_gate_is_read(void **state)
{
        (void)state;
        char text[ADDR_TEXT_MAX];
        autopolicy *p = parse(
            HEAD "pool a { class home prefix 192.0.2.0/24, 2001:db8::/32 }\n"
                 "gate { mark 9472/65280 table 0x9c4 nflog-group 0 divert-port 25 if-edge-down open\n"
                 "  edge dnat 203.0.113.9, 2001:db9::9 }\nquarantine { after 7.5 level captive reach 203.0.113.53,\n"
                 "  2001:db9::53 }\n");
        assert_int_equal(p->gate.mark, 0x2500);
        assert_int_equal(p->gate.table, 2500);
        assert_int_equal(p->gate.nflog_group, 0);
        assert_true(p->gate.open_if_edge_down);
        assert_int_equal(p->gate.edge, EDGE_DNAT);
        assert_string_equal(addr_print(&p->gate.edge4, text), "203.0.113.9");
        assert_string_equal(addr_print(&p->gate.edge6, text), "2001:db9::9");
        assert_int_equal(p->gate.edge_port, 25); /* the divert-port where none is given */
        assert_true(p->quarantine.after == 7.5);
        assert_int_equal(p->quarantine.n_reach, 2);
        autopolicy *q =
            parse(HEAD "pool a { class home prefix 192.0.2.0/24 }\ngate { edge dnat 203.0.113.9 port 2587 table 7 }\n");
        assert_int_equal(q->gate.edge_port, 2587);
        assert_int_equal(q->gate.table, 7);
}

static void look_ups(void **state)
{
        (void)state;
        static const struct {
                const char *address, *pool, *cgnat;
        } rows[] = {
                { "192.0.2.0", "a", NULL },    { "192.0.2.127", "a", NULL },  { "192.0.2.128", "b", NULL },
                { "192.0.3.0", NULL, NULL },   { "192.0.1.255", NULL, NULL }, { "2001:db8:ffff::1", "b", NULL },
                { "2001:db9::", NULL, NULL },  { "0.0.0.0", NULL, NULL },     { "::", NULL, NULL },
                { "100.64.3.4", NULL, "n" },   { "100.65.3.4", NULL, "n" },   { "100.66.3.4", NULL, "s" },
                { "203.0.113.1", NULL, NULL }, /* outside is of the Internet */
        };
        autopolicy *p = parse(HEAD "pool b { class home prefix 192.0.2.128/25, 2001:db8::/32 }\n"
                                   "pool a { class home prefix 192.0.2.0/25 }\n"
                                   "cgnat n { inside 100.64.0.0/16 outside 203.0.113.0/25 }\n"
                                   "cgnat n { from 2026-01-01 inside 100.64.0.0/15 outside 203.0.113.0/25 }\n"
                                   "cgnat s { inside 100.66.0.0/16 outside 203.0.113.128/25 }\n");
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct addr a;
                assert_true(addr_parse(slice_of(rows[i].address), &a));
                const struct policy_prefix *in = policy_find_prefix(p, &a);
                const struct policy_cgnat *behind = policy_find_inside(p, &a);
                expect_slice(in ? p->pools[in->pool].name : S(""), rows[i].pool);
                expect_slice(behind ? behind->name : S(""), rows[i].cgnat);
        }
        assert_int_equal(policy_find_pool(p, S("a")), 1);
        assert_int_equal(policy_find_pool(p, S("c")), p->n_pools);
        assert_int_equal(policy_find_class(p, S("home")), 0);
        assert_int_equal(policy_find_wave(p, S("home")), p->n_waves);
}

static void words_have_names(void **state)
{
        (void)state;
        for (int i = 0; i < STRATEGY_COUNT; i++)
                assert_int_equal(strategy_of(slice_of(strategy_name((enum strategy)i))), i);
        for (int i = 0; i < LEVEL_COUNT; i++)
                assert_int_equal(level_of(slice_of(level_name((enum level)i))), i);
        assert_int_equal(strategy_of(S("Block")), STRATEGY_NONE);
        assert_string_equal(strategy_name(STRATEGY_NONE), "none");
        assert_string_equal(level_name(LEVEL_NONE), "none");
        static const bool restricts[] = { false, false, true, true, true, true };
        for (int i = 0; i < STRATEGY_COUNT; i++)
                assert_int_equal(strategy_restricts((enum strategy)i), restricts[i]);
        assert_false(strategy_restricts(STRATEGY_NONE));
}

/* ---- files ---- */

struct disk {
        size_t reads;
};

/* Every file of this disk exists: it is as many bytes of comment as its name says. */
static bool read_sized(void *arg, struct slice path, char **text, size_t *n)
{
        ((struct disk *)arg)->reads++;
        uint64_t size;
        if (!slice_u64(path, POLICY_TEXT_MOST + 1, &size)) {
                errno = EACCES;
                return false;
        }
        *text = xmalloc(size + 1);
        memset(*text, '#', size);
        *n = size;
        return true;
}

static void too_much_text_is_one_message(void **state)
{
        (void)state;
        struct disk disk = { 0 };
        autofree char *big = xmalloc(POLICY_TEXT_MOST + 1);
        memset(big, 'a', POLICY_TEXT_MOST + 1);
        struct policy_input in = { .name = S("big.conf"), .text = { big, POLICY_TEXT_MOST + 1 } };
        autodiags *d = diags_new();
        assert_null(policy_parse(&in, d));
        expect_said(d, "error: big.conf is longer than a policy can be, 32 MiB\n");
        autodiags *e = diags_new();
        in = (struct policy_input){ .name = S("f"),
                                    .text = S("include \"30000000\"\ninclude \"3554400\"\ninclude \"4000\"\n"),
                                    .read = read_sized,
                                    .read_arg = &disk };
        assert_null(policy_parse(&in, e));
        expect_said(e, "f:2:9: error: with 3554400 the policy is longer than it can be, 32 MiB\n");
        assert_int_equal(disk.reads, 3);
}

static void what_cannot_be_read_is_said_at_its_line(void **state)
{
        (void)state;
        struct disk disk = { 0 };
        autodiags *d = diags_new();
        struct policy_input in = { .name = S("etc/f"),
                                   .text = S("include \"x\" include 7 include \"\"\n"),
                                   .read = read_sized,
                                   .read_arg = &disk };
        assert_null(policy_parse(&in, d));
        expect_said(d, "etc/f:1:9: error: cannot read etc/x: Permission denied\n"
                       "etc/f:1:21: error: cannot read etc/7: Permission denied\n"
                       "etc/f:1:31: error: cannot read etc/: Permission denied\n");
        autodiags *e = diags_new();
        in.read = NULL;
        assert_null(policy_parse(&in, e));
        autobuf got;
        said(e, &got);
        assert_true(slice_starts(buf_slice(&got), S("etc/f:1:9: error: nothing can be included here\n")));
        autodiags *f = diags_new();
        assert_null(policy_load("/nonexistent/porteiro.conf", f));
        expect_said(f, "error: cannot read /nonexistent/porteiro.conf: No such file or directory\n");
        autodiags *g = diags_new();
        assert_null(policy_load("/", g));
        expect_said(g, "error: cannot read /: Is a directory\n");
}

static bool read_numbered(void *arg, struct slice path, char **text, size_t *n)
{
        (void)arg;
        (void)path;
        *text = xstrdup("# empty\n");
        *n = 8;
        return true;
}

static void files_are_counted(void **state)
{
        (void)state;
        autobuf text;
        buf_init(&text, 1 << 20);
        for (int i = 0; i < DIAG_SOURCES_MOST + 1; i++)
                buf_addf(&text, "include \"%d\"\n", i);
        struct policy_input in = { .name = S("f"), .text = buf_slice(&text), .read = read_numbered };
        autodiags *d = diags_new();
        assert_null(policy_parse(&in, d));
        expect_said(
            d, "f:1000:9: error: a policy has 1000 files at most\nf:1001:9: error: a policy has 1000 files at most\n");
        assert_int_equal(diags_sources(d), DIAG_SOURCES_MOST);
}

static void flattens_to_the_same(void **state)
{
        (void)state;
        char folder[] = "/tmp/policy-test-XXXXXX";
        assert_non_null(mkdtemp(folder));
        autofree char *path = xasprintf("%s/porteiro.conf", folder), *sub = xasprintf("%s/sub", folder);
        autofree char *classes = xasprintf("%s/sub/classes.conf", folder),
                      *pools = xasprintf("%s/sub/pools.conf", folder);
        assert_int_equal(mkdir(sub, 0700), 0);
        const char *const texts[][2] = {
                { path, "network x { timezone UTC }\ninclude \"sub/classes.conf\" include \"sub/pools.conf\"\nwave w { "
                        "from 2027-01-01 "
                        "port25 shift }" },
                { classes, "#@ file nothing\nclass home { port25 open }" },
                { pools, "# pools\n\n   pool a { class home prefix 192.0.2.0/24 }\n" },
        };
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
                FILE *f = fopen(texts[i][0], "w");
                fputs(texts[i][1], f);
                fclose(f);
        }
        autodiags *d = diags_new();
        autopolicy *p = policy_load(path, d);
        assert_non_null(p);
        autobuf flat, twice, place;
        buf_init(&flat, 1 << 20);
        buf_init(&twice, 1 << 20);
        buf_init(&place, 1000);
        policy_flatten(d, &flat);
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                unlink(texts[i][0]);
        rmdir(sub);
        rmdir(folder);

        autodiags *e = diags_new();
        autopolicy *q = parse_named("generation 7", buf_cstr(&flat), e);
        assert_non_null(q);
        place_print(e, q->prefixes[0].place, &place); /* still the line the operator wrote */
        autofree char *want = xasprintf("%s:3:31", pools);
        assert_string_equal(buf_cstr(&place), want);
        assert_memory_equal(&q->prefixes[0].place, &p->prefixes[0].place, sizeof(struct place));
        policy_flatten(e, &twice);
        assert_string_equal(buf_cstr(&flat), buf_cstr(&twice));
}

/* Only a text that begins with the mark holds several files. */
static void a_mark_in_the_middle_is_a_comment(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        autopolicy *p = parse_named("f", HEAD "#@ file other.conf\npool a { class home interface eth0 }\n", d);
        assert_non_null(p);
        assert_int_equal(diags_sources(d), 1);
        autodiags *e = diags_new();
        autopolicy *q = parse_named(
            "f", "#@ file main\n" HEAD "pool a { class home interface eth0 }\n#@ file lost\npool b { }\n", e);
        assert_non_null(q); /* nobody includes "lost" */
        autodiags *g = diags_new();
        assert_null(parse_named("f", "#@ file ", g));
        assert_int_equal(diags_sources(g), 1);
}

/* ---- against the past and the machine ---- */

static void new_waves_in_the_past_are_named(void **state)
{
        (void)state;
#define POOL "pool a { class home interface lo }\n"
        autopolicy *old = parse(
            HEAD POOL "wave kept { from 2026-01-01 port25 block }\nwave moved { from 2026-06-01 port25 block }\n");
        autodiags *d = diags_new();
        autopolicy *p = parse_named(
            "f",
            HEAD POOL "wave kept { from 2026-01-01 port25 open }\nwave moved { from 2026-02-01 port25 block }\n"
                      "wave added { from 2026-03-01 port25 block }\nwave later { from 2026-12-01 port25 block }\n",
            d);
        assert_non_null(p);
        policy_check_against(p, NULL, when("2026-07-01"), d);
        policy_check_against(p, p, when("2026-07-01"), d);
        expect_said(d, "");
        policy_check_against(p, old, when("2026-07-01"), d);
        expect_said(d, "f:5:6: warning: wave \"moved\" is moved and began in the past, at 2026-02-01 00:00:00 -0300\n"
                       "help: it is in force at once\n"
                       "f:6:6: warning: wave \"added\" is new and began in the past, at 2026-03-01 00:00:00 -0300\n"
                       "help: it is in force at once\n");
}

static void missing_interfaces_are_warned_of(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        autopolicy *p = parse_named(
            "f", HEAD POOL "pool b { class home interface no-such-if }\npool c { class home prefix 192.0.2.0/24 }\n",
            d);
        assert_non_null(p);
        policy_check_machine(p, d);
        expect_said(d, "f:4:31: warning: interface no-such-if does not exist on this machine\n");
        assert_int_equal(diags_errors(d), 0);
}

static void mistakes_of_before_do_not_count(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        diag_error(d, (struct place){ 0 }, "of someone else");
        autopolicy *p = parse_named("f", HEAD POOL, d);
        assert_non_null(p);
}

/* Many prefixes, all of them nested: found by sorting, and the messages have an end. */
static void many_overlaps_have_an_end(void **state)
{
        (void)state;
        autobuf text;
        buf_init(&text, 8 << 20);
        buf_adds(&text, HEAD "pool a { class home prefix 10.0.0.0/8 }\npool b { class home\n");
        for (int i = 0; i < 50000; i++)
                buf_addf(&text, "prefix 10.%d.%d.0/24\n", i >> 8 & 255, i & 255);
        buf_adds(&text, "}\n");
        autodiags *d = diags_new();
        assert_null(parse_named("f", buf_cstr(&text), d));
        assert_int_equal(diags_errors(d), 50000);
        autobuf out;
        buf_init(&out, 8 << 20);
        diags_print(d, &out);
        assert_true(slice_ends(buf_slice(&out), S("and 49000 more\n")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_sketch_becomes_values),
                cmocka_unit_test(what_is_not_written_has_its_default),
                cmocka_unit_test(the_gate_is_read),
                cmocka_unit_test(look_ups),
                cmocka_unit_test(words_have_names),
                cmocka_unit_test(too_much_text_is_one_message),
                cmocka_unit_test(what_cannot_be_read_is_said_at_its_line),
                cmocka_unit_test(files_are_counted),
                cmocka_unit_test(flattens_to_the_same),
                cmocka_unit_test(a_mark_in_the_middle_is_a_comment),
                cmocka_unit_test(new_waves_in_the_past_are_named),
                cmocka_unit_test(missing_interfaces_are_warned_of),
                cmocka_unit_test(mistakes_of_before_do_not_count),
                cmocka_unit_test(many_overlaps_have_an_end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
