/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a segment. Everything that comes from the file is looked at before it is used as a place or a length. */
#include "ledger/segment_format.h"

#include "base/time.h"
#include "ledger/line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

struct check {
        uint64_t at; /* bytes of the section, or records */
        int section; /* SECTION_COUNT: the records once more, one by one */
        struct segment_sum sum;
        uint64_t open_from, group_from;
        uint64_t corrections;
        int64_t first, last, latest;
        struct segment_row previous;
};

struct segment {
        const uint8_t *base;
        size_t size;
        bool mapped;
        struct segment_header header;
        const struct segment_record *records;
        const int64_t *latest;
        const uint64_t *postings;
        const uint8_t *texts;
        struct slice *names;
        struct segment_info info;
        struct check *check;
};

/* --- opening --- */

static int damaged(struct buf *why, const char *what)
{
        buf_clear(why);
        buf_addf(why, "is damaged: %s", what);
        return -EUCLEAN;
}

static bool section_fits(const struct segment *s, enum segment_section which, uint64_t bytes)
{
        const struct segment_extent *e = &s->header.sections[which];
        bool words = which == SECTION_RECORDS || which == SECTION_BLOCKS || which == SECTION_POSTINGS;
        return e->at >= SEGMENT_HEADER && e->at <= s->size && e->bytes <= s->size - e->at &&
               (!words || (e->at % 8 == 0 && e->bytes == bytes));
}

static const char *header_wrong(const struct segment *s)
{
        const struct segment_header *h = &s->header;
        if (memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic) != 0)
                return "it is no segment, or was not finished";
        if (h->order != SEGMENT_ORDER || h->version != SEGMENT_VERSION)
                return "it was made by another version, or on another kind of machine";
        if (h->sum != segment_sum_of(h, offsetof(struct segment_header, sum)))
                return "the sum of its header is wrong";
        if (h->leases > SEGMENT_LEASES_MOST || h->names > UINT16_MAX || h->corrections > h->leases)
                return "it has more in it than it can have";
        uint64_t blocks = (h->leases + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK;
        if (!section_fits(s, SECTION_RECORDS, h->leases * sizeof(struct segment_record)) ||
            !section_fits(s, SECTION_BLOCKS, blocks * 8) || !section_fits(s, SECTION_POSTINGS, h->leases * 8) ||
            !section_fits(s, SECTION_TEXTS, 0) || !section_fits(s, SECTION_NAMES, 0))
                return "it was cut short";
        return NULL;
}

static bool read_names(struct segment *s)
{
        const struct segment_extent *e = &s->header.sections[SECTION_NAMES];
        struct slice left = { (const char *)s->base + e->at, e->bytes };
        s->names = xcalloc(s->header.names + 1, sizeof *s->names);
        for (size_t i = 0; i < s->header.names; i++) {
                uint16_t n;
                if (left.n < sizeof n)
                        return false;
                memcpy(&n, left.p, sizeof n);
                left = slice_from(left, sizeof n);
                if (left.n < n)
                        return false;
                s->names[i] = (struct slice){ left.p, n };
                left = slice_from(left, n);
        }
        return left.n == 0;
}

static int take_apart(struct segment *s, struct buf *why)
{
        if (s->size < SEGMENT_HEADER)
                return damaged(why, "it was cut short");
        memcpy(&s->header, s->base, sizeof s->header);
        const struct segment_header *h = &s->header;
        const char *wrong = header_wrong(s);
        if (wrong)
                return damaged(why, wrong);
        s->records = (const void *)(s->base + h->sections[SECTION_RECORDS].at);
        s->latest = (const void *)(s->base + h->sections[SECTION_BLOCKS].at);
        s->postings = (const void *)(s->base + h->sections[SECTION_POSTINGS].at);
        s->texts = s->base + h->sections[SECTION_TEXTS].at;
        s->info = (struct segment_info){ h->leases, h->corrections, s->size, h->month, h->first, h->last, "" };
        snprintf(s->info.hash, sizeof s->info.hash, "%016llx", (unsigned long long)h->sum);
        return read_names(s) ? 0 : damaged(why, "its names are no list");
}

int segment_of(struct slice bytes, struct segment **ret, struct buf *why)
{
        struct segment *s = xcalloc(1, sizeof *s);
        s->base = (const uint8_t *)bytes.p;
        s->size = bytes.n;
        int status = (uintptr_t)bytes.p % 8 ? -EINVAL : take_apart(s, why);
        if (status < 0)
                segment_free(s);
        else
                *ret = s;
        return status;
}

