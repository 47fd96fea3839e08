/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses and domains of mail, and limits: what was read is in a form that reads as itself. */
#include "ledger/address.h"
#include "policy/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct slice text = { (const char *)data, n }, domain, again;
        struct mail_limits limits = mail_limits_inherit;
        enum mail_limit which;
        autoarena *a = arena_new(1 << 20);
        for (int whose = ADDRESS_ANY; whose <= ADDRESS_OURS; whose++) {
                struct address one, two;
                if (address_parse(text, (enum address_whose)whose, a, &one))
                        continue;
                if (one.whole.n > ADDRESS_MOST || one.local.n + 1 + one.domain.n != one.whole.n)
                        panic("parts that are no whole");
                if (address_parse(one.whole, (enum address_whose)whose, a, &two) || !slice_eq(one.whole, two.whole))
                        panic("an address that does not read as itself");
        }
        if (!domain_parse(text, a, &domain) && (domain_parse(domain, a, &again) || !slice_eq(domain, again)))
                panic("a domain that does not read as itself");
        if (!mail_limits_parse_word(text, &limits, &which) && !mail_limit_right(which, limits.v[which]))
                panic("a limit that cannot be");
        return 0;
}
