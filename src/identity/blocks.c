/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who had which ports of an outside address, as translators log it: a block is given to an inside address, and taken back.
 *
 * The lease of a block is of the outside address, in the Internet; its line is inside:ADDRESS, and who had that address is another lease
 * (identity/resolve.h follows it). Where a translator knows the user himself, the line is his. Formats:
 *
 * CSV (blocks-csv). The heading decides the columns: time, event (alloc, interim, release), outside, low, high, then inside, or user, or
 *   line (KIND:VALUE); proto and nas may be missing.
 *
 * Junos (blocks-junos): lines of a system log, of old (RFC 3164) or new form (RFC 5424, or RFC 3339 time); other lines are passed over.
 *   MS-DPC, MS-MPC, "Secured Port Block Allocation": JSERVICES_ or ASP_NAT_PORT_BLOCK_ALLOC, _ACTIVE (interim), _RELEASE
 *       JSERVICES_NAT_PORT_BLOCK_ALLOC: 100.64.0.9 -> 203.0.113.3:1050-1099 0x5566a1b2
 *   SRX, MX-SPC3, "Port Block Allocation" (RT_NAT): RT_SRC_NAT_PBA_ALLOC, _INTERIM, _RELEASE, as text
 *       Subscriber 100.64.0.9 used/maximum [1/8] blocks, allocates port block [1024-1151] from 203.0.113.3 in source pool p lsys_id: 0 epoch 0x…
 *     or structured
 *       [… internal-ip="100.64.0.9" block-port-low="1024" block-port-high="1151" reflexive-ip="203.0.113.3" … epoch-time-64="624b0492"]
 *   The number at the end is when the block was allocated, in seconds since 1970. */
#include "identity/reader_inside.h"

#include <stdio.h>

/* --- one block ------------------------------------------------------------------------------------------------------------ */

/* No session id: ports and protocol are part of the key of the lease (event.h). */
void reader_take_block(struct reader *r, struct event *e, struct slice proto, uint16_t low, uint16_t high)
{
        enum { ROOM = 32 };
        char *text = arena_alloc(r->arena, ROOM);
        e->held[0].port_low = low;
        e->held[0].port_high = high;
        e->held[0].proto = proto;
        int n = text ? snprintf(text, ROOM, "%u-%u%s%.*s", low, high, proto.n ? "/" : "", SLICE_ARGS(proto)) : 0;
        e->session = (struct slice){ text, (size_t)n };
}

struct block {
        enum event_kind kind;
        int64_t at, allocated; /* 0: not said */
        struct slice outside, low, high, inside, proto, nas;
        struct line line; /* instead of inside */
};

/* What the message says of it is believed within reason: of a block allocated just now, within an hour. */
static int64_t start_of(const struct block *b)
{
        bool begins = b->kind == EVENT_BEGINS;
        if (b->allocated <= 0 || b->allocated > b->at + MINUTE || (begins && b->at - b->allocated > HOUR))
                return begins ? b->at : 0;
        return b->allocated < b->at ? b->allocated : b->at;
}

/* NULL, or what is wrong. */
static const char *tell_block(struct reader *r, uint64_t line, const struct block *b)
{
        struct event e = { .kind = b->kind, .at = b->at, .source = S("cgnat"), .expires = TIME_NEVER, .n_held = 1 };
        struct addr outside, inside;
        uint64_t low, high;
        char *text = arena_alloc(r->arena, ADDR_TEXT_MAX);
        e.line = b->line;
        if (!addr_parse(b->outside, &outside))
                return "the outside address is none";
        if (!slice_u64(b->low, 65535, &low) || !slice_u64(b->high, 65535, &high) || high == 0 || low > high)
                return "the ports are no range up to 65535";
        if (b->line.kind.n == 0) {
                if (!text || !addr_parse(b->inside, &inside))
                        return "the inside address is none";
                e.line = (struct line){ S("inside"), slice_of(addr_print(&inside, text)) };
        }
        e.held[0].prefix = prefix_of(outside, 128);
        reader_take_block(r, &e, b->proto, (uint16_t)low, (uint16_t)high);
        e.user = e.line.value;
        if (r->o.nas.n == 0)
                e.nas = raw_text(b->nas, r->arena);
        e.start = start_of(b);
        reader_tell_outside(r, line, &e);
        return NULL;
}

/* --- CSV -------------------------------------------------------------------------------------------------------------------- */

