/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/reply.h"

#define TEXT_ROW(id, code, enhanced, en, pt) [SMTP_TEXT_##id] = { code, S(enhanced), { S(en), S(pt) } },
static const struct {
        unsigned code;
        struct slice enhanced, words[2];
} texts[] = { SMTP_TEXTS(TEXT_ROW) };

struct smtp_reply smtp_text(enum smtp_text id, enum smtp_language language)
{
        return (struct smtp_reply){ texts[id].code, texts[id].enhanced, texts[id].words[language] };
}

/* Crockford's alphabet: no I, L, O, U. */
const char *smtp_ref_print(uint64_t id, char out[SMTP_REF_TEXT_MAX])
{
        for (size_t i = 0; i < 8; i++)
                out[i] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[id >> (35 - 5 * i) & 31];
        out[8] = '\0';
        return out;
}

/* ---- sending ---- */

/* Stretches of printable ASCII as they are. */
static void put_safe(struct buf *out, struct slice s)
{
        while (s.n) {
                size_t n = 0;
                while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7F)
                        n++;
                buf_add(out, (struct slice){ s.p, n });
                s = slice_from(s, n);
                if (s.n == 0)
                        return;
                size_t letter = slice_utf8(s);
                buf_addc(out, s.p[0] == '\t' ? ' ' : '?');
                s = slice_from(s, letter ? letter : 1);
        }
}

void smtp_reply_put(struct buf *out, const struct smtp_reply *r, uint64_t ref)
{
        struct slice rest = r->text;
        do {
                char text[SMTP_REF_TEXT_MAX];
                struct slice line = slice_cut(rest, '\n', &rest);
                bool last = !rest.p, refers = last && ref && r->code >= 400;
                size_t room = SMTP_REPLY_LINE_MOST - 4 - 2 - (r->enhanced.n + 1) - (refers ? SMTP_REF_TEXT_MAX + 2 : 0);
                if (line.n && line.p[line.n - 1] == '\r')
                        line.n--;
                if (line.n > room)
                        line.n = room;
                const char head[] = { (char)('0' + r->code / 100 % 10), (char)('0' + r->code / 10 % 10),
                                      (char)('0' + r->code % 10), last ? ' ' : '-' };
                buf_add(out, (struct slice){ head, sizeof head });
                if (r->enhanced.n) { /* RFC 2034 3: in each line */
                        put_safe(out, r->enhanced);
                        buf_addc(out, ' ');
                }
                put_safe(out, line);
                if (refers)
                        buf_addf(out, " [%s]", smtp_ref_print(ref, text));
                buf_adds(out, "\r\n");
        } while (rest.p);
}

/* ---- reading: "250-text CRLF ... 250 text CRLF" (RFC 5321 4.2.1) ---- */

enum { IN_CODE, AT_SEPARATOR, IN_LINE, AT_LF };

void smtp_reader_init(struct smtp_reader *r)
{
        *r = (struct smtp_reader){ .state = IN_CODE };
        buf_init(&r->text, SMTP_READ_TEXT_MOST);
}

void smtp_reader_done(struct smtp_reader *r)
{
        buf_done(&r->text);
}

bool smtp_reader_fresh(const struct smtp_reader *r)
{
        return r->done || (r->lines == 0 && r->at == 0);
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* "5.7.1 " at the start of a line: its length without the blank; 0 where there is none or it is of another class (RFC 2034 4). */
static size_t enhanced_length(struct slice s, unsigned code)
{
        size_t at = 1;
        if (s.n == 0 || (unsigned)(s.p[0] - '0') != code / 100)
                return 0;
        for (int part = 0; part < 2; part++) {
                size_t digits = 0;
                if (at == s.n || s.p[at] != '.')
                        return 0;
                for (at++; at < s.n && is_digit(s.p[at]); at++)
                        digits++;
                if (digits == 0 || digits > 3)
                        return 0;
        }
        return at == s.n || s.p[at] == ' ' || s.p[at] == '\n' ? at : 0;
}

/* The enhanced code is said once, not in each line of the text. */
static void finish(struct smtp_reader *r)
{
        struct slice text = buf_slice(&r->text);
        size_t n = enhanced_length(text, r->code);
        size_t kept = 0;
        r->reply = (struct smtp_reply){ .code = r->code };
        if (n) {
                for (size_t at = 0; at < text.n;) {
                        size_t end = at + slice_find(slice_from(text, at), '\n'), skip = 0;
                        if (at && slice_starts(slice_from(text, at), (struct slice){ text.p, n }))
                                skip = n + (at + n < end && r->text.p[at + n] == ' ');
                        if (at)
                                r->text.p[kept++] = '\n';
                        memmove(r->text.p + kept, r->text.p + at + skip, end - at - skip);
                        kept += end - at - skip;
                        at = end + 1;
                }
                r->text.n = kept;
                text = buf_slice(&r->text);
                r->reply.enhanced = (struct slice){ text.p, n };
                n += n < text.n && text.p[n] == ' ';
        }
        r->reply.text = slice_from(text, n);
        r->done = true;
}

static bool read_code(struct smtp_reader *r, char c)
{
        if (!is_digit(c))
                return false;
        r->this_code = (uint16_t)(r->this_code * 10 + (c - '0'));
        if (r->at < 3)
                return true;
        r->state = AT_SEPARATOR;
        if (r->lines == 0)
                r->code = r->this_code;
        return r->this_code == r->code && r->code >= 200 && r->code <= 599;
}

/* `more`: the low bit of lines' separator, kept in this_code once the code was compared. */
static bool read_separator(struct smtp_reader *r, char c)
{
        r->this_code = c == '-';
        r->state = c == '\r' ? AT_LF : IN_LINE;
        if (r->lines && !r->text.full)
                buf_addc(&r->text, '\n');
        return c == ' ' || c == '-' || c == '\r';
}

static bool read_text(struct smtp_reader *r, char c)
{
        if (c == '\r')
                r->state = AT_LF;
        else if (c == '\n' || c == '\0')
                return false;
        else if (r->text.n < SMTP_READ_TEXT_MOST)
                buf_addc(&r->text, c == '\t' ? ' ' : (unsigned char)c < 0x20 || c == 0x7F ? '?' : c);
        return true;
}

static bool read_byte(struct smtp_reader *r, char c)
{
        if (++r->at > SMTP_READ_LINE_MOST)
                return false;
        switch (r->state) {
        case IN_CODE:
                return read_code(r, c);
        case AT_SEPARATOR:
                return read_separator(r, c);
        case IN_LINE:
                return read_text(r, c);
        default:
                break;
        }
        if (c != '\n' || ++r->lines > SMTP_READ_LINES_MOST)
                return false;
        if (!r->this_code)
                finish(r);
        r->at = 0;
        r->this_code = 0;
        r->state = IN_CODE;
        return true;
}

enum smtp_read smtp_reader_next(struct smtp_reader *r, struct slice *in)
{
        if (r->done) {
                buf_clear(&r->text);
                r->done = false;
                r->lines = 0;
        }
        while (in->n) {
                char c = in->p[0];
                *in = slice_from(*in, 1);
                if (!read_byte(r, c))
                        return SMTP_READ_JUNK;
                if (r->done)
                        return SMTP_READ_REPLY;
        }
        return SMTP_READ_MORE;
}
