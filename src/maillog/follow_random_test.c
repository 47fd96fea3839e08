/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A writer, a logrotate, and a follower that is stopped and killed, all at random but from a seed: what was written is seen, each byte once and in
 * order. Times of files are the writer's own, lest a test that is quicker than a file system's clock be about that. SEEDS=1000 for a long one. */
#include "maillog/follow_support.h"

enum { STEPS = 1500, SEEDS = 3, KEPT = 14, UNREAD_MOST = 8 };

struct run {
        struct scene *s;
        uint64_t random;
        int64_t clock; /* of the files, seconds */
        int fd;        /* the writer's */
        bool in_old;   /* it has not noticed the rotation */
        struct buf written;
        size_t line, seen, done, stored; /* the latter three: bytes */
        int rotations;                   /* since all was read */
        struct buf positions;            /* as stored */
        struct maillog_follow_counts sum;
};

static size_t below(struct run *r, size_t n)
{
        r->random ^= r->random << 13;
        r->random ^= r->random >> 7;
        r->random ^= r->random << 17;
        return (size_t)(r->random >> 11) % n;
}

static void set_time(struct run *r, int fd)
{
        struct timespec t[2] = { { r->clock, 0 }, { r->clock, 0 } };
        r->clock++;
        assert_int_equal(futimens(fd, t), 0);
}

/* --- the writer --- */

