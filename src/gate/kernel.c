/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/kernel.h"
#include "base/child.h"
#include "base/time.h"

#include <errno.h>
#include <stdio.h>

#define NFT "/usr/sbin/nft"

/* --- looking ----------------------------------------------------------------------------------------------------------------- */

static struct kernel_slot *slot_of(struct kernel_view *v, char letter)
{
        return letter >= 'a' && letter < 'a' + SLOTS ? &v->slots[letter - 'a'] : NULL;
}

static void on_chain(void *arg, struct slice name)
{
        struct kernel_view *v = arg;
        struct kernel_slot found = { .present = true };
        char letter;
        v->table = true;
        v->nat |= slice_eq(name, S("nat"));
        v->chains = xgrow(v->chains, &v->cap_chains, v->n_chains + 1, sizeof *v->chains);
        v->chains[v->n_chains++] = slice_dup(name);
        if (nft_marker_parse(name, &found.generation, &found.hash, &letter) && slot_of(v, letter)) {
                found.captive = slot_of(v, letter)->captive;
                *slot_of(v, letter) = found;
        } else if (name.n == 9 && slice_starts(name, S("captive_")) && slot_of(v, name.p[8])) {
                slot_of(v, name.p[8])->captive = true;
        }
}

static void on_set(void *arg, struct slice name)
{
        struct kernel_view *v = arg;
        v->table = true;
        v->sets = xgrow(v->sets, &v->cap_sets, v->n_sets + 1, sizeof *v->sets);
        v->sets[v->n_sets++] = slice_dup(name);
}

int kernel_look(struct netlink *n, struct kernel_view *ret)
{
        int failed = -EINTR;
        /* a dump is interrupted where somebody changes the ruleset meanwhile */
        for (int tries = 0; failed == -EINTR && tries < 20; tries++) {
                kernel_view_done(ret);
                failed = netlink_names(n, OBJECT_CHAIN, on_chain, ret);
                if (!failed)
                        failed = netlink_names(n, OBJECT_SET, on_set, ret);
        }
        return failed;
}

void kernel_view_done(struct kernel_view *v)
{
        for (size_t i = 0; i < v->n_chains; i++)
                free(v->chains[i]);
        for (size_t i = 0; i < v->n_sets; i++)
                free(v->sets[i]);
        free(v->chains);
        free(v->sets);
        *v = (struct kernel_view){ 0 };
}

static bool has_letter(const char *name, char letter)
{
        size_t n = strlen(name);
        return n > 2 && name[n - 2] == '_' && name[n - 1] == letter && name[0] != '_';
}

/* nft insists on being told which of the two it is. */
static bool is_map(const char *name)
{
        struct slice s = slice_of(name);
        return slice_starts(s, S("wide")) || slice_starts(s, S("to_servers")) || slice_starts(s, S("interfaces"));
}

/* Rules first, so that nothing is in use; then maps, which hold on to chains; then chains. */
void kernel_delete_slot(const struct kernel_view *v, char letter, struct buf *out)
{
        for (size_t i = 0; i < v->n_chains; i++)
                if (has_letter(v->chains[i], letter))
                        buf_addf(out, "flush chain " TABLE " %s\n", v->chains[i]);
        for (size_t i = 0; i < v->n_sets; i++)
                if (has_letter(v->sets[i], letter))
                        buf_addf(out, "delete %s " TABLE " %s\n", is_map(v->sets[i]) ? "map" : "set", v->sets[i]);
        for (size_t i = 0; i < v->n_chains; i++)
                if (has_letter(v->chains[i], letter))
                        buf_addf(out, "delete chain " TABLE " %s\n", v->chains[i]);
}

/* --- loading ----------------------------------------------------------------------------------------------------------------- */

static int run_nft(const char *const *argv, struct slice input, struct buf *output, struct buf *errors, int *status)
{
        struct child c = {
                .argv = argv, .input = input, .deadline_us = 2 * MINUTE, .output = output, .errors = errors
        };
        return child_run(&c, status);
}

/* The first line of what nft said, without the place in our text, which the operator never sees. */
static void explain(struct slice errors, struct buf *why)
{
        struct slice rest;
        struct slice line = slice_cut(errors, '\n', &rest);
        for (size_t i = 0; i + 7 < line.n; i++)
                if (slice_starts(slice_from(line, i), S("Error: "))) {
                        line = slice_from(line, i + 7);
                        break;
                }
        buf_adds(why, "nft refused the ruleset: ");
        buf_add_escaped(why, line.n > 300 ? (struct slice){ line.p, 300 } : line);
        if (slice_starts(line, S("Operation not permitted")) || slice_find(line, '(') < line.n)
                buf_adds(why, geteuid() == 0 ? "" : " (this needs root, or CAP_NET_ADMIN)");
}