enum column { TIME, EVENT, OUTSIDE, LOW, HIGH, INSIDE, USER, LINE, PROTO, NAS, COLUMNS };
enum { NEEDED = 5 };
static const char *const names[COLUMNS] = { "time",   "event", "outside", "low",   "high",
                                            "inside", "user",  "line",    "proto", "nas" };

static struct slice cell(const struct reader *r, const struct slice *cells, size_t n, enum column c)
{
        size_t at = r->columns.at[c];
        return at < n ? slice_trim(cells[at]) : (struct slice){ NULL, 0 };
}

static bool kind_of(struct slice word, enum event_kind *ret)
{
        static const struct {
                const char *word;
                enum event_kind kind;
        } words[] = { { "alloc", EVENT_BEGINS },  { "allocate", EVENT_BEGINS }, { "allocated", EVENT_BEGINS },
                      { "interim", EVENT_HOLDS }, { "active", EVENT_HOLDS },    { "release", EVENT_ENDS },
                      { "released", EVENT_ENDS }, { "free", EVENT_ENDS } };
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (slice_ieq(word, slice_of(words[i].word))) {
                        *ret = words[i].kind;
                        return true;
                }
        return false;
}

static const char *take_holder(struct reader *r, const struct slice *cells, size_t n, struct block *b)
{
        if (cell(r, cells, n, LINE).n)
                return line_parse(cell(r, cells, n, LINE), r->arena, &b->line);
        b->inside = cell(r, cells, n, INSIDE);
        if (b->inside.n || cell(r, cells, n, USER).n == 0)
                return NULL;
        b->line = (struct line){ S("user"), cell(r, cells, n, USER) };
        return line_canonical(&b->line, r->arena);
}

static void read_row(struct reader *r, uint64_t line, const struct slice *cells, size_t n)
{
        struct block b = { .outside = cell(r, cells, n, OUTSIDE) };
        if (!r->heading_told) {
                r->heading_told = true;
                if (!reader_find_columns(&r->columns, cells, n, names, COLUMNS, NEEDED))
                        reader_wrong(r, line,
                                     "the first line must name the columns: time, event, outside, low, high, inside "
                                     "(or user, or line)");
                reader_unknown_columns(r, line, cells, n, names, COLUMNS);
                return;
        }
        if (!r->columns.known)
                return; /* told once, at the heading */
        b.low = cell(r, cells, n, LOW);
        b.high = cell(r, cells, n, HIGH);
        b.proto = cell(r, cells, n, PROTO);
        b.nas = cell(r, cells, n, NAS);
        enum when when = when_date(&r->clock, cell(r, cells, n, TIME), &b.at);
        const char *wrong = when == WHEN_WRONG ? "time is none, or one that does not exist" : NULL;
        if (!wrong && !kind_of(cell(r, cells, n, EVENT), &b.kind))
                wrong = "event is none of alloc, interim, release";
        if (!wrong && b.proto.n && !slice_eq(b.proto, S("tcp")) && !slice_eq(b.proto, S("udp")))
                wrong = "proto is neither tcp nor udp";
        wrong = wrong ? wrong : take_holder(r, cells, n, &b);
        wrong = wrong ? wrong : tell_block(r, line, &b);
        if (wrong)
                reader_wrong(r, line, "%s", wrong);
        else if (when == WHEN_GUESSED)
                reader_guessed_zone(r, line);
}

void blocks_csv_record(struct reader *r, const struct record *rec)
{
        reader_csv_rows(r, rec, read_row);
}

/* --- Junos ------------------------------------------------------------------------------------------------------------------ */

/* What stands behind `word` in *s; false where it is not there. */
static bool find_behind(struct slice s, struct slice word, struct slice *ret)
{
        const char *at = s.n ? memmem(s.p, s.n, word.p, word.n) : NULL;
        if (at)
                *ret = slice_from(s, (size_t)(at - s.p) + word.n);
        return at != NULL;
}

static struct slice until(struct slice s, char c)
{
        return (struct slice){ s.p, slice_find(s, c) };
}

static int64_t seconds_of_hex(struct slice s)
{
        int64_t n = 0;
        if (slice_starts(s, S("0x")))
                s = slice_from(s, 2);
        for (size_t i = 0; i < s.n && i < 10; i++) {
                const char *digits = "0123456789abcdef0123456789ABCDEF", *at = s.p[i] ? strchr(digits, s.p[i]) : NULL;
                if (!at)
                        return i && s.p[i] == ' ' ? n * SECOND : 0;
                n = n * 16 + (at - digits) % 16;
        }
        return n * SECOND;
}

/* "1024-1151" */
static void take_range(struct slice s, struct block *b)
{
        b->low = slice_cut(s, '-', &b->high);
}

