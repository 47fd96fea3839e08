/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Formats whose readers are yet to come. */
#include "identity/reader_inside.h"

#define STUB(name)                                                                                                     \
        void name(struct reader *r, const struct record *rec)                                                          \
        {                                                                                                              \
                reader_wrong(r, rec->line, "this format cannot be read yet");                                          \
        }
STUB(leases_csv_record)
STUB(blocks_csv_record)
STUB(blocks_junos_record)
