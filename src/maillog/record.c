/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/record.h"

#include "maillog/gaps.h"
#include "maillog/parse.h"

enum { BSD_TIME_LEAST = 14, RFC_TIME_LEAST = 19 };

bool record_read(struct syslog_clock *c, struct slice line, struct record *ret)
{
        struct syslog_line l;
        if (!syslog_parse(c, line, &l))
                return false;
        enum mail_daemon daemon = mail_daemon_of(l.program, &ret->instance);
        if (daemon == MAIL_BY_NONE)
                return false;
        ret->at = l.at;
        ret->times = gaps_repeated(&l.text);
        ret->host = l.host;
        ret->line = line;
        mail_parse(daemon, l.text, &ret->event);
        return true;
}

/* What stands behind the next blank at or after `from`. */
static struct slice behind_blank(struct slice s, size_t from)
{
        const char *blank = s.n > from ? memchr(s.p + from, ' ', s.n - from) : NULL;
        return blank ? slice_from(s, (size_t)(blank - s.p) + 1) : (struct slice){ 0 };
}

struct slice record_text(struct slice line)
{
        if (line.n && line.p[line.n - 1] == '\r')
                line.n--;
        bool protocol = false;
        if (line.n && *line.p == '<') {
                size_t n = slice_find(line, '>');
                line = n < line.n ? slice_from(line, n + 1) : (struct slice){ 0 };
                protocol = slice_starts(line, SYSLOG_PROTOCOL);
                line = slice_from(line, protocol ? SYSLOG_PROTOCOL.n : 0);
        }
        bool digit = line.n && (unsigned)(*line.p - '0') < 10;
        struct slice host = behind_blank(line, digit ? RFC_TIME_LEAST : BSD_TIME_LEAST), s = behind_blank(host, 0);
        if (protocol) {
                struct syslog_line l;
                return syslog_protocol(host, &l) ? l.text : (struct slice){ 0 };
        }
        size_t n = 0;
        while (n < s.n && s.p[n] != '[' && s.p[n] != ':' && s.p[n] != ' ')
                n++;
        if (n < s.n && s.p[n] == '[')
                while (n < s.n && s.p[n] != ':')
                        n++;
        if (n + 1 >= s.n || s.p[n] != ':')
                return (struct slice){ 0 };
        return slice_from(s, n + 1 + (s.p[n + 1] == ' '));
}

void record_clock(struct syslog_clock *c, struct syslog_zone zone, int64_t written, int64_t first, int64_t last)
{
        syslog_clock_init(c, zone, last ? last : written);
        c->last = first;
}
