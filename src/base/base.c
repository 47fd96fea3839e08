/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

void panic_at(const char *file, int line, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        fprintf(stderr, "porteiro: bug at %s:%d: ", file, line);
        vfprintf(stderr, fmt, ap);
        fputc('\n', stderr);
        va_end(ap);
        abort();
}

void *xmalloc(size_t n)
{
        return xrealloc(NULL, n);
}

void *xcalloc(size_t n, size_t size)
{
        void *p = calloc(n ? n : 1, size ? size : 1);
        if (!p)
                panic("out of memory (%zu times %zu bytes)", n, size);
        return p;
}

void *xrealloc(void *p, size_t n)
{
        void *q = realloc(p, n ? n : 1);
        if (!q)
                panic("out of memory (%zu bytes)", n);
        return q;
}

char *xstrdup(const char *s)
{
        size_t n = strlen(s) + 1;
        return memcpy(xmalloc(n), s, n);
}

char *xasprintf(const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        char *s = NULL;
        if (vasprintf(&s, fmt, ap) == -1)
                panic("out of memory (formatting)");
        va_end(ap);
        return s;
}

void *xgrow(void *p, size_t *cap, size_t need, size_t size)
{
        if (need <= *cap)
                return p;
        size_t want = *cap ? *cap : 8;
        while (want < need)
                want *= 2;
        size_t bytes;
        if (__builtin_mul_overflow(want, size, &bytes))
                panic("size overflow");
        *cap = want;
        return xrealloc(p, bytes);
}

void autofree_(void *p)
{
        free(*(void **)p);
}

void autoclose_(int *fd)
{
        if (*fd != -1)
                close(*fd);
}
