/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/setup.h"
#include "base/ipc.h"

#include <limits.h>

enum { SETUP_VERB = 1 };

#define ROLE_NAME(id, name) name,
const char *edge_role_name(enum edge_role r)
{
        static const char *const names[] = { EDGE_ROLES(ROLE_NAME) };
        return names[r];
}

void setup_put(const struct setup *s, struct buf *out)
{
        const struct slice texts[] = { s->policy,         s->keeper_socket, s->auth_socket,
                                       s->deliver_socket, s->sketch_key,    s->filter };
        const int64_t numbers[] = { s->control, s->counts, (int64_t)s->counts_bytes, s->worker, s->workers };
        size_t start = out->n;
        ipc_begin(out, SETUP_VERB);
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                ipc_put_text(out, texts[i]);
        for (size_t i = 0; i < COUNT_OF(numbers); i++)
                ipc_put_int(out, numbers[i]);
        ipc_put_int(out, (int64_t)s->n_listeners);
        for (size_t i = 0; i < s->n_listeners; i++) {
                const struct setup_listener *l = &s->listeners[i];
                ipc_put_int(out, l->fd);
                ipc_put_int(out, l->role);
                ipc_put_int(out, l->tls);
                ipc_put_int(out, (int64_t)l->legacy);
        }
        ipc_put_int(out, (int64_t)s->n_certificates);
        for (size_t i = 0; i < s->n_certificates; i++) {
                ipc_put_text(out, s->certificates[i].name);
                ipc_put_text(out, s->certificates[i].chain);
                ipc_put_text(out, s->certificates[i].key);
        }
        ipc_end(out, start);
}

static int64_t number(struct ipc_reader *r, int64_t least, int64_t most)
{
        int64_t n = ipc_int(r);
        r->bad |= n < least || n > most;
        return r->bad ? least : n;
}

static void get_lists(struct ipc_reader *r, struct setup *s)
{
        s->n_listeners = ipc_count(r);
        for (size_t i = 0; i < s->n_listeners && i < SETUP_LISTENERS_MOST; i++) {
                struct setup_listener *l = &s->listeners[i];
                l->fd = (int)number(r, 0, INT_MAX);
                l->role = (enum edge_role)number(r, 0, EDGE_ROLE_COUNT - 1);
                l->tls = number(r, 0, 1);
                l->legacy = (size_t)number(r, 0, INT_MAX);
        }
        r->bad |= s->n_listeners > SETUP_LISTENERS_MOST;
        s->n_certificates = r->bad ? 0 : ipc_count(r);
        r->bad |= s->n_certificates > SETUP_CERTIFICATES_MOST;
        s->certificates = xcalloc(SETUP_CERTIFICATES_MOST, sizeof *s->certificates);
        for (size_t i = 0; i < s->n_certificates && !r->bad; i++)
                s->certificates[i] = (struct setup_certificate){ ipc_text(r), ipc_text(r), ipc_text(r) };
}

bool setup_get(struct buf *text, struct setup *ret)
{
        struct ipc_reader r;
        struct setup s = { .text = *text };
        *text = (struct buf){ .max = SETUP_MOST };
        if (ipc_frame(buf_slice(&s.text), &r) <= 0 || r.verb != SETUP_VERB) {
                setup_done(&s);
                return false;
        }
        struct slice *const texts[] = { &s.policy,         &s.keeper_socket, &s.auth_socket,
                                        &s.deliver_socket, &s.sketch_key,    &s.filter };
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                *texts[i] = ipc_text(&r);
        s.control = (int)number(&r, -1, INT_MAX);
        s.counts = (int)number(&r, -1, INT_MAX);
        s.counts_bytes = (size_t)number(&r, 0, INT64_MAX);
        s.worker = number(&r, 0, INT_MAX);
        s.workers = number(&r, 0, INT_MAX);
        get_lists(&r, &s);
        if (!ipc_end_of(&r) || s.sketch_key.n != 16) {
                setup_done(&s);
                return false;
        }
        *ret = s;
        return true;
}

void setup_done(struct setup *s)
{
        if (s->text.p)
                explicit_bzero(s->text.p, s->text.cap);
        buf_done(&s->text);
        free(s->certificates);
        *s = (struct setup){ 0 };
}
