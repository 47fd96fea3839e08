/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `lease import`: files → reader → bindings → pile, in bounded memory, and what is over in one transaction or not at all.
 *
 * Exit status 0 says that everything that could be read is in the ledger: a record cut off at the end of a file that is being written, or a
 * few that are garbage, are told and are no failure (who runs this every night wants to hear of what must be done about). It is 1 where a
 * file holds nothing that can be read. */
#include "cli/lease.h"
#include "identity/bindings.h"
#include "identity/reader.h"
#include "ledger/pile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 20, HEAD_LEAST = 65536, SHOWN_MOST = 20, ARENA_MOST = 1 << 30 };
static const int64_t LATELY = HOUR; /* what ended no longer ago is in the live table still */

static const char *format, *realm, *nas, *line, *zone, *dry_run;
static const struct cli_option import_options[] = {
        { .name = "format",
          .argument = "WORD",
          .help = "detail, isc, kea4, kea6, csv, blocks-csv, blocks-junos (default: by what is in it)",
          .value = &format },
        { .name = "realm",
          .argument = "NAME",
          .help = "the address space of all addresses in it (default: the Internet)",
          .value = &realm },
        { .name = "nas",
          .argument = "NAME",
          .help = "stands for the server where its records name none",
          .value = &nas },
        { .name = "line",
          .argument = "KIND",
          .help = "what recognises subscribers: auto, user, circuit, remote, mac, duid (default: auto)",
          .value = &line },
        { .name = "zone",
          .argument = "NAME",
          .help = "of times without one, such as America/Sao_Paulo (default: the policy's)",
          .value = &zone },
        { .name = "dry-run", .help = "only show what would become of it", .value = &dry_run },
};
const struct cli_shape import_shape = {
        "lease import FILE... [--format WORD] [--realm NAME] [--nas NAME] [--line KIND] [--zone NAME] [--dry-run]",
        import_options, COUNT_OF(import_options), 1, 16
};

struct message {
        const char *file, *level;
        uint64_t line;
        char *text;
};

struct import {
        struct cli cli;
        struct reader_options options;
        struct bindings *bindings;
        struct pile *pile;
        int64_t now;
        int failed; /* of the pile */
        const char *file, *source;
        uint64_t records, wrong, file_records, file_wrong, ongoing;
        struct message messages[SHOWN_MOST]; /* the first */
        size_t n_messages;
        uint64_t n_warnings;
        struct {
                const char *name, *format;
                uint64_t records, wrong;
        } files[16];
        size_t n_files;
        bool loaded[3];
        bool shows_progress;
        int64_t shown; /* progress, when last */
        struct pile_result result;
};

/* --- what is told on the way ---------------------------------------------------------------------------------------------------- */

static void clear_progress(const struct import *im)
{
        if (im->shows_progress)
                fputs("\r\033[K", stderr);
}

static void tell(struct import *im, const char *level, uint64_t at, const char *text)
{
        if (im->n_messages < SHOWN_MOST)
                im->messages[im->n_messages++] = (struct message){ im->file, level, at, xstrdup(text) };
        else if (im->n_messages++ == SHOWN_MOST && !im->cli.json)
                fputs("porteiro: more is wrong; the sum comes at the end\n", stderr);
        if (im->n_messages > SHOWN_MOST || im->cli.json)
                return;
        autobuf name;
        buf_init(&name, 4096);
        buf_add_shown(&name, slice_of(im->file));
        clear_progress(im);
        fprintf(stderr, "porteiro: %s:%llu: %s%s\n", buf_cstr(&name), (unsigned long long)at,
                *level == 'w' ? "" : "warning: ", text);
}

static void on_wrong(void *arg, uint64_t at, const char *text)
{
        struct import *im = arg;
        im->file_wrong++;
        tell(im, "wrong", at, text);
}

static const char *zone_name(void)
{
        const char *name = getenv("TZ");
        return !name || !*name ? "the system's" : *name == ':' ? name + 1 : name;
}

