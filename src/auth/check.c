/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/check.h"
#include "base/time.h"

#include <errno.h>

enum { USED_AGAIN_DAYS = 1 };

/* The digest of a password for applications, looked up: 1 found, 0 not. */
static int find_application(struct ledger *l, struct slice password, struct auth_result *r)
{
        char digest[APP_DIGEST_HEX + 1];
        if (!app_password_digest(password, digest))
                return 0;
        int status = secrets_application(l, r->secret.mailbox, slice_of(digest), &r->application, &r->used);
        explicit_bzero(digest, sizeof digest);
        return status == 0 ? 1 : status == -ENOENT ? 0 : status;
}

int auth_check(struct ledger *l, struct arena *a, struct slice login, struct slice password, struct auth_result *ret)
{
        struct auth_result r = { .answer = AUTH_NO };
        int status = secrets_of_login(l, a, login, &r.secret);
        if (status < 0)
                return status;
        int found = find_application(l, password, &r);
        if (found < 0)
                return found;
        bool own = false;
        if (!found && r.secret.hash.n)
                own = password_check(r.secret.hash, password);
        /* Hashes of old systems are quick to check: what they save is spent. */
        if (!found && !own && password_is_old(r.secret.hash))
                password_waste(password);
        r.answer = r.secret.mailbox && (found || own) ? AUTH_YES : AUTH_NO;
        r.may_send = r.answer == AUTH_YES && !r.secret.suspended;
        r.old = own && password_is_old(r.secret.hash);
        *ret = r;
        return 0;
}

bool auth_wants_follow_up(const struct auth_result *r, int64_t now)
{
        return r->answer == AUTH_YES && (r->application ? now - r->used > USED_AGAIN_DAYS * DAY : r->old);
}

int auth_follow_up(struct client *c, const struct auth_result *r, struct slice password, int64_t now)
{
        char hash[SECRET_HASH_MOST + 1];
        if (!auth_wants_follow_up(r, now))
                return 0;
        if (r->application)
                return client_app_password_used(c, r->application);
        int status = password_hash(password, hash);
        return status < 0 ? status : client_password_rehash(c, r->secret.mailbox, r->secret.hash, slice_of(hash));
}
