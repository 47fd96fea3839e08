/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/picture.h"
#include "base/time.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

/* --- values -------------------------------------------------------------------------------------------------------------- */

static void measure_series(const struct graph *g, struct graph_series *s)
{
        double sum = 0, known = 0;
        s->mean = s->max = s->last = NAN;
        for (size_t i = 0; i < g->n_points; i++) {
                const struct rings_point *p = &s->points[i];
                if (isnan(p->mean))
                        continue;
                sum += p->sum;
                known += p->known;
                s->last = p->mean;
                if (!(p->max <= s->max))
                        s->max = p->max;
        }
        if (known > 0)
                s->mean = sum / known;
}

static double highest_mean(const struct graph *g)
{
        double high = 0;
        for (size_t i = 0; i < g->n_points; i++) {
                double all = 0;
                for (size_t k = 0; k < g->n_series; k++) {
                        double mean = g->series[k].points[i].mean;
                        if (isnan(mean))
                                continue;
                        all = g->stacked ? all + mean : fmax(all, mean);
                }
                high = fmax(high, all);
        }
        return high;
}

static void choose_unit(struct graph *g, double high)
{
        static const struct {
                double seconds;
                enum graph_word name;
        } units[] = { { 1, GRAPH_PER_SECOND }, { 60, GRAPH_PER_MINUTE }, { 3600, GRAPH_PER_HOUR } };
        size_t i = 0;
        while (g->kind == RINGS_RATE && i + 1 < COUNT_OF(units) &&
               (g->per ? units[i].seconds * SECOND < (double)g->per : high * units[i].seconds < 1))
                i++;
        g->scale = units[i].seconds;
        g->unit = g->kind == RINGS_RATE ? graph_word(g->language, units[i].name) : "";
}

static int by_time(const void *a, const void *b)
{
        const struct graph_mark *x = a, *y = b;
        return (x->at > y->at) - (x->at < y->at);
}

void graph_measure(struct graph *g)
{
        double high = highest_mean(g), burst = 0;
        if (g->n_series > GRAPH_SERIES_MOST || g->n_marks > GRAPH_MARKS_MOST || g->n_points > GRAPH_POINTS_MOST ||
            g->n_points == 0 || g->to <= g->from)
                panic("no picture: %zu series, %zu marks, %zu points", g->n_series, g->n_marks, g->n_points);
        for (size_t i = 0; i < g->n_series; i++) {
                measure_series(g, &g->series[i]);
                if (!g->stacked && g->series[i].max > burst)
                        burst = g->series[i].max;
        }
        if (g->n_marks)
                qsort(g->marks, g->n_marks, sizeof *g->marks, by_time);
        choose_unit(g, high);
        g->top = fmax(high, fmin(burst, 4 * high));
        if (!(g->top > 0))
                g->top = burst > 0 ? burst : 1 / g->scale;
        g->burst = burst > g->top ? burst : 0;
}

const char *graph_number(double value, char out[GRAPH_NUMBER_MAX])
{
        static const char *const powers[] = { "", "k", "M", "G", "T", "P" };
        size_t power = 0;
        if (isnan(value)) {
                snprintf(out, GRAPH_NUMBER_MAX, "–");
                return out;
        }
        if (fabs(value) >= 1e18) {
                snprintf(out, GRAPH_NUMBER_MAX, "%.1e", value);
                return out;
        }
        for (; fabs(value) >= 999.5 && power + 1 < COUNT_OF(powers); power++)
                value /= 1000;
        double size = fabs(value);
        int digits = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.0095 ? 2 : 4;
        snprintf(out, GRAPH_NUMBER_MAX - 2, "%.*f", digits, value);
        if (strchr(out, '.')) {
                size_t end = strlen(out);
                while (out[end - 1] == '0')
                        end--;
                out[out[end - 1] == '.' ? end - 1 : end] = '\0';
        }
        size_t n = strlen(out);
        snprintf(out + n, GRAPH_NUMBER_MAX - n, "%s", powers[power]);
        return strcmp(out, "-0") == 0 ? out + 1 : out;
}

double graph_value_step(double top, size_t most)
{
        static const double steps[] = { 1, 2, 5, 10 };
        double least = top / (double)(most ? most : 1), power = pow(10, floor(log10(least)));
        for (size_t i = 0; i < COUNT_OF(steps); i++)
                if (steps[i] * power >= least * (1 - 1e-9))
                        return steps[i] * power;
        return 10 * power;
}

bool graph_unknown(const struct graph *g, size_t point)
{
        for (size_t i = 0; i < g->n_series; i++)
                if (!isnan(g->series[i].points[point].mean))
                        return false;
        return true;
}

/* --- time ---------------------------------------------------------------------------------------------------------------- */

enum unit { MINUTES, HOURS, DAYS, WEEKS, MONTHS, YEARS };

