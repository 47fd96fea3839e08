/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A setup as the host writes it, or any bytes: what is read of it can be written and read again, and is the same. */
#include "edge/setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct buf text, again;
        struct setup s;
        buf_init(&text, SETUP_MOST);
        buf_init(&again, SETUP_MOST);
        buf_add(&text, (struct slice){ (const char *)data, n });
        if (!setup_get(&text, &s))
                return 0;
        setup_put(&s, &again);
        if (again.n > n || memcmp(again.p, data, again.n) != 0)
                panic("%zu bytes became %zu others", n, again.n);
        for (size_t i = 0; i < s.n_listeners; i++)
                if (!edge_role_name(s.listeners[i].role))
                        panic("a role without a name");
        setup_done(&s);
        buf_done(&again);
        return 0;
}
