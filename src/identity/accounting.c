/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity/accounting.h"
#include "identity/raw.h"
#include "ledger/line.h"

/* A clock that was never set starts in 1970 (or at the year its firmware was built): no report is from before 2000. */
static const int64_t CLOCK_WAS_SET = INT64_C(946684800) * SECOND;

/* Nothing is reported before it happens: a clock that is ahead of the server's is wrong, and believed it would let others hold for years what
 * they left today. */
static const int64_t AHEAD_MOST = MINUTE;

static const char TOO_LONG[] = "the name of the line has more than 253 bytes";

struct slice accounting_cause(uint32_t n)
{
        /* RFC 2866 5.10 */
        static const char *const names[] = { "",
                                             "User-Request",
                                             "Lost-Carrier",
                                             "Lost-Service",
                                             "Idle-Timeout",
                                             "Session-Timeout",
                                             "Admin-Reset",
                                             "Admin-Reboot",
                                             "Port-Error",
                                             "NAS-Error",
                                             "NAS-Request",
                                             "NAS-Reboot",
                                             "Port-Unneeded",
                                             "Port-Preempted",
                                             "Port-Suspended",
                                             "Service-Unavailable",
                                             "Callback",
                                             "User-Error",
                                             "Host-Request" };
        return slice_of(n < COUNT_OF(names) ? names[n] : NULL);
}

/* Others (tunnels, failures, which are of no session) are taken for signs of life without an address: they change nothing. */
static enum event_kind kind_of(int status)
{
        switch (status) {
        case ACCOUNTING_START:
                return EVENT_BEGINS;
        case ACCOUNTING_STOP:
                return EVENT_ENDS;
        case ACCOUNTING_ON:
        case ACCOUNTING_OFF:
                return EVENT_NAS_RESETS;
        default:
                return EVENT_HOLDS;
        }
}

static bool is_about_a_session(int status)
{
        return status == ACCOUNTING_START || status == ACCOUNTING_STOP || status == ACCOUNTING_INTERIM;
}

static bool is_clock_wrong(const struct accounting *r)
{
        return r->event_time < CLOCK_WAS_SET ||
               (r->arrival >= CLOCK_WAS_SET && !r->arrival_guessed && r->event_time > r->arrival + AHEAD_MOST);
}

static const char *take_times(const struct accounting *r, struct event *e)
{
        e->at = r->event_time;
        if (is_clock_wrong(r) && r->arrival)
                e->at = r->arrival - (r->delay > 0 && r->delay < r->arrival ? r->delay : 0);
        if (e->at <= 0)
                return "it does not say when: neither Event-Timestamp nor a time of arrival";
        if (r->status == ACCOUNTING_START)
                e->start = e->at;
        else if (r->session_time >= 0 && r->session_time < e->at && is_about_a_session(r->status))
                e->start = e->at - r->session_time;
        return NULL;
}

/* p == NULL: it has none of that kind. */
static struct slice value_of(const struct accounting *r, enum line_choice by, struct arena *a)
{
        struct line mac = { S("mac"), r->calling };
        switch (by) {
        case LINE_USER:
                return r->user.n ? raw_text(r->user, a) : (struct slice){ NULL, 0 };
        case LINE_CIRCUIT:
                return r->circuit.n ? raw_text(r->circuit, a) : (struct slice){ NULL, 0 };
        case LINE_REMOTE:
                return r->remote.n ? raw_text(r->remote, a) : (struct slice){ NULL, 0 };
        case LINE_MAC:
                return r->calling.n && !line_canonical(&mac, a) ? mac.value : (struct slice){ NULL, 0 };
        default: /* RADIUS carries no DUID */
                return (struct slice){ NULL, 0 };
        }
}

static bool find_line(const struct accounting *r, enum line_choice by, struct arena *a, struct line *ret)
{
        static const struct {
                enum line_choice by;
                struct slice kind;
        } choices[] = {
                { LINE_USER, { "user", 4 } },
                { LINE_CIRCUIT, { "circuit", 7 } },
                { LINE_REMOTE, { "remote", 6 } },
                { LINE_MAC, { "mac", 3 } },
        };
        for (size_t i = 0; i < COUNT_OF(choices); i++) {
                if (by != LINE_AUTO && by != choices[i].by)
                        continue;
                struct slice value = value_of(r, choices[i].by, a);
                if (value.n) {
                        *ret = (struct line){ choices[i].kind, value };
                        return true;
                }
        }
        return false;
}

/* 0.0.0.0 and the two that mean "the user chooses" and "the NAS chooses" (RFC 2865 5.8), and prefixes that mean nothing. */
static bool is_no_address(const struct prefix *p)
{
        static const uint8_t zeros[16];
        if (p->len == 0 || memcmp(p->addr.b, zeros, sizeof zeros) == 0)
                return true;
        if (!prefix_is_v4(p))
                return false;
        uint32_t v4 = raw_number((const char *)p->addr.b + 12, 4);
        return v4 == 0 || v4 >= UINT32_MAX - 1;
}

static void take_held(const struct accounting *r, struct event *e)
{
        for (size_t i = 0; i < r->n_held; i++) {
                bool known = is_no_address(&r->held[i].prefix);
                for (size_t j = 0; j < e->n_held && !known; j++)
                        known = prefix_cmp(&e->held[j].prefix, &r->held[i].prefix) == 0;
                if (!known)
                        e->held[e->n_held++] = r->held[i];
        }
}

static bool take_texts(const struct accounting *r, struct arena *a, struct event *e)
{
        if (r->has_nas) {
                char *text = arena_alloc(a, ADDR_TEXT_MAX);
                e->nas = text ? slice_of(addr_print(&r->nas, text)) : (struct slice){ NULL, 0 };
        } else {
                e->nas = raw_text(r->nas_id, a);
        }
        e->session = raw_text(r->session, a);
        e->user = raw_text(r->user, a);
        e->why = raw_text(r->cause, a);
        return !arena_full(a);
}

const char *accounting_event(const struct accounting *r, enum line_choice by, struct arena *a, struct event *e)
{
        *e = (struct event){ .kind = kind_of(r->status), .source = S("radius"), .expires = TIME_NEVER };
        if (r->status == 0)
                return "it has no Acct-Status-Type";
        const char *wrong = take_times(r, e);
        if (wrong)
                return wrong;
        if (!take_texts(r, a, e))
                return "it is too large";
        if (!is_about_a_session(r->status))
                return NULL;
        take_held(r, e);
        if (!find_line(r, by, a, &e->line))
                /* an end is known by its session; what holds no address yet waits for the report that says who */
                return e->kind == EVENT_ENDS || e->n_held == 0 ? NULL : "nothing in it names the line";
        return e->line.value.n > LINE_VALUE_MOST ? TOO_LONG : NULL;
}
