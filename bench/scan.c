/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How fast Vectorscan alone scans a file for ten patterns, in blocks of 1 MiB: the yardstick of bench/maillog.py.
 *
 *     scan FILE PATTERN... */
#include <fcntl.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 1 << 20, PATTERNS_MOST = 64 };

static int count(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *found)
{
        (void)id, (void)from, (void)to, (void)flags;
        ++*(unsigned long *)found;
        return 0;
}

int main(int argc, char **argv)
{
        hs_database_t *db;
        hs_compile_error_t *wrong;
        hs_scratch_t *scratch = NULL;
        unsigned flags[PATTERNS_MOST] = { 0 }, ids[PATTERNS_MOST];
        unsigned long found = 0;
        static char block[BLOCK];
        if (argc < 3 || argc - 2 > PATTERNS_MOST)
                return 2;
        for (int i = 0; i < argc - 2; i++)
                ids[i] = (unsigned)i;
        if (hs_compile_multi((const char *const *)argv + 2, flags, ids, (unsigned)argc - 2, HS_MODE_BLOCK, NULL, &db,
                             &wrong) != HS_SUCCESS ||
            hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
                return 3;
        int fd = open(argv[1], O_RDONLY);
        for (ssize_t n; (n = read(fd, block, BLOCK)) > 0;)
                hs_scan(db, block, (unsigned)n, 0, scratch, count, &found);
        printf("%lu\n", found);
        return fd == -1;
}
