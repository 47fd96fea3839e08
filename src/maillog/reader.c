/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/reader.h"

#include "base/time.h"
#include "maillog/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

enum { PACKED = 256 << 10, PIECE = 128 << 10, BUFFER = MAILLOG_LINE_MOST + PIECE, XZ_MEMORY = 256 << 20 };
enum { LINES_MOST = 4 << 20 }; /* what one piece of a journal can become: an entry, and short ones that grow */

enum packing { PLAIN, GZIP, XZ, ZSTD };

struct maillog_reader {
        int fd;
        enum packing packing;
        uint64_t size, done, too_long, device, inode;
        int64_t written;
        uint8_t *packed; /* what was read and not unpacked yet */
        size_t packed_at, packed_n;
        bool packed_end, member_open, ended, skipping;
        const char *trouble;
        z_stream gzip;
        lzma_stream xz;
        ZSTD_DStream *zstd;
        char *buffer;
        size_t kept; /* half a line, or what was peeked at, behind what was given */
        size_t given;
        uint64_t offset, end;    /* in the unpacked bytes: of the piece given; of what is in the buffer */
        bool peeked;             /* what is kept was not searched for line ends */
        char head[JOURNAL_HEAD]; /* the first bytes of the text, looked at to see what it is */
        size_t head_at, head_n;
        bool looked;
        struct journal *journal; /* it is an export of one; NULL: it is lines */
        struct buf lines;        /* of it */
        size_t lines_at;
        bool journal_ended;
};

/* --- bytes --- */

static ssize_t read_some(struct maillog_reader *r, void *out, size_t n)
{
        ssize_t got;
        do
                got = read(r->fd, out, n);
        while (got == -1 && errno == EINTR);
        if (got == -1)
                return -errno;
        r->done += (uint64_t)got;
        return got;
}

static ssize_t fill_packed(struct maillog_reader *r)
{
        if (r->packed_at < r->packed_n || r->packed_end)
                return 0;
        ssize_t got = read_some(r, r->packed, PACKED);
        r->packed_at = 0;
        r->packed_n = got > 0 ? (size_t)got : 0;
        r->packed_end = got == 0;
        return got < 0 ? got : 0;
}

/* Each of the three takes from `packed`, puts at most n bytes there and returns how many, or -1 with `trouble` set. */

static ssize_t unpack_gzip(struct maillog_reader *r, char *out, size_t n)
{
        z_stream *z = &r->gzip;
        z->next_in = r->packed + r->packed_at;
        z->avail_in = (uInt)(r->packed_n - r->packed_at);
        z->next_out = (Bytef *)out;
        z->avail_out = (uInt)n;
        if (!r->member_open && z->avail_in)
                inflateReset(z);
        r->member_open = r->member_open || z->avail_in;
        int status = inflate(z, Z_NO_FLUSH);
        r->packed_at = r->packed_n - z->avail_in;
        if (status == Z_STREAM_END)
                r->member_open = false;
        else if (status != Z_OK && status != Z_BUF_ERROR)
                r->trouble = "its gzip data is damaged";
        return (ssize_t)(n - z->avail_out);
}

static ssize_t unpack_xz(struct maillog_reader *r, char *out, size_t n)
{
        lzma_stream *x = &r->xz;
        x->next_in = r->packed + r->packed_at;
        x->avail_in = r->packed_n - r->packed_at;
        x->next_out = (uint8_t *)out;
        x->avail_out = n;
        lzma_ret status = lzma_code(x, r->packed_end ? LZMA_FINISH : LZMA_RUN);
        r->packed_at = r->packed_n - x->avail_in;
        r->member_open = status != LZMA_STREAM_END;
        if (status == LZMA_MEMLIMIT_ERROR)
                r->trouble = "its xz data wants more than 256 MB of memory";
        else if (status != LZMA_OK && status != LZMA_STREAM_END && status != LZMA_BUF_ERROR)
                r->trouble = "its xz data is damaged";
        return (ssize_t)(n - x->avail_out);
}

