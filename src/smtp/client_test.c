/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every tests/smtp/client/NAME.talk is a conversation with an MTA as it happens, at once and byte by byte (see golden_support.h).
 *
 *     tls never|may|must [at-once]   the rules, first; "at-once" where being early is the point
 *     S: a line                      of the server; S| bytes without a line end. Lines that stand together arrive together
 *     mail ADDRESS [8bit] [utf8] [size=N] [dsn]    rcpt ADDRESS [dsn]    data    bytes TEXT    end    reset    quit
 *     identify ADDR LOGIN            TLS, TLS failed    closed    timeout
 *     C: what we send                E: an event        N: what we cannot do */
#include "smtp/golden_support.h"

#include "base/time.h"
#include "smtp/client.h"

struct a_client {
        struct smtp_client_rules rules;
        struct smtp_client client;
        struct buf out, said;
        int64_t now;
        bool bytewise;
};

static void flush(struct a_client *t)
{
        struct slice rest = buf_slice(&t->out);
        while (rest.n) {
                size_t n = slice_find(rest, '\n');
                bool whole = n < rest.n && n && rest.p[n - 1] == '\r';
                size_t shown = whole ? n - 1 : rest.n;
                buf_adds(&t->said, whole ? "C: " : "C| ");
                buf_add_escaped(&t->said, (struct slice){ rest.p, shown });
                buf_addc(&t->said, '\n');
                rest = slice_from(rest, whole ? n + 1 : rest.n);
        }
        buf_clear(&t->out);
}

static void write_down(struct a_client *t, const struct smtp_client_event *e)
{
#define SENT_NAME(id, minutes) #id,
        static const char *const sent[] = { SMTP_CLIENT_COMMANDS(SENT_NAME) };
        flush(t);
        if (e->on == SMTP_CLIENT_ON_READY)
                buf_addf(&t->said, "E: ready offers=%x", t->client.offers);
        else if (e->on == SMTP_CLIENT_ON_TLS)
                buf_adds(&t->said, "E: tls");
        else if (e->on == SMTP_CLIENT_ON_GONE)
                buf_addf(&t->said, "E: gone %s%s", smtp_outcome_name(e->outcome), e->unsure ? " unsure" : "");
        else if (e->command == SMTP_SENT_RCPT)
                buf_addf(&t->said, "E: RCPT %u", e->index);
        else
                buf_addf(&t->said, "E: %s", sent[e->command]);
        if (e->reply.code && e->on != SMTP_CLIENT_ON_READY && e->on != SMTP_CLIENT_ON_TLS) {
                buf_addf(&t->said, ": %u %.*s|", e->reply.code, SLICE_ARGS(e->reply.enhanced));
                buf_add_escaped(&t->said, e->reply.text);
        }
        buf_addc(&t->said, '\n');
}

static void feed(struct a_client *t, struct slice in)
{
        struct smtp_client_event e;
        size_t step = t->bytewise && in.n ? 1 : in.n;
        do {
                struct slice piece = { in.p, step };
                in = slice_from(in, step);
                while (smtp_client_next(&t->client, t->now, &piece, &t->out, &e) != SMTP_CLIENT_ON_NOTHING)
                        write_down(t, &e);
                assert_int_equal(piece.n, 0);
                assert_true((t->client.deadline == TIME_NEVER) ==
                            (t->client.state == SMTP_CLIENT_READY || t->client.state == SMTP_CLIENT_GONE ||
                             (!t->client.waiting && t->client.state != SMTP_CLIENT_DATA &&
                              t->client.state != SMTP_CLIENT_SHAKING)));
        } while (in.n);
        flush(t);
}

static bool has(struct slice words, struct slice what)
{
        while (words.p)
                if (slice_eq(slice_cut(words, ' ', &words), what))
                        return true;
        return false;
}

static enum smtp_can send_mail(struct a_client *t, struct slice words)
{
        struct smtp_mail m = { .size = 0 };
        struct slice address = slice_cut(words, ' ', &words);
        assert_true(smtp_path_parse(&address, &m.from));
        m.body = has(words, S("8bit")) ? SMTP_BODY_8BITMIME : SMTP_BODY_UNSAID;
        m.utf8 = has(words, S("utf8"));
        m.size = has(words, S("size=1000")) ? 1000 : 0;
        if (has(words, S("dsn"))) {
                m.ret = SMTP_RET_HDRS;
                m.envid = S("QQ1");
                m.auth = S("<>");
        }
        return smtp_client_mail(&t->client, t->now, &m, &t->out);
}

static enum smtp_can send_rcpt(struct a_client *t, struct slice words)
{
        struct smtp_rcpt r = { .notify = 0 };
        struct slice address = slice_cut(words, ' ', &words);
        assert_true(smtp_path_parse(&address, &r.to));
        if (has(words, S("dsn"))) {
                r.notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE;
                r.orcpt = S("rfc822;x@example.com");
        }
        return smtp_client_rcpt(&t->client, t->now, &r, &t->out);
}

static enum smtp_can send_identity(struct a_client *t, struct slice words)
{
        struct slice value[SMTP_XCLIENT_COUNT] = { { NULL, 0 } };
        value[SMTP_XCLIENT_ADDR] = slice_cut(words, ' ', &words);
        value[SMTP_XCLIENT_LOGIN] = words;
        value[SMTP_XCLIENT_HELO] = S("my pc\r\nQUIT");
        return smtp_client_identify(&t->client, t->now, value, &t->out);
}

