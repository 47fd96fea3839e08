/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/category.h"

#define NAME(id, name) name,

enum { TEXT_MOST = 1024 }; /* of a reply: what is said later than that is not read */

struct row {
        struct slice starts; /* how the reply begins; empty: anyhow */
        struct slice holds;  /* what it says anywhere behind that, in any case; empty: nothing more */
        enum category category;
};

#define SENDER S("Sender address rejected: ")
#define RECIPIENT S("Recipient address rejected: ")
#define SERVICE S("Service unavailable; ")
#define ANYHOW S("")

static const struct row refusals[] = {
        { RECIPIENT, S("user unknown in "), CATEGORY_LOCAL },
        { S("User unknown"), ANYHOW, CATEGORY_LOCAL },
        { SENDER, S("message rate"), CATEGORY_RATE },
        { SENDER, S("domain not found"), CATEGORY_DOMAIN },
        { SENDER, S("domain of sender address"), CATEGORY_DOMAIN },
        { SENDER, S("not logged in"), CATEGORY_NOT_LOGGED },
        { SENDER, S("not owned by "), CATEGORY_NOT_OWNED },
        { SENDER, S("spf"), CATEGORY_SPF },
        { SENDER, S("access denied"), CATEGORY_SENDER_DENIED },
        { SENDER, S("greylist"), CATEGORY_GREYLIST },
        { SENDER, ANYHOW, CATEGORY_SENDER_OTHER },
        { S("Relay access denied"), ANYHOW, CATEGORY_RELAY_DENIED },
        { S("Relaying denied"), ANYHOW, CATEGORY_RELAY_DENIED },
        { RECIPIENT, S("relay access denied"), CATEGORY_RELAY_DENIED },
        { SERVICE, S("blocked using "), CATEGORY_RBL },
        { SERVICE, S("blocked by "), CATEGORY_RBL },
        { RECIPIENT, S("greylist"), CATEGORY_GREYLIST },
        { RECIPIENT, S("spf"), CATEGORY_SPF },
        { RECIPIENT, S("message rate"), CATEGORY_RATE },
        { RECIPIENT, S("rate limit"), CATEGORY_RATE },
        { RECIPIENT, S("quota"), CATEGORY_RATE },
        { RECIPIENT, ANYHOW, CATEGORY_RECIPIENT },
        { S("Helo command rejected"), ANYHOW, CATEGORY_HELO },
        { S("Client host rejected: "), S("greylist"), CATEGORY_GREYLIST },
        { S("Client host rejected"), ANYHOW, CATEGORY_CLIENT },
        { S("Client host ["), S("blocked using "), CATEGORY_RBL },
        { S("Error: too many connections"), ANYHOW, CATEGORY_RATE },
        { S("Error: too much mail"), ANYHOW, CATEGORY_RATE },
        { S("too many connections"), ANYHOW, CATEGORY_RATE },
        { S("all server ports busy"), ANYHOW, CATEGORY_RATE },
        { S("Message size exceeds"), ANYHOW, CATEGORY_SIZE },
        { S("message size "), ANYHOW, CATEGORY_SIZE },
        { S("Protocol error"), ANYHOW, CATEGORY_PROTOCOL },
        { S("Improper use of SMTP command pipelining"), ANYHOW, CATEGORY_PROTOCOL },
        { ANYHOW, S("greylist"), CATEGORY_GREYLIST },
        { ANYHOW, S("virus"), CATEGORY_VIRUS },
        { ANYHOW, S("infected"), CATEGORY_VIRUS },
        { ANYHOW, S("malware"), CATEGORY_VIRUS },
        { ANYHOW, S("spam"), CATEGORY_SPAM },
        { ANYHOW, S("spf"), CATEGORY_SPF },
        { ANYHOW, S("rate limit"), CATEGORY_RATE },
};

