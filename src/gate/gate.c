/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/follow.h"
#include "base/file.h"
#include "base/log.h"
#include "gate/route.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* --- opening ----------------------------------------------------------------------------------------------------------------- */

int gate_open(struct gate *g, const char *dir, struct buf *why)
{
        *g = (struct gate){ .dir = dir, .lock_fd = -1, .trial_until = TIME_NEVER };
        autofree char *lock = xasprintf("%s/gate.lock", dir);
        long holder;
        int failed = file_lock(lock, 0640, &g->lock_fd, &holder);
        if (failed == -EWOULDBLOCK)
                buf_addf(why, "another gate (pid %ld) holds %s", holder, lock);
        else if (failed)
                buf_addf(why, "%s: %s", lock, strerror(-failed));
        if (!failed && (failed = netlink_open(&g->netlink)))
                buf_addf(why, "no netlink socket for nftables: %s", strerror(-failed));
        if (failed)
                gate_close(g);
        return failed;
}

void gate_close(struct gate *g)
{
        gate_slot_done(&g->standing);
        gate_slot_done(&g->trial);
        ledger_close(g->ledger);
        netlink_close(g->netlink);
        autoclose_(&g->lock_fd);
        *g = (struct gate){ .lock_fd = -1 };
}

int gate_ledger(struct gate *g, struct buf *why)
{
        autofree char *path = xasprintf("%s/ledger.db", g->dir);
        struct stat st;
        bool there = stat(path, &st) == 0;
        if (g->ledger && (!there || (st.st_dev == g->ledger_device && st.st_ino == g->ledger_inode)))
                return 0;
        ledger_close(take(g->ledger));
        if (there) {
                g->ledger_device = st.st_dev;
                g->ledger_inode = st.st_ino;
        }
        int failed = ledger_open_why(g->dir, &g->ledger, why);
        if (!failed && (g->standing.used ||
                        g->trial.used)) /* a backup was put in its place: nothing we have is known to be right */
                g->drifted = true;
        return failed;
}

/* --- the last good rules ------------------------------------------------------------------------------------------------------- */

int gate_last_good(struct gate *g, bool anew, struct buf *why)
{
        struct kernel_view view = { 0 };
        int failed = kernel_look(g->netlink, &view);
        bool stands = view.table;
        kernel_view_done(&view);
        if (failed || (stands && !anew))
                return failed;
        autofree char *path = xasprintf("%s/last-good.nft", g->dir);
        autobuf text;
        buf_init(&text, NFT_TEXT_MOST);
        failed = file_read(path, &text);
        if (failed == -ENOENT)
                return 0;
        if (failed)
                buf_addf(why, "%s: %s", path, strerror(-failed));
        else
                failed = kernel_load(buf_slice(&text), why);
        return failed ? failed : 1;
}

/* Given to the subscriber himself, and for good: who holds it needs no ledger to be told. */
static bool is_fixed(const struct lease *l)
{
        return slice_eq(l->source, S("static")) && slice_eq(l->line.kind, S("static")) && l->end == TIME_NEVER;
}

/* What may be enforced with no ledger at hand: the wide layer, and what static leases say of open doors. A quarantine is left
 * out: its end, or its address's next holder, would go unseen. */
static size_t static_entries(const struct gate_slot *s, const struct person *person, int64_t now, struct entry *entries)
{
        struct person kept = *person;
        autofree struct lease *leases = xcalloc(person->n_leases + 1, sizeof *leases);
        size_t shared = 0;
        kept.quarantine = LEVEL_NONE;
        kept.n_leases = 0;
        kept.leases = leases;
        for (size_t i = 0; i < person->n_leases; i++)
                if (is_fixed(&person->leases[i]))
                        leases[kept.n_leases++] = person->leases[i];
        return person_entries(s->policy, &kept, now, entries, &shared);
}

static int static_crowd(struct gate *g, const struct gate_slot *s, int64_t now, struct crowd *ret)
{
        autoarena *a = arena_new(512 << 20);
        struct entry entries[PERSON_ENTRIES];
        struct deltas unused = { 0 };
        struct person *people = NULL;
        size_t n = 0;
        nft_seed_crowd(s->policy, ret);
        int failed = ledger_people_whole(g->ledger, a, now, &people, &n);
        for (size_t i = 0; i < n && !failed; i++) {
                size_t count = static_entries(s, &people[i], now, entries);
                crowd_set(ret, people[i].id, entries, count, TIME_NEVER, &unused);
                unused.n = 0;
        }
        free(unused.v);
        return failed;
}

