/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The duty whole, in a process that is locked in as the real one is, spoken to over its socket.
 *
 *     deliver_test --serve STATE MAILDIR      is the duty, for tests/test_deliver.py */
#include "edge/deliver.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "ledger/test_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static const struct mail_rules rules = { .reuse_after = 180 * DAY, .network = { "example.net", 11 } };

static const char *served_dir;

static void lock_in(const char *maildir)
{
        const struct sandbox_path paths[] = { { NULL, SANDBOX_READ }, { maildir, SANDBOX_READ | SANDBOX_WRITE } };
        const struct sandbox s = {
                .calls = SANDBOX_FILES | SANDBOX_SERVE, .paths = paths, .n_paths = 2, .deadly = true
        };
        int landlock;
        autobuf why;
        buf_init(&why, 4096);
        if (sandbox_lock(&s, served_dir, &landlock, &why) != 0)
                panic("%s", buf_cstr(&why));
}

/* --- the duty in a child --- */

struct a_duty {
        struct a_ledger *ledger;
        char maildir[96], log[96];
        struct deliver_options o;
        pid_t pid;
};

static struct mailbox_change change_of(const char *address)
{
        return (struct mailbox_change){
                .value = { .address = slice_of(address), .subscriber = S("1"), .limits = mail_limits_inherit }
        };
}

static int mailbox(struct a_ledger *t, const char *address, int64_t quota)
{
        struct mailbox_change c = change_of(address);
        c.limits[MAIL_LIMIT_QUOTA] = true;
        c.value.limits.v[MAIL_LIMIT_QUOTA] = quota;
        return client_mailbox(t->client, &c, MAILBOX_ADD, &rules);
}

static int setup(void **state)
{
        void *made;
        if (a_ledger_new(&made))
                return -1;
        struct a_ledger *t = made;
        struct slice both[] = { S("ana@example.net"), S("full@example.net") }, far = S("far@example.org");
        assert_yes(t, subscribe(t, "1", NULL));
        assert_yes(t, client_domain(t->client, S("example.net"), true, S("ana@example.net"), NULL));
        assert_yes(t, mailbox(t, "ana@example.net", LIMIT_NONE)); /* number 1 */
        assert_yes(t, mailbox(t, "rui@example.net", LIMIT_NONE)); /* 2 */
        assert_yes(t, mailbox(t, "full@example.net", 1 << 20));   /* 3 */
        assert_yes(t, client_alias(t->client, S("both@example.net"), both, 2, true, &rules));
        assert_yes(t, client_alias(t->client, S("far@example.net"), &far, 1, true, &rules));
        struct a_duty *d = xcalloc(1, sizeof *d);
        d->ledger = t;
        snprintf(d->maildir, sizeof d->maildir, "%s/maildir", t->dir);
        snprintf(d->log, sizeof d->log, "%s/log", t->dir);
        assert_int_equal(mkdir(d->maildir, 0700), 0);
        d->o = (struct deliver_options){ .dir = t->dir, .maildir = d->maildir, .lock_in = lock_in };
        *state = d;
        return 0;
}

static void stop(struct a_duty *d)
{
        int status;
        if (!d->pid)
                return;
        kill(d->pid, SIGTERM);
        assert_int_equal(waitpid(d->pid, &status, 0), d->pid);
        d->pid = 0;
        assert_int_equal(status, 0);
}

static int teardown(void **state)
{
        struct a_duty *d = *state;
        void *ledger = d->ledger;
        if (d->pid) {
                kill(d->pid, SIGKILL);
                waitpid(d->pid, NULL, 0);
        }
        free(d);
        return a_ledger_free(&ledger);
}

static int dial(const struct a_duty *d)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        snprintf(at.sun_path, sizeof at.sun_path, "%s/deliver.sock", d->o.dir);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
                return fd;
        close(fd);
        return -1;
}

/* Until it listens. */
static void start(struct a_duty *d)
{
        d->pid = fork();
        if (d->pid == 0) {
                int log = open(d->log, O_CREAT | O_WRONLY | O_APPEND, 0600);
                dup2(log, STDERR_FILENO);
                served_dir = d->o.dir;
                exit(deliver_run(&d->o));
        }
        for (int i = 0; i < 1000; i++) {
                int fd = dial(d);
                if (fd != -1) {
                        close(fd);
                        return;
                }
                usleep(10000);
        }
        fail_msg("it does not listen");
}

