/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/reader_inside.h - what reader.c and the readers of the formats share. For them alone.
 *
 * reader.c cuts bytes into records (reader_frame.h) and gives each to its format's function, which calls reader_tell() for each event in it, or
 * reader_wrong(). Adding a format: a row in reader.c's table, and that function.
 * Owns:    the arena of one record; cleared before the next.
 * Threads: one.
 * Limits:  as reader.h. */
#pragma once

#include "base/csv.h"
#include "identity/raw.h"
#include "identity/reader.h"
#include "identity/reader_frame.h"
#include "identity/reader_time.h"
#include "ledger/line.h"

struct record {
        struct slice text;
        uint64_t line; /* of the file, where it begins */
        bool whole;    /* its end was seen: not cut off by the end of the file or the beginning of the next */
};

enum { READER_COLUMNS_MOST = 24, READER_NOWHERE = 255 };

/* Where each column of a format stands in this file; READER_NOWHERE: not at all. */
struct columns {
        uint8_t at[READER_COLUMNS_MOST];
        bool known; /* a heading was read */
};

struct reader {
        struct reader_options o;
        const struct reader_row *row;
        struct arena *arena;
        struct frames frames;
        struct buf heading;
        struct columns columns;
        struct csv *csv; /* formats of base/csv.h only */
        char separator;
        struct clock clock;
        bool zone_warned, heading_told;
        int64_t newest;   /* instant that the records told so far, where a format needs it */
        int64_t appended; /* when what is fed now was written; 0: not known */
        char evidence[300];
        size_t evidence_name;
        struct {
                struct slice name, nas, realm;
        } own; /* copies of the options' texts */
};

/* Realm, NAS where empty, and evidence are added. */
void reader_tell(struct reader *r, uint64_t line, struct event *e);
void reader_tell_outside(struct reader *r, uint64_t line,
                         struct event *e); /* the same, of the Internet whatever the options say */
void reader_wrong(struct reader *r, uint64_t line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Once a file: a time was read in the policy's zone. */
void reader_guessed_zone(struct reader *r, uint64_t line);
/* "KIND:VALUE" from what a DHCP record has; false where it has nothing of what the options ask for. Slices may be empty. */
struct client {
        struct slice circuit, remote; /* raw bytes of the relay's options */
        struct slice mac, duid;       /* text in any form */
};
bool reader_client_line(struct reader *r, const struct client *c, struct line *ret);
/* Circuit and remote id out of the relay agent information option (RFC 3046 2.0): code, length, value. */
void reader_relay_options(struct slice bytes, struct client *c);
/* Finds the columns of `names` in a heading; false where one of the first `needed` is missing. */
bool reader_find_columns(struct columns *c, const struct slice *cells, size_t n_cells, const char *const *names,
                         size_t n, size_t needed);
/* Warns of columns that mean nothing here: a name written wrong is soon overlooked. */
void reader_unknown_columns(struct reader *r, uint64_t line, const struct slice *cells, size_t n_cells,
                            const char *const *names, size_t n);
/* Ports of held[0], and the session that stands for them in the key of the lease: "1024-1151/tcp". */
void reader_take_block(struct reader *r, struct event *e, struct slice proto, uint16_t low, uint16_t high);
void reader_keep_heading(struct reader *r, struct slice text);
/* Rows of base/csv.h in a record: each of them given to `row`, what is wrong told. */
void reader_csv_rows(struct reader *r, const struct record *rec,
                     void (*row)(struct reader *r, uint64_t line, const struct slice *cells, size_t n));

void detail_record(struct reader *r, const struct record *rec);
void isc_record(struct reader *r, const struct record *rec);
void kea4_record(struct reader *r, const struct record *rec);
void kea6_record(struct reader *r, const struct record *rec);
void leases_csv_record(struct reader *r, const struct record *rec);
void blocks_csv_record(struct reader *r, const struct record *rec);
void blocks_junos_record(struct reader *r, const struct record *rec);
