/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/category.h"

#include <hs.h>

#define NAME(id, name) name,
#define KIND(k) (UINT32_C(1) << MAIL_##k)

/* Most of them want a certain beginning, too: that is compared, and not a part of the automaton, which so is made in a millisecond. */
struct built_in {
        uint32_t kinds;
        enum category_field field;
        const char *starts, *holds; /* "": anyhow */
        enum category category;
};

#define REFUSALS KIND(REJECT), CATEGORY_OF_TEXT
#define REPLIES                                                                                                        \
        KIND(DELIVERY) | KIND(SAID), CATEGORY_OF_REPLY /* of remote servers: what they think is spam from here */

static const struct built_in built_in[] = {
        { REFUSALS, "Data command rejected: Improper use of SMTP command pipelining", "", CATEGORY_PROTOCOL },
        { REFUSALS, "Client host rejected: Improper use of SMTP command pipelining", "", CATEGORY_PROTOCOL },
        { REFUSALS, "Helo command rejected: Improper use of SMTP command pipelining", "", CATEGORY_PROTOCOL },
        { REFUSALS, "Sender address rejected: Improper use of SMTP command pipelining", "", CATEGORY_PROTOCOL },
        { REFUSALS, "Recipient address rejected: Improper use of SMTP command pipelining", "", CATEGORY_PROTOCOL },
        { REFUSALS, "Recipient address rejected: ", "user unknown in ", CATEGORY_LOCAL },
        { REFUSALS, "User unknown", "", CATEGORY_LOCAL },
        { REFUSALS, "Sender address rejected: ", "message rate", CATEGORY_RATE },
        { REFUSALS, "Sender address rejected: ", "domain not found", CATEGORY_DOMAIN },
        { REFUSALS, "Sender address rejected: ", "domain of sender address", CATEGORY_DOMAIN },
        { REFUSALS, "Sender address rejected: ", "not logged in", CATEGORY_NOT_LOGGED },
        { REFUSALS, "Sender address rejected: ", "not owned by ", CATEGORY_NOT_OWNED },
        { REFUSALS, "Sender address rejected: ", "spf", CATEGORY_SPF },
        { REFUSALS, "Sender address rejected: ", "access denied", CATEGORY_SENDER_DENIED },
        { REFUSALS, "Sender address rejected: ", "greylist", CATEGORY_GREYLIST },
        { REFUSALS, "Sender address rejected: ", "", CATEGORY_SENDER_OTHER },
        { REFUSALS, "Relay access denied", "", CATEGORY_RELAY_DENIED },
        { REFUSALS, "Relaying denied", "", CATEGORY_RELAY_DENIED },
        { REFUSALS, "Recipient address rejected: ", "relay access denied", CATEGORY_RELAY_DENIED },
        { REFUSALS, "Service unavailable; ", "blocked using ", CATEGORY_RBL },
        { REFUSALS, "Service unavailable; ", "blocked by ", CATEGORY_RBL },
        { REFUSALS, "Recipient address rejected: ", "greylist", CATEGORY_GREYLIST },
        { REFUSALS, "Recipient address rejected: ", "spf", CATEGORY_SPF },
        { REFUSALS, "Recipient address rejected: ", "message rate", CATEGORY_RATE },
        { REFUSALS, "Recipient address rejected: ", "rate limit", CATEGORY_RATE },
        { REFUSALS, "Recipient address rejected: ", "quota", CATEGORY_RATE },
        { REFUSALS, "Recipient address rejected: ", "", CATEGORY_RECIPIENT },
        { REFUSALS, "Helo command rejected", "", CATEGORY_HELO },
        { REFUSALS, "Client host rejected: ", "greylist", CATEGORY_GREYLIST },
        { REFUSALS, "Client host rejected", "", CATEGORY_CLIENT },
        { REFUSALS, "Client host [", "blocked using ", CATEGORY_RBL },
        { REFUSALS, "Error: too many connections", "", CATEGORY_RATE },
        { REFUSALS, "Error: too much mail", "", CATEGORY_RATE },
        { REFUSALS, "too many connections", "", CATEGORY_RATE },
        { REFUSALS, "all server ports busy", "", CATEGORY_RATE },
        { REFUSALS, "Message size exceeds", "", CATEGORY_SIZE },
        { REFUSALS, "message size ", "", CATEGORY_SIZE },
        { REFUSALS, "Protocol error", "", CATEGORY_PROTOCOL },
        { REFUSALS, "Improper use of SMTP command pipelining", "", CATEGORY_PROTOCOL },
        { REFUSALS, "relay not permitted", "", CATEGORY_RELAY_DENIED }, /* these are Exim's */
        { REFUSALS, "Unrouteable address", "", CATEGORY_LOCAL },
        { REFUSALS, "Sender verify failed", "", CATEGORY_SENDER_OTHER },
        { REFUSALS, "syntactically invalid argument", "", CATEGORY_HELO },
        { REFUSALS, "message too big", "", CATEGORY_SIZE },
        { REFUSALS, "SMTP protocol synchronization error", "", CATEGORY_PROTOCOL },
        { REFUSALS, "", " is listed at ", CATEGORY_RBL },
        { REFUSALS, "", "black list", CATEGORY_RBL },
        { REFUSALS, "", "greylist", CATEGORY_GREYLIST },
        { REFUSALS, "", "virus", CATEGORY_VIRUS },
        { REFUSALS, "", "infected", CATEGORY_VIRUS },
        { REFUSALS, "", "malware", CATEGORY_VIRUS },
        { REFUSALS, "", "spam", CATEGORY_SPAM },
        { REFUSALS, "", "spf", CATEGORY_SPF },
        { REFUSALS, "", "rate limit", CATEGORY_RATE },
        { REPLIES, "", "blocked using ", CATEGORY_REMOTE_LISTED },
        { REPLIES, "", "spamhaus", CATEGORY_REMOTE_LISTED },
        { REPLIES, "", "spamcop", CATEGORY_REMOTE_LISTED },
        { REPLIES, "", "block list", CATEGORY_REMOTE_LISTED },
        { REPLIES, "", "blocklist", CATEGORY_REMOTE_LISTED },
        { REPLIES, "", "blacklist", CATEGORY_REMOTE_LISTED },
        { REPLIES, "", "dnsbl", CATEGORY_REMOTE_LISTED },
        { REPLIES, "", "4\\.7\\.28", CATEGORY_REMOTE_RATE },
        { REPLIES, "", "unusual rate of", CATEGORY_REMOTE_RATE },
        { REPLIES, "", "\\[tss", CATEGORY_REMOTE_SPAM },
        { REPLIES, "", "user complaints", CATEGORY_REMOTE_SPAM },
        { REPLIES, "", "spam", CATEGORY_REMOTE_SPAM },
        { REPLIES, "", "unsolicited", CATEGORY_REMOTE_SPAM },
        { REPLIES, "", "bad reputation", CATEGORY_REMOTE_SPAM },
};