static bool logged(const struct a_duty *d, const char *words)
{
        autobuf text;
        buf_init(&text, 1 << 20);
        assert_int_equal(file_read(d->log, &text), 0);
        return strstr(buf_cstr(&text), words) != NULL;
}

static void assert_logged(const struct a_duty *d, const char *words)
{
        for (int i = 0; i < 500 && !logged(d, words); i++)
                usleep(10000);
        if (!logged(d, words))
                fail_msg("not logged: %s", words);
}

/* --- the client --- */

/* The last line of the next reply; empty where the connection ended. */
static void hear(int fd, char out[1024])
{
        size_t n = 0, line = 0;
        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                if (poll(&p, 1, 20000) != 1)
                        fail_msg("no reply");
                if (n + 1 == 1024 || read(fd, out + n, 1) != 1)
                        break;
                if (out[n++] != '\n')
                        continue;
                if (n - line > 4 && out[line + 3] == ' ') {
                        memmove(out, out + line, n - line);
                        out[n - line] = 0;
                        return;
                }
                line = n;
        }
        out[0] = 0;
}

static void say(int fd, const char *text)
{
        size_t n = strlen(text);
        assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

#define assert_reply(fd, command, want) assert_reply_at(fd, command, want, __LINE__)
static void assert_reply_at(int fd, const char *command, const char *want, int line)
{
        char got[1024];
        if (command)
                say(fd, command);
        hear(fd, got);
        if (strncmp(got, want, strlen(want)) != 0)
                fail_msg("line %d: %s: got %s, want %s", line, command ? command : "", got, want);
}

static int greeted(const struct a_duty *d)
{
        int fd = dial(d);
        assert_true(fd != -1);
        assert_reply(fd, NULL, "220 ");
        assert_reply(fd, "EHLO edge.example.net\r\n", "250 ENHANCEDSTATUSCODES");
        return fd;
}

/* --- what is there --- */

static size_t files_in(const struct a_duty *d, const char *relative, char one[512])
{
        size_t n = 0;
        autofree char *path = xasprintf("%s/%s", d->maildir, relative);
        DIR *list = opendir(path);
        struct dirent *e;
        while (list && (e = readdir(list)))
                if (e->d_name[0] != '.') {
                        n++;
                        if (one)
                                snprintf(one, 512, "%s/%s", path, e->d_name);
                }
        if (list)
                closedir(list);
        return n;
}

static void assert_message(const struct a_duty *d, const char *folder, const char *want)
{
        char one[512];
        autobuf text;
        buf_init(&text, 1 << 20);
        assert_int_equal(files_in(d, folder, one), 1);
        assert_int_equal(file_read(one, &text), 0);
        assert_string_equal(buf_cstr(&text), want);
}

#define ANA_NEW "01/1/Maildir/new"
#define RUI_NEW "02/2/Maildir/new"
#define FULL_NEW "03/3/Maildir/new"

/* --- tests --- */

static void a_message_to_two(void **state)
{
        struct a_duty *d = *state;
        start(d);
        int fd = greeted(d);
        assert_reply(fd, "XCLIENT ADDR=192.0.2.7 LOGIN=rui+40example.net NAME=[UNAVAILABLE]\r\n", "220 ");
        assert_reply(fd, "EHLO edge\r\n", "250 ");
        assert_reply(fd, "MAIL FROM:<a@example.org> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n", "250 2.1.0");
        assert_reply(fd, "RCPT TO:<ANA@Example.net>\r\n", "250 2.1.5");
        assert_reply(fd, "RCPT TO:<rui@example.net>\r\n", "250 2.1.5");
        assert_reply(fd, "RCPT TO:<abuse@example.net>\r\n", "250 2.1.5"); /* hers, too: still one copy */
        assert_reply(fd, "RCPT TO:<postmaster>\r\n", "250 2.1.5");
        assert_reply(fd, "DATA\r\n", "354");
        assert_reply(fd, "Subject: x\r\n\r\n..\r\n..dot\r\n\xC3\xA9\r\n.\r\n", "250 2.0.0");
        assert_message(d, ANA_NEW, "Return-Path: <a@example.org>\nSubject: x\n\n.\n.dot\n\xC3\xA9\n");
        assert_message(d, RUI_NEW, "Return-Path: <a@example.org>\nSubject: x\n\n.\n.dot\n\xC3\xA9\n");
        assert_int_equal(files_in(d, "tmp", NULL), 0);
        assert_logged(d, "outcome=delivered client=\"192.0.2.7\" login=\"rui@example.net\" from=\"a@example.org\"");
        assert_logged(d, " rcpts=4 mailboxes=2 file=");
        assert_reply(fd, "MAIL FROM:<>\r\n", "250 ");
        assert_reply(fd, "QUIT\r\n", "221");
        close(fd);
        stop(d);
}

static void who_is_refused(void **state)
{
        static const struct {
                const char *command, *want;
        } rows[] = { { "RCPT TO:<nobody@example.net>\r\n", "550 5.1.1 No such mailbox" },
                     { "RCPT TO:<x@example.org>\r\n", "550 5.7.1 Not a domain" },
                     { "RCPT TO:<far@example.net>\r\n", "550 5.7.1 This address is sent on" },
                     { "RCPT TO:<ana%example.org@example.net>\r\n", "550 5.1.1" },
                     { "RCPT TO:<\"../../../etc\"@example.net>\r\n", "550 5.1.1" },
                     { "RCPT TO:<\"ana\\@example.net\"@example.org>\r\n", "550 5.7.1" },
                     { "RCPT TO:<@example.org:x@example.org>\r\n", "550 5.7.1" },
                     { "RCPT TO:<ana@[127.0.0.1]>\r\n", "550 5.7.1" },
                     { "RCPT TO:<>\r\n", "501" },
                     { "RCPT TO:<\"ana\"@example.net>\r\n", "250" }, /* the same, written with quotes */
                     { "STARTTLS\r\n", "502" },
                     { "AUTH PLAIN AGEAYg==\r\n", "502" },
                     { "RSET\r\n", "250" },
                     { "MAIL FROM:<a@example.org> SIZE=1000001\r\n", "552 5.3.4" } };
        struct a_duty *d = *state;
        d->o.size_most = 1000000;
        start(d);
        int fd = greeted(d);
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\n", "250");
        for (size_t i = 0; i < COUNT_OF(rows); i++)
                assert_reply(fd, rows[i].command, rows[i].want);
        assert_logged(d, "event=rcpt-refused id=");
        close(fd);
        stop(d);
}

static void a_full_mailbox(void **state)
{
        struct a_duty *d = *state;
        start(d);
        int fd = greeted(d);
        assert_reply(fd, "MAIL FROM:<a@example.org> SIZE=2000000\r\n", "250");
        assert_reply(fd, "RCPT TO:<full@example.net>\r\n", "452 4.2.2");
        assert_reply(fd, "RSET\r\nMAIL FROM:<a@example.org>\r\n", "250");
        assert_reply(fd, NULL, "250");
        assert_reply(fd, "RCPT TO:<full@example.net>\r\n", "250"); /* it has room as far as anybody knows */
        assert_reply(fd, "DATA\r\n", "354");
        static char line[1026];
        memset(line, 'x', sizeof line - 3);
        memcpy(line + sizeof line - 3, "\r\n", 3);
        for (int i = 0; i < 1100; i++)
                say(fd, line);
        assert_reply(fd, ".\r\n", "250");
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\n", "250");
        assert_reply(fd, "RCPT TO:<full@example.net>\r\n", "452 4.2.2");
        assert_reply(fd, "RCPT TO:<both@example.net>\r\n", "452 4.2.2"); /* for one of the two */
        assert_reply(fd, "RCPT TO:<rui@example.net>\r\n", "250");
        assert_reply(fd, "DATA\r\n", "354");
        assert_reply(fd, "x\r\n.\r\n", "250");
        assert_int_equal(files_in(d, FULL_NEW, NULL), 1);
        assert_int_equal(files_in(d, RUI_NEW, NULL), 1);
        assert_int_equal(files_in(d, ANA_NEW, NULL), 0);
        close(fd);
        stop(d);
}

static void what_is_not_whole_leaves_nothing(void **state)
{
        struct a_duty *d = *state;
        d->o.size_most = 100000;
        start(d);
        int fd = greeted(d);
        static char line[1002];
        memset(line, 'x', sizeof line - 3);
        memcpy(line + sizeof line - 3, "\r\n", 3);
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\nRCPT TO:<ana@example.net>\r\nDATA\r\n", "250");
        assert_reply(fd, NULL, "250");
        assert_reply(fd, NULL, "354");
        for (int i = 0; i < 101; i++)
                say(fd, line);
        assert_logged(d, "outcome=too-big");
        assert_int_equal(files_in(d, "tmp", NULL), 0);
        assert_reply(fd, ".\r\n", "552 5.3.4");
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\nRCPT TO:<ana@example.net>\r\nDATA\r\n", "250");
        assert_reply(fd, NULL, "250");
        assert_reply(fd, NULL, "354");
        assert_reply(fd, "bare\nx\r\n.\r\n", "554 5.6.0");
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\nRCPT TO:<ana@example.net>\r\nDATA\r\n", "250");
        assert_reply(fd, NULL, "250");
        assert_reply(fd, NULL, "354");
        say(fd, "half of it\r\n");
        close(fd);
        assert_logged(d, "outcome=cut-off");
        fd = greeted(d);
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\nRCPT TO:<ana@example.net>\r\nDATA\r\n", "250");
        assert_reply(fd, NULL, "250");
        assert_reply(fd, NULL, "354");
        say(fd, "half of it\r\n");
        stop(d);
        close(fd);
        assert_int_equal(files_in(d, "tmp", NULL) + files_in(d, ANA_NEW, NULL), 0);
}

static void bounded(void **state)
{
        struct a_duty *d = *state;
        d->o.connections_most = 3;
        start(d);
        int deaf = greeted(d), a = greeted(d), b = greeted(d), many = dial(d);
        assert_reply(many, NULL, "421 4.3.2");
        close(many);
        /* who writes and never reads is dropped, and the others are served */
        struct timeval patience = { 20, 0 };
        setsockopt(deaf, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        autobuf noops;
        buf_init(&noops, 1 << 20);
        for (int i = 0; i < 1000; i++)
                buf_adds(&noops, "EHLO x\r\n");
        ssize_t sent = 1;
        for (int i = 0; i < 1000 && sent > 0; i++)
                sent = send(deaf, noops.p, noops.n, MSG_NOSIGNAL);
        assert_true(sent == -1 && (errno == EPIPE || errno == ECONNRESET));
        assert_reply(a, "NOOP\r\n", "250");
        close(deaf);
        close(a);
        a = greeted(d);
        char command[64];
        assert_reply(b, "MAIL FROM:<a@example.org>\r\n", "250");
        for (int i = 0; i < DELIVER_RCPTS_MOST; i++)
                assert_reply(b, "RCPT TO:<ana@example.net>\r\n", "250");
        snprintf(command, sizeof command, "RCPT TO:<rui@example.net>\r\n");
        assert_reply(b, command, "452 4.5.3");
        close(a);
        close(b);
        stop(d);
}

static void who_says_nothing_is_dismissed(void **state)
{
        struct a_duty *d = *state;
        d->o.command_wait = SECOND / 10;
        start(d);
        int fd = greeted(d);
        say(fd, "NOO"); /* bytes alone win no time */
        assert_reply(fd, NULL, "421 4.4.2");
        assert_reply(fd, NULL, "");
        close(fd);
        stop(d);
}

static void the_ledger_cannot_be_read(void **state)
{
        struct a_duty *d = *state;
        autofree char *path = xasprintf("%s/ledger.db", d->ledger->dir), *away = xasprintf("%s.away", path);
        assert_int_equal(rename(path, away), 0); /* it is opened when it is needed */
        start(d);
        int fd = greeted(d);
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\n", "250");
        assert_reply(fd, "RCPT TO:<ana@example.net>\r\n", "451 4.3.0");
        assert_logged(d, "event=ledger-unreadable");
        assert_int_equal(rename(away, path), 0);
        assert_reply(fd, "RCPT TO:<ana@example.net>\r\n", "250");
        close(fd);
        stop(d);
}

static void a_full_disk(void **state)
{
        struct a_duty *d = *state;
        if (geteuid() != 0 || mount("none", d->maildir, "tmpfs", 0, "size=256k") == -1) {
                print_message("needs root: a file system of its own\n");
                skip();
        }
        start(d);
        int fd = greeted(d);
        static char line[1002];
        memset(line, 'x', sizeof line - 3);
        memcpy(line + sizeof line - 3, "\r\n", 3);
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\nRCPT TO:<ana@example.net>\r\nDATA\r\n", "250");
        assert_reply(fd, NULL, "250");
        assert_reply(fd, NULL, "354");
        for (int i = 0; i < 1000; i++)
                say(fd, line);
        assert_reply(fd, ".\r\n", "452 4.3.1");
        assert_logged(d, "outcome=put-off");
        assert_int_equal(files_in(d, "tmp", NULL) + files_in(d, ANA_NEW, NULL), 0);
        assert_reply(fd, "MAIL FROM:<a@example.org>\r\nRCPT TO:<ana@example.net>\r\nDATA\r\n", "250");
        assert_reply(fd, NULL, "250");
        assert_reply(fd, NULL, "354");
        assert_reply(fd, "small\r\n.\r\n", "250");
        assert_int_equal(files_in(d, ANA_NEW, NULL), 1);
        close(fd);
        stop(d);
        assert_int_equal(umount(d->maildir), 0);
}

/* --- killed, or failed, at each system call of a delivery: what the client was told against what is there --- */

struct at {
        int left, error; /* 0: killed */
};

static int at_the_kth(void *arg, const char *call)
{
        struct at *at = arg;
        (void)call;
        if (--at->left != 0)
                return 0;
        if (!at->error)
                raise(SIGKILL);
        return at->error;
}

static void one_delivery(struct a_duty *d, int k, char last[1024])
{
        int fd = greeted(d);
        static const char *const commands[] = { "MAIL FROM:<a@example.org>\r\n", "RCPT TO:<ana@example.net>\r\n",
                                                "RCPT TO:<rui@example.net>\r\n", "DATA\r\n",
                                                "Subject: x\r\n\r\n.\r\n" };
        for (size_t i = 0; i < COUNT_OF(commands); i++) {
                send(fd, commands[i], strlen(commands[i]), MSG_NOSIGNAL);
                hear(fd, last);
                if (last[0] != '2' && last[0] != '3')
                        break;
        }
        if (last[0] == '5')
                fail_msg("call %d: %s", k, last);
        close(fd);
}

/* Until no call is left to be stopped: how many there were. */
static int each_call(struct a_duty *d, int error)
{
        for (int k = 1;; k++) {
                struct at at = { k, error };
                struct maildir_hook hook = { at_the_kth, &at };
                char last[1024];
                int status;
                d->o.hook = &hook;
                start(d);
                one_delivery(d, k, last);
                kill(d->pid, SIGTERM);
                assert_int_equal(waitpid(d->pid, &status, 0), d->pid);
                d->pid = 0;
                size_t ana = files_in(d, ANA_NEW, NULL), rui = files_in(d, RUI_NEW, NULL);
                bool taken = last[0] == '2';
                if (taken && (ana != 1 || rui != 1))
                        fail_msg("call %d: 250, and %zu and %zu copies", k, ana, rui);
                if (!taken && error && (ana || rui || files_in(d, "tmp", NULL)))
                        fail_msg("call %d: %s, and there are %zu and %zu copies", k, last, ana, rui);
                assert_int_equal(nftw(d->maildir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
                if (taken && !WIFSIGNALED(status) && k > 15)
                        return k;
        }
}

static void killed_at_each_call(void **state)
{
        assert_true(each_call(*state, 0) > 15);
}

static void each_call_fails(void **state)
{
        assert_true(each_call(*state, EIO) > 15);
        assert_true(each_call(*state, ENOSPC) > 15);
}

/* --- without a maildir --- */

static int asked;

static bool still(void)
{
        return asked++ == 0;
}

static void it_waits_until_the_policy_changes(void **state)
{
        struct a_duty *d = *state;
        int status;
        d->o.maildir = NULL;
        d->o.lock_in = NULL;
        d->o.still = still;
        d->pid = fork();
        if (d->pid == 0)
                exit(deliver_run(&d->o));
        assert_int_equal(waitpid(d->pid, &status, 0), d->pid);
        d->pid = 0;
        assert_int_equal(status, 0);
        assert_int_equal(dial(d), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(int argc, char **argv)
{
        if (argc == 4 && strcmp(argv[1], "--serve") == 0) {
                served_dir = argv[2];
                return deliver_run(&(struct deliver_options){ .dir = argv[2], .maildir = argv[3], .lock_in = lock_in });
        }
        const struct CMUnitTest tests[] = { T(a_message_to_two),
                                            T(who_is_refused),
                                            T(a_full_mailbox),
                                            T(what_is_not_whole_leaves_nothing),
                                            T(bounded),
                                            T(who_says_nothing_is_dismissed),
                                            T(the_ledger_cannot_be_read),
                                            T(a_full_disk),
                                            T(killed_at_each_call),
                                            T(each_call_fails),
                                            T(it_waits_until_the_policy_changes) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