static void on_warning(void *arg, uint64_t at, const char *text)
{
        struct import *im = arg;
        autobuf whole;
        buf_init(&whole, 1024);
        buf_adds(&whole, text);
        if (strstr(text, "zone"))
                buf_addf(&whole, " (%s; --zone names another)", zone_name());
        im->n_warnings++;
        tell(im, "note", at, buf_cstr(&whole));
}

static void show_progress(struct import *im, uint64_t done, uint64_t of, const char *what)
{
        int64_t now = time_monotonic();
        if (!im->shows_progress || now - im->shown < SECOND / 2)
                return;
        im->shown = now;
        if (of)
                fprintf(stderr, "\r\033[K%s: %.0f %%, %llu records", what, 100.0 * (double)done / (double)of,
                        (unsigned long long)(im->records + im->file_records));
        else
                fprintf(stderr, "\r\033[K%s: %llu records", what, (unsigned long long)(im->records + im->file_records));
}

/* --- from records to the pile --------------------------------------------------------------------------------------------------- */

/* What the live table has already goes there again; so does what is still open. */
static void on_lease(void *arg, const struct lease *l, bool settled)
{
        struct import *im = arg;
        bool over = l->end <= im->now;
        (void)settled;
        im->ongoing += !over;
        if (im->failed < 0)
                return;
        im->failed = over && l->id == 0 ? pile_add(im->pile, l) : pile_add_live(im->pile, l);
}

static void on_event(void *arg, const struct event *e)
{
        struct import *im = arg;
        im->file_records++;
        bindings_event(im->bindings, e);
}

/* What is open of this source in the ledger: the file goes on from there. */
static int load_open(struct import *im, enum reader_format f)
{
        static const char *const sources[] = { "radius", "dhcp", "cgnat" };
        size_t i = f == READER_DETAIL ? 0 : f == READER_BLOCKS_CSV || f == READER_BLOCKS_JUNOS ? 2 : 1;
        struct lease *all;
        size_t n;
        int status;
        if (f == READER_CSV || im->loaded[i])
                return EXIT_DONE;
        im->loaded[i] = true;
        autoledger *l = cli_ledger(&im->cli, NULL, &status);
        if (!l)
                return status;
        autoarena *a = arena_new(ARENA_MOST);
        int failed = ledger_leases_open(l, a, slice_of(sources[i]), im->now - LATELY, &all, &n);
        for (size_t k = 0; failed == 0 && k < n; k++)
                bindings_load(im->bindings, &all[k]);
        return failed < 0 ? cli_ledger_failed(l, failed) : EXIT_DONE;
}

/* --- a file ------------------------------------------------------------------------------------------------------------------------ */

struct input {
        int fd;
        char *bytes;
        uint64_t size, done; /* of a file, when it was opened: it may be growing; 0: a pipe */
};

/* Fills the chunk as far as there is something; 0 at the end. */
static ssize_t read_chunk(struct input *in, size_t least)
{
        size_t n = 0;
        while (n < least) {
                size_t most = CHUNK - n;
                if (in->size && in->size - in->done < most)
                        most = (size_t)(in->size - in->done);
                ssize_t got = most ? read(in->fd, in->bytes + n, most) : 0;
                if (got == -1 && errno == EINTR)
                        continue;
                if (got == -1)
                        return -errno;
                if (got == 0)
                        break;
                n += (size_t)got;
                in->done += (uint64_t)got;
        }
        return (ssize_t)n;
}

