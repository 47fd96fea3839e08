/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/files.h"

#include <errno.h>

static const struct place nowhere = { 0 };

/* Where the file named by the line at `s` ends: at the next line that begins with the mark. */
static size_t bundled_end(struct slice s)
{
        for (size_t at = slice_find(s, '\n'); at < s.n; at += slice_find(slice_from(s, at), '\n'))
                if (slice_starts(slice_from(s, ++at), S(FILE_MARK)))
                        return at;
        return s.n;
}

static void read_bundle(struct files *f, struct slice all)
{
        bool first = true;
        size_t n = 0;
        while (all.n && n++ < DIAG_SOURCES_MOST) {
                size_t end = bundled_end(all);
                struct slice text;
                struct slice mark = slice_cut((struct slice){ all.p, end }, '\n', &text);
                struct slice name = slice_from(mark, sizeof FILE_MARK - 1);
                struct slice *kept = arena_alloc(f->arena, sizeof *kept);
                *kept = text.p ? text : S("");
                if (first)
                        diags_source(f->d, name, *kept);
                else if (!map_find(&f->bundle, name))
                        map_put(&f->bundle, name, kept);
                first = false;
                all = slice_from(all, end);
        }
}

bool files_init(struct files *f, const struct policy_input *in, struct diags *d, struct arena *arena)
{
        *f =
            (struct files){ .in = in, .d = d, .arena = arena, .bytes = in->text.n, .main = (uint32_t)diags_sources(d) };
        if (in->text.n > POLICY_TEXT_MOST) {
                diag_error(d, nowhere, "%.*s is longer than a policy can be, %d MiB", SLICE_ARGS(in->name),
                           POLICY_TEXT_MOST >> 20);
                return false;
        }
        f->flattened = slice_starts(in->text, S(FILE_MARK));
        if (f->flattened)
                read_bundle(f, in->text);
        else
                diags_source(d, in->name, in->text);
        return true;
}

void files_done(struct files *f)
{
        map_done(&f->bundle);
        map_done(&f->included);
}

/* The folder of `from` before a relative name; "./" and "//" dropped, so that one file has one name. */
static struct slice path_of(struct files *f, struct slice from, struct slice name)
{
        autobuf path;
        buf_init(&path, 4096);
        size_t folder = from.n;
        while (folder && from.p[folder - 1] != '/')
                folder--;
        if (!slice_starts(name, S("/")))
                buf_add(&path, (struct slice){ from.p, folder });
        while (name.n) {
                struct slice rest;
                struct slice part = slice_cut(name, '/', &rest);
                bool dropped = slice_eq(part, S(".")) || (part.n == 0 && path.n && path.p[path.n - 1] == '/');
                if (!dropped) {
                        buf_add(&path, part);
                        if (rest.p)
                                buf_addc(&path, '/');
                }
                name = rest;
        }
        return path.full ? S("") : arena_dup(f->arena, buf_slice(&path));
}

/* The name by which a file is known again: "a/../b" is "b". */
static struct slice identity_of(struct files *f, struct slice path)
{
        char *kept = arena_alloc(f->arena, path.n + 1);
        size_t n = 0;
        if (slice_starts(path, S("/")))
                kept[n++] = '/';
        const size_t root = n;
        for (struct slice rest; path.p; path = rest) {
                struct slice part = slice_cut(path, '/', &rest);
                size_t last = n;
                while (last > root && kept[last - 1] != '/')
                        last--;
                bool folder = n > last && !slice_eq((struct slice){ kept + last, n - last }, S(".."));
                if (slice_eq(part, S("..")) && folder)
                        n = last > root ? last - 1 : root;
                else if (part.n) {
                        if (n > root)
                                kept[n++] = '/';
                        memcpy(kept + n, part.p, part.n);
                        n += part.n;
                }
        }
        return (struct slice){ kept, n };
}

/* Adds the text of `path` as a source; false and errno where it cannot be read, EFBIG where there is too much. */
static bool read_source(struct files *f, struct slice path, uint32_t *ret)
{
        if (f->flattened) {
                struct slice *text = map_find(&f->bundle, path);
                errno = ENOENT;
                if (text)
                        *ret = diags_source(f->d, path, *text);
                return text != NULL;
        }
        autofree char *text = NULL;
        size_t n = 0;
        if (!f->in->read(f->in->read_arg, path, &text, &n))
                return false;
        errno = EFBIG;
        if (n > POLICY_TEXT_MOST - f->bytes)
                return false;
        f->bytes += n;
        *ret = diags_source(f->d, path, (struct slice){ text, n });
        return true;
}

bool files_include(struct files *f, struct token name, uint32_t *ret_source)
{
        struct slice path = path_of(f, diags_source_name(f->d, name.place.source), name.text);
        struct slice identity = identity_of(f, path);
        struct place *before = map_find(&f->included, identity);
        struct slice main_file = identity_of(f, path_of(f, S(""), diags_source_name(f->d, f->main)));
        if (!f->in->read && !f->flattened)
                diag_error(f->d, name.place, "nothing can be included here");
        else if (path.n == 0 || memchr(path.p, '\0', path.n))
                diag_error(f->d, name.place, "this cannot be the name of a file");
        else if (before || slice_eq(identity, main_file)) {
                diag_error(f->d, name.place, "%.*s is included already", SLICE_ARGS(path));
                diag_note(f->d, before ? *before : nowhere, before ? "here" : "it is the file that porteiro was given");
        } else if (diags_sources(f->d) >= DIAG_SOURCES_MOST)
                diag_error(f->d, name.place, "a policy has %d files at most", DIAG_SOURCES_MOST);
        else if (!read_source(f, path, ret_source)) {
                if (errno == EFBIG)
                        diag_error(f->d, name.place, "with %.*s the policy is longer than it can be, %d MiB",
                                   SLICE_ARGS(path), POLICY_TEXT_MOST >> 20);
                else
                        diag_error(f->d, name.place, "cannot read %.*s: %s", SLICE_ARGS(path), strerror(errno));
        } else {
                before = arena_alloc(f->arena, sizeof *before);
                *before = name.place;
                map_put(&f->included, identity, before);
                return true;
        }
        return false;
}
