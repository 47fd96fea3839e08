/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/maillog_suspects.h - those who reached a limit, in order: what `maillog report` and `maillog try` tell of them.
 *
 * Owns:    nothing; what is told lives in the limits.
 * Threads: one.
 * Limits:  none. */
#pragma once

#include "base/json.h"
#include "maillog/limits.h"

/* Those that are furthest over their limit first. Returns how many; the caller frees *ret. */
size_t maillog_suspects(const struct limits *l, const struct limits_caught ***ret);
/* So many facts there were of it at the least: `total` begins at half of the limit. */
uint64_t maillog_suspect_least(const struct limits_caught *c);
/* The keys of one, inside an object. */
void maillog_suspect_json(struct json *j, const struct limits_caught *c);
