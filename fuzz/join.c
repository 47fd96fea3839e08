/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events of messages in any order: no more records are told than were begun, and each is one. */
#include "maillog/join.h"

static void count(void *arg, const struct message *m)
{
        if (!++*(size_t *)arg || m->id_n < 5 || m->first > m->last || (m->again && m->message_id))
                panic("a message that is none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const enum mail_kind kinds[] = { MAIL_CLIENT,   MAIL_PICKUP,  MAIL_MESSAGE_ID, MAIL_QUEUED,
                                                MAIL_DELIVERY, MAIL_REMOVED, MAIL_REJECT,     MAIL_CHECK };
        static const char ids[] = "AAAAABBBBBCCCCCDDDDDEEEEE", *const clients[] = { "192.0.2.1", "127.0.0.1", "" };
        struct join_names names = { names_new(8), names_new(8), names_new(8) };
        size_t told = 0, begun = 0;
        struct join *j = join_new(3, names, count, &told);
        int64_t at = 0;
        struct join_key key;
        for (; n >= 4; data += 4, n -= 4) {
                struct mail_event e = { .kind = kinds[data[0] % COUNT_OF(kinds)], .daemon = MAIL_BY_CLEANUP };
                e.queue_id = (struct slice){ ids + data[1] % 21, 5 };
                e.client.address = slice_of(clients[data[2] % 3]);
                e.message_id = (struct slice){ ids + data[2] % 8, 4 };
                e.from = (struct slice){ ids + data[3] % 4, 3 };
                e.status = (enum mail_status)(data[3] % 5);
                begun += e.kind != MAIL_REMOVED;
                if (join_prepare(j, S("host"), S("postfix"), &e, &key))
                        join_event(j, &key, &e, data[3] & 1 ? CATEGORY_SPAM : CATEGORY_NONE, at += data[3] * 1000000);
        }
        join_end(j);
        if (told > begun)
                panic("told twice");
        join_free(j);
        names_free(names.clients), names_free(names.logins), names_free(names.senders);
        return 0;
}
