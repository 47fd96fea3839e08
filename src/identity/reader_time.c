/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_time.h"

#include <stdio.h>
#include <time.h>

bool when_number(struct slice *s, size_t digits, int *ret)
{
        int n = 0;
        if (s->n < digits)
                return false;
        for (size_t i = 0; i < digits; i++) {
                if (s->p[i] < '0' || s->p[i] > '9')
                        return false;
                n = n * 10 + (s->p[i] - '0');
        }
        *s = slice_from(*s, digits);
        *ret = n;
        return true;
}

static bool is_leap(int year)
{
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool fields_utc(const struct fields *f, int64_t *ret)
{
        static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
        if (f->year < 1970 || f->year > 9999 || f->month < 1 || f->month > 12 || f->hour > 23 || f->minute > 59 ||
            f->second > 60)
                return false;
        int days = before[f->month] - before[f->month - 1] + (f->month == 2 && is_leap(f->year));
        if (f->day < 1 || f->day > days)
                return false;
        int y = f->year - 1;
        int64_t day = (int64_t)y * 365 + y / 4 - y / 100 + y / 400 - 719162 + before[f->month - 1] + f->day - 1 +
                      (f->month > 2 && is_leap(f->year));
        *ret = ((day * 24 + f->hour) * 60 + f->minute) * MINUTE + f->second * SECOND;
        return true;
}

/* "UTC", "GMT", "Z", "+02", "-0300", "+05:30": seconds east of Greenwich. */
static bool known_offset(struct slice zone, int *seconds)
{
        int h, m = 0;
        *seconds = 0;
        if (slice_eq(zone, S("UTC")) || slice_eq(zone, S("GMT")) || slice_eq(zone, S("Z")))
                return true;
        if (zone.n < 3 || (zone.p[0] != '+' && zone.p[0] != '-'))
                return false;
        int sign = zone.p[0] == '-' ? -1 : 1;
        zone = slice_from(zone, 1);
        if (!when_number(&zone, 2, &h))
                return false;
        if (zone.n && zone.p[0] == ':')
                zone = slice_from(zone, 1);
        if ((zone.n && !when_number(&zone, 2, &m)) || zone.n || h > 14 || m > 59)
                return false;
        *seconds = sign * (h * 3600 + m * 60);
        return true;
}

static bool has_name_then(int64_t at, struct slice zone)
{
        time_t seconds = (time_t)(at / SECOND);
        struct tm t;
        return zone.n && localtime_r(&seconds, &t) && slice_eq(slice_of(t.tm_zone), zone);
}

/* In the zone of the process; of an hour that comes twice, the one the name tells, else the first. */
static enum when in_own_zone(const struct fields *f, struct slice zone, int64_t *ret)
{
        char text[64];
        int n = snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", f->year, f->month, f->day, f->hour,
                         f->minute, f->second > 59 ? 59 : f->second);
        if (time_parse((struct slice){ text, (size_t)n }, TIME_FIRST_INSTANT, ret) != TIME_OK)
                return WHEN_WRONG;
        if (has_name_then(*ret, zone))
                return WHEN_EXACT;
        time_t later = (time_t)(*ret / SECOND) + 3600;
        struct tm t;
        if (has_name_then(*ret + HOUR, zone) && localtime_r(&later, &t) && t.tm_hour == f->hour) {
                *ret += HOUR;
                return WHEN_EXACT;
        }
        return WHEN_GUESSED;
}

static bool is_remembered(const struct clock *c, const struct fields *f, struct slice zone)
{
        return c->at.year == f->year && c->at.month == f->month && c->at.day == f->day && c->at.hour == f->hour &&
               c->at.minute == f->minute / 15 * 15 && zone.n < sizeof c->zone && slice_eq(slice_of(c->zone), zone);
}

enum when fields_in_zone(struct clock *c, const struct fields *f, struct slice zone, int64_t *ret)
{
        int offset;
        if (known_offset(zone, &offset)) {
                bool right = fields_utc(f, ret);
                *ret -= right ? offset * SECOND : 0;
                return right && *ret > 0 ? WHEN_EXACT : WHEN_WRONG;
        }
        struct fields quarter = *f;
        quarter.minute = f->minute / 15 * 15;
        quarter.second = 0;
        if (!fields_utc(f, ret))
                return WHEN_WRONG;
        if (!is_remembered(c, f, zone)) {
                int64_t at;
                enum when found = in_own_zone(&quarter, zone, &at);
                if (found == WHEN_WRONG)
                        return found;
                *c = (struct clock){ .at = quarter, .instant = at, .guessed = found == WHEN_GUESSED };
                if (zone.n < sizeof c->zone)
                        memcpy(c->zone, zone.p ? zone.p : "", zone.n);
        }
        *ret = c->instant + (f->minute - quarter.minute) * MINUTE + f->second * SECOND;
        return *ret <= 0 ? WHEN_WRONG : c->guessed ? WHEN_GUESSED : WHEN_EXACT;
}

