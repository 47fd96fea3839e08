/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kea's memfile, for DHCPv4 and DHCPv6: comma separated without quotes, a comma within a cell is written &#x2c. Columns differ between versions:
 * the heading says which there are (Kea 1.0 to 2.6: "state", "user_context", "hwtype", "pool_id" came later).
 *
 * A row says how a lease stands since the client's last transaction, `expire` less `valid_lifetime`. State 2, expired and reclaimed, ends it at
 * `expire`; 1, declined, takes the address from whoever had it. A row of no lifetime stands for a lease that was released or deleted, but
 * does not say when: its `expire` is the time of the last renewal. The file is a journal, so it was after all that was written
 * before it: the newest transaction seen so far is taken for it. Where nothing was seen before, nothing is told, and the lease ends at its
 * expiry, or where the next holder's begins.
 */
#include "identity/reader_inside.h"

enum column {
        ADDRESS,
        VALID,
        EXPIRE,
        CLIENT /* hwaddr or duid */,
        STATE,
        CONTEXT,
        OTHER /* client_id or hwaddr */,
        TYPE,
        LENGTH,
        COLUMNS
};
enum { NEEDED = 4, CELLS_MOST = 32, STATE_DECLINED = 1, STATE_RECLAIMED = 2, STATE_RELEASED = 3, TYPE_PREFIX = 2 };

static const char *const columns4[COLUMNS] = { "address",      "valid_lifetime", "expire", "hwaddr", "state",
                                               "user_context", "client_id",      "",       "" };
static const char *const columns6[COLUMNS] = { "address",      "valid_lifetime", "expire",     "duid",      "state",
                                               "user_context", "hwaddr",         "lease_type", "prefix_len" };

struct row {
        struct reader *r;
        uint64_t line;
        struct slice cells[CELLS_MOST];
        size_t n;
};

static void split(struct slice text, struct row *row)
{
        struct slice rest = slice_trim(text);
        do
                row->cells[row->n++] = slice_cut(rest, ',', &rest);
        while (rest.p && row->n < CELLS_MOST);
}

static struct slice cell(const struct row *row, enum column c)
{
        size_t at = row->r->columns.at[c];
        return at < row->n ? row->cells[at] : (struct slice){ NULL, 0 };
}

/* The hexadecimal text behind the first `"0x` after `name`. */
static bool find_hex(struct slice context, struct slice name, struct arena *a, struct slice *ret)
{
        const char *at = context.n ? memmem(context.p, context.n, name.p, name.n) : NULL;
        if (!at)
                return false;
        struct slice rest = slice_from(context, (size_t)(at - context.p) + name.n);
        at = memmem(rest.p, rest.n, "\"0x", 3);
        if (!at)
                return false;
        rest = slice_from(rest, (size_t)(at - rest.p) + 1);
        rest.n = slice_find(rest, '"');
        return raw_from_hex(rest, a, ret);
}

/* DHCPv6 options: code and length of two bytes each. */
static void take_relay6(struct slice bytes, struct client *c)
{
        enum { INTERFACE_ID = 18, REMOTE_ID = 37, ENTERPRISE = 4 }; /* RFC 8415 21.18, RFC 4649 3 */
        while (bytes.n >= 4) {
                uint32_t code = raw_number(bytes.p, 2), n = raw_number(bytes.p + 2, 2);
                if (n > bytes.n - 4)
                        return;
                if (code == INTERFACE_ID)
                        c->circuit = (struct slice){ bytes.p + 4, n };
                else if (code == REMOTE_ID && n > ENTERPRISE)
                        c->remote = (struct slice){ bytes.p + 4 + ENTERPRISE, n - ENTERPRISE };
                bytes = slice_from(bytes, 4 + (size_t)n);
        }
}

/* {"ISC": {"relay-agent-info": {"sub-options": "0x…"}}}, before Kea 2.4 {"ISC": {"relay-agent-info": "0x…"}};
 * for v6 {"ISC": {"relay-info": [{"hop": 0, "options": "0x…"}]}}, "relays" before 2.4, the relay next to the client last. */
static void take_context(const struct row *row, struct client *c)
{
        struct slice context = cell(row, CONTEXT), bytes;
        if (find_hex(context, S("\"relay-agent-info\""), row->r->arena, &bytes))
                reader_relay_options(bytes, c);
        else if (find_hex(context, S("\"options\""), row->r->arena, &bytes))
                take_relay6(bytes, c);
}

/* A client id of v4 that begins with 255 holds a DUID behind its IAID (RFC 4361 6.1). */
static void take_client_id(const struct row *row, struct client *c)
{
        struct slice bytes;
        if (raw_from_hex(cell(row, OTHER), row->r->arena, &bytes) && bytes.n > 5 && (unsigned char)bytes.p[0] == 255)
                c->duid = raw_to_hex(slice_from(bytes, 5), row->r->arena);
}

