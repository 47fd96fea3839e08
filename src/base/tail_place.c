/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/tail_inside.h"

#include "base/sha256.h"

void tail_digest(struct slice bytes, char out[TAIL_DIGEST + 1])
{
        char hex[SHA256_HEX + 1];
        sha256_hex(bytes, hex);
        memcpy(out, hex, TAIL_DIGEST);
        out[TAIL_DIGEST] = '\0';
}

void tail_place_print(const struct tail_place *p, struct buf *out)
{
        buf_addf(out, "%llu %llu %llu %lld %llu %s %llu %s", (unsigned long long)p->device,
                 (unsigned long long)p->inode, (unsigned long long)p->offset, (long long)p->written,
                 (unsigned long long)p->head_n, p->head, (unsigned long long)p->before_n, p->before);
}

static bool parse_digest(struct slice s, char ret[TAIL_DIGEST + 1])
{
        if (s.n != TAIL_DIGEST)
                return false;
        for (size_t i = 0; i < s.n; i++)
                if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
                        return false;
        memcpy(ret, s.p, TAIL_DIGEST);
        ret[TAIL_DIGEST] = '\0';
        return true;
}

bool tail_place_parse(struct slice text, struct tail_place *ret, struct slice *rest)
{
        struct tail_place p;
        uint64_t written = 0;
        const struct {
                uint64_t *to, max;
                char *digest; /* that follows it */
        } parts[] = {
                { &p.device, UINT64_MAX, NULL },  { &p.inode, UINT64_MAX, NULL },
                { &p.offset, INT64_MAX, NULL },   { &written, INT64_MAX, NULL },
                { &p.head_n, TAIL_HEAD, p.head }, { &p.before_n, TAIL_BEFORE, p.before },
        };
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
                if (!slice_u64(slice_cut(text, ' ', &text), parts[i].max, parts[i].to))
                        return false;
                if (parts[i].digest && !parse_digest(slice_cut(text, ' ', &text), parts[i].digest))
                        return false;
        }
        if (p.before_n > p.offset)
                return false;
        p.written = (int64_t)written;
        *ret = p;
        *rest = text;
        return true;
}
