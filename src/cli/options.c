/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line against a table of options. */
#include "cli/cli.h"

#include <stdio.h>

#define CONF "/etc/porteiro/porteiro.conf"
#define STATE "/var/lib/porteiro"

struct arguments {
        struct cli *cli;
        const struct cli_shape *shape;
        int argc, at;
        char **argv;
};

static void print_option(FILE *to, const char *name, const char *argument, const char *help)
{
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", name, argument ? " " : "", argument ? argument : "");
        fprintf(to, "  %-26s %s\n", left, help);
}

static void usage(FILE *to, const struct cli_shape *shape)
{
        fprintf(to, "usage: porteiro %s\n\n", shape->usage);
        for (size_t i = 0; i < shape->n_options; i++) {
                char name[48];
                snprintf(name, sizeof name, "--%s", shape->options[i].name);
                print_option(to, name, shape->options[i].argument, shape->options[i].help);
        }
        print_option(to, "-c", "FILE", "the policy file (default " CONF ")");
        print_option(to, "--state", "DIR", "where the ledger is (default " STATE ")");
        print_option(to, "--json", NULL, "for programs (commands that only read)");
}

static int wrong(const struct arguments *a, const char *what, const char *text)
{
        cli_fail(EXIT_USAGE, "%s: %s", text, what);
        usage(stderr, a->shape);
        return EXIT_USAGE;
}

static const char *closest(const struct cli_shape *shape, struct slice name)
{
        const char *best = NULL;
        size_t least = 3;
        for (size_t i = 0; i < shape->n_options; i++) {
                size_t n = slice_distance(name, slice_of(shape->options[i].name), least);
                if (n < least) {
                        least = n;
                        best = shape->options[i].name;
                }
        }
        return best;
}

static int unknown(const struct arguments *a, struct slice name, const char *text)
{
        const char *near = closest(a->shape, name);
        char what[96];
        snprintf(what, sizeof what, "no such option%s%s%s", near ? ": did you mean --" : "", near ? near : "",
                 near ? "?" : "");
        return wrong(a, what, text);
}

static bool is_option(const struct cli_shape *shape, const char *word)
{
        static const char *const globals[] = { "-c", "--conf", "--state", "--json", "--help" };
        for (size_t i = 0; i < COUNT_OF(globals); i++)
                if (strcmp(word, globals[i]) == 0)
                        return true;
        for (size_t i = 0; i < shape->n_options; i++)
                if (word[0] == '-' && word[1] == '-' && strcmp(word + 2, shape->options[i].name) == 0)
                        return true;
        return false;
}

/* What follows the option, in the same word after = or in the next. NULL where there is nothing; another option is no value: who means one
 * writes --name=--that. */
static const char *argument_of(struct arguments *a, struct slice after)
{
        if (after.p)
                return after.p;
        return a->at + 1 < a->argc && !is_option(a->shape, a->argv[a->at + 1]) ? a->argv[++a->at] : NULL;
}

static int take_value(struct arguments *a, const struct cli_option *o, const char *value)
{
        if (!o->values) {
                *o->value = value;
                return 0;
        }
        if (*o->n_values == CLI_VALUES_MOST)
                return wrong(a, "given more than 64 times", o->name);
        o->values[(*o->n_values)++] = value;
        return 0;
}

static int take_global(struct arguments *a, struct slice name, struct slice after, bool *taken)
{
        const char *text = a->argv[a->at];
        bool conf = slice_eq(name, S("c")) || slice_eq(name, S("conf")), state = slice_eq(name, S("state")),
             json = slice_eq(name, S("json"));
        *taken = conf || state || json;
        if (json && after.p)
                return wrong(a, "takes no value", text);
        if (json || !*taken) {
                a->cli->json = a->cli->json || json;
                return 0;
        }
        const char *value = argument_of(a, after);
        if (!value || !*value)
                return wrong(a, "wants a value", text);
        if (conf)
                a->cli->conf = value;
        else
                a->cli->state = value;
        a->cli->conf_given = a->cli->conf_given || conf;
        return 0;
}

static int take_option(struct arguments *a, struct slice text)
{
        struct slice after, name = slice_cut(text, '=', &after);
        const char *whole = a->argv[a->at];
        for (size_t i = 0; i < a->shape->n_options; i++) {
                const struct cli_option *o = &a->shape->options[i];
                if (!slice_eq(name, slice_of(o->name)))
                        continue;
                if (!o->argument)
                        return after.p ? wrong(a, "takes no value", whole) : take_value(a, o, "");
                const char *value = argument_of(a, after);
                return value ? take_value(a, o, value) : wrong(a, "wants a value", whole);
        }
        bool taken;
        int status = take_global(a, name, after, &taken);
        return taken ? status : unknown(a, name, whole);
}

static int take_word(struct arguments *a)
{
        const char *text = a->argv[a->at];
        if (a->cli->n_words == a->shape->words_most || a->cli->n_words == COUNT_OF(a->cli->words))
                return wrong(a, "is one word too many", text);
        a->cli->words[a->cli->n_words++] = text;
        return 0;
}

/* -1: go on. */
static int take_next(struct arguments *a, bool *only_words)
{
        struct slice text = slice_of(a->argv[a->at]);
        if (*only_words || text.n < 2 || text.p[0] != '-')
                return take_word(a);
        if (slice_eq(text, S("--"))) {
                *only_words = true;
                return 0;
        }
        if (slice_eq(text, S("--help")) || slice_eq(text, S("-h"))) {
                usage(stdout, a->shape);
                return -1;
        }
        return take_option(a, slice_from(text, text.p[1] == '-' ? 2 : 1));
}

bool cli_parse(struct cli *cli, const struct cli_shape *shape, int argc, char **argv, int *status)
{
        *cli = (struct cli){ .conf = CONF, .state = STATE };
        struct arguments a = { .cli = cli, .shape = shape, .argc = argc, .argv = argv };
        bool only_words = false;
        for (a.at = 1; a.at < argc; a.at++) {
                int done = take_next(&a, &only_words);
                if (done) {
                        *status = done == -1 ? EXIT_DONE : done;
                        return false;
                }
        }
        if (cli->n_words < shape->words_least) {
                *status = wrong(&a, "something is missing", argv[0]);
                return false;
        }
        return true;
}

int cli_dispatch(const char *noun, const struct cli_verb *verbs, size_t n, int argc, char **argv)
{
        const char *given = argc > 1 ? argv[1] : "";
        bool help = strcmp(given, "--help") == 0 || strcmp(given, "-h") == 0;
        for (size_t i = 0; i < n; i++)
                if (strcmp(verbs[i].name, given) == 0)
                        return verbs[i].run(argc - 1, argv + 1);
        if (!help && *given)
                cli_fail(EXIT_USAGE, "%s %s: there is no such command", noun, given);
        else if (!help)
                cli_fail(EXIT_USAGE, "%s: what with it?", noun);
        FILE *to = help ? stdout : stderr;
        for (size_t i = 0; i < n; i++)
                fprintf(to, "%s porteiro %s\n", i ? "      " : "usage:", verbs[i].shape->usage);
        return help ? EXIT_DONE : EXIT_USAGE;
}