static int map_file(const char *path, struct segment *s)
{
        struct stat st;
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd == -1 || fstat(fd, &st) == -1)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size < SEGMENT_HEADER)
                return 0; /* nothing of it: said by take_apart() */
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        s->base = p;
        s->size = (size_t)st.st_size;
        s->mapped = true;
        return 0;
}

int segment_open(const char *path, const char *hash, struct segment **ret, struct buf *why)
{
        struct segment *s = xcalloc(1, sizeof *s);
        autobuf what;
        buf_init(&what, 256);
        int status = map_file(path, s);
        if (status < 0)
                buf_adds(&what, strerror(-status));
        else
                status = take_apart(s, &what);
        if (status == 0 && hash && strcmp(hash, s->info.hash) != 0)
                status = damaged(&what, "it is not the one that the ledger lists");
        if (status == 0) {
                *ret = s;
                return 0;
        }
        buf_clear(why);
        buf_addf(why, "%s: %s", path, buf_cstr(&what));
        segment_free(s);
        return status;
}

void segment_free(struct segment *s)
{
        if (!s)
                return;
        if (s->mapped)
                munmap((void *)s->base, s->size);
        free(s->names);
        free(s->check);
        free(s);
}

void segment_release(const struct segment *s)
{
        if (s->mapped)
                madvise((void *)s->base, s->size, MADV_DONTNEED);
}

void segment_free_(struct segment **s)
{
        segment_free(*s);
}

const struct segment_info *segment_info(const struct segment *s)
{
        return &s->info;
}

bool segment_has_length(const struct segment *s, unsigned length)
{
        return length <= 128 && s->header.lengths[length / 64] >> length % 64 & 1;
}

/* --- one record --- */

int64_t segment_start(const struct segment *s, uint64_t i)
{
        return i < s->header.leases ? s->records[i].start : INT64_MAX;
}

int64_t segment_end(const struct segment *s, uint64_t i)
{
        return i < s->header.leases ? s->records[i].end : INT64_MIN;
}

struct prefix segment_prefix(const struct segment *s, uint64_t i)
{
        if (i >= s->header.leases)
                return (struct prefix){ .len = 0 };
        return (struct prefix){ s->records[i].address, s->records[i].length };
}

bool segment_has_port(const struct segment *s, uint64_t i, uint16_t port)
{
        if (i >= s->header.leases)
                return false;
        const struct segment_record *r = &s->records[i];
        return r->port_high == 0 || (port >= r->port_low && port <= r->port_high);
}

static bool get_number(struct slice *left, uint64_t *ret)
{
        *ret = 0;
        for (unsigned shift = 0; shift < 35 && left->n; shift += 7) {
                uint8_t byte = (uint8_t)*left->p;
                *left = slice_from(*left, 1);
                *ret |= (uint64_t)(byte & 0x7f) << shift;
                if (byte < 0x80)
                        return true;
        }
        return false;
}

static bool get_text(struct slice *left, uint64_t n, struct slice *ret)
{
        if (n > left->n || n > UINT16_MAX)
                return false;
        *ret = (struct slice){ left->p, n };
        *left = slice_from(*left, n);
        return true;
}

static bool read_text(const struct segment *s, uint64_t at, struct segment_row *row)
{
        const struct segment_extent *e = &s->header.sections[SECTION_TEXTS];
        struct lease *l = &row->lease;
        uint64_t value, session, user, evidence;
        if (at > e->bytes)
                return false;
        struct slice left = { (const char *)s->texts + at, e->bytes - at };
        if (!get_number(&left, &value) || !get_number(&left, &session) || !get_number(&left, &user) ||
            !get_number(&left, &evidence))
                return false;
        bool own = user >= SEGMENT_USER_OWN;
        if (!get_text(&left, value, &l->line.value) || !get_text(&left, session, &l->session) ||
            !get_text(&left, own ? user - SEGMENT_USER_OWN : 0, &l->user) || !get_text(&left, evidence, &l->evidence))
                return false;
        size_t n = segment_line_text(l->line.kind, l->line.value, row->user);
        if (user == 1)
                l->user = l->line.value;
        else if (user == 0)
                l->user = (struct slice){ row->user, n };
        return n > 0;
}

