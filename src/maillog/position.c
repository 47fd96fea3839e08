/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/position.h"

#include "base/file.h"
#include "base/sha256.h"

#include <errno.h>

enum {
        LINE_MOST = TAIL_PLACE_MOST + 1 + MAILLOG_PATH_MOST + 1,
        TEXT_MOST = MAILLOG_POSITIONS_MOST * LINE_MOST + TAIL_PLACE_MOST,
        FILE_MODE = 0600
};

#define HEADING "porteiro maillog positions 1"
#define SUM "sum "

static bool is_path(struct slice s)
{
        return s.n && s.n < MAILLOG_PATH_MOST && slice_find(s, '\n') == s.n && slice_find(s, '\0') == s.n;
}

static bool has(const struct maillog_positions *p, struct slice path)
{
        for (size_t i = 0; i < p->n; i++)
                if (slice_eq(p->all[i].path, path))
                        return true;
        return false;
}

/* Everything but the sum, which must be the last line and no other; *body gets what it is of. */
static bool check_sum(struct slice text, struct slice *body)
{
        char sum[SHA256_HEX + 1];
        const size_t line = sizeof SUM - 1 + SHA256_HEX + 1;
        if (text.n < line || text.p[text.n - 1] != '\n')
                return false;
        *body = (struct slice){ text.p, text.n - line };
        sha256_hex(*body, sum);
        struct slice last = slice_from(text, body->n);
        return slice_starts(last, S(SUM)) && memcmp(last.p + sizeof SUM - 1, sum, SHA256_HEX) == 0;
}

static const char *parse_lines(struct slice text, struct maillog_positions *ret)
{
        while (text.n) {
                struct maillog_position *p = &ret->all[ret->n];
                struct slice line = slice_cut(text, '\n', &text);
                if (ret->n == MAILLOG_POSITIONS_MOST)
                        return "it names too many files";
                if (!tail_place_parse(line, &p->place, &p->path) || !is_path(p->path))
                        return "a line of it is no position";
                if (has(ret, p->path))
                        return "it names a file twice";
                ret->n++;
        }
        return NULL;
}

const char *maillog_positions_parse(struct slice text, struct maillog_positions *ret)
{
        struct slice body;
        ret->n = 0;
        if (!slice_starts(text, S(HEADING "\n")))
                return text.n ? "it is no file of positions, or of another version" : "it is empty";
        if (!check_sum(text, &body) || body.n < sizeof HEADING)
                return "it is damaged: its sum does not agree";
        const char *wrong = parse_lines(slice_from(body, sizeof HEADING), ret);
        if (wrong)
                ret->n = 0;
        return wrong;
}

void maillog_positions_print(const struct maillog_positions *p, struct buf *out)
{
        char sum[SHA256_HEX + 1];
        buf_adds(out, HEADING "\n");
        for (size_t i = 0; i < p->n; i++) {
                tail_place_print(&p->all[i].place, out);
                buf_addf(out, " %.*s\n", SLICE_ARGS(p->all[i].path));
        }
        sha256_hex(buf_slice(out), sum);
        buf_addf(out, SUM "%s\n", sum);
}

int maillog_positions_load(const char *file, struct buf *text, struct maillog_positions *ret, const char **why)
{
        buf_init(text, TEXT_MOST);
        ret->n = 0;
        int failed = file_read(file, text);
        if (failed)
                return failed == -ENOENT ? 0 : failed;
        *why = maillog_positions_parse(buf_slice(text), ret);
        return *why ? -EBADMSG : 0;
}

int maillog_positions_save(const char *file, const struct maillog_positions *p)
{
        autobuf text;
        buf_init(&text, TEXT_MOST);
        for (size_t i = 0; i < p->n; i++)
                if (!is_path(p->all[i].path))
                        return -EINVAL;
        maillog_positions_print(p, &text);
        return file_replace(file, FILE_MODE, buf_slice(&text));
}