void gate_last_good_write(struct gate *g, int64_t now)
{
        struct crowd crowd = { 0 };
        struct nft_slot slot = g->standing.nft;
        autofree char *path = xasprintf("%s/last-good.nft", g->dir);
        autobuf text;
        buf_init(&text, NFT_TEXT_MOST);
        slot.crowd = &crowd;
        slot.captive = false;
        int failed = static_crowd(g, &g->standing, now, &crowd);
        if (!failed) {
                buf_adds(&text, "# written by porteiro: the rules that last stood confirmed; loaded at boot by "
                                "porteiro-restore.service\n"
                                "table " TABLE "\ndelete table " TABLE "\n");
                nft_table(&slot, &text);
                nft_switch(&slot, NULL, &text);
                failed = file_replace(path, 0640, buf_slice(&text));
        }
        if (failed)
                log_event("last-good-not-written", "path=%s error=\"%s\"", path, strerror(-failed));
        crowd_done(&crowd);
        g->last_good_old = failed != 0;
}

void gate_last_good_renew(struct gate *g, int64_t now)
{
        if (g->last_good_old && g->ledger && g->standing.used && !g->trial.used && !g->drifted)
                gate_last_good_write(g, now);
}

void gate_last_good_forget(struct gate *g)
{
        autofree char *path = xasprintf("%s/last-good.nft", g->dir);
        unlink(path);
}

/* --- replacing what stands ----------------------------------------------------------------------------------------------------- */

/* What ought to stand, and how it comes to be. */
struct swap {
        struct gate_slot built[2];          /* those that the gate did not have */
        struct gate_slot *standing, *trial; /* built, or the gate's; NULL: none */
        bool define_standing, define_trial;
        bool whole; /* the table is made anew */
        int64_t trial_left;
        struct kernel_view view;
};

static bool in_kernel(const struct swap *c, const struct gate_slot *s)
{
        if (c->whole || s->nft.letter < 'a' || s->nft.letter >= 'a' + SLOTS)
                return false;
        const struct kernel_slot *k = &c->view.slots[s->nft.letter - 'a'];
        return k->present && k->generation == s->nft.generation && k->hash == s->nft.hash;
}

/* A slot the kernel already has under some letter is adopted; else it gets a letter that is free. */
static bool give_letter(struct swap *c, struct gate_slot *s, char taken)
{
        for (char letter = 'a'; letter < 'a' + SLOTS && !c->whole; letter++) {
                s->nft.letter = letter;
                if (letter != taken && in_kernel(c, s)) {
                        s->nft.captive = c->view.slots[letter - 'a'].captive;
                        return false;
                }
        }
        for (char letter = 'a'; letter < 'a' + SLOTS; letter++)
                if (letter != taken && (c->whole || !c->view.slots[letter - 'a'].present)) {
                        s->nft.letter = letter;
                        return true;
                }
        c->whole = true;
        return give_letter(c, s, taken);
}

static void give_letters(struct swap *c)
{
        bool was_whole = c->whole;
        char taken = '-';
        if (c->standing) {
                c->define_standing = give_letter(c, c->standing, '-');
                c->standing->nft.trial_left = 0;
                taken = c->standing->nft.letter;
        }
        if (c->trial) {
                c->define_trial = give_letter(c, c->trial, taken);
                c->trial->nft.trial_left = c->trial_left;
        }
        if (c->whole && !was_whole)
                give_letters(c);
}

static bool keeps(const struct swap *c, char letter)
{
        return (c->standing && c->standing->nft.letter == letter) || (c->trial && c->trial->nft.letter == letter);
}

/* A new plan comes in three transactions, of which the second, of a few rules, is the change. In one transaction alone every packet passes
 * for a moment (6 ms at 30,000 prefixes): a kernel lets its packets see the new rules first and the elements of new intervals after, and
 * takes the elements of old maps away before the last packet has left the old rules. What a sudden death leaves half done is
 * referred to by nothing, and goes with the next change. */
enum step { STEP_DEFINE, STEP_SWITCH, STEP_FORGET };

static void compose(struct swap *c, enum step step, struct buf *out)
{
        bool nat = (c->standing && nft_needs_nat(c->standing->plan)) || (c->trial && nft_needs_nat(c->trial->plan));
        bool none = !c->standing && !c->trial;
        if (step == STEP_DEFINE) {
                if (c->whole || none)
                        buf_adds(out, "table " TABLE "\ndelete table " TABLE "\n");
                if (c->define_standing)
                        nft_table(&c->standing->nft, out);
                if (c->define_trial)
                        nft_table(&c->trial->nft, out);
        } else if (step == STEP_SWITCH && !none) {
                nft_switch(c->standing ? &c->standing->nft : NULL, c->trial ? &c->trial->nft : NULL, out);
                if (c->view.nat && !nat && !c->whole)
                        buf_adds(out, "flush chain " TABLE " nat\ndelete chain " TABLE " nat\n");
        } else if (step == STEP_FORGET && !none && !c->whole) {
                for (char letter = 'a'; letter < 'a' + SLOTS; letter++)
                        if (!keeps(c, letter))
                                kernel_delete_slot(&c->view, letter, out);
        }
}

