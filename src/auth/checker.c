/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/checker.h"
#include "auth/check.h"
#include "base/log.h"
#include "ledger/mail.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum { ARENA = 64 << 20, FOLLOW_UP_PATIENCE = 2 /* seconds */, VERB_ANSWER = 1, VERB_READY = 2 };
#define FOLLOW_UP_PAUSE (30 * SECOND)

struct checker {
        const char *dir;
        const struct words *words;
        int fd;
        struct ledger *ledger; /* NULL: not open */
        struct arena *arena;   /* of one job */
        struct buf frame, message;
        struct auth_result result;
        struct auth_reply reply;
        struct mailbox mailbox;
        int64_t said;           /* when we last complained */
        int64_t keeper_is_away; /* until when nobody asks it */
        char in[AUTH_QUESTION_MOST];
};

/* --- the ledger --- */

static bool is_missing(const struct checker *c, const char *name)
{
        autofree char *path = xasprintf("%s/%s", c->dir, name);
        return access(path, F_OK) == -1 && errno == ENOENT;
}

static void complain(struct checker *c, const char *event, const char *why)
{
        autobuf text;
        int64_t now = time_monotonic();
        buf_init(&text, LOG_LINE_MOST);
        if (c->said && now - c->said < MINUTE)
                return;
        c->said = now;
        log_event(event, "error=%s", log_text(&text, slice_of(why)));
}

static int trouble(struct checker *c, int status)
{
        complain(c, "ledger-unavailable", c->ledger ? ledger_error(c->ledger) : strerror(-status));
        ledger_close(take(c->ledger));
        return status;
}

/* 0; 1 where there are no hashes yet; -errno. */
static int open_ledger(struct checker *c)
{
        autobuf why;
        buf_init(&why, 8192);
        int status = c->ledger ? 0 : secrets_open(c->dir, &c->ledger, &why);
        if (status == 0)
                return 0;
        if (status == -ENOENT && is_missing(c, "secrets/secrets.db") && !is_missing(c, "ledger.db"))
                return 1;
        complain(c, "ledger-unavailable", why.n ? buf_cstr(&why) : strerror(-status));
        return status;
}

/* --- what there is to say after a yes --- */

static void add_sender(struct auth_reply *r, struct slice address)
{
        if (r->n_senders < AUTH_SENDERS_MOST)
                r->senders[r->n_senders++] = address;
        else
                r->senders_cut = true;
}

/* Explicit ones first: aliases may be many, and what is cut is cut at the end. */
static int find_senders(struct checker *c)
{
        struct pointer *pointers;
        size_t n;
        add_sender(&c->reply, c->mailbox.address);
        for (size_t i = 0; i < c->mailbox.n_senders; i++)
                add_sender(&c->reply, c->mailbox.senders[i]);
        int status = ledger_points_to(c->ledger, c->arena, c->mailbox.address, &pointers, &n);
        for (size_t i = 0; status == 0 && i < n; i++)
                if (slice_eq(pointers[i].kind, S("alias")))
                        add_sender(&c->reply, pointers[i].from);
        return status;
}

/* Passwords of applications are made by us. */
static int weigh(struct checker *c, struct slice password)
{
        struct subscriber s;
        if (c->result.application)
                return 0;
        int status = ledger_subscriber(c->ledger, c->arena, c->mailbox.subscriber, &s);
        if (status < 0)
                return status;
        enum password_fault fault =
            password_weak(c->words, password, &(struct password_owner){ c->mailbox.address, s.name });
        if (fault != FAULT_NONE)
                c->reply.weak = slice_of(password_fault_key(fault));
        return 0;
}

static int tell_all(struct checker *c, struct slice password)
{
        struct auth_reply *r = &c->reply;
        int status = ledger_mailbox(c->ledger, c->arena, c->result.secret.address, &c->mailbox);
        if (status == 0 && c->mailbox.number != c->result.secret.mailbox)
                status = -ENOENT;
        if (status == 0)
                status = find_senders(c);
        if (status == 0)
                status = weigh(c, password);
        if (status < 0)
                return status;
        r->mailbox = c->mailbox.number;
        r->address = c->mailbox.address;
        r->subscriber = c->mailbox.subscriber;
        r->suspended = !c->result.may_send || suspension_stops(&c->mailbox.suspension) ||
                       suspension_stops(&c->mailbox.subscriber_suspension);
        r->application = c->result.application != 0;
        return 0;
}

/* --- one job --- */

static enum auth_verdict judge(struct checker *c, const struct auth_question *q)
{
        int status = open_ledger(c);
        if (status == 1)
                password_waste(q->password);
        if (status)
                return status < 0 ? AUTH_VERDICT_UNAVAILABLE : AUTH_VERDICT_NO;
        status = auth_check(c->ledger, c->arena, q->login, q->password, &c->result);
        if (status == 0 && c->result.answer == AUTH_YES)
                status = tell_all(c, q->password);
        else if (status == 0)
                return AUTH_VERDICT_NO;
        if (status == -ENOENT) /* it was removed between two looks */
                return AUTH_VERDICT_NO;
        if (status < 0)
                trouble(c, status);
        return status < 0 ? AUTH_VERDICT_UNAVAILABLE : AUTH_VERDICT_YES;
}

