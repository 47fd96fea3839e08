/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/syslog.h"

#include "base/time.h"
#include "maillog/scan.h"

#include <assert.h>

enum { BSD_HOUR = 10, RFC_HOUR = 14, PRI_MOST = 191 };

void syslog_clock_init(struct syslog_clock *c, struct syslog_zone zone, int64_t reference)
{
        *c = (struct syslog_clock){ .zone = zone, .reference = reference };
}

/* --- days --- */

/* Days since 1970 of a day in the Gregorian calendar. */
static int64_t day_number(int64_t y, int m, int d)
{
        y -= m <= 2;
        int64_t era = y / 400, of_era = y - era * 400;
        int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
        return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool is_leap(int y)
{
        return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static bool is_day(int y, int m, int d)
{
        static const char days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        return m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] && (m != 2 || d < 29 || is_leap(y));
}

static bool is_digit(char c)
{
        return (unsigned)(c - '0') < 10;
}

/* Two digits, or -1. */
static int two(const char *p)
{
        unsigned a = (unsigned)(p[0] - '0'), b = (unsigned)(p[1] - '0');
        return a < 10 && b < 10 ? (int)(a * 10 + b) : -1;
}

/* "MM:SS" in seconds, or -1. A leap second is the next minute's first. */
static int minute_second(const char *p)
{
        int m = two(p), s = two(p + 3);
        return m >= 0 && m < 60 && s >= 0 && s <= 60 && p[2] == ':' ? m * 60 + s : -1;
}

static int month_of(const char *p)
{
        static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        for (int m = 0; m < 12; m++)
                if (memcmp(p, names + m * 3, 3) == 0)
                        return m + 1;
        return 0;
}

/* --- what an hour is --- */

static int64_t instant_of(const struct syslog_clock *c, int64_t local, bool later)
{
        return c->zone.instant ? c->zone.instant(c->zone.arg, local, later) : local * SECOND;
}

/* The first line of a file is of the last year in which it would not be younger than the file; all others follow the line before. */
static int year_of(const struct syslog_clock *c, int month, int day)
{
        int64_t latest = c->reference / SECOND + 86400;
        int y = c->year;
        if (y && month < c->month - 6)
                y++;
        else if (y && month > c->month + 6)
                y--;
        else if (!y)
                for (y = (int)(1970 + latest / 31556952 + 1); y > 1970 && day_number(y, month, day) * 86400 > latest;)
                        y--;
        for (int most = 8; most && month == 2 && day == 29 && !is_leap(y); most--)
                y--;
        return y;
}

static int day_of(const char *p)
{
        return p[4] == ' ' ? (is_digit(p[5]) ? p[5] - '0' : -1) : two(p + 4);
}

/* Its start; where it comes twice, the first of the two that goes on from the line before. */
static int64_t start_of(struct syslog_clock *c, const struct syslog_hour *h)
{
        int64_t local;
        if (h->n == BSD_HOUR) {
                int month = month_of(h->text);
                c->year = year_of(c, month, day_of(h->text));
                c->month = month;
                local = day_number(c->year, c->month, day_of(h->text)) * 86400 + two(h->text + 7) * 3600;
        } else {
                c->year = two(h->text) * 100 + two(h->text + 2);
                c->month = two(h->text + 5);
                local = day_number(c->year, c->month, two(h->text + 8)) * 86400 + two(h->text + 11) * 3600;
        }
        int64_t first = instant_of(c, local, false), second = instant_of(c, local, true);
        bool back = c->last && first + h->first * SECOND < c->last - 30 * MINUTE && second > first;
        return back ? second : first;
}

static bool same_hour(const struct syslog_hour *a, const char *text, size_t n)
{
        return a->n == n && memcmp(a->text, text, n) == 0;
}

void syslog_settle(struct syslog_clock *c, struct syslog_hours *hours)
{
        for (struct syslog_hour *h = hours->v; h < hours->v + hours->n; h++) {
                bool goes_on =
                    same_hour(&c->hour, h->text, h->n) && c->hour.at + h->first * SECOND >= c->last - 30 * MINUTE;
                if (!h->settled)
                        h->at = goes_on ? c->hour.at : start_of(c, h);
                c->last = h->at + h->last * SECOND;
                c->hour = *h;
        }
}

/* --- reading a time --- */

static struct syslog_hour *add_hour(struct syslog_hours *h, const char *text, uint8_t n, int within)
{
        h->v = xgrow(h->v, &h->cap, h->n + 1, sizeof *h->v);
        struct syslog_hour *added = &h->v[h->n++];
        *added = (struct syslog_hour){ .n = n, .first = within, .last = within, .low = INT64_MAX, .high = INT64_MIN };
        memcpy(added->text, text, n);
        return added;
}

/* The hour that goes on, NULL where another begins, or the same a second time. */
static struct syslog_hour *going_on(struct syslog_hours *h, const char *text, size_t n, int within)
{
        struct syslog_hour *last = h->n ? &h->v[h->n - 1] : NULL;
        return last && same_hour(last, text, n) && within >= last->last - 1800 ? last : NULL;
}

/* ".123456" in µs; how many bytes, 0 where it is none. */
static size_t part_of(struct slice s, int64_t *part)
{
        size_t n = 0;
        *part = 0;
        if (s.n && *s.p == '.') {
                int64_t unit = SECOND;
                for (n++; n < s.n && is_digit(s.p[n]); n++, unit /= 10)
                        *part += (unit / 10) * (s.p[n] - '0');
        }
        return n;
}

/* "Nov 28 13:20:02", or with ".123456" */
static size_t bsd_time(struct syslog_hours *hours, struct slice s, struct syslog_line *ret)
{
        enum { LEAP_YEAR = 2024 }; /* which year it is, nobody knows yet */
        char wide[15];
        const char *p = s.p;
        size_t n = 15;
        if (s.n < 15)
                return 0;
        if (is_digit(p[4]) && p[5] == ' ') { /* "Aug 4 08:28:49": a day that lost its second blank */
                memcpy(wide, p, 4);
                wide[4] = ' ';
                memcpy(wide + 5, p + 4, 10);
                p = wide;
                n = 14;
        }
        int within = minute_second(p + 10);
        int64_t part = 0;
        n += part_of(slice_from(s, n), &part);
        if (within < 0)
                return 0;
        struct syslog_hour *h = going_on(hours, p, BSD_HOUR, within);
        if (!h) {
                int month = month_of(p), hour = two(p + 7);
                if (!month || hour < 0 || hour > 23 || p[3] != ' ' || p[6] != ' ' || p[9] != ':' ||
                    !is_day(LEAP_YEAR, month, day_of(p)))
                        return 0;
                h = add_hour(hours, p, BSD_HOUR, within);
        }
        h->last = within;
        ret->at = within * SECOND + part;
        return n;
}

/* "Z", "-03:00" or "-0300" at p: seconds east of Greenwich; how many bytes, 0 where it is none. */
static size_t offset_of(const char *p, size_t n, int *east)
{
        *east = 0;
        if (n && (*p == 'Z' || *p == 'z'))
                return 1;
        if (n < 5 || (*p != '+' && *p != '-'))
                return 0;
        size_t colon = p[3] == ':';
        int h = two(p + 1), m = n < 5 + colon ? -1 : two(p + 3 + colon);
        if (h < 0 || h > 23 || m < 0 || m > 59)
                return 0;
        *east = (h * 3600 + m * 60) * (*p == '-' ? -1 : 1);
        return 5 + colon;
}

/* "2026-11-28T13:" as UTC; false where that is no hour. */
static bool rfc_hour(struct syslog_hour *h)
{
        const char *p = h->text;
        int a = two(p), b = two(p + 2), month = two(p + 5), day = two(p + 8), hour = two(p + 11), year = a * 100 + b;
        if (a < 0 || b < 0 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != ' ') || p[13] != ':' ||
            hour < 0 || hour > 23 || year < 1970 || !is_day(year, month, day))
                return false;
        h->at = (day_number(year, month, day) * 86400 + hour * 3600) * SECOND;
        return true;
}