static void add_wish(struct route_wish *wishes, size_t *n, struct route_wish w)
{
        for (size_t i = 0; i < *n; i++)
                if (wishes[i].v6 == w.v6 && wishes[i].table == w.table && wishes[i].mark == w.mark &&
                    wishes[i].sealed == w.sealed)
                        return;
        if (*n < ROUTES_MOST)
                wishes[(*n)++] = w;
}

/* A way by another box ends in a wall: without it a packet whose route is gone would go out by the usual one. */
static void add_way(struct route_wish *wishes, size_t *n, struct route_wish w, bool sealed)
{
        add_wish(wishes, n, w);
        w.sealed = true;
        if (sealed && !w.local)
                add_wish(wishes, n, w);
}

static void wishes_of(const struct gate_slot *s, struct route_wish *wishes, size_t *n)
{
        if (!s || !s->used || !nft_needs_routes(s->plan))
                return;
        const struct policy_gate *g = &s->policy->gate;
        struct route_wish w = { .mark = mark_edge(g),
                                .mask = g->mask,
                                .table = g->table,
                                .local = g->edge == EDGE_LOCAL,
                                .via = g->edge4 };
        if (w.local || g->has_edge4)
                add_way(wishes, n, w, !g->open_if_edge_down);
        w.v6 = true;
        w.via = g->edge6;
        if (w.local || g->has_edge6)
                add_way(wishes, n, w, !g->open_if_edge_down);
}

void gate_mend_routes(const struct gate *g)
{
        struct route_wish wishes[ROUTES_MOST];
        size_t n = 0;
        wishes_of(&g->trial, wishes, &n);
        wishes_of(&g->standing, wishes, &n);
        if (n)
                routes_mend(wishes, n);
}

static int set_routes(const struct gate_slot *standing, const struct gate_slot *trial, struct buf *why)
{
        struct route_wish wishes[ROUTES_MOST];
        size_t n = 0;
        wishes_of(trial, wishes, &n);
        wishes_of(standing, wishes, &n);
        int failed = routes_set(wishes, n);
        if (failed)
                buf_addf(why, "the routing rule for marked packets could not be set: %s", strerror(-failed));
        return failed;
}

/* The captive chain exists only while it has members: a packet of anybody else never meets it. */
int gate_fix_captive(struct gate_slot *s, struct buf *why)
{
        bool wanted = s->crowd.counts[FAMILY4][KIND_CAPTIVE] + s->crowd.counts[FAMILY6][KIND_CAPTIVE] > 0;
        autobuf text = { 0 };
        if (wanted == s->nft.captive)
                return 0;
        buf_init(&text, NFT_TEXT_MOST);
        if (wanted)
                nft_captive_begin(&s->nft, &text);
        else
                nft_captive_end(&s->nft, &text);
        int failed = kernel_load(buf_slice(&text), why);
        if (!failed)
                s->nft.captive = wanted;
        return failed;
}

/* The people of a slot that was adopted, not defined: its rules are right, its sets may be old. */
static int fill_adopted(struct gate *g, struct gate_slot *s, bool defined, struct buf *why)
{
        if (!s || defined)
                return 0;
        int failed = gate_fix_captive(s, why);
        if (!failed && (failed = netlink_fill(g->netlink, &s->nft)))
                buf_addf(why, "the sets of people could not be filled: %s", strerror(-failed));
        return failed;
}

/* A table made anew is made in one step, so that it is never there without a door. */
static int load_step(struct swap *c, enum step step, struct buf *why)
{
        autobuf text;
        buf_init(&text, NFT_TEXT_MOST);
        compose(c, step, &text);
        if (step == STEP_DEFINE && c->whole)
                compose(c, STEP_SWITCH, &text);
        else if (step == STEP_SWITCH && c->whole)
                return 0;
        if (text.full) {
                buf_adds(why, "the ruleset is larger than 512 MiB of text");
                return -EFBIG;
        }
        return text.n ? kernel_load(buf_slice(&text), why) : 0;
}

