/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/batch.h"

#include "base/time.h"
#include "maillog/gaps.h"
#include "maillog/parse.h"

enum { REPEATED_MOST = 1 << 18 /* entries of a piece, with what is repeated */ };
enum { HEADS = 1024, REASON_MOST = 160 };

/* What host and program come to: some 30 pairs of them stand in all lines. */
struct head {
        uint64_t hash; /* of both */
        uint32_t place;
        uint8_t daemon;
};

struct batch_inside {
        struct batch_common *common;
        struct category_scratch *scratch;
        struct head heads[HEADS];
        uint32_t categorised; /* bits of enum mail_kind: of these a category is asked for */
        struct buf reasons;   /* texts that do not stand in the piece as they are */
};

/* --- host and program --- */

static uint32_t place_of(struct batch_common *c, struct slice host, struct slice instance)
{
        char text[512];
        size_t h = host.n < 255 ? host.n : 255, i = instance.n < 255 ? instance.n : 255;
        memcpy(text, host.p, h);
        text[h] = ' ';
        if (i)
                memcpy(text + h + 1, instance.p, i);
        struct slice whole = { text, h + 1 + i };
        pthread_mutex_lock(&c->lock);
        uint32_t place = names_id(c->places, whole, names_hash(whole));
        pthread_mutex_unlock(&c->lock);
        return place;
}

static const struct head *head_of(struct batch_inside *in, struct slice host, struct slice program)
{
        bool apart = host.p + host.n + 1 != program.p; /* but for Exim's own files, one blank is between them */
        struct slice both = apart ? program : (struct slice){ host.p, host.n + 1 + program.n };
        uint64_t hash = names_hash(both);
        struct head *h = &in->heads[hash % HEADS];
        if (h->hash == hash && h->place)
                return h;
        struct slice instance = { 0 };
        h->hash = hash;
        h->daemon = (uint8_t)mail_daemon_of(program, &instance);
        h->place = h->daemon ? place_of(in->common, host, instance) : NAMES_OTHERS;
        return h;
}

/* --- entries --- */

static struct entry_text text_at(const struct batch *b, struct slice s)
{
        if (!s.n)
                return (struct entry_text){ 0 };
        return (struct entry_text){ (uint32_t)(s.p - b->text.p), (uint32_t)s.n, names_hash(s) };
}

/* An IPv4 address is one key, in whichever form. */
static struct slice address_of(struct slice s)
{
        return s.n > 7 && *s.p == ':' && slice_starts(s, S("::ffff:")) && memchr(s.p, '.', s.n) ? slice_from(s, 7) : s;
}

static bool is_local(struct slice address)
{
        return slice_starts(address, S("127.")) || slice_eq(address, S("::1"));
}

/* Why a delivery failed, in a form that many share: who said it, numbers as '#', without what stands in angle brackets. */
static struct entry_text reason_of(struct batch *b, const struct mail_event *e)
{
        char text[REASON_MOST];
        size_t n = 0;
        bool number = false;
        struct buf *out = &b->inside->reasons;
        size_t start = out->n;
        struct slice said = e->text;
        category_reply(e, &said);
        buf_add(out, e->client.name.n ? e->client.name : S("here"));
        buf_adds(out, said.n && *said.p == ' ' ? ":" : ": ");
        for (size_t i = 0; i < said.n && n < REASON_MOST; i++) {
                char c = said.p[i];
                const char *end = c == '<' ? memchr(said.p + i, '>', said.n - i) : NULL;
                bool digit = (unsigned)(c - '0') < 10;
                if (end)
                        i = (size_t)(end - said.p);
                else if (!digit || !number)
                        text[n++] = digit ? '#' : c;
                number = digit;
        }
        buf_add(out, (struct slice){ text, n });
        struct slice whole = { out->p + start, out->n - start };
        return (struct entry_text){ (uint32_t)start, (uint32_t)whole.n, names_hash(whole) };
}

static void begin(const struct batch *b, struct entry *n, const struct mail_event *e)
{
        struct slice address = address_of(e->client.address);
        n->kind = address.n ? MAIL_CLIENT : MAIL_PICKUP;
        n->local = !address.n || is_local(address);
        n->who = text_at(b, address);
        n->login = text_at(b, e->login);
}

static void identify(struct entry *n, const struct mail_event *e)
{
        n->kind = MAIL_MESSAGE_ID;
        n->identity = e->message_id.n > 2 ? names_hash(e->message_id) | 1 : 0;
}

static void queue(const struct batch *b, struct entry *n, const struct mail_event *e)
{
        n->kind = MAIL_QUEUED;
        n->size = e->size;
        n->nrcpt = e->nrcpt < UINT32_MAX ? (uint32_t)e->nrcpt : UINT32_MAX;
        n->who = text_at(b, e->from);
        n->identity = (n->who.n ? n->who.hash : 1) | 1;
}

