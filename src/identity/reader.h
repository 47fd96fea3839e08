/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity/reader.h - bytes of a lease or accounting file, in any segmentation, become events; one table of formats.
 *
 * A push parser: the driver reads (a file, a pipe, a file that grows) and feeds; the reader calls back for each whole record and for
 * each that is wrong, and goes on behind it. Adding a format is a row of the table in reader.c and a function from record to event.
 * Owns:    the bytes of one unfinished record.
 * Threads: one; no I/O, no clock (`now` is told), never logs.
 * Limits:  READER_RECORD_MOST bytes a record: a longer one is told and passed over. */
#pragma once

#include "identity/accounting.h"

enum { READER_RECORD_MOST = 65536 };

/* X(id, word of --format and of the policy, what it is) */
#define READER_FORMATS(X)                                                                                              \
        X(DETAIL, "detail", "FreeRADIUS detail file")                                                                  \
        X(ISC, "isc", "ISC dhcpd.leases, for v4 and v6")                                                               \
        X(KEA4, "kea4", "Kea memfile CSV, DHCPv4")                                                                     \
        X(KEA6, "kea6", "Kea memfile CSV, DHCPv6")                                                                     \
        X(CSV, "csv", "our own CSV: address,line,from,until,realm,proto,ports; static where from a person")            \
        X(BLOCKS_CSV, "blocks-csv", "port blocks of a CGNAT as CSV")                                                   \
        X(BLOCKS_JUNOS, "blocks-junos", "Junos syslog: RT_NAT / JSERVICES_NAT port block allocation and release")
#define READER_ENUM(id, name, help) READER_##id,
enum reader_format { READER_FORMATS(READER_ENUM) READER_FORMAT_COUNT };

struct reader_options {
        enum reader_format format;
        struct slice name;  /* of the file, for evidence and messages: its last part */
        struct slice nas;   /* what stands for the NAS where records name none (a DHCP server, a NAT box) */
        struct slice realm; /* of all addresses; empty: the Internet */
        enum line_choice line;
        int64_t now;    /* for times without a year */
        int64_t latest; /* what says it was later is wrong; 0: nothing is */
        void (*event)(void *arg, const struct event *e);
        /* line: of the file, where the record began; text: what is wrong, for people, without the record's bytes */
        void (*wrong)(void *arg, uint64_t line, const char *text);
        void (*warn)(void *arg, uint64_t line,
                     const char *text); /* read, but something was taken from elsewhere: a time without zone */
        void *arg;
};

struct reader;

struct reader *reader_new(const struct reader_options *o);
void reader_free(struct reader *r);
void reader_free_(struct reader **r);
#define autoreader CLEANUP(reader_free_) struct reader
/* What time it is, for who reads on for months. */
void reader_clock(struct reader *r, int64_t now);
void reader_feed(struct reader *r, struct slice bytes);
/* All that was in a followed file has been fed; what is fed next was written about `now` (0: nobody knows when). For records that do not say their time (a release
 * in Kea's file), or not the year. */
void reader_appended(struct reader *r, int64_t now);
/* Nothing more is coming: an unfinished record is wrong ("truncated"). */
void reader_end(struct reader *r);
/* Where reading may begin again: the offset and line behind the last whole record. A reader for the rest of a file starts with them; formats
 * with a heading (Kea, CSV) need its text too, which `heading` keeps. */
struct reader_place {
        uint64_t offset, line;
        struct slice heading; /* lives as long as the reader */
};
struct reader_place reader_place(const struct reader *r);
void reader_resume(struct reader *r, const struct reader_place *p);
/* Which format the first bytes of a file are of; READER_FORMAT_COUNT: none of them. */
enum reader_format reader_detect(struct slice head);
enum reader_format reader_format_of(struct slice word);
const char *reader_format_name(enum reader_format f);