/* ": INSIDE -> OUTSIDE:LOW-HIGH 0xWHEN" */
static bool take_arrow(struct slice s, struct block *b)
{
        struct slice outside;
        if (!find_behind(s, S(" -> "), &outside))
                return false;
        b->inside = slice_trim((struct slice){ s.p, (size_t)(outside.p - s.p) - 4 });
        if (slice_starts(b->inside, S(":")))
                b->inside = slice_trim(slice_from(b->inside, 1));
        struct slice rest = slice_trim(slice_from(outside, slice_find(outside, ' ')));
        outside = until(outside, ' ');
        size_t colon = outside.n;
        while (colon && outside.p[colon - 1] != ':')
                colon--;
        if (colon == 0)
                return false;
        b->outside = (struct slice){ outside.p, colon - 1 };
        take_range(slice_from(outside, colon), b);
        b->allocated = slice_starts(rest, S("0x")) ? seconds_of_hex(rest) : 0;
        return true;
}

static bool take_structured(struct slice s, struct block *b)
{
        struct slice when;
        if (!find_behind(s, S("internal-ip=\""), &b->inside) || !find_behind(s, S("reflexive-ip=\""), &b->outside) ||
            !find_behind(s, S("block-port-low=\""), &b->low) || !find_behind(s, S("block-port-high=\""), &b->high))
                return false;
        b->inside = until(b->inside, '"');
        b->outside = until(b->outside, '"');
        b->low = until(b->low, '"');
        b->high = until(b->high, '"');
        if (find_behind(s, S("epoch-time-64=\""), &when))
                b->allocated = seconds_of_hex(until(when, '"'));
        return true;
}

static bool take_sentence(struct slice s, struct block *b)
{
        struct slice range, when;
        if (!find_behind(s, S("Subscriber "), &b->inside) || !find_behind(s, S("port block ["), &range) ||
            !find_behind(range, S("] from "), &b->outside))
                return false;
        b->inside = until(b->inside, ' ');
        b->outside = until(b->outside, ' ');
        take_range(until(range, ']'), b);
        if (find_behind(s, S(" epoch 0x"), &when))
                b->allocated = seconds_of_hex(when);
        return true;
}

/* A file is followed for weeks: time goes on from when the reader was made, by what it is told or what it reads. */
static int64_t now_of(const struct reader *r)
{
        int64_t now = r->o.now > r->appended ? r->o.now : r->appended;
        return now > r->newest ? now : r->newest;
}

/* "<14>1 2026-07-19T16:13:02Z HOST …" or "Jul 19 16:13:02 HOST …" */
static enum when take_syslog(struct reader *r, struct slice s, struct block *b)
{
        int version;
        if (s.n && s.p[0] == '<')
                s = slice_from(s, slice_find(s, '>') < s.n ? slice_find(s, '>') + 1 : s.n);
        if (s.n > 1 && s.p[1] == ' ' && when_number(&s, 1, &version))
                s = slice_from(s, 1);
        enum when when = when_syslog(&r->clock, &s, now_of(r), &b->at);
        if (when != WHEN_WRONG && b->at > r->newest)
                r->newest = b->at;
        s = slice_trim(s);
        if (s.n && s.p[0] != '<') /* not the message as it was sent, behind the time it was received */
                b->nas = until(s, ' ');
        return when;
}

void blocks_junos_record(struct reader *r, const struct record *rec)
{
        struct slice text = slice_trim(rec->text), word;
        struct block b = { .kind = EVENT_HOLDS };
        bool arrow = find_behind(text, S("_NAT_PORT_BLOCK_"), &word);
        if (!arrow && !find_behind(text, S("RT_SRC_NAT_PBA_"), &word))
                return;
        size_t n = 0;
        while (n < word.n && word.p[n] >= 'A' && word.p[n] <= 'Z')
                n++;
        struct slice body = slice_from(word, n);
        word.n = n;
        if (!kind_of(word, &b.kind))
                return; /* another message about blocks, such as that they have run out */
        bool read = arrow ? take_arrow(body, &b) : take_structured(body, &b) || take_sentence(body, &b);
        enum when when = take_syslog(r, text, &b);
        const char *wrong = when == WHEN_WRONG ? "its time is none, or one that does not exist"
                            : !read            ? "a message about a port block that cannot be read"
                                               : tell_block(r, rec->line, &b);
        if (wrong)
                reader_wrong(r, rec->line, "%s", wrong);
        else if (when == WHEN_GUESSED)
                reader_guessed_zone(r, rec->line);
}
