/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/diag.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

struct note {
        struct place where;
        char *text;
};

struct message {
        enum diag_level level;
        size_t order;
        struct place where;
        char *text;
        struct note *notes;
        size_t n_notes, cap_notes;
};

struct source {
        char *name;
        char *text;
        size_t n;
        size_t *lines; /* where each line starts */
        size_t n_lines, cap_lines;
};

struct diags {
        struct message *messages;
        size_t n, cap, left_out;
        struct source *sources;
        size_t n_sources, cap_sources;
        size_t errors, warnings;
};

struct diags *diags_new(void)
{
        return xcalloc(1, sizeof(struct diags));
}

void diags_free(struct diags *d)
{
        if (!d)
                return;
        for (size_t i = 0; i < d->n; i++) {
                for (size_t k = 0; k < d->messages[i].n_notes; k++)
                        free(d->messages[i].notes[k].text);
                free(d->messages[i].notes);
                free(d->messages[i].text);
        }
        for (size_t i = 0; i < d->n_sources; i++) {
                free(d->sources[i].name);
                free(d->sources[i].text);
                free(d->sources[i].lines);
        }
        free(d->messages);
        free(d->sources);
        free(d);
}

void diags_free_(struct diags **d)
{
        diags_free(*d);
}

uint32_t diags_source(struct diags *d, struct slice name, struct slice text)
{
        if (d->n_sources >= DIAG_SOURCES_MOST)
                panic("too many sources");
        d->sources = xgrow(d->sources, &d->cap_sources, d->n_sources + 1, sizeof *d->sources);
        d->sources[d->n_sources] = (struct source){ .name = slice_dup(name), .text = slice_dup(text), .n = text.n };
        return (uint32_t)d->n_sources++;
}

struct slice diags_source_name(const struct diags *d, uint32_t source)
{
        return source < d->n_sources ? slice_of(d->sources[source].name) : S("");
}

struct slice diags_source_text(const struct diags *d, uint32_t source)
{
        return source < d->n_sources ? (struct slice){ d->sources[source].text, d->sources[source].n } : S("");
}

size_t diags_sources(const struct diags *d)
{
        return d->n_sources;
}

void diag_add(struct diags *d, enum diag_level level, struct place where, const char *fmt, ...)
{
        d->errors += level == DIAG_ERROR;
        d->warnings += level == DIAG_WARNING;
        if (d->n >= DIAG_MOST) {
                d->left_out++;
                return;
        }
        va_list ap;
        va_start(ap, fmt);
        struct message m = { .level = level, .order = d->n, .where = where };
        if (vasprintf(&m.text, fmt, ap) == -1)
                panic("out of memory (message)");
        va_end(ap);
        d->messages = xgrow(d->messages, &d->cap, d->n + 1, sizeof *d->messages);
        d->messages[d->n++] = m;
}

void diag_note(struct diags *d, struct place where, const char *fmt, ...)
{
        if (d->n == 0 || d->left_out)
                return;
        struct message *m = &d->messages[d->n - 1];
        va_list ap;
        va_start(ap, fmt);
        struct note note = { .where = where };
        if (vasprintf(&note.text, fmt, ap) == -1)
                panic("out of memory (message)");
        va_end(ap);
        m->notes = xgrow(m->notes, &m->cap_notes, m->n_notes + 1, sizeof *m->notes);
        m->notes[m->n_notes++] = note;
}

size_t diags_errors(const struct diags *d)
{
        return d->errors;
}

size_t diags_warnings(const struct diags *d)
{
        return d->warnings;
}

static void index_lines(struct source *s)
{
        if (s->n_lines)
                return;
        for (size_t at = 0;; at++) {
                s->lines = xgrow(s->lines, &s->cap_lines, s->n_lines + 1, sizeof *s->lines);
                s->lines[s->n_lines++] = at;
                const char *end = memchr(s->text + at, '\n', s->n - at);
                if (!end)
                        return;
                at = (size_t)(end - s->text);
        }
}

static struct slice line_of(struct source *s, uint32_t line)
{
        index_lines(s);
        if (line == 0 || line > s->n_lines)
                return S("");
        struct slice rest, tail = { s->text + s->lines[line - 1], s->n - s->lines[line - 1] };
        struct slice text = slice_cut(tail, '\n', &rest);
        if (text.n && text.p[text.n - 1] == '\r')
                text.n--;
        return text;
}

enum { SHOWN_MOST = 160 };

/* How many bytes the character at the start has that may go to a terminal as it is; 0 where it may not. */
static size_t shown_bytes(struct slice s)
{
        unsigned char c = (unsigned char)s.p[0];
        if (c >= 0x80)
                return slice_utf8(s);
        return c == '\t' || (c >= 0x20 && c != 0x7F);
}

