/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/reader_inside.h"

#include <stdarg.h>
#include <stdio.h>

enum { RECORD_ARENA = 1 << 20 };

struct reader_row {
        const char *name;
        enum frame_kind frames;
        void (*record)(struct reader *r, const struct record *rec);
        bool csv;
};

static const struct reader_row rows[READER_FORMAT_COUNT] = {
        [READER_DETAIL] = { "detail", FRAME_BLOCKS, detail_record, false },
        [READER_ISC] = { "isc", FRAME_BRACES, isc_record, false },
        [READER_KEA4] = { "kea4", FRAME_LINES, kea4_record, false },
        [READER_KEA6] = { "kea6", FRAME_LINES, kea6_record, false },
        [READER_CSV] = { "csv", FRAME_ROWS, leases_csv_record, true },
        [READER_BLOCKS_CSV] = { "blocks-csv", FRAME_ROWS, blocks_csv_record, true },
        [READER_BLOCKS_JUNOS] = { "blocks-junos", FRAME_LINES, blocks_junos_record, false },
};

enum reader_format reader_format_of(struct slice word)
{
        for (int i = 0; i < READER_FORMAT_COUNT; i++)
                if (slice_eq(word, slice_of(rows[i].name)))
                        return (enum reader_format)i;
        return READER_FORMAT_COUNT;
}

const char *reader_format_name(enum reader_format f)
{
        return rows[f].name;
}

static struct slice own(struct slice s)
{
        return (struct slice){ slice_dup(s), s.n };
}

struct reader *reader_new(const struct reader_options *o)
{
        struct reader *r = xcalloc(1, sizeof *r);
        r->o = *o;
        r->row = &rows[o->format];
        r->o.name = r->own.name = own(o->name);
        r->o.nas = r->own.nas = own(o->nas);
        r->o.realm = r->own.realm = own(o->realm);
        r->arena = arena_new(RECORD_ARENA);
        r->csv = r->row->csv ? xcalloc(1, sizeof *r->csv) : NULL;
        frames_init(&r->frames, r->row->frames);
        buf_init(&r->heading, READER_RECORD_MOST);
        struct slice shown = raw_text(r->o.name, r->arena);
        r->evidence_name = shown.n < sizeof r->evidence - 24 ? shown.n : sizeof r->evidence - 24;
        memcpy(r->evidence, shown.p, r->evidence_name);
        r->evidence[r->evidence_name++] = ':';
        return r;
}

void reader_free(struct reader *r)
{
        if (!r)
                return;
        frames_done(&r->frames);
        buf_done(&r->heading);
        arena_free(r->arena);
        free(r->csv);
        free((void *)r->own.name.p);
        free((void *)r->own.nas.p);
        free((void *)r->own.realm.p);
        free(r);
}

void reader_free_(struct reader **r)
{
        reader_free(*r);
}

void reader_clock(struct reader *r, int64_t now)
{
        r->o.now = now;
}

static struct slice evidence_of(struct reader *r, uint64_t line)
{
        char digits[20];
        size_t n = sizeof digits;
        do
                digits[--n] = (char)('0' + line % 10);
        while (line /= 10);
        memcpy(r->evidence + r->evidence_name, digits + n, sizeof digits - n);
        return (struct slice){ r->evidence, r->evidence_name + sizeof digits - n };
}

void reader_tell_outside(struct reader *r, uint64_t line, struct event *e)
{
        /* An end or a successor of 2036 would keep an address with who has it now. A whole lease may be of the future: a person said so. */
        if (e->kind != EVENT_IS && r->o.latest && e->at > r->o.latest) {
                reader_wrong(r, line, "its time is in the future: the clock of who wrote it is wrong");
                return;
        }
        if (e->nas.n == 0)
                e->nas = r->o.nas;
        e->evidence = evidence_of(r, line);
        r->o.event(r->o.arg, e);
}

void reader_tell(struct reader *r, uint64_t line, struct event *e)
{
        if (e->realm.n == 0)
                e->realm = r->o.realm;
        reader_tell_outside(r, line, e);
}

void reader_wrong(struct reader *r, uint64_t line, const char *fmt, ...)
{
        char text[256];
        va_list args;
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        if (r->o.wrong)
                r->o.wrong(r->o.arg, line, text);
}

void reader_guessed_zone(struct reader *r, uint64_t line)
{
        if (!r->zone_warned && r->o.warn)
                r->o.warn(
                    r->o.arg, line,
                    "a time without a zone, or with one unknown here: read in the zone of the policy, as all like it");
        r->zone_warned = true;
}

void reader_keep_heading(struct reader *r, struct slice text)
{
        buf_clear(&r->heading);
        buf_add(&r->heading, text);
}

