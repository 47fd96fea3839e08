/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/values.h"
#include "base/size.h"

static const struct place nowhere = { 0 };

/* Looking for near words costs time; who has more mistakes than this has other worries. */
enum { SUGGESTIONS_UNTIL = 100, CANDIDATES_MOST = 4096 };

void value_suggest(struct diags *d, struct slice word, const struct slice *candidates, size_t n)
{
        size_t limit = word.n / 3 + 2, best = limit;
        struct slice near = { 0 };
        if (diags_errors(d) > SUGGESTIONS_UNTIL)
                return;
        for (size_t i = 0; i < n && i < CANDIDATES_MOST; i++) {
                bool begun = word.n >= 3 && slice_starts(candidates[i], word);
                size_t distance = begun ? 1 : slice_distance(word, candidates[i], best);
                if (distance < best && distance < candidates[i].n) {
                        best = distance;
                        near = candidates[i];
                }
        }
        if (near.p)
                diag_note(d, nowhere, "did you mean \"%.*s\"?", SLICE_ARGS(near));
}

static bool is_letter(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

bool value_check_name(struct values *v, const struct block *b, struct token t)
{
        bool good = t.text.n > 0;
        if (b->naming == NAMING_FREE) {
                if (!good || t.text.n > FREE_NAME_MOST)
                        diag_error(v->d, t.place, "%s has a name of 1 to %d bytes", b->name, FREE_NAME_MOST);
                return good && t.text.n <= FREE_NAME_MOST;
        }
        good = good && t.text.n <= KERNEL_NAME_MOST && is_letter(t.text.p[0]);
        for (size_t i = 0; good && i < t.text.n; i++)
                good = is_letter(t.text.p[i]) || is_digit(t.text.p[i]) || t.text.p[i] == '_' || t.text.p[i] == '-';
        if (!good) {
                diag_error(v->d, t.place, "\"%.*s\" cannot name a %s", SLICE_ARGS(t.text), b->name);
                diag_note(v->d, nowhere,
                          "a letter, then letters, digits, - and _, %d bytes at most: it names objects of the kernel",
                          KERNEL_NAME_MOST);
        }
        return good;
}

/* Decimal, or hexadecimal with 0x. */
static bool number_parse(struct slice s, uint64_t max, uint64_t *ret)
{
        if (!slice_starts(s, S("0x")))
                return slice_u64(s, max, ret);
        uint64_t n = 0;
        if (s.n < 3 || s.n > 18)
                return false;
        for (size_t i = 2; i < s.n; i++) {
                char c = s.p[i] >= 'A' && s.p[i] <= 'F' ? (char)(s.p[i] + 32) : s.p[i];
                if (!is_digit(c) && !(c >= 'a' && c <= 'f'))
                        return false;
                n = n << 4 | (uint64_t)(is_digit(c) ? c - '0' : c - 'a' + 10);
        }
        if (n > max)
                return false;
        *ret = n;
        return true;
}

static bool parse_word(struct values *v, const struct option *o, struct token t, void *ret)
{
        size_t most = o->high ? (size_t)o->high : 253;
        if (t.text.n == 0 || t.text.n > most) {
                diag_error(v->d, t.place, "%s has 1 to %zu bytes", o->name, most);
                return false;
        }
        *(struct word *)ret = (struct word){ .place = t.place, .text = t.text };
        return true;
}

static bool is_host_name(struct slice s)
{
        size_t label = 0;
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                bool edge = i + 1 == s.n || s.p[i + 1] == '.' || label == 0;
                if (c == '.' ? label == 0 || i + 1 == s.n : !(is_letter(c) || is_digit(c) || (c == '-' && !edge)))
                        return false;
                label = c == '.' ? 0 : label + 1;
                if (label > 63)
                        return false;
        }
        return s.n > 0;
}

static bool parse_host_name(struct values *v, const struct option *o, struct token t, void *ret)
{
        if (!is_host_name(t.text)) {
                diag_error(v->d, t.place, "\"%.*s\" is not a name of the DNS", SLICE_ARGS(t.text));
                return false;
        }
        return parse_word(v, o, t, ret);
}

static bool parse_email(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct slice domain;
        struct slice local = slice_cut(t.text, '@', &domain);
        if (local.n == 0 || !is_host_name(domain) || slice_find(local, ' ') != local.n) {
                diag_error(v->d, t.place, "\"%.*s\" is not an e-mail address", SLICE_ARGS(t.text));
                return false;
        }
        return parse_word(v, o, t, ret);
}

