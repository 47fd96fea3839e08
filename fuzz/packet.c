/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packets customers send, as the kernel logs them. What is read must follow from the bytes alone, and a packet cut
 * short may show less, never something else. */
#include "gate/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct packet whole, cut;
        if (!packet_parse((struct slice){ (const char *)data, n }, &whole))
                return 0;
        if (!packet_parse((struct slice){ (const char *)data, n - 1 }, &cut))
                return 0;
        if (addr_cmp(&whole.source, &cut.source) != 0)
                panic("the source changed with a byte at the end");
        if (cut.port && cut.port != whole.port && !whole.tunnel)
                panic("the port changed with a byte at the end");
        return 0;
}