static int load(struct swap *c, struct buf *why)
{
        const struct gate_slot *newer = c->trial ? c->trial : c->standing;
        int failed = 0;
        for (enum step step = 0; step < STEP_FORGET && !failed; step++)
                failed = load_step(c, step, why);
        if (!failed) { /* the new one stands: what cannot be cleared away now goes with the next change */
                autobuf unheard;
                buf_init(&unheard, 64 << 10);
                load_step(c, STEP_FORGET, &unheard);
        }
        if (failed == -EINVAL && newer)
                kernel_explain_failure(nft_needs_tproxy(newer->plan), nft_needs_nat(newer->plan), why);
        return failed;
}

/* The routes of the new are there before its rules need them; where anything fails, those of the old are put back. */
static int commit(struct gate *g, struct swap *c, struct buf *why)
{
        give_letters(c);
        int failed = set_routes(c->standing, c->trial, why);
        if (!failed)
                failed = load(c, why);
        if (failed) {
                autobuf unheard;
                buf_init(&unheard, 4096);
                set_routes(&g->standing, &g->trial, &unheard);
                return failed;
        }
        failed = fill_adopted(g, c->standing, c->define_standing, why);
        if (!failed)
                failed = fill_adopted(g, c->trial, c->define_trial, why);
        return failed;
}

static bool still_good(const struct gate *g, const struct gate_slot *s, const struct generation *want, int64_t now)
{
        return s->used && s->nft.generation == want->n && s->plan->next_change > now && !g->drifted;
}

/* The gate's own slot where it is still right, else one built anew. n == 0: none is wanted. */
static int obtain(struct gate *g, struct gate_slot *room, const struct generation *want, int64_t now,
                  struct gate_slot **ret, struct buf *why)
{
        if (!want->n)
                return 0;
        if (still_good(g, &g->standing, want, now))
                *ret = &g->standing;
        else if (still_good(g, &g->trial, want, now))
                *ret = &g->trial;
        else
                *ret = room;
        return *ret == room ? gate_slot_build(room, g->ledger, want, now, why) : 0;
}

static char *fingerprint_path(const struct gate *g)
{
        return xasprintf("%s/last-good.nft.fingerprint", g->dir);
}

void gate_note_rules(struct gate *g)
{
        uint64_t before = g->fingerprint;
        autofree char *path = fingerprint_path(g);
        autobuf text;
        buf_init(&text, 64);
        if (kernel_fingerprint(&g->fingerprint) || netlink_ruleset_number(g->netlink, &g->ruleset_number))
                g->ruleset_number = 0;
        buf_addf(&text, "%016llx\n", (unsigned long long)g->fingerprint);
        if (g->fingerprint != before && file_replace(path, 0640, buf_slice(&text)) != 0)
                unlink(path); /* unknown is seen as changed */
}

/* Whether our rules are as the gate before us left them. */
static bool as_left(const struct gate *g)
{
        autofree char *path = fingerprint_path(g);
        autobuf left, stand;
        uint64_t fingerprint;
        buf_init(&left, 64);
        buf_init(&stand, 64);
        if (kernel_fingerprint(&fingerprint) || file_read(path, &left))
                return false;
        buf_addf(&stand, "%016llx\n", (unsigned long long)fingerprint);
        return slice_eq(buf_slice(&left), buf_slice(&stand));
}

static void settle(struct gate *g, struct swap *c)
{
        struct gate_slot standing = { 0 }, trial = { 0 };
        if (c->standing)
                gate_slot_move(&standing, c->standing);
        if (c->trial)
                gate_slot_move(&trial, c->trial);
        gate_slot_done(&g->standing);
        gate_slot_done(&g->trial);
        gate_slot_move(&g->standing, &standing);
        gate_slot_move(&g->trial, &trial);
        gate_note_rules(g);
        g->drifted = false;
}

int replace_standing(struct gate *g, const struct generation *standing, const struct generation *trial,
                     int64_t trial_left, int64_t now, struct buf *why)
{
        struct swap c = { .trial_left = trial_left, .whole = g->drifted };
        int failed = kernel_look(g->netlink, &c.view);
        if (failed)
                buf_addf(why, "the kernel's nftables cannot be read: %s%s", strerror(-failed),
                         failed == -EPERM ? " (this needs root, or CAP_NET_ADMIN)" : "");
        if (!failed && c.view.table && !g->standing.used && !g->trial.used)
                c.whole = c.whole || !as_left(g);
        if (!failed)
                failed = obtain(g, &c.built[0], standing, now, &c.standing, why);
        if (!failed)
                failed = obtain(g, &c.built[1], trial, now, &c.trial, why);
        if (!failed && (c.standing || c.trial || c.view.table))
                failed = commit(g, &c, why);
        if (!failed)
                settle(g, &c);
        gate_slot_done(&c.built[0]);
        gate_slot_done(&c.built[1]);
        kernel_view_done(&c.view);
        return failed;
}
