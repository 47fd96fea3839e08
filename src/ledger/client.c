/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/client.h"
#include "base/time.h"
#include "ledger/verbs.h"
#include "ledger/frames.h"
#include "ledger/wire.h"
#include "ledger/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum {
        WAIT_FOR_KEEPER = 2000000,
        PAUSE_NS = 10000000,
        DEADLINE_S = 30,
        DEADLINE_IMPORT_S = 300,
        REPLY_MOST = 64 << 20
};

struct client {
        int fd;           /* -1 where we are the keeper */
        struct writer *w; /* NULL where there is one */
        char author[AUTHOR_MOST];
        struct buf request, reply, arrived; /* arrived: bytes of notices */
        struct ipc_reader results;
        struct buf reason;
        int64_t noticed;
        int64_t deadline_s;
};

/* Names longer than a socket address are reached through the folder's descriptor. */
static int connect_to(const char *dir)
{
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        autoclose int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (folder == -1)
                return -errno;
        if (snprintf(to.sun_path, sizeof to.sun_path, "%s/keeper.sock", dir) >= (int)sizeof to.sun_path)
                snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/keeper.sock", folder);
        autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof to) == -1)
                return -errno;
        return take_fd(&fd);
}

static int attach(struct client *c, const char *dir, bool may_be_keeper, struct buf *why)
{
        int64_t deadline = time_monotonic() + WAIT_FOR_KEEPER;
        for (;;) {
                int fd = connect_to(dir);
                if (fd >= 0) {
                        c->fd = fd;
                        return 0;
                }
                if (fd != -ENOENT && fd != -ECONNREFUSED && fd != -EAGAIN) {
                        buf_clear(why);
                        buf_addf(why, "%s/keeper.sock: %s", dir, strerror(-fd));
                        return fd;
                }
                if (!may_be_keeper && fd != -EAGAIN) {
                        buf_clear(why);
                        buf_addf(why, "%s: no keeper is running", dir);
                        return -ENOTCONN;
                }
                int status = fd == -EAGAIN ? -EBUSY : writer_open(dir, &c->w, why);
                if (status != -EBUSY || time_monotonic() >= deadline)
                        return status;
                nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
        }
}

static int client_new(const char *dir, bool may_be_keeper, struct client **ret, struct buf *why)
{
        struct client *c = xcalloc(1, sizeof *c);
        c->fd = -1;
        c->deadline_s = DEADLINE_S;
        buf_init(&c->request, IPC_FRAME_MOST);
        buf_init(&c->reply, REPLY_MOST);
        buf_init(&c->arrived, 1 << 20);
        buf_init(&c->reason, 1 << 16);
        author_print(geteuid(), c->author);
        int status = attach(c, dir, may_be_keeper, why);
        if (status < 0)
                client_close(c);
        else
                *ret = c;
        return status;
}

int client_open(const char *dir, struct client **ret, struct buf *why)
{
        return client_new(dir, true, ret, why);
}

int client_join(const char *dir, struct client **ret, struct buf *why)
{
        return client_new(dir, false, ret, why);
}

void client_close(struct client *c)
{
        if (!c)
                return;
        autoclose_(&c->fd);
        writer_close(c->w);
        buf_done(&c->request);
        buf_done(&c->reply);
        buf_done(&c->arrived);
        buf_done(&c->reason);
        free(c);
}

void client_close_(struct client **c)
{
        client_close(*c);
}

void client_patience(struct client *c, int64_t seconds)
{
        c->deadline_s = seconds;
}

const char *client_reason(const struct client *c)
{
        return c->reason.p ? c->reason.p : "";
}

static int fail(struct client *c, int status, const char *words)
{
        buf_clear(&c->reason);
        buf_adds(&c->reason, words);
        return status;
}

/* --- one call --- */

static struct buf *begin(struct client *c, enum verb verb)
{
        buf_clear(&c->request);
        ipc_begin(&c->request, (uint16_t)verb);
        return &c->request;
}

static int run_here(struct client *c)
{
        struct ipc_reader frame;
        buf_clear(&c->reply);
        if (ipc_frame(buf_slice(&c->request), &frame) <= 0)
                panic("our own frame is malformed");
        writer_run(c->w, slice_of(c->author), &frame, &c->reply);
        int64_t before = writer_last_change(c->w);
        int status = writer_commit(c->w);
        if (status < 0)
                return fail(c, status, writer_error(c->w));
        if (writer_last_change(c->w) != before) /* where it fails, the next writer makes it good */
                writer_export(c->w, false, &c->reason);
        return ipc_frame(buf_slice(&c->reply), &c->results) > 0 ? 0 : fail(c, -EMSGSIZE, "the answer is too large");
}