static void framed(struct reader *r, const struct framed *f)
{
        if (f->too_long)
                reader_wrong(r, f->line, "the record has more than 65,536 bytes");
        else if (f->unclosed)
                reader_wrong(r, f->line, "quotes are opened here and never closed");
        if (f->too_long || f->unclosed)
                return;
        bool marked = f->line == 1 && slice_starts(f->text, S("\xef\xbb\xbf"));
        struct record rec = { slice_from(f->text, marked ? 3 : 0), f->line, f->whole };
        if (slice_trim(rec.text).n == 0)
                return;
        r->row->record(r, &rec);
        if (arena_used(r->arena))
                arena_clear(r->arena);
}

static void read_frames(struct reader *r, bool at_end)
{
        struct framed f;
        while (frames_next(&r->frames, at_end, &f))
                framed(r, &f);
}

void reader_feed(struct reader *r, struct slice bytes)
{
        while (bytes.n) {
                bytes = slice_from(bytes, frames_feed(&r->frames, bytes));
                read_frames(r, false);
        }
}

void reader_appended(struct reader *r, int64_t now)
{
        r->appended = now;
}

void reader_end(struct reader *r)
{
        read_frames(r, true);
}

struct reader_place reader_place(const struct reader *r)
{
        return (struct reader_place){ r->frames.place_offset, r->frames.place_line, buf_slice(&r->heading) };
}

void reader_resume(struct reader *r, const struct reader_place *p)
{
        struct record heading = { p->heading, 1, true };
        if (p->heading.n)
                r->row->record(r, &heading);
        frames_resume(&r->frames, p->offset, p->line);
}

/* --- of all who read DHCP ------------------------------------------------------------------------------------------------ */

void reader_relay_options(struct slice bytes, struct client *c)
{
        enum { CIRCUIT_ID = 1, REMOTE_ID = 2 }; /* RFC 3046 2.0 */
        while (bytes.n >= 2 && (size_t)(unsigned char)bytes.p[1] + 2 <= bytes.n) {
                struct slice value = { bytes.p + 2, (unsigned char)bytes.p[1] };
                if (bytes.p[0] == CIRCUIT_ID)
                        c->circuit = value;
                else if (bytes.p[0] == REMOTE_ID)
                        c->remote = value;
                bytes = slice_from(bytes, value.n + 2);
        }
}

bool reader_client_line(struct reader *r, const struct client *c, struct line *ret)
{
        const struct {
                enum line_choice by;
                struct line line;
                bool raw;
        } choices[] = {
                { LINE_CIRCUIT, { S("circuit"), c->circuit }, true },
                { LINE_REMOTE, { S("remote"), c->remote }, true },
                { LINE_MAC, { S("mac"), c->mac }, false },
                { LINE_DUID, { S("duid"), c->duid }, false },
        };
        for (size_t i = 0; i < COUNT_OF(choices); i++) {
                struct line line = choices[i].line;
                if (line.value.n == 0 || (r->o.line != LINE_AUTO && r->o.line != choices[i].by))
                        continue;
                if (choices[i].raw)
                        line.value = raw_text(line.value, r->arena);
                if (line_canonical(&line, r->arena))
                        continue;
                *ret = line;
                return true;
        }
        return false;
}

/* --- of all who read rows ------------------------------------------------------------------------------------------------ */

bool reader_find_columns(struct columns *c, const struct slice *cells, size_t n_cells, const char *const *names,
                         size_t n, size_t needed)
{
        memset(c->at, READER_NOWHERE, sizeof c->at);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n_cells && j < READER_NOWHERE && c->at[i] == READER_NOWHERE; j++)
                        if (slice_ieq(slice_trim(cells[j]), slice_of(names[i])))
                                c->at[i] = (uint8_t)j;
        c->known = true;
        for (size_t i = 0; i < needed; i++)
                c->known = c->known && c->at[i] != READER_NOWHERE;
        return c->known;
}

void reader_unknown_columns(struct reader *r, uint64_t line, const struct slice *cells, size_t n_cells,
                            const char *const *names, size_t n)
{
        for (size_t j = 0; j < n_cells; j++) {
                char text[100];
                bool known = slice_trim(cells[j]).n == 0;
                for (size_t i = 0; i < n && !known; i++)
                        known = slice_ieq(slice_trim(cells[j]), slice_of(names[i]));
                snprintf(text, sizeof text, "column %zu of the heading means nothing here and is passed over", j + 1);
                if (!known && r->o.warn)
                        r->o.warn(r->o.arg, line, text);
        }
}

void reader_csv_rows(struct reader *r, const struct record *rec,
                     void (*row)(struct reader *r, uint64_t line, const struct slice *cells, size_t n))
{
        csv_init(r->csv, rec->text);
        if (r->separator)
                r->csv->separator = r->separator;
        else
                r->separator = r->csv->separator;
        for (enum csv_found found; (found = csv_next(r->csv)) != CSV_END;) {
                uint64_t line = rec->line + r->csv->row_line - 1;
                if (found == CSV_BAD) {
                        reader_wrong(r, line, "%s", r->csv->wrong);
                        continue;
                }
                bool heading = !r->heading_told;
                row(r, line, r->csv->cells, r->csv->n_cells);
                if (heading)
                        reader_keep_heading(r, rec->text);
        }
}
