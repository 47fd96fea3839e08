/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our own CSV of who has which address: from a person, or from a system that nobody knows here. The heading decides the columns, in any order:
 *
 *   address or prefix   192.0.2.7, 198.51.100.8/29, 2001:db8:1::/56
 *   line                KIND:VALUE; or one of the columns user, circuit, remote, mac, duid, vlan with the value alone; or subscriber, whose id
 *                       is then the line static:ID, for customers that have no other
 *   from, until         2026-12-01, 2026-12-01 14:30[:05], with Z or an offset, else in the zone of the policy; or seconds since 1970.
 *                       until: empty, or `never`, where there is no end; a day alone is meant with all of that day
 *   realm, nas, session, ports (LOW-HIGH), proto (tcp, udp): may be missing
 *
 * Each row is a lease of its own. Nothing but address, a line, and from is needed. */
#include "identity/reader_inside.h"

#include <stdio.h>

enum column {
        ADDRESS,
        PREFIX,
        LINE,
        USER,
        CIRCUIT,
        REMOTE,
        MAC,
        DUID,
        VLAN,
        SUBSCRIBER,
        FROM,
        UNTIL,
        REALM,
        PROTO,
        PORTS,
        NAS,
        SESSION,
        COLUMNS
};
enum { FIRST_KIND = USER, LAST_KIND = VLAN };

static const char *const names[COLUMNS] = { "address", "prefix", "line",  "user",       "circuit", "remote",
                                            "mac",     "duid",   "vlan",  "subscriber", "from",    "until",
                                            "realm",   "proto",  "ports", "nas",        "session" };

struct row {
        struct reader *r;
        const struct slice *cells;
        size_t n;
        bool guessed;
};

static struct slice cell(const struct row *row, enum column c)
{
        size_t at = row->r->columns.at[c];
        return at < row->n ? slice_trim(row->cells[at]) : (struct slice){ NULL, 0 };
}

static const char *take_line(const struct row *row, struct line *ret)
{
        if (cell(row, LINE).n)
                return line_parse(cell(row, LINE), row->r->arena, ret);
        for (int c = FIRST_KIND; c <= LAST_KIND; c++)
                if (cell(row, (enum column)c).n) {
                        *ret = (struct line){ slice_of(names[c]), cell(row, (enum column)c) };
                        return line_canonical(ret, row->r->arena);
                }
        *ret = (struct line){ S("static"), cell(row, SUBSCRIBER) };
        return ret->value.n ? line_canonical(ret, row->r->arena) : "it names no line";
}

static const char *take_prefix(const struct row *row, struct prefix *ret)
{
        switch (prefix_parse(cell(row, ADDRESS).n ? cell(row, ADDRESS) : cell(row, PREFIX), ret)) {
        case PREFIX_OK:
                return NULL;
        case PREFIX_BAD_LENGTH:
                return "the length of the prefix is none: 0 to 32, or 0 to 128 for IPv6";
        case PREFIX_HOST_BITS:
                return "the prefix has bits behind its length: of one address, write /32 or /128, or no length";
        default:
                return "address is none";
        }
}

static const char *take_time(struct row *row, struct slice text, enum time_edge edge, const char *wrong[2],
                             int64_t *ret)
{
        enum when found = when_date(&row->r->clock, text, ret);
        row->guessed = row->guessed || found == WHEN_GUESSED;
        if (edge == TIME_LAST_INSTANT && text.n == 10)
                time_parse(text, edge, ret);
        if (found != WHEN_WRONG)
                return NULL;
        return time_parse(text, edge, ret) == TIME_NO_SUCH_DAY ? wrong[0] : wrong[1];
}

static const char *take_times(struct row *row, struct event *e)
{
        static const char *from_wrong[] = { "from is a day or time that does not exist",
                                            "from is no time: write 2026-12-01, or 2026-12-01 14:30:05 -0300" };
        static const char *until_wrong[] = {
                "until is a day or time that does not exist",
                "until is no time: write 2026-12-01, or 2026-12-01 14:30:05 -0300, or never"
        };
        struct slice until = cell(row, UNTIL);
        const char *wrong = take_time(row, cell(row, FROM), TIME_FIRST_INSTANT, from_wrong, &e->at);
        if (!wrong && until.n && !slice_eq(until, S("never")))
                wrong = take_time(row, until, TIME_LAST_INSTANT, until_wrong, &e->expires);
        if (!wrong && e->expires <= e->at)
                wrong = "until is not after from";
        e->start = e->at;
        return wrong;
}

static const char *take_ports(const struct row *row, struct event *e)
{
        struct slice high, low = slice_cut(cell(row, PORTS), '-', &high), proto = cell(row, PROTO);
        uint64_t a, b;
        if (proto.n && !slice_eq(proto, S("tcp")) && !slice_eq(proto, S("udp")))
                return "proto is neither tcp nor udp";
        if (low.n == 0)
                return proto.n || high.p ? "proto without ports" : NULL;
        if (!slice_u64(low, 65535, &a) || !slice_u64(high.p ? high : low, 65535, &b) || b == 0 || a > b)
                return "ports are no range: LOW-HIGH, up to 65535";
        reader_take_block(row->r, e, proto, (uint16_t)a, (uint16_t)b);
        return NULL;
}

static void take_heading(struct reader *r, uint64_t line, const struct slice *cells, size_t n)
{
        bool line_named = false;
        reader_find_columns(&r->columns, cells, n, names, COLUMNS, 0);
        for (int c = LINE; c <= SUBSCRIBER; c++)
                line_named = line_named || r->columns.at[c] != READER_NOWHERE;
        r->columns.known = line_named && r->columns.at[FROM] != READER_NOWHERE &&
                           (r->columns.at[ADDRESS] != READER_NOWHERE || r->columns.at[PREFIX] != READER_NOWHERE);
        if (!r->columns.known)
                reader_wrong(
                    r, line,
                    "the first line must name the columns, at least: address, line (or user, mac, subscriber …), from");
        reader_unknown_columns(r, line, cells, n, names, COLUMNS);
}

static void read_row(struct reader *r, uint64_t line, const struct slice *cells, size_t n)
{
        struct row row = { .r = r, .cells = cells, .n = n };
        struct event e = { .kind = EVENT_IS, .source = S("csv"), .expires = TIME_NEVER, .n_held = 1 };
        if (!r->heading_told) {
                r->heading_told = true;
                take_heading(r, line, cells, n);
                return;
        }
        if (!r->columns.known)
                return; /* told once, at the heading */
        const char *wrong = take_prefix(&row, &e.held[0].prefix);
        wrong = wrong ? wrong : take_line(&row, &e.line);
        wrong = wrong ? wrong : take_times(&row, &e);
        wrong = wrong ? wrong : take_ports(&row, &e);
        if (wrong) {
                reader_wrong(r, line, "%s", wrong);
                return;
        }
        if (row.guessed)
                reader_guessed_zone(r, line);
        e.realm = raw_text(cell(&row, REALM), r->arena);
        e.nas = raw_text(cell(&row, NAS), r->arena);
        e.user = e.line.value;
        if (cell(&row, SESSION).n)
                e.session = raw_text(cell(&row, SESSION), r->arena);
        reader_tell(r, line, &e);
}

void leases_csv_record(struct reader *r, const struct record *rec)
{
        reader_csv_rows(r, rec, read_row);
}
