/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every tests/smtp/NAME.talk is a conversation as it happens: run at once, byte by byte, and with late answers, it reads the same. Write
 * the client's lines, run this program with PORTEIRO_GOLDEN=write, and read what it added before you keep it.
 *
 *     role NAME [WORD[=N]…]   rules to begin with (see roles[] and set_word() below), first; "at-once" where coming together is the point
 *     greet                   we greet; what stands before it comes early
 *     C: a line               of the client; lines that stand together arrive together
 *     C| bytes                without a line end. In both: \r \n \0 \\ \xNN, and \{x*500} for 500 of x
 *     TLS, TLS failed         the handshake is over
 *     wait 6m                 time goes by
 *     stop                    the service is stopped
 *     S: a reply              E: an event, as test_support.h names it */
#include "smtp/golden_support.h"
#include "smtp/test_support.h"

enum {
        USUAL = SMTP_EXT_PIPELINING | SMTP_EXT_8BITMIME | SMTP_EXT_SIZE | SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN |
                SMTP_EXT_ENHANCED
};

static const struct {
        const char *name;
        struct smtp_rules rules;
} roles[] = {
        { "open", { .offers = USUAL } },
        { "submission",
          { .offers = USUAL | SMTP_EXT_STARTTLS | SMTP_EXT_AUTH | SMTP_EXT_LIMITS,
            .needs_tls = true,
            .needs_auth = true } },
        { "divert",
          { .offers = USUAL | SMTP_EXT_STARTTLS | SMTP_EXT_AUTH,
            .needs_auth = true,
            .language = SMTP_PORTUGUESE,
            .auth_words = S("A porta 25 esta fechada para clientes.\nUse smtps.example.net.br porta 465, veja "
                            "https://example.net.br/25") } },
        { "legacy", { .offers = SMTP_EXT_SIZE | SMTP_EXT_AUTH, .auth_without_tls = true } },
        { "trap", { .offers = 0 } },
};

/* word=N in the role's line */
static void set_word(struct smtp_rules *r, struct slice word)
{
        struct slice value;
        struct slice key = slice_cut(word, '=', &value);
        uint64_t n = 0;
        slice_u64(value, UINT32_MAX, &n);
        if (slice_eq(key, S("size")))
                r->size_most = n;
        else if (slice_eq(key, S("rcpts")))
                r->rcpts_most = (uint32_t)n;
        else if (slice_eq(key, S("messages")))
                r->messages_most = (uint32_t)n;
        else if (slice_eq(key, S("commands")))
                r->commands_most = (uint32_t)n;
        else if (slice_eq(key, S("errors")))
                r->errors_most = (uint32_t)n;
        else if (slice_eq(key, S("line")))
                r->line_most = (uint32_t)n;
        else if (slice_eq(key, S("pt")))
                r->language = SMTP_PORTUGUESE;
        else if (slice_eq(key, S("xclient")))
                r->offers |= SMTP_EXT_XCLIENT;
        else if (slice_eq(key, S("tls-at-once")))
                r->tls_at_once = true;
        else if (!slice_eq(key, S("at-once")))
                fail_msg("no such word: %.*s", SLICE_ARGS(key));
}

static struct smtp_rules rules_of(struct slice words)
{
        struct slice name = slice_cut(words, ' ', &words);
        for (size_t i = 0; i < COUNT_OF(roles); i++)
                if (slice_eq(name, slice_of(roles[i].name))) {
                        struct smtp_rules r = roles[i].rules;
                        r.host = S("mx.example.net.br");
                        r.command_wait = 5 * MINUTE;
                        r.data_wait = 3 * MINUTE;
                        r.conversation_wait = HOUR;
                        while (words.p)
                                set_word(&r, slice_cut(words, ' ', &words));
                        return r;
                }
        fail_msg("no such role: %.*s", SLICE_ARGS(name));
        return roles[0].rules;
}

static void run_step(struct a_talk *t, struct slice line)
{
        int64_t us;
        if (slice_eq(line, S("greet"))) {
                smtp_server_greet(&t->server, t->now, NULL, &t->out);
                a_talk_feed(t, S(""));
        } else if (slice_starts(line, S("TLS"))) {
                smtp_server_tls(&t->server, t->now, line.n == 3);
                a_talk_feed(t, S(""));
        } else if (slice_eq(line, S("stop"))) {
                smtp_server_stop(&t->server, &t->out);
                a_talk_feed(t, S(""));
        } else if (slice_starts(line, S("wait ")) && duration_parse(slice_from(line, 5), &us)) {
                t->now += us;
                if (t->now >= t->server.deadline)
                        smtp_server_timeout(&t->server, &t->out);
                a_talk_feed(t, S(""));
        } else if (line.n && line.p[0] != '#') {
                fail_msg("what is \"%.*s\"?", SLICE_ARGS(line));
        }
}

static bool is_client(struct slice line)
{
        return slice_starts(line, S("C:")) || slice_starts(line, S("C|"));
}

/* What the client's lines of one block say. */
static void add_client(struct slice line, struct buf *block)
{
        bool whole = line.p[1] == ':';
        golden_unescape(slice_from(line, line.n > 2 ? 3 : 2), block);
        if (whole)
                buf_adds(block, "\r\n");
}

/* The conversation of `text`, run: its own lines, and what came of them. */
static void run_talk(struct slice text, int way, struct buf *ret)
{
        struct slice line, rest;
        struct slice role = slice_cut(text, '\n', &rest);
        assert_true(slice_starts(role, S("role ")));
        struct smtp_rules rules = rules_of(slice_from(role, 5));
        struct a_talk t;
        autobuf block;
        bool together = way == BYTE_BY_BYTE && slice_ends(role, S(" at-once"));
        a_talk_init(&t, &rules, together ? AT_ONCE : (enum a_way)way);
        buf_init(&block, TEXT_MOST);
        if (rules.tls_at_once)
                smtp_server_tls(&t.server, t.now, true);
        buf_add(&t.said, role);
        buf_addc(&t.said, '\n');
        do {
                line = slice_cut(rest, '\n', &rest);
                if (slice_starts(line, S("S:")) || slice_starts(line, S("E:")))
                        continue;
                if (!is_client(line) && block.n) {
                        a_talk_feed(&t, buf_slice(&block));
                        buf_clear(&block);
                }
                if (rest.p || line.n) {
                        buf_add(&t.said, line);
                        buf_addc(&t.said, '\n');
                }
                if (is_client(line)) {
                        add_client(line, &block);
                        if (slice_starts(rest, S("C")))
                                continue;
                        a_talk_feed(&t, buf_slice(&block));
                        buf_clear(&block);
                } else {
                        run_step(&t, line);
                }
        } while (rest.p);
        buf_add(ret, buf_slice(&t.said));
        a_talk_done(&t);
}

static void every_talk_goes_as_written(void **state)
{
        (void)state;
        golden_check_all("tests/smtp/*.talk", run_talk, WAYS);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(every_talk_goes_as_written) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
