/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/radius.h"

#include "base/time.h"

#include <endian.h>
#include <md5.h>
#include <stdio.h>

enum {
        USER_NAME = 1,
        NAS_IP_ADDRESS = 4,
        FRAMED_IP_ADDRESS = 8,
        VENDOR_SPECIFIC = 26,
        CALLING_STATION_ID = 31,
        NAS_IDENTIFIER = 32,
        PROXY_STATE = 33,
        ACCT_STATUS_TYPE = 40,
        ACCT_DELAY_TIME = 41,
        ACCT_SESSION_ID = 44,
        ACCT_SESSION_TIME = 46,
        ACCT_TERMINATE_CAUSE = 49,
        EVENT_TIMESTAMP = 55,
        MESSAGE_AUTHENTICATOR = 80,
        NAS_IPV6_ADDRESS = 95,
        FRAMED_IPV6_PREFIX = 97,
        DELEGATED_IPV6_PREFIX = 123,
        FRAMED_IPV6_ADDRESS = 168
};

enum { ADSL_FORUM = 3561, AGENT_CIRCUIT_ID = 1, AGENT_REMOTE_ID = 2 };
enum { AUTHENTICATOR_AT = 4, BLOCK = 64, DIGEST = MD5_DIGEST_LENGTH };

/* --- digests --- */

static bool same_digest(const uint8_t *a, const uint8_t *b)
{
        unsigned different = 0;
        for (size_t i = 0; i < DIGEST; i++)
                different |= (unsigned)(a[i] ^ b[i]);
        return different == 0;
}

static const uint8_t no_authenticator[RADIUS_AUTHENTICATOR];

/* Of a packet in which the authenticator is another, then the secret. */
static void packet_digest(struct slice packet, const uint8_t *authenticator, struct slice secret, uint8_t out[DIGEST])
{
        MD5_CTX c;
        const uint8_t *p = (const uint8_t *)packet.p;
        MD5Init(&c);
        MD5Update(&c, p, AUTHENTICATOR_AT);
        MD5Update(&c, authenticator, RADIUS_AUTHENTICATOR);
        MD5Update(&c, p + RADIUS_LEAST, packet.n - RADIUS_LEAST);
        MD5Update(&c, (const uint8_t *)secret.p, secret.n);
        MD5Final(out, &c);
}

/* HMAC-MD5 (RFC 2104) of a packet with the given authenticator and with nothing but zeros in its Message-Authenticator. */
static void packet_hmac(struct slice packet, const uint8_t *authenticator, const uint8_t *message, struct slice secret,
                        uint8_t out[DIGEST])
{
        MD5_CTX c;
        uint8_t key[BLOCK] = { 0 }, pad[BLOCK];
        const uint8_t *p = (const uint8_t *)packet.p, *end = p + packet.n;
        MD5Init(&c);
        MD5Update(&c, (const uint8_t *)secret.p, secret.n);
        if (secret.n > BLOCK)
                MD5Final(key, &c);
        else
                memcpy(key, secret.p, secret.n);
        for (size_t i = 0; i < BLOCK; i++)
                pad[i] = key[i] ^ 0x36;
        MD5Init(&c);
        MD5Update(&c, pad, BLOCK);
        MD5Update(&c, p, AUTHENTICATOR_AT);
        MD5Update(&c, authenticator, RADIUS_AUTHENTICATOR);
        MD5Update(&c, p + RADIUS_LEAST, (size_t)(message - p) - RADIUS_LEAST);
        MD5Update(&c, no_authenticator, DIGEST);
        MD5Update(&c, message + DIGEST, (size_t)(end - message) - DIGEST);
        MD5Final(out, &c);
        for (size_t i = 0; i < BLOCK; i++)
                pad[i] = key[i] ^ 0x5c;
        MD5Init(&c);
        MD5Update(&c, pad, BLOCK);
        MD5Update(&c, out, DIGEST);
        MD5Final(out, &c);
}

/* --- attributes --- */

struct attribute {
        uint8_t type;
        struct slice value;
};

/* The next attribute at the head of *left. false: nothing is left, or *good says that the lengths are wrong. */
static bool next_attribute(struct slice *left, struct attribute *ret, bool *good)
{
        if (left->n == 0)
                return false;
        size_t n = left->n > 1 ? (uint8_t)left->p[1] : 0;
        if (n < 2 || n > left->n) {
                *good = false;
                return false;
        }
        ret->type = (uint8_t)left->p[0];
        ret->value = (struct slice){ left->p + 2, n - 2 };
        *left = slice_from(*left, n);
        return true;
}

static struct slice attributes_of(struct slice packet)
{
        return slice_from(packet, RADIUS_LEAST);
}

