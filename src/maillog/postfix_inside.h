/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/postfix_inside.h - the parts of postfix.h's parser, one file each.
 *
 * Owns:    nothing.
 * Threads: pure functions.
 * Limits:  none. */
#pragma once

#include "maillog/postfix.h"
#include "maillog/scan.h"

/* "RCPT from peer: 554 5.7.1 <…>: reason; from=<…> to=<…> proto=ESMTP helo=<…>": what follows "reject: ". */
bool postfix_refusal(struct slice s, struct mail_event *ret);
/* "to=<…>, orig_to=<…>, relay=…, delay=…, delays=…, dsn=…, status=sent (text)" */
bool postfix_delivery(struct slice s, struct mail_event *ret);
/* "warning: peer: SASL LOGIN authentication failed: …": what follows "warning: ". */
bool postfix_auth_failed(struct slice s, struct mail_event *ret);