/* What remote servers say of mail that they think is spam from here. */
static const struct row remote[] = {
        { ANYHOW, S("blocked using "), CATEGORY_REMOTE_LISTED },
        { ANYHOW, S("spamhaus"), CATEGORY_REMOTE_LISTED },
        { ANYHOW, S("spamcop"), CATEGORY_REMOTE_LISTED },
        { ANYHOW, S("block list"), CATEGORY_REMOTE_LISTED },
        { ANYHOW, S("blocklist"), CATEGORY_REMOTE_LISTED },
        { ANYHOW, S("blacklist"), CATEGORY_REMOTE_LISTED },
        { ANYHOW, S("dnsbl"), CATEGORY_REMOTE_LISTED },
        { ANYHOW, S("4.7.28"), CATEGORY_REMOTE_RATE },
        { ANYHOW, S("unusual rate of"), CATEGORY_REMOTE_RATE },
        { ANYHOW, S("[tss"), CATEGORY_REMOTE_SPAM }, /* Yahoo: [TSS04] … temporarily deferred due to user complaints */
        { ANYHOW, S("user complaints"), CATEGORY_REMOTE_SPAM },
        { ANYHOW, S("spam"), CATEGORY_REMOTE_SPAM },
        { ANYHOW, S("unsolicited"), CATEGORY_REMOTE_SPAM },
        { ANYHOW, S("bad reputation"), CATEGORY_REMOTE_SPAM },
};

const char *category_name(enum category c)
{
        static const char *const names[] = { CATEGORIES(NAME) };
        return c < COUNT_OF(names) ? names[c] : "other";
}

/* In small letters, without what stands in angle brackets. */
static struct slice plain(struct slice s, char out[TEXT_MOST])
{
        size_t n = 0;
        for (size_t i = 0; i < s.n && n < TEXT_MOST; i++) {
                const char *end = s.p[i] == '<' ? memchr(s.p + i, '>', s.n - i) : NULL;
                if (end)
                        i = (size_t)(end - s.p);
                else
                        out[n++] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]);
        }
        return (struct slice){ out, n };
}

static enum category first_of(const struct row *rows, size_t n, struct slice text, enum category otherwise)
{
        char small[TEXT_MOST];
        struct slice said = plain(text, small);
        for (size_t i = 0; i < n; i++) {
                struct slice holds = rows[i].holds;
                if (slice_starts(text, rows[i].starts) && (!holds.n || memmem(said.p, said.n, holds.p, holds.n)))
                        return rows[i].category;
        }
        return otherwise;
}

/* "host name[address] said: 554 …": the reply, as a delivery tells it. */
static bool reply_of(struct slice text, struct slice *ret)
{
        while (slice_starts(text, S("delivery temporarily suspended: ")))
                text = slice_from(text, 32);
        if (!slice_starts(text, S("host ")))
                return false;
        text = slice_from(text, 5);
        size_t at = slice_find(text, ' ');
        *ret = slice_from(text, at);
        return slice_starts(*ret, S(" said: ")) || slice_starts(*ret, S(" refused to talk to me: "));
}

enum category category_of(const struct mail_event *e)
{
        struct slice reply;
        switch (e->kind) {
        case MAIL_REJECT:
                return e->odd ? CATEGORY_OTHER : first_of(refusals, COUNT_OF(refusals), e->text, CATEGORY_OTHER);
        case MAIL_CHECK:
                return slice_ends(e->action, S("reject")) ? CATEGORY_OTHER : CATEGORY_NONE;
        case MAIL_SAID:
                return e->client.address.p ? first_of(remote, COUNT_OF(remote), e->text, CATEGORY_NONE) : CATEGORY_NONE;
        case MAIL_DELIVERY:
                if (e->status == MAIL_SENT || !reply_of(e->text, &reply))
                        return CATEGORY_NONE;
                return first_of(remote, COUNT_OF(remote), reply, CATEGORY_NONE);
        default:
                return CATEGORY_NONE;
        }
}
