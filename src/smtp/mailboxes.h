/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/mailboxes.h - the addresses in a From or Sender field (RFC 5322 3.4, RFC 6854), strictly.
 *
 * Who may write as whom hangs on this, and other programs will read the field after us: what can be read in two ways is no list. Comments,
 * groups, quoted names, raw UTF-8 and Latin-1 in names, and a name that is itself an address without quotes ("a@x <b@y>") are read;
 * the last counts as an address too, for a reader may take it for one. Folding inside an address, obsolete routes and text that fits
 * nowhere are refused.
 * Owns:    nothing; slices of the value.
 * Threads: pure; forward only.
 * Limits:  SMTP_MAILBOXES_MOST addresses, comments nested SMTP_COMMENTS_MOST deep. */
#pragma once

#include "smtp/address.h"

enum { SMTP_MAILBOXES_MOST = 32, SMTP_COMMENTS_MOST = 8 };

struct smtp_mailboxes {
        struct smtp_path path[SMTP_MAILBOXES_MOST];
        size_t n; /* 0 for a group of nobody */
};

/* `value` unfolded, without CR and LF. False: it is not a list of mailboxes and groups, beyond doubt. */
bool smtp_mailboxes_parse(struct slice value, struct smtp_mailboxes *ret);
