/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strangers' bytes against a worker with an MTA, auth and keeper around it (edge/test_support.h). The first byte is the role and what the
 * MTA does; 0xF8 to 0xFF among the others hold or release auth, end the MTA or auth, tick the trap, go away, come anew, cut a piece. Whatever
 * comes, nothing of the conversations is left when they are over, and no message was taken that nobody knows of. */
#include "edge/test_support.h"
#include "edge/trap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const steps[] = { "GREETING", "EHLO", "XCLIENT", "MAIL", "RCPT", "DATA", ".", NULL };
static int fds[8];
static size_t n_fds;

static void act(struct a_worker *t, uint8_t what, enum edge_role role)
{
        t->auth.holds = what == 0xF8 || (t->auth.holds && what != 0xF9);
        if (what == 0xF9)
                a_auth_release(&t->auth);
        else if (what == 0xFA || what == 0xFB)
                a_server_hang_up(what == 0xFA ? &t->mta.server : &t->auth.server);
        else if (what == 0xFC)
                trap_tick(&t->w);
        else if (what == 0xFD)
                shutdown(fds[n_fds - 1], SHUT_RDWR);
        else if (what == 0xFE && n_fds < COUNT_OF(fds))
                fds[n_fds++] = a_worker_dial(t, role);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct a_worker t;
        uint8_t how = n ? data[0] : 0;
        if (!t.w.loop)
                a_worker_open(&t, a_certificate("mail.example.net"));
        t.mta.dies_at = how & 64 ? steps[how >> 2 & 7] : NULL;
        t.mta.mute_at = how & 128 ? steps[how >> 2 & 7] : NULL;
        n_fds = 0;
        fds[n_fds++] = a_worker_dial(&t, how & 3);
        for (struct slice in = slice_from((struct slice){ (const char *)data, n }, n > 0); in.n;) {
                size_t cut = 0;
                while (cut < in.n && (uint8_t)in.p[cut] < 0xF8)
                        cut++;
                bool goes = cut < in.n && (uint8_t)in.p[cut] == 0xFD;
                if (send(fds[n_fds - 1], in.p, cut, MSG_NOSIGNAL) == (ssize_t)cut && !goes)
                        settle(t.w.loop);
                if (cut < in.n)
                        act(&t, (uint8_t)in.p[cut], how & 3);
                in = slice_from(in, cut + (cut < in.n));
        }
        while (n_fds)
                close(fds[--n_fds]);
        settle(t.w.loop);
        a_server_hang_up(&t.mta.server);
        t.auth.holds = false; /* a domain is asked for first, then the password */
        a_auth_release(&t.auth);
        for (int i = 0; i < 2 * DRIP_SLOTS; i++)
                trap_tick(&t.w); /* who is dripped to is missed at the next byte */
        settle(t.w.loop);
        if (t.mta.messages > t.w.n.messages + t.w.n.messages_refused + t.w.n.messages_unsure + t.w.n.unheard)
                panic("%zu messages, and nobody knows of one", t.mta.messages);
        if (t.w.n_sessions + t.w.n_trapped + t.w.n_hurried + hops_counts(t.w.hops).lent)
                panic("%zu conversations are left, and %zu of the MTA", t.w.n_sessions, hops_counts(t.w.hops).lent);
        a_worker_again(&t);
        return 0;
}
