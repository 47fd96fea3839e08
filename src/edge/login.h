/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/login.h - logging in: is the login one of ours, is it guessed at, is the password right, and what follows.
 *
 * Whoever names another provider's domain is refused before he is asked for his password where the mechanism allows it, and what he said is
 * counted, logged and kept nowhere: it is that provider's secret (practice: a customer whose program still names smtp.other.example).
 * Owns:    the question under way, and a delay that a guesser has to wait.
 * Threads: one loop.
 * Limits:  guard/guess.h; one question a conversation. */
#pragma once

#include "edge/session.h"

/* The login alone, of AUTH LOGIN: shall the password be asked for? */
void login_name(struct session *s, const struct smtp_event *e);
void login_check(struct session *s, const struct smtp_event *e);
void login_drop(struct session *s);
