/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/deeds.h"

#include "base/log.h"
#include "base/time.h"
#include "ledger/client.h"
#include "policy/ban.h"

#include <errno.h>

enum { ARENA = 16 << 20, TEXT_MOST = LEDGER_TEXT_MOST, PAUSE_TIMES = 4 };
enum { DONE, REFUSED, LEFT }; /* refused by the keeper, who says why; left here, which is said already */

struct deed {
        enum mail_limit_then then;
        enum mail_limit_key by;
        int64_t at, until;
        int64_t to; /* recipients an hour, 0: none */
        uint64_t count;
        char *key, *client, *reason, *evidence;
};

struct deeds {
        const char *dir;
        struct deed *v;
        size_t n, cap;
        uint64_t lost;
        struct client *client;
        struct ledger *ledger;
        bool said_away;
        int64_t next_try; /* by the monotonic clock */
};

struct deeds *deeds_new(const char *dir)
{
        struct deeds *d = xcalloc(1, sizeof *d);
        d->dir = dir;
        return d;
}

static void deed_done(struct deed *d)
{
        free(d->key);
        free(d->client);
        free(d->reason);
        free(d->evidence);
}

void deeds_free(struct deeds *d)
{
        if (!d)
                return;
        for (size_t i = 0; i < d->n; i++)
                deed_done(&d->v[i]);
        free(d->v);
        client_close(d->client);
        ledger_close(d->ledger);
        free(d);
}

/* --- what is known of it --- */

static void log_caught(const struct limits_caught *c)
{
        autobuf name, key;
        char until[TIME_TEXT_MAX];
        buf_init(&name, LOG_LINE_MOST);
        buf_init(&key, LOG_LINE_MOST);
        log_event("limit-reached", "limit=%s by=%s who=%s count=%llu then=%s until=\"%s\"",
                  log_text(&name, c->limit->name), mail_limit_key_name(c->limit->by), log_text(&key, c->key),
                  (unsigned long long)c->count, mail_limit_then_name(c->limit->then), time_print(c->until, until));
}

static char *reason_of(const struct limits_caught *c)
{
        char over[TIME_TEXT_MAX];
        return xasprintf("mail-limit \"%.*s\": %llu within %s", SLICE_ARGS(c->limit->name),
                         (unsigned long long)c->count, duration_print(c->limit->over, over));
}

static char *evidence_of(const struct limits_caught *c)
{
        autobuf out;
        buf_init(&out, TEXT_MOST);
        for (size_t i = 0; i < c->n_lines; i++) {
                buf_adds(&out, i ? "\n" : "");
                buf_add_shown(&out, c->lines[i]);
        }
        return buf_take(&out);
}

void deeds_add(struct deeds *d, const struct limits_caught *c)
{
        log_caught(c);
        if (c->limit->then == MAIL_THEN_REPORT)
                return;
        if (d->n == DEEDS_MOST) {
                d->lost++;
                return;
        }
        d->v = xgrow(d->v, &d->cap, d->n + 1, sizeof *d->v);
        d->v[d->n++] = (struct deed){ .then = c->limit->then,
                                      .by = c->limit->by,
                                      .at = c->at,
                                      .until = c->until,
                                      .to = c->limit->then == MAIL_THEN_LIMIT ? c->limit->to : 0,
                                      .count = c->count,
                                      .key = slice_dup(c->key),
                                      .client = slice_dup(c->client),
                                      .reason = reason_of(c),
                                      .evidence = evidence_of(c) };
}

/* --- doing --- */

static bool reader_ready(struct deeds *d)
{
        return d->ledger || ledger_open(d->dir, &d->ledger) == 0;
}

static int leave(const struct deed *d, const char *why)
{
        autobuf key, text;
        buf_init(&key, LOG_LINE_MOST);
        buf_init(&text, LOG_LINE_MOST);
        log_event("limit-not-enforced", "then=%s who=%s why=%s", mail_limit_then_name(d->then),
                  log_text(&key, slice_of(d->key)), log_text(&text, slice_of(why)));
        return LEFT;
}

static int ban(struct deeds *all, const struct deed *d, const struct policy *p)
{
        struct prefix prefix;
        int64_t id, until;
        if (prefix_parse(slice_of(d->key), &prefix) != PREFIX_OK)
                return leave(d, "it is no address");
        struct ban_answer look = ban_look(p, &prefix);
        if (look.objection) {
                autobuf why;
                buf_init(&why, 4096);
                buf_adds(&why, "it ");
                ban_objection_print(&look, &why);
                return leave(d, buf_cstr(&why));
        }
        struct ban b = { .start = d->at,
                         .until = d->until,
                         .prefix = prefix,
                         .reason = slice_of(d->reason),
                         .evidence = slice_of(d->evidence),
                         .by_rule = true };
        return client_ban_add(all->client, &b, &id, &until);
}

