/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The driver: what is known at the start, batches to the keeper, the clock of the machines. */
#include "identity/feed_inside.h"

#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum { LEASES_MOST = 1000, START_ARENA = 1 << 30, COMPLAINTS_A_MINUTE = 5 };

#define KEEPER_EVERY (250 * INT64_C(1000))
#define MACHINES_EVERY (10 * SECOND)
#define COUNTS_EVERY MINUTE
#define ANEW_AFTER MINUTE
/* Ended so lately that something late may still come. */
#define ENDED_LATELY HOUR

/* --- the batch --- */

static struct slice keep(struct arena *a, struct slice s)
{
        return s.n ? arena_dup(a, s) : S("");
}

/* What a lease is known by, as one text. */
static struct slice key_of(struct arena *a, const struct lease *l)
{
        autobuf key;
        char prefix[PREFIX_TEXT_MAX];
        buf_init(&key, 8 * LEDGER_TEXT_MOST);
        buf_addf(&key, "%s %lld", prefix_print(&l->prefix, prefix), (long long)l->start);
        const struct slice parts[] = { l->source, l->nas, l->session, l->user };
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
                buf_addf(&key, " %zu ", parts[i].n);
                buf_add(&key, parts[i]);
        }
        return arena_dup(a, buf_slice(&key));
}

/* Of a lease that a file tells of again and again only the last word counts: who reads what happened yesterday must not have the
 * gate live through it. What a NAS is answered for stays as it came. */
static size_t place_for(struct batch *b, const struct lease *l)
{
        if (b->request != SIZE_MAX)
                return b->n;
        struct slice key = key_of(b->arena, l);
        size_t found = (size_t)(uintptr_t)map_find(&b->places, key);
        if (found)
                return found - 1;
        map_put(&b->places, key, (void *)(uintptr_t)(b->n + 1));
        return b->n;
}

static void on_lease(void *arg, const struct lease *l, bool settled)
{
        struct batch *b = &((struct feeds *)arg)->batch;
        struct lease kept = *l;
        size_t at = place_for(b, l);
        (void)settled;
        struct slice *texts[] = { &kept.realm, &kept.proto,   &kept.line.kind, &kept.line.value, &kept.source,
                                  &kept.nas,   &kept.session, &kept.user,      &kept.why_ended,  &kept.evidence };
        for (size_t i = 0; i < COUNT_OF(texts); i++)
                *texts[i] = keep(b->arena, *texts[i]);
        b->leases = xgrow(b->leases, &b->cap, at + 1, sizeof *b->leases);
        b->of = xgrow(b->of, &b->of_cap, at + 1, sizeof *b->of);
        b->of[at] = b->request;
        b->leases[at] = kept;
        b->n += at == b->n;
}

static void batch_begin(struct batch *b)
{
        arena_free(b->arena);
        b->arena = arena_new(SIZE_MAX); /* bounded by the sessions there are */
        map_done(&b->places);
        b->places = (struct map){ 0 };
        b->n = b->n_waiting = b->done = 0;
        b->feed = NULL;
        buf_clear(&b->place);
        b->request = SIZE_MAX;
}

static void batch_done(struct batch *b)
{
        arena_free(b->arena);
        buf_done(&b->place);
        map_done(&b->places);
        free(b->leases);
        free(b->of);
        free(b->waiting);
}

static struct feed *feed_of_lease(const struct batch *b, size_t i)
{
        return b->of[i] < b->n_waiting ? b->waiting[b->of[i]].feed : b->feed;
}

/* The keeper will never take this one. */
static void refuse(struct feeds *f, size_t i)
{
        autobuf why, address;
        char text[PREFIX_TEXT_MAX];
        struct batch *b = &f->batch;
        struct feed *feed = feed_of_lease(b, i);
        buf_init(&why, LOG_LINE_MOST);
        buf_init(&address, LOG_LINE_MOST);
        if (b->of[i] < b->n_waiting)
                b->waiting[b->of[i]].refused = true;
        if (feed)
                feed->counts.refused++;
        if (!feed || feed_may_complain(feed))
                log_event("lease-refused", "address=%s evidence=%s why=%s", prefix_print(&b->leases[i].prefix, text),
                          log_text(&address, b->leases[i].evidence),
                          log_text(&why, slice_of(client_reason(f->client))));
}