int kernel_load(struct slice text, struct buf *why)
{
        static const char *const argv[] = { NFT, "-f", "-", NULL };
        autobuf errors;
        int status;
        buf_init(&errors, CHILD_OUTPUT_MOST);
        int failed = run_nft(argv, text, NULL, &errors, &status);
        if (failed == -ENOENT || failed == -EACCES)
                buf_adds(why, NFT " is missing or cannot be run: apt-get install nftables");
        else if (failed == -ETIMEDOUT)
                buf_adds(why, NFT " did not end within two minutes");
        else if (failed)
                buf_addf(why, NFT " could not be run: %s", strerror(-failed));
        else if (status > 128)
                buf_addf(why, NFT " was ended by signal %d", status - 128);
        else if (status != 0)
                explain(buf_slice(&errors), why);
        return failed ? failed : status ? -EINVAL : 0;
}

#define DOOR_CHAIN "type filter hook prerouting priority -150;"
#define NAT_CHAIN "type nat hook prerouting priority -100;"

enum feature_need { ALWAYS, FOR_TPROXY, FOR_NAT };

static const struct feature {
        const char *name, *chain, *rule;
        enum feature_need need;
} features[] = {
        { "TPROXY (module nft_tproxy): divert and trap need it", DOOR_CHAIN,
          "meta l4proto tcp tproxy ip to 127.0.0.1:2525", FOR_TPROXY },
        { "TPROXY for IPv6 (module nft_tproxy): divert and trap need it", DOOR_CHAIN,
          "meta l4proto tcp tproxy ip6 to [::1]:2525", FOR_TPROXY },
        { "NAT (module nft_chain_nat): shift and edge dnat need it", NAT_CHAIN, "tcp dport 25 dnat to :587", FOR_NAT },
        { "reject in prerouting (kernel 5.9 or later)", DOOR_CHAIN, "reject with icmpx type admin-prohibited", ALWAYS },
        { "fib expressions (module nft_fib_inet)", DOOR_CHAIN, "fib saddr . iif oif != 0", ALWAYS },
        { "nftables logging (module nfnetlink_log)", DOOR_CHAIN, "log group 25", ALWAYS },
};

static bool takes(const char *chain, const char *rule)
{
        static const char *const argv[] = { NFT, "-c", "-f", "-", NULL };
        autobuf text;
        int status;
        buf_init(&text, 1024);
        buf_addf(&text, "table inet porteiro_try {\n chain c {\n  %s\n  %s\n }\n}\n", chain, rule);
        return run_nft(argv, buf_slice(&text), NULL, NULL, &status) != 0 || status == 0;
}

void kernel_explain_failure(bool tproxy, bool nat, struct buf *why)
{
        if (!takes("", "counter")) /* then nothing is to be learnt of features: it is nft itself, or a missing right */
                return;
        for (size_t i = 0; i < COUNT_OF(features); i++) {
                const struct feature *f = &features[i];
                if ((f->need == FOR_TPROXY && !tproxy) || (f->need == FOR_NAT && !nat))
                        continue;
                if (!takes(f->chain, f->rule))
                        buf_addf(why, "\nthis kernel has no %s", f->name);
        }
}

/* Our table's part of a listing: from its head to the brace that closes it. */
static struct slice our_part(struct slice listing)
{
        static const struct slice head = { "table inet porteiro {\n", 22 };
        const char *start = listing.n ? memmem(listing.p, listing.n, head.p, head.n) : NULL;
        struct slice rest = start ? slice_from(listing, (size_t)(start - listing.p)) : S("");
        const char *close = rest.n ? memmem(rest.p, rest.n, "\n}\n", 3) : NULL;
        return close ? (struct slice){ rest.p, (size_t)(close - rest.p) } : S("");
}

int kernel_fingerprint(uint64_t *ret)
{
        /* `list table` would read back all elements before leaving them out; `list ruleset` does not */
        static const char *const argv[] = { NFT, "-s", "-t", "list", "ruleset", "inet", NULL };
        static const uint8_t key[16] = "porteiro rules 1";
        autobuf output;
        int status;
        buf_init(&output, 64 << 20);
        int failed = run_nft(argv, S(""), &output, NULL, &status);
        if (!failed) {
                struct slice ours = our_part(buf_slice(&output));
                *ret = status || !ours.n ? 0 : hash_with_key(key, ours);
        }
        return failed;
}
