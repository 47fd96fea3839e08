/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"
#include "base/time.h"

#include <math.h>
#include <time.h>

void json_init(struct json *j, struct buf *out)
{
        *j = (struct json){ .out = out };
}

void json_init_compact(struct json *j, struct buf *out)
{
        *j = (struct json){ .out = out, .compact = true };
}

void json_done(struct json *j)
{
        if (j->depth)
                panic("json left open");
        if (!j->compact)
                buf_addc(j->out, '\n');
}

/* How many bytes at the start need no escape. */
static size_t plain(struct slice s)
{
        size_t n = 0;
        while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7F && s.p[n] != '"' && s.p[n] != '\\')
                n++;
        return n;
}

static void add_quoted(struct buf *out, struct slice s)
{
        buf_addc(out, '"');
        while (s.n) {
                unsigned char c = (unsigned char)s.p[0];
                size_t n = plain(s);
                if (n == 0 && c >= 0x80)
                        n = slice_utf8(s);
                if (n)
                        buf_add(out, (struct slice){ s.p, n });
                else if (c == '"' || c == '\\')
                        buf_addf(out, "\\%c", c);
                else
                        buf_addf(out, "\\u%04x", c);
                s = slice_from(s, n ? n : 1);
        }
        buf_addc(out, '"');
}

static void before(struct json *j, const char *key)
{
        if (j->comma)
                buf_addc(j->out, ',');
        if (j->depth && !j->compact)
                buf_addf(j->out, "\n%*s", (int)j->depth * 2, "");
        if (key) {
                add_quoted(j->out, slice_of(key));
                buf_adds(j->out, j->compact ? ":" : ": ");
        }
        j->comma = true;
}

static void open_with(struct json *j, const char *key, char c)
{
        before(j, key);
        buf_addc(j->out, c);
        if (++j->depth > 32)
                panic("json too deep");
        j->comma = false;
}

static void close_with(struct json *j, char c)
{
        bool empty = !j->comma;
        if (j->depth-- == 0)
                panic("json closed twice");
        if (!empty && !j->compact)
                buf_addf(j->out, "\n%*s", (int)j->depth * 2, "");
        buf_addc(j->out, c);
        j->comma = true;
}

void json_object(struct json *j, const char *key)
{
        open_with(j, key, '{');
}

void json_object_end(struct json *j)
{
        close_with(j, '}');
}

void json_array(struct json *j, const char *key)
{
        open_with(j, key, '[');
}

void json_array_end(struct json *j)
{
        close_with(j, ']');
}

void json_string(struct json *j, const char *key, struct slice value)
{
        before(j, key);
        add_quoted(j->out, value);
}

void json_cstr(struct json *j, const char *key, const char *value)
{
        if (value)
                json_string(j, key, slice_of(value));
        else
                json_null(j, key);
}

void json_int(struct json *j, const char *key, int64_t value)
{
        before(j, key);
        buf_addf(j->out, "%lld", (long long)value);
}

void json_real(struct json *j, const char *key, double value)
{
        if (!isfinite(value)) { /* JSON has no word for it */
                json_null(j, key);
                return;
        }
        before(j, key);
        buf_addf(j->out, "%.3f", value);
}

void json_bool(struct json *j, const char *key, bool value)
{
        before(j, key);
        buf_adds(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
        before(j, key);
        buf_adds(j->out, "null");
}

void json_time(struct json *j, const char *key, int64_t us)
{
        time_t at = (time_t)(us / SECOND);
        struct tm t;
        char text[TIME_TEXT_MAX];
        if (us == TIME_NEVER || !gmtime_r(&at, &t) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t))
                json_null(j, key);
        else
                json_string(j, key, slice_of(text));
}

void json_raw(struct json *j, const char *key, struct slice json)
{
        if (json.n == 0) {
                json_null(j, key);
                return;
        }
        before(j, key);
        buf_add(j->out, json);
}

void json_report(struct json *j, struct buf *out)
{
        json_init(j, out);
        json_object(j, NULL);
        json_int(j, "version", 1);
}

void json_report_end(struct json *j)
{
        json_object_end(j);
        json_done(j);
}
