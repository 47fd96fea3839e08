/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FreeRADIUS detail files, as rlm_detail of versions 2 and 3 writes them: a header at the margin (by default the time of arrival, in local time), then
 * one attribute a line behind a tab, then `Timestamp`, the arrival in seconds since 1970, then a blank line. What is no attribute we know is
 * passed over: vendors have thousands. */
#include "identity/reader_inside.h"

enum attribute_kind { AS_TEXT, AS_STATUS, AS_CAUSE, AS_NAS, AS_HELD, AS_SECONDS, AS_TIME, AS_ARRIVAL, AS_PACKET };

struct attribute {
        const char *name;
        enum attribute_kind kind;
        size_t at; /* in struct accounting */
        bool once; /* a second one means that two records ran into each other */
};

#define AT(field) offsetof(struct accounting, field)
enum { NAMES_OF_A_LENGTH = 3, NAME_LENGTHS = 22 };

/* By the length of the name: few names have the same, so a name is compared with three at the most. */
static const struct attribute attributes[NAME_LENGTHS][NAMES_OF_A_LENGTH] = {
        [9] = { { "User-Name", AS_TEXT, AT(user), true },
                { "Timestamp", AS_ARRIVAL, AT(arrival), false },
                { "Donestamp", AS_ARRIVAL, AT(arrival), false } /* written over it by a reader that keeps track */ },
        [11] = { { "Packet-Type", AS_PACKET, 0, false } },
        [14] = { { "NAS-IP-Address", AS_NAS, AT(nas), false }, { "NAS-Identifier", AS_TEXT, AT(nas_id), false } },
        [15] = { { "Acct-Session-Id", AS_TEXT, AT(session), true },
                 { "Event-Timestamp", AS_TIME, AT(event_time), false },
                 { "Acct-Delay-Time", AS_SECONDS, AT(delay), false } },
        [16] = { { "Acct-Status-Type", AS_STATUS, AT(status), true }, { "NAS-IPv6-Address", AS_NAS, AT(nas), false } },
        [17] = { { "Framed-IP-Address", AS_HELD, 0, false },
                 { "Acct-Session-Time", AS_SECONDS, AT(session_time), false } },
        [18] = { { "Framed-IPv6-Prefix", AS_HELD, 0, false }, { "Calling-Station-Id", AS_TEXT, AT(calling), false } },
        [19] = { { "Framed-IPv6-Address", AS_HELD, 0, false } },
        [20] = { { "Acct-Terminate-Cause", AS_CAUSE, AT(cause), false },
                 { "ADSL-Agent-Remote-Id", AS_TEXT, AT(remote), false } },
        [21] = { { "Delegated-IPv6-Prefix", AS_HELD, 0, false },
                 { "ADSL-Agent-Circuit-Id", AS_TEXT, AT(circuit), false } },
};

struct detail {
        struct reader *r;
        struct accounting report;
        struct slice header;
        bool stamped;        /* Timestamp was the last line */
        bool not_accounting; /* Packet-Type says so */
        bool guessed;
        const char *wrong; /* with the name of the attribute, where not NULL */
        const char *which;
};

static const struct attribute *find_attribute(struct slice name)
{
        if (name.n >= NAME_LENGTHS)
                return NULL;
        for (const struct attribute *a = attributes[name.n]; a < attributes[name.n] + NAMES_OF_A_LENGTH && a->name; a++)
                if (memcmp(a->name, name.p, name.n) == 0)
                        return a;
        return NULL;
}

/* false where quotes are not closed. */
static bool take_text(struct slice value, struct arena *a, struct slice *ret)
{
        char quote = value.n ? value.p[0] : 0;
        if (quote != '"' && quote != '\'') {
                if (!slice_starts(value, S("0x")) || !raw_from_hex(value, a, ret))
                        *ret = value;
                return true;
        }
        if (value.n < 2 || value.p[value.n - 1] != quote)
                return false;
        struct slice inside = { value.p + 1, value.n - 2 };
        *ret = slice_find(inside, '\\') < inside.n ? raw_unescape(inside, a) : inside;
        return true;
}

