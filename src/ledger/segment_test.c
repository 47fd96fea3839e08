/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/segment_format.h"
#include "ledger/test_support.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { MANY = 5000, ADDRESSES = 12 };

struct made {
        struct lease all[MANY];
        char session[MANY][24], user[MANY][24], evidence[MANY][40];
        char path[128];
        struct segment *segment;
};

static uint64_t seed = 88172645463325252u;

static uint64_t chance(uint64_t below)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed % below;
}

static int by_key(const void *a, const void *b)
{
        return segment_key_cmp(a, b);
}

static struct slice text_of(char *out, size_t size, const char *what, uint64_t n)
{
        return (struct slice){ out, (size_t)snprintf(out, size, "%s%llu", what, (unsigned long long)n) };
}

#define NOVEMBER (INT64_C(1793491200) * SECOND) /* 2026-11-01 */

static void one(struct made *m, size_t i)
{
        struct lease *l = &m->all[i];
        struct slice user = text_of(m->user[i], sizeof m->user[i], "alice", chance(100));
        /* One address has most of them, and one lease that lasts over all. */
        struct prefix p = prefix_at(chance(2) ? "192.0.2.1" : "2001:db8::");
        p.addr.b[15] = (uint8_t)(p.addr.b[15] + chance(2) * chance(ADDRESSES));
        p.len = prefix_is_v4(&p) ? 128 : 56;
        p.addr = addr_mask(p.addr, p.len);
        l->prefix = p;
        l->start = NOVEMBER + (int64_t)chance(1000) * HOUR / 2 - 2 * DAY;
        l->end = l->start + (int64_t)(chance(50) ? chance(3) * HOUR : chance(20 * 24) * HOUR);
        l->end = l->end < NOVEMBER ? NOVEMBER : l->end > NOVEMBER + 29 * DAY ? NOVEMBER + 29 * DAY : l->end;
        l->line = (struct line){ S("user"), user };
        l->user = chance(2) ? user : S("somebody else");
        l->session = text_of(m->session[i], sizeof m->session[i], "s", i);
        l->evidence = text_of(m->evidence[i], sizeof m->evidence[i], "detail:", i);
        l->source = chance(2) ? S("radius") : S("dhcp");
        l->nas = chance(3) ? S("bras1") : S("");
        l->realm = chance(3) ? S("") : S("norte");
        l->why_ended = S("User-Request");
        l->port_low = chance(2) ? 0 : 1024;
        l->port_high = l->port_low ? 2047 : 0;
        l->proto = l->port_low ? S("tcp") : S("");
}

static int make(void **state)
{
        if (a_folder_new(state))
                return -1;
        struct a_ledger *t = *state;
        struct made *m = xcalloc(1, sizeof *m);
        struct segment_writer *w = NULL;
        autobuf why;
        buf_init(&why, 1024);
        t->client = (void *)m;
        snprintf(m->path, sizeof m->path, "%s/1.seg", t->dir);
        for (size_t i = 0; i < MANY; i++)
                one(m, i);
        qsort(m->all, MANY, sizeof *m->all, by_key);
        if (segment_writer_new(m->path, month_of(NOVEMBER), MANY + 100, &w, &why))
                return -1;
        for (size_t i = 0; i < MANY; i++)
                if (segment_writer_add(w, &m->all[i], i == 7 ? SEGMENT_CORRECTS : 0))
                        return -1;
        while (segment_writer_finish(w, 100) > 0)
                ;
        segment_writer_free(w, true);
        return segment_open(m->path, NULL, &m->segment, &why);
}

static int drop(void **state)
{
        struct a_ledger *t = *state;
        struct made *m = (void *)t->client;
        segment_free(m->segment);
        free(m);
        t->client = NULL;
        return a_ledger_free(state);
}

static struct made *made(void **state)
{
        return (void *)((struct a_ledger *)*state)->client;
}

static void assert_same(const struct lease *a, const struct lease *b)
{
        assert_int_equal(segment_key_cmp(a, b), 0);
        assert_int_equal(a->end, b->end);
        assert_int_equal(a->port_low, b->port_low);
        assert_int_equal(a->port_high, b->port_high);
        const struct slice x[] = { a->realm, a->proto, a->line.kind, a->line.value, a->why_ended, a->evidence };
        const struct slice y[] = { b->realm, b->proto, b->line.kind, b->line.value, b->why_ended, b->evidence };
        for (size_t i = 0; i < COUNT_OF(x); i++)
                assert_true(slice_eq(x[i], y[i]));
}

static void what_was_written_is_read(void **state)
{
        struct made *m = made(state);
        struct segment_row row;
        assert_int_equal(segment_info(m->segment)->leases, MANY);
        assert_int_equal(segment_info(m->segment)->corrections, 1);
        for (size_t i = 0; i < MANY; i++) {
                assert_int_equal(segment_read(m->segment, i, &row), 0);
                assert_same(&row.lease, &m->all[i]);
                assert_int_equal(row.flags, i == 7 ? SEGMENT_CORRECTS : 0);
        }
        assert_int_equal(segment_read(m->segment, MANY, &row), -EUCLEAN);
}

