/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static const char *duty = "porteiro";

void log_duty(const char *name)
{
        duty = name;
}

void log_event(const char *event, const char *fmt, ...)
{
        char line[LOG_LINE_MOST];
        size_t n = (size_t)snprintf(line, sizeof line, "duty=%s event=%s ", duty, event);
        va_list ap;
        va_start(ap, fmt);
        if (n < sizeof line)
                n += (size_t)vsnprintf(line + n, sizeof line - n, fmt, ap);
        va_end(ap);
        if (n > sizeof line - 2)
                n = sizeof line - 2;
        line[n++] = '\n';
        ssize_t unused = write(STDERR_FILENO, line, n);
        (void)unused;
}

const char *log_text(struct buf *out, struct slice value)
{
        buf_clear(out);
        buf_addc(out, '"');
        if (value.n > LOG_VALUE_MOST)
                value.n = LOG_VALUE_MOST;
        buf_add_escaped(out, value);
        buf_addc(out, '"');
        return buf_cstr(out);
}
