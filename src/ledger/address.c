/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/address.h"

static bool is_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool one_of(char c, const char *all)
{
        return c && strchr(all, c);
}

static const char *label_wrong(struct slice label)
{
        if (label.n == 0)
                return "it has an empty label between dots";
        if (label.n > DOMAIN_LABEL_MOST)
                return "it has more than 63 bytes between dots";
        if (label.p[0] == '-' || label.p[label.n - 1] == '-')
                return "a label of its domain begins or ends with -";
        for (size_t i = 0; i < label.n; i++) {
                if ((unsigned char)label.p[i] >= 0x80)
                        return "its domain is not ASCII: write it as it stands in the DNS (xn--...)";
                if (!is_alnum(label.p[i]) && label.p[i] != '-')
                        return "its domain has a character that no domain has";
        }
        return NULL;
}

static const char *domain_wrong(struct slice s)
{
        size_t labels = 0, digits = 0;
        struct slice rest = s, label = s;
        if (s.n == 0)
                return "its domain is empty";
        if (s.n > DOMAIN_MOST)
                return "its domain has more than 253 bytes";
        for (; rest.p; labels++) {
                label = slice_cut(rest, '.', &rest);
                const char *wrong = label_wrong(label);
                if (wrong)
                        return wrong;
        }
        for (size_t i = 0; i < label.n; i++)
                digits += label.p[i] >= '0' && label.p[i] <= '9';
        if (labels < 2)
                return "its domain has one label only";
        return digits == label.n ? "its domain ends in a number" : NULL;
}

/* dot-atom of RFC 5322 3.2.3; ours: without what means something to a shell, a mail store or an old mailer. */
static const char *local_wrong(struct slice s, bool ours)
{
        if (s.n == 0)
                return "nothing stands before the @";
        if (s.n > ADDRESS_LOCAL_MOST)
                return "it has more than 64 bytes before the @";
        if (s.p[0] == '"')
                return "quoted local parts are not supported";
        if (s.p[0] == '.' || s.p[s.n - 1] == '.')
                return "the part before the @ begins or ends with a dot";
        if (ours && s.p[0] == '-')
                return "the part before the @ begins with -";
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                if ((unsigned char)c >= 0x80)
                        return "the part before the @ is not ASCII, which many servers refuse";
                if (c == '.' && s.p[i - 1] == '.')
                        return "it has two dots in a row";
                if (!is_alnum(c) && !one_of(c, ours ? ".-_+&'=" : ".-_+&'=!#$%*/?^`{|}~"))
                        return "the part before the @ has a character that is not allowed there";
        }
        return NULL;
}

const char *domain_parse(struct slice text, struct arena *a, struct slice *ret)
{
        text = slice_trim(text);
        const char *wrong = domain_wrong(text);
        if (wrong)
                return wrong;
        char *out = arena_alloc(a, text.n + 1);
        if (!out)
                return "there is no memory left for it";
        for (size_t i = 0; i < text.n; i++)
                out[i] = lower(text.p[i]);
        *ret = (struct slice){ out, text.n };
        return NULL;
}

const char *address_parse(struct slice text, enum address_whose whose, struct arena *a, struct address *ret)
{
        struct slice domain;
        text = slice_trim(text);
        struct slice local = slice_cut(text, '@', &domain);
        if (!domain.p)
                return "it has no @";
        if (text.n > ADDRESS_MOST)
                return "it has more than 254 bytes";
        const char *wrong = local_wrong(local, whose == ADDRESS_OURS);
        if (!wrong)
                wrong = domain_wrong(domain);
        if (wrong)
                return wrong;
        char *out = arena_alloc(a, text.n + 1);
        if (!out)
                return "there is no memory left for it";
        for (size_t i = 0; i < text.n; i++)
                out[i] = whose == ADDRESS_OURS || i > local.n ? lower(text.p[i]) : text.p[i];
        ret->whole = (struct slice){ out, text.n };
        ret->local = (struct slice){ out, local.n };
        ret->domain = slice_from(ret->whole, local.n + 1);
        return NULL;
}

static bool among(struct slice s, const char *const *names, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (slice_ieq(s, slice_of(names[i])))
                        return true;
        return false;
}

bool address_is_role(struct slice local)
{
        static const char *const names[] = { "abuse", "postmaster" };
        return among(local, names, COUNT_OF(names));
}

/* CA/Browser Forum, Baseline Requirements 3.2.2.4.4: who reads the mail of these can get a certificate for the domain. */
bool address_is_reserved(struct slice local, bool own_domain)
{
        static const char *const everywhere[] = { "mailer-daemon", "root" };
        static const char *const own[] = { "admin", "administrator", "webmaster", "hostmaster" };
        return among(local, everywhere, COUNT_OF(everywhere)) || (own_domain && among(local, own, COUNT_OF(own)));
}