static bool send_message(struct checker *c)
{
        ssize_t n;
        do
                n = send(c->fd, c->message.p, c->message.n, MSG_NOSIGNAL);
        while (n == -1 && errno == EINTR);
        return n == (ssize_t)c->message.n;
}

/* The fewer of what two limits leave him; LIMIT_NONE: there is none. */
static int64_t recipients_let(const struct mailbox *m)
{
        int64_t own = m->suspension.recipients, all = m->subscriber_suspension.recipients;
        return own && all ? (own < all ? own : all) : own ? own : all ? all : LIMIT_NONE;
}

static bool answer(struct checker *c, int64_t serial, bool busy)
{
        bool yes = c->reply.verdict == AUTH_VERDICT_YES;
        buf_clear(&c->frame);
        buf_clear(&c->message);
        auth_reply_put(&c->frame, &c->reply);
        ipc_begin(&c->message, VERB_ANSWER);
        ipc_put_int(&c->message, serial);
        ipc_put_int(&c->message, busy);
        for (size_t i = 0; i < AUTH_LIMIT_COUNT; i++) {
                struct limit_found f = { .source = LIMIT_SOURCE_NOWHERE };
                if (yes)
                        f = mail_limit_find(checker_limit(i), &c->mailbox.limits, &c->mailbox.subscriber_limits, S(""),
                                            NULL);
                ipc_put_int(&c->message, f.source == LIMIT_SOURCE_NOWHERE ? LIMIT_INHERIT : f.value);
        }
        ipc_put_int(&c->message, yes ? recipients_let(&c->mailbox) : LIMIT_NONE);
        ipc_put_text(&c->message, yes ? c->mailbox.class : S(""));
        ipc_put_text(&c->message, buf_slice(&c->frame));
        ipc_end(&c->message, 0);
        return send_message(c);
}

static bool say_ready(struct checker *c)
{
        buf_clear(&c->message);
        ipc_begin(&c->message, VERB_READY);
        ipc_end(&c->message, 0);
        return send_message(c);
}

static void follow_up(struct checker *c, struct slice password)
{
        struct client *client = NULL;
        autobuf why;
        buf_init(&why, 4096);
        int status = client_join(c->dir, &client, &why);
        if (status == 0) {
                client_patience(client, FOLLOW_UP_PATIENCE);
                status = auth_follow_up(client, &c->result, password, time_now());
                buf_clear(&why);
                buf_adds(&why, client_reason(client));
        }
        client_close(client);
        if (status >= 0)
                return;
        complain(c, "keeper-away", why.n ? buf_cstr(&why) : strerror(-status));
        c->keeper_is_away = time_monotonic() + FOLLOW_UP_PAUSE;
}

static bool run_job(struct checker *c, const struct auth_question *q)
{
        arena_clear(c->arena);
        c->result = (struct auth_result){ .answer = AUTH_NO };
        c->reply = (struct auth_reply){ .verb = AUTH_CHECK, .id = q->id, .weak = S("") };
        c->reply.verdict = judge(c, q);
        bool more = c->reply.verdict == AUTH_VERDICT_YES && auth_wants_follow_up(&c->result, time_now()) &&
                    time_monotonic() >= c->keeper_is_away;
        if (!answer(c, q->id, more))
                return false;
        if (!more)
                return true;
        follow_up(c, q->password);
        return say_ready(c);
}

void checker_run(const char *dir, const struct words *words, int fd)
{
        autofree struct checker *c = xcalloc(1, sizeof *c);
        c->dir = dir;
        c->words = words;
        c->fd = fd;
        c->arena = arena_new(ARENA);
        buf_init(&c->frame, AUTH_REPLY_MOST);
        buf_init(&c->message, CHECKER_MESSAGE_MOST);
        for (bool good = true; good;) {
                struct auth_question q;
                ssize_t n = recv(fd, c->in, sizeof c->in, 0);
                if (n == -1 && errno == EINTR)
                        continue;
                good = n > 0 && auth_question_get((struct slice){ c->in, (size_t)n }, &q) == n &&
                       q.verb == AUTH_CHECK && run_job(c, &q);
                explicit_bzero(c->in, sizeof c->in);
        }
        ledger_close(c->ledger);
        arena_free(c->arena);
        buf_done(&c->frame);
        buf_done(&c->message);
}

/* --- heard by the duty --- */

int checker_heard(struct slice message, struct checker_answer *ret)
{
        struct ipc_reader r;
        if (message.n == 0 || ipc_frame(message, &r) != (int64_t)message.n)
                return -EBADMSG;
        if (r.verb == VERB_READY)
                return ipc_end_of(&r) ? 1 : -EBADMSG;
        struct checker_answer a = { .serial = ipc_int(&r), .busy = ipc_int(&r) != 0 };
        for (size_t i = 0; i < AUTH_LIMIT_COUNT; i++) {
                a.limits[i] = ipc_int(&r);
                r.bad = r.bad || a.limits[i] < LIMIT_INHERIT;
        }
        a.recipients_hour = ipc_int(&r);
        r.bad = r.bad || a.recipients_hour < LIMIT_NONE;
        a.class = ipc_text(&r);
        a.frame = ipc_text(&r);
        if (r.verb != VERB_ANSWER || !ipc_end_of(&r))
                return -EBADMSG;
        *ret = a;
        return 0;
}