/* "2026-11-28T13:20:02.123456-03:00"; of Exim, "2026-11-28 13:20:02.123 -0300" or no zone at all: *own. */
static size_t rfc_time(struct syslog_hours *hours, struct slice s, struct syslog_line *ret, bool *own)
{
        if (s.n < 20)
                return 0;
        int within = minute_second(s.p + 14), east = 0;
        if (within < 0)
                return 0;
        int64_t part = 0;
        size_t n = 19, zone = 0;
        n += part_of(slice_from(s, n), &part);
        zone = offset_of(s.p + n, s.n - n, &east);
        *own = !zone && s.p[10] == ' ' && n < s.n && s.p[n] == ' ';
        size_t parted = *own ? offset_of(s.p + n + 1, s.n - n - 1, &east) : 0;
        if (parted && n + 1 + parted < s.n && s.p[n + 1 + parted] == ' ')
                zone = 1 + parted;
        if (!zone && !*own)
                return 0;
        struct syslog_hour *h = going_on(hours, s.p, RFC_HOUR, within);
        if (!h || h->settled != (zone != 0)) {
                h = add_hour(hours, s.p, RFC_HOUR, within);
                h->settled = zone != 0;
                if (!rfc_hour(h)) {
                        hours->n--;
                        return 0;
                }
        }
        h->last = within;
        ret->at = (within - (zone ? east : 0)) * SECOND + part;
        return n + zone;
}

/* --- the line --- */

