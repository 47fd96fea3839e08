/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Feeds as a policy says them. */
#include "identity/feed.h"

struct feed_source *feeds_of_policy(const struct policy *p, size_t *n)
{
        struct feed_source *all = xcalloc(p->n_feeds, sizeof *all);
        for (size_t i = 0; i < p->n_feeds; i++) {
                const struct policy_feed *f = &p->feeds[i];
                all[i] = (struct feed_source){ .name = f->name,
                                               .radius = f->radius,
                                               .listen = f->listen,
                                               .port = f->port,
                                               .nas = f->nas,
                                               .n_nas = f->n_nas,
                                               .secret_file = f->secret_file,
                                               .file = f->file,
                                               .format = (enum reader_format)f->format,
                                               .realm = f->realm,
                                               .line = (enum line_choice)f->line };
        }
        *n = p->n_feeds;
        return all;
}

void feeds_wanted(const struct policy *p, struct buf *out)
{
        char text[PREFIX_TEXT_MAX];
        buf_addf(out, "%.*s\n", SLICE_ARGS(p->network.timezone)); /* times without a zone are of this one */
        for (size_t i = 0; i < p->n_feeds; i++) {
                const struct policy_feed *f = &p->feeds[i];
                buf_addf(out, "%.*s|%d|%s|%u|%.*s|%.*s|%zu|%.*s|%zu|", SLICE_ARGS(f->name), f->radius,
                         addr_print(&f->listen, text), f->port, SLICE_ARGS(f->secret_file), SLICE_ARGS(f->file),
                         f->format, SLICE_ARGS(f->realm), f->line);
                for (size_t k = 0; k < f->n_nas; k++)
                        buf_addf(out, "%s,", prefix_print(&f->nas[k], text));
                buf_addc(out, '\n');
        }
}
