/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/zone.h"

#include "base/time.h"

#include <time.h>

static int64_t instant(void *arg, int64_t local, bool later)
{
        (void)arg;
        struct tm tm, back;
        time_t as_if = (time_t)local, at;
        gmtime_r(&as_if, &tm);
        tm.tm_isdst = later ? 0 : 1;
        at = mktime(&tm);
        localtime_r(&at, &back);
        if (back.tm_isdst == (later ? 0 : 1))
                return at * SECOND;
        gmtime_r(&as_if, &tm);
        tm.tm_isdst = -1;
        return mktime(&tm) * SECOND;
}

static int64_t instant_elsewhere(void *arg, int64_t local, bool later)
{
        const struct slice *name = arg;
        autofree char *before = getenv("TZ") ? xstrdup(getenv("TZ")) : NULL;
        time_set_zone(*name);
        int64_t at = instant(NULL, local, later);
        if (before)
                setenv("TZ", before, 1);
        else
                unsetenv("TZ");
        tzset();
        return at;
}

struct syslog_zone zone_of_process(void)
{
        return (struct syslog_zone){ instant, NULL };
}

struct syslog_zone zone_named(const struct slice *name)
{
        return (struct syslog_zone){ instant_elsewhere, (void *)(uintptr_t)name };
}