static bool take_status(struct slice value, int *ret)
{
        static const struct {
                const char *name;
                int status;
        } names[] = { { "Start", ACCOUNTING_START },
                      { "Stop", ACCOUNTING_STOP },
                      { "Interim-Update", ACCOUNTING_INTERIM },
                      { "Alive", ACCOUNTING_INTERIM },
                      { "Accounting-On", ACCOUNTING_ON },
                      { "Accounting-Off", ACCOUNTING_OFF } };
        uint64_t n;
        for (size_t i = 0; i < COUNT_OF(names); i++)
                if (slice_eq(value, slice_of(names[i].name))) {
                        *ret = names[i].status;
                        return true;
                }
        if (slice_u64(value, UINT32_MAX, &n) && n)
                *ret = n < 256 ? (int)n : 255;
        else
                *ret = 255; /* Tunnel-Start, Failed and the like, which are about no session */
        return value.n && n != 0;
}

static bool take_v4(struct slice s, struct addr *ret)
{
        uint8_t b[4];
        size_t i = 0;
        for (int part = 0; part < 4; part++) {
                unsigned n = 0;
                size_t from = i;
                for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && i - from < 3; i++)
                        n = n * 10 + (unsigned)(s.p[i] - '0');
                if (i == from || n > 255 || (part < 3 && (i == s.n || s.p[i++] != '.')))
                        return false;
                b[part] = (uint8_t)n;
        }
        if (i != s.n)
                return false;
        *ret = (struct addr){ { [10] = 0xff, 0xff, b[0], b[1], b[2], b[3] } };
        return true;
}

static bool take_held(struct accounting *report, struct slice value)
{
        struct prefix p = { .len = 128 };
        if (!take_v4(value, &p.addr)) {
                enum prefix_error error = prefix_parse(value, &p);
                if (error != PREFIX_OK && error != PREFIX_HOST_BITS)
                        return false;
        }
        if (report->n_held < EVENT_HELD_MOST)
                report->held[report->n_held++] = (struct held){ .prefix = p };
        return true;
}

static bool take_seconds(struct slice value, int64_t *ret)
{
        uint64_t n;
        if (!slice_u64(value, UINT32_MAX, &n))
                return false;
        *ret = (int64_t)n * SECOND;
        return true;
}

static bool take_time(struct detail *d, struct slice value, int64_t *ret)
{
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
                value = (struct slice){ value.p + 1, value.n - 2 };
        enum when found = when_date(&d->r->clock, value, ret);
        d->guessed = d->guessed || found == WHEN_GUESSED;
        return found != WHEN_WRONG;
}

static bool take_value(struct detail *d, const struct attribute *a, struct slice value)
{
        char *field = (char *)&d->report + a->at;
        uint64_t n;
        switch (a->kind) {
        case AS_TEXT:
                return take_text(value, d->r->arena, (struct slice *)field);
        case AS_CAUSE:
                if (!take_text(value, d->r->arena, (struct slice *)field))
                        return false;
                if (slice_u64(value, UINT32_MAX, &n) && accounting_cause((uint32_t)n).n)
                        *(struct slice *)field = accounting_cause((uint32_t)n);
                return true;
        case AS_STATUS:
                return take_status(value, (int *)field);
        case AS_NAS:
                d->report.has_nas = take_v4(value, &d->report.nas) || addr_parse(value, &d->report.nas);
                return d->report.has_nas;
        case AS_HELD:
                return take_held(&d->report, value);
        case AS_SECONDS:
                return take_seconds(value, (int64_t *)field);
        case AS_TIME:
                return take_time(d, value, (int64_t *)field);
        case AS_ARRIVAL:
                d->stamped = take_seconds(value, (int64_t *)field);
                return d->stamped;
        default:
                d->not_accounting = !slice_eq(value, S("Accounting-Request")) && !slice_eq(value, S("4"));
                return true;
        }
}

/* "\tNAME[:tag] = VALUE", also += := and ==. */
static bool split(struct slice line, struct slice *name, struct slice *rest)
{
        size_t from = 0;
        while (from < line.n && (line.p[from] == '\t' || line.p[from] == ' '))
                from++;
        line = slice_from(line, from);
        size_t eq = slice_find(line, '=');
        if (eq == line.n || eq == 0)
                return false;
        *rest = slice_from(line, eq + 1);
        size_t n = eq;
        if (n && (line.p[n - 1] == '+' || line.p[n - 1] == ':'))
                n--;
        while (n && line.p[n - 1] == ' ')
                n--;
        size_t tag = n;
        while (tag && line.p[tag - 1] >= '0' && line.p[tag - 1] <= '9')
                tag--;
        *name = (struct slice){ line.p, tag && tag < n && line.p[tag - 1] == ':' ? tag - 1 : n };
        return name->n > 0;
}

