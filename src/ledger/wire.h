/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger/wire.h - the values of the ledger as fields of a frame: what client.c puts, handlers get, in one place.
 *
 * Owns:    nothing; texts point into the frame, arrays are the arena's.
 * Threads: one.
 * Limits:  private to ledger/; the reader remembers what was wrong (base/ipc.h). */
#pragma once

#include "base/ipc.h"
#include "ledger/client.h"

void wire_put_prefix(struct buf *b, const struct prefix *p);
struct prefix wire_get_prefix(struct ipc_reader *r);
void wire_put_real(struct buf *b, double v);
double wire_get_real(struct ipc_reader *r);
void wire_put_line(struct buf *b, const struct line *l);
struct line wire_get_line(struct ipc_reader *r);
void wire_put_lease(struct buf *b, const struct lease *l);
struct lease wire_get_lease(struct ipc_reader *r);
void wire_put_subscriber_change(struct buf *b, const struct subscriber_change *c);
struct subscriber_change wire_get_subscriber_change(struct ipc_reader *r, struct arena *a);
void wire_put_texts(struct buf *b, const struct slice *all, size_t n);
struct slice *wire_get_texts(struct ipc_reader *r, struct arena *a, size_t *n);
void wire_put_mail_rules(struct buf *b, const struct mail_rules *rules);
struct mail_rules wire_get_mail_rules(struct ipc_reader *r);
void wire_put_mailbox_change(struct buf *b, const struct mailbox_change *c);
struct mailbox_change wire_get_mailbox_change(struct ipc_reader *r, struct arena *a);
void wire_put_sighting(struct buf *b, const struct sighting *s);
struct sighting wire_get_sighting(struct ipc_reader *r);
