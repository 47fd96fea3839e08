/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/state.h - the state folder, made ready for duties that are users of their own.
 *
 * It belongs to the keeper, and to the group of the duties: mode 1771, so that the gate can replace last-good.nft, and
 * nobody but the keeper can take away what is another's. Others may pass through to mail/, which is for the group
 * porteiro-mail (Dovecot); secrets/ is for the group porteiro-auth. Where those groups do not exist, for the keeper alone. Commands run by root while no duty ran may have left files of
 * root's in it; they are given to whom they are for.
 * Owns:    nothing.
 * Threads: one.
 * Limits:  regular files with one name only: no link in the folder can make us give away a file elsewhere. */
#pragma once

#include "base/buf.h"

/* Makes the folder where it is missing (its parent must exist). Owners are set only by root, and only where the users
 * exist. 0 or -errno. */
int state_prepare(const char *dir, struct buf *why);