enum { RULES_MOST = CATEGORY_RULES_MOST + COUNT_OF(built_in), WORDS = (RULES_MOST + 63) / 64 };

struct rule {
        uint32_t kinds;
        uint64_t daemons;
        enum category_field field;
        struct slice starts;
        const char *pattern; /* NULL: none, its start decides */
        uint8_t category;
};

struct categories {
        struct rule rules[RULES_MOST];
        size_t n, own;                                /* the first `own` are the policy's */
        hs_database_t *automata[CATEGORY_FIELDS_ALL]; /* NULL: no rule looks at this field */
        uint32_t kinds[CATEGORY_FIELDS_ALL];          /* of the rules of a field */
        char *names[CATEGORIES_ALL + CATEGORY_NAMES_MOST];
        size_t n_names;
};

struct category_scratch {
        hs_scratch_t *hs;
};

/* --- making --- */

size_t categories_end(const struct categories *c)
{
        return c->n_names;
}

size_t categories_rules(const struct categories *c)
{
        return c->own;
}

const char *categories_name(const struct categories *c, size_t category)
{
        return category < c->n_names ? c->names[category] : "other";
}

size_t categories_find(const struct categories *c, struct slice name)
{
        size_t i = 0;
        while (i < c->n_names && !slice_eq(slice_of(c->names[i]), name))
                i++;
        return i;
}

