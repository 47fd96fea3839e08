/* SPDX-License-Identifier: GPL-3.0-or-later */
/* porteiro-edge: what strangers talk to. Started by the duty `edge` alone, with a descriptor of its setup (edge/setup.h). */
#include "auth/wire.h"
#include "base/log.h"
#include "edge/worker.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
        uint64_t fd;
        char piece[65536];
        ssize_t n;
        struct setup setup;
        struct buf text;
        struct stat st;
        if (argc != 2 || !slice_u64(slice_of(argv[1]), 1000000, &fd)) {
                fputs("porteiro-edge is started by \"porteiro run\" or \"porteiro duty edge\"\n", stderr);
                return 2;
        }
        log_duty("edge");
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        buf_init(&text, SETUP_MOST);
        if (fstat((int)fd, &st) == 0 && st.st_size <= SETUP_MOST)
                auth_reserve(&text, (size_t)st.st_size); /* what grows leaves keys behind */
        while ((n = read((int)fd, piece, sizeof piece)) > 0)
                buf_add(&text, (struct slice){ piece, (size_t)n });
        explicit_bzero(piece, sizeof piece);
        close((int)fd);
        if (n < 0 || !setup_get(&text, &setup)) {
                fputs("porteiro-edge: what descriptor it was given is no setup\n", stderr);
                return 3;
        }
        return worker_run(&setup);
}