static void open_log(struct run *r)
{
        if (r->fd != -1)
                close(r->fd);
        r->fd = open(r->s->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        assert_true(r->fd != -1);
        set_time(r, r->fd);
        r->in_old = false;
}

static void write_lines(struct run *r)
{
        autobuf text;
        buf_init(&text, 4 << 20);
        for (size_t n = below(r, 50) ? below(r, 12) : 3000; n; n--) {
                buf_addf(&text, "%zu ", r->line++);
                for (size_t k = below(r, 120); k; k--)
                        buf_addc(&text, below(r, 40) ? 'x' : '\0');
                buf_addc(&text, '\n');
        }
        if (below(r, 3) == 0)
                buf_addf(&text, "half of %zu", r->line);
        if (text.n == 0)
                return;
        assert_int_equal(write(r->fd, text.p, text.n), (ssize_t)text.n);
        set_time(r, r->fd);
        buf_add(&r->written, buf_slice(&text));
}

/* --- logrotate --- */

static void shift(struct run *r)
{
        for (int i = KEPT; i > 0; i--)
                for (int packed = 0; packed < 2; packed++) {
                        autofree char *from = xasprintf("%s.%d%s", r->s->path, i, packed ? ".gz" : "");
                        autofree char *to = xasprintf("%s.%d%s", r->s->path, i + 1, packed ? ".gz" : "");
                        if (i == KEPT)
                                unlink(from);
                        else
                                rename(from, to);
                }
}

static void rotate_by_rename(struct run *r)
{
        if (r->in_old)
                return;
        shift(r);
        rename_to(r->s, "", ".1");
        r->in_old = true;
        if (below(r, 2) == 0) { /* made by logrotate, before the writer knows */
                int fd = r->fd;
                r->fd = -1;
                open_log(r);
                close(r->fd);
                r->fd = fd;
                r->in_old = true;
        }
        if (below(r, 2))
                open_log(r);
        r->rotations++;
}

static void rotate_by_copy(struct run *r)
{
        if (r->in_old)
                return;
        shift(r);
        copy(r->s, "", ".1");
        autoclose int fd = open(at(r->s, ".1"), O_WRONLY | O_CLOEXEC);
        set_time(r, fd);
        assert_int_equal(ftruncate(r->fd, 0), 0);
        set_time(r, r->fd);
        r->rotations++;
}

static void pack_one(struct run *r)
{
        char ending[16];
        size_t i = (r->in_old ? 2 : 1) + below(r, 4);
        snprintf(ending, sizeof ending, ".%zu", i);
        if (access(at(r->s, ending), F_OK) == 0)
                pack(r->s, ending);
}

/* --- the follower --- */

static void start_again(struct run *r)
{
        static struct maillog_positions p;
        const char *path = r->s->path;
        struct maillog_follow_counts c = maillog_follow_counts(r->s->follow);
        r->sum.rotated += c.rotated;
        r->sum.gone += c.gone;
        maillog_follow_free(r->s->follow);
        assert_null(maillog_positions_parse(buf_slice(&r->positions), &p));
        r->s->follow = maillog_follow_open(&(struct maillog_follow_options){ &path, 1, &p, on_told, r->s });
        r->seen = r->done = r->stored;
}

static void store(struct run *r)
{
        static struct maillog_positions p;
        maillog_follow_positions(r->s->follow, &p);
        buf_clear(&r->positions);
        maillog_positions_print(&p, &r->positions);
        r->stored = r->done;
}

static bool step(struct run *r)
{
        struct maillog_piece piece;
        if (maillog_follow_step(r->s->follow, r->s->now, &piece) == 0)
                return false;
        struct slice want = slice_from(buf_slice(&r->written), r->seen);
        if (!slice_starts(want, piece.lines))
                fail_msg("at byte %zu of %zu: \"%.*s\" where \"%.*s\" was written; %s", r->seen, r->written.n,
                         (int)(piece.lines.n < 60 ? piece.lines.n : 60), piece.lines.p,
                         (int)(want.n < 60 ? want.n : 60), want.p, buf_cstr(&r->s->told));
        r->seen += piece.lines.n;
        return true;
}

static void done(struct run *r)
{
        maillog_follow_done(r->s->follow, 0);
        r->done = r->seen;
}

static void look(struct run *r)
{
        for (size_t n = below(r, 6); n && step(r); n--)
                if (below(r, 2))
                        done(r);
        r->s->now += (int64_t)below(r, 3) * SECOND;
}

static void read_everything(struct run *r)
{
        for (int i = 0; i < 2 * KEPT; i++) {
                while (step(r))
                        ;
                r->s->now += MAILLOG_FOLLOW_GRACE;
        }
        done(r);
        store(r);
        r->rotations = 0;
}

/* --- all of it --- */

static void one_step(struct run *r)
{
        switch (below(r, 16)) {
        case 0:
                rotate_by_rename(r);
                break;
        case 1:
                rotate_by_copy(r);
                break;
        case 2:
                pack_one(r);
                break;
        case 3:
                if (r->in_old)
                        open_log(r);
                break;
        case 4:
                start_again(r);
                break;
        case 5:
                store(r);
                start_again(r);
                break;
        case 6:
        case 7:
                store(r);
                break;
        case 8:
        case 9:
        case 10:
        case 11:
                write_lines(r);
                break;
        default:
                look(r);
        }
}

static void one_run(struct scene *s, uint64_t seed)
{
        struct run r = { .s = s, .random = seed * 0x9e3779b97f4a7c15, .clock = 1000000000, .fd = -1 };
        buf_init(&r.written, 256 << 20);
        buf_init(&r.positions, 1 << 20);
        store(&r);
        open_log(&r);
        for (int i = 0; i < STEPS; i++) {
                one_step(&r);
                if (r.rotations >= UNREAD_MOST)
                        read_everything(&r);
        }
        if (r.in_old)
                open_log(&r);
        write_lines(&r);
        assert_int_equal(write(r.fd, "the end\n", 8), 8);
        buf_adds(&r.written, "the end\n");
        read_everything(&r);
        if (r.seen != r.written.n)
                fail_msg("seed %llu: %zu bytes of %zu seen; %s", (unsigned long long)seed, r.seen, r.written.n,
                         buf_cstr(&s->told));
        start_again(&r);
        print_message("seed %llu: %zu lines, %zu bytes, %llu rotations\n", (unsigned long long)seed, r.line, r.seen,
                      (unsigned long long)r.sum.rotated);
        assert_int_equal(r.sum.gone, 0);
        assert_true(r.sum.rotated > 0);
        close(r.fd);
        buf_done(&r.written);
        buf_done(&r.positions);
}

static void each_byte_once_and_in_order(void **state)
{
        struct scene *s = *state;
        const char *many = getenv("SEEDS");
        uint64_t seeds = many ? strtoull(many, NULL, 10) : SEEDS;
        for (uint64_t seed = 1; seed <= seeds; seed++) {
                one_run(s, seed);
                maillog_follow_free(s->follow);
                clear_folder(s);
                buf_clear(&s->told);
                start(s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { TEST(each_byte_once_and_in_order) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
