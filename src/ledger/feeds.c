/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Feeds: what they found out, and where they stand, in one commit. */
#include "ledger/nouns.h"
#include "ledger/wire.h"

#include <errno.h>

int ledger_feed_position(struct ledger *l, struct arena *a, struct slice feed, struct slice *ret)
{
        struct statement *s = db_prepare(l, "SELECT position FROM feed WHERE name = ?");
        db_text(s, feed);
        *ret = S("");
        while (db_row(s))
                *ret = db_get_text(s, a);
        return db_done(s);
}

static int keep_position(struct verb_call *c, struct slice feed, struct slice position)
{
        int status = verb_text(c, "position", position, LEDGER_TEXT_MOST);
        if (status || feed.n == 0)
                return status;
        struct statement *s = db_prepare(c->ledger, "INSERT INTO feed(name, position, at) VALUES(?, ?, ?)"
                                                    " ON CONFLICT DO UPDATE SET position = excluded.position, at = "
                                                    "excluded.at");
        db_text(s, feed);
        db_text(s, position);
        db_int(s, c->now);
        return db_run(s);
}

/* Whose line the lease was told of before, where it was told of another: he has to be looked at again, too. */
static int tell_former(struct verb_call *c, const struct lease *lease, int64_t former, int64_t line)
{
        int64_t owner = 0;
        if (former == 0 || former == line)
                return 0;
        int status = line_holder(c->ledger, former, &owner);
        return status < 0 ? status : lease_changed(c, owner, &lease->prefix);
}

/* 0: the live table has no lease of this key. */
static int former_line(struct ledger *l, const struct lease *lease, int64_t *ret)
{
        struct statement *s =
            db_prepare(l, "SELECT line FROM lease WHERE source = ? AND nas = ? AND session = ? AND user = ?"
                          " AND start = ? AND address = ? AND length = ?");
        db_text(s, lease->source);
        db_text(s, lease->nas);
        db_text(s, lease->session);
        db_text(s, lease->user);
        db_int(s, lease->start);
        db_address(s, &lease->prefix.addr);
        db_int(s, lease->prefix.len);
        *ret = 0;
        int status = db_number(s, ret);
        return status == -ENOENT ? 0 : status;
}

int feed_put(struct verb_call *c, struct lease *lease, bool *ret_changed)
{
        int64_t line, former, owner = 0;
        int status = lease_check(c, lease);
        if (status)
                return status;
        if (lease->user.n == 0)
                return verb_no(c, "a lease of a feed names its user");
        if (slice_eq(lease->source, S("static")))
                return verb_no(c, "static leases are a person's to give");
        status = line_number(c->ledger, &lease->line, true, &line);
        if (status == 0)
                status = former_line(c->ledger, lease, &former);
        if (status == 0)
                status = lease->end == lease->start ? lease_erase(c, lease, line, ret_changed)
                                                    : lease_replace(c, lease, line, ret_changed);
        if (status < 0 || !*ret_changed)
                return status;
        status = tell_former(c, lease, former, line);
        if (status == 0)
                status = line_holder(c->ledger, line, &owner);
        return status < 0 ? status : lease_changed(c, owner, &lease->prefix);
}

int verb_leases_put(struct verb_call *c)
{
        struct slice feed = ipc_text(c->args), position = ipc_text(c->args);
        size_t n = ipc_count(c->args), changed = 0;
        if (c->args->bad)
                return -EBADMSG;
        int status = verb_text(c, "feed", feed, 128);
        for (size_t i = 0; status == 0 && i < n; i++) {
                bool different = false;
                struct lease lease = wire_get_lease(c->args);
                status = c->args->bad ? -EBADMSG : feed_put(c, &lease, &different);
                changed += different;
        }
        if (status == 0)
                status = keep_position(c, feed, position);
        ipc_put_int(c->results, (int64_t)changed);
        return status;
}
