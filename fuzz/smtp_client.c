/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hostile MTA: 0xF8 to 0xFF among its bytes are what our driver does next. What we send is always whole commands and one framed message,
 * and a message counts as taken only by a 2xx to its dot. */
#include "base/time.h"
#include "smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void act(struct smtp_client *c, uint8_t what, struct buf *out)
{
        static const struct slice text = S(".a\r\n..b\r\n\r\n");
        struct smtp_mail m = { .from = { .null = true }, .size = 10 };
        struct smtp_rcpt r = { .to = { .local = S("jose"), .domain = S("example.org") }, .notify = what & 4 };
        struct slice who[SMTP_XCLIENT_COUNT] = {
                [SMTP_XCLIENT_ADDR] = S("192.0.2.7"), [SMTP_XCLIENT_HELO] = S("a\r\nb")
        };
        switch (what & 7) {
        case 0:
                smtp_client_tls(c, 0, true, out);
                break;
        case 1:
                smtp_client_mail(c, 0, &m, out);
                break;
        case 2:
                smtp_client_rcpt(c, 0, &r, out);
                break;
        case 3:
                smtp_client_data(c, 0, out);
                break;
        case 4:
                smtp_client_bytes(c, 0, text, out);
                break;
        case 5:
                smtp_client_end(c, 0, out);
                break;
        case 6:
                smtp_client_identify(c, 0, who, out);
                break;
        default:
                smtp_client_reset(c, 0, out);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const struct smtp_client_rules rules = { S("edge.example.net.br"), SMTP_TLS_MAY };
        struct smtp_client_event e;
        struct smtp_client c;
        struct slice in = { (const char *)data, n };
        size_t ended = 0, taken = 0;
        autobuf out;
        buf_init(&out, 1 << 20);
        smtp_client_init(&c, &rules, 0);
        while (in.n) {
                size_t cut = 0;
                while (cut < in.n && (uint8_t)in.p[cut] < 0xF8)
                        cut++;
                struct slice piece = { in.p, cut };
                while (smtp_client_next(&c, 0, &piece, &out, &e) != SMTP_CLIENT_ON_NOTHING)
                        taken += e.on == SMTP_CLIENT_ON_REPLY && e.command == SMTP_SENT_DOT && e.reply.code < 300;
                if (cut < in.n) {
                        ended += c.state == SMTP_CLIENT_DATA && ((uint8_t)in.p[cut] & 7) == 5;
                        act(&c, (uint8_t)in.p[cut], &out);
                }
                in = slice_from(in, cut + (cut < in.n));
        }
        if (taken > ended || c.accepted > c.answered || c.answered > c.asked ||
            (c.deadline == TIME_NEVER && c.waiting && c.state != SMTP_CLIENT_GONE))
                panic("%zu messages ended, %zu taken; recipients %u %u %u", ended, taken, c.accepted, c.answered,
                      c.asked);
        for (size_t i = 0; i < out.n; i++)
                if ((out.p[i] == '\n' && (i == 0 || out.p[i - 1] != '\r')) ||
                    (out.p[i] == '\r' && (i + 1 == out.n || out.p[i + 1] != '\n')))
                        panic("a bare byte went out");
        smtp_client_done(&c);
        return 0;
}