static bool send_bytes(struct a_client *t, struct slice text)
{
        autobuf bytes;
        buf_init(&bytes, TEXT_MOST);
        golden_unescape(text, &bytes);
        return smtp_client_bytes(&t->client, t->now, buf_slice(&bytes), &t->out);
}

static void run_step(struct a_client *t, struct slice line)
{
        enum smtp_can can = SMTP_CAN;
        static const char *const cannot[] = { "", "now", "8bitmime", "smtputf8", "size", "xclient" };
        struct slice words, verb = slice_cut(line, ' ', &words);
        if (slice_eq(verb, S("mail")))
                can = send_mail(t, words);
        else if (slice_eq(verb, S("rcpt")))
                can = send_rcpt(t, words);
        else if (slice_eq(verb, S("identify")))
                can = send_identity(t, words);
        else if (slice_eq(verb, S("data")))
                can = smtp_client_data(&t->client, t->now, &t->out);
        else if (slice_eq(verb, S("reset")))
                can = smtp_client_reset(&t->client, t->now, &t->out);
        else if (slice_eq(verb, S("bytes")))
                can = send_bytes(t, words) ? SMTP_CAN : SMTP_CANNOT_NOW;
        else if (slice_eq(verb, S("end")))
                can = smtp_client_end(&t->client, t->now, &t->out) ? SMTP_CAN : SMTP_CANNOT_NOW;
        else if (slice_eq(verb, S("quit")))
                smtp_client_quit(&t->client, t->now, &t->out);
        else if (slice_eq(verb, S("TLS")))
                smtp_client_tls(&t->client, t->now, !words.n, &t->out);
        else if (slice_eq(verb, S("closed")))
                smtp_client_closed(&t->client);
        else if (slice_eq(verb, S("timeout")))
                smtp_client_timeout(&t->client);
        else if (line.n && line.p[0] != '#')
                fail_msg("what is \"%.*s\"?", SLICE_ARGS(line));
        if (can)
                buf_addf(&t->said, "N: %s\n", cannot[can]);
        feed(t, S(""));
}

static void run_talk(struct slice text, int way, struct buf *ret)
{
        struct slice line, rest, words;
        struct slice first = slice_cut(text, '\n', &rest);
        struct a_client t = { .now = 1000 * SECOND };
        autobuf block;
        slice_cut(first, ' ', &words);
        t.rules.helo = S("edge.example.net.br");
        t.rules.tls = has(words, S("must")) ? SMTP_TLS_MUST : has(words, S("may")) ? SMTP_TLS_MAY : SMTP_TLS_NEVER;
        t.bytewise = way == 1 && !has(words, S("at-once"));
        buf_init(&block, TEXT_MOST);
        buf_init(&t.out, TEXT_MOST);
        buf_init(&t.said, TEXT_MOST);
        smtp_client_init(&t.client, &t.rules, t.now);
        buf_addf(&t.said, "%.*s\n", SLICE_ARGS(first));
        while (rest.n) {
                line = slice_cut(rest, '\n', &rest);
                if (slice_starts(line, S("C")) || slice_starts(line, S("E:")) || slice_starts(line, S("N:")))
                        continue;
                buf_addf(&t.said, "%.*s\n", SLICE_ARGS(line));
                if (!slice_starts(line, S("S"))) {
                        run_step(&t, line);
                        continue;
                }
                golden_unescape(slice_from(line, 3), &block);
                if (line.p[1] == ':')
                        buf_adds(&block, "\r\n");
                if (slice_starts(rest, S("S")))
                        continue;
                feed(&t, buf_slice(&block));
                buf_clear(&block);
        }
        buf_add(ret, buf_slice(&t.said));
        buf_done(&t.out);
        buf_done(&t.said);
        smtp_client_done(&t.client);
}

static void every_talk_goes_as_written(void **state)
{
        (void)state;
        golden_check_all("tests/smtp/client/*.talk", run_talk, 2);
}

/* More commands than the queue holds: the machine says so, and takes more when replies came. */
static void test_the_queue_has_an_end(void **state)
{
        (void)state;
        struct a_client t = { .rules = { .helo = S("edge.example.net.br") } };
        struct smtp_rcpt r = { .notify = 0 };
        struct slice address = S("<jose@example.org>");
        buf_init(&t.out, TEXT_MOST);
        buf_init(&t.said, TEXT_MOST);
        smtp_client_init(&t.client, &t.rules, 0);
        feed(&t, S("220 mta\r\n"));
        feed(&t, S("250-mta\r\n250 PIPELINING\r\n"));
        assert_int_equal(send_mail(&t, S("<maria@example.com>")), SMTP_CAN);
        assert_true(smtp_path_parse(&address, &r.to));
        for (int i = 0; i < SMTP_CLIENT_QUEUE - 1; i++)
                assert_int_equal(smtp_client_rcpt(&t.client, 0, &r, &t.out), SMTP_CAN);
        assert_int_equal(smtp_client_rcpt(&t.client, 0, &r, &t.out), SMTP_CANNOT_NOW);
        feed(&t, S("250 ok\r\n"));
        assert_int_equal(smtp_client_rcpt(&t.client, 0, &r, &t.out), SMTP_CAN);
        for (int i = 0; i < SMTP_CLIENT_QUEUE; i++)
                feed(&t, S("250 ok\r\n"));
        assert_int_equal(t.client.answered, SMTP_CLIENT_QUEUE);
        assert_int_equal(smtp_client_data(&t.client, 0, &t.out), SMTP_CAN);
        buf_done(&t.out);
        buf_done(&t.said);
        smtp_client_done(&t.client);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_talk_goes_as_written),
                cmocka_unit_test(test_the_queue_has_an_end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