static int open_input(const struct import *im, struct input *in)
{
        struct stat st;
        in->fd = strcmp(im->file, "-") == 0 ? dup(STDIN_FILENO) : open(im->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (in->fd == -1 || fstat(in->fd, &st) == -1)
                return cli_fail(EXIT_SYSTEM, "%s: %s", im->file, strerror(errno));
        if (S_ISDIR(st.st_mode))
                return cli_fail(EXIT_NO, "%s: it is a folder: name the files in it", im->file);
        in->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        if (S_ISREG(st.st_mode) && st.st_size == 0)
                return EXIT_DONE;
        in->bytes = xmalloc(CHUNK);
        return EXIT_DONE;
}

static int take_format(struct import *im, struct slice head)
{
        static const struct {
                struct slice magic;
                const char *tool;
        } packed[] = { { S("\x1f\x8b"), "zcat" },
                       { S("\xfd"
                           "7zXZ"),
                         "xzcat" },
                       { S("\x28\xb5\x2f\xfd"), "zstdcat" },
                       { S("BZh"), "bzcat" } };
        for (size_t i = 0; i < COUNT_OF(packed); i++)
                if (slice_starts(head, packed[i].magic))
                        return cli_fail(EXIT_NO, "%s: it is compressed: %s %s | porteiro lease import -", im->file,
                                        packed[i].tool, im->file);
        im->options.format = format ? reader_format_of(slice_of(format)) : reader_detect(head);
        if (slice_starts(head, S("\xff\xfe")) || slice_starts(head, S("\xfe\xff")))
                return cli_fail(EXIT_NO, "%s: it is UTF-16: iconv -f UTF-16 -t UTF-8 %s | porteiro lease import -",
                                im->file, im->file);
        if (im->options.format == READER_FORMAT_COUNT)
                return cli_fail(
                    EXIT_NO,
                    "%s: it is none of the formats known here, or does not begin like one: name it with --format",
                    im->file);
        return EXIT_DONE;
}

static int read_records(struct import *im, struct input *in)
{
        ssize_t n = in->bytes ? read_chunk(in, HEAD_LEAST) : 0;
        if (n <= 0)
                return n < 0 ? cli_fail(EXIT_SYSTEM, "%s: %s", im->file, strerror((int)-n)) : EXIT_DONE;
        int status = take_format(im, (struct slice){ in->bytes, (size_t)n });
        if (status == 0)
                status = load_open(im, im->options.format);
        if (status)
                return status;
        const char *name = strrchr(im->file, '/');
        im->options.name = slice_of(strcmp(im->file, "-") == 0 ? "stdin" : name ? name + 1 : im->file);
        autoreader *r = reader_new(&im->options);
        for (; n > 0 && im->failed == 0; n = read_chunk(in, CHUNK)) {
                reader_feed(r, (struct slice){ in->bytes, (size_t)n });
                show_progress(im, in->done, in->size, im->file);
        }
        reader_end(r);
        if (n == 0 && in->done < in->size)
                tell(im, "note", reader_place(r).line,
                     "the file became shorter while it was read; what was read is taken");
        return n < 0 ? cli_fail(EXIT_SYSTEM, "%s: %s", im->file, strerror((int)-n)) : EXIT_DONE;
}

static int read_file(struct import *im)
{
        struct input in = { .fd = -1 };
        im->file_records = im->file_wrong = 0;
        im->options.format = READER_FORMAT_COUNT;
        int status = open_input(im, &in);
        if (status == 0)
                status = read_records(im, &in);
        if (in.fd != -1)
                close(in.fd);
        free(in.bytes);
        bool none = im->options.format == READER_FORMAT_COUNT;
        im->files[im->n_files].name = im->file;
        im->files[im->n_files].format = none ? NULL : reader_format_name(im->options.format);
        im->files[im->n_files].records = im->file_records;
        im->files[im->n_files++].wrong = im->file_wrong;
        im->records += im->file_records;
        im->wrong += im->file_wrong;
        if (status == 0 && im->file_records == 0 && im->file_wrong)
                return cli_fail(EXIT_NO, "%s: nothing in it can be read as %s", im->file,
                                reader_format_name(im->options.format));
        return status;
}

/* --- the answer ------------------------------------------------------------------------------------------------------------------------ */

static const struct {
        const char *key, *text;
        size_t at;
} sums[] = {
        { "without_start", "without a start in the files: computed from the session's time",
          offsetof(struct bindings_counts, startless) },
        { "replaced", "ended by the next holder, for want of a stop", offsetof(struct bindings_counts, replaced) },
        { "silent", "ended because their reports did", offsetof(struct bindings_counts, silent) },
        { "reopened", "opened again by a later sign of life", offsetof(struct bindings_counts, reopened) },
        { "late", "starts and stops that came late and put something right", offsetof(struct bindings_counts, late) },
        { "duplicates", "records told before", offsetof(struct bindings_counts, duplicates) },
        { "strays", "records of nobody, or ends of what was not seen to begin",
          offsetof(struct bindings_counts, stray) },
        { "nas_resets", "restarts of a NAS", offsetof(struct bindings_counts, nas_resets) },
        { "backward", "records more than a day older than those before", offsetof(struct bindings_counts, backward) },
        { "forgotten", "sessions let go too early: more are open than are kept",
          offsetof(struct bindings_counts, forgotten) },
};

static uint64_t sum_of(const struct import *im, size_t i)
{
        uint64_t n;
        memcpy(&n, (const char *)bindings_counts(im->bindings) + sums[i].at, sizeof n);
        return n;
}

static void print_text(const struct import *im, struct buf *out)
{
        const struct pile_result *r = &im->result;
        buf_addf(out, "%llu records read, %llu wrong\n", (unsigned long long)im->records,
                 (unsigned long long)im->wrong);
        for (size_t i = 0; i < COUNT_OF(sums); i++)
                if (sum_of(im, i))
                        buf_addf(out, "  %llu %s\n", (unsigned long long)sum_of(im, i), sums[i].text);
        buf_addf(out, "%llu leases new, %llu corrected, %llu known; %llu of them are open\n",
                 (unsigned long long)r->added, (unsigned long long)r->corrected, (unsigned long long)r->known,
                 (unsigned long long)im->ongoing);
        if (dry_run)
                buf_adds(out, "a dry run: nothing was changed\n");
        else if (r->added + r->corrected == 0)
                buf_addf(out, "%s: nothing was changed\n",
                         r->known ? "the ledger knew all of it" : "it has no lease of anybody");
}

static void print_json(const struct import *im, struct buf *out)
{
        struct json j;
        json_report(&j, out);
        json_bool(&j, "dry_run", dry_run != NULL);
        json_array(&j, "files");
        for (size_t i = 0; i < im->n_files; i++) {
                json_object(&j, NULL);
                json_string(&j, "name", slice_of(im->files[i].name));
                json_cstr(&j, "format", im->files[i].format);
                json_int(&j, "records", (int64_t)im->files[i].records);
                json_int(&j, "wrong", (int64_t)im->files[i].wrong);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_object(&j, "leases");
        json_int(&j, "new", (int64_t)im->result.added);
        json_int(&j, "corrected", (int64_t)im->result.corrected);
        json_int(&j, "known", (int64_t)im->result.known);
        json_int(&j, "open", (int64_t)im->ongoing);
        json_object_end(&j);
        json_object(&j, "records");
        json_int(&j, "read", (int64_t)im->records);
        json_int(&j, "wrong", (int64_t)im->wrong);
        for (size_t i = 0; i < COUNT_OF(sums); i++)
                json_int(&j, sums[i].key, (int64_t)sum_of(im, i));
        json_object_end(&j);
        json_array(&j, "messages");
        for (size_t i = 0; i < im->n_messages && i < SHOWN_MOST; i++) {
                json_object(&j, NULL);
                json_cstr(&j, "level", im->messages[i].level);
                json_string(&j, "file", slice_of(im->messages[i].file));
                json_int(&j, "line", (int64_t)im->messages[i].line);
                json_cstr(&j, "message", im->messages[i].text);
                json_object_end(&j);
        }
        json_array_end(&j);
        json_report_end(&j);
}

/* --- the command ------------------------------------------------------------------------------------------------------------------------- */

static bool take_line_choice(enum line_choice *ret)
{
        static const char *const words[] = {
#define WORD(id, word) [LINE_##id] = word,
                LINE_CHOICES(WORD)
#undef WORD
        };
        *ret = LINE_AUTO;
        for (size_t i = 0; line && i < COUNT_OF(words); i++)
                if (strcmp(words[i], line) == 0) {
                        *ret = (enum line_choice)i;
                        return true;
                }
        return !line;
}

static int take_options(struct import *im)
{
        struct reader_options *o = &im->options;
        if (format && reader_format_of(slice_of(format)) == READER_FORMAT_COUNT)
                return cli_fail(EXIT_USAGE,
                                "--format: %s: there are detail, isc, kea4, kea6, csv, blocks-csv and blocks-junos",
                                format);
        if (!take_line_choice(&o->line))
                return cli_fail(EXIT_USAGE, "--line: %s: there are auto, user, circuit, remote, mac and duid", line);
        if (zone && !time_set_zone(slice_of(zone)))
                return cli_fail(EXIT_USAGE, "--zone: %s: no such zone; one is America/Sao_Paulo", zone);
        if (!zone)
                cli_zone(&im->cli);
        im->now = time_now();
        *o = (struct reader_options){ .nas = slice_of(nas),
                                      .realm = slice_of(realm),
                                      .line = o->line,
                                      .now = im->now,
                                      .latest = im->now + DAY, /* clocks differ, zones are mistaken */
                                      .event = on_event,
                                      .wrong = on_wrong,
                                      .warn = on_warning,
                                      .arg = im };
        return EXIT_DONE;
}

static struct import *progress_of; /* pile_commit() tells nobody in particular */

static void commit_progress(uint64_t done, uint64_t of)
{
        show_progress(progress_of, done, of, "sorting");
}

static int pile_failed(const struct import *im, int failed)
{
        clear_progress(im);
        const char *why = pile_why(im->pile);
        return cli_fail(EXIT_SYSTEM, "lease import: %s; %s", *why ? why : strerror(-failed),
                        im->result.begun ? "some of it may be in the ledger: import it again" : "nothing was changed");
}

static int import_files(struct import *im)
{
        int status = EXIT_DONE;
        for (size_t i = 0; status == 0 && i < im->cli.n_words; i++) {
                im->file = im->cli.words[i];
                status = read_file(im);
        }
        bindings_finish(im->bindings, im->now);
        if (im->failed < 0)
                return pile_failed(im, im->failed);
        if (status)
                return status;
        /* the keeper's place is taken, where none runs, only for this: reading a large file must not keep others from writing */
        autoclient *c = cli_client(&im->cli, &status);
        if (!c)
                return status;
        progress_of = im;
        int failed = pile_commit(im->pile, c, NULL, 0, dry_run != NULL, commit_progress, &im->result);
        clear_progress(im);
        return failed < 0 ? pile_failed(im, failed) : EXIT_DONE;
}

static int make_ledger(const struct import *im)
{
        int status;
        client_close(cli_client(&im->cli, &status));
        return status;
}

int lease_import(int argc, char **argv)
{
        struct import im = { .shows_progress = false };
        int status;
        if (!cli_parse(&im.cli, &import_shape, argc, argv, &status))
                return status;
        autobuf out;
        buf_init(&out, 1 << 20);
        status = take_options(&im);
        if (status == 0)
                status = make_ledger(&im);
        if (status)
                return status;
        im.shows_progress = isatty(STDERR_FILENO);
        autopile *pile = NULL;
        int failed = pile_new(im.cli.state, 0, &pile, &out);
        if (failed < 0)
                return cli_fail(EXIT_SYSTEM, "%s", out.n ? buf_cstr(&out) : strerror(-failed));
        im.pile = pile;
        const struct bindings_rules rules = { .emit = on_lease, .arg = &im };
        autobindings *b = im.bindings = bindings_new(&rules);
        status = import_files(&im);
        buf_clear(&out);
        if (status == 0 && im.cli.json)
                print_json(&im, &out);
        else if (status == 0)
                print_text(&im, &out);
        for (size_t i = 0; i < im.n_messages && i < SHOWN_MOST; i++)
                free(im.messages[i].text);
        (void)b;
        return status ? status : cli_print(&out);
}