static int mark(void *arg, const struct segment *s, uint64_t i)
{
        (void)s;
        assert_int_equal(((char *)arg)[i], 0);
        ((char *)arg)[i] = 1;
        return 0;
}

static void a_stab_finds_what_overlaps(void **state)
{
        struct made *m = made(state);
        char seen[MANY];
        for (size_t round = 0; round < 3000; round++) {
                struct prefix p = m->all[chance(MANY)].prefix;
                int64_t from = NOVEMBER + (int64_t)chance(40 * 24) * HOUR - 3 * DAY;
                int64_t until = chance(2) ? from + 1 : from + (int64_t)chance(5 * 24) * HOUR;
                memset(seen, 0, sizeof seen);
                assert_int_equal(segment_stab(m->segment, &p, from, until, mark, seen), 0);
                for (size_t i = 0; i < MANY; i++) {
                        const struct lease *l = &m->all[i];
                        bool want = prefix_cmp(&l->prefix, &p) == 0 && l->start < until && l->end > from;
                        if (want != seen[i])
                                fail_msg("record %zu: seen %d, want %d", i, seen[i], want);
                }
        }
}

static void lines_are_found(void **state)
{
        struct made *m = made(state);
        char seen[MANY];
        for (size_t round = 0; round < 100; round++) {
                struct line line = m->all[chance(MANY)].line;
                memset(seen, 0, sizeof seen);
                assert_int_equal(segment_of_line(m->segment, &line, mark, seen), 0);
                for (size_t i = 0; i < MANY; i++)
                        assert_int_equal(seen[i], slice_eq(m->all[i].line.value, line.value));
        }
}

static void places_are_found_from_anywhere(void **state)
{
        struct made *m = made(state);
        for (size_t round = 0; round < 3000; round++) {
                uint64_t i = chance(MANY), from = chance(i + 1), want = i;
                while (want > from && m->all[want - 1].start == m->all[i].start &&
                       prefix_cmp(&m->all[want - 1].prefix, &m->all[i].prefix) == 0)
                        want--;
                assert_int_equal(segment_find(m->segment, &m->all[i].prefix, m->all[i].start, from), want);
        }
}

/* The answer of the whole check, however it is sliced. */
static int checked(const char *path, uint64_t budget)
{
        autobuf why;
        buf_init(&why, 1024);
        autosegment *s = NULL;
        int status = segment_open(path, NULL, &s, &why);
        if (status == 0)
                while ((status = segment_check(s, budget, &why)) > 0)
                        ;
        if (status < 0)
                assert_non_null(strstr(buf_cstr(&why), "is damaged"));
        return status;
}

static void every_damage_is_found(void **state)
{
        struct made *m = made(state);
        struct stat st;
        assert_int_equal(checked(m->path, 1000), 0);
        assert_int_equal(checked(m->path, UINT32_MAX), 0);
        autoclose int fd = open(m->path, O_RDWR);
        assert_int_equal(fstat(fd, &st), 0);
        const struct segment_header *h = &(struct segment_header){ 0 };
        struct segment_header header;
        assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
        h = &header;
        for (size_t round = 0; round < 300; round++) {
                const struct segment_extent *e = &h->sections[round % SECTION_COUNT];
                uint64_t at = round % 7 ? e->at + chance(e->bytes) : chance(sizeof header);
                char was, changed;
                assert_int_equal(pread(fd, &was, 1, (off_t)at), 1);
                changed = (char)(was ^ (1 << chance(8)));
                assert_int_equal(pwrite(fd, &changed, 1, (off_t)at), 1);
                if (checked(m->path, 1 << 20) != -EUCLEAN)
                        fail_msg("byte %llu of section %zu", (unsigned long long)at, round % SECTION_COUNT);
                assert_int_equal(pwrite(fd, &was, 1, (off_t)at), 1);
        }
        for (off_t cut = st.st_size - 1; cut > 0; cut /= 2) {
                assert_int_equal(ftruncate(fd, cut), 0);
                assert_int_equal(checked(m->path, 1 << 20), -EUCLEAN);
        }
}

static void months(void **state)
{
        char text[MONTH_TEXT_MAX];
        (void)state;
        assert_string_equal(month_print(month_of(NOVEMBER), text), "2026-11");
        assert_string_equal(month_print(month_of(NOVEMBER - 1), text), "2026-10");
        assert_int_equal(month_begin(month_of(NOVEMBER + 3 * DAY)), NOVEMBER);
        assert_int_equal(month_of(0), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_written_is_read), cmocka_unit_test(a_stab_finds_what_overlaps),
                cmocka_unit_test(lines_are_found),          cmocka_unit_test(places_are_found_from_anywhere),
                cmocka_unit_test(every_damage_is_found),    cmocka_unit_test(months),
        };
        return cmocka_run_group_tests(tests, make, drop);
}
