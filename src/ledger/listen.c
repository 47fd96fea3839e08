/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/listen.h"

static void on_notice(void *arg, int what)
{
        struct listen *l = arg;
        int64_t last = 0;
        (void)what;
        bool gone = client_notices(l->client, &last) != 0;
        if (gone)
                listen_end(l);
        l->heard(l->arg, gone);
}

bool listen_try(struct listen *l)
{
        autobuf why;
        buf_init(&why, 4096);
        if (l->client)
                return true;
        if (client_join(l->dir, &l->client, &why) != 0)
                return false;
        if (client_listen(l->client) != 0) {
                listen_end(l);
                return false;
        }
        l->watch = loop_fd(l->loop, client_fd(l->client), LOOP_READ, on_notice, l);
        return true;
}

void listen_end(struct listen *l)
{
        watch_free(take(l->watch));
        client_close(take(l->client));
}