static bool connected(struct feeds *f)
{
        autobuf why, text;
        buf_init(&why, 4096);
        buf_init(&text, LOG_LINE_MOST);
        if (f->client)
                return true;
        int status = f->o->alone ? client_open(f->o->dir, &f->client, &why) : client_join(f->o->dir, &f->client, &why);
        if (status < 0 && !f->said_away)
                log_event("keeper-away", "error=%s", log_text(&text, buf_slice(&why)));
        f->said_away = f->said_away || status < 0;
        return status == 0;
}

static void keeper_away(struct feeds *f)
{
        autobuf text;
        buf_init(&text, LOG_LINE_MOST);
        if (f->client && !f->said_away)
                log_event("keeper-away", "leases=%zu error=%s", f->batch.n - f->batch.done,
                          log_text(&text, slice_of(client_reason(f->client))));
        f->said_away = true;
        client_close(take(f->client));
        if (!f->away)
                sockets_pause(f, true);
        f->away = true;
        watch_again(f->retry, KEEPER_EVERY);
}

/* All leases in pieces, the last with the place. Where the keeper says no to a piece, halves of it are tried, until one lease
 * is left whose fault it is. false: he is away. */
static bool put_all(struct feeds *f)
{
        struct batch *b = &f->batch;
        size_t most = LEASES_MOST, changed = 0;
        bool place = b->place.n > 0;
        while (b->done < b->n || place) {
                size_t n = b->n - b->done < most ? b->n - b->done : most;
                bool last = b->done + n == b->n && place;
                if (!connected(f))
                        return false;
                int status = client_leases_put(f->client, last ? b->feed->source->name : S(""),
                                               last ? buf_slice(&b->place) : S(""), b->leases + b->done, n, &changed);
                if (status < 0 && status != -EBADMSG && status != -EMSGSIZE)
                        return false;
                if (status && n > 1) {
                        most = n / 2;
                        continue;
                }
                if (status && n == 1)
                        refuse(f, b->done);
                else if (n && feed_of_lease(b, b->done))
                        feed_of_lease(b, b->done)->counts.leases += changed;
                b->done += n;
                most = LEASES_MOST;
                place = place && !(last && (status == 0 || n == 0));
        }
        return true;
}

bool feeds_commit(struct feeds *f)
{
        struct batch *b = &f->batch;
        if (!put_all(f)) {
                keeper_away(f);
                return false;
        }
        if (f->client && client_fd(f->client) == -1)
                client_close(take(f->client)); /* we were the keeper for this moment */
        if (b->feed && b->place.n) {
                b->feed->moved = false;
                b->feed->written = time_monotonic();
        }
        if (f->said_away)
                log_event("keeper-back", "leases=%zu answers=%zu", b->n, b->n_waiting);
        f->said_away = false;
        if (f->away)
                sockets_pause(f, false);
        f->away = false;
        sockets_answer(f);
        batch_begin(b);
        return true;
}

bool feed_may_complain(struct feed *feed)
{
        int64_t now = time_monotonic();
        if (now - feed->complained < COUNTS_EVERY / COMPLAINTS_A_MINUTE && feed->complained)
                return false;
        feed->complained = now;
        return true;
}

/* --- the clock --- */

static void on_retry(void *arg)
{
        struct feeds *f = arg;
        if (f->away && feeds_commit(f))
                watch_again(f->look, 0);
}

static void on_look(void *arg)
{
        struct feeds *f = arg;
        bool more = false;
        for (size_t i = 0; i < f->n_feeds && !f->away; i++)
                if (f->feeds[i].follow)
                        more = file_look(&f->feeds[i]) || more;
        watch_again(f->look, more && !f->away ? 0 : FEED_LOOK_EVERY);
}

/* Who is silent is judged only when nothing is waiting to be read: its next sign may be there. */
static void run_machines(struct feeds *f)
{
        for (size_t i = 0; i < f->n_feeds; i++)
                if (f->feeds[i].follow && !f->feeds[i].caught_up)
                        return;
        for (size_t i = 0; i < f->n_machines && !f->away; i++) {
                bindings_tick(f->machines[i].bindings, time_now());
                feeds_commit(f);
        }
}