static void deliver(struct batch *b, struct entry *n, const struct mail_event *e)
{
        n->status = (uint8_t)e->status;
        n->forwarded = e->status == MAIL_SENT && slice_starts(e->text, S("forwarded as "));
        if (b->inside->common->keeps_reasons && e->status > MAIL_SENT && e->status < MAIL_OTHER_STATUS)
                n->login = reason_of(b, e);
}

static void say(const struct batch *b, struct entry *n, const struct mail_event *e)
{
        n->who = text_at(b, address_of(e->client.address));
        n->login = text_at(b, e->login);
        n->refuses = mail_refuses(e);
        n->odd = e->odd;
        n->spam = e->kind == MAIL_CONTENT && slice_ieq(e->action, S("SPAM"));
        n->virus = e->kind == MAIL_CONTENT && slice_ieq(e->action, S("VIRUS"));
}

/* The place for one more. */
static struct entry *add(struct batch *b)
{
        if (b->n == b->cap)
                b->v = xgrow(b->v, &b->cap, b->n + 1, sizeof *b->v);
        b->v[b->n] = (struct entry){ 0 };
        return &b->v[b->n++];
}

static struct entry *add_copy(struct batch *b, const struct entry *from)
{
        struct entry copy = *from, *n = add(b);
        *n = copy;
        return n;
}

/* A line that says all at once is as many entries as another server has lines. */
static void arrive(struct batch *b, struct entry *n, const struct mail_event *e)
{
        struct entry of_line = *n;
        if (!e->other_id.n) /* else a bounce, made here */
                begin(b, n, e);
        else
                b->n--;
        identify(add_copy(b, &of_line), e);
        queue(b, add_copy(b, &of_line), e);
}

static void fill(struct batch *b, struct entry *n, const struct mail_event *e)
{
        switch (e->kind) {
        case MAIL_CLIENT:
        case MAIL_PICKUP:
                begin(b, n, e);
                break;
        case MAIL_MESSAGE_ID:
                identify(n, e);
                break;
        case MAIL_QUEUED:
                queue(b, n, e);
                break;
        case MAIL_DELIVERY:
                deliver(b, n, e);
                break;
        case MAIL_ARRIVAL:
                arrive(b, n, e);
                break;
        case MAIL_REMOVED:
                break;
        default:
                say(b, n, e);
                break;
        }
}

/* Lines that are counted and done with, unless a rule found something in them. */
static bool says_nothing_more(const struct mail_event *e)
{
        static const bool counts[MAIL_KINDS_ALL] = {
                [MAIL_REJECT] = true, [MAIL_CHECK] = true, [MAIL_AUTH_FAILED] = true
        };
        return !e->queue_id.n && !counts[e->kind];
}

static void keep_unparsed(struct batch *b, struct slice line)
{
        if (!b->inside->common->keeps_unparsed)
                return;
        b->unparsed = xgrow(b->unparsed, &b->unparsed_cap, b->n_unparsed + 1, sizeof *b->unparsed);
        b->unparsed[b->n_unparsed++] = line;
}

static void read_line(struct batch *b, struct slice line, const struct syslog_line *l)
{
        struct batch_inside *in = b->inside;
        const struct head *head = head_of(in, l->host, l->program);
        struct mail_event e;
        if (head->daemon == MAIL_BY_NONE) {
                b->sums.foreign++;
                b->sums.missing += gaps_told(l->program, l->text);
                return;
        }
        mail_parse((enum mail_daemon)head->daemon, l->text, &e);
        b->sums.kinds[e.kind]++;
        bool known = e.kind != MAIL_UNKNOWN;
        b->sums.understood += known;
        b->sums.unknown += !known;
        if (!known)
                keep_unparsed(b, line);
        size_t rule = 0;
        uint8_t category = in->categorised >> e.kind & 1 ? category_of(in->common->categories, in->scratch, &e, &rule)
                                                         : (uint8_t)CATEGORY_NONE;
        if (!category && (!known || says_nothing_more(&e)))
                return;
        struct entry *n = add(b);
        n->at = l->at;
        n->hour = l->hour;
        n->line = (uint32_t)(line.p - b->text.p);
        n->kind = (uint8_t)e.kind;
        n->daemon = head->daemon;
        n->category = category;
        n->rule = (uint16_t)rule;
        if (e.queue_id.n && e.queue_id.n <= BATCH_ID_MOST) {
                n->of_message = true;
                n->id = names_hash(e.queue_id);
                n->tag = n->id ^ head->place * UINT64_C(0x9e3779b97f4a7c15);
        }
        fill(b, n, &e);
}

/* The entries of a line. */
struct found {
        size_t from, n;
};

