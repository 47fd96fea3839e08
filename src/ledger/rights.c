/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/rights.h"
#include "ledger/verbs.h"

#include <pwd.h>

static const struct {
        const char *user;
        uint16_t verbs[4]; /* 0 ends them */
} duties[RIGHTS_USERS] = {
        { "porteiro-gate", { VERB_generation_loaded, VERB_generation_rollback, VERB_listen } },
        { "porteiro-judge", { VERB_quarantine_add, VERB_suspicion_set, VERB_listen } },
        { "porteiro-sight", { VERB_sightings_add } },
        { "porteiro-auth", { VERB_password_rehash, VERB_app_password_used } },
        { "porteiro-lease", { VERB_leases_put } },
        { "porteiro-edge", { VERB_sightings_add, VERB_ban_add, VERB_listen } },
        { "porteiro-maillog", { VERB_sightings_add, VERB_ban_add, VERB_mailbox_restrain } },
};

void rights_init(struct rights *r)
{
        *r = (struct rights){ 0 };
        for (size_t i = 0; i < RIGHTS_USERS; i++) {
                const struct passwd *user = getpwnam(duties[i].user);
                r->users[i].known = user && user->pw_uid != 0;
                r->users[i].uid = user ? user->pw_uid : 0;
        }
}

bool rights_allow(const struct rights *r, uid_t uid, uint16_t verb)
{
        for (size_t i = 0; i < RIGHTS_USERS; i++) {
                if (!r->users[i].known || r->users[i].uid != uid)
                        continue;
                for (size_t k = 0; k < COUNT_OF(duties[i].verbs) && duties[i].verbs[k]; k++)
                        if (duties[i].verbs[k] == verb)
                                return true;
                return false;
        }
        return true;
}