/* "<22>" */
static size_t pri(struct slice s)
{
        unsigned value = 0;
        size_t i = 1;
        for (; i < s.n && i < 4 && is_digit(s.p[i]); i++)
                value = value * 10 + (unsigned)(s.p[i] - '0');
        return i > 1 && i < s.n && s.p[i] == '>' && value <= PRI_MOST ? i + 1 : 0;
}

/* "program[pid]: text". Text without a program is text: "last message repeated 3 times". */
static void tag(struct slice s, struct syslog_line *ret)
{
        const char *p = s.p + scan_first_of(s, '[', ':', ' '), *end = s.p + s.n;
        uint32_t pid = 0;
        const char *name = p;
        if (p < end && *p == '[') {
                for (p++; p < end && is_digit(*p); p++)
                        pid = pid * 10 + (uint32_t)(*p - '0');
                p = p < end && *p == ']' ? p + 1 : end;
        }
        bool is = p < end && *p == ':';
        p += is;
        p += is && p < end && *p == ' ';
        if (is && end - p > 4 && memcmp(p, "[ID ", 4) == 0) { /* "[ID 197553 mail.info] ": Solaris */
                const char *close = memchr(p, ']', (size_t)(end - p));
                p = close && close + 1 < end && close[1] == ' ' ? close + 2 : p;
        }
        ret->program = (struct slice){ s.p, is ? (size_t)(name - s.p) : 0 };
        ret->text = is ? (struct slice){ p, (size_t)(end - p) } : s;
        ret->pid = is ? pid : 0;
}

/* The word at the start of *s, which goes on behind the blank after it. */
static struct slice word(struct slice *s)
{
        size_t n = slice_find(*s, ' ');
        struct slice found = { s->p, n };
        *s = slice_from(*s, n + (n < s->n));
        return found;
}

/* "[id name="value"][id]", where " \\ and ] stand behind a \\, or "-": how many bytes; 0 where it has no end. RFC 5424 6.3 */
static size_t structured(struct slice s)
{
        size_t n = s.n && *s.p == '-';
        while (n < s.n && s.p[n] == '[') {
                bool within = false;
                for (n++; n < s.n && (within || s.p[n] != ']'); n++) {
                        within ^= s.p[n] == '"';
                        n += s.p[n] == '\\' && within;
                }
                if (n >= s.n)
                        return 0;
                n++;
        }
        return n;
}

bool syslog_protocol(struct slice s, struct syslog_line *ret)
{
        uint64_t pid = 0;
        ret->host = word(&s);
        ret->program = word(&s);
        struct slice process = word(&s);
        word(&s); /* the message's id, which mail servers do not have */
        size_t data = structured(s);
        if (!ret->host.n || !ret->program.n || !data)
                return false;
        scan_number(&process, &pid);
        ret->pid = pid <= UINT32_MAX ? (uint32_t)pid : 0;
        s = slice_from(s, data + (data < s.n));
        s = slice_from(s, slice_starts(s, S("\xef\xbb\xbf")) ? 3 : 0);
        ret->text = slice_from(s, s.n && *s.p == ' '); /* rsyslog leaves the blank that stood behind "program:" */
        return true;
}

/* --- the time at the start of a line --- */

enum { BSD_SECOND = 16, RFC_SECOND = 33, RFC_PART = 20, RFC_ZONE = 26 };
static_assert((int)RFC_SECOND == (int)SYSLOG_SECOND_MOST, "the longer of both");

/* Six digits, or -1. */
static int64_t six_digits(const char *p)
{
        unsigned value = 0, wrong = 0;
        for (size_t i = 0; i < 6; i++) {
                unsigned digit = (unsigned)(p[i] - '0');
                wrong |= digit > 9;
                value = value * 10 + digit;
        }
        return wrong ? -1 : (int64_t)value;
}

static void note_extremes(struct syslog_hours *h, int64_t at)
{
        struct syslog_hour *hour = &h->v[h->n - 1];
        hour->low = at < hour->low ? at : hour->low;
        hour->high = at > hour->high ? at : hour->high;
}

/* The same second as the line before. */
static size_t same_second(struct syslog_hours *h, struct slice line, struct syslog_line *ret)
{
        if (line.n <= h->second_n)
                return 0;
        if (h->second_n == BSD_SECOND && memcmp(line.p, h->second, BSD_SECOND) == 0) {
                ret->at = h->second_at;
                return BSD_SECOND - 1;
        }
        if (h->second_n != RFC_SECOND || memcmp(line.p, h->second, RFC_PART) != 0 ||
            memcmp(line.p + RFC_ZONE, h->second + RFC_ZONE, RFC_SECOND - RFC_ZONE) != 0)
                return 0;
        int64_t part = six_digits(line.p + RFC_PART);
        if (part < 0)
                return 0;
        ret->at = h->second_at + part;
        note_extremes(h, ret->at);
        return RFC_SECOND - 1;
}

