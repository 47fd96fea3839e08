/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_frame.h"
#include "identity/reader.h"

enum { ROOM = 4 * READER_RECORD_MOST };

static const size_t NONE = SIZE_MAX; /* no end is seen yet; 0 is one, of a record whose beginning was passed over */

void frames_init(struct frames *f, enum frame_kind kind)
{
        *f = (struct frames){ .kind = kind, .bytes = xmalloc(ROOM), .line = 1 };
}

void frames_done(struct frames *f)
{
        free(f->bytes);
        f->bytes = NULL;
}

size_t frames_feed(struct frames *f, struct slice bytes)
{
        if (ROOM - f->end < bytes.n && f->begin) {
                memmove(f->bytes, f->bytes + f->begin, f->end - f->begin);
                f->end -= f->begin;
                f->begin = 0;
        }
        size_t n = bytes.n < ROOM - f->end ? bytes.n : ROOM - f->end;
        if (n)
                memcpy(f->bytes + f->end, bytes.p, n);
        f->end += n;
        return n;
}

static const char *unread(const struct frames *f)
{
        return f->bytes + f->begin;
}

static size_t length(const struct frames *f)
{
        return f->end - f->begin;
}

/* Moves behind the next line end; false where there is none yet. */
static bool next_line(struct frames *f)
{
        const char *hit = f->seen < length(f) ? memchr(unread(f) + f->seen, '\n', length(f) - f->seen) : NULL;
        if (!hit) {
                f->seen = length(f);
                return false;
        }
        f->seen = (size_t)(hit - unread(f)) + 1;
        f->lines++;
        return true;
}

static size_t line_record(struct frames *f)
{
        return next_line(f) ? f->seen : NONE;
}

static size_t count_quotes(const char *p, size_t n)
{
        size_t quotes = 0;
        for (const char *hit, *end = p + n; p < end && (hit = memchr(p, '"', (size_t)(end - p))); p = hit + 1)
                quotes++;
        return quotes;
}

static size_t row_record(struct frames *f)
{
        for (;;) {
                size_t from = f->seen;
                bool line = next_line(f);
                f->quotes += count_quotes(unread(f) + from, f->seen - from);
                if (!line)
                        return NONE;
                if (f->quotes % 2 == 0 || f->cut || f->seen > READER_RECORD_MOST)
                        return f->seen;
        }
}

static bool is_blank(const char *p, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (p[i] != '\n' && p[i] != '\r' && p[i] != ' ' && p[i] != '\t')
                        return false;
        return true;
}

static bool is_at_margin(char c)
{
        return c != ' ' && c != '\t' && c != '\r' && c != '\n';
}

/* A line begins at `seen`, and the record began before it. */
static bool is_behind_line(const struct frames *f)
{
        return f->content && f->seen == f->at && (f->at || (f->passing && !f->cut));
}

/* A blank line belongs to what stands before it. *whole: there was one. */
static size_t block_record(struct frames *f, bool *whole)
{
        for (;;) {
                if (is_behind_line(f) && f->at < length(f) && is_at_margin(unread(f)[f->at]))
                        return f->at;
                if (!next_line(f))
                        return NONE;
                bool blank = !(f->cut && f->at == 0) && is_blank(unread(f) + f->at, f->seen - f->at);
                f->at = f->seen;
                f->content = f->content || !blank;
                if (blank) {
                        *whole = true;
                        return f->seen;
                }
        }
}

/* -1: too few bytes to tell. */
static int begins_lease(const char *p, size_t n)
{
        static const char words[][7] = { "lease ", "ia-na ", "ia-ta ", "ia-pd " };
        for (size_t i = 0; i < COUNT_OF(words); i++)
                if (memcmp(p, words[i], n < 6 ? n : 6) == 0)
                        return n < 6 ? -1 : 1;
        return 0;
}

/* The line at `seen` begins; true where the record before it must end. *wait: more bytes are needed to say. */
static bool ends_before_line(struct frames *f, bool at_end, bool *wait)
{
        if (!is_behind_line(f))
                return false;
        int found = begins_lease(unread(f) + f->seen, length(f) - f->seen);
        *wait = found < 0 && !at_end;
        return found > 0;
}

static void end_line(struct frames *f)
{
        f->lines++;
        f->at = f->seen;
        f->quoted = f->escaped = f->comment = false;
}

/* One character of a brace block; true where it ends the record. */
static bool brace_character(struct frames *f, char c)
{
        f->seen++;
        if (c == '\n') {
                end_line(f);
                return !f->content;
        }
        if (f->comment || c == ' ' || c == '\t' || c == '\r')
                return false;
        if (f->quoted) {
                bool escapes = c == '\\' && !f->escaped;
                f->quoted = c != '"' || f->escaped;
                f->escaped = escapes;
                return false;
        }
        if (c == '#') {
                f->comment = true;
                return false;
        }
        f->content = true;
        f->quoted = c == '"';
        f->depth += c == '{';
        if (c == '}')
                f->depth -= f->depth > 0;
        return (c == '}' || c == ';') && f->depth == 0;
}

