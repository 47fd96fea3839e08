/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/sender.h - as whom a conversation may write: the addresses of its login, or those of its legacy listener.
 *
 * Owns:    nothing.
 * Threads: one loop.
 * Limits:  addresses in their one form (smtp/address.h). */
#pragma once

#include "edge/session.h"

bool sender_allowed(const struct session *s, struct slice address);
