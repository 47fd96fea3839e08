/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/policy.h"
#include "policy/check.h"
#include "policy/files.h"
#include "policy/options.h"
#include "policy/parser.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/stat.h>

static const struct place nowhere = { 0 };

/* ---- words ---- */

static int choice_of(const char *const *choices, struct slice name)
{
        for (int i = 0; choices[i]; i++)
                if (slice_eq(slice_of(choices[i]), name))
                        return i;
        return -1;
}

const char *strategy_name(enum strategy s)
{
        return s < 0 || s >= STRATEGY_COUNT ? "none" : policy_strategies()[s];
}

enum strategy strategy_of(struct slice name)
{
        return (enum strategy)choice_of(policy_strategies(), name);
}

bool strategy_restricts(enum strategy s)
{
        return s == STRATEGY_SHIFT || s == STRATEGY_DIVERT || s == STRATEGY_TRAP || s == STRATEGY_BLOCK;
}

const char *level_name(enum level l)
{
        return l < 0 || l >= LEVEL_COUNT ? "none" : policy_levels()[l];
}

enum level level_of(struct slice name)
{
        return (enum level)choice_of(policy_levels(), name);
}

/* ---- from text ---- */

struct policy *policy_parse(const struct policy_input *in, struct diags *d)
{
        size_t errors = diags_errors(d);
        autoarena *scratch = arena_new(SIZE_MAX); /* bounded by POLICY_TEXT_MOST */
        struct draft draft = { .arena = scratch };
        autopolicy *p = xcalloc(1, sizeof *p);
        p->arena = arena_new(SIZE_MAX);
        policy_draft(in, d, &draft);
        policy_build(&draft, d, p);
        policy_check_conflicts(&draft, p, d);
        policy_draft_done(&draft);
        return diags_errors(d) == errors ? take(p) : NULL;
}

struct policy *policy_parse_mail(const struct policy_input *in, struct diags *d)
{
        size_t errors = diags_errors(d);
        autoarena *scratch = arena_new(SIZE_MAX);
        struct draft draft = { .arena = scratch };
        autopolicy *p = xcalloc(1, sizeof *p);
        p->arena = arena_new(SIZE_MAX);
        policy_draft(in, d, &draft);
        policy_build_mail(&draft, d, p);
        policy_draft_done(&draft);
        return diags_errors(d) == errors ? take(p) : NULL;
}

void policy_free(struct policy *p)
{
        if (!p)
                return;
        map_done(&p->class_names);
        map_done(&p->pool_names);
        map_done(&p->wave_names);
        arena_free(p->arena);
        free(p);
}

void policy_free_(struct policy **p)
{
        policy_free(*p);
}

/* Reads until one byte past the most a policy may have, so that the caller sees that it is too long. */
static bool read_file(void *arg, struct slice path, char **text, size_t *n)
{
        (void)arg;
        autofree char *name = slice_dup(path);
        autoclose int fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd == -1)
                return false;
        struct buf got;
        char chunk[65536];
        ssize_t count;
        buf_init(&got, POLICY_TEXT_MOST + sizeof chunk);
        while ((count = read(fd, chunk, sizeof chunk)) > 0 && got.n <= POLICY_TEXT_MOST)
                buf_add(&got, (struct slice){ chunk, (size_t)count });
        if (count == -1) {
                int why = errno;
                buf_done(&got);
                errno = why;
                return false;
        }
        *n = got.n;
        *text = buf_take(&got);
        return true;
}

/* *text is the caller's, and has what *in points into. */
static bool load(const char *path, struct diags *d, char **text, struct policy_input *in)
{
        *in = (struct policy_input){ .name = slice_of(path), .read = read_file };
        if (!read_file(NULL, in->name, text, &in->text.n)) {
                diag_error(d, nowhere, "cannot read %s: %s", path, strerror(errno));
                return false;
        }
        in->text.p = *text;
        return true;
}

struct policy *policy_load(const char *path, struct diags *d)
{
        autofree char *text = NULL;
        struct policy_input in;
        return load(path, d, &text, &in) ? policy_parse(&in, d) : NULL;
}

struct policy *policy_load_mail(const char *path, struct diags *d)
{
        autofree char *text = NULL;
        struct policy_input in;
        return load(path, d, &text, &in) ? policy_parse_mail(&in, d) : NULL;
}

/* A comment that looks like the mark is bent a little, so that it stays a comment. */
static void flatten_text(struct slice text, struct buf *out)
{
        while (text.n) {
                struct slice rest;
                struct slice line = slice_cut(text, '\n', &rest);
                if (slice_starts(line, S(FILE_MARK))) {
                        buf_adds(out, "#@");
                        line = slice_from(line, 1);
                }
                buf_add(out, line);
                buf_addc(out, '\n');
                text = rest;
        }
}

void policy_flatten(const struct diags *sources, struct buf *out)
{
        for (uint32_t i = 0; i < diags_sources(sources); i++) {
                struct slice name = diags_source_name(sources, i);
                buf_adds(out, FILE_MARK);
                for (size_t k = 0; k < name.n; k++)
                        buf_addc(out, name.p[k] == '\n' ? '?' : name.p[k]);
                buf_addc(out, '\n');
                flatten_text(diags_source_text(sources, i), out);
        }
}

