/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The option tables as text: for the terminal and for the manual page. */
#include "policy/options.h"
#include "base/size.h"

enum { TEXT_WIDTH = 66 };

/* How a value is written, by type; NULL: the choices say it. */
static const char *const syntaxes[OPTION_TYPE_COUNT] = {
        [OPTION_TEXT] = "TEXT",
        [OPTION_HOST_NAME] = "NAME",
        [OPTION_EMAIL] = "ADDRESS",
        [OPTION_ZONE] = "ZONE",
        [OPTION_TIME] = "DATE",
        [OPTION_INTERFACE] = "INTERFACE",
        [OPTION_NAME] = "NAME",
        [OPTION_NAMES] = "NAME[, NAME...]",
        [OPTION_SUBSCRIBERS] = "ID[, ID...]",
        [OPTION_HOSTS] = "ADDRESS[, ADDRESS...]",
        [OPTION_PREFIXES] = "PREFIX[, PREFIX...]",
        [OPTION_POOL_PREFIXES] = "PREFIX [delegated LENGTH][, ...]",
        [OPTION_NUMBER] = "NUMBER",
        [OPTION_DURATION] = "DURATION",
        [OPTION_SIZE] = "SIZE | none",
        [OPTION_LIMIT] = "NUMBER | none",
        [OPTION_POINTS] = "POINTS",
        [OPTION_PORTS] = "LOW-HIGH",
        [OPTION_MARK] = "MARK/MASK",
        [OPTION_LISTEN] = "ADDRESS:PORT",
        [OPTION_SUBMISSION] = "[port] PORT[, PORT…]",
        [OPTION_CERTIFICATES] = "NAME chain PATH key PATH",
        [OPTION_NEXT_HOP] = "relay ADDRESS:PORT | unix:PATH[, …] | maildir PATH",
        [OPTION_SENDERS] = "ADDRESS[, ADDRESS…]",
        [OPTION_PATH] = "PATH",
        [OPTION_EDGE] = "local | route ADDRESS[, ADDRESS6] | dnat ADDRESS[, ADDRESS6] [port PORT]",
};

void option_print_values(const struct option *o, struct buf *out)
{
        if (syntaxes[o->type])
                buf_adds(out, syntaxes[o->type]);
        for (size_t i = 0; o->choices && o->choices[i]; i++)
                buf_addf(out, "%s%s", i ? " | " : "", o->choices[i]);
}

static void add_bounds(const struct option *o, struct buf *out)
{
        char low[TIME_TEXT_MAX], high[TIME_TEXT_MAX];
        if (o->type == OPTION_SIZE)
                buf_addf(out, " From %s to %s.", size_print(o->low, low), size_print(o->high, high));
        else if (o->type == OPTION_NUMBER || o->type == OPTION_POINTS || o->type == OPTION_LIMIT)
                buf_addf(out, " From %lld to %lld.", (long long)o->low, (long long)o->high);
        else if (o->type == OPTION_DURATION)
                buf_addf(out, " From %s to %s.", duration_print(o->low, low), duration_print(o->high, high));
        else if (o->type == OPTION_TEXT)
                buf_addf(out, " At most %lld bytes.", (long long)o->high);
        if (o->required)
                buf_adds(out, " Required.");
        else if (o->fallback)
                buf_addf(out, " Default: %s.", o->fallback);
}

static void print_head(const struct block *b, struct buf *out)
{
        buf_addf(out, "%s%s { ... }", b->name,
                 b->naming == NAMING_NONE   ? ""
                 : b->naming == NAMING_FREE ? " \"NAME\""
                                            : " NAME");
}

/* In lines of TEXT_WIDTH, the first behind `indent` blanks, the others behind `further`. */
static void add_wrapped(struct slice text, int indent, int further, struct buf *out)
{
        size_t column = 0;
        while (text.n) {
                struct slice rest;
                struct slice word = slice_cut(text, ' ', &rest);
                if (column && column + 1 + word.n > TEXT_WIDTH) {
                        buf_addc(out, '\n');
                        column = 0;
                        indent = further;
                }
                buf_addf(out, "%*s%.*s", column ? 1 : indent, "", SLICE_ARGS(word));
                column += word.n + (column > 0);
                text = rest;
        }
        buf_addc(out, '\n');
}

void policy_options_print(struct buf *out)
{
        size_t n;
        const struct block *blocks = policy_blocks(&n);
        for (size_t i = 0; i < n; i++) {
                buf_adds(out, i ? "\n" : "");
                print_head(&blocks[i], out);
                buf_addc(out, '\n');
                add_wrapped(slice_of(blocks[i].help), 4, 4, out);
                for (size_t k = 0; k < blocks[i].n_options; k++) {
                        const struct option *o = &blocks[i].options[k];
                        autobuf help, head;
                        buf_init(&help, 4096);
                        buf_init(&head, 4096);
                        buf_adds(&help, o->help);
                        add_bounds(o, &help);
                        buf_addf(&head, "%s ", o->name);
                        option_print_values(o, &head);
                        add_wrapped(buf_slice(&head), 4, 12, out);
                        add_wrapped(buf_slice(&help), 8, 8, out);
                }
        }
        buf_adds(out, "\ninclude \"FILE\"\n    The blocks of another file, named relative to this one.\n");
}

/* A hyphen that is one, no line that begins with a macro. */
static void add_roff(struct slice s, struct buf *out)
{
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i] == '-')
                        buf_adds(out, "\\-");
                else if (s.p[i] == '\\')
                        buf_adds(out, "\\e");
                else if (s.p[i] == '`' || s.p[i] == '"')
                        buf_adds(out, "\\(dq");
                else
                        buf_addc(out, s.p[i]);
        buf_addc(out, '\n');
}

static void add_option_roff(const struct option *o, struct buf *out)
{
        autobuf line;
        buf_init(&line, 4096);
        buf_adds(out, ".TP\n\\fB");
        for (const char *c = o->name; *c; c++)
                buf_addf(out, "%s%c", *c == '-' ? "\\" : "", *c);
        buf_adds(out, "\\fR ");
        option_print_values(o, &line);
        add_roff(buf_slice(&line), out);
        buf_clear(&line);
        buf_adds(&line, o->help);
        add_bounds(o, &line);
        add_roff(buf_slice(&line), out);
}

void policy_options_roff(struct buf *out)
{
        size_t n;
        const struct block *blocks = policy_blocks(&n);
        for (size_t i = 0; i < n; i++) {
                autobuf head;
                buf_init(&head, 1024);
                print_head(&blocks[i], &head);
                buf_adds(out, ".SS ");
                add_roff(buf_slice(&head), out);
                add_roff(slice_of(blocks[i].help), out);
                for (size_t k = 0; k < blocks[i].n_options; k++)
                        add_option_roff(&blocks[i].options[k], out);
        }
        buf_adds(out, ".SS include \\(dqFILE\\(dq\nThe blocks of another file, named relative to this one.\n");
}