static void repeat(struct batch *b, struct found f, uint64_t times)
{
        for (; f.n && times && b->n < REPEATED_MOST; times--)
                for (size_t i = 0; i < f.n; i++) {
                        struct entry copy = b->v[f.from + i];
                        *add(b) = copy;
                        b->sums.kinds[copy.kind]++;
                }
}

/* `before`: what the line before this one found. The first line of a piece does not know it. */
static void read_text(struct batch *b, struct slice line, struct syslog_line *l, struct found *before)
{
        bool may = l->text.n && (*l->text.p == 'm' || *l->text.p == 'l');
        uint64_t times = may ? gaps_repeated(&l->text) : 1;
        bool again = may && !l->text.n;
        size_t from = b->n;
        read_line(b, line, l);
        if (!again)
                *before = (struct found){ from, b->n - from };
        if (again || times > 1)
                repeat(b, *before, again ? times : times - 1);
}

void batch_read(struct batch *b)
{
        struct syslog_line l;
        struct found before = { 0 };
        struct slice left = b->text;
        b->n = b->n_unparsed = 0;
        syslog_hours_clear(&b->hours);
        b->sums = (struct batch_sums){ .bytes = left.n };
        buf_clear(&b->inside->reasons);
        while (left.n) {
                const char *end = memchr(left.p, '\n', left.n);
                struct slice line = { left.p, end ? (size_t)(end - left.p) : left.n };
                left = slice_from(left, line.n + (end != NULL));
                b->sums.lines++;
                if (syslog_scan(&b->hours, line, &l)) {
                        read_text(b, line, &l, &before);
                } else if (line.n) {
                        b->sums.broken++;
                        keep_unparsed(b, line);
                }
        }
}

void batch_settle(struct batch *b, struct syslog_clock *c)
{
        syslog_settle(c, &b->hours);
        b->first = b->last = 0;
        for (const struct syslog_hour *h = b->hours.v; h < b->hours.v + b->hours.n; h++) {
                if (h->low > h->high) /* begun by what is no line: a time, and no blank behind it */
                        continue;
                if (!b->first || h->at + h->low < b->first)
                        b->first = h->at + h->low;
                if (h->at + h->high > b->last)
                        b->last = h->at + h->high;
        }
        for (struct entry *e = b->v; e < b->v + b->n; e++)
                e->at += b->hours.v[e->hour].at;
}

void batch_sums_add(struct batch_sums *to, const struct batch_sums *from)
{
        to->bytes += from->bytes;
        to->lines += from->lines;
        to->foreign += from->foreign;
        to->missing += from->missing;
        to->broken += from->broken;
        to->understood += from->understood;
        to->unknown += from->unknown;
        for (size_t i = 0; i < COUNT_OF(to->kinds); i++)
                to->kinds[i] += from->kinds[i];
}

bool entry_says_itself(const struct entry *e)
{
        return e->kind == MAIL_AUTH_FAILED || (e->category && e->kind != MAIL_SAID && e->kind != MAIL_DELIVERY);
}

struct slice batch_reason(const struct batch *b, struct entry_text t)
{
        return (struct slice){ b->inside->reasons.p + t.at, t.n };
}

/* --- its life --- */

void batch_common_init(struct batch_common *c, const struct categories *categories)
{
        *c = (struct batch_common){ .categories = categories, .places = names_new(PLACES_MOST) };
        pthread_mutex_init(&c->lock, NULL);
}

void batch_common_done(struct batch_common *c)
{
        names_free(c->places);
        pthread_mutex_destroy(&c->lock);
}

struct batch *batch_new(struct batch_common *c)
{
        struct batch *b = xcalloc(1, sizeof *b);
        b->inside = xcalloc(1, sizeof *b->inside);
        b->inside->common = c;
        b->inside->scratch = category_scratch_new(c->categories);
        b->inside->categorised = categories_kinds(c->categories);
        buf_init(&b->inside->reasons, SIZE_MAX);
        b->v = xgrow(NULL, &b->cap, 1, sizeof *b->v);
        b->hours.v = xgrow(NULL, &b->hours.cap, 1, sizeof *b->hours.v);
        return b;
}

void batch_free(struct batch *b)
{
        if (!b)
                return;
        category_scratch_free(b->inside->scratch);
        buf_done(&b->inside->reasons);
        free(b->inside);
        syslog_hours_done(&b->hours);
        free(b->memory);
        free(b->unparsed);
        free(b->v);
        free(b);
}

void batch_take(struct batch *b, struct slice piece)
{
        b->memory = xgrow(b->memory, &b->cap_memory, piece.n + !piece.n, 1);
        if (piece.n)
                memcpy(b->memory, piece.p, piece.n);
        b->text = (struct slice){ b->memory, piece.n };
}
