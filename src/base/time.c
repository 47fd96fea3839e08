/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/time.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

static int64_t clock_us(clockid_t which)
{
        struct timespec t;
        if (clock_gettime(which, &t) == -1)
                panic("clock_gettime");
        return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

int64_t time_now(void)
{
        return clock_us(CLOCK_REALTIME);
}

int64_t time_monotonic(void)
{
        return clock_us(CLOCK_MONOTONIC);
}

/* A folder, or a list of zones, lies there too; libc would take either for UTC without a word. */
static bool is_zone_file(const char *path)
{
        char magic[4];
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        return fd != -1 && read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
}

bool time_zone_known(struct slice name)
{
        char path[256];
        bool odd = name.n == 0 || name.n > 100 || name.p[0] == '/' || name.p[0] == '.' || memchr(name.p, '\0', name.n);
        for (size_t i = 0; !odd && i + 1 < name.n; i++)
                odd = name.p[i] == '.' && name.p[i + 1] == '.';
        if (odd)
                return false;
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", SLICE_ARGS(name));
        return is_zone_file(path);
}

bool time_set_zone(struct slice name)
{
        char path[256];
        if (!time_zone_known(name))
                return false;
        snprintf(path, sizeof path, ":%.*s", SLICE_ARGS(name));
        if (setenv("TZ", path, 1) == -1)
                panic("setenv");
        tzset();
        return true;
}

/* Exactly `digits` digits from *s, a number of at most `max`. */
static bool number(struct slice *s, size_t digits, uint64_t max, int *ret)
{
        uint64_t n;
        if (s->n < digits || !slice_u64((struct slice){ s->p, digits }, max, &n))
                return false;
        *s = slice_from(*s, digits);
        *ret = (int)n;
        return true;
}

static bool eat(struct slice *s, char c)
{
        if (s->n == 0 || s->p[0] != c)
                return false;
        *s = slice_from(*s, 1);
        return true;
}

static bool parse_fraction(struct slice *s, int64_t *us)
{
        int64_t unit = SECOND / 10;
        size_t n = 0;
        for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++, unit /= 10)
                *us += (s->p[n] - '0') * unit;
        *s = slice_from(*s, n);
        return n > 0;
}

/* "Z", "+02:00", "-0300" or nothing; *has tells which. */
static bool parse_offset(struct slice s, bool *has, int *seconds)
{
        *has = s.n > 0;
        if (!*has || slice_eq(s, S("Z")))
                return true;
        int sign = s.p[0] == '-' ? -1 : 1, h, m;
        if (!eat(&s, '+') && !eat(&s, '-'))
                return false;
        if (!number(&s, 2, 14, &h) || (eat(&s, ':'), !number(&s, 2, 59, &m)) || s.n)
                return false;
        *seconds = sign * (h * 3600 + m * 60);
        return true;
}

static bool same_minute(const struct tm *a, const struct tm *b)
{
        return a->tm_mday == b->tm_mday && a->tm_mon == b->tm_mon && a->tm_hour == b->tm_hour && a->tm_min == b->tm_min;
}

/* The instant, and whether the fields name a day and time that exist. Of two local times that look alike the first is
 * meant; mktime() alone would choose by what it was asked before. */
static bool instant_of(struct tm fields, bool has_offset, int offset, time_t *ret)
{
        static const time_t steps[] = { 3600, 1800 };
        struct tm t = fields;
        t.tm_isdst = -1;
        time_t at = has_offset ? timegm(&t) : mktime(&t);
        if (!same_minute(&t, &fields))
                return false;
        for (size_t i = 0; !has_offset && i < COUNT_OF(steps); i++) {
                time_t earlier = at - steps[i];
                if (localtime_r(&earlier, &t) && same_minute(&t, &fields)) {
                        at = earlier;
                        break;
                }
        }
        *ret = at - offset;
        return true;
}

/* -1, 0 or 1: the local date at `at` is before, on or after the day. */
static int compare_day(time_t at, const struct tm *day)
{
        struct tm t;
        if (!localtime_r(&at, &t))
                return -1;
        long a = (t.tm_year * 12L + t.tm_mon) * 31 + t.tm_mday,
             b = (day->tm_year * 12L + day->tm_mon) * 31 + day->tm_mday;
        return (a > b) - (a < b);
}

/* The first second of a day, searched between times that surely lie before and in it or after it: where clocks go
 * forward at midnight, as in Brazil until 2018, the day has no 00:00, and where they go back then, it has two. */
static bool day_begins(struct tm day, time_t *ret)
{
        time_t low = timegm(&day) - DAY / SECOND;
        time_t high = low + 2 * DAY / SECOND;
        while (low + 1 < high) {
                time_t middle = low + (high - low) / 2;
                if (compare_day(middle, &day) < 0)
                        low = middle;
                else
                        high = middle;
        }
        *ret = high;
        return compare_day(high, &day) == 0;
}