static uint32_t number_of(struct slice value)
{
        uint32_t n;
        memcpy(&n, value.p, sizeof n);
        return be32toh(n);
}

static struct addr v4_of(struct slice value)
{
        struct addr a = { .b = { [10] = 0xff, [11] = 0xff } };
        memcpy(a.b + 12, value.p, 4);
        return a;
}

static struct addr v6_of(struct slice value)
{
        struct addr a;
        memcpy(a.b, value.p, sizeof a.b);
        return a;
}

static bool hold(struct radius_request *r, struct prefix prefix)
{
        for (size_t i = 0; i < r->report.n_held; i++)
                if (prefix_cmp(&r->report.held[i].prefix, &prefix) == 0)
                        return true;
        if (r->report.n_held == EVENT_HELD_MOST)
                r->passed_over++;
        else
                r->report.held[r->report.n_held++] = (struct held){ .prefix = prefix };
        return true;
}

/* 255.255.255.255 and .254: the user may choose, the NAS will choose (RFC 2865 5.8): no address of anybody. */
static bool hold_v4(struct radius_request *r, struct slice value)
{
        if (value.n != 4)
                return false;
        return number_of(value) >= 0xfffffffe || number_of(value) == 0 || hold(r, prefix_of(v4_of(value), 128));
}

/* IPv4 stands in IPv6 as ::ffff:0:0/96: what lies in it or around it is no IPv6 prefix of anybody. */
static bool hold_wide(struct radius_request *r, struct prefix prefix)
{
        static const struct prefix all_of_ipv4 = { { .b = { [10] = 0xff, [11] = 0xff } }, 96 };
        return prefix_covers(&prefix, &all_of_ipv4) || prefix_covers(&all_of_ipv4, &prefix) || hold(r, prefix);
}

static bool hold_v6(struct radius_request *r, struct slice value)
{
        return value.n == 16 && hold_wide(r, prefix_of(v6_of(value), 128));
}

/* A zero, the length in bits, and as many bytes as it needs, or more (RFC 3162 2.3). Bits past the length are to be zero and often are
 * not. */
static bool hold_prefix(struct radius_request *r, struct slice value)
{
        struct addr a = { .b = { 0 } };
        if (value.n < 2 || value.n > 18)
                return false;
        uint8_t len = (uint8_t)value.p[1];
        if (len > 128 || value.n - 2 < (len + 7u) / 8u)
                return false;
        memcpy(a.b, value.p + 2, value.n - 2);
        return hold_wide(r, prefix_of(a, len));
}

static bool take_cause(struct radius_request *r, struct slice value)
{
        if (value.n != 4)
                return false;
        uint32_t n = number_of(value);
        r->report.cause = accounting_cause(n);
        if (r->report.cause.n == 0) {
                snprintf(r->cause, sizeof r->cause, "%u", n);
                r->report.cause = slice_of(r->cause);
        }
        return true;
}

/* Vendor's number, then attributes of his own; of other vendors nothing is read. RFC 4679. */
static bool take_vendor(struct radius_request *r, struct slice value)
{
        struct attribute sub;
        bool good = true;
        if (value.n < 4)
                return false;
        if (number_of(value) != ADSL_FORUM)
                return true;
        struct slice left = slice_from(value, 4);
        while (next_attribute(&left, &sub, &good)) {
                if (sub.type == AGENT_CIRCUIT_ID)
                        r->report.circuit = sub.value;
                else if (sub.type == AGENT_REMOTE_ID)
                        r->report.remote = sub.value;
        }
        return good;
}

static bool take_nas(struct radius_request *r, struct slice value, size_t size)
{
        if (value.n != size)
                return false;
        if (!r->report.has_nas || size == 4)
                r->report.nas = size == 4 ? v4_of(value) : v6_of(value);
        r->report.has_nas = true;
        return true;
}

static bool take_seconds(struct slice value, int64_t *ret)
{
        if (value.n != 4)
                return false;
        *ret = number_of(value) * SECOND;
        return true;
}

static bool take_status(struct radius_request *r, struct slice value)
{
        if (value.n != 4)
                return false;
        r->report.status = number_of(value) > INT32_MAX ? INT32_MAX : (int)number_of(value);
        return true;
}

static bool take_text(struct slice value, struct slice *ret)
{
        *ret = value;
        return true;
}

