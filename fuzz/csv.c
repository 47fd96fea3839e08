/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a file; and what was read, written again, reads the same. */
#include "base/buf.h"
#include "base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct csv in, again;
        csv_init(&in, (struct slice){ (const char *)data, n });
        for (enum csv_found f; (f = csv_next(&in)) != CSV_END;) {
                if (f == CSV_BAD)
                        continue;
                autobuf text;
                buf_init(&text, 1 << 20);
                buf_addc(&text,
                         ','); /* first, lest semicolons be taken for the separator or an empty row passed over */
                for (size_t i = 0; i < in.n_cells; i++) {
                        csv_put(&text, in.cells[i]);
                        if (i + 1 < in.n_cells)
                                buf_addc(&text, ',');
                }
                csv_init(&again, buf_slice(&text));
                if (csv_next(&again) != CSV_ROW || again.n_cells != in.n_cells + 1) {
                        if (in.n_cells < CSV_CELLS_MOST && in.n_bytes < CSV_ROW_MOST)
                                panic("%zu cells came back as %zu", in.n_cells, again.n_cells);
                        continue;
                }
                for (size_t i = 0; i < in.n_cells; i++)
                        if (!slice_eq(in.cells[i], again.cells[i + 1]))
                                panic("cell %zu came back changed", i);
        }
        return 0;
}
