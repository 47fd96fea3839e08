/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening the ledger to read it. */
#include "ledger/archive.h"
#include "ledger/schema.h"

#include <errno.h>
#include <stdio.h>

int ledger_open_why(const char *dir, struct ledger **ret, struct buf *why)
{
        char path[4096];
        struct ledger *l = NULL;
        if (snprintf(path, sizeof path, "%s/ledger.db", dir) >= (int)sizeof path)
                return -ENAMETOOLONG;
        if (access(path, R_OK) == -1) {
                int status = -errno;
                buf_addf(why, "%s: %s", path, strerror(errno));
                return status;
        }
        int status = db_open(path, DB_READ, &l);
        if (status == 0)
                status = schema_check(l);
        if (status < 0) {
                buf_addf(why, "%s/%s", dir, ledger_error(l));
                ledger_close(l);
                return status;
        }
        l->archive = archive_new(dir);
        *ret = l;
        return 0;
}

int ledger_open(const char *dir, struct ledger **ret)
{
        autobuf why;
        buf_init(&why, 8192);
        return ledger_open_why(dir, ret, &why);
}
