/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/smtp.c - what the protocol costs without sockets: ns a command, bytes a second of a message in and out, memory of an idle
 * conversation. Each figure is the best of nine rounds. */
#include "base/time.h"
#include "smtp/client.h"
#include "smtp/header.h"
#include "smtp/server.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>

enum { ROUNDS = 9, BIG = 64 << 20, TALKS = 200000, IDLE = 100000 };

static double seconds(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The least of the rounds, in seconds. */
static double best(double (*once)(void))
{
        double least = 1e9;
        for (int i = 0; i < ROUNDS; i++) {
                double s = once();
                least = s < least ? s : least;
        }
        return least;
}

static struct buf message; /* lines of 76, and here and there a dot */

static void make_message(void)
{
        buf_init(&message, BIG + 4096);
        while (message.n < BIG)
                for (int i = 0; i < 40; i++)
                        buf_adds(
                            &message,
                            i == 7
                                ? ".x\r\n"
                                : "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4gVGhlIHF1aWNrIGJy\r\n");
        buf_adds(&message, ".\r\n");
}

static double data_in(void)
{
        struct smtp_data d;
        struct slice span;
        double start = seconds();
        smtp_data_init(&d, 0);
        for (struct slice left = buf_slice(&message); left.n;) { /* as it comes off a socket */
                size_t n = left.n < 65536 ? left.n : 65536;
                struct slice piece = { left.p, n };
                while (smtp_data_next(&d, &piece, &span) == SMTP_DATA_BYTES)
                        ;
                left = slice_from(left, n);
        }
        return seconds() - start;
}

static double data_out(void)
{
        struct smtp_frame f = { .state = 0 };
        struct slice span, in = buf_slice(&message);
        double start = seconds();
        while (smtp_frame_next(&f, &in, &span))
                ;
        return seconds() - start;
}

static const struct smtp_rules rules = { .host = S("mx.example.net.br"),
                                         .offers = SMTP_EXT_PIPELINING | SMTP_EXT_8BITMIME | SMTP_EXT_SIZE |
                                                   SMTP_EXT_ENHANCED,
                                         .command_wait = 5 * MINUTE,
                                         .data_wait = 3 * MINUTE };

static void drive(struct smtp_server *s, struct slice in, struct buf *out)
{
        struct smtp_event e;
        enum smtp_on on;
        while ((on = smtp_server_next(s, 1, &in, out, &e)) != SMTP_ON_NOTHING)
                if (on == SMTP_ON_MAIL || on == SMTP_ON_RCPT || on == SMTP_ON_DATA || on == SMTP_ON_END ||
                    on == SMTP_ON_HELO)
                        smtp_server_answer(s, 1, NULL, out);
        buf_clear(out);
}

/* MAIL, RCPT, DATA, a short message: four replies. */
static double server_commands(void)
{
        struct smtp_server s;
        autobuf out;
        buf_init(&out, 65536);
        smtp_server_init(&s, &rules, 1, 0);
        smtp_server_greet(&s, 0, NULL, &out);
        drive(&s, S("EHLO client.example\r\n"), &out);
        double start = seconds();
        for (int i = 0; i < TALKS; i++) {
                drive(&s, S("MAIL FROM:<maria@example.com> SIZE=100 BODY=8BITMIME\r\n"), &out);
                drive(&s, S("RCPT TO:<jose@example.org>\r\n"), &out);
                drive(&s, S("DATA\r\n"), &out);
                drive(&s, S("Subject: x\r\n\r\nhello\r\n.\r\n"), &out);
        }
        double took = seconds() - start;
        smtp_server_done(&s);
        return took;
}

static double client_commands(void)
{
        const struct smtp_client_rules ours = { S("edge.example.net.br"), SMTP_TLS_NEVER };
        struct smtp_mail m = { .from = { .local = S("maria"), .domain = S("example.com") } };
        struct smtp_rcpt r = { .to = { .local = S("jose"), .domain = S("example.org") } };
        struct smtp_client c;
        struct smtp_client_event e;
        autobuf out;
        buf_init(&out, 65536);
        smtp_client_init(&c, &ours, 0);
        struct slice in = S("220 mta\r\n"), hello = S("250-mta\r\n250 PIPELINING\r\n");
        smtp_client_next(&c, 0, &in, &out, &e);
        smtp_client_next(&c, 0, &hello, &out, &e);
        double start = seconds();
        for (int i = 0; i < TALKS; i++) {
                struct slice replies = S("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
                struct slice dot = S("250 2.0.0 Ok: queued as 4CQ1Xj2q\r\n");
                smtp_client_mail(&c, 0, &m, &out);
                smtp_client_rcpt(&c, 0, &r, &out);
                smtp_client_data(&c, 0, &out);
                while (smtp_client_next(&c, 0, &replies, &out, &e) != SMTP_CLIENT_ON_NOTHING)
                        ;
                smtp_client_bytes(&c, 0, S("Subject: x\r\n\r\nhello\r\n"), &out);
                smtp_client_end(&c, 0, &out);
                if (smtp_client_next(&c, 0, &dot, &out, &e) != SMTP_CLIENT_ON_REPLY)
                        panic("not taken");
                buf_clear(&out);
        }
        double took = seconds() - start;
        smtp_client_done(&c);
        return took;
}

/* Greeted, HELO said, the last command in two pieces, nothing under way. */
static double idle_bytes(void)
{
        struct smtp_server *all = xcalloc(IDLE, sizeof *all);
        autobuf out;
        buf_init(&out, 65536);
        size_t before = mallinfo2().uordblks;
        for (int i = 0; i < IDLE; i++) {
                smtp_server_init(&all[i], &rules, 1, 0);
                smtp_server_greet(&all[i], 0, NULL, &out);
                drive(&all[i], S("EHLO client.exa"), &out);
                drive(&all[i], S("mple\r\n"), &out);
        }
        double heap = (double)(mallinfo2().uordblks - before) / IDLE;
        for (int i = 0; i < IDLE; i++)
                smtp_server_done(&all[i]);
        free(all);
        return sizeof *all + heap;
}

int main(void)
{
        make_message();
        printf("data in     %6.2f GB/s\n", (double)message.n / best(data_in) / 1e9);
        printf("data out    %6.2f GB/s\n", (double)message.n / best(data_out) / 1e9);
        printf("server      %6.0f ns a command (MAIL, RCPT, DATA, message)\n", best(server_commands) / TALKS / 4 * 1e9);
        printf("client      %6.0f ns a command and its reply\n", best(client_commands) / TALKS / 4 * 1e9);
        printf("idle server %6.0f bytes\n", idle_bytes());
        buf_done(&message);
        return 0;
}
