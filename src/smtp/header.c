/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/header.h"

#include "base/time.h"
#include "smtp/reply.h"

enum { AT_LINE, IN_NAME, IN_VALUE, IN_REST, AT_END };
enum { LINE_MOST = 998, FIELD_OTHER = SMTP_FIELD_COUNT, FIELD_NONE };

#define FIELD_NAME(id, name) S(name),
static const struct slice names[] = { SMTP_FIELDS(FIELD_NAME) };

void smtp_header_init(struct smtp_header *h)
{
        *h = (struct smtp_header){ .state = AT_LINE, .field = FIELD_NONE };
        buf_init(&h->from, SMTP_FIELD_MOST);
        buf_init(&h->sender, SMTP_FIELD_MOST);
}

void smtp_header_done(struct smtp_header *h)
{
        buf_done(&h->from);
        buf_done(&h->sender);
}

static struct buf *kept(struct smtp_header *h)
{
        return h->field == SMTP_FIELD_FROM ? &h->from : h->field == SMTP_FIELD_SENDER ? &h->sender : NULL;
}

static void end_name(struct smtp_header *h)
{
        while (h->name_n && (h->name[h->name_n - 1] == ' ' || h->name[h->name_n - 1] == '\t'))
                h->name_n--; /* "From : x" (RFC 5322 4.5) */
        struct slice name = { h->name, h->name_n };
        h->field = FIELD_OTHER;
        for (uint8_t f = 0; f < SMTP_FIELD_COUNT; f++)
                if (slice_ieq(name, names[f]))
                        h->field = f;
        h->broken |= name.n == 0;
        if (h->field < SMTP_FIELD_COUNT && h->count[h->field]++ && kept(h))
                buf_adds(kept(h), ",,");
        h->state = IN_VALUE;
}

/* A byte of a name. Blanks may stand before the colon only: "From maria@example.com" is no field. */
static void name_byte(struct smtp_header *h, char c)
{
        bool blank = c == ' ' || c == '\t', full = h->name_n == SMTP_FIELD_NAME_MOST;
        bool after_blank = h->name_n && (h->name[h->name_n - 1] == ' ' || h->name[h->name_n - 1] == '\t');
        if (c == ':') {
                end_name(h);
        } else if (blank ? h->name_n && !full : c > ' ' && c < 0x7F && !after_blank) {
                if (!full)
                        h->name[h->name_n++] = c;
        } else {
                h->broken = true;
                h->field = FIELD_NONE;
                h->state = IN_REST;
        }
}

/* Bytes of a value up to the line's end; the end is not part of it. */
static size_t value_bytes(struct smtp_header *h, struct slice in)
{
        size_t n = slice_find(in, '\n');
        struct buf *b = h->state == IN_VALUE ? kept(h) : NULL;
        if (b)
                for (size_t i = 0; i < n; i++)
                        if (in.p[i] != '\r')
                                buf_addc(b, in.p[i]);
        if (n == in.n)
                return n;
        h->state = AT_LINE;
        return n + 1;
}

static void begin_line(struct smtp_header *h, char c)
{
        h->line = 0;
        if (c == '\r') {
                h->state = AT_END;
        } else if (c == ' ' || c == '\t') {
                h->broken |= h->field == FIELD_NONE;
                h->state = h->field == FIELD_NONE ? IN_REST : IN_VALUE;
        } else {
                h->name_n = 0;
                h->state = IN_NAME;
        }
}

static bool has_eight_bit(struct slice s)
{
        size_t i = 0;
        for (uint64_t x; s.n - i >= 8; i += 8) {
                memcpy(&x, s.p + i, 8);
                if (x & 0x8080808080808080)
                        return true;
        }
        for (; i < s.n; i++)
                if ((unsigned char)s.p[i] >= 0x80)
                        return true;
        return false;
}

enum smtp_header_found smtp_header_next(struct smtp_header *h, struct slice *in)
{
        while (in->n) {
                size_t n = 1;
                if (h->state == AT_LINE)
                        begin_line(h, in->p[0]);
                if (h->state == AT_END)
                        return SMTP_HEADER_END;
                if (h->state == IN_NAME)
                        name_byte(h, in->p[0]);
                else
                        n = value_bytes(h, *in);
                h->eight_bit |= has_eight_bit((struct slice){ in->p, n });
                h->bytes += (uint32_t)n;
                h->line += (uint32_t)n;
                h->long_line |= h->line > LINE_MOST + 2;
                if (h->bytes > SMTP_HEADER_MOST)
                        return SMTP_HEADER_TOO_BIG;
                *in = slice_from(*in, n);
        }
        return SMTP_HEADER_MORE;
}

