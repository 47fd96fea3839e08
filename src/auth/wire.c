/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/wire.h"

#include <errno.h>

enum { ADDRESS_FRAME_MOST = 512 /* of one sender, and more than any address */, FIELD_HEAD = 5 };

const char *auth_verdict_name(enum auth_verdict v)
{
#define VERDICT_NAME(id, name) name,
        static const char *const names[] = { AUTH_VERDICTS(VERDICT_NAME) };
        return names[v];
}

/* --- as whom --- */

static bool covers(struct slice sender, struct slice address)
{
        if (!slice_starts(sender, S("*@")))
                return slice_ieq(sender, address);
        struct slice at_domain = slice_from(sender, 1);
        return address.n > at_domain.n && slice_ieq(slice_from(address, address.n - at_domain.n), at_domain);
}

bool auth_may_write_as(const struct slice *senders, size_t n, struct slice address)
{
        for (size_t i = 0; i < n; i++)
                if (covers(senders[i], address))
                        return true;
        return false;
}

/* --- frames --- */

/* As ipc_frame(), but what is announced to be longer than it may be is refused before its bytes are there. */
static int64_t frame_of(struct slice in, size_t most, struct ipc_reader *ret)
{
        uint32_t length = 0;
        for (size_t i = 0; i < sizeof length && i < in.n; i++)
                length = length << 8 | (uint8_t)in.p[i];
        if (in.n >= sizeof length && length > most - sizeof length)
                return -EBADMSG;
        return ipc_frame(in, ret);
}

static struct slice text_of(struct ipc_reader *r, size_t most)
{
        struct slice s = ipc_text(r);
        if (s.n > most)
                r->bad = true;
        return s;
}

static bool bool_of(struct ipc_reader *r)
{
        int64_t n = ipc_int(r);
        if (n != 0 && n != 1)
                r->bad = true;
        return n == 1;
}

static enum auth_verb verb_of(struct ipc_reader *r)
{
        if (r->verb < AUTH_CHECK || r->verb > AUTH_SENDING)
                r->bad = true;
        return r->bad ? AUTH_CHECK : (enum auth_verb)r->verb;
}

/* --- questions --- */

void auth_question_put(struct buf *b, const struct auth_question *q)
{
        size_t start = b->n;
        bool too_long = q->login.n > AUTH_LOGIN_MOST || q->password.n > AUTH_PASSWORD_MOST;
        if (q->verb == AUTH_DOMAIN)
                too_long = q->domain.n > AUTH_DOMAIN_MOST;
        if (q->verb == AUTH_SENDING)
                too_long = q->address.n > AUTH_LOGIN_MOST;
        if (too_long) {
                b->full = true;
                return;
        }
        ipc_begin(b, (uint16_t)q->verb);
        ipc_put_int(b, q->id);
        if (q->verb == AUTH_DOMAIN) {
                ipc_put_text(b, q->domain);
        } else if (q->verb == AUTH_SENDING) {
                ipc_put_int(b, q->mailbox);
                ipc_put_text(b, q->address);
        } else {
                ipc_put_text(b, q->login);
                ipc_put_text(b, q->password);
        }
        ipc_end(b, start);
}

int64_t auth_question_get(struct slice in, struct auth_question *ret)
{
        struct ipc_reader r;
        int64_t n = frame_of(in, AUTH_QUESTION_MOST, &r);
        if (n <= 0)
                return n;
        struct auth_question q = { .verb = verb_of(&r), .id = ipc_int(&r) };
        if (q.verb == AUTH_DOMAIN) {
                q.domain = text_of(&r, AUTH_DOMAIN_MOST);
        } else if (q.verb == AUTH_SENDING) {
                q.mailbox = ipc_int(&r);
                q.address = text_of(&r, AUTH_LOGIN_MOST);
        } else {
                q.login = text_of(&r, AUTH_LOGIN_MOST);
                q.password = text_of(&r, AUTH_PASSWORD_MOST);
        }
        if (!ipc_end_of(&r))
                return -EBADMSG;
        *ret = q;
        return n;
}

/* --- answers --- */