static enum time_error parse_day(struct tm day, enum time_edge edge, int64_t *ret)
{
        struct tm same = day, next = day;
        time_t begin, end;
        timegm(&same);
        if (same.tm_mday != day.tm_mday || !day_begins(day, &begin))
                return TIME_NO_SUCH_DAY;
        if (edge == TIME_FIRST_INSTANT) {
                *ret = (int64_t)begin * SECOND;
                return TIME_OK;
        }
        do { /* the next day that exists: islands have skipped one */
                next.tm_mday++;
                timegm(&next);
        } while (!day_begins(next, &end));
        *ret = (int64_t)end * SECOND - 1;
        return TIME_OK;
}

static bool parse_clock(struct slice *s, struct tm *f, int64_t *us)
{
        if (!number(s, 2, 99, &f->tm_hour) || !eat(s, ':') || !number(s, 2, 99, &f->tm_min))
                return false;
        if (!eat(s, ':'))
                return true;
        return number(s, 2, 99, &f->tm_sec) && (!eat(s, '.') || parse_fraction(s, us));
}

enum time_error time_parse(struct slice s, enum time_edge edge, int64_t *ret)
{
        struct tm f = { 0 };
        int64_t us = 0;
        bool has_offset = false;
        int offset = 0;
        if (!number(&s, 4, 9999, &f.tm_year) || !eat(&s, '-') || !number(&s, 2, 99, &f.tm_mon) || !eat(&s, '-') ||
            !number(&s, 2, 99, &f.tm_mday))
                return TIME_BAD_FORM;
        bool date_only = s.n == 0;
        if (!date_only && ((!eat(&s, ' ') && !eat(&s, 'T')) || !parse_clock(&s, &f, &us)))
                return TIME_BAD_FORM;
        if (!date_only && s.n && s.p[0] == ' ')
                s = slice_from(s, 1);
        if (!parse_offset(s, &has_offset, &offset))
                return TIME_BAD_FORM;
        if (f.tm_year < 1970 || f.tm_mon < 1 || f.tm_mon > 12 || f.tm_hour > 23 || f.tm_min > 59 || f.tm_sec > 59)
                return TIME_NO_SUCH_DAY;
        f.tm_year -= 1900;
        f.tm_mon -= 1;
        if (date_only)
                return parse_day(f, edge, ret);
        time_t at;
        if (!instant_of(f, has_offset, offset, &at))
                return TIME_NO_SUCH_DAY;
        *ret = (int64_t)at * SECOND + us;
        return TIME_OK;
}

const char *time_print(int64_t us, char out[TIME_TEXT_MAX])
{
        time_t at = (time_t)(us / SECOND);
        struct tm t;
        if (us == TIME_NEVER || !localtime_r(&at, &t) || !strftime(out, TIME_TEXT_MAX, "%Y-%m-%d %H:%M:%S %z", &t))
                snprintf(out, TIME_TEXT_MAX, "no end");
        return out;
}

static const struct unit {
        char letter;
        int64_t us;
} units[] = { { 'w', 7 * DAY }, { 'd', DAY }, { 'h', HOUR }, { 'm', MINUTE }, { 's', SECOND } };

static bool add_part(struct slice digits, char letter, int64_t *total)
{
        uint64_t n;
        int64_t part;
        if (!slice_u64(digits, 1000000000, &n))
                return false;
        for (size_t i = 0; i < COUNT_OF(units); i++)
                if (units[i].letter == letter)
                        return !__builtin_mul_overflow((int64_t)n, units[i].us, &part) &&
                               !__builtin_add_overflow(*total, part, total);
        return false;
}

bool duration_parse(struct slice s, int64_t *ret)
{
        int64_t total = 0;
        while (s.n) {
                size_t n = 0;
                while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
                        n++;
                if (n == s.n || !add_part((struct slice){ s.p, n }, s.p[n], &total))
                        return false;
                s = slice_from(s, n + 1);
        }
        if (total < SECOND || total > 36525 * DAY)
                return false;
        *ret = total;
        return true;
}

const char *duration_print(int64_t us, char out[TIME_TEXT_MAX])
{
        size_t n = 0, parts = 0;
        out[0] = '\0';
        for (size_t i = 1; i < COUNT_OF(units) && parts < 2; i++) {
                int64_t count = us / units[i].us;
                if (count == 0)
                        continue;
                us -= count * units[i].us;
                n += (size_t)snprintf(out + n, TIME_TEXT_MAX - n, "%s%lld%c", parts++ ? " " : "", (long long)count,
                                      units[i].letter);
        }
        if (!parts)
                snprintf(out, TIME_TEXT_MAX, "0s");
        return out;
}
