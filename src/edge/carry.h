/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge/carry.h - a message on its way from a customer's program to the MTA: whose it may be, how much he may send, what is added to it.
 *
 *     MAIL: may he write as this?  RCPT: may he send so much? the MTA's answer  DATA: 354 of the MTA
 *     head: From must be his; Received on top, Date and Message-ID where they are missing (RFC 6409 8)  END: the MTA's answer is ours
 *
 * The customer hears 250 only after the MTA said it; where the connection to either breaks before that, the message is not ended, and so
 * not taken. Where the MTA took it and the customer could not be told, that is logged.
 * Owns:    the letter of a conversation: envelope, head, relay.
 * Threads: one loop.
 * Limits:  SMTP_HEADER_MOST of head is held; the body streams. */
#pragma once

#include "edge/session.h"

void carry_mail(struct session *s, const struct smtp_mail *m);
void carry_rcpt(struct session *s, const struct smtp_rcpt *r);
void carry_data(struct session *s);
void carry_bytes(struct session *s, struct slice bytes);
/* What carry_bytes() gathered goes out. */
void carry_flush(struct session *s);
void carry_end(struct session *s, uint64_t size);
/* The envelope is over, or the conversation: what is not ended is taken back. */
void carry_drop(struct session *s);
bool carry_under_way(const struct session *s);
