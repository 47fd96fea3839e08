/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger/secrets_form.h"

enum { BCRYPT_COST_MOST = 14, SHA_ROUNDS_LEAST = 1000, SHA_ROUNDS_MOST = 1000000, SALT_MOST = 64 };

/* The alphabet of crypt(3). */
static bool all_crypt64(struct slice s)
{
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '.' && c <= '9')))
                        return false;
        }
        return true;
}

/* --- crypt(3): what follows the prefix --- */

static bool is_des(struct slice s)
{
        return s.n == 13 && all_crypt64(s);
}

/* "SALT$HASH" */
static bool is_salt_and_hash(struct slice s, size_t salt_most, size_t hash)
{
        struct slice tail, salt = slice_cut(s, '$', &tail);
        return salt.n <= salt_most && tail.n == hash && all_crypt64(tail);
}

static bool is_md5(struct slice s)
{
        return is_salt_and_hash(s, 8, 22);
}

static bool is_sha_crypt(struct slice s, size_t hash)
{
        if (slice_starts(s, S("rounds="))) {
                struct slice rest, rounds = slice_cut(slice_from(s, 7), '$', &rest);
                uint64_t n;
                if (!slice_u64(rounds, SHA_ROUNDS_MOST, &n) || n < SHA_ROUNDS_LEAST || rounds.p[0] == '0')
                        return false;
                s = rest;
        }
        return is_salt_and_hash(s, 16, hash);
}

static bool is_sha256_crypt(struct slice s)
{
        return is_sha_crypt(s, 43);
}

static bool is_sha512_crypt(struct slice s)
{
        return is_sha_crypt(s, 86);
}

/* "12$" and 53 more */
static bool is_bcrypt(struct slice s)
{
        uint64_t cost;
        return s.n == 56 && s.p[2] == '$' && slice_u64((struct slice){ s.p, 2 }, BCRYPT_COST_MOST, &cost) &&
               cost >= 4 && all_crypt64(slice_from(s, 3));
}

/* "j9T$SALT$HASH": the second letter is the memory, two times more for each; those of crypt_gensalt(3), costs 1 to 8. */
static bool is_yescrypt(struct slice s)
{
        if (s.n < 4 || s.p[0] != 'j' || !strchr("789ABC", s.p[1]) || s.p[1] == '\0' ||
            (s.p[2] != '5' && s.p[2] != 'T') || s.p[3] != '$')
                return false;
        struct slice tail, salt = slice_cut(slice_from(s, 4), '$', &tail);
        return salt.n > 0 && salt.n <= 86 && tail.n == 43 && all_crypt64(salt) && all_crypt64(tail);
}

static const struct {
        const char *prefix, *scheme;
        bool (*is)(struct slice rest);
} crypts[] = {
        { "$y$", "yescrypt", is_yescrypt },
        { "$6$", "SHA512-CRYPT", is_sha512_crypt },
        { "$5$", "SHA256-CRYPT", is_sha256_crypt },
        { "$2y$", "bcrypt", is_bcrypt },
        { "$2b$", "bcrypt", is_bcrypt },
        { "$2a$", "bcrypt", is_bcrypt },
        { "$1$", "MD5-CRYPT", is_md5 },
        { "", "DES-CRYPT", is_des },
};

/* --- {SCHEME} --- */

enum payload { PAYLOAD_CRYPT, PAYLOAD_HEX, PAYLOAD_BASE64, PAYLOAD_SALTED };

static const struct named {
        const char *name, *printed;
        enum payload payload;
        enum secret_digest digest;
} names[] = {
        { "SHA", "SHA", PAYLOAD_BASE64, DIGEST_SHA1 },
        { "SHA1", "SHA", PAYLOAD_BASE64, DIGEST_SHA1 },
        { "SSHA", "SSHA", PAYLOAD_SALTED, DIGEST_SHA1 },
        { "SHA256", "SHA256", PAYLOAD_BASE64, DIGEST_SHA256 },
        { "SSHA256", "SSHA256", PAYLOAD_SALTED, DIGEST_SHA256 },
        { "SHA512", "SHA512", PAYLOAD_BASE64, DIGEST_SHA512 },
        { "SSHA512", "SSHA512", PAYLOAD_SALTED, DIGEST_SHA512 },
        { "SMD5", "SMD5", PAYLOAD_SALTED, DIGEST_MD5 },
        { "PLAIN-MD5", "PLAIN-MD5", PAYLOAD_HEX, DIGEST_MD5 },
        { "LDAP-MD5", "LDAP-MD5", PAYLOAD_BASE64, DIGEST_MD5 },
        /* A directory's {MD5} is a digest, Dovecot's a crypt(3) hash: the text says which. */
        { "MD5", "LDAP-MD5", PAYLOAD_BASE64, DIGEST_MD5 },
        { "MD5", "MD5-CRYPT", PAYLOAD_CRYPT, DIGEST_NONE },
        { "CRYPT", "CRYPT", PAYLOAD_CRYPT, DIGEST_NONE },
        { "MD5-CRYPT", "CRYPT", PAYLOAD_CRYPT, DIGEST_NONE },
        { "SHA256-CRYPT", "CRYPT", PAYLOAD_CRYPT, DIGEST_NONE },
        { "SHA512-CRYPT", "CRYPT", PAYLOAD_CRYPT, DIGEST_NONE },
        { "BLF-CRYPT", "CRYPT", PAYLOAD_CRYPT, DIGEST_NONE },
        { "DES-CRYPT", "CRYPT", PAYLOAD_CRYPT, DIGEST_NONE },
};

