/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/list.h"

enum { ARENA = 1 << 30, OUT = 512 << 20 };

const char *cli_after, *cli_most;

bool cli_page(size_t *ret_most)
{
        uint64_t n = 0;
        if (cli_most && (!slice_u64(slice_of(cli_most), INT32_MAX, &n) || n == 0)) {
                cli_fail(EXIT_USAGE, "--most: %s: is no number from 1", cli_most);
                return false;
        }
        *ret_most = n;
        return true;
}

void cli_page_end(size_t n, const char *one, const char *several, struct slice last, struct buf *out)
{
        size_t most = 0;
        buf_addf(out, "%zu %s", n, n == 1 ? one : several);
        if (cli_page(&most) && most && n == most) {
                buf_adds(out, ", more may follow: --after ");
                buf_add_shown(out, last);
        }
        buf_addc(out, '\n');
}

static void print_json(const struct cli_list *list, const char *rows, size_t n, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_array(&j, list->key);
        for (size_t i = 0; i < n; i++)
                list->row_json(&j, NULL, rows + i * list->row_size);
        json_array_end(&j);
        json_report_end(&j);
}

int cli_list(const struct cli_list *list, int argc, char **argv)
{
        struct cli cli;
        void *rows = NULL;
        size_t n = 0;
        bool none;
        int status;
        if (!cli_parse(&cli, list->shape, argc, argv, &status))
                return status;
        cli_zone(&cli);
        autoledger *l = cli_ledger(&cli, &none, &status);
        if (status)
                return status;
        autoarena *a = arena_new(ARENA);
        autobuf out;
        buf_init(&out, OUT);
        int failed = l ? list->read(l, a, &cli, &rows, &n) : 0;
        if (failed)
                return failed > 0 ? EXIT_USAGE : cli_ledger_failed(l, failed);
        if (cli.json)
                print_json(list, rows, n, &out);
        else
                list->print(rows, n, &out);
        return cli_print(&out);
}