static ssize_t unpack_zstd(struct maillog_reader *r, char *out, size_t n)
{
        ZSTD_inBuffer in = { r->packed, r->packed_n, r->packed_at };
        ZSTD_outBuffer to = { out, n, 0 };
        size_t status = ZSTD_decompressStream(r->zstd, &to, &in);
        bool moved = in.pos > r->packed_at || to.pos;
        r->packed_at = in.pos;
        if (ZSTD_isError(status))
                r->trouble = "its zstd data is damaged";
        else if (moved)
                r->member_open = status != 0;
        return (ssize_t)to.pos;
}

/* As many bytes as there are, up to n; 0 at the end. */
static ssize_t unpack(struct maillog_reader *r, char *out, size_t n)
{
        while (!r->trouble) {
                ssize_t failed = fill_packed(r);
                if (failed < 0)
                        return failed;
                ssize_t got = r->packing == GZIP ? unpack_gzip(r, out, n)
                              : r->packing == XZ ? unpack_xz(r, out, n)
                                                 : unpack_zstd(r, out, n);
                if (got > 0)
                        return got;
                if (r->packed_at == r->packed_n && r->packed_end) {
                        if (r->member_open && !r->trouble)
                                r->trouble = "it ends in the middle of its packed data";
                        return 0;
                }
        }
        return 0;
}

static ssize_t more_bytes(struct maillog_reader *r, char *out, size_t n)
{
        if (r->packing != PLAIN)
                return unpack(r, out, n);
        if (r->packed_at < r->packed_n) { /* what was read to see how it begins */
                size_t head = r->packed_n - r->packed_at < n ? r->packed_n - r->packed_at : n;
                memcpy(out, r->packed + r->packed_at, head);
                r->packed_at += head;
                return (ssize_t)head;
        }
        return read_some(r, out, n);
}

bool maillog_reader_packed(const struct maillog_reader *r)
{
        return r->packing != PLAIN;
}

ssize_t maillog_reader_bytes(struct maillog_reader *r, char *room, size_t most)
{
        return more_bytes(r, room, most);
}

/* --- text: as it is, or what a journal's export becomes --- */

/* Whether it is such an export; a pipe may give single bytes. */
static ssize_t look(struct maillog_reader *r)
{
        while (r->head_n < JOURNAL_HEAD) {
                ssize_t got = more_bytes(r, r->head + r->head_n, JOURNAL_HEAD - r->head_n);
                if (got < 0)
                        return got;
                if (got == 0)
                        break;
                r->head_n += (size_t)got;
        }
        r->looked = true;
        if (journal_begins((struct slice){ r->head, r->head_n })) {
                r->journal = journal_new();
                buf_init(&r->lines, LINES_MOST);
        }
        return 0;
}

static size_t take_head(struct maillog_reader *r, char *out, size_t n)
{
        size_t left = r->head_n - r->head_at;
        n = left < n ? left : n;
        memcpy(out, r->head + r->head_at, n);
        r->head_at += n;
        return n;
}

/* The lines of the next bytes of an export. */
static ssize_t fill_lines(struct maillog_reader *r, char *room, size_t n)
{
        ssize_t got = (ssize_t)take_head(r, room, n);
        if (got == 0)
                got = more_bytes(r, room, n);
        if (got < 0)
                return got;
        buf_clear(&r->lines);
        r->lines_at = 0;
        bool good = got ? journal_feed(r->journal, (struct slice){ room, (size_t)got }, &r->lines)
                        : journal_end(r->journal, &r->lines);
        r->journal_ended = got == 0 || !good;
        if (!good && !r->trouble)
                r->trouble = got ? "its journal export is damaged" : "it ends in the middle of a journal entry";
        return 0;
}

static ssize_t next_text(struct maillog_reader *r, char *out, size_t n)
{
        ssize_t failed = r->looked ? 0 : look(r);
        if (failed < 0)
                return failed;
        if (!r->journal)
                return r->head_at < r->head_n ? (ssize_t)take_head(r, out, n) : more_bytes(r, out, n);
        while (r->lines_at == r->lines.n && !r->journal_ended) {
                failed = fill_lines(r, out, n);
                if (failed < 0)
                        return failed;
        }
        size_t left = r->lines.n - r->lines_at;
        n = left < n ? left : n;
        if (n)
                memcpy(out, r->lines.p + r->lines_at, n);
        r->lines_at += n;
        return (ssize_t)n;
}