static bool parse_interface(struct values *v, const struct option *o, struct token t, void *ret)
{
        (void)o;
        bool good = t.text.n >= 1 && t.text.n <= 15 && !slice_eq(t.text, S(".")) && !slice_eq(t.text, S(".."));
        for (size_t i = 0; good && i < t.text.n; i++)
                good = t.text.p[i] > ' ' && t.text.p[i] < 0x7F && !strchr("/:\"\\'*", t.text.p[i]);
        if (!good) {
                diag_error(v->d, t.place, "\"%.*s\" cannot be the name of an interface", SLICE_ARGS(t.text));
                diag_note(v->d, nowhere, "1 to 15 bytes, without blanks, slashes, colons, quotes and *");
                return false;
        }
        *(struct word *)ret = (struct word){ .place = t.place, .text = t.text };
        return true;
}

/* Most lists have one member, and there are many lists. */
static void *grow_list(struct values *v, void *list, size_t *cap, size_t need, size_t size)
{
        if (*cap == 0) {
                *cap = 1;
                return arena_alloc(v->arena, size);
        }
        return arena_grow(v->arena, list, cap, need, size);
}

static bool add_word(struct values *v, struct token t, struct words *list)
{
        list->v = grow_list(v, list->v, &list->cap, list->n + 1, sizeof *list->v);
        list->v[list->n++] = (struct word){ .place = t.place, .text = t.text };
        return true;
}

static bool parse_name_in_list(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct word checked;
        return parse_word(v, o, t, &checked) && add_word(v, t, ret);
}

static bool parse_subscriber(struct values *v, const struct option *o, struct token t, void *ret)
{
        (void)o;
        if (t.text.n == 0 || t.text.n > SUBSCRIBER_MOST) {
                diag_error(v->d, t.place, "the id of a subscriber has 1 to %d bytes", SUBSCRIBER_MOST);
                return false;
        }
        return add_word(v, t, ret);
}

static const struct prefix all_of_ipv4 = { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } }, 96 };

static bool prefix_of_token(struct values *v, struct token t, struct prefix *ret)
{
        char text[PREFIX_TEXT_MAX];
        bool v6 = slice_find(t.text, ':') < t.text.n;
        switch (prefix_parse(t.text, ret)) {
        case PREFIX_NOT_AN_ADDRESS:
                diag_error(v->d, t.place, "\"%.*s\" is not an address or prefix", SLICE_ARGS(t.text));
                return false;
        case PREFIX_BAD_LENGTH:
                diag_error(v->d, t.place, "the length of an IPv%d prefix is 0 to %d", v6 ? 6 : 4, v6 ? 128 : 32);
                return false;
        case PREFIX_HOST_BITS:
                diag_error(v->d, t.place, "%.*s has bits set past its length", SLICE_ARGS(t.text));
                diag_note(v->d, nowhere, "did you mean %s?", prefix_print(ret, text));
                return false;
        case PREFIX_OK:
                break;
        }
        if (ret->len < 96 && prefix_covers(ret, &all_of_ipv4)) {
                diag_error(v->d, t.place, "%.*s holds ::ffff:0:0/96, which stands for all of IPv4", SLICE_ARGS(t.text));
                diag_note(v->d, nowhere, "the Internet in IPv6 is 2000::/3");
                return false;
        }
        return true;
}

bool value_parse_host(struct values *v, struct token t, struct prefix *ret)
{
        if (!prefix_of_token(v, t, ret))
                return false;
        if (ret->len != 128)
                diag_error(v->d, t.place, "%.*s is a prefix, and one address is wanted here", SLICE_ARGS(t.text));
        return ret->len == 128;
}

static bool add_prefix(struct values *v, struct token t, struct prefix prefix, struct prefixes *list)
{
        list->v = grow_list(v, list->v, &list->cap, list->n + 1, sizeof *list->v);
        list->v[list->n++] = (struct policy_prefix){ .prefix = prefix, .place = t.place };
        return true;
}

static bool parse_prefix(struct values *v, const struct option *o, struct token t, void *ret)
{
        (void)o;
        struct prefix prefix;
        return prefix_of_token(v, t, &prefix) && add_prefix(v, t, prefix, ret);
}

