/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/sasl.h"

static int sextet(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool smtp_base64_decode(struct slice in, char *out, size_t *n)
{
        size_t pad = in.n && in.p[in.n - 1] == '=' ? 1 + (in.n > 1 && in.p[in.n - 2] == '=') : 0, written = 0;
        uint32_t bits = 0;
        if (in.n % 4)
                return false;
        for (size_t i = 0; i < in.n - pad; i++) {
                int six = sextet(in.p[i]);
                if (six < 0)
                        return false;
                bits = bits << 6 | (uint32_t)six;
                if (i % 4)
                        out[written++] = (char)(bits >> (6 - 2 * (i % 4)));
        }
        if (bits & ((1u << 2 * pad) - 1))
                return false; /* bits that no byte holds (RFC 4648 3.5) */
        *n = written;
        return true;
}

enum smtp_mechanism smtp_mechanism_of(struct slice word)
{
        if (slice_ieq(word, S("PLAIN")))
                return SMTP_MECHANISM_PLAIN;
        return slice_ieq(word, S("LOGIN")) ? SMTP_MECHANISM_LOGIN : SMTP_MECHANISM_NONE;
}

static void wipe(char **p, size_t n)
{
        if (*p)
                explicit_bzero(*p, n);
        free(*p);
        *p = NULL;
}

void smtp_sasl_done(struct smtp_sasl *s)
{
        /* PLAIN has all three in `bytes`, two NULs between them */
        bool plain = s->mechanism == SMTP_MECHANISM_PLAIN;
        wipe(&s->bytes, plain ? s->authzid.n + s->name.n + s->password.n + 2 : s->name.n);
        wipe(&s->secret, s->password.n);
        *s = (struct smtp_sasl){ .bytes = NULL };
}

static bool is_name(struct slice s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F)
                        return false;
        return s.n <= SMTP_LOGIN_MOST;
}

static bool is_password(struct slice s)
{
        return s.n <= SMTP_PASSWORD_MOST && slice_find(s, '\0') == s.n;
}

/* The bytes of a line in a block of their own; NULL where it is no base64. */
static char *decoded(struct slice line, struct slice *ret)
{
        size_t n, room = line.n / 4 * 3 + 1;
        char *bytes = xmalloc(room);
        if (!smtp_base64_decode(line, bytes, &n)) {
                wipe(&bytes, room);
                return NULL;
        }
        *ret = (struct slice){ bytes, n };
        return bytes;
}

/* [authzid] NUL authcid NUL password (RFC 4616 2). */
static enum smtp_sasl_found read_plain(struct smtp_sasl *s, struct slice line)
{
        struct slice message, rest, password, authzid, name;
        char *bytes = decoded(line, &message);
        if (!bytes)
                return SMTP_SASL_BAD;
        authzid = slice_cut(message, '\0', &rest);
        name = slice_cut(rest, '\0', &password);
        if (!password.p || !name.n || !is_name(authzid) || !is_name(name) || !is_password(password)) {
                wipe(&bytes, message.n);
                return SMTP_SASL_BAD;
        }
        s->bytes = bytes;
        s->authzid = authzid;
        s->name = name;
        s->password = password;
        return SMTP_SASL_WHOLE;
}

static enum smtp_sasl_found read_login(struct smtp_sasl *s, struct slice line)
{
        struct slice text;
        char *bytes = decoded(line, &text);
        bool good = bytes && (s->bytes ? is_password(text) : text.n && is_name(text));
        if (!good) {
                wipe(&bytes, bytes ? text.n : 0);
                return SMTP_SASL_BAD;
        }
        if (s->bytes) {
                s->secret = bytes;
                s->password = text;
                return SMTP_SASL_WHOLE;
        }
        s->bytes = bytes;
        s->name = text;
        return SMTP_SASL_NAME;
}

static enum smtp_sasl_found read_response(struct smtp_sasl *s, struct slice response)
{
        return s->mechanism == SMTP_MECHANISM_PLAIN ? read_plain(s, response) : read_login(s, response);
}

enum smtp_sasl_found smtp_sasl_begin(struct smtp_sasl *s, enum smtp_mechanism mechanism, struct slice initial)
{
        *s = (struct smtp_sasl){ .mechanism = (uint8_t)mechanism };
        if (!initial.p)
                return SMTP_SASL_ASK;
        return read_response(s, slice_eq(initial, S("=")) ? S("") : initial);
}

enum smtp_sasl_found smtp_sasl_line(struct smtp_sasl *s, struct slice line)
{
        return slice_eq(line, S("*")) ? SMTP_SASL_CANCELLED : read_response(s, line);
}

struct slice smtp_sasl_challenge(const struct smtp_sasl *s)
{
        if (s->mechanism == SMTP_MECHANISM_PLAIN)
                return S("");
        return s->bytes ? S("UGFzc3dvcmQ6") : S("VXNlcm5hbWU6");
}