/* Passes over what changes nothing: most of all bytes. */
static void pass_ordinary(struct frames *f)
{
        static const bool special[256] = {
                ['\n'] = true, ['"'] = true, ['\\'] = true, ['{'] = true, ['}'] = true, [';'] = true, ['#'] = true
        };
        const unsigned char *p = (const unsigned char *)unread(f);
        size_t i = f->seen, n = length(f);
        if (f->escaped || (!f->content && !f->comment))
                return;
        while (i < n && !special[p[i]])
                i++;
        f->seen = i;
}

static size_t brace_record(struct frames *f, bool at_end, bool *whole)
{
        bool wait = false;
        while (f->seen < length(f)) {
                if (ends_before_line(f, at_end, &wait))
                        return f->seen;
                if (wait)
                        return NONE;
                pass_ordinary(f);
                if (f->seen == length(f))
                        return NONE;
                if (brace_character(f, unread(f)[f->seen])) {
                        *whole = true;
                        return f->seen;
                }
        }
        return NONE;
}

static void begin_record(struct frames *f)
{
        f->seen = f->at = f->lines = f->quotes = f->depth = 0;
        f->content = f->quoted = f->escaped = f->comment = f->passing = f->cut = false;
        f->place_offset = f->offset;
        f->place_line = f->line;
}

/* The first `n` unread bytes with `lines` line ends in them are done with. */
static void drop(struct frames *f, size_t n, size_t lines)
{
        f->begin += n;
        f->offset += n;
        f->line += lines;
}

/* What is too long is not kept, but the line that is being scanned is, so that its end is judged the same in whatever pieces it comes. */
static void pass_over(struct frames *f)
{
        size_t n = f->at ? f->at : f->seen;
        f->cut = f->at == 0;
        drop(f, n, f->lines);
        f->seen -= n;
        f->lines = f->at = 0;
        f->passing = true;
}

static bool too_long(struct frames *f, struct framed *ret)
{
        *ret = (struct framed){ .line = f->line, .too_long = true };
        pass_over(f);
        return true;
}

/* A row that has no end: its first line goes, and the next is the beginning of another row. */
static bool give_up_row(struct frames *f, struct framed *ret)
{
        const char *hit = length(f) ? memchr(unread(f), '\n', length(f)) : NULL;
        size_t n = hit ? (size_t)(hit - unread(f)) + 1 : length(f);
        if (!hit || n > READER_RECORD_MOST)
                return false;
        *ret = (struct framed){ .text = { unread(f), n }, .line = f->line, .whole = true, .unclosed = true };
        drop(f, n, 1);
        begin_record(f);
        return true;
}

static size_t find_end(struct frames *f, bool at_end, bool *whole)
{
        switch (f->kind) {
        case FRAME_LINES:
                *whole = true;
                return line_record(f);
        case FRAME_ROWS:
                *whole = true;
                return row_record(f);
        case FRAME_BLOCKS:
                return block_record(f, whole);
        default:
                return brace_record(f, at_end, whole);
        }
}

/* Of the end of the file: what is left is a record, or for rows whose quotes never close, several. */
static size_t last_record(struct frames *f, bool *whole)
{
        *whole = f->kind == FRAME_LINES || f->kind == FRAME_ROWS;
        return length(f) ? length(f) : NONE;
}

bool frames_next(struct frames *f, bool at_end, struct framed *ret)
{
        for (;;) {
                bool whole = false, row = f->kind == FRAME_ROWS && !f->cut, passed = f->passing;
                size_t n = find_end(f, at_end, &whole);
                bool ended = n == NONE && at_end;
                if (n == NONE && !at_end && length(f) <= READER_RECORD_MOST)
                        return false;
                if (row && ((ended && f->quotes % 2) || n > READER_RECORD_MOST) && give_up_row(f, ret))
                        return true;
                if (ended)
                        n = last_record(f, &whole);
                if (n == NONE && passed && !at_end)
                        pass_over(f);
                if (n == NONE && (passed || at_end))
                        return false;
                if (n == NONE)
                        return too_long(f, ret);
                *ret = (struct framed){ { unread(f), n }, f->line, whole, n > READER_RECORD_MOST, false };
                drop(f, n, f->lines);
                begin_record(f);
                if (!passed)
                        return true;
        }
}

void frames_resume(struct frames *f, uint64_t offset, uint64_t line)
{
        f->offset = offset;
        f->line = line;
        f->begin = f->end = 0;
        begin_record(f);
}
