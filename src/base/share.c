/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/share.h"

#include <errno.h>
#include <stdio.h>

/* Seen from the folder of the executable: built, built with sanitizers, installed under a prefix. */
static const char *const places[] = { "..", "../..", "../share/porteiro" };

int share_find(const char *name, char out[SHARE_PATH_MOST])
{
        char program[SHARE_PATH_MOST];
        ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
        if (n == -1)
                return -errno;
        program[n] = '\0';
        const char *slash = strrchr(program, '/');
        int folder = slash ? (int)(slash - program) : 0;
        for (size_t i = 0; i < COUNT_OF(places); i++) {
                int length = snprintf(out, SHARE_PATH_MOST, "%.*s/%s/%s", folder, program, places[i], name);
                if (length < SHARE_PATH_MOST && access(out, R_OK) == 0)
                        return 0;
        }
        return -ENOENT;
}