size_t secret_digest_size(enum secret_digest d)
{
        static const size_t sizes[] = { 0, 16, 20, 32, 64 };
        return sizes[d];
}

static int base64_value(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padded or not; bits left over must be zero, so that there is one spelling. 0: no base64, or too long. */
static size_t from_base64(struct slice s, unsigned char out[SECRET_RAW_MOST])
{
        unsigned bits = 0, held = 0;
        size_t n = 0, pad = 0;
        while (pad < 2 && s.n && s.p[s.n - 1] == '=') {
                s.n--;
                pad++;
        }
        if ((pad && (s.n + pad) % 4) || s.n % 4 == 1)
                return 0;
        for (size_t i = 0; i < s.n; i++) {
                int v = base64_value(s.p[i]);
                if (v < 0)
                        return 0;
                bits = bits << 6 | (unsigned)v;
                held += 6;
                if (held < 8)
                        continue;
                held -= 8;
                if (n == SECRET_RAW_MOST)
                        return 0;
                out[n++] = (unsigned char)(bits >> held);
                bits &= (1u << held) - 1;
        }
        return bits ? 0 : n;
}

static int hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t from_hex(struct slice s, unsigned char out[SECRET_RAW_MOST])
{
        if (s.n % 2 || s.n / 2 > SECRET_RAW_MOST)
                return 0;
        for (size_t i = 0; i < s.n; i += 2) {
                int high = hex_value(s.p[i]), low = hex_value(s.p[i + 1]);
                if (high < 0 || low < 0)
                        return 0;
                out[i / 2] = (unsigned char)(high << 4 | low);
        }
        return s.n / 2;
}

size_t secret_form_raw(const struct secret_form *f, unsigned char out[SECRET_RAW_MOST])
{
        return f->hex ? from_hex(f->payload, out) : from_base64(f->payload, out);
}

/* --- both --- */

static bool take_crypt(struct slice text, struct secret_form *ret)
{
        for (size_t i = 0; i < COUNT_OF(crypts); i++) {
                struct slice prefix = slice_of(crypts[i].prefix);
                if (!slice_starts(text, prefix) || !crypts[i].is(slice_from(text, prefix.n)))
                        continue;
                *ret = (struct secret_form){ .scheme = crypts[i].scheme, .payload = text };
                return true;
        }
        return false;
}

static bool take_digest(const struct named *as, struct slice payload, struct secret_form *ret)
{
        unsigned char raw[SECRET_RAW_MOST];
        struct secret_form f = { .scheme = as->printed,
                                 .digest = as->digest,
                                 .payload = payload,
                                 .hex = as->payload == PAYLOAD_HEX,
                                 .salted = as->payload == PAYLOAD_SALTED };
        size_t n = secret_form_raw(&f, raw), size = secret_digest_size(as->digest);
        if (f.salted ? n <= size || n > size + SALT_MOST : n != size)
                return false;
        *ret = f;
        return true;
}

const char *secret_form_parse(struct slice text, struct secret_form *ret)
{
        if (text.n == 0)
                return "is empty";
        if (text.n > SECRET_HASH_MOST)
                return "is too long for a password hash";
        for (size_t i = 0; i < text.n; i++)
                if (text.p[i] <= ' ' || text.p[i] > '~' || strchr(":;*!\\", text.p[i]))
                        return "has a character that no password hash has";
        if (text.p[0] != '{')
                return take_crypt(text, ret)
                           ? NULL
                           : "is no password hash of a known scheme, or of a cost that is not allowed";
        struct slice payload, name = slice_cut(slice_from(text, 1), '}', &payload);
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(names); i++) {
                if (!slice_ieq(name, slice_of(names[i].name)))
                        continue;
                known = true;
                if (names[i].payload == PAYLOAD_CRYPT ? take_crypt(payload, ret) : take_digest(&names[i], payload, ret))
                        return NULL;
        }
        return known ? "is not of the form its scheme in braces has" : "has a scheme in braces that is not known";
}

void secret_form_print(const struct secret_form *f, struct buf *out)
{
        if (f->digest != DIGEST_NONE)
                buf_addf(out, "{%s}", f->scheme);
        buf_add(out, f->payload);
}
