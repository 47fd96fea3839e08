/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/diag.h - what the operator wrote wrong: collected, then shown all at once.
 *
 *     porteiro.conf:12:9: error: pool "fixed" overlaps pool "londrina"
 *        12 |         prefix 198.51.100.0/24
 *           |                ^~~~~~~~~~~~~~~
 *     porteiro.conf:7:9: note: declared here
 *
 * Owns:    the messages and the names and texts of the sources.
 * Threads: one at a time.
 * Limits:  DIAG_MOST messages are kept; the rest are counted. */
#pragma once

#include "base/buf.h"

enum { DIAG_MOST = 1000, DIAG_SOURCES_MOST = 1000 };

enum diag_level { DIAG_ERROR, DIAG_WARNING };

/* A stretch of a source: line and column count from 1, columns in bytes. line 0 means nowhere. */
struct place {
        uint32_t source, line, column, length;
};

struct diags;

struct diags *diags_new(void);
void diags_free(struct diags *d);
void diags_free_(struct diags **d);
#define autodiags CLEANUP(diags_free_) struct diags
/* Registers a source; name and text are copied. Returns its index for struct place. */
uint32_t diags_source(struct diags *d, struct slice name, struct slice text);
struct slice diags_source_name(const struct diags *d, uint32_t source);
struct slice diags_source_text(const struct diags *d, uint32_t source);
size_t diags_sources(const struct diags *d);
void diag_add(struct diags *d, enum diag_level level, struct place where, const char *fmt, ...) PRINTF_LIKE(4, 5);
#define diag_error(d, where, ...) diag_add(d, DIAG_ERROR, where, __VA_ARGS__)
#define diag_warning(d, where, ...) diag_add(d, DIAG_WARNING, where, __VA_ARGS__)
/* A second place (or a line of help, where line is 0) for the message added last. */
void diag_note(struct diags *d, struct place where, const char *fmt, ...) PRINTF_LIKE(3, 4);
size_t diags_errors(const struct diags *d);
size_t diags_warnings(const struct diags *d);
/* All of them, in order of file and line, as text for people; peer bytes escaped. */
void diags_print(const struct diags *d, struct buf *out);
/* The same as a JSON array of {level,file,line,column,message,notes}. */
struct json;
void diags_json(const struct diags *d, struct json *out);
/* "porteiro.conf:12:9" */
void place_print(const struct diags *d, struct place where, struct buf *out);
