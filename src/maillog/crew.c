/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maillog/crew.h"

struct work {
        const struct crew *crew;
        pthread_mutex_t reading, lock; /* of next(); of all that follows */
        pthread_cond_t came_free, came_ready;
        struct batch *free[CREW_MOST * CREW_BATCHES], *ready[CREW_MOST * CREW_BATCHES];
        size_t n, n_free;
        uint64_t given, turn; /* numbers of batches */
        bool ended;
};

/* The next piece as a batch, which is ready then. False: there is none. */
static bool read_next(struct work *w, struct batch *b)
{
        pthread_mutex_lock(&w->reading);
        bool is = !w->ended && w->crew->next(w->crew->arg, b);
        pthread_mutex_lock(&w->lock);
        uint64_t number = w->given;
        w->given += is;
        w->ended = !is;
        pthread_mutex_unlock(&w->lock);
        pthread_mutex_unlock(&w->reading);
        if (is)
                batch_read(b);
        pthread_mutex_lock(&w->lock);
        *(is ? &w->ready[number % w->n] : &w->free[w->n_free++]) = b;
        pthread_cond_signal(&w->came_ready);
        pthread_mutex_unlock(&w->lock);
        return is;
}

static void *help(void *arg)
{
        struct work *w = arg;
        for (bool more = true; more;) {
                pthread_mutex_lock(&w->lock);
                while (w->n_free == 0)
                        pthread_cond_wait(&w->came_free, &w->lock);
                struct batch *b = w->free[--w->n_free];
                pthread_mutex_unlock(&w->lock);
                more = read_next(w, b);
        }
        return NULL;
}

static void take_ready(struct work *w, struct batch *b)
{
        w->ready[w->turn % w->n] = NULL;
        pthread_mutex_unlock(&w->lock);
        w->crew->apply(w->crew->arg, b);
        pthread_mutex_lock(&w->lock);
        w->turn++;
        w->free[w->n_free++] = b;
        pthread_cond_signal(&w->came_free);
}

static void lead(struct work *w)
{
        pthread_mutex_lock(&w->lock);
        while (!w->ended || w->turn < w->given) {
                struct batch *b = w->ready[w->turn % w->n];
                if (b) {
                        take_ready(w, b);
                } else if (w->n_free && !w->ended) {
                        b = w->free[--w->n_free];
                        pthread_mutex_unlock(&w->lock);
                        read_next(w, b);
                        pthread_mutex_lock(&w->lock);
                } else {
                        pthread_cond_wait(&w->came_ready, &w->lock);
                }
        }
        pthread_cond_broadcast(&w->came_free);
        pthread_mutex_unlock(&w->lock);
}

void crew_run(const struct crew *c)
{
        pthread_t others[CREW_MOST];
        size_t workers = c->workers < 1 ? 1 : c->workers > CREW_MOST ? CREW_MOST : c->workers, started = 0;
        struct work w = { .crew = c, .n = workers * CREW_BATCHES };
        pthread_mutex_init(&w.reading, NULL);
        pthread_mutex_init(&w.lock, NULL);
        pthread_cond_init(&w.came_free, NULL);
        pthread_cond_init(&w.came_ready, NULL);
        while (w.n_free < w.n)
                w.free[w.n_free++] = batch_new(c->common);
        while (started + 1 < workers && pthread_create(&others[started], NULL, help, &w) == 0)
                started++; /* with fewer it takes longer */
        lead(&w);
        while (started)
                pthread_join(others[--started], NULL);
        while (w.n_free)
                batch_free(w.free[--w.n_free]);
        pthread_mutex_destroy(&w.reading);
        pthread_mutex_destroy(&w.lock);
        pthread_cond_destroy(&w.came_free);
        pthread_cond_destroy(&w.came_ready);
}
