/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stranger's bytes against a worker with an MTA, auth and keeper around it (edge/test_support.h). The first byte is the role and what the
 * MTA does; 0xF8 to 0xFF among the others cut a piece, hold or release auth, kill or silence the MTA, hang up. Whatever comes, nothing
 * is left of the conversation when it is over, and the MTA got no message that it could take for two. */
#include "edge/test_support.h"
#include "edge/trap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const steps[] = { "GREETING", "EHLO", "XCLIENT", "MAIL", "RCPT", "DATA", ".", NULL };

static void act(struct a_worker *t, uint8_t what, int fd)
{
        t->auth.holds = what == 0xF8 || (t->auth.holds && what != 0xF9);
        if (what == 0xF9)
                a_auth_release(&t->auth);
        else if (what == 0xFA || what == 0xFB)
                a_server_hang_up(what == 0xFA ? &t->mta.server : &t->auth.server);
        else if (what == 0xFC)
                trap_tick(&t->w);
        else if (what == 0xFD)
                shutdown(fd, SHUT_WR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct a_worker t;
        struct slice in = { (const char *)data, n };
        a_worker_open(&t, NULL);
        t.mta.dies_at = n && data[0] & 64 ? steps[data[0] >> 2 & 7] : NULL;
        t.mta.mute_at = n && data[0] & 128 ? steps[data[0] >> 2 & 7] : NULL;
        int fd = a_worker_dial(&t, n ? data[0] & 3 : EDGE_TRAP);
        for (in = slice_from(in, n > 0); in.n;) {
                size_t cut = 0;
                while (cut < in.n && (uint8_t)in.p[cut] < 0xF8)
                        cut++;
                a_worker_send(&t, fd, (struct slice){ in.p, cut });
                if (cut < in.n)
                        act(&t, (uint8_t)in.p[cut], fd);
                in = slice_from(in, cut + (cut < in.n));
        }
        close(fd);
        settle(t.w.loop);
        a_server_hang_up(&t.mta.server);
        a_auth_release(&t.auth);
        settle(t.w.loop);
        if (t.mta.messages > t.w.n.messages + t.w.n.messages_refused + t.w.n.messages_unsure + t.w.n.unheard)
                panic("%zu messages, and the client knows of less", t.mta.messages);
        a_worker_close(&t);
        return 0;
}
