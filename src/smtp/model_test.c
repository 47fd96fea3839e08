/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random conversations against a model of forty lines, which knows only what RFC 5321 4.1.4 says of the order of commands. */
#include "smtp/test_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { CONVERSATIONS = 100000, COMMANDS_MOST = 14 };

static uint64_t seed = 88172645463325252;
static uint32_t draw(uint32_t below)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (uint32_t)((seed >> 20) % below);
}

struct model {
        bool auth, helo, mail, refuse_data; /* refuse_data: MAIL came from nodata@ */
        unsigned rcpts, accepted;
        bool needs_auth, closed;
};

static unsigned model_auth(struct model *m, const char *line)
{
        bool good = strstr(line, "AG1hcmlhAHMzY3JldA==");
        if (!m->helo || m->mail || m->auth)
                return 503;
        m->auth = good;
        return good ? 235 : 535;
}

/* What the model says of one line: the code of its reply; 0 for no reply. A message is one line to it. */
static unsigned model_reply(struct model *m, const char *line)
{
        bool may = m->helo, right = !m->needs_auth || m->auth;
        char c = line[0];
        if (m->closed)
                return 0;
        if (c == 'E' || c == 'H') {
                m->mail = false;
                m->rcpts = 0;
                bool good = !strstr(line, "refused");
                m->helo |= good;
                return good ? 250 : 550;
        }
        if (c == 'M' || c == 'R' || c == 'D') {
                if (c == 'R' && line[1] == 'S') {
                        m->mail = false;
                        m->rcpts = 0;
                        return 250;
                }
                if (!may)
                        return 503;
                if (!right)
                        return 530;
                if ((c == 'M') == m->mail)
                        return 503;
        }
        if (c == 'M') {
                unsigned code = strstr(line, "bad")       ? 501
                                : strstr(line, "spammer") ? 550
                                : strstr(line, "later")   ? 451
                                                          : 250;
                m->mail = code == 250;
                m->refuse_data = strstr(line, "nodata");
                return code;
        }
        if (c == 'R') {
                unsigned code = strstr(line, "bad")      ? 501
                                : strstr(line, "nobody") ? 550
                                : strstr(line, "later")  ? 451
                                                         : 250;
                m->rcpts += code == 250;
                return code;
        }
        if (c == 'D') {
                if (!m->rcpts)
                        return 554;
                if (m->refuse_data) {
                        m->mail = false;
                        m->rcpts = 0;
                        return 451;
                }
                return 354;
        }
        if (c == 'A')
                return model_auth(m, line);
        if (c == 'Q')
                *m = (struct model){ .closed = true, .auth = m->auth, .accepted = m->accepted };
        return c == 'Q' ? 221 : c == 'N' ? 250 : c == 'V' ? 252 : c == 'B' ? 502 : 500;
}

/* What follows 354. */
static unsigned model_message(struct model *m, const char *text)
{
        bool refuse = strstr(text, "X-Refuse"), later = strstr(text, "X-Later"), bare = strstr(text, "a\nb");
        m->mail = false;
        m->rcpts = 0;
        m->accepted += !refuse && !later && !bare;
        return bare ? 554 : refuse ? 550 : later ? 451 : 250;
}

static const char *const lines[] = {
        "EHLO client.example\r\n",
        "EHLO client.example\r\n",
        "HELO client\r\n",
        "EHLO refused.example\r\n",
        "MAIL FROM:<maria@example.com>\r\n",
        "MAIL FROM:<maria@example.com>\r\n",
        "MAIL FROM:<>\r\n",
        "MAIL FROM:<spammer@example.com>\r\n",
        "MAIL FROM:<later@example.com>\r\n",
        "MAIL FROM:<nodata@example.com>\r\n",
        "MAIL FROM:<bad\r\n",
        "RCPT TO:<jose@example.org>\r\n",
        "RCPT TO:<jose@example.org>\r\n",
        "RCPT TO:<ana@example.org>\r\n",
        "RCPT TO:<nobody@example.org>\r\n",
        "RCPT TO:<later@example.org>\r\n",
        "RCPT TO:<bad\r\n",
        "DATA\r\n",
        "DATA\r\n",
        "DATA\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "VRFY x\r\n",
        "BDAT 3 LAST\r\n",
        "FROB\r\n",
        "AUTH PLAIN AG1hcmlhAHMzY3JldA==\r\n",
        "AUTH PLAIN AG1hcmlhAHdyb25n\r\n",
        "QUIT\r\n",
};
static const char *const messages[] = { "hello\r\n.\r\n",   "..x\r\n.\r\n",  "X-Refuse\r\n.\r\n",
                                        "X-Later\r\n.\r\n", "a\nb\r\n.\r\n", ".\r\n" };

/* The code of the last line written, and nothing else may have been written. */
static unsigned last_code(struct a_talk *t)
{
        struct slice rest = buf_slice(&t->out);
        unsigned code = 0, replies = 0;
        while (rest.n) {
                size_t n = slice_find(rest, '\n');
                code = (unsigned)((rest.p[0] - '0') * 100 + (rest.p[1] - '0') * 10 + rest.p[2] - '0');
                replies += rest.p[3] == ' ';
                rest = slice_from(rest, n + 1);
        }
        buf_clear(&t->out);
        return replies > 1 ? 999 : code;
}

static void talk_once(const struct smtp_rules *rules, enum a_way way, struct buf *story)
{
        struct a_talk t;
        struct model m = { .needs_auth = rules->needs_auth };
        a_talk_init(&t, rules, way);
        t.silent = true;
        smtp_server_greet(&t.server, t.now, NULL, &t.out);
        buf_clear(&t.out);
        buf_clear(story);
        for (uint32_t i = 2 + draw(COMMANDS_MOST); i; i--) {
                const char *line = lines[draw(i == 1 ? COUNT_OF(lines) : COUNT_OF(lines) - 1)];
                buf_adds(story, line);
                unsigned want = model_reply(&m, line);
                a_talk_feed(&t, slice_of(line));
                unsigned got = last_code(&t);
                if (got == 354 && want == 354) {
                        const char *text = messages[draw(COUNT_OF(messages))];
                        buf_adds(story, text);
                        want = model_message(&m, text);
                        a_talk_feed(&t, slice_of(text));
                        got = last_code(&t);
                }
                const struct smtp_server *s = &t.server;
                if (got != want || s->mail != m.mail || s->rcpts != m.rcpts || t.accepted != m.accepted ||
                    s->authenticated != m.auth || (s->state == SMTP_CLOSED) != m.closed)
                        fail_msg("%u, not %u; mail %d %d, recipients %u %u, accepted %zu %u, after:\n%s", got, want,
                                 s->mail, m.mail, s->rcpts, m.rcpts, t.accepted, m.accepted, buf_cstr(story));
        }
        a_talk_done(&t);
}

static void test_like_the_model(void **state)
{
        (void)state;
        struct smtp_rules rules = { .host = S("mx.example.net.br"), .command_wait = MINUTE, .data_wait = MINUTE };
        autobuf story;
        buf_init(&story, 1 << 16);
        rules.offers = SMTP_EXT_PIPELINING | SMTP_EXT_AUTH;
        rules.auth_without_tls = true;
        for (int i = 0; i < CONVERSATIONS; i++) {
                rules.needs_auth = i % 4 == 3;
                talk_once(&rules, (enum a_way)(i % WAYS), &story);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_like_the_model) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
