/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/data.h"

#include "smtp/line.h"

enum { AT_LINE, IN_TEXT, AFTER_CR, AFTER_DOT, AFTER_DOT_CR };

static void advance(struct slice *in, size_t n)
{
        *in = slice_from(*in, n);
}

void smtp_data_init(struct smtp_data *d, uint64_t most)
{
        *d = (struct smtp_data){ .most = most ? most : UINT64_MAX, .state = AT_LINE };
}

/* True where this is the first fault. */
static bool broken(struct smtp_data *d, enum smtp_data_fault fault)
{
        if (d->fault)
                return false;
        d->fault = fault;
        return true;
}

static void line_grows(struct smtp_data *d, size_t n)
{
        d->line = n > UINT32_MAX - d->line ? UINT32_MAX : d->line + (uint32_t)n;
        if (d->line > SMTP_TEXT_LINE_MOST)
                d->long_line = true;
}

/* The longest stretch that can be passed on as it stands: many lines, up to a dot that must go, a fault, or what only the next bytes
 * can tell. Returns its length and how much is used up in *used; sets the state. */
static size_t stretch(struct smtp_data *d, struct slice in, size_t *used, enum smtp_data_fault *fault)
{
        for (size_t i = 0, line = 0;;) {
                i += smtp_special((struct slice){ in.p + i, in.n - i });
                line_grows(d, i - line);
                *used = i;
                if (i == in.n)
                        return i;
                *used = i + 1;
                if (in.p[i] != '\r') {
                        *fault = in.p[i] == '\n' ? SMTP_DATA_BARE_LF : SMTP_DATA_NUL;
                        return i;
                }
                if (i + 1 == in.n) {
                        d->state = AFTER_CR;
                        return i;
                }
                if (in.p[i + 1] != '\n') {
                        *fault = SMTP_DATA_BARE_CR;
                        return i;
                }
                i += 2;
                d->line = 0;
                line = i;
                *used = i;
                if (i == in.n || in.p[i] == '.') {
                        d->state = AT_LINE;
                        return i;
                }
        }
}

static enum smtp_data_found give(struct smtp_data *d, struct slice s, struct slice *span)
{
        d->size += s.n;
        if (d->size > d->most && broken(d, SMTP_DATA_TOO_BIG))
                return SMTP_DATA_BROKEN;
        if (d->fault || s.n == 0)
                return SMTP_DATA_MORE;
        *span = s;
        return SMTP_DATA_BYTES;
}

/* What lies between lines: CRLF, and the dots. MORE: look at the next byte in the new state. */
static enum smtp_data_found between(struct smtp_data *d, struct slice *in, struct slice *span)
{
        char c = in->p[0];
        switch (d->state) {
        case AT_LINE:
                d->state = c == '.' ? AFTER_DOT : IN_TEXT;
                if (c == '.')
                        advance(in, 1);
                return SMTP_DATA_MORE;
        case AFTER_DOT:
                d->state = c == '\r' ? AFTER_DOT_CR : IN_TEXT;
                if (c == '\r')
                        advance(in, 1);
                return SMTP_DATA_MORE;
        default:
                if (c != '\n') {
                        d->state = IN_TEXT;
                        return broken(d, SMTP_DATA_BARE_CR) ? SMTP_DATA_BROKEN : SMTP_DATA_MORE;
                }
                advance(in, 1);
                if (d->state == AFTER_DOT_CR)
                        return SMTP_DATA_END;
                d->state = AT_LINE;
                d->line = 0;
                return give(d, S("\r\n"), span);
        }
}

enum smtp_data_found smtp_data_next(struct smtp_data *d, struct slice *in, struct slice *span)
{
        while (in->n) {
                enum smtp_data_found found;
                if (d->state == IN_TEXT) {
                        enum smtp_data_fault fault = SMTP_DATA_CLEAN;
                        size_t used, n = stretch(d, *in, &used, &fault);
                        struct slice s = { in->p, n };
                        advance(in, used);
                        found = give(d, s, span);
                        /* the fault lies behind these bytes, which nobody needs any more */
                        if (found != SMTP_DATA_BROKEN && fault)
                                found = broken(d, fault) ? SMTP_DATA_BROKEN : SMTP_DATA_MORE;
                } else {
                        found = between(d, in, span);
                }
                if (found != SMTP_DATA_MORE)
                        return found;
        }
        return SMTP_DATA_MORE;
}

/* Up to a dot that must be doubled, or the end of what is known. */
static struct slice frame_stretch(struct smtp_frame *f, struct slice *in)
{
        struct slice s = *in;
        for (size_t i = 0;;) {
                i += smtp_special((struct slice){ s.p + i, s.n - i });
                size_t used = i;
                bool end = i == s.n;
                if (!end && s.p[i] == '\r' && i + 1 == s.n) {
                        f->state = AFTER_CR;
                        used = s.n;
                        end = true;
                } else if (!end && (s.p[i] != '\r' || s.p[i + 1] != '\n')) {
                        f->bad = true;
                        end = true;
                } else if (!end) {
                        i += 2;
                        used = i;
                        end = i == s.n || s.p[i] == '.';
                        if (end)
                                f->state = AT_LINE;
                }
                if (end) {
                        advance(in, used);
                        return (struct slice){ s.p, i };
                }
        }
}

bool smtp_frame_next(struct smtp_frame *f, struct slice *in, struct slice *span)
{
        while (in->n && !f->bad) {
                if (f->state == AFTER_CR) {
                        if (in->p[0] != '\n') {
                                f->bad = true;
                                return false;
                        }
                        advance(in, 1);
                        f->state = AT_LINE;
                        *span = S("\r\n");
                        return true;
                }
                bool dot = f->state == AT_LINE && in->p[0] == '.';
                f->state = IN_TEXT;
                if (dot) {
                        *span = S(".");
                        return true;
                }
                *span = frame_stretch(f, in);
                if (span->n && !f->bad)
                        return true;
        }
        return false;
}

struct slice smtp_frame_end(const struct smtp_frame *f)
{
        if (f->bad || f->state == AFTER_CR)
                return (struct slice){ NULL, 0 };
        return f->state == AT_LINE ? S(".\r\n") : S("\r\n.\r\n");
}
