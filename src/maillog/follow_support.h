/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/follow_support.h - for tests of maillog/follow.h: a real folder, in which a writer does what writers of logs, and logrotate, do.
 *
 * Owns:    the folder, a follower of mail.log in it, what was seen and told.
 * Threads: one.
 * Limits:  tests only. */
#pragma once

#include "maillog/follow.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

extern char **environ;

struct scene {
        char folder[64], path[128], store[128];
        struct maillog_follow *follow;
        struct buf seen, told; /* what was read; what was said */
        int64_t now;
};

/* --- the writer --- */

static inline const char *at(struct scene *s, const char *ending)
{
        static char paths[4][160];
        static size_t turn;
        char *path = paths[turn++ % 4];
        snprintf(path, sizeof paths[0], "%s%s", s->path, ending);
        return path;
}

static inline void put(const char *path, struct slice bytes, int how)
{
        autoclose int fd = open(path, O_WRONLY | O_CREAT | how, 0600);
        assert_true(fd != -1);
        assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
}

static inline void append(struct scene *s, const char *text)
{
        put(s->path, slice_of(text), O_APPEND);
}

static inline void rename_to(struct scene *s, const char *from, const char *to)
{
        assert_int_equal(rename(at(s, from), at(s, to)), 0);
}

static inline void copy(struct scene *s, const char *from, const char *to)
{
        autobuf all;
        buf_init(&all, 64 << 20);
        assert_int_equal(file_read(at(s, from), &all), 0);
        put(at(s, to), buf_slice(&all), O_TRUNC);
}

static inline void copy_and_cut(struct scene *s, const char *to)
{
        copy(s, "", to);
        assert_int_equal(truncate(s->path, 0), 0);
}

static inline void pack(struct scene *s, const char *ending)
{
        char program[] = "gzip", path[160];
        pid_t child;
        int status;
        snprintf(path, sizeof path, "%s%s", s->path, ending);
        char *const args[] = { program, path, NULL };
        assert_int_equal(posix_spawnp(&child, program, NULL, NULL, args, environ), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

/* --- the follower --- */

static inline void on_told(void *arg, size_t file, const char *text)
{
        struct scene *s = arg;
        buf_addf(&s->told, "%zu: %s\n", file, text);
}

static inline void start(struct scene *s)
{
        static struct maillog_positions p;
        const char *path = s->path, *why = NULL;
        autobuf text;
        assert_int_equal(maillog_positions_load(s->store, &text, &p, &why), 0);
        s->follow = maillog_follow_open(&(struct maillog_follow_options){ &path, 1, &p, on_told, s });
}

static inline void stop(struct scene *s)
{
        static struct maillog_positions p;
        maillog_follow_positions(s->follow, &p);
        assert_int_equal(maillog_positions_save(s->store, &p), 0);
        maillog_follow_free(s->follow);
        s->follow = NULL;
}

static inline void read_all(struct scene *s)
{
        struct maillog_piece piece;
        while (maillog_follow_step(s->follow, s->now, &piece) == 1) {
                assert_int_equal(piece.file, 0);
                assert_true(piece.lines.n > 0);
                buf_add(&s->seen, piece.lines);
                maillog_follow_done(s->follow, 0);
        }
}

/* As long as it takes for successors to be believed. */
static inline void read_on(struct scene *s)
{
        for (int i = 0; i < 4; i++) {
                read_all(s);
                s->now += MAILLOG_FOLLOW_GRACE;
        }
        read_all(s);
}

#define assert_seen(s, want) assert_string_equal(buf_cstr(&(s)->seen), want)

static inline void clear_folder(struct scene *s)
{
        struct dirent *e;
        DIR *d = opendir(s->folder);
        assert_non_null(d);
        while ((e = readdir(d)))
                if (e->d_name[0] != '.')
                        unlinkat(dirfd(d), e->d_name, 0);
        closedir(d);
}

static inline int begin(void **state)
{
        struct scene *s = xcalloc(1, sizeof *s);
        snprintf(s->folder, sizeof s->folder, "/tmp/porteiro-follow-XXXXXX");
        assert_non_null(mkdtemp(s->folder));
        snprintf(s->path, sizeof s->path, "%s/mail.log", s->folder);
        snprintf(s->store, sizeof s->store, "%s/positions", s->folder);
        buf_init(&s->seen, 64 << 20);
        buf_init(&s->told, 1 << 20);
        s->now = HOUR;
        start(s);
        *state = s;
        return 0;
}

static inline int end(void **state)
{
        struct scene *s = *state;
        clear_folder(s);
        rmdir(s->folder);
        maillog_follow_free(s->follow);
        buf_done(&s->seen);
        buf_done(&s->told);
        free(s);
        return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