static const struct step {
        enum unit unit;
        int n;
        int64_t seconds; /* about */
} steps[] = {
        { MINUTES, 1, 60 },       { MINUTES, 5, 300 },    { MINUTES, 10, 600 },   { MINUTES, 30, 1800 },
        { MINUTES, 60, 3600 },    { HOURS, 2, 7200 },     { HOURS, 3, 10800 },    { HOURS, 6, 21600 },
        { HOURS, 12, 43200 },     { DAYS, 1, 86400 },     { DAYS, 2, 172800 },    { WEEKS, 1, 604800 },
        { WEEKS, 2, 1209600 },    { MONTHS, 1, 2629800 }, { MONTHS, 2, 5259600 }, { MONTHS, 3, 7889400 },
        { MONTHS, 6, 15778800 },  { YEARS, 1, 31557600 }, { YEARS, 2, 63115200 }, { YEARS, 5, 157788000 },
        { YEARS, 20, 631152000 },
};

/* The local day's first instant with this date and hour, or what comes after it where clocks skip that. */
static time_t local(struct tm t)
{
        t.tm_isdst = -1;
        struct tm want = t;
        time_t at = mktime(&t);
        timegm(&want); /* the date as it should be */
        for (int i = 0; i < 2 && (t.tm_mday != want.tm_mday || t.tm_hour < want.tm_hour); i++) {
                at += 1800;
                localtime_r(&at, &t);
        }
        return at;
}

static struct tm round_down(time_t at, const struct step *s)
{
        struct tm t;
        localtime_r(&at, &t);
        t.tm_sec = t.tm_min = 0;
        t.tm_hour = s->unit == HOURS ? t.tm_hour / s->n * s->n : 0;
        if (s->unit == WEEKS)
                t.tm_mday -= (t.tm_wday + 6) % 7;
        if (s->unit >= MONTHS)
                t.tm_mday = 1;
        if (s->unit == MONTHS)
                t.tm_mon = t.tm_mon / s->n * s->n;
        if (s->unit == YEARS) {
                t.tm_mon = 0;
                t.tm_year = (t.tm_year + 1900) / s->n * s->n - 1900;
        }
        return t;
}

static struct tm step_on(struct tm t, const struct step *s, int times)
{
        int n = s->n * times;
        t.tm_hour += s->unit == HOURS ? n : 0;
        t.tm_mday += s->unit == DAYS ? n : s->unit == WEEKS ? 7 * n : 0;
        t.tm_mon += s->unit == MONTHS ? n : 0;
        t.tm_year += s->unit == YEARS ? n : 0;
        return t;
}

static void label(struct graph_tick *tick, const struct step *s, enum graph_language language)
{
        time_t at = (time_t)(tick->at / SECOND);
        struct tm t;
        localtime_r(&at, &t);
        const char *day = graph_word(language, GRAPH_SUNDAY + (unsigned)t.tm_wday),
                   *month = graph_word(language, GRAPH_JANUARY + (unsigned)t.tm_mon);
        bool day_begins = s->unit <= HOURS && t.tm_hour == 0 && t.tm_min == 0;
        bool year_begins = s->unit >= MONTHS && t.tm_mon == 0;
        tick->strong = day_begins || year_begins;
        if (s->unit == DAYS || day_begins)
                snprintf(tick->label, sizeof tick->label, "%s %d", day, t.tm_mday);
        else if (s->unit <= HOURS)
                snprintf(tick->label, sizeof tick->label, "%02d:%02d", t.tm_hour, t.tm_min);
        else if (s->unit == WEEKS)
                snprintf(tick->label, sizeof tick->label, "%d %s", t.tm_mday, month);
        else if (year_begins)
                snprintf(tick->label, sizeof tick->label, "%d", t.tm_year + 1900);
        else
                snprintf(tick->label, sizeof tick->label, "%s", month);
}

/* Up to an hour, steps are counted in real minutes from a round local one; beyond, in the calendar. */
static time_t tick_at(const struct step *s, const struct tm *begin, time_t from, int i)
{
        struct tm t;
        if (s->unit != MINUTES)
                return local(step_on(*begin, s, i));
        localtime_r(&from, &t);
        time_t second_of_day = t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec;
        return from - second_of_day % (s->n * 60) + (time_t)i * s->n * 60;
}

size_t graph_time_ticks(const struct graph *g, size_t most, struct graph_tick ticks[GRAPH_TICKS_MOST])
{
        int64_t from = g->from, to = g->to;
        const struct step *s = steps;
        size_t n = 0;
        if (most > GRAPH_TICKS_MOST)
                most = GRAPH_TICKS_MOST;
        while (s + 1 < steps + COUNT_OF(steps) && (to - from) / SECOND > s->seconds * (int64_t)most)
                s++;
        time_t first = (time_t)(from / SECOND), before = 0;
        struct tm begin = round_down(first, s);
        for (int i = 0; n < most && i < 1000; i++) {
                time_t at = tick_at(s, &begin, first, i);
                if ((int64_t)at * SECOND > to)
                        break;
                if ((int64_t)at * SECOND < from || at <= before)
                        continue;
                ticks[n] = (struct graph_tick){ .at = (int64_t)at * SECOND };
                label(&ticks[n++], s, g->language);
                before = at;
        }
        return n;
}