static int ask_keeper(struct client *c)
{
        int64_t deadline = time_monotonic() + c->deadline_s * SECOND;
        int status = ipc_send(c->fd, buf_slice(&c->request), deadline);
        do {
                if (status == 0)
                        status = ipc_receive(c->fd, &c->reply, &c->results, deadline);
                if (status == 0 && c->results.verb == VERB_notice)
                        c->noticed = ipc_int(&c->results);
        } while (status == 0 && c->results.verb == VERB_notice);
        if (status == -ECONNRESET || status == -EPIPE)
                return fail(c, -ECONNRESET,
                            "the keeper went away before it answered: whether this was written is not known");
        if (status == -ETIMEDOUT)
                return fail(c, status, "the keeper did not answer in time: whether this was written is not known");
        return status < 0 ? fail(c, status, strerror(-status)) : 0;
}

/* 0 or 1 with the results to be read from c->results; -errno. */
static int call(struct client *c)
{
        ipc_end(&c->request, 0);
        if (c->request.full)
                return fail(c, -EMSGSIZE, "this is more than one request can carry");
        int status = c->w ? run_here(c) : c->fd != -1 ? ask_keeper(c) : fail(c, -ENOTCONN, "not connected");
        if (status < 0)
                return status;
        status = (int)ipc_int(&c->results);
        buf_clear(&c->reason);
        buf_add(&c->reason, ipc_text(&c->results));
        return c->results.bad ? fail(c, -EBADMSG, "the keeper's answer is malformed") : status;
}

static int call_number(struct client *c, int64_t *ret)
{
        int status = call(c);
        if (status)
                return status;
        int64_t n = ipc_int(&c->results);
        if (c->results.bad)
                return fail(c, -EBADMSG, "the keeper's answer is malformed");
        if (ret)
                *ret = n;
        return 0;
}

/* --- the verbs, in the order of client.h --- */

int client_generation_add(struct client *c, struct slice text, int64_t trial_for, struct slice why, int64_t *ret_n)
{
        struct buf *b = begin(c, VERB_generation_add);
        ipc_put_text(b, text);
        ipc_put_int(b, trial_for);
        ipc_put_text(b, why);
        return call_number(c, ret_n);
}

int client_generation_loaded(struct client *c, int64_t n, bool ok, struct slice why)
{
        struct buf *b = begin(c, VERB_generation_loaded);
        ipc_put_int(b, n);
        ipc_put_int(b, ok);
        ipc_put_text(b, why);
        return call(c);
}

int client_generation_confirm(struct client *c, int64_t *ret_n)
{
        begin(c, VERB_generation_confirm);
        return call_number(c, ret_n);
}

int client_generation_rollback(struct client *c, struct slice why, bool lapsed, int64_t at, int64_t *ret_n)
{
        struct buf *b = begin(c, VERB_generation_rollback);
        ipc_put_text(b, why);
        ipc_put_int(b, lapsed);
        ipc_put_int(b, at);
        return call_number(c, ret_n);
}

int client_subscriber(struct client *c, const struct subscriber_change *change, enum subscriber_mode mode)
{
        struct buf *b = begin(c, VERB_subscriber_put);
        ipc_put_int(b, mode);
        wire_put_subscriber_change(b, change);
        return call(c);
}

int client_subscriber_remove(struct client *c, struct slice id, struct slice why)
{
        struct buf *b = begin(c, VERB_subscriber_remove);
        ipc_put_text(b, id);
        ipc_put_text(b, why);
        return call(c);
}

static void put_import(struct buf *b, const struct bulk_import *im)
{
        ipc_put_int(b, im->dry_run);
        ipc_put_text(b, im->key);
}

static int call_import(struct client *c, struct bulk_import *im)
{
        c->deadline_s = DEADLINE_IMPORT_S;
        int status = call(c);
        c->deadline_s = DEADLINE_S;
        if (status < 0)
                return status;
        buf_add(im->report, ipc_text(&c->results));
        im->errors = ipc_int(&c->results);
        im->done_at = ipc_int(&c->results);
        im->done_by = ipc_text(&c->results);
        if (c->results.bad)
                return fail(c, -EBADMSG, "the keeper's answer is malformed");
        return status == 2 ? 0 : status; /* 2: a dry run that would have been done */
}

int client_subscriber_import(struct client *c, struct bulk_import *im, const struct subscriber_change *all, size_t n)
{
        struct buf *b = begin(c, VERB_subscriber_import);
        put_import(b, im);
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++)
                wire_put_subscriber_change(b, &all[i]);
        return call_import(c, im);
}