static ssize_t next_bytes(struct maillog_reader *r, char *out, size_t n)
{
        ssize_t got = next_text(r, out, n);
        r->end += got > 0 ? (uint64_t)got : 0;
        return got;
}

/* --- lines --- */

/* What is left of a line that was too long to keep goes, up to its end. */
static size_t skip_rest(struct maillog_reader *r, size_t n)
{
        const char *end = memchr(r->buffer, '\n', n);
        size_t gone = end ? (size_t)(end - r->buffer) + 1 : n;
        r->skipping = !end;
        memmove(r->buffer, r->buffer + gone, n - gone);
        return n - gone;
}

int maillog_reader_next(struct maillog_reader *r, struct slice *piece)
{
        size_t n = r->kept;
        memmove(r->buffer, r->buffer + r->given, n);
        r->given = r->kept = 0;
        while (!r->ended) {
                ssize_t got = next_bytes(r, r->buffer + n, n + PIECE <= BUFFER ? PIECE : BUFFER - n);
                if (got < 0)
                        return (int)got;
                r->ended = got == 0;
                size_t before = r->peeked ? 0 : n;
                n += (size_t)got;
                r->peeked = false;
                if (r->skipping)
                        n = skip_rest(r, n);
                const char *end = n > before ? memrchr(r->buffer + before, '\n', n - before)
                                  : n        ? memrchr(r->buffer, '\n', n)
                                             : NULL;
                if (end) {
                        r->given = (size_t)(end - r->buffer) + 1;
                        r->kept = n - r->given;
                        r->offset = r->end - n;
                        *piece = (struct slice){ r->buffer, r->given };
                        return 1;
                }
                if (n > MAILLOG_LINE_MOST) {
                        r->too_long++;
                        r->skipping = true;
                        n = 0;
                }
        }
        r->offset = r->end - n;
        *piece = (struct slice){ r->buffer, n };
        return n > 0;
}

void maillog_reader_swap(struct maillog_reader *r, char **memory, size_t *cap)
{
        char *mine = r->buffer;
        if (*cap < BUFFER) {
                free(*memory);
                *memory = xmalloc(BUFFER);
                *cap = BUFFER;
        }
        memcpy(*memory, mine + r->given, r->kept);
        r->buffer = *memory;
        r->given = 0;
        *memory = mine;
}

/* --- opening --- */

