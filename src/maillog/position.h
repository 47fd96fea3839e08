/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/position.h - where followed logs were left, in one small file: a line each, and a sum, so that half a file is not believed.
 *
 *     porteiro maillog positions 1
 *     2049 131077 81920 1784505600000000 1024 4c0f2a61d8e3b597 256 91be02c7f4a8d635 /var/log/mail.log
 *     sum 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
 *
 * A line is a place (base/tail.h) and the path. The file is replaced as a whole: after a crash the old or the new one is there.
 * Owns:    nothing; paths point into the text.
 * Threads: any.
 * Limits:  MAILLOG_POSITIONS_MOST files, paths of MAILLOG_PATH_MOST bytes without a line end. The sum finds accidents; it is no signature. */
#pragma once

#include "base/tail.h"

enum { MAILLOG_POSITIONS_MOST = 256, MAILLOG_PATH_MOST = 4096 };

struct maillog_position {
        struct slice path;
        struct tail_place place;
};

struct maillog_positions {
        struct maillog_position all[MAILLOG_POSITIONS_MOST];
        size_t n;
};

/* NULL, or what is wrong with it: then there is none in *ret. */
const char *maillog_positions_parse(struct slice text, struct maillog_positions *ret);
void maillog_positions_print(const struct maillog_positions *p, struct buf *out);
/* `text` (not init'ed) keeps what the paths point into. 0: also where there is no file yet; -errno; -EBADMSG with *why. */
int maillog_positions_load(const char *file, struct buf *text, struct maillog_positions *ret, const char **why);
/* 0; -EINVAL: a path that cannot be written; -errno. */
int maillog_positions_save(const char *file, const struct maillog_positions *p);
