/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy/check.h - a draft into a policy: names looked up, dates read, and whatever contradicts itself said.
 *
 * check.c builds, kind by kind; conflicts.c and waves.c ask what only the whole can answer: overlaps, promises,
 * edges that cannot work, waves that cover nobody.
 * Owns:    nothing; fills in a policy that its caller made.
 * Threads: one at a time; sets the process's zone to the network's.
 * Limits:  those of the text. Cost: n log n in the number of prefixes. */
#pragma once

#include "policy/draft.h"

/* Fills in `p` (its arena is set). Where mistakes were found it is filled as far as it goes. */
void policy_build(const struct draft *draft, struct diags *d, struct policy *p);
/* Of it, the blocks for mail logs alone. */
void policy_build_mail(const struct draft *draft, struct diags *d, struct policy *p);
/* What the built policy contradicts itself in; places come from the draft. */
void policy_check_conflicts(const struct draft *draft, const struct policy *p, struct diags *d);
/* Waves that cover nobody, wholly or in part. */
void policy_check_waves(const struct draft *draft, const struct policy *p, struct diags *d);
