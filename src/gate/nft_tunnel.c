/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft_write.h"

#include <stdio.h>

/* An IPv6 packet `at` bits into the outer transport header, with TCP to port 25 in it: version 6 (the seed's rule shifted by 26 where
 * 28 was meant and never matched), global addresses, next header 6 and destination port. Where an extension header or a fragment
 * of TCP hides the port, nothing honest is lost by refusing: no mail program and no resolver sends such a thing through a tunnel.
 * What is only `likely` IPv6, being UDP that may as well be ciphertext, must there also be shorter than 2048 bytes by its own header: a
 * million packets of a video would otherwise hold one that looks like it, now 30 million do. */
static void inner_rules(struct writer *w, const char *match, unsigned at, bool likely)
{
        char six[192], hidden[192 + 32];
        snprintf(six, sizeof six, "%s@th,%u,4 6 @th,%u,3 1 @th,%u,3 1", match, at, at + 64, at + 192);
        snprintf(hidden, sizeof hidden, "%s", six);
        if (likely)
                snprintf(hidden, sizeof hidden, "%s @th,%u,5 0", six, at + 32);
        nft_rule(w, "%s @th,%u,8 6 @th,%u,16 25 goto port25_%c", six, at + 48, at + 336, w->letter);
        nft_rule(w, "%s @th,%u,8 { 0, 43, 60 } @th,%u,8 { 0, 6, 43, 44, 51, 60 } goto port25_%c", hidden, at + 48,
                 at + 320, w->letter);
        nft_rule(w, "%s @th,%u,8 44 @th,%u,8 { 0, 6, 43, 44, 51, 60 } goto port25_%c", hidden, at + 48, at + 320,
                 w->letter);
}

/* The first piece of a packet in pieces, too short for the inner ports to be in it (the longest IPv4 header is 60 bytes). No link makes
 * such pieces. */
static void refuse_slivers(struct writer *w)
{
        nft_rule(w, "ip frag-off & 0x3fff 0x2000 ip length < 200 goto port25_%c", w->letter);
}

/* RFC 4380 5.1.1: nothing, an origin indication (8 bytes), an authentication (13 bytes where client id and value are empty), or
 * both may stand before the inner packet. Any UDP port: relays and peers use their own. */
static void write_teredo(struct writer *w)
{
        nft_chain(w, "udp");
        refuse_slivers(w);
        inner_rules(w, "", 64, true);
        nft_rule(w, "@th,64,16 0 goto teredo_origin_%c", w->letter);
        nft_rule(w, "@th,64,32 0x00010000 goto teredo_signed_%c", w->letter);
        nft_end(w);
        nft_chain(w, "teredo_origin");
        inner_rules(w, "", 128, true);
        nft_end(w);
        nft_chain(w, "teredo_signed");
        inner_rules(w, "", 168, true);
        inner_rules(w, "@th,168,16 0 ", 232, true);
        nft_end(w);
}

/* Protocol 41. 6to4 (RFC 3056) is what has 2002::/16 as inner source or destination; the rest is 6in4 (RFC 4213). */
static void write_protocol41(struct writer *w)
{
        const struct policy_tunnels *t = &w->plan->policy->tunnels;
        nft_chain(w, "six");
        refuse_slivers(w);
        if (t->six_in_four && t->six_to_four) {
                inner_rules(w, "", 0, false);
        } else if (t->six_to_four) {
                inner_rules(w, "@th,64,16 0x2002 ", 0, false);
                inner_rules(w, "@th,192,16 0x2002 ", 0, false);
        } else {
                inner_rules(w, "@th,64,16 != 0x2002 @th,192,16 != 0x2002 ", 0, false);
        }
        nft_end(w);
}

void nft_write_tunnels(struct writer *w)
{
        const struct policy_tunnels *t = &w->plan->policy->tunnels;
        if (t->teredo)
                write_teredo(w);
        if (t->six_in_four || t->six_to_four)
                write_protocol41(w);
}
