/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/base.h - attributes, clean-up of locals, panic and memory that cannot fail.
 *
 * The words every other file starts from; it knows nothing of mail, firewalls or files.
 * Owns:    nothing.
 * Threads: all of it may be used from any thread.
 * Limits:  x*alloc() end the process when memory is out: every size is bounded before it is asked for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define CLEANUP(f) __attribute__((cleanup(f)))
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* Our own bug: say where, abort. */
NORETURN void panic_at(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Room for at least `need` things of `size` bytes: grows *cap by doubling. */
void *xgrow(void *p, size_t *cap, size_t need, size_t size);

void autofree_(void *p);
void autoclose_(int *fd);
#define autofree CLEANUP(autofree_)
#define autoclose CLEANUP(autoclose_)

/* Hand-over of an owned pointer: the local is emptied, the value passes on. */
#define take(p)                                                                                                        \
        ({                                                                                                             \
                __auto_type taken_ = (p);                                                                              \
                (p) = NULL;                                                                                            \
                taken_;                                                                                                \
        })

static inline int take_fd(int *fd)
{
        int n = *fd;
        *fd = -1;
        return n;
}
