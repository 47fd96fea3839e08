/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft_write.h"

#include <stdarg.h>
#include <stdio.h>

const struct nft_side nft_going = { { "ip saddr", "ip6 saddr" }, "" };
const struct nft_side nft_coming = { { "ip daddr", "ip6 daddr" }, "back_" };

void nft_chain(struct writer *w, const char *name)
{
        buf_addf(w->out, "        chain %s_%c {\n", name, w->letter);
}

void nft_end(struct writer *w)
{
        buf_adds(w->out, "        }\n");
}

void nft_rule(struct writer *w, const char *fmt, ...)
{
        char text[512];
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (n < 0 || (size_t)n >= sizeof text)
                panic("rule too long");
        buf_addf(w->out, "                %s\n", text);
}

const char *nft_masked(const char *field, int family, unsigned len, char out[128])
{
        char text[ADDR_TEXT_MAX];
        struct addr ones;
        memset(ones.b, 0xff, sizeof ones.b);
        struct addr mask = addr_mask(ones, len);
        if (family == FAMILY4)
                memset(mask.b, 0, 10);
        if (len == 128)
                snprintf(out, 128, "%s", field);
        else
                snprintf(out, 128, "%s & %s", field, addr_print(&mask, text));
        return out;
}

size_t nft_lengths_of(const struct plan *p, struct nft_length out[FAMILIES * (GATE_LENGTHS + 1)])
{
        size_t n = 0;
        for (int f = 0; f < FAMILIES; f++) {
                for (size_t i = 0; i < p->lengths.n[f]; i++, n++) {
                        out[n] = (struct nft_length){ .family = f, .len = p->lengths.v[f][i] };
                        snprintf(out[n].text, sizeof out[n].text, "%u", family_len(f, out[n].len));
                }
                if (p->lengths.shorter[f])
                        out[n++] = (struct nft_length){ .family = f, .text = "short" };
        }
        return n;
}

const char *nft_in_set(struct writer *w, const struct nft_side *side, const char *kind, const struct nft_length *l,
                       char out[256])
{
        char text[128];
        snprintf(out, 256, "%s @%s%c_%s_%c", nft_masked(side->field[l->family], l->family, l->len ? l->len : 128, text),
                 kind, family_digit(l->family), l->text, w->letter);
        return out;
}

void nft_each_length_goto(struct writer *w, const struct nft_side *side, enum kind kind, const char *target)
{
        struct nft_length all[FAMILIES * (GATE_LENGTHS + 1)];
        char text[256];
        size_t n = nft_lengths_of(w->plan, all);
        for (size_t i = 0; i < n; i++)
                nft_rule(w, "%s goto %s_%c", nft_in_set(w, side, kind_name(kind), &all[i], text), target, w->letter);
}

void nft_each_ban_jump(struct writer *w, int family)
{
        const struct plan_lengths *all = nft_lengths_for(w->plan, KIND_BAN);
        char text[256];
        for (size_t i = 0; i < all->n[family]; i++) {
                struct nft_length l = { .family = family, .len = all->v[family][i] };
                snprintf(l.text, sizeof l.text, "%u", family_len(family, l.len));
                nft_rule(w, "%s jump banned_%c", nft_in_set(w, &nft_going, kind_name(KIND_BAN), &l, text), w->letter);
        }
}