uint32_t categories_kinds(const struct categories *c)
{
        uint32_t kinds = KIND(REJECT) | KIND(CHECK);
        for (size_t f = 0; f < CATEGORY_FIELDS_ALL; f++)
                kinds |= c->kinds[f];
        return kinds;
}

static size_t name_category(struct categories *c, struct slice name)
{
        size_t i = categories_find(c, name);
        if (i == c->n_names && i < COUNT_OF(c->names))
                c->names[c->n_names++] = slice_dup(name);
        return i;
}

/* The patterns of a field as one automaton. */
static bool compile(struct categories *c, enum category_field field, size_t *wrong, struct buf *why)
{
        const char *of[RULES_MOST];
        unsigned flags[RULES_MOST], ids[RULES_MOST], n = 0;
        for (size_t i = 0; i < c->n; i++) {
                const struct rule *r = &c->rules[i];
                c->kinds[field] |= r->field == field ? r->kinds : 0;
                if (r->field != field || !r->pattern)
                        continue;
                of[n] = r->pattern;
                flags[n] = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL | HS_FLAG_ALLOWEMPTY;
                ids[n++] = (unsigned)i;
        }
        hs_compile_error_t *error = NULL;
        if (n == 0 ||
            hs_compile_multi(of, flags, ids, n, HS_MODE_BLOCK, NULL, &c->automata[field], &error) == HS_SUCCESS)
                return true;
        *wrong = error->expression >= 0 ? ids[error->expression] : c->own;
        buf_adds(why, error->message);
        hs_free_compile_error(error);
        return false;
}

static void add_rules(struct categories *c, const struct category_rule *rules, size_t n)
{
        for (size_t i = 0; i < n && i < CATEGORY_RULES_MOST; i++)
                c->rules[c->n++] = (struct rule){ .kinds = rules[i].kinds,
                                                  .daemons = rules[i].daemons,
                                                  .field = rules[i].field,
                                                  .pattern = rules[i].pattern,
                                                  .category = (uint8_t)name_category(c, rules[i].category) };
        c->own = c->n;
        for (size_t i = 0; i < COUNT_OF(built_in); i++)
                c->rules[c->n++] = (struct rule){ .kinds = built_in[i].kinds,
                                                  .field = built_in[i].field,
                                                  .starts = slice_of(built_in[i].starts),
                                                  .pattern = *built_in[i].holds ? built_in[i].holds : NULL,
                                                  .category = (uint8_t)built_in[i].category };
}

struct categories *categories_new(const struct category_rule *rules, size_t n, size_t *wrong, struct buf *why)
{
        static const char *const names[] = { CATEGORIES(NAME) };
        struct categories *c = xcalloc(1, sizeof *c);
        for (size_t i = 0; i < COUNT_OF(names); i++)
                name_category(c, slice_of(names[i]));
        add_rules(c, rules, n);
        *wrong = c->own;
        bool able = hs_valid_platform() == HS_SUCCESS;
        if (!able)
                buf_adds(why, "Vectorscan does not run on this processor (it wants SSSE3, or NEON)");
        for (size_t f = 0; f < CATEGORY_FIELDS_ALL && able; f++)
                able = compile(c, (enum category_field)f, wrong, why);
        if (able)
                return c;
        categories_free(c);
        return NULL;
}

void categories_free(struct categories *c)
{
        if (!c)
                return;
        for (size_t i = 0; i < CATEGORY_FIELDS_ALL; i++)
                hs_free_database(c->automata[i]);
        for (size_t i = 0; i < c->n_names; i++)
                free(c->names[i]);
        free(c);
}

void categories_free_(struct categories **c)
{
        categories_free(*c);
}

struct category_scratch *category_scratch_new(const struct categories *c)
{
        struct category_scratch *s = xcalloc(1, sizeof *s);
        for (size_t i = 0; i < CATEGORY_FIELDS_ALL; i++)
                if (c->automata[i] && hs_alloc_scratch(c->automata[i], &s->hs) != HS_SUCCESS)
                        panic("out of memory (scratch)");
        return s;
}

void category_scratch_free(struct category_scratch *s)
{
        if (s)
                hs_free_scratch(s->hs);
        free(s);
}

/* --- asking --- */