/* --- mail --- */

int client_mailbox(struct client *c, const struct mailbox_change *change, enum mailbox_mode mode,
                   const struct mail_rules *rules)
{
        struct buf *b = begin(c, VERB_mailbox_put);
        ipc_put_int(b, mode);
        wire_put_mail_rules(b, rules);
        wire_put_mailbox_change(b, change);
        return call(c);
}

/* Something goes away, or stops, and why. */
static int call_with_reason(struct client *c, struct buf *b, struct slice key, struct slice why)
{
        ipc_put_text(b, key);
        ipc_put_text(b, why);
        return call(c);
}

int client_mailbox_remove(struct client *c, struct slice address, struct slice why)
{
        return call_with_reason(c, begin(c, VERB_mailbox_remove), address, why);
}

int client_mailbox_import(struct client *c, struct bulk_import *im, const struct mailbox_change *all, size_t n,
                          const struct mail_rules *rules)
{
        struct buf *b = begin(c, VERB_mailbox_import);
        wire_put_mail_rules(b, rules);
        put_import(b, im);
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++)
                wire_put_mailbox_change(b, &all[i]);
        return call_import(c, im);
}

static int suspend(struct client *c, bool of_subscriber, struct slice key, struct slice reason, int64_t until,
                   int64_t recipients)
{
        struct buf *b = begin(c, VERB_mail_suspend);
        ipc_put_int(b, of_subscriber);
        ipc_put_int(b, reason.n != 0);
        ipc_put_text(b, key);
        ipc_put_text(b, reason);
        ipc_put_int(b, until);
        ipc_put_int(b, recipients);
        return call(c);
}

int client_mailbox_suspend(struct client *c, struct slice address, struct slice reason)
{
        return suspend(c, false, address, reason, TIME_NEVER, 0);
}

int client_mailbox_suspend_until(struct client *c, struct slice address, struct slice reason, int64_t until,
                                 int64_t recipients)
{
        return suspend(c, false, address, reason, until, recipients);
}

int client_mailbox_restrain(struct client *c, struct slice address, struct slice reason, int64_t until,
                            int64_t recipients)
{
        struct buf *b = begin(c, VERB_mailbox_restrain);
        ipc_put_text(b, address);
        ipc_put_text(b, reason);
        ipc_put_int(b, until);
        ipc_put_int(b, recipients);
        return call(c);
}

int client_subscriber_suspend(struct client *c, struct slice id, struct slice reason)
{
        return suspend(c, true, id, reason, TIME_NEVER, 0);
}

int client_subscriber_suspend_until(struct client *c, struct slice id, struct slice reason, int64_t until,
                                    int64_t recipients)
{
        return suspend(c, true, id, reason, until, recipients);
}

int client_alias(struct client *c, struct slice address, const struct slice *targets, size_t n, bool add,
                 const struct mail_rules *rules)
{
        struct buf *b = begin(c, VERB_alias_put);
        ipc_put_int(b, add);
        ipc_put_text(b, address);
        wire_put_texts(b, targets, n);
        wire_put_mail_rules(b, rules);
        return call(c);
}

int client_alias_remove(struct client *c, struct slice address, struct slice why)
{
        return call_with_reason(c, begin(c, VERB_alias_remove), address, why);
}

int client_domain(struct client *c, struct slice name, bool add, struct slice roles, const struct slice *catch_all)
{
        struct buf *b = begin(c, VERB_domain_put);
        ipc_put_int(b, add);
        ipc_put_text(b, name);
        ipc_put_text(b, roles);
        ipc_put_int(b, catch_all != NULL);
        ipc_put_text(b, catch_all ? *catch_all : S(""));
        return call(c);
}

int client_domain_remove(struct client *c, struct slice name, struct slice why)
{
        return call_with_reason(c, begin(c, VERB_domain_remove), name, why);
}

int client_told(struct client *c, struct slice subscriber, struct slice by, int64_t at, struct slice note)
{
        struct buf *b = begin(c, VERB_told);
        ipc_put_text(b, subscriber);
        ipc_put_text(b, by);
        ipc_put_int(b, at);
        ipc_put_text(b, note);
        return call(c);
}

int client_password_set(struct client *c, struct slice address, struct slice hash)
{
        struct buf *b = begin(c, VERB_password_set);
        ipc_put_text(b, address);
        ipc_put_text(b, hash);
        return call(c);
}

