/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/story_inside.h - what story.c (which lines belong together) and story_tell.c (what they say) share.
 *
 * Owns:    nothing.
 * Threads: one at a time.
 * Limits:  none. */
#pragma once

#include "base/arena.h"
#include "maillog/story.h"

/* A line that was kept, read again. */
struct record story_read(struct slice line, int64_t at);
/* What the lines of one life say; the id, the place and the times are set already. */
void story_part_tell(struct arena *a, struct story_part *part);
/* Whether a delivery handed the message on under this id: "queued as ID", "forwarded as ID". */
bool story_hands_to(const struct mail_event *delivery, struct slice id);