/* How many of the senders fit behind what stands in the frame already. */
static size_t fitting(const struct auth_reply *r, size_t used)
{
        size_t n = 0;
        for (; n < r->n_senders && n < AUTH_SENDERS_MOST; n++) {
                used += FIELD_HEAD + r->senders[n].n;
                if (used > AUTH_REPLY_MOST || r->senders[n].n > ADDRESS_FRAME_MOST)
                        break;
        }
        return n;
}

void auth_reply_put(struct buf *b, const struct auth_reply *r)
{
        enum { INT_FIELD = FIELD_HEAD + 8 };
        size_t start = b->n;
        ipc_begin(b, (uint16_t)r->verb);
        ipc_put_int(b, r->id);
        ipc_put_int(b, r->verdict);
        if (r->verb == AUTH_CHECK && r->verdict == AUTH_VERDICT_YES) {
                ipc_put_int(b, r->mailbox);
                ipc_put_text(b, r->address);
                ipc_put_text(b, r->subscriber);
                ipc_put_text(b, r->weak);
                ipc_put_int(b, r->suspended);
                ipc_put_int(b, r->application);
                for (size_t i = 0; i < AUTH_LIMIT_COUNT; i++)
                        ipc_put_int(b, r->limits[i]);
                size_t n = fitting(r, b->n - start + 2 * INT_FIELD);
                ipc_put_int(b, r->senders_cut || n < r->n_senders);
                ipc_put_int(b, (int64_t)n);
                for (size_t i = 0; i < n; i++)
                        ipc_put_text(b, r->senders[i]);
        }
        ipc_end(b, start);
}

static void get_yes(struct ipc_reader *r, struct auth_reply *ret)
{
        ret->mailbox = ipc_int(r);
        ret->address = text_of(r, ADDRESS_FRAME_MOST);
        ret->subscriber = text_of(r, AUTH_REPLY_MOST);
        ret->weak = text_of(r, ADDRESS_FRAME_MOST);
        ret->suspended = bool_of(r);
        ret->application = bool_of(r);
        for (size_t i = 0; i < AUTH_LIMIT_COUNT; i++) {
                ret->limits[i] = ipc_int(r);
                if (ret->limits[i] < AUTH_LIMIT_NONE)
                        r->bad = true;
        }
        ret->senders_cut = bool_of(r);
        size_t n = ipc_count(r);
        if (ret->mailbox <= 0 || ret->address.n == 0 || n > AUTH_SENDERS_MOST)
                r->bad = true;
        for (size_t i = 0; i < n && !r->bad; i++)
                ret->senders[ret->n_senders++] = text_of(r, ADDRESS_FRAME_MOST);
}

int64_t auth_reply_get(struct slice in, struct auth_reply *ret)
{
        struct ipc_reader r;
        int64_t n = frame_of(in, AUTH_REPLY_MOST, &r);
        if (n <= 0)
                return n;
        ret->n_senders = 0; /* the array is left as it is: it is large, and nothing of it counts */
        ret->verb = verb_of(&r);
        ret->id = ipc_int(&r);
        int64_t verdict = ipc_int(&r);
        if (verdict < 0 || verdict >= AUTH_VERDICT_COUNT)
                return -EBADMSG;
        ret->verdict = (enum auth_verdict)verdict;
        ret->mailbox = 0;
        ret->address = ret->subscriber = ret->weak = S("");
        ret->suspended = ret->application = ret->senders_cut = false;
        for (size_t i = 0; i < AUTH_LIMIT_COUNT; i++)
                ret->limits[i] = 0;
        if (ret->verb == AUTH_CHECK && ret->verdict == AUTH_VERDICT_YES)
                get_yes(&r, ret);
        return ipc_end_of(&r) ? n : -EBADMSG;
}

/* --- secrets in memory --- */

void auth_reserve(struct buf *b, size_t room)
{
        autofree char *nothing = xcalloc(1, room);
        buf_clear(b);
        buf_add(b, (struct slice){ nothing, room });
        buf_clear(b);
}

void auth_wipe(struct buf *b)
{
        if (b->p)
                explicit_bzero(b->p, b->cap);
        buf_clear(b);
}
