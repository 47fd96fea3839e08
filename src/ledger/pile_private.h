/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/pile_private.h - the pile as the keeper itself uses it, to move what is over from the live table.
 *
 * Owns, Threads, Limits: as ledger/pile.h. */
#pragma once

#include "ledger/pile.h"
#include "ledger/segment.h"

/* What is added counts whatever the archive has of it; the live table is not looked at. */
void pile_overrules(struct pile *p);
/* Sorts, compares and writes: what is in the pile stands in files now, of which none is part of the ledger yet. */
int pile_write(struct pile *p, struct ledger *l, struct pile_result *ret);
size_t pile_files(const struct pile *p);
const char *pile_file(const struct pile *p, size_t i, const struct segment_info **ret_info);
void pile_given(struct pile *p); /* all of its files were taken */