int segment_read(const struct segment *s, uint64_t i, struct segment_row *row)
{
        if (i >= s->header.leases)
                return -EUCLEAN;
        const struct segment_record *r = &s->records[i];
        const uint16_t names[] = { r->realm, r->nas, r->source, r->why, r->proto, r->kind };
        struct lease *l = &row->lease;
        struct slice *const texts[] = { &l->realm, &l->nas, &l->source, &l->why_ended, &l->proto, &l->line.kind };
        *l = (struct lease){ .prefix = { r->address, r->length },
                             .start = r->start,
                             .end = r->end,
                             .port_low = r->port_low,
                             .port_high = r->port_high };
        row->flags = r->flags;
        for (size_t k = 0; k < COUNT_OF(names); k++) {
                if (names[k] >= s->header.names)
                        return -EUCLEAN;
                *texts[k] = s->names[names[k]];
        }
        return r->length <= 128 && r->start <= r->end && read_text(s, r->text, row) ? 0 : -EUCLEAN;
}

/* --- looking --- */

static int place_cmp(const struct segment *s, uint64_t i, const struct prefix *p, int64_t start)
{
        const struct segment_record *r = &s->records[i];
        int order = memcmp(r->address.b, p->addr.b, sizeof p->addr.b);
        if (order)
                return order;
        if (r->length != p->len)
                return r->length < p->len ? -1 : 1;
        return r->start < start ? -1 : r->start > start;
}

static bool same_prefix(const struct segment_record *r, const struct prefix *p)
{
        return r->length == p->len && memcmp(r->address.b, p->addr.b, sizeof p->addr.b) == 0;
}

