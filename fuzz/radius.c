/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets of strangers; and the same bytes as attributes of a NAS who knows the secret. Whatever is good is answered in a packet of right
 * lengths. */
#include "identity/radius.h"

#include <md5.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_one(const uint8_t *p, size_t n, bool known)
{
        struct radius_request r;
        uint8_t answer[RADIUS_MOST];
        enum radius_found found = radius_read((struct slice){ (const char *)p, n }, S("secret"), &r);
        if (known && found == RADIUS_OTHER_CODE)
                panic("accounting taken for another code");
        if (found != RADIUS_GOOD)
                return;
        size_t length = radius_answer(&r, S("secret"), answer);
        if (length < RADIUS_LEAST || length > n || (size_t)(answer[2] << 8 | answer[3]) != length)
                panic("an answer of %zu bytes to one of %zu", length, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        MD5_CTX c;
        uint8_t digest[MD5_DIGEST_LENGTH];
        read_one(data, n, false);
        size_t length = RADIUS_LEAST + (n > RADIUS_MOST - RADIUS_LEAST ? RADIUS_MOST - RADIUS_LEAST : n);
        autofree uint8_t *packet = xcalloc(length, 1);
        memcpy(packet + RADIUS_LEAST, data, length - RADIUS_LEAST);
        packet[0] = RADIUS_ACCOUNTING;
        packet[2] = (uint8_t)(length >> 8);
        packet[3] = (uint8_t)length;
        MD5Init(&c);
        MD5Update(&c, packet, length);
        MD5Update(&c, (const uint8_t *)"secret", 6);
        MD5Final(digest, &c);
        memcpy(packet + 4, digest, sizeof digest);
        read_one(packet, length, true);
        return 0;
}