static bool take_attribute(struct radius_request *r, const struct attribute *a)
{
        struct accounting *to = &r->report;
        switch (a->type) {
        case USER_NAME:
                return take_text(a->value, &to->user);
        case CALLING_STATION_ID:
                return take_text(a->value, &to->calling);
        case NAS_IDENTIFIER:
                return take_text(a->value, &to->nas_id);
        case ACCT_SESSION_ID:
                return take_text(a->value, &to->session);
        case NAS_IP_ADDRESS:
                return take_nas(r, a->value, 4);
        case NAS_IPV6_ADDRESS:
                return take_nas(r, a->value, 16);
        case FRAMED_IP_ADDRESS:
                return hold_v4(r, a->value);
        case FRAMED_IPV6_ADDRESS:
                return hold_v6(r, a->value);
        case FRAMED_IPV6_PREFIX:
        case DELEGATED_IPV6_PREFIX:
                return hold_prefix(r, a->value);
        case ACCT_STATUS_TYPE:
                return take_status(r, a->value);
        case ACCT_TERMINATE_CAUSE:
                return take_cause(r, a->value);
        case ACCT_DELAY_TIME:
                return take_seconds(a->value, &to->delay);
        case ACCT_SESSION_TIME:
                return take_seconds(a->value, &to->session_time);
        case EVENT_TIMESTAMP:
                return take_seconds(a->value, &to->event_time);
        case VENDOR_SPECIFIC:
                return take_vendor(r, a->value);
        default:
                return true;
        }
}

/* --- a request --- */

/* The lengths of all attributes, and where the Message-Authenticator is; NULL where there is none. */
static bool walk(struct slice packet, const uint8_t **message)
{
        struct slice left = attributes_of(packet);
        struct attribute a;
        bool good = true;
        *message = NULL;
        while (next_attribute(&left, &a, &good)) {
                if (a.type != MESSAGE_AUTHENTICATOR)
                        continue;
                if (*message || a.value.n != DIGEST)
                        return false;
                *message = (const uint8_t *)a.value.p;
        }
        return good;
}

/* Accounting is signed as a whole, with zeros for the authenticator (RFC 2866 3); a status request has a random authenticator and is signed
 * by its Message-Authenticator alone, which must be there (RFC 5997 3). */
static bool is_signed(const struct radius_request *r, const uint8_t *message, struct slice secret)
{
        uint8_t digest[DIGEST];
        const uint8_t *authenticator = (const uint8_t *)r->packet.p + AUTHENTICATOR_AT;
        bool accounting = r->code == RADIUS_ACCOUNTING;
        if (!accounting && !message)
                return false;
        if (accounting) {
                packet_digest(r->packet, no_authenticator, secret, digest);
                if (!same_digest(digest, authenticator))
                        return false;
        }
        if (!message)
                return true;
        packet_hmac(r->packet, accounting ? no_authenticator : authenticator, message, secret, digest);
        return same_digest(digest, message);
}

enum radius_found radius_read(struct slice datagram, struct slice secret, struct radius_request *ret)
{
        const uint8_t *message;
        struct attribute a;
        bool good = true;
        if (datagram.n < RADIUS_LEAST)
                return RADIUS_MALFORMED;
        size_t length = (size_t)(uint8_t)datagram.p[2] << 8 | (uint8_t)datagram.p[3];
        if (length < RADIUS_LEAST || length > RADIUS_MOST || length > datagram.n)
                return RADIUS_MALFORMED;
        uint8_t code = (uint8_t)datagram.p[0];
        if (code != RADIUS_ACCOUNTING && code != RADIUS_STATUS)
                return RADIUS_OTHER_CODE;
        *ret = (struct radius_request){ .code = code, .packet = { datagram.p, length }, .report.session_time = -1 };
        if (!walk(ret->packet, &message))
                return RADIUS_MALFORMED;
        if (!is_signed(ret, message, secret))
                return RADIUS_WRONG_SECRET;
        for (struct slice left = attributes_of(ret->packet); next_attribute(&left, &a, &good);)
                if (!take_attribute(ret, &a))
                        return RADIUS_MALFORMED;
        return RADIUS_GOOD;
}

/* --- its answer --- */

size_t radius_answer(const struct radius_request *r, struct slice secret, uint8_t out[RADIUS_MOST])
{
        struct slice left = attributes_of(r->packet);
        struct attribute a;
        size_t n = RADIUS_LEAST;
        bool good = true;
        while (next_attribute(&left, &a, &good)) {
                if (a.type != PROXY_STATE)
                        continue;
                memcpy(out + n, a.value.p - 2, a.value.n + 2);
                n += a.value.n + 2;
        }
        out[0] = RADIUS_ACCOUNTING_RESPONSE;
        out[1] = (uint8_t)r->packet.p[1];
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
        const uint8_t *asked = (const uint8_t *)r->packet.p + AUTHENTICATOR_AT;
        packet_digest((struct slice){ (const char *)out, n }, asked, secret, out + AUTHENTICATOR_AT);
        return n;
}
