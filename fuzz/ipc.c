/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames of a hostile peer against the verbs, on a ledger in memory: whatever it asks, each request is answered once, and the ledger
 * stays whole. */
#include "ledger/schema.h"
#include "ledger/verbs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct ledger *l;
        struct slice left = { (const char *)data, n };
        struct ipc_reader frame, answer;
        int64_t size, now = 1000000000000000;
        if (!l && ledger_open_memory(&l) < 0)
                panic("no ledger");
        if (db_do(l, "BEGIN IMMEDIATE") < 0)
                panic("%s", ledger_error(l));
        for (; (size = ipc_frame(left, &frame)) > 0; left = slice_from(left, (size_t)size)) {
                autobuf reply;
                buf_init(&reply, 96 << 20);
                int status = verbs_run(l, S("fuzz(0)"), &frame, now++, &reply);
                if (ipc_frame(buf_slice(&reply), &answer) != (int64_t)reply.n || ipc_int(&answer) != status)
                        panic("no answer");
                if (!db_in_transaction(l))
                        panic("the transaction is lost: %s", ledger_error(l));
        }
        l->lengths_known = false;
        if (db_do(l, "ROLLBACK") < 0)
                panic("%s", ledger_error(l));
        return 0;
}