static void note_second(struct syslog_hours *h, struct slice line, size_t n, int64_t at)
{
        bool bsd = n == BSD_SECOND - 1 && !is_digit(*line.p);
        bool rfc = n == RFC_SECOND - 1 && line.p[RFC_PART - 1] == '.' && six_digits(line.p + RFC_PART) >= 0 &&
                   line.p[RFC_ZONE] != ' ';
        h->second_n = bsd ? BSD_SECOND : rfc ? RFC_SECOND : 0;
        memcpy(h->second, line.p, h->second_n);
        h->second_at = rfc ? at - six_digits(line.p + RFC_PART) : at;
}

/* How many bytes it has, 0: it is none. */
static size_t take_time(struct syslog_hours *h, struct slice line, struct syslog_line *ret, bool *own)
{
        size_t n = h->second_n ? same_second(h, line, ret) : 0;
        if (!n) {
                size_t had = h->n;
                struct syslog_hour last = had ? h->v[had - 1] : (struct syslog_hour){ 0 };
                n = is_digit(*line.p) ? rfc_time(h, line, ret, own) : bsd_time(h, line, ret);
                if (!n || n >= line.n || line.p[n] != ' ') { /* then it was no time, and changes none */
                        h->n = had;
                        if (had)
                                h->v[had - 1] = last;
                        return 0;
                }
                note_extremes(h, ret->at);
                note_second(h, line, n, ret->at);
        }
        ret->hour = (uint32_t)h->n - 1;
        return n;
}

/* Where a host's name should be, Dovecot's own log (log_path) has one of its processes: "imap-login: Info: …", "imap(joe)<1><x>: …". */
static bool of_dovecot(struct slice word)
{
        static const struct slice names[] = { S("imap-login:"),
                                              S("pop3-login:"),
                                              S("submission-login:"),
                                              S("managesieve-login:"),
                                              S("auth:"),
                                              S("auth-worker("),
                                              S("imap("),
                                              S("pop3("),
                                              S("lmtp("),
                                              S("submission("),
                                              S("managesieve("),
                                              S("indexer-worker(") };
        if (word.p[word.n - 1] != ':')
                return false;
        for (size_t i = 0; i < COUNT_OF(names); i++)
                if (slice_starts(word, names[i]))
                        return true;
        return false;
}

bool syslog_scan(struct syslog_hours *h, struct slice line, struct syslog_line *ret)
{
        bool own = false, protocol = false;
        if (line.n && line.p[line.n - 1] == '\r')
                line.n--;
        if (line.n && *line.p == '<') {
                line = slice_from(line, pri(line));
                protocol = slice_starts(line, SYSLOG_PROTOCOL);
                line = slice_from(line, protocol ? SYSLOG_PROTOCOL.n : 0);
        }
        if (!line.n)
                return false;
        size_t n = take_time(h, line, ret, &own);
        if (!n)
                return false;
        line = slice_from(line, n + 1);
        if (protocol)
                return syslog_protocol(line, ret);
        if (own) {
                ret->host = (struct slice){ line.p, 0 };
                ret->program = S("exim");
                ret->text = line;
                ret->pid = 0;
                return true;
        }
        size_t host = scan_first_of(line, ' ', ' ', ' ');
        if (host == 0 || host == line.n)
                return false;
        if (of_dovecot((struct slice){ line.p, host })) {
                *ret = (struct syslog_line){
                        .at = ret->at, .hour = ret->hour, .host = { line.p, 0 }, .program = S("dovecot"), .text = line
                };
                return true;
        }
        ret->host = (struct slice){ line.p, host };
        tag(slice_from(line, host + 1), ret);
        return true;
}

bool syslog_parse(struct syslog_clock *c, struct slice line, struct syslog_line *ret)
{
        struct syslog_hour room = { 0 };
        struct syslog_hours one = { .v = &room, .cap = 1 };
        if (!syslog_scan(&one, line, ret))
                return false;
        syslog_settle(c, &one);
        ret->at += room.at;
        return true;
}

void syslog_hours_clear(struct syslog_hours *h)
{
        h->n = 0;
        h->second_n = 0;
}

void syslog_hours_done(struct syslog_hours *h)
{
        free(h->v);
        *h = (struct syslog_hours){ 0 };
}

int64_t syslog_next(struct syslog_clock *c, struct slice in, struct syslog_line *ret)
{
        const char *end = in.n ? memchr(in.p, '\n', in.n) : NULL;
        if (!end)
                return SYSLOG_MORE;
        struct slice line = { in.p, (size_t)(end - in.p) };
        return syslog_parse(c, line, ret) ? (int64_t)line.n + 1 : -((int64_t)line.n + 1);
}
