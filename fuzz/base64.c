/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Responses of AUTH: whatever they are, what is taken has a name and no NUL; memory is of exactly the size that the contract asks for. */
#include "smtp/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct slice line = { (const char *)data, n };
        autofree char *out = xmalloc(n < 4 ? 1 : n / 4 * 3);
        size_t w;
        if (smtp_base64_decode(line, out, &w) && (w > n / 4 * 3 || w + 2 < n / 4 * 3))
                panic("%zu bytes of %zu letters", w, n);
        for (enum smtp_mechanism m = SMTP_MECHANISM_PLAIN; m <= SMTP_MECHANISM_LOGIN; m++) {
                struct smtp_sasl s;
                struct slice second, first = slice_cut(line, '\n', &second);
                enum smtp_sasl_found found = smtp_sasl_begin(&s, m, first);
                if (found == SMTP_SASL_ASK || found == SMTP_SASL_NAME)
                        found = smtp_sasl_line(&s, second);
                if (found == SMTP_SASL_WHOLE &&
                    (!s.name.n || slice_find(s.name, '\0') < s.name.n || slice_find(s.password, '\0') < s.password.n))
                        panic("a bad name was taken");
                smtp_sasl_done(&s);
        }
        return 0;
}