static bool parse_host(struct values *v, const struct option *o, struct token t, void *ret)
{
        (void)o;
        struct prefix prefix;
        return value_parse_host(v, t, &prefix) && add_prefix(v, t, prefix, ret);
}

bool value_parse_delegated(struct values *v, struct token t, struct policy_prefix *ret)
{
        uint64_t n;
        struct slice digits = slice_starts(t.text, S("/")) ? slice_from(t.text, 1) : t.text;
        if (prefix_is_v4(&ret->prefix)) {
                diag_error(v->d, t.place, "an IPv4 prefix is not delegated: each customer has one address of it");
                return false;
        }
        if (!slice_u64(digits, 128, &n)) {
                diag_error(v->d, t.place, "the delegated length is a number, 128 at most");
                return false;
        }
        if (n < ret->prefix.len) {
                diag_error(v->d, t.place, "delegated length %u is shorter than the prefix", (unsigned)n);
                diag_note(v->d, ret->place, "this prefix has length %u", ret->prefix.len);
                return false;
        }
        ret->delegated = (uint8_t)n;
        return true;
}

static bool parse_choice(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct slice names[16];
        size_t n = 0;
        for (; n < COUNT_OF(names) && o->choices[n]; n++) {
                names[n] = slice_of(o->choices[n]);
                if (slice_eq(names[n], t.text)) {
                        *(struct number *)ret = (struct number){ .place = t.place, .value = (int64_t)n };
                        return true;
                }
        }
        autobuf list;
        buf_init(&list, 1024);
        for (size_t i = 0; i < n; i++)
                buf_addf(&list, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", o->choices[i]);
        diag_error(v->d, t.place, "%s is %s, not \"%.*s\"", o->name, buf_cstr(&list), SLICE_ARGS(t.text));
        value_suggest(v->d, t.text, names, n);
        ((struct number *)ret)->value = -1; /* neither the first choice nor any other */
        return false;
}

static bool parse_number(struct values *v, const struct option *o, struct token t, void *ret)
{
        uint64_t n;
        if (!number_parse(t.text, (uint64_t)o->high, &n) || (int64_t)n < o->low) {
                diag_error(v->d, t.place, "%s is a number from %lld to %lld", o->name, (long long)o->low,
                           (long long)o->high);
                return false;
        }
        *(struct number *)ret = (struct number){ .place = t.place, .value = (int64_t)n };
        return true;
}

bool value_parse_port(struct values *v, struct token t, uint16_t *ret)
{
        uint64_t n;
        if (!slice_u64(t.text, 65535, &n) || n == 0) {
                diag_error(v->d, t.place, "a port is a number from 1 to 65535");
                return false;
        }
        *ret = (uint16_t)n;
        return true;
}

static bool parse_duration(struct values *v, const struct option *o, struct token t, void *ret)
{
        int64_t us;
        char low[TIME_TEXT_MAX], high[TIME_TEXT_MAX];
        if (!duration_parse(t.text, &us) || us < o->low || us > o->high) {
                diag_error(v->d, t.place, "%s is a time such as 90s, 5m, 24h or 7d, from %s to %s", o->name,
                           duration_print(o->low, low), duration_print(o->high, high));
                return false;
        }
        *(struct number *)ret = (struct number){ .place = t.place, .value = us };
        return true;
}

static bool parse_size(struct values *v, const struct option *o, struct token t, void *ret)
{
        int64_t bytes = LIMIT_NONE;
        char low[SIZE_TEXT_MAX], high[SIZE_TEXT_MAX];
        if (!slice_eq(t.text, S("none")) && (!size_parse(t.text, &bytes) || bytes < o->low || bytes > o->high)) {
                diag_error(v->d, t.place, "%s is a size such as 500M or 2G, from %s to %s, or none", o->name,
                           size_print(o->low, low), size_print(o->high, high));
                return false;
        }
        *(struct number *)ret = (struct number){ .place = t.place, .value = bytes };
        return true;
}

static bool parse_limit(struct values *v, const struct option *o, struct token t, void *ret)
{
        uint64_t n = 0;
        bool none = slice_eq(t.text, S("none"));
        if (!none && (!slice_u64(t.text, (uint64_t)o->high, &n) || (int64_t)n < o->low)) {
                diag_error(v->d, t.place, "%s is a number from %lld to %lld, or none", o->name, (long long)o->low,
                           (long long)o->high);
                return false;
        }
        *(struct number *)ret = (struct number){ .place = t.place, .value = none ? LIMIT_NONE : (int64_t)n };
        return true;
}

/* Decimal, with up to six places behind the point. */
static bool points_parse(struct slice s, double *ret)
{
        struct slice behind;
        struct slice before = slice_cut(s, '.', &behind);
        uint64_t whole, part = 0;
        double unit = 1;
        if (!slice_u64(before, UINT32_MAX, &whole))
                return false;
        if (behind.p && (behind.n > 6 || !slice_u64(behind, UINT32_MAX, &part)))
                return false;
        for (size_t i = 0; i < behind.n; i++)
                unit *= 10;
        *ret = (double)whole + (double)part / unit;
        return true;
}

static bool parse_points(struct values *v, const struct option *o, struct token t, void *ret)
{
        double points;
        if (!points_parse(t.text, &points) || points < (double)o->low || points > (double)o->high) {
                diag_error(v->d, t.place, "%s is a number of points from %lld to %lld, such as 5 or 0.01", o->name,
                           (long long)o->low, (long long)o->high);
                return false;
        }
        *(struct real *)ret = (struct real){ .place = t.place, .value = points };
        return true;
}

static bool parse_ports(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct slice high;
        struct slice low = slice_cut(t.text, '-', &high);
        uint64_t from, to;
        if (!slice_u64(low, 65535, &from) || !slice_u64(high, 65535, &to) || from == 0 || to < from) {
                diag_error(v->d, t.place, "%s is a range such as 1024-65535, from 1 to 65535", o->name);
                return false;
        }
        *(struct range *)ret = (struct range){ .place = t.place, .low = (uint16_t)from, .high = (uint16_t)to };
        return true;
}

/* The gate marks packets with the value and with the value whose lowest mask bit is toggled: both must differ from no
 * mark. */
static bool parse_mark(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct slice second;
        struct slice first = slice_cut(t.text, '/', &second);
        uint64_t value, mask = UINT32_MAX;
        if (!number_parse(first, UINT32_MAX, &value) || (second.p && !number_parse(second, UINT32_MAX, &mask))) {
                diag_error(v->d, t.place, "%s is VALUE/MASK, such as 0x2500/0xff00", o->name);
                return false;
        }
        uint64_t beside = value ^ (mask & -mask);
        if (value & ~mask) {
                diag_error(v->d, t.place, "the mark has bits outside its mask");
                return false;
        }
        if (mask == 0 || value == 0 || beside == 0) {
                diag_error(v->d, t.place,
                           "the mask has no room for this mark and one more beside it, neither of them zero");
                diag_note(v->d, nowhere,
                          "the second is the mark with the lowest bit of its mask toggled; 0x2500/0xff00 has room");
                return false;
        }
        *(struct mark *)ret = (struct mark){ .place = t.place, .value = (uint32_t)value, .mask = (uint32_t)mask };
        return true;
}

static bool parse_edge_where(struct values *v, const struct option *o, struct token t, void *ret)
{
        static const char *const ways[] = { "local", "route", "dnat", NULL };
        struct option choice = *o;
        struct number where;
        choice.choices = ways;
        if (!parse_choice(v, &choice, t, &where))
                return false;
        *(struct edge *)ret = (struct edge){ .place = t.place, .where = (enum edge_where)where.value };
        return true;
}

static bool parse_listen(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct listen listen = { .place = t.place };
        if (!addr_port_parse(t.text, &listen.addr, &listen.port)) {
                diag_error(v->d, t.place, "%s is ADDRESS:PORT, such as 192.0.2.1:1813 or [2001:db8::1]:1813", o->name);
                return false;
        }
        *(struct listen *)ret = listen;
        return true;
}

static bool parse_path(struct values *v, const struct option *o, struct token t, void *ret)
{
        bool good = t.text.n > 1 && t.text.n <= PATH_TEXT_MOST && t.text.p[0] == '/' && t.text.p[t.text.n - 1] != '/';
        for (size_t i = 0; good && i < t.text.n; i++)
                good = (unsigned char)t.text.p[i] >= ' ' && t.text.p[i] != 0x7f;
        if (!good) {
                diag_error(v->d, t.place, "%s is the path of a file, from / on", o->name);
                return false;
        }
        *(struct word *)ret = (struct word){ .place = t.place, .text = t.text };
        return true;
}

/* "port" may stand before the first (parser.c). */
static bool parse_submission(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct submission *list = ret;
        uint16_t port;
        if (!value_parse_port(v, t, &port))
                return false;
        for (size_t i = 0; i < list->n; i++)
                if (list->port[i] == port) {
                        diag_error(v->d, t.place, "port %u is written twice", port);
                        return false;
                }
        if (port == 25) {
                diag_error(v->d, t.place, "port 25 is for mail between servers; customers submit on 587 or 465");
                return false;
        }
        if (list->n == EDGE_PORTS_MOST) {
                diag_error(v->d, t.place, "%s has %d ports at most", o->name, EDGE_PORTS_MOST);
                return false;
        }
        list->port[list->n++] = port;
        return true;
}

static bool parse_certificate(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct certificates *list = ret;
        struct word name;
        if (!parse_host_name(v, o, t, &name))
                return false;
        list->v = grow_list(v, list->v, &list->cap, list->n + 1, sizeof *list->v);
        list->v[list->n++] = (struct certificate){ .place = t.place, .name = name.text };
        return true;
}

bool value_parse_mta(struct values *v, struct token t, struct policy_mta *ret)
{
        struct policy_mta mta = { .place = t.place };
        bool path = slice_starts(t.text, S("unix:/"));
        if (path)
                mta.path = slice_from(t.text, 5);
        if (path ? mta.path.n > 100 : !addr_port_parse(t.text, &mta.addr, &mta.port) || mta.port == 0) {
                diag_error(v->d, t.place,
                           path ? "the path of a Unix socket has 100 bytes at most"
                                : "an MTA is ADDRESS:PORT, such as 127.0.0.1:10025, or unix:/PATH");
                return false;
        }
        *ret = mta;
        return true;
}

bool value_parse_path(struct values *v, const char *name, struct token t, struct slice *ret)
{
        const struct option o = { .name = name };
        struct word path;
        if (!parse_path(v, &o, t, &path))
                return false;
        *ret = path.text;
        return true;
}

static bool parse_next_hop(struct values *v, const struct option *o, struct token t, void *ret)
{
        static const char *const ways[] = { "relay", "maildir", NULL };
        struct option choice = *o;
        struct number which;
        choice.choices = ways;
        if (!parse_choice(v, &choice, t, &which))
                return false;
        *(struct next_hop *)ret = (struct next_hop){ .place = t.place, .maildir = which.value == 1 };
        return true;
}

static bool parse_sender(struct values *v, const struct option *o, struct token t, void *ret)
{
        struct word checked;
        struct token whole = t;
        if (slice_starts(t.text, S("@"))) {
                t.text = slice_from(t.text, 1);
                return parse_host_name(v, o, t, &checked) && add_word(v, whole, ret);
        }
        return parse_email(v, o, t, &checked) && add_word(v, whole, ret);
}

bool value_parse(struct values *v, const struct option *o, struct token t, void *ret)
{
        static bool (*const parsers[OPTION_TYPE_COUNT])(struct values *, const struct option *, struct token,
                                                        void *) = {
                [OPTION_TEXT] = parse_word,
                [OPTION_HOST_NAME] = parse_host_name,
                [OPTION_EMAIL] = parse_email,
                [OPTION_ZONE] = parse_word,
                [OPTION_TIME] = parse_word,
                [OPTION_INTERFACE] = parse_interface,
                [OPTION_NAME] = parse_word,
                [OPTION_NAMES] = parse_name_in_list,
                [OPTION_SUBSCRIBERS] = parse_subscriber,
                [OPTION_HOSTS] = parse_host,
                [OPTION_PREFIXES] = parse_prefix,
                [OPTION_POOL_PREFIXES] = parse_prefix,
                [OPTION_CHOICE] = parse_choice,
                [OPTION_NUMBER] = parse_number,
                [OPTION_DURATION] = parse_duration,
                [OPTION_SIZE] = parse_size,
                [OPTION_LIMIT] = parse_limit,
                [OPTION_POINTS] = parse_points,
                [OPTION_PORTS] = parse_ports,
                [OPTION_MARK] = parse_mark,
                [OPTION_EDGE] = parse_edge_where,
                [OPTION_LISTEN] = parse_listen,
                [OPTION_PATH] = parse_path,
                [OPTION_SUBMISSION] = parse_submission,
                [OPTION_CERTIFICATES] = parse_certificate,
                [OPTION_NEXT_HOP] = parse_next_hop,
                [OPTION_SENDERS] = parse_sender,
        };
        return parsers[o->type](v, o, t, ret);
}