/* ---- against the machine and the past ---- */

/* What a feed waits for need not be there yet: a warning. Whether the duty may read it, only the duty can tell. */
static void check_there(struct slice path, struct place place, const char *otherwise, struct diags *d)
{
        struct stat st;
        autofree char *name = slice_dup(path);
        if (path.n == 0)
                return;
        if (stat(name, &st) == -1)
                diag_warning(d, place, "%s: %s: %s", name, strerror(errno), otherwise);
        else if (!S_ISREG(st.st_mode))
                diag_warning(d, place, "%s is no file", name);
}

void policy_check_machine(const struct policy *p, struct diags *d)
{
        for (size_t i = 0; i < p->n_pools; i++) {
                autofree char *name = slice_dup(p->pools[i].interface);
                if (name[0] && if_nametoindex(name) == 0)
                        diag_warning(d, p->pools[i].interface_place, "interface %s does not exist on this machine",
                                     name);
        }
        for (size_t i = 0; i < p->n_feeds; i++) {
                const struct policy_feed *f = &p->feeds[i];
                check_there(f->secret_file, f->secret_place, "without its secret nobody is answered", d);
                check_there(f->file, f->file_place, "it is waited for", d);
        }
        for (size_t i = 0; i < p->edge.n_certificates; i++) {
                const struct policy_certificate *c = &p->edge.certificates[i];
                check_there(c->chain, c->place, "the edge serves nobody under this name until it is there", d);
                check_there(c->key, c->place, "the edge serves nobody under this name until it is there", d);
        }
}

void policy_check_against(const struct policy *p, const struct policy *running, int64_t now, struct diags *d)
{
        char from[TIME_TEXT_MAX];
        for (size_t i = 0; running && i < p->n_waves; i++) {
                const struct policy_wave *w = &p->waves[i];
                size_t old = policy_find_wave(running, w->name);
                if (w->from > now || (old < running->n_waves && running->waves[old].from == w->from))
                        continue;
                diag_warning(d, w->place, "wave \"%.*s\" is %s and began in the past, at %s", SLICE_ARGS(w->name),
                             old < running->n_waves ? "moved" : "new", time_print(w->from, from));
                diag_note(d, nowhere, "it is in force at once");
        }
}

/* ---- looking up ---- */

const struct policy_prefix *policy_find_prefix(const struct policy *p, const struct addr *a)
{
        size_t low = 0, high = p->n_prefixes;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (addr_cmp(&p->prefixes[middle].prefix.addr, a) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low && prefix_has(&p->prefixes[low - 1].prefix, a) ? &p->prefixes[low - 1] : NULL;
}

size_t policy_find_class(const struct policy *p, struct slice name)
{
        const struct policy_class *c = map_find(&p->class_names, name);
        return c ? (size_t)(c - p->classes) : p->n_classes;
}

size_t policy_find_pool(const struct policy *p, struct slice name)
{
        const struct policy_pool *o = map_find(&p->pool_names, name);
        return o ? (size_t)(o - p->pools) : p->n_pools;
}

size_t policy_find_wave(const struct policy *p, struct slice name)
{
        const struct policy_wave *w = map_find(&p->wave_names, name);
        return w ? (size_t)(w - p->waves) : p->n_waves;
}

static bool any_has(const struct prefix *v, size_t n, const struct addr *a)
{
        for (size_t i = 0; i < n; i++)
                if (prefix_has(&v[i], a))
                        return true;
        return false;
}

const struct policy_cgnat *policy_find_inside(const struct policy *p, const struct addr *a)
{
        for (size_t i = 0; i < p->n_cgnats; i++)
                if (any_has(p->cgnats[i].inside, p->cgnats[i].n_inside, a))
                        return &p->cgnats[i];
        return NULL;
}

static int by_bytes(const void *key, const void *member)
{
        return slice_cmp(*(const struct slice *)key, *(const struct slice *)member);
}

bool policy_never_cut(const struct policy *p, struct slice subscriber)
{
        return bsearch(&subscriber, p->never_cut, p->n_never_cut, sizeof *p->never_cut, by_bytes) != NULL;
}

static bool any_is(const struct slice *v, size_t n, struct slice s)
{
        for (size_t i = 0; i < n; i++)
                if (slice_eq(v[i], s))
                        return true;
        return false;
}

const struct policy_exemption *policy_find_exemption(const struct policy *p, struct slice subscriber,
                                                     const struct addr *a, int64_t at)
{
        const struct policy_exemption *found = NULL;
        for (size_t i = 0; i < p->n_exemptions; i++) {
                const struct policy_exemption *e = &p->exemptions[i];
                if (at > e->until || (found && e->until <= found->until))
                        continue;
                if ((subscriber.n && any_is(e->subscribers, e->n_subscribers, subscriber)) ||
                    (a && any_has(e->prefixes, e->n_prefixes, a)))
                        found = e;
        }
        return found;
}