/* Without what stands in angle brackets. */
static struct slice plain(struct slice s, char out[CATEGORY_TEXT_MOST])
{
        size_t n = 0;
        for (size_t i = 0; i < s.n && n < CATEGORY_TEXT_MOST; i++) {
                const char *end = s.p[i] == '<' ? memchr(s.p + i, '>', s.n - i) : NULL;
                if (end)
                        i = (size_t)(end - s.p);
                else
                        out[n++] = s.p[i];
        }
        return (struct slice){ out, n };
}

bool category_reply(const struct mail_event *e, struct slice *ret)
{
        struct slice text = e->text;
        if (e->daemon == MAIL_BY_EXIM) {
                *ret = text;
                return e->kind == MAIL_DELIVERY && e->status != MAIL_SENT && e->code;
        }
        if (e->kind == MAIL_SAID) {
                *ret = text;
                return e->client.address.p != NULL;
        }
        while (slice_starts(text, S("delivery temporarily suspended: ")))
                text = slice_from(text, 32);
        if (e->kind != MAIL_DELIVERY || e->status == MAIL_SENT || !slice_starts(text, S("host ")))
                return false;
        text = slice_from(text, 5);
        size_t at = slice_find(text, ' ');
        *ret = slice_from(text, at);
        return slice_starts(*ret, S(" said: ")) || slice_starts(*ret, S(" refused to talk to me: "));
}

static struct slice field_of(const struct mail_event *e, enum category_field f, char room[CATEGORY_TEXT_MOST])
{
        struct slice reply = { 0 };
        switch (f) {
        case CATEGORY_OF_TEXT:
                return plain(e->text, room);
        case CATEGORY_OF_REPLY:
                return category_reply(e, &reply) ? plain(reply, room) : (struct slice){ 0 };
        case CATEGORY_OF_FROM:
                return e->from;
        case CATEGORY_OF_TO:
                return e->to;
        case CATEGORY_OF_HELO:
                return e->helo;
        case CATEGORY_OF_CLIENT_NAME:
                return e->client.name;
        case CATEGORY_OF_CLIENT_ADDRESS:
                return e->client.address;
        case CATEGORY_OF_LOGIN:
                return e->login;
        case CATEGORY_OF_METHOD:
                return e->method;
        default:
                return e->action;
        }
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *hits)
{
        (void)from, (void)to, (void)flags;
        ((uint64_t *)hits)[id / 64] |= UINT64_C(1) << id % 64;
        return 0;
}

static bool holds(const struct rule *r, const struct mail_event *e, struct slice text, bool hit)
{
        return r->kinds >> e->kind & 1 && (!r->daemons || r->daemons >> e->daemon & 1) && (hit || !r->pattern) &&
               slice_starts(text, r->starts);
}

/* The first rule that holds; c->n: none. */
static size_t first_rule(const struct categories *c, struct category_scratch *s, const struct mail_event *e)
{
        size_t first = c->n;
        for (size_t f = 0; f < CATEGORY_FIELDS_ALL; f++) {
                char room[CATEGORY_TEXT_MOST];
                uint64_t hits[WORDS] = { 0 };
                struct slice text = c->kinds[f] >> e->kind & 1 ? field_of(e, (enum category_field)f, room) : S("");
                size_t n = text.n < CATEGORY_TEXT_MOST ? text.n : CATEGORY_TEXT_MOST;
                if (n == 0)
                        continue;
                if (c->automata[f])
                        hs_scan(c->automata[f], text.p, (unsigned)n, 0, s->hs, on_match, hits);
                for (size_t i = 0; i < first; i++)
                        if (c->rules[i].field == f && holds(&c->rules[i], e, text, hits[i / 64] >> i % 64 & 1))
                                first = i;
        }
        return first;
}

static enum category otherwise(const struct mail_event *e)
{
        return mail_refuses(e) ? CATEGORY_OTHER : CATEGORY_NONE;
}

uint8_t category_of(const struct categories *c, struct category_scratch *s, const struct mail_event *e, size_t *rule)
{
        size_t first = e->odd ? c->n : first_rule(c, s, e);
        if (rule)
                *rule = first < c->own ? first : c->own;
        return first < c->n ? c->rules[first].category : (uint8_t)otherwise(e);
}
