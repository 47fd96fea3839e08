/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A client's bytes, with decisions among them: the first byte is the role, and 0xFE and 0xFF in the rest cut a piece, end a handshake.
 * Three ways of delivery must give one outcome, and no piece of it may break what test_support.h checks at each step. */
#include "smtp/test_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void run(const struct smtp_rules *rules, enum a_way way, struct slice in, struct a_talk *t)
{
        a_talk_init(t, rules, way);
        smtp_server_greet(&t->server, t->now, NULL, &t->out);
        while (in.n) {
                size_t cut = 0;
                while (cut < in.n && (uint8_t)in.p[cut] < 0xFE)
                        cut++;
                a_talk_feed(t, (struct slice){ in.p, cut });
                if (cut < in.n && t->server.state == SMTP_SHAKING)
                        smtp_server_tls(&t->server, t->now, (uint8_t)in.p[cut] == 0xFE);
                in = slice_from(in, cut + (cut < in.n));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        if (n == 0)
                return 0;
        struct smtp_rules rules = { .host = S("mx.example.net.br"), .command_wait = MINUTE, .offers = 0x3FF };
        rules.needs_auth = data[0] & 1;
        rules.auth_without_tls = data[0] & 2;
        rules.size_most = data[0] & 4 ? 64 : 0;
        rules.errors_most = data[0] & 8 ? 5 : 0;
        rules.line_most = 512;
        struct a_talk ways[WAYS];
        struct slice in = { (const char *)data + 1, n - 1 };
        for (enum a_way way = 0; way < WAYS; way++)
                run(&rules, way, in, &ways[way]);
        /* what comes behind STARTTLS or a refused DATA closes only where it is seen in time */
        bool timing = ways[0].server.did & (SMTP_DID_TALK_AHEAD | SMTP_DID_INJECT);
        for (enum a_way way = 1; way < WAYS; way++)
                if (!timing && !slice_eq(buf_slice(&ways[0].said), buf_slice(&ways[way].said)))
                        panic("delivery changed the outcome:\n%s\n%s", buf_cstr(&ways[0].said),
                              buf_cstr(&ways[way].said));
        for (enum a_way way = 0; way < WAYS; way++)
                a_talk_done(&ways[way]);
        return 0;
}