/* As much of the evidence as there is room for: strangers choose how long it is. */
static void tell(const struct deed *d, struct buf *out)
{
        buf_addf(out, "%s; the last lines: ", d->reason);
        for (struct slice s = slice_of(d->evidence); s.n && !out->full;) {
                size_t n = slice_utf8(s);
                buf_add(out, (struct slice){ s.p, n ? n : 1 });
                s = slice_from(s, n ? n : 1);
        }
}

/* An address of ours, in the one form it is kept in. */
static int suspend(struct deeds *all, const struct deed *d, const struct policy *p)
{
        autoarena *a = arena_new(ARENA);
        struct mailbox m;
        struct subscriber s;
        int found = reader_ready(all) ? ledger_mailbox(all->ledger, a, slice_of(d->key), &m) : -EAGAIN;
        if (found == -ENOENT)
                return leave(d, "there is no such mailbox");
        if (found == 0)
                found = ledger_subscriber(all->ledger, a, m.subscriber, &s);
        if (found < 0)
                return found;
        if (s.never_cut || policy_never_cut(p, s.id))
                return leave(d, "its subscriber is never cut");
        autobuf reason;
        buf_init(&reason, TEXT_MOST);
        tell(d, &reason);
        return client_mailbox_restrain(all->client, m.address, buf_slice(&reason), d->until, d->to);
}

/* By the client's address: whose it was then, the judge finds out. */
static int sight(struct deeds *all, const struct deed *d)
{
        struct addr a;
        autobuf detail;
        buf_init(&detail, TEXT_MOST);
        if (!addr_parse(slice_of(d->by == MAIL_KEY_SUBSCRIBER ? d->client : d->key), &a))
                return leave(d, "it is no address");
        tell(d, &detail);
        struct sighting s = { .source = S("maillog"),
                              .prefix = prefix_of(a, 128),
                              .at = d->at,
                              .count = (int64_t)d->count,
                              .detail = buf_slice(&detail) };
        return client_sightings_add(all->client, &s, 1, 0, 0);
}

static int do_one(struct deeds *all, const struct deed *d, const struct policy *p, int64_t now)
{
        if (d->until <= now && d->then != MAIL_THEN_SIGHTING)
                return leave(d, "its time is over");
        if (d->then == MAIL_THEN_BAN)
                return ban(all, d, p);
        return d->then == MAIL_THEN_SIGHTING ? sight(all, d) : suspend(all, d, p);
}

/* `since`: when he was asked. A keeper that hangs costs a fifth of the time at the most. */
static void wait_for_keeper(struct deeds *d, int64_t since, const char *why)
{
        autobuf text;
        buf_init(&text, LOG_LINE_MOST);
        int64_t now = time_monotonic();
        d->next_try = now + DEEDS_PAUSE * SECOND + PAUSE_TIMES * (now - since);
        if (!d->said_away)
                log_event("keeper-away", "error=%s", log_text(&text, slice_of(why)));
        d->said_away = true;
        client_close(take(d->client));
        ledger_close(take(d->ledger));
}

static bool connected(struct deeds *d)
{
        autobuf why;
        buf_init(&why, 4096);
        int64_t since = time_monotonic();
        if (d->client)
                return true;
        if (since < d->next_try)
                return false;
        if (client_join(d->dir, &d->client, &why) == 0)
                client_patience(d->client, DEEDS_PATIENCE);
        else
                wait_for_keeper(d, since, buf_cstr(&why));
        return d->client != NULL;
}

bool deeds_do(struct deeds *d, const struct policy *p, int64_t now)
{
        size_t done = 0;
        while (done < d->n && connected(d)) {
                int64_t since = time_monotonic();
                int status = do_one(d, &d->v[done], p, now);
                if (status < 0) { /* the keeper went away, or the ledger cannot be read: it is tried again */
                        autofree char *why = xstrdup(client_reason(d->client));
                        wait_for_keeper(d, since, *why ? why : strerror(-status));
                        break;
                }
                if (status == REFUSED)
                        leave(&d->v[done], client_reason(d->client));
                d->said_away = d->said_away && status == LEFT;
                deed_done(&d->v[done++]);
        }
        d->n -= done;
        if (done)
                memmove(d->v, d->v + done, d->n * sizeof *d->v);
        if (d->lost && d->n == 0) {
                log_event("limits-lost", "n=%llu", (unsigned long long)d->lost);
                d->lost = 0;
        }
        return d->n == 0;
}