static int begin_packing(struct maillog_reader *r)
{
        struct slice head = { (const char *)r->packed, r->packed_n };
        if (slice_starts(head, S("\x1f\x8b"))) {
                r->packing = GZIP;
                return inflateInit2(&r->gzip, 15 + 16) == Z_OK ? 0 : -ENOMEM;
        }
        if (slice_starts(head, S("\xfd"
                                 "7zXZ"))) {
                r->packing = XZ;
                return lzma_stream_decoder(&r->xz, XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK ? 0 : -ENOMEM;
        }
        if (slice_starts(head, S("\x28\xb5\x2f\xfd"))) {
                r->packing = ZSTD;
                r->zstd = ZSTD_createDStream();
                return r->zstd ? 0 : -ENOMEM;
        }
        return 0;
}

/* From the start of the file. A pipe may give single bytes. */
static int begin(struct maillog_reader *r)
{
        while (r->packed_n < 8) {
                ssize_t got = read_some(r, r->packed + r->packed_n, PACKED - r->packed_n);
                if (got < 0)
                        return (int)got;
                if (got == 0)
                        break;
                r->packed_n += (size_t)got;
        }
        return begin_packing(r);
}

int maillog_reader_open(const char *path, struct maillog_reader **ret)
{
        int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        return fd == -1 ? -errno : maillog_reader_take(fd, ret);
}

int maillog_reader_take(int fd, struct maillog_reader **ret)
{
        automaillogreader *r = xcalloc(1, sizeof *r);
        struct stat st;
        r->fd = fd;
        if (fstat(r->fd, &st) == -1)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (S_ISREG(st.st_mode)) {
                r->size = (uint64_t)st.st_size;
                r->device = st.st_dev;
                r->inode = st.st_ino;
                r->written = st.st_mtim.tv_sec * SECOND + st.st_mtim.tv_nsec / 1000;
        }
        r->packed = xmalloc(PACKED);
        r->buffer = xmalloc(BUFFER);
        int failed = begin(r);
        if (failed == 0)
                *ret = take(r);
        return failed;
}

static void end_packing(struct maillog_reader *r)
{
        inflateEnd(&r->gzip);
        lzma_end(&r->xz);
        ZSTD_freeDStream(r->zstd);
        journal_free(r->journal);
        buf_done(&r->lines);
}

/* --- going elsewhere --- */

static int rewind_file(struct maillog_reader *r)
{
        if (lseek(r->fd, 0, SEEK_SET) == -1)
                return -errno;
        end_packing(r);
        *r = (struct maillog_reader){ .fd = r->fd,
                                      .size = r->size,
                                      .device = r->device,
                                      .inode = r->inode,
                                      .written = r->written,
                                      .too_long = r->too_long,
                                      .packed = r->packed,
                                      .buffer = r->buffer };
        return begin(r);
}

/* Of a plain file the place is the file's own. */
static int jump(struct maillog_reader *r, uint64_t to)
{
        uint64_t end = to < r->size ? to : r->size;
        if (lseek(r->fd, (off_t)end, SEEK_SET) == -1)
                return -errno;
        r->packed_at = r->packed_n;
        r->head_at = r->head_n;
        r->done = r->end = end;
        r->given = r->kept = 0;
        return 0;
}

/* Within what is in the buffer, given or not. */
static void step_to(struct maillog_reader *r, uint64_t to)
{
        size_t left = to < r->end ? (size_t)(r->end - to) : 0;
        r->given += r->kept - left;
        r->kept = left;
        r->peeked = true;
}

int maillog_reader_seek(struct maillog_reader *r, uint64_t to)
{
        if (to < r->end - r->kept - r->given) {
                int failed = rewind_file(r);
                if (failed)
                        return failed;
        }
        r->skipping = false;
        ssize_t looked = r->looked ? 0 : look(r);
        if (looked < 0)
                return (int)looked;
        if (r->packing == PLAIN && !r->journal && r->size && to > r->end)
                return jump(r, to);
        while (to > r->end && !r->ended) {
                uint64_t far = to - r->end;
                ssize_t got = next_bytes(r, r->buffer, far < BUFFER ? (size_t)far : BUFFER);
                if (got < 0)
                        return (int)got;
                r->ended = got == 0;
                r->given = r->kept = 0;
        }
        step_to(r, to);
        return 0;
}

ssize_t maillog_reader_peek(struct maillog_reader *r, char *out, size_t n)
{
        memmove(r->buffer, r->buffer + r->given, r->kept);
        r->given = 0;
        while (r->kept < n && !r->ended) {
                ssize_t got = next_bytes(r, r->buffer + r->kept, PIECE);
                if (got < 0)
                        return got;
                r->ended = got == 0;
                r->kept += (size_t)got;
                r->peeked = true;
        }
        size_t some = r->kept < n ? r->kept : n;
        memcpy(out, r->buffer, some);
        return (ssize_t)some;
}

bool maillog_reader_same(const struct maillog_reader *a, const struct maillog_reader *b)
{
        return a->size && b->size && a->device == b->device && a->inode == b->inode;
}

uint64_t maillog_reader_offset(const struct maillog_reader *r)
{
        return r->offset;
}

void maillog_reader_free_(struct maillog_reader **r)
{
        struct maillog_reader *gone = *r;
        if (!gone)
                return;
        if (gone->fd != -1)
                close(gone->fd);
        end_packing(gone);
        free(gone->packed);
        free(gone->buffer);
        free(gone);
}

int64_t maillog_reader_written(const struct maillog_reader *r)
{
        return r->written;
}

uint64_t maillog_reader_size(const struct maillog_reader *r)
{
        return r->size;
}

uint64_t maillog_reader_done(const struct maillog_reader *r)
{
        return r->done;
}

uint64_t maillog_reader_too_long(const struct maillog_reader *r)
{
        return r->too_long + (r->journal ? journal_left_out(r->journal) : 0);
}

const char *maillog_reader_trouble(const struct maillog_reader *r)
{
        return r->trouble;
}