static bool is_repeated(const struct detail *d, const struct attribute *a)
{
        const char *field = (const char *)&d->report + a->at;
        if (!a->once)
                return false;
        return a->kind == AS_STATUS ? d->report.status != 0 : ((const struct slice *)field)->p != NULL;
}

static bool read_attribute(struct detail *d, struct slice line)
{
        struct slice name, rest;
        d->wrong = "a line of it is no attribute";
        d->stamped = false;
        if (!split(line, &name, &rest))
                return false;
        const struct attribute *a = find_attribute(name);
        if (!a)
                return true;
        d->which = a->name;
        d->wrong = "says twice what can be said once: are these two records?";
        if (is_repeated(d, a))
                return false;
        d->wrong = a->kind == AS_HELD || a->kind == AS_NAS ? "is no address"
                   : a->kind == AS_TIME                    ? "is no date that exists"
                                                           : "cannot be read";
        bool equal = rest.n && rest.p[0] == '='; /* == */
        bool right = take_value(d, a, slice_trim(slice_from(rest, equal)));
        d->which = right ? NULL : d->which;
        return right;
}

static bool read_lines(struct detail *d, struct slice text)
{
        bool header = true;
        while (text.n) {
                size_t n = slice_find(text, '\n');
                struct slice line = { text.p, n };
                text = slice_from(text, n < text.n ? n + 1 : n);
                if (line.n && line.p[line.n - 1] == '\r')
                        line.n--;
                if (header && line.n && line.p[0] != '\t' && line.p[0] != ' ') {
                        d->header = line;
                } else if (line.n && slice_trim(line).n && !read_attribute(d, line)) {
                        return false;
                }
                header = false;
        }
        return true;
}

/* A header that stands behind the torn end of another record's line: where it begins, or text.n. */
static size_t find_torn_header(struct slice text)
{
        for (size_t at = 0; at < text.n;) {
                size_t n = slice_find(slice_from(text, at), '\n');
                size_t end = at + n - (n && text.p[at + n - 1] == '\r');
                if (end - at > 24 && when_is_ctime((struct slice){ text.p + end - 24, 24 }))
                        return end - 24;
                at += n + 1;
        }
        return text.n;
}

static uint64_t count_lines(struct slice text)
{
        uint64_t lines = 0;
        for (size_t n; (n = slice_find(text, '\n')) < text.n; lines++)
                text = slice_from(text, n + 1);
        return lines;
}

static void tell_wrong(struct detail *d, uint64_t line)
{
        reader_wrong(d->r, line, "%s%s%s", d->which ? d->which : "", d->which ? " " : "", d->wrong);
}

/* false: something is wrong with it. */
static bool read_record(struct detail *d, const struct record *rec)
{
        struct event e;
        if (!read_lines(d, rec->text))
                return false;
        d->wrong = "the record is cut off";
        if (!rec->whole && !(d->stamped && slice_ends(rec->text, S("\n"))))
                return false;
        if (d->not_accounting)
                return true;
        if (d->report.arrival == 0 && when_is_ctime(d->header)) {
                take_time(d, d->header, &d->report.arrival);
                d->report.arrival_guessed = true;
        }
        d->wrong = accounting_event(&d->report, d->r->o.line, d->r->arena, &e);
        if (d->wrong)
                return false;
        if (d->guessed)
                reader_guessed_zone(d->r, rec->line);
        reader_tell(d->r, rec->line, &e);
        return true;
}

void detail_record(struct reader *r, const struct record *rec)
{
        enum { TORN_MOST = 8 }; /* each is read again */
        struct record rest = *rec;
        for (int i = 0; i < TORN_MOST; i++) {
                struct detail d = { .r = r, .report.session_time = -1 };
                if (read_record(&d, &rest))
                        return;
                tell_wrong(&d, rest.line);
                size_t torn = find_torn_header(rest.text);
                if (torn == rest.text.n)
                        return;
                rest.line += count_lines((struct slice){ rest.text.p, torn });
                rest.text = slice_from(rest.text, torn);
        }
}
