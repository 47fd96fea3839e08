/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/journal.h"

#include <stdio.h>
#include <time.h>

enum { NAME_MOST = 64, VALUE_MOST = 255 }; /* journald's own limit of a name; the longest name of a host */

/* NAME up to '=' (then TEXT up to a line end) or to a line end (then LENGTH, BINARY, and a line end: AFTER). */
enum state { NAME, TEXT, LENGTH, BINARY, AFTER, DAMAGED };

enum field { HOST, IDENTIFIER, COMMAND, SAID_PID, PID, SAID_AT, HEARD_AT, FIELDS, MESSAGE = FIELDS, OTHER };

struct value {
        uint8_t n;
        bool there;
        char text[VALUE_MOST];
};

struct journal {
        enum state state;
        enum field field;
        char name[NAME_MOST];
        size_t name_n;
        uint8_t length_n;
        uint64_t length; /* of the binary value: what is left of it */
        size_t entry_n;  /* bytes of the entry so far; counts to just over the most */
        struct value values[FIELDS];
        struct buf message;
        bool has_message;
        uint64_t left_out;
        time_t second; /* of the line before, and its text */
        char second_text[24];
};

static const struct slice names[] = {
        [HOST] = S("_HOSTNAME"),
        [IDENTIFIER] = S("SYSLOG_IDENTIFIER"),
        [COMMAND] = S("_COMM"),
        [SAID_PID] = S("SYSLOG_PID"),
        [PID] = S("_PID"),
        [SAID_AT] = S("_SOURCE_REALTIME_TIMESTAMP"),
        [HEARD_AT] = S("__REALTIME_TIMESTAMP"),
        [MESSAGE] = S("MESSAGE"),
};

bool journal_begins(struct slice head)
{
        return slice_starts(head, S("__CURSOR="));
}

struct journal *journal_new(void)
{
        struct journal *j = xcalloc(1, sizeof *j);
        buf_init(&j->message, JOURNAL_ENTRY_MOST + 1);
        return j;
}

void journal_free(struct journal *j)
{
        if (!j)
                return;
        buf_done(&j->message);
        free(j);
}

uint64_t journal_left_out(const struct journal *j)
{
        return j->left_out;
}

/* --- an entry that is whole --- */

static struct slice value_of(const struct journal *j, enum field f)
{
        return (struct slice){ j->values[f].text, j->values[f].n };
}

static struct slice first_of(const struct journal *j, enum field a, enum field b)
{
        return j->values[a].n ? value_of(j, a) : value_of(j, b);
}

/* "2026-11-28T13:20:02.123456+00:00 "; false: there is no time, or none before the year 10000. */
static bool add_time(struct journal *j, struct buf *out)
{
        static const uint64_t most = UINT64_C(253402300799999999);
        uint64_t us;
        char part[24];
        if (!slice_u64(value_of(j, SAID_AT), most, &us) && !slice_u64(value_of(j, HEARD_AT), most, &us))
                return false;
        time_t at = (time_t)(us / 1000000);
        if (at != j->second || !*j->second_text) {
                struct tm tm;
                gmtime_r(&at, &tm);
                strftime(j->second_text, sizeof j->second_text, "%Y-%m-%dT%H:%M:%S", &tm);
                j->second = at;
        }
        buf_adds(out, j->second_text);
        int n = snprintf(part, sizeof part, ".%06u+00:00 ", (unsigned)(us % 1000000));
        buf_add(out, (struct slice){ part, (size_t)n });
        return true;
}

/* A name in its place in the line: what would end it there becomes '_'. */
static void add_name(struct slice s, const char *ends, struct buf *out)
{
        char text[VALUE_MOST];
        for (size_t i = 0; i < s.n; i++)
                text[i] = (unsigned char)s.p[i] <= ' ' || strchr(ends, s.p[i]) ? '_' : s.p[i];
        buf_add(out, s.n ? (struct slice){ text, s.n } : S("-"));
}

