/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/syslog.h"

#include "base/time.h"

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

/* --- "Nov 28 13:20:02" --- */

static int month_of(const char *p)
{
        static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        for (int m = 0; m < 12; m++)
                if (memcmp(p, names + m * 3, 3) == 0)
                        return m + 1;
        return 0;
}

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

/* The start of an hour; where it comes twice, the first of the two that goes on from the line before. */
static void find_hour(struct syslog_clock *c, int64_t local, int within)
{
        int64_t first = instant_of(c, local, false), second = instant_of(c, local, true);
        bool back = c->last && first + within * SECOND < c->last - 30 * MINUTE && second > first;
        c->hour_at = back ? second : first;
}

static bool bsd_hour(struct syslog_clock *c, const char *p, int within)
{
        int month = month_of(p), hour = two(p + 7);
        int day = p[4] == ' ' ? (is_digit(p[5]) ? p[5] - '0' : -1) : two(p + 4);
        if (!month || hour < 0 || hour > 23 || p[3] != ' ' || p[6] != ' ' || p[9] != ':')
                return false;
        int year = year_of(c, month, day);
        if (!is_day(year, month, day))
                return false;
        find_hour(c, day_number(year, month, day) * 86400 + hour * 3600, within);
        c->year = year;
        c->month = month;
        memcpy(c->hour, p, BSD_HOUR);
        c->hour_n = BSD_HOUR;
        return true;
}

static size_t bsd_time(struct syslog_clock *c, struct slice s, int64_t *at)
{
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
        if (within < 0)
                return 0;
        bool known = c->hour_n == BSD_HOUR && memcmp(c->hour, p, BSD_HOUR) == 0 &&
                     c->hour_at + within * SECOND >= c->last - 30 * MINUTE;
        if (!known && !bsd_hour(c, p, within))
                return 0;
        c->last = *at = c->hour_at + within * SECOND;
        return n;
}

/* --- "2026-11-28T13:20:02.123456-03:00" --- */

static bool rfc_hour(struct syslog_clock *c, const char *p)
{
        int a = two(p), b = two(p + 2), month = two(p + 5), day = two(p + 8), hour = two(p + 11), year = a * 100 + b;
        if (a < 0 || b < 0 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != ' ') || p[13] != ':' ||
            hour < 0 || hour > 23 || year < 1970 || !is_day(year, month, day))
                return false;
        c->hour_at = (day_number(year, month, day) * 86400 + hour * 3600) * SECOND;
        memcpy(c->hour, p, RFC_HOUR);
        c->hour_n = RFC_HOUR;
        return true;
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

static size_t rfc_time(struct syslog_clock *c, struct slice s, int64_t *at)
{
        if (s.n < 20)
                return 0;
        int within = minute_second(s.p + 14), east;
        bool known = c->hour_n == RFC_HOUR && memcmp(c->hour, s.p, RFC_HOUR) == 0;
        if (within < 0 || (!known && !rfc_hour(c, s.p)))
                return 0;
        int64_t part = 0;
        size_t n = 19;
        if (s.p[n] == '.') {
                int64_t unit = SECOND;
                for (n++; n < s.n && is_digit(s.p[n]); n++, unit /= 10)
                        part += (unit / 10) * (s.p[n] - '0');
        }
        size_t zone = offset_of(s.p + n, s.n - n, &east);
        if (!zone)
                return 0;
        c->last = *at = c->hour_at + (within - east) * SECOND + part;
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
        const char *p = s.p, *end = s.p + s.n;
        uint32_t pid = 0;
        ret->program = (struct slice){ s.p, 0 };
        ret->text = s;
        ret->pid = 0;
        while (p < end && *p != '[' && *p != ':' && *p != ' ')
                p++;
        const char *name = p;
        if (p < end && *p == '[') {
                for (p++; p < end && is_digit(*p); p++)
                        pid = pid * 10 + (uint32_t)(*p - '0');
                if (p == end || *p++ != ']')
                        return;
        }
        if (p == end || *p++ != ':')
                return;
        p += p < end && *p == ' ';
        ret->program = (struct slice){ s.p, (size_t)(name - s.p) };
        ret->text = (struct slice){ p, (size_t)(end - p) };
        ret->pid = pid;
}

bool syslog_parse(struct syslog_clock *c, struct slice line, struct syslog_line *ret)
{
        if (line.n && line.p[line.n - 1] == '\r')
                line.n--;
        if (line.n && *line.p == '<')
                line = slice_from(line, pri(line));
        if (!line.n)
                return false;
        size_t n = is_digit(*line.p) ? rfc_time(c, line, &ret->at) : bsd_time(c, line, &ret->at);
        if (!n || n >= line.n || line.p[n] != ' ')
                return false;
        line = slice_from(line, n + 1);
        size_t host = slice_find(line, ' ');
        if (host == 0 || host == line.n)
                return false;
        ret->host = (struct slice){ line.p, host };
        tag(slice_from(line, host + 1), ret);
        return true;
}

int64_t syslog_next(struct syslog_clock *c, struct slice in, struct syslog_line *ret)
{
        const char *end = in.n ? memchr(in.p, '\n', in.n) : NULL;
        if (!end)
                return SYSLOG_MORE;
        struct slice line = { in.p, (size_t)(end - in.p) };
        return syslog_parse(c, line, ret) ? (int64_t)line.n + 1 : -((int64_t)line.n + 1);
}
