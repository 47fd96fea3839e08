/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A log read in one piece, and in smaller pieces of whole lines as the first byte chooses: both add up to the same. */
#include "maillog/tally.h"

/* step 0: all at once */
static struct maillog_totals totals_of(const struct rules *r, struct slice text, uint32_t step)
{
        struct batch_common common;
        batch_common_init(&common, r->categories);
        automaillogtally *t = maillog_tally_new(r, (struct limits_who){ .weighs = true }, (struct syslog_zone){ 0 });
        struct batch *b = batch_new(&common);
        for (size_t from = 0, end; from < text.n; from = end) {
                end = step ? from + (step = step * 75 % 65537) % 400 : text.n;
                end = end < text.n ? end + slice_find(slice_from(text, end), '\n') + 1 : text.n;
                end = end < text.n ? end : text.n;
                b->begins_file = from == 0;
                b->written = INT64_C(1795651200000000);
                batch_take(b, (struct slice){ text.p + from, end - from });
                batch_read(b);
                maillog_tally_batch(t, b);
        }
        batch_free(b);
        batch_common_done(&common);
        maillog_tally_end(t);
        return *maillog_tally_totals(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct rules *r;
        autodiags *d = diags_new();
        r = r ? r : rules_new(NULL, d);
        struct slice text = slice_from((struct slice){ (const char *)data, n }, n > 0);
        struct maillog_totals whole = totals_of(r, text, 0), parts = totals_of(r, text, n ? data[0] + 1u : 1);
        if (memcmp(&whole, &parts, sizeof whole) != 0)
                panic("pieces add up to something else");
        return 0;
}
