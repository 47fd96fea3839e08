/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file that is followed: its bytes to the reader, its events to the machine, and where it stands. */
#include "identity/feed_inside.h"

#include "base/log.h"

#include <libgen.h>

static void on_event(void *arg, const struct event *e)
{
        struct feed *feed = arg;
        feed->counts.events++;
        bindings_event(feed->machine->bindings, e);
}

static void complain(struct feed *feed, const char *event, uint64_t line, const char *text)
{
        autobuf shown;
        buf_init(&shown, LOG_LINE_MOST);
        if (feed_may_complain(feed))
                log_event(event, "name=%.*s line=%llu what=%s", SLICE_ARGS(feed->source->name),
                          (unsigned long long)line, log_text(&shown, slice_of(text)));
}

static void on_wrong(void *arg, uint64_t line, const char *text)
{
        struct feed *feed = arg;
        feed->counts.wrong++;
        complain(feed, "record-wrong", line, text);
}

static void on_warning(void *arg, uint64_t line, const char *text)
{
        complain(arg, "record-doubtful", line, text);
}

static void new_reader(struct feed *feed)
{
        reader_free(feed->reader);
        const char *slash = strrchr(feed->path, '/');
        feed->reader = reader_new(&(struct reader_options){ .format = feed->source->format,
                                                            .name = slice_of(slash ? slash + 1 : feed->path),
                                                            .realm = feed->source->realm,
                                                            .line = feed->source->line,
                                                            .now = time_now(),
                                                            .event = on_event,
                                                            .wrong = on_wrong,
                                                            .warn = on_warning,
                                                            .arg = feed });
}

void file_begin(struct feed *feed)
{
        struct reader_place place;
        new_reader(feed);
        bool known = feed->place.n && follow_resume(feed->follow, feed->place, &place);
        if (known)
                reader_resume(feed->reader, &place);
        /* another file by now: what stood between is not known here */
        log_event("following", "name=%.*s from=%s offset=%llu", SLICE_ARGS(feed->source->name),
                  known           ? "where-it-stood"
                  : feed->place.n ? "the-beginning-of-another-file"
                                  : "the-beginning",
                  known ? (unsigned long long)place.offset : 0);
}

void file_end(struct feed *feed)
{
        reader_free(feed->reader);
        follow_free(feed->follow);
}

static void note_place(struct feed *feed)
{
        struct batch *b = &feed->feeds->batch;
        struct reader_place place = reader_place(feed->reader);
        b->feed = feed;
        buf_clear(&b->place);
        follow_place(feed->follow, &place, &b->place);
}

bool file_keep_place(struct feed *feed)
{
        note_place(feed);
        return feeds_commit(feed->feeds);
}

static void tell_trouble(struct feed *feed)
{
        int trouble = tail_trouble(follow_tail(feed->follow));
        if (trouble == feed->trouble)
                return;
        if (trouble)
                log_event("file-not-there", "name=%.*s error=\"%s\"", SLICE_ARGS(feed->source->name),
                          strerror(trouble));
        else
                log_event("file-there", "name=%.*s", SLICE_ARGS(feed->source->name));
        feed->trouble = trouble;
}

/* Another file begins, or this one anew: a record that was not finished never will be. */
static void begin_anew(struct feed *feed, bool cut)
{
        *(cut ? &feed->counts.cut : &feed->counts.rotated) += 1;
        log_event(cut ? "file-cut" : "file-rotated", "name=%.*s line=%llu", SLICE_ARGS(feed->source->name),
                  (unsigned long long)reader_place(feed->reader).line);
        reader_end(feed->reader);
        new_reader(feed);
}

/* Once: from here on the file is followed as it grows. */
static void tell_caught_up(struct feed *feed)
{
        if (feed->told || feed->trouble)
                return;
        feed->told = true;
        log_event("caught-up", "name=%.*s line=%llu", SLICE_ARGS(feed->source->name),
                  (unsigned long long)reader_place(feed->reader).line);
}

bool file_look(struct feed *feed)
{
        struct feeds *f = feed->feeds;
        size_t n;
        bool fresh = feed->caught_up; /* what comes now was written since the last look */
        enum tail_found found = tail_read(follow_tail(feed->follow), time_monotonic(), f->piece, FEED_PIECE, &n);
        tell_trouble(feed);
        feed->caught_up = found == TAIL_WAIT;
        if (found == TAIL_WAIT) {
                if (f->batch.n && !file_keep_place(feed))
                        return false;
                tell_caught_up(feed);
                if (feed->moved && time_monotonic() - feed->written >= FEED_POSITION_EVERY)
                        file_keep_place(feed);
                return false;
        }
        feed->moved = true;
        if (found != TAIL_BYTES) {
                begin_anew(feed, found == TAIL_CUT);
                return true;
        }
        feed->counts.bytes += n;
        reader_clock(feed->reader, time_now());
        reader_appended(feed->reader, fresh ? time_now() : 0);
        reader_feed(feed->reader, (struct slice){ f->piece, n });
        if (f->batch.n >= FEED_BACKLOG)
                file_keep_place(feed);
        return true;
}