int client_password_rehash(struct client *c, int64_t mailbox, struct slice former, struct slice hash)
{
        struct buf *b = begin(c, VERB_password_rehash);
        ipc_put_int(b, mailbox);
        ipc_put_text(b, former);
        ipc_put_text(b, hash);
        return call(c);
}

int client_password_import(struct client *c, struct bulk_import *im, const struct password_row *all, size_t n)
{
        struct buf *b = begin(c, VERB_password_import);
        put_import(b, im);
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++) {
                ipc_put_text(b, all[i].address);
                ipc_put_text(b, all[i].hash);
                ipc_put_int(b, all[i].row);
        }
        return call_import(c, im);
}

int client_app_password_add(struct client *c, struct slice address, struct slice label, struct slice digest,
                            int64_t *ret_id)
{
        struct buf *b = begin(c, VERB_app_password_add);
        ipc_put_text(b, address);
        ipc_put_text(b, label);
        ipc_put_text(b, digest);
        return call_number(c, ret_id);
}

int client_app_password_remove(struct client *c, struct slice address, int64_t id)
{
        struct buf *b = begin(c, VERB_app_password_remove);
        ipc_put_text(b, address);
        ipc_put_int(b, id);
        return call(c);
}

int client_app_password_used(struct client *c, int64_t id)
{
        ipc_put_int(begin(c, VERB_app_password_used), id);
        return call(c);
}

int client_lease_add(struct client *c, const struct lease *lease)
{
        wire_put_lease(begin(c, VERB_lease_add), lease);
        return call(c);
}

int client_leases_put(struct client *c, struct slice feed, struct slice position, const struct lease *all, size_t n,
                      size_t *ret_changed)
{
        struct buf *b = begin(c, VERB_leases_put);
        ipc_put_text(b, feed);
        ipc_put_text(b, position);
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++)
                wire_put_lease(b, &all[i]);
        int64_t changed = 0;
        int status = call_number(c, &changed);
        if (ret_changed)
                *ret_changed = (size_t)changed;
        return status;
}

int client_segments_check(struct client *c, struct slice name, bool *more)
{
        int64_t n = 0;
        ipc_put_text(begin(c, VERB_segments_check), name);
        int status = call_number(c, &n);
        *more = n != 0;
        return status;
}

int client_segments_live(struct client *c, struct slice name, int64_t *from)
{
        struct buf *b = begin(c, VERB_segments_live);
        ipc_put_text(b, name);
        ipc_put_int(b, *from);
        return call_number(c, from);
}

int client_segments_add(struct client *c, const struct slice *names, size_t n)
{
        struct buf *b = begin(c, VERB_segments_add);
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++)
                ipc_put_text(b, names[i]);
        c->deadline_s = DEADLINE_IMPORT_S;
        int status = call(c);
        c->deadline_s = DEADLINE_S;
        return status;
}

int client_forget(struct client *c, const struct forget_before *before, struct forgotten *ret, int *more)
{
        struct buf *b = begin(c, VERB_forget);
        int64_t n = 0;
        ipc_put_int(b, before->leases);
        ipc_put_int(b, before->sightings);
        int status = call_number(c, &n);
        if (status)
                return status;
        *more = (int)n;
        uint64_t *const counts[] = { &ret->leases, &ret->sightings, &ret->losses, &ret->lines, &ret->files };
        for (size_t i = 0; i < COUNT_OF(counts); i++)
                *counts[i] = (uint64_t)ipc_int(&c->results);
        ret->log_kept = ipc_int(&c->results) != 0;
        return c->results.bad ? fail(c, -EBADMSG, "the keeper's answer is malformed") : 0;
}

int client_lease_end(struct client *c, const struct prefix *prefix, const struct line *line, int64_t at,
                     struct slice why)
{
        struct buf *b = begin(c, VERB_lease_end);
        wire_put_prefix(b, prefix);
        wire_put_line(b, line);
        ipc_put_int(b, at);
        ipc_put_text(b, why);
        return call(c);
}

int client_exemption_add(struct client *c, const struct exemption *e, int64_t *ret_id)
{
        struct buf *b = begin(c, VERB_exemption_add);
        ipc_put_text(b, e->subscriber);
        wire_put_prefix(b, &e->prefix);
        ipc_put_int(b, e->start);
        ipc_put_int(b, e->until);
        ipc_put_text(b, e->owner);
        ipc_put_text(b, e->reason);
        return call_number(c, ret_id);
}

int client_exemption_remove(struct client *c, int64_t id, struct slice why)
{
        struct buf *b = begin(c, VERB_exemption_remove);
        ipc_put_int(b, id);
        ipc_put_text(b, why);
        return call(c);
}

