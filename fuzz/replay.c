/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz/replay.c - runs one fuzz target over files: the inputs that once crashed, and the seeds. Each input stands in memory of
 * exactly its size, so that a sanitizer sees the first byte read past it. */
#include "base/file.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                autobuf text;
                buf_init(&text, 64 << 20);
                if (file_read(argv[i], &text) < 0) {
                        fprintf(stderr, "%s: cannot be read\n", argv[i]);
                        return 1;
                }
                autofree uint8_t *exact = xmalloc(text.n);
                if (text.n)
                        memcpy(exact, text.p, text.n);
                LLVMFuzzerTestOneInput(exact, text.n);
        }
        printf("%d inputs\n", argc - 1);
        return 0;
}