static void add_entry(struct journal *j, struct buf *out)
{
        uint64_t pid;
        if (!j->has_message || !add_time(j, out))
                return;
        add_name(value_of(j, HOST), "", out);
        buf_addc(out, ' ');
        add_name(first_of(j, IDENTIFIER, COMMAND), "[]:", out);
        if (slice_u64(first_of(j, SAID_PID, PID), UINT32_MAX, &pid))
                buf_addf(out, "[%llu]", (unsigned long long)pid);
        buf_adds(out, ": ");
        for (size_t i = 0; i < j->message.n; i++)
                if (j->message.p[i] == '\n')
                        j->message.p[i] = ' ';
        buf_add(out, buf_slice(&j->message));
        buf_addc(out, '\n');
}

static void end_entry(struct journal *j, struct buf *out)
{
        if (j->entry_n > JOURNAL_ENTRY_MOST)
                j->left_out++;
        else
                add_entry(j, out);
        for (size_t i = 0; i < FIELDS; i++)
                j->values[i] = (struct value){ 0 };
        buf_clear(&j->message);
        j->has_message = false;
        j->entry_n = 0;
}

/* --- the parts of a field --- */

static void begin_value(struct journal *j)
{
        struct slice name = { j->name, j->name_n };
        j->field = OTHER;
        for (size_t i = 0; i < COUNT_OF(names); i++)
                if (slice_eq(names[i], name))
                        j->field = (enum field)i;
        j->name_n = 0;
        bool again = j->field == MESSAGE ? j->has_message : j->field < FIELDS && j->values[j->field].there;
        if (again) /* a field may have several values: the first counts */
                j->field = OTHER;
        else if (j->field == MESSAGE)
                j->has_message = true;
        else if (j->field < FIELDS)
                j->values[j->field].there = true;
}

static void add_value(struct journal *j, struct slice s)
{
        if (j->field == MESSAGE && j->entry_n <= JOURNAL_ENTRY_MOST)
                buf_add(&j->message, s);
        if (j->field >= FIELDS)
                return;
        struct value *v = &j->values[j->field];
        size_t n = s.n < (size_t)(VALUE_MOST - v->n) ? s.n : (size_t)(VALUE_MOST - v->n);
        memcpy(v->text + v->n, s.p, n);
        v->n = (uint8_t)(v->n + n);
}

static void take_name(struct journal *j, char c, struct buf *out)
{
        bool fits = j->name_n < NAME_MOST && ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_');
        if (c == '\n' && !j->name_n) {
                end_entry(j, out);
        } else if (c == '\n' || (c == '=' && j->name_n)) {
                begin_value(j);
                j->state = c == '=' ? TEXT : LENGTH;
                j->length = j->length_n = 0;
        } else if (fits) {
                j->name[j->name_n++] = c;
        } else {
                j->state = DAMAGED;
        }
}

/* Takes what it can of `in` in the present state, one byte at least; returns how many. */
static size_t step(struct journal *j, struct slice in, struct buf *out)
{
        size_t n = 1;
        switch (j->state) {
        case NAME:
                take_name(j, *in.p, out);
                break;
        case TEXT:
                n = slice_find(in, '\n');
                add_value(j, (struct slice){ in.p, n });
                if (n < in.n) {
                        n++;
                        j->state = NAME;
                }
                break;
        case LENGTH:
                j->length |= (uint64_t)(unsigned char)*in.p << 8 * j->length_n;
                if (++j->length_n == 8)
                        j->state = j->length ? BINARY : AFTER;
                break;
        case BINARY:
                n = j->length < in.n ? (size_t)j->length : in.n;
                add_value(j, (struct slice){ in.p, n });
                j->length -= n;
                if (!j->length)
                        j->state = AFTER;
                break;
        case AFTER:
                j->state = *in.p == '\n' ? NAME : DAMAGED;
                break;
        default:
                n = in.n;
                break;
        }
        return n;
}

bool journal_feed(struct journal *j, struct slice in, struct buf *out)
{
        while (in.n && j->state != DAMAGED) {
                size_t n = step(j, in, out), room = JOURNAL_ENTRY_MOST + 1 - j->entry_n;
                j->entry_n += n < room ? n : room;
                in = slice_from(in, n);
        }
        return j->state != DAMAGED;
}

bool journal_end(struct journal *j, struct buf *out)
{
        if (j->state != NAME || j->name_n)
                return false;
        end_entry(j, out);
        return true;
}
