/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/json.h - writes JSON into a buf.
 *
 * Commas and quotes are kept right by it; what is open must be closed by the caller (json_done checks).
 * Invalid UTF-8, and what harms a terminal (slice_utf8), comes out as \u00NN, byte by byte.
 * Owns:    nothing; writes into the caller's buf.
 * Threads: one at a time.
 * Limits:  nesting of 32. */
#pragma once

#include "base/buf.h"

struct json {
        struct buf *out;
        unsigned depth;
        bool comma;   /* something stands before the next value */
        bool compact; /* no line ends, no blanks */
};

void json_init(struct json *j, struct buf *out);
void json_init_compact(struct json *j, struct buf *out); /* all on one line, and no final line end */
void json_done(struct json *j);                          /* adds the final line end */
/* A command's whole answer: an object that begins with the version of its shape. */
void json_report(struct json *j, struct buf *out);
void json_report_end(struct json *j);
/* key == NULL inside arrays and at the top. */
void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_string(struct json *j, const char *key, struct slice value);
void json_cstr(struct json *j, const char *key, const char *value); /* NULL gives null */
void json_int(struct json *j, const char *key, int64_t value);
void json_real(struct json *j, const char *key, double value); /* three decimals */
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_raw(struct json *j, const char *key,
              struct slice json);                            /* text that json_*() made before; empty gives null */
void json_time(struct json *j, const char *key, int64_t us); /* RFC 3339 in UTC, null for TIME_NEVER */