static const char *take_held(const struct row *row, bool v6, struct held *held)
{
        uint64_t type = 0, length = 128;
        struct addr address;
        if (!addr_parse(cell(row, ADDRESS), &address) || addr_is_v4(&address) == v6)
                return "its address is none";
        if (v6 && cell(row, TYPE).n && !slice_u64(cell(row, TYPE), 255, &type))
                return "its lease_type is no number";
        if (type == TYPE_PREFIX && !slice_u64(cell(row, LENGTH), 128, &length))
                return "its prefix_len is no length of a prefix";
        held->prefix = prefix_of(address, (unsigned)length);
        return addr_cmp(&held->prefix.addr, &address) == 0 ? NULL : "its prefix has bits behind its length";
}

static const char *take_times(const struct row *row, int64_t *began, int64_t *expires)
{
        uint64_t valid, expire;
        if (!slice_u64(cell(row, VALID), UINT32_MAX, &valid) ||
            !slice_u64(cell(row, EXPIRE), UINT64_C(253402300799), &expire))
                return "valid_lifetime or expire is no number";
        bool for_ever = valid == UINT32_MAX;
        if (for_ever && expire < valid) /* written in 32 bits */
                expire += valid + 1;
        if (expire <= valid)
                return "it began before 1970";
        *began = (int64_t)(expire - valid) * SECOND;
        *expires = for_ever ? TIME_NEVER : (int64_t)expire * SECOND;
        return NULL;
}

static void tell_end(const struct row *row, int64_t at, struct slice why, struct event *e)
{
        e->kind = EVENT_ENDS;
        e->at = at;
        e->expires = TIME_NEVER;
        e->why = why;
        reader_tell(row->r, row->line, e);
}

static void tell_release(const struct row *row, int64_t renewed, struct event *e)
{
        int64_t at = row->r->appended ? row->r->appended : row->r->newest;
        e->start = renewed; /* for who did not see it begin */
        if (at)
                tell_end(row, at > renewed ? at : renewed, S("released"), e);
}

static void tell(const struct row *row, const struct client *c, uint64_t state, int64_t began, struct event *e)
{
        if (state == STATE_DECLINED) {
                tell_end(row, began, S("declined"), e); /* by its address alone */
                return;
        }
        bool named = reader_client_line(row->r, c, &e->line);
        e->user = raw_text(cell(row, CLIENT).n ? cell(row, CLIENT) : cell(row, OTHER), row->r->arena);
        if (began == e->expires || state == STATE_RELEASED) {
                tell_release(row, began, e);
                return;
        }
        row->r->newest = began > row->r->newest ? began : row->r->newest;
        if (!named) {
                reader_wrong(row->r, row->line, "nothing in it names the line");
                return;
        }
        e->at = began;
        reader_tell(row->r, row->line, e);
        if (state == STATE_RECLAIMED && e->expires != TIME_NEVER)
                tell_end(row, e->expires, S("expired"), e);
}

static void take_row(const struct row *row, bool v6)
{
        struct event e = { .kind = EVENT_HOLDS, .source = S("dhcp"), .n_held = 1 };
        struct client c = { 0 };
        uint64_t state = 0;
        int64_t began;
        const char *wrong = take_held(row, v6, &e.held[0]);
        if (!wrong)
                wrong = take_times(row, &began, &e.expires);
        if (!wrong && cell(row, STATE).n && !slice_u64(cell(row, STATE), 255, &state))
                wrong = "its state is no number";
        if (wrong) {
                reader_wrong(row->r, row->line, "%s", wrong);
                return;
        }
        if (v6)
                c.duid = cell(row, CLIENT);
        else
                take_client_id(row, &c);
        if (!v6 || c.duid.n == 0 || row->r->o.line == LINE_MAC) /* of v6 the DUID is the client */
                c.mac = cell(row, v6 ? OTHER : CLIENT);
        take_context(row, &c);
        tell(row, &c, state, began, &e);
}

static void read_row(struct reader *r, const struct record *rec, const char *const *names, bool v6)
{
        struct row row = { .r = r, .line = rec->line };
        split(rec->text, &row);
        if (slice_eq(row.cells[0], S("address"))) { /* also in the middle: files joined together */
                reader_keep_heading(r, rec->text);
                if (!reader_find_columns(&r->columns, row.cells, row.n, names, COLUMNS, NEEDED))
                        reader_wrong(r, rec->line, "the heading lacks one of address, valid_lifetime, expire, %s",
                                     names[CLIENT]);
                return;
        }
        if (r->columns.known)
                take_row(&row, v6);
        else if (!r->heading_told)
                reader_wrong(r, rec->line, "the heading is missing: the first line must name the columns");
        r->heading_told = true;
}

void kea4_record(struct reader *r, const struct record *rec)
{
        read_row(r, rec, columns4, false);
}

void kea6_record(struct reader *r, const struct record *rec)
{
        read_row(r, rec, columns6, true);
}