static bool take_month(struct slice *s, int *ret)
{
        static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        for (int m = 0; m < 12 && s->n >= 3; m++)
                if (memcmp(s->p, names + 3 * m, 3) == 0) {
                        *s = slice_from(*s, 3);
                        *ret = m + 1;
                        return true;
                }
        return false;
}

static bool eat(struct slice *s, char c)
{
        if (s->n == 0 || s->p[0] != c)
                return false;
        *s = slice_from(*s, 1);
        return true;
}

/* " 9", "09" or "9" */
static bool take_day(struct slice *s, int *ret)
{
        while (eat(s, ' '))
                ;
        size_t n = s->n > 1 && s->p[1] >= '0' && s->p[1] <= '9' ? 2 : 1;
        return when_number(s, n, ret);
}

static bool take_clock(struct slice *s, struct fields *f)
{
        return when_number(s, 2, &f->hour) && eat(s, ':') && when_number(s, 2, &f->minute) && eat(s, ':') &&
               when_number(s, 2, &f->second);
}

bool when_is_ctime(struct slice s)
{
        return s.n == 24 && s.p[3] == ' ' && s.p[7] == ' ' && s.p[10] == ' ' && s.p[13] == ':' && s.p[16] == ':' &&
               s.p[19] == ' ';
}

static enum when date_of_words(struct clock *c, struct slice s, int64_t *ret)
{
        struct fields f;
        bool as_ctime = when_is_ctime(s);
        if (as_ctime)
                s = slice_from(s, 4);
        if (!take_month(&s, &f.month) || !take_day(&s, &f.day) || !eat(&s, ' '))
                return WHEN_WRONG;
        if (!as_ctime && (!when_number(&s, 4, &f.year) || !eat(&s, ' ')))
                return WHEN_WRONG;
        if (!take_clock(&s, &f) || (as_ctime && (!eat(&s, ' ') || !when_number(&s, 4, &f.year))))
                return WHEN_WRONG;
        if (s.n && !eat(&s, ' '))
                return WHEN_WRONG;
        return fields_in_zone(c, &f, s, ret);
}

/* Behind the clock of a date in time_parse()'s form stands something that says the zone. */
static bool names_zone(struct slice s)
{
        return slice_ends(s, S("Z")) || (s.n > 10 && (slice_find(slice_from(s, 10), '+') < s.n - 10 ||
                                                      slice_find(slice_from(s, 10), '-') < s.n - 10));
}

enum when when_date(struct clock *c, struct slice s, int64_t *ret)
{
        uint64_t seconds;
        if (s.n == 0)
                return WHEN_WRONG;
        if (s.p[0] > '9')
                return date_of_words(c, s, ret);
        if (slice_u64(s, INT64_C(253402300799), &seconds)) { /* the end of 9999 */
                *ret = (int64_t)seconds * SECOND;
                return seconds ? WHEN_EXACT : WHEN_WRONG;
        }
        if (time_parse(s, TIME_FIRST_INSTANT, ret) != TIME_OK || *ret <= 0)
                return WHEN_WRONG;
        return names_zone(s) ? WHEN_EXACT : WHEN_GUESSED;
}

static enum when syslog_of_old(struct clock *c, struct slice *s, int64_t now, int64_t *ret)
{
        struct fields f = { .year = 1970 };
        time_t seconds = (time_t)(now / SECOND);
        struct tm t;
        if (!take_month(s, &f.month) || !take_day(s, &f.day) || !eat(s, ' ') || !take_clock(s, &f) ||
            !localtime_r(&seconds, &t))
                return WHEN_WRONG;
        /* eight years back: 29 February */
        for (int back = -1; back <= 8; back++) {
                int64_t about;
                f.year = t.tm_year + 1900 - back;
                if (!fields_utc(&f, &about) || about > now + 3 * DAY)
                        continue;
                enum when found = fields_in_zone(c, &f, S(""), ret);
                if (found != WHEN_WRONG && *ret <= now + DAY)
                        return found;
        }
        return WHEN_WRONG;
}

enum when when_syslog(struct clock *c, struct slice *s, int64_t now, int64_t *ret)
{
        if (s->n == 0 || s->p[0] > '9')
                return syslog_of_old(c, s, now, ret);
        struct slice rest = *s, date;
        date = (struct slice){ s->p, slice_find(*s, ' ') };
        if (date.n == 10 && s->n > 19 && s->p[13] == ':') /* "2026-07-19 16:13:02" */
                date.n = 19;
        if (time_parse(date, TIME_FIRST_INSTANT, ret) != TIME_OK || *ret <= 0)
                return WHEN_WRONG;
        *s = slice_from(rest, date.n);
        return names_zone(date) ? WHEN_EXACT : WHEN_GUESSED;
}