/* The line around the place. Each character takes one column of the caret line, what cannot be shown is a "?", and tabs
 * are kept, so that the caret stands under its word in any terminal. */
static void print_excerpt(struct source *s, struct place where, struct buf *out)
{
        struct slice text = line_of(s, where.line);
        size_t column = where.column ? where.column - 1 : 0, shown = 0, carets = 0;
        if (column > text.n)
                column = text.n;
        size_t at = text.n > SHOWN_MOST && column > SHOWN_MOST / 2 ? column - SHOWN_MOST / 2 : 0;
        autobuf marks;
        buf_init(&marks, SHOWN_MOST * 2);
        buf_addf(out, "%6u | ", where.line);
        for (size_t n; at < text.n && shown < SHOWN_MOST; at += n, shown++) {
                n = shown_bytes(slice_from(text, at));
                if (n)
                        buf_add(out, (struct slice){ text.p + at, n });
                else
                        buf_addc(out, '?');
                n = n ? n : 1;
                if (at < column)
                        buf_addc(&marks, text.p[at] == '\t' ? '\t' : ' ');
                else if (carets == 0 || at < column + where.length)
                        buf_addc(&marks, carets++ ? '~' : '^');
        }
        buf_addf(out, "\n       | %s%s\n", buf_cstr(&marks), carets ? "" : "^");
}

void place_print(const struct diags *d, struct place where, struct buf *out)
{
        buf_add_escaped(out, diags_source_name(d, where.source));
        buf_addf(out, ":%u:%u", where.line, where.column);
}

static void print_one(const struct diags *d, struct place where, const char *level, const char *text, struct buf *out)
{
        if (where.line) {
                place_print(d, where, out);
                buf_adds(out, ": ");
        }
        buf_addf(out, "%s: ", level);
        for (struct slice rest, s = slice_of(text); s.p; s = rest) { /* quotes are ours */
                buf_add_escaped(out, slice_cut(s, '"', &rest));
                if (rest.p)
                        buf_addc(out, '"');
        }
        buf_addc(out, '\n');
        if (where.line && where.source < d->n_sources)
                print_excerpt(&d->sources[where.source], where, out);
}

static int by_place(const void *a, const void *b)
{
        const struct message *m = a, *n = b;
        bool nowhere_m = m->where.line == 0, nowhere_n = n->where.line == 0;
        if (nowhere_m != nowhere_n)
                return nowhere_m - nowhere_n;
        if (m->where.source != n->where.source)
                return m->where.source < n->where.source ? -1 : 1;
        if (m->where.line != n->where.line)
                return m->where.line < n->where.line ? -1 : 1;
        if (m->where.column != n->where.column)
                return m->where.column < n->where.column ? -1 : 1;
        return m->order < n->order ? -1 : m->order > n->order;
}

/* A sorted view; the list itself keeps the order of adding, on which diag_note() relies. */
static struct message *sorted(const struct diags *d)
{
        struct message *copy = xmalloc((d->n + 1) * sizeof *copy);
        if (d->n)
                memcpy(copy, d->messages, d->n * sizeof *copy);
        qsort(copy, d->n, sizeof *copy, by_place);
        return copy;
}

void diags_print(const struct diags *d, struct buf *out)
{
        autofree struct message *all = sorted(d);
        for (size_t i = 0; i < d->n; i++) {
                const struct message *m = &all[i];
                print_one(d, m->where, m->level == DIAG_ERROR ? "error" : "warning", m->text, out);
                for (size_t k = 0; k < m->n_notes; k++)
                        print_one(d, m->notes[k].where, m->notes[k].where.line ? "note" : "help", m->notes[k].text,
                                  out);
        }
        if (d->left_out)
                buf_addf(out, "and %zu more\n", d->left_out);
}

static void json_place(const struct diags *d, struct place where, struct json *out)
{
        if (where.line == 0)
                return;
        json_string(out, "file", diags_source_name(d, where.source));
        json_int(out, "line", where.line);
        json_int(out, "column", where.column);
}

void diags_json(const struct diags *d, struct json *out)
{
        autofree struct message *all = sorted(d);
        json_array(out, "messages");
        for (size_t i = 0; i < d->n; i++) {
                const struct message *m = &all[i];
                json_object(out, NULL);
                json_cstr(out, "level", m->level == DIAG_ERROR ? "error" : "warning");
                json_place(d, m->where, out);
                json_cstr(out, "message", m->text);
                json_array(out, "notes");
                for (size_t k = 0; k < m->n_notes; k++) {
                        json_object(out, NULL);
                        json_place(d, m->notes[k].where, out);
                        json_cstr(out, "message", m->notes[k].text);
                        json_object_end(out);
                }
                json_array_end(out);
                json_object_end(out);
        }
        json_array_end(out);
}
