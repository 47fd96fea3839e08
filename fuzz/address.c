/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is taken for an address is written the same again, has a canonical form that is its own, and holds nothing that ends a command. */
#include "smtp/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct slice in = { (const char *)data, n };
        struct smtp_path p, q, r;
        autobuf text, canon, again;
        buf_init(&text, 1024);
        buf_init(&canon, 1024);
        buf_init(&again, 1024);
        if (!smtp_path_parse(&in, &p) || p.null || !p.domain.n)
                return 0;
        smtp_path_print(&p, &text);
        if (!smtp_address_parse(buf_slice(&text), &q) || !slice_eq(p.local, q.local) || !slice_eq(p.domain, q.domain))
                panic("%s reads otherwise", buf_cstr(&text));
        for (size_t i = 0; i < text.n; i++)
                if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7F)
                        panic("byte %d in an address", text.p[i]);
        smtp_path_canonical(&p, &canon);
        if (!smtp_address_parse(buf_slice(&canon), &r))
                panic("%s is no address", buf_cstr(&canon));
        smtp_path_canonical(&r, &again);
        if (!slice_eq(buf_slice(&canon), buf_slice(&again)))
                panic("%s and %s", buf_cstr(&canon), buf_cstr(&again));
        return 0;
}
