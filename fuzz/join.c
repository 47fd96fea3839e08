/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events of messages in any order: no more records are told than were begun, and each is one. */
#include "maillog/join.h"
#include "maillog/test_support.h"

static void count(void *arg, const struct message *m)
{
        if (!++*(size_t *)arg || m->first > m->last || (m->again && m->message_id))
                panic("a message that is none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const uint8_t kinds[] = { MAIL_CLIENT,   MAIL_PICKUP,  MAIL_MESSAGE_ID, MAIL_QUEUED,
                                         MAIL_DELIVERY, MAIL_REMOVED, MAIL_REJECT,     MAIL_CHECK };
        struct join_names names = { names_new(8), names_new(8), names_new(8) };
        struct batch nothing = { .text = S("192.0.2.1 s@example.org") };
        size_t told = 0, begun = 0;
        struct join *j = join_new(3, names, (struct join_hooks){ .tell = count, .arg = &told });
        int64_t at = 0;
        for (; n >= 4; data += 4, n -= 4) {
                struct entry e = { .kind = kinds[data[0] % COUNT_OF(kinds)],
                                   .daemon = MAIL_BY_CLEANUP,
                                   .of_message = true };
                e.tag = data[1] % 21;
                e.id = data[1] % 7;
                e.local = data[2] % 3 == 1;
                e.identity = data[2] % 8;
                e.who = (struct entry_text){ data[3] % 4u, 3, data[3] % 4u };
                e.status = data[3] % 5;
                e.category = data[3] & 1 ? CATEGORY_SPAM : CATEGORY_NONE;
                e.at = at += data[3] * 1000000;
                begun += e.kind != MAIL_REMOVED;
                join_expect(j, &e), join_fetch(j, &e), join_fetch_first(j, &e);
                join_event(j, &nothing, &e);
        }
        join_end(j);
        if (told > begun)
                panic("told twice");
        join_free(j);
        names_free(names.clients), names_free(names.logins), names_free(names.senders);
        return 0;
}