static void print_counts(const struct feed_counts *c, struct buf *out)
{
#define COUNT_PRINT(name)                                                                                              \
        if (c->name)                                                                                                   \
                buf_addf(out, " " #name "=%llu", (unsigned long long)c->name);
        FEED_COUNTS(COUNT_PRINT)
}

/* All since the start, where something has changed. */
static void log_counts(struct feeds *f)
{
        for (size_t i = 0; i < f->n_feeds; i++) {
                struct feed *feed = &f->feeds[i];
                autobuf text;
                buf_init(&text, LOG_LINE_MOST);
                if (memcmp(&feed->counts, &feed->shown, sizeof feed->counts) == 0)
                        continue;
                feed->shown = feed->counts;
                print_counts(&feed->counts, &text);
                log_event("feed", "name=%.*s%s", SLICE_ARGS(feed->source->name), buf_cstr(&text));
        }
}

static void progress(struct feeds *f, bool last)
{
        struct feed_counts sum = { 0 };
        size_t open = 0;
        if (!f->o->progress)
                return;
        for (size_t i = 0; i < f->n_feeds; i++) {
#define COUNT_SUM(name) sum.name += f->feeds[i].counts.name;
                FEED_COUNTS(COUNT_SUM)
        }
        for (size_t i = 0; i < f->n_machines; i++)
                open += bindings_open(f->machines[i].bindings);
        f->o->progress(&sum, open, last);
}

/* NULL: to go on as we are. What is locked in cannot open another socket, nor reach into a folder made since. */
static const char *why_anew(struct feeds *f, int64_t now)
{
        if (f->anew && now >= f->anew)
                return "what could not be opened is tried again";
        for (size_t i = 0; i < f->n_feeds; i++)
                if (f->feeds[i].shut_out && access(tail_folder(follow_tail(f->feeds[i].follow)), F_OK) == 0)
                        return "the folder of a file is there now";
        return f->o->still && !f->o->still() ? "another generation" : NULL;
}

static void on_tick(void *arg)
{
        struct feeds *f = arg;
        int64_t now = time_monotonic();
        if (!f->away && now - f->judged >= MACHINES_EVERY) {
                f->judged = now;
                run_machines(f);
        }
        if (now - f->counted >= COUNTS_EVERY) {
                f->counted = now;
                log_counts(f);
        }
        progress(f, false);
        const char *why = why_anew(f, now);
        if (why) {
                log_event("starting-anew", "why=\"%s\"", why);
                loop_stop(f->loop, 0);
        }
        watch_again(f->tick, SECOND);
}

static void on_stop(void *arg)
{
        struct feeds *f = arg;
        loop_stop(f->loop, 0);
}

/* --- the start --- */

static struct slice source_of(const struct feed_source *s)
{
        if (s->radius || s->format == READER_DETAIL)
                return S("radius");
        if (s->format == READER_CSV)
                return S("csv");
        return s->format == READER_BLOCKS_CSV || s->format == READER_BLOCKS_JUNOS ? S("cgnat") : S("dhcp");
}

static struct machine *machine_for(struct feeds *f, const struct feed_source *s)
{
        struct slice source = source_of(s);
        for (size_t i = 0; i < f->n_machines; i++)
                if (slice_eq(f->machines[i].source, source))
                        return &f->machines[i];
        struct bindings_rules rules = { .live = true, .emit = on_lease, .arg = f };
        f->machines[f->n_machines] = (struct machine){ source, bindings_new(&rules) };
        return &f->machines[f->n_machines++];
}

static int load_machine(struct ledger *l, struct machine *m)
{
        autoarena *a = arena_new(START_ARENA);
        struct lease *leases;
        size_t n;
        int failed = ledger_leases_open(l, a, m->source, time_now() - ENDED_LATELY, &leases, &n);
        for (size_t i = 0; !failed && i < n; i++)
                bindings_load(m->bindings, &leases[i]);
        return failed;
}

static int load_place(struct ledger *l, struct feed *feed)
{
        autoarena *a = arena_new(START_ARENA);
        struct slice place;
        int failed = ledger_feed_position(l, a, feed->source->name, &place);
        if (!failed)
                feed->place = (struct slice){ slice_dup(place), place.n };
        return failed;
}

/* What the ledger knows. One that is not there yet knows nothing. */
static bool load(struct feeds *f)
{
        autoledger *l = NULL;
        autobuf why;
        buf_init(&why, 4096);
        int failed = ledger_open_why(f->o->dir, &l, &why);
        if (failed == -ENOENT)
                return true;
        for (size_t i = 0; !failed && i < f->n_machines; i++)
                failed = load_machine(l, &f->machines[i]);
        for (size_t i = 0; !failed && i < f->n_feeds; i++)
                failed = load_place(l, &f->feeds[i]);
        if (failed)
                fprintf(stderr, "porteiro: %s: the ledger could not be read: %s\n", f->o->dir,
                        l ? ledger_error(l) : buf_cstr(&why));
        return !failed;
}

static void make_feeds(struct feeds *f)
{
        f->feeds = xcalloc(f->o->n, sizeof *f->feeds);
        f->machines = xcalloc(f->o->n, sizeof *f->machines);
        for (size_t i = 0; i < f->o->n; i++) {
                const struct feed_source *s = &f->o->sources[i];
                struct feed *feed = &f->feeds[f->n_feeds++];
                *feed = (struct feed){ .feeds = f, .source = s, .machine = machine_for(f, s) };
                buf_init(&feed->secret, 4096);
                if (s->radius)
                        continue;
                feed->path = slice_dup(s->file);
                feed->follow = follow_new(feed->path);
        }
}

static void lock_in(struct feeds *f)
{
        size_t n = 0;
        autofree const char **folders = xcalloc(f->n_feeds, sizeof *folders);
        if (!f->o->lock_in)
                return;
        for (size_t i = 0; i < f->n_feeds; i++) {
                struct feed *feed = &f->feeds[i];
                if (!feed->follow)
                        continue;
                folders[n++] = tail_folder(follow_tail(feed->follow));
                feed->shut_out = access(folders[n - 1], F_OK) == -1;
        }
        f->o->lock_in(folders, n);
}

static void begin(struct feeds *f)
{
        f->piece = xmalloc(FEED_PIECE);
        f->counted = time_monotonic();
        buf_init(&f->batch.place, LEDGER_TEXT_MOST);
        batch_begin(&f->batch);
        for (size_t i = 0; i < f->n_feeds; i++)
                if (f->feeds[i].follow)
                        file_begin(&f->feeds[i]);
        loop_signal(f->loop, SIGTERM, on_stop, f);
        loop_signal(f->loop, SIGINT, on_stop, f);
        sockets_watch(f);
        f->retry = loop_timer(f->loop, TIME_NEVER, on_retry, f);
        f->look = loop_timer(f->loop, 0, on_look, f);
        f->tick = loop_timer(f->loop, SECOND, on_tick, f);
        log_event("started", "dir=%s feeds=%zu", f->o->dir, f->n_feeds);
}

/* What is on its way is tried once more; who is not answered sends again. */
static void end(struct feeds *f)
{
        bool away = f->away || !feeds_commit(f);
        for (size_t i = 0; i < f->n_feeds; i++) {
                struct feed *feed = &f->feeds[i];
                if (feed->follow && feed->moved && !away)
                        away = !file_keep_place(feed);
        }
        log_counts(f);
        progress(f, true);
}

static void free_all(struct feeds *f)
{
        sockets_close(f);
        for (size_t i = 0; i < f->n_feeds; i++) {
                file_end(&f->feeds[i]);
                buf_done(&f->feeds[i].secret);
                free((char *)f->feeds[i].place.p);
                free(f->feeds[i].path);
        }
        for (size_t i = 0; i < f->n_machines; i++)
                bindings_free(f->machines[i].bindings);
        batch_done(&f->batch);
        client_close(f->client);
        free(f->feeds);
        free(f->machines);
        free(f->piece);
}

int feeds_run(const struct feeds_options *o)
{
        struct feeds f = { .o = o };
        autobuf why;
        int status = 3;
        buf_init(&why, 4096);
        make_feeds(&f);
        f.loop = loop_new();
        bool good = load(&f);
        if (good && !sockets_open(&f, &why)) {
                fprintf(stderr, "porteiro: %s\n", buf_cstr(&why));
                good = !o->alone;
                f.anew = time_monotonic() + ANEW_AFTER;
        }
        if (good) {
                lock_in(&f);
                begin(&f);
                status = loop_run(f.loop);
                end(&f);
                log_event("stopped", "status=%d", status);
        }
        loop_free(f.loop);
        free_all(&f);
        return status;
}