void smtp_header_end(struct smtp_header *h)
{
        h->broken |= h->state == IN_NAME;
}

enum smtp_author smtp_header_author(const struct smtp_header *h, struct smtp_mailboxes *ret)
{
        ret->n = 0;
        if (h->count[SMTP_FIELD_FROM] == 0)
                return h->broken ? SMTP_AUTHOR_UNCLEAR : SMTP_AUTHOR_MISSING;
        bool clear = !h->broken && h->count[SMTP_FIELD_FROM] == 1 && !h->from.full;
        return clear && smtp_mailboxes_parse(buf_slice(&h->from), ret) && ret->n ? SMTP_AUTHOR_CLEAR
                                                                                 : SMTP_AUTHOR_UNCLEAR;
}

enum smtp_author smtp_header_sender(const struct smtp_header *h, struct smtp_mailboxes *ret)
{
        ret->n = 0;
        if (h->count[SMTP_FIELD_SENDER] == 0)
                return SMTP_AUTHOR_MISSING;
        bool clear = h->count[SMTP_FIELD_SENDER] == 1 && !h->sender.full;
        return clear && smtp_mailboxes_parse(buf_slice(&h->sender), ret) && ret->n == 1 ? SMTP_AUTHOR_CLEAR
                                                                                        : SMTP_AUTHOR_UNCLEAR;
}

/* ---- what is added ---- */

/* Days since 1970 as a date (Howard Hinnant's civil_from_days). */
static void civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
        int64_t z = days + 719468, era = z / 146097;
        unsigned doe = (unsigned)(z - era * 146097);
        unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        unsigned mp = (5 * doy + 2) / 153;
        *day = doy - (153 * mp + 2) / 5 + 1;
        *month = mp < 10 ? mp + 3 : mp - 9;
        *year = (int64_t)yoe + era * 400 + (*month <= 2);
}

void smtp_date_put(struct buf *out, int64_t us, int zone_minutes)
{
        static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
        static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
        int64_t seconds = us / SECOND + zone_minutes * INT64_C(60), year;
        int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;
        unsigned month, day, of_day;
        if (seconds < 0)
                seconds = 0;
        of_day = (unsigned)(seconds % 86400);
        civil(seconds / 86400, &year, &month, &day);
        buf_addf(out, "%s, %u %s %lld %02u:%02u:%02u %c%02d%02d", days[seconds / 86400 % 7], day, months[month - 1],
                 (long long)year, of_day / 3600, of_day / 60 % 60, of_day % 60, zone_minutes < 0 ? '-' : '+', zone / 60,
                 zone % 60);
}

void smtp_put_date(struct buf *out, int64_t us, int zone_minutes)
{
        buf_adds(out, "Date: ");
        smtp_date_put(out, us, zone_minutes);
        buf_adds(out, "\r\n");
}

void smtp_put_message_id(struct buf *out, int64_t us, uint64_t random, struct slice host)
{
        buf_addf(out, "Message-ID: <%llx.%llx@%.*s>\r\n", (unsigned long long)us, (unsigned long long)random,
                 SLICE_ARGS(host));
}

/* RFC 3848, RFC 6531 3.7.3 */
static void put_protocol(struct buf *out, const struct smtp_trace *t)
{
        if (!t->esmtp && !t->tls && !t->authenticated)
                buf_adds(out, "SMTP");
        else
                buf_addf(out, "%s%s%s", t->utf8 ? "UTF8SMTP" : "ESMTP", t->tls ? "S" : "", t->authenticated ? "A" : "");
}

void smtp_put_received(struct buf *out, const struct smtp_trace *t)
{
        char ref[SMTP_REF_TEXT_MAX];
        buf_adds(out, "Received: from customer (");
        for (size_t i = 0; i < t->token.n; i++) { /* nothing in it ends the comment */
                char c = t->token.p[i];
                bool plain =
                    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
                buf_addc(out, plain ? c : '?');
        }
        buf_addf(out, ")\r\n\tby %.*s with ", SLICE_ARGS(t->host));
        put_protocol(out, t);
        buf_addf(out, " id %s;\r\n\t", smtp_ref_print(t->id, ref));
        smtp_date_put(out, t->now, t->zone_minutes);
        buf_adds(out, "\r\n");
}
