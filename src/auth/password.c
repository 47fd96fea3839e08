/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/password.h"
#include "base/sha256.h"

#include <crypt.h>
#include <errno.h>
#include <md5.h>
#include <sha.h>
#include <sha2.h>
#include <sys/random.h>

static bool same(const void *a, const void *b, size_t n)
{
        const volatile unsigned char *x = a, *y = b;
        unsigned char differ = 0;
        for (size_t i = 0; i < n; i++)
                differ |= x[i] ^ y[i];
        return differ == 0;
}

static bool usable(struct slice password)
{
        return password.n > 0 && password.n <= PASSWORD_CHECK_MOST && slice_find(password, '\0') == password.n;
}

/* crypt(3) of a password that is usable(): its text in `out`, or false. */
static bool run_crypt(struct slice password, const char *setting, char out[SECRET_HASH_MOST + 1])
{
        char typed[PASSWORD_CHECK_MOST + 1];
        struct crypt_data *work = xcalloc(1, sizeof *work);
        memcpy(typed, password.p, password.n);
        typed[password.n] = '\0';
        const char *text = crypt_rn(typed, setting, work, (int)sizeof *work);
        size_t n = text ? strlen(text) : 0;
        bool ok = n > 0 && n <= SECRET_HASH_MOST && text[0] != '*';
        if (ok)
                memcpy(out, text, n + 1);
        explicit_bzero(typed, sizeof typed);
        explicit_bzero(work, sizeof *work);
        free(work);
        return ok;
}

int password_hash(struct slice password, char *out)
{
        char setting[CRYPT_GENSALT_OUTPUT_SIZE];
        if (!usable(password))
                return -EINVAL;
        if (!crypt_gensalt_rn("$y$", PASSWORD_COST, NULL, 0, setting, sizeof setting))
                return errno ? -errno : -EIO;
        if (!run_crypt(password, setting, out))
                return -EIO;
        struct secret_form form;
        if (secret_form_parse(slice_of(out), &form) || password_is_old(slice_of(out)))
                panic("libcrypt made a hash that is none of ours");
        return 0;
}

/* --- digests of old directories --- */

static void digest_of(enum secret_digest kind, struct slice a, struct slice b, unsigned char out[SHA512_DIGEST_LENGTH])
{
        MD5_CTX md5;
        SHA1_CTX sha1;
        SHA2_CTX sha2;
        const unsigned char *p = (const unsigned char *)a.p, *q = (const unsigned char *)b.p;
        switch (kind) {
        case DIGEST_MD5:
                MD5Init(&md5);
                MD5Update(&md5, p, a.n);
                MD5Update(&md5, q, b.n);
                MD5Final(out, &md5);
                break;
        case DIGEST_SHA1:
                SHA1Init(&sha1);
                SHA1Update(&sha1, p, a.n);
                SHA1Update(&sha1, q, b.n);
                SHA1Final(out, &sha1);
                break;
        case DIGEST_SHA256:
                SHA256Init(&sha2);
                SHA256Update(&sha2, p, a.n);
                SHA256Update(&sha2, q, b.n);
                SHA256Final(out, &sha2);
                break;
        case DIGEST_SHA512:
                SHA512Init(&sha2);
                SHA512Update(&sha2, p, a.n);
                SHA512Update(&sha2, q, b.n);
                SHA512Final(out, &sha2);
                break;
        case DIGEST_NONE:
                panic("no digest");
        }
}

static bool check_digest(const struct secret_form *f, struct slice password)
{
        unsigned char raw[SECRET_RAW_MOST], got[SHA512_DIGEST_LENGTH];
        size_t n = secret_form_raw(f, raw), size = secret_digest_size(f->digest);
        if (n < size)
                return false;
        digest_of(f->digest, password, (struct slice){ (const char *)raw + size, n - size }, got);
        bool yes = same(raw, got, size);
        explicit_bzero(got, sizeof got);
        return yes;
}

static bool check_crypt(struct slice hash, struct slice password)
{
        char setting[SECRET_HASH_MOST + 1], got[SECRET_HASH_MOST + 1];
        memcpy(setting, hash.p, hash.n);
        setting[hash.n] = '\0';
        bool yes = run_crypt(password, setting, got) && strlen(got) == hash.n && same(got, hash.p, hash.n);
        explicit_bzero(got, sizeof got);
        return yes;
}

bool password_check(struct slice hash, struct slice password)
{
        struct secret_form f;
        if (!usable(password) || secret_form_parse(hash, &f))
                return false;
        return f.digest == DIGEST_NONE ? check_crypt(f.payload, password) : check_digest(&f, password);
}

void password_waste(struct slice password)
{
        char got[SECRET_HASH_MOST + 1];
        if (usable(password) && !run_crypt(password, SECRET_CURRENT "abcdefghijklmnopqrstu.", got))
                panic("no work was done: crypt(3) refuses the setting");
        explicit_bzero(got, sizeof got);
}

bool password_is_old(struct slice hash)
{
        return !slice_starts(hash, S(SECRET_CURRENT));
}

/* --- applications' passwords --- */

/* No i, l, o, 0, 1: read aloud and typed on a telephone. */
static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";
enum { LETTERS = sizeof letters - 1, GROUP = 4, GROUPS = 5 };

int app_password_make(char out[APP_PASSWORD_TEXT + 1])
{
        char *p = out;
        for (int i = 0; i < GROUP * GROUPS;) {
                unsigned char byte;
                if (getrandom(&byte, 1, 0) != 1)
                        return -errno;
                if ((byte & 31) >= LETTERS) /* drawn again, so that all are as likely */
                        continue;
                if (i && i % GROUP == 0)
                        *p++ = '-';
                *p++ = letters[byte & 31];
                i++;
        }
        *p = '\0';
        return 0;
}

bool app_password_digest(struct slice typed, char out[APP_DIGEST_HEX + 1])
{
        char text[APP_PASSWORD_TEXT + 1];
        size_t n = 0;
        for (size_t i = 0; i < typed.n; i++) {
                char c = typed.p[i] >= 'A' && typed.p[i] <= 'Z' ? (char)(typed.p[i] | 0x20) : typed.p[i];
                if (c == '-' || c == ' ')
                        continue;
                if (c == '\0' || !strchr(letters, c) || n == APP_PASSWORD_TEXT)
                        return false;
                if (n % (GROUP + 1) == GROUP)
                        text[n++] = '-';
                text[n++] = c;
        }
        bool whole = n == APP_PASSWORD_TEXT;
        if (whole)
                sha256_hex((struct slice){ text, n }, out);
        explicit_bzero(text, sizeof text);
        return whole;
}