uint64_t segment_find(const struct segment *s, const struct prefix *p, int64_t start, uint64_t from)
{
        uint64_t n = s->header.leases, low = from < n ? from : n, step = 1;
        if (from)
                while (low < n && n - low > step && place_cmp(s, low + step, p, start) < 0) {
                        low += step;
                        step *= 2;
                }
        uint64_t high = from && n - low > step ? low + step : n;
        while (low < high) {
                uint64_t middle = low + (high - low) / 2;
                if (place_cmp(s, middle, p, start) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

int segment_stab(const struct segment *s, const struct prefix *p, int64_t from, int64_t until,
                 int (*each)(void *arg, const struct segment *s, uint64_t i), void *arg)
{
        uint64_t floor = 0, i = segment_find(s, p, until, 0);
        bool bounded = false;
        while (i > floor) {
                const struct segment_record *r = &s->records[--i];
                if (!same_prefix(r, p))
                        break;
                if (!bounded && r->start <= from) {
                        bounded = true;
                        floor = r->back <= i ? i - r->back : 0;
                }
                int status = r->end > from ? each(arg, s, i) : 0;
                if (status)
                        return status;
                /* Whole blocks that were over by then, as long as they are of this prefix. */
                while (i % SEGMENT_BLOCK == 0 && i > floor && i - floor >= SEGMENT_BLOCK &&
                       s->latest[i / SEGMENT_BLOCK - 1] <= from && same_prefix(&s->records[i - 1], p))
                        i -= SEGMENT_BLOCK;
        }
        return 0;
}

int segment_of_line(const struct segment *s, const struct line *line,
                    int (*each)(void *arg, const struct segment *s, uint64_t i), void *arg)
{
        uint64_t hash = segment_line_hash(s->header.key, line->kind, line->value), low = 0, high = s->header.leases;
        while (low < high) {
                uint64_t middle = low + (high - low) / 2;
                if (s->postings[middle] < hash << 32)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < s->header.leases && s->postings[low] >> 32 == hash; low++) {
                int status = each(arg, s, (uint32_t)s->postings[low]);
                if (status)
                        return status;
        }
        return 0;
}

static int text_cmp(struct slice a, struct slice b)
{
        int order = memcmp(a.p ? a.p : "", b.p ? b.p : "", a.n < b.n ? a.n : b.n);
        return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

int segment_key_cmp(const struct lease *a, const struct lease *b)
{
        int order = prefix_cmp(&a->prefix, &b->prefix);
        if (order || a->start != b->start)
                return order ? order : a->start < b->start ? -1 : 1;
        const struct slice x[] = { a->source, a->nas, a->session, a->user };
        const struct slice y[] = { b->source, b->nas, b->session, b->user };
        for (size_t i = 0; order == 0 && i < COUNT_OF(x); i++)
                order = text_cmp(x[i], y[i]);
        return order;
}

/* --- checking all of it --- */

static int check_record(struct segment *s, uint64_t i, struct buf *why)
{
        struct check *c = s->check;
        const struct segment_record *r = &s->records[i];
        struct segment_row row;
        if (segment_read(s, i, &row) < 0)
                return damaged(why, "a record points outside");
        struct prefix masked = prefix_of(r->address, r->length);
        if (prefix_cmp(&masked, &row.lease.prefix) != 0 || !segment_has_length(s, r->length))
                return damaged(why, "a record has an impossible prefix");
        if (i && segment_key_cmp(&c->previous.lease, &row.lease) >= 0)
                return damaged(why, "its records are not in order");
        if (s->header.month >= 0 && month_of(r->end) != s->header.month)
                return damaged(why, "a record is of another month");
        if (i == 0 || !same_prefix(&s->records[i - 1], &row.lease.prefix))
                c->open_from = i;
        while (c->open_from < i && s->records[c->open_from].end <= r->start)
                c->open_from++;
        c->latest = i % SEGMENT_BLOCK == 0 || r->end > c->latest ? r->end : c->latest;
        bool last_of_block = i % SEGMENT_BLOCK == SEGMENT_BLOCK - 1 || i + 1 == s->header.leases;
        if (r->back != i - c->open_from || (last_of_block && s->latest[i / SEGMENT_BLOCK] != c->latest) ||
            (uint32_t)s->postings[i] >= s->header.leases || (i && s->postings[i] <= s->postings[i - 1]))
                return damaged(why, "its index is wrong");
        c->first = r->start < c->first ? r->start : c->first;
        c->last = r->end > c->last ? r->end : c->last;
        c->corrections += (r->flags & SEGMENT_CORRECTS) != 0;
        c->previous = row;
        if (row.lease.user.p == row.user)
                c->previous.lease.user.p = c->previous.user;
        return 0;
}

static int check_records(struct segment *s, uint64_t budget, struct buf *why)
{
        struct check *c = s->check;
        uint64_t some = budget / sizeof(struct segment_record) + 1;
        int status = 0;
        for (; status == 0 && c->at < s->header.leases && some; some--)
                status = check_record(s, c->at++, why);
        if (status < 0 || c->at < s->header.leases)
                return status < 0 ? status : 1;
        if (c->corrections != s->header.corrections ||
            (s->header.leases && (c->first != s->header.first || c->last != s->header.last)))
                return damaged(why, "its header says otherwise than its records");
        return 0;
}

static int check_section(struct segment *s, uint64_t budget, struct buf *why)
{
        struct check *c = s->check;
        const struct segment_extent *e = &s->header.sections[c->section];
        uint64_t some = e->bytes - c->at < budget ? e->bytes - c->at : budget;
        if (c->at == 0)
                segment_sum_init(&c->sum);
        segment_sum_add(&c->sum, s->base + e->at + c->at, some);
        c->at += some;
        if (c->at < e->bytes)
                return 1;
        if (segment_sum_end(&c->sum) != e->sum)
                return damaged(why, "its sum is wrong");
        c->section++;
        c->at = 0;
        return 1;
}

int segment_check(struct segment *s, uint64_t budget, struct buf *why)
{
        if (!s->check) {
                s->check = xcalloc(1, sizeof *s->check);
                s->check->first = INT64_MAX;
                s->check->last = INT64_MIN;
        }
        int status = s->check->section < SECTION_COUNT ? check_section(s, budget, why) : check_records(s, budget, why);
        segment_release(s);
        return status;
}

/* --- months --- */

int64_t month_of(int64_t at)
{
        time_t t = (time_t)(at / SECOND);
        struct tm tm;
        if (at < 0 || at >= INT64_C(253402300800) * SECOND || !gmtime_r(&t, &tm))
                return at < 0 ? 0 : INT64_C(12) * 8030; /* past the year 9999 */
        return (tm.tm_year - 70) * 12 + tm.tm_mon;
}

int64_t month_begin(int64_t month)
{
        struct tm tm = { .tm_year = (int)(70 + month / 12), .tm_mon = (int)(month % 12), .tm_mday = 1 };
        return timegm(&tm) * SECOND;
}

const char *month_print(int64_t month, char out[MONTH_TEXT_MAX])
{
        snprintf(out, MONTH_TEXT_MAX, "%04d-%02d", (int)(1970 + month / 12), (int)(month % 12 + 1));
        return out;
}