int client_quarantine_add(struct client *c, const struct quarantine *q, int64_t *ret_id)
{
        struct buf *b = begin(c, VERB_quarantine_add);
        ipc_put_text(b, q->subscriber);
        ipc_put_int(b, q->level);
        ipc_put_int(b, q->start);
        ipc_put_int(b, q->until);
        ipc_put_text(b, q->reason);
        ipc_put_text(b, q->approved_by);
        ipc_put_text(b, q->evidence);
        ipc_put_int(b, q->by_rule);
        ipc_put_int(b, q->proposed);
        ipc_put_int(b, q->needs_approval);
        return call_number(c, ret_id);
}

int client_quarantine_release(struct client *c, int64_t id, struct slice why)
{
        struct buf *b = begin(c, VERB_quarantine_release);
        ipc_put_int(b, id);
        ipc_put_text(b, why);
        return call(c);
}

int client_ban_add(struct client *c, const struct ban *b, int64_t *ret_id, int64_t *ret_until)
{
        buf_clear(&c->request);
        frame_ban_add(&c->request, b);
        int status = call_number(c, ret_id);
        int64_t until = status == 0 ? ipc_int(&c->results) : 0;
        if (ret_until)
                *ret_until = until;
        return status;
}

int client_ban_release(struct client *c, int64_t id, const struct prefix *prefix, struct slice why)
{
        static const struct prefix none;
        struct buf *b = begin(c, VERB_ban_release);
        ipc_put_int(b, id);
        wire_put_prefix(b, prefix ? prefix : &none);
        ipc_put_text(b, why);
        return call(c);
}

int client_sightings_add(struct client *c, const struct sighting *all, size_t n, int64_t lost, int64_t lost_at)
{
        buf_clear(&c->request);
        frame_sightings_add(&c->request, all, n, lost, lost_at);
        return call(c);
}

int client_lookup(struct client *c, struct slice reason, const struct lookup *all, size_t n)
{
        struct buf *b = begin(c, VERB_lookup);
        ipc_put_text(b, reason);
        ipc_put_int(b, (int64_t)n);
        for (size_t i = 0; i < n; i++) {
                ipc_put_text(b, all[i].what);
                ipc_put_text(b, all[i].key);
                ipc_put_text(b, all[i].question);
                ipc_put_text(b, all[i].answer);
                ipc_put_int(b, (int64_t)all[i].n_subscribers);
                for (size_t k = 0; k < all[i].n_subscribers; k++)
                        ipc_put_text(b, all[i].subscribers[k]);
        }
        return call(c);
}

int client_suspicion_set(struct client *c, const struct suspicion *s)
{
        struct buf *b = begin(c, VERB_suspicion_set);
        ipc_put_text(b, s->subscriber);
        ipc_put_int(b, s->at);
        wire_put_real(b, s->score);
        wire_put_real(b, s->syn_part);
        return call(c);
}

/* --- notices --- */

int client_listen(struct client *c)
{
        if (c->fd == -1)
                return fail(c, -ENOTCONN, "no keeper is running");
        begin(c, VERB_listen);
        return call(c);
}

int client_fd(const struct client *c)
{
        return c->fd;
}

/* Bytes that have arrived, without waiting. */
static int drain(struct client *c)
{
        char piece[4096];
        for (;;) {
                ssize_t n = recv(c->fd, piece, sizeof piece, MSG_DONTWAIT);
                if (n == 0)
                        return -ECONNRESET;
                if (n == -1)
                        return errno == EAGAIN ? 0 : errno == EINTR ? 0 : -errno;
                buf_add(&c->arrived, (struct slice){ piece, (size_t)n });
                if (c->arrived.full)
                        return -EBADMSG;
        }
}

int client_notices(struct client *c, int64_t *last)
{
        if (c->fd == -1)
                return fail(c, -ENOTCONN, "no keeper is running");
        struct ipc_reader frame;
        int status = drain(c);
        struct slice left = buf_slice(&c->arrived);
        int64_t n;
        while ((n = ipc_frame(left, &frame)) > 0) {
                left = slice_from(left, (size_t)n);
                if (frame.verb == VERB_notice)
                        c->noticed = ipc_int(&frame);
        }
        if (left.n && left.p != c->arrived.p)
                memmove(c->arrived.p, left.p, left.n);
        c->arrived.n = left.n;
        if (c->noticed)
                *last = c->noticed;
        c->noticed = 0;
        if (status < 0 || n < 0)
                return fail(c, status < 0 ? status : (int)n, "the keeper went away");
        return 0;
}
