/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/duties.h"
#include "auth/duty.h"
#include "auth/nursery.h"
#include "base/log.h"
#include "base/notify.h"
#include "edge/deliver.h"
#include "edge/host.h"
#include "base/share.h"
#include "gate/gate.h"
#include "gate/sight.h"
#include "identity/feed.h"
#include "judge/judge.h"
#include "ledger/keeper.h"
#include "maillog/duty.h"
#include "run/reign.h"
#include "run/state.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

enum { STATUS_SYSTEM = 3 };

#define CAPABILITY(name) (UINT64_C(1) << (name))

/* What this process is; the rooms below call back without an argument. */
static const struct duty_row *self;
static const char *self_dir;

/* --- locking in --- */

static bool deadly(void)
{
        return slice_eq(slice_of(getenv(SANDBOX_VARIABLE)), S("kill"));
}

static int lock(struct sandbox *s, struct buf *why)
{
        int landlock = 0;
        s->deadly = deadly();
        int failed = sandbox_lock(s, self_dir, &landlock, why);
        if (!failed)
                log_event("locked-in", "landlock=%d uid=%u", landlock, (unsigned)geteuid());
        return failed;
}

/* `more`: what only this run knows of. */
static int lock_in_paths(const struct sandbox_path *more, size_t n, struct buf *why)
{
        struct sandbox s = self->sandbox;
        autofree struct sandbox_path *paths = xcalloc(s.n_paths + n + 1, sizeof *paths);
        memcpy(paths, s.paths, s.n_paths * sizeof *paths);
        if (n)
                memcpy(paths + s.n_paths, more, n * sizeof *paths);
        s.paths = paths;
        s.n_paths += n;
        return lock(&s, why);
}

/* There is no way on without the lock. */
NORETURN static void end_unlocked(struct buf *why)
{
        fprintf(stderr, "porteiro: %s: cannot lock itself in: %s\n", self->name, buf_cstr(why));
        exit(STATUS_SYSTEM);
}

static void lock_in_paths_or_end(const struct sandbox_path *more, size_t n)
{
        autobuf why;
        buf_init(&why, 4096);
        if (lock_in_paths(more, n, &why) != 0)
                end_unlocked(&why);
        notify("READY=1");
}

/* `more`: folders that may be read; a program (or NULL) that may be executed. */
static void lock_in_or_end_more(const char *const *more, size_t n, const char *program)
{
        autofree struct sandbox_path *paths = xcalloc(n + 1, sizeof *paths);
        for (size_t i = 0; i < n; i++)
                paths[i] = (struct sandbox_path){ more[i], SANDBOX_READ };
        paths[n] = (struct sandbox_path){ program, SANDBOX_READ | SANDBOX_EXECUTE };
        lock_in_paths_or_end(paths, n + (program != NULL));
}

/* NULL: there is no such folder. */
static void lock_in_writing(const char *folder)
{
        lock_in_paths_or_end(&(struct sandbox_path){ folder, SANDBOX_READ | SANDBOX_WRITE }, folder != NULL);
}

static void lock_in_or_end_with(const char *const *more, size_t n)
{
        lock_in_or_end_more(more, n, NULL);
}

static void lock_in_or_end(void)
{
        lock_in_or_end_more(NULL, 0, NULL);
}

/* It forks, and talks to the duty alone. */
static void lock_in_nursery(void)
{
        struct sandbox s = self->sandbox;
        autobuf why;
        buf_init(&why, 4096);
        s.calls = SANDBOX_FORK;
        if (lock(&s, &why) != 0)
                end_unlocked(&why);
}

static int lock_in_keeper(void *arg, struct buf *why)
{
        (void)arg;
        return lock_in_paths(NULL, 0, why);
}

/* --- the duties --- */

static int run_keeper(const char *dir)
{
        autobuf why;
        buf_init(&why, 8192);
        if (keeper_run(dir, lock_in_keeper, NULL, &why) == 0)
                return 0;
        fprintf(stderr, "porteiro: keeper: %s\n", buf_cstr(&why));
        return STATUS_SYSTEM;
}

static int run_gate(const char *dir)
{
        return gate_run(&(struct gate_options){ .dir = dir, .lock_in = lock_in_or_end });
}

static int run_judge(const char *dir)
{
        return judge_run(&(struct judge_options){ .dir = dir, .lock_in = lock_in_or_end });
}

static struct reign *reign;

static void say_waiting(void)
{
        log_event("waiting", "for=\"a first generation\"");
        notify("READY=1\nSTATUS=waiting for a first generation");
}

static bool still(void)
{
        return reign_still(reign, time_monotonic());
}

static void wants_group(const struct policy *p, struct buf *out)
{
        buf_addf(out, "%u", p->gate.nflog_group);
}

static int run_sight(const char *dir)
{
        reign = reign_wait(dir, wants_group, say_waiting);
        int status = sight_run(&(struct sight_options){ .dir = dir,
                                                        .nflog_fd = -1,
                                                        .group = reign_policy(reign)->gate.nflog_group,
                                                        .lock_in = lock_in_or_end,
                                                        .still = still });
        reign_free(reign);
        return status;
}

static int run_lease(const char *dir)
{
        size_t n;
        reign = reign_wait(dir, feeds_wanted, say_waiting);
        autofree struct feed_source *sources = feeds_of_policy(reign_policy(reign), &n);
        int status = feeds_run(&(struct feeds_options){
            .dir = dir, .sources = sources, .n = n, .lock_in = lock_in_or_end_with, .still = still });
        reign_free(reign);
        return status;
}

static const struct policy *reigning_policy(void)
{
        return reign_policy(reign);
}

static struct slice reigning_text(void)
{
        return reign_text(reign);
}

static enum host_news edge_news(void)
{
        static const enum host_news news[] = {
                [REIGN_SAME] = HOST_SAME, [REIGN_NEW] = HOST_NEW_POLICY, [REIGN_ELSE] = HOST_OTHER_SOCKETS
        };
        return news[reign_follow(reign, time_monotonic())];
}

static int run_edge(const char *dir)
{
        reign = reign_wait(dir, host_wants, say_waiting);
        struct host_options o = { .dir = dir,
                                  .deadly = deadly(),
                                  .policy = reigning_policy,
                                  .text = reigning_text,
                                  .news = edge_news,
                                  .lock_in = lock_in_or_end_more };
        int failed = sight_key(dir, o.sketch_key);
        if (failed)
                fprintf(stderr, "porteiro: edge: sketch.key: %s\n", strerror(-failed));
        int status = failed ? STATUS_SYSTEM : host_run(&o);
        reign_free(reign);
        return status;
}

/* The folder of Maildirs that the policy wants mail delivered to; empty: none. */
static struct slice maildir_wanted(const struct policy *p)
{
        return p->edge.written ? p->edge.maildir : S("");
}

/* What deliver does not ask reigning_policy() for at each message. */
static void wants_maildir(const struct policy *p, struct buf *out)
{
        struct slice maildir = maildir_wanted(p);
        if (maildir.n)
                buf_addf(out, "%.*s %.*s %lld %lld", SLICE_ARGS(maildir), SLICE_ARGS(p->network.language),
                         (long long)p->edge.size, (long long)p->edge.recipients);
}

static bool still_there(void)
{
        return reign_follow(reign, time_monotonic()) != REIGN_ELSE;
}

static int run_deliver(const char *dir)
{
        reign = reign_wait(dir, wants_maildir, say_waiting);
        const struct policy *p = reign_policy(reign);
        struct slice wanted = maildir_wanted(p);
        autofree char *maildir = wanted.n ? slice_dup(wanted) : NULL;
        int status = deliver_run(&(struct deliver_options){ .dir = dir,
                                                            .maildir = maildir,
                                                            .policy = reigning_policy,
                                                            .size_most = (uint64_t)p->edge.size,
                                                            .rcpts_most = (unsigned)p->edge.recipients,
                                                            .lock_in = lock_in_writing,
                                                            .still = still_there });
        reign_free(reign);
        return status;
}

/* Its own folder may be written. */
static void lock_in_maillog(const char *const *folders, size_t n)
{
        autofree struct sandbox_path *paths = xcalloc(n + 1, sizeof *paths);
        autofree char *own = xasprintf("%s/maillog", self_dir);
        for (size_t i = 0; i < n; i++)
                paths[i] = (struct sandbox_path){ folders[i], SANDBOX_READ };
        paths[n] = (struct sandbox_path){ own, SANDBOX_READ | SANDBOX_WRITE };
        lock_in_paths_or_end(paths, n + 1);
}

static int run_maillog(const char *dir)
{
        reign = reign_wait(dir, maillog_wants, say_waiting);
        int status = maillog_run(&(struct maillog_duty_options){ .dir = dir,
                                                                 .policy = reigning_policy,
                                                                 .text = reigning_text,
                                                                 .still = still_there,
                                                                 .lock_in = lock_in_maillog });
        reign_free(reign);
        return status;
}

static int run_auth(const char *dir)
{
        char words[SHARE_PATH_MOST];
        int nursery = -1, found = share_find("data/weak-words", words);
        if (found < 0)
                log_event("weak-words-missing", "error=\"%s\"", strerror(-found));
        int failed = nursery_start(
            &(struct nursery_options){ .dir = dir, .words = found < 0 ? NULL : words, .lock_in = lock_in_nursery },
            &nursery);
        if (failed) {
                fprintf(stderr, "porteiro: auth: a process for its checkers: %s\n", strerror(-failed));
                return STATUS_SYSTEM;
        }
        reign = reign_wait(dir, auth_wanted, say_waiting);
        int status = auth_run(&(struct auth_options){
            .dir = dir, .nursery = nursery, .policy = reign_policy(reign), .lock_in = lock_in_or_end, .still = still });
        reign_free(reign);
        close(nursery);
        return status;
}

/* Policies name a time zone; the audit names people; SQLite asks for chance. */
#define EVERYBODY_READS                                                                                                \
        { "/usr/share/zoneinfo", SANDBOX_READ }, { "/etc/localtime", SANDBOX_READ }, { "/etc/passwd", SANDBOX_READ },  \
            { "/etc/nsswitch.conf", SANDBOX_READ }, { "/dev/urandom", SANDBOX_READ },

static const struct sandbox_path keeper_paths[] = { { NULL, SANDBOX_READ | SANDBOX_WRITE }, EVERYBODY_READS };

/* nft, the loader that starts it, its libraries, and the names it may look up. */
static const struct sandbox_path gate_paths[] = { { NULL, SANDBOX_READ | SANDBOX_WRITE },
                                                  { "/usr/sbin/nft", SANDBOX_READ | SANDBOX_EXECUTE },
                                                  { "/lib64/ld-linux-x86-64.so.2", SANDBOX_READ | SANDBOX_EXECUTE },
                                                  { "/lib/ld-linux-aarch64.so.1", SANDBOX_READ | SANDBOX_EXECUTE },
                                                  { "/usr/lib", SANDBOX_READ },
                                                  { "/lib", SANDBOX_READ },
                                                  { "/lib64", SANDBOX_READ },
                                                  { "/etc/ld.so.cache", SANDBOX_READ },
                                                  { "/etc/iproute2", SANDBOX_READ },
                                                  { "/etc/protocols", SANDBOX_READ },
                                                  { "/etc/services", SANDBOX_READ },
                                                  { "/dev/null", SANDBOX_READ | SANDBOX_WRITE },
                                                  EVERYBODY_READS };

static const struct sandbox_path judge_paths[] = { { NULL, SANDBOX_READ }, EVERYBODY_READS };

/* Its socket, its key and the ledger are open by then. */
static const struct sandbox_path sight_paths[] = { EVERYBODY_READS };

/* Its sockets, its secrets and the ledger, too; the folders of the files it follows are added. */
static const struct sandbox_path lease_paths[] = { EVERYBODY_READS };

/* The loader that starts a worker, its libraries, and what OpenSSL reads at its start. */
static const struct sandbox_path edge_paths[] = { { "/lib64/ld-linux-x86-64.so.2", SANDBOX_READ | SANDBOX_EXECUTE },
                                                  { "/lib/ld-linux-aarch64.so.1", SANDBOX_READ | SANDBOX_EXECUTE },
                                                  { "/usr/lib", SANDBOX_READ },
                                                  { "/lib", SANDBOX_READ },
                                                  { "/lib64", SANDBOX_READ },
                                                  { "/etc/ld.so.cache", SANDBOX_READ },
                                                  { "/etc/ssl/openssl.cnf", SANDBOX_READ },
                                                  EVERYBODY_READS };

/* Its socket is bound by then; the folder of Maildirs is added. The ledger is opened anew where it could not be read. */
static const struct sandbox_path deliver_paths[] = { { NULL, SANDBOX_READ }, EVERYBODY_READS };

/* The hashes are opened when there are any. */
static const struct sandbox_path auth_paths[] = { { NULL, SANDBOX_READ }, EVERYBODY_READS };

/* Its own folder and those of the logs are added. */
static const struct sandbox_path maillog_paths[] = { { NULL, SANDBOX_READ }, EVERYBODY_READS };

#define PATHS(table) .paths = table, .n_paths = COUNT_OF(table)

const struct duty_row duties[] = {
        { "keeper", KEEPER_USER, { .calls = SANDBOX_FILES | SANDBOX_SERVE, PATHS(keeper_paths) }, run_keeper },
        { "gate",
          GATE_USER,
          { .keep = CAPABILITY(CAP_NET_ADMIN),
            .calls = SANDBOX_FILES | SANDBOX_NETLINK | SANDBOX_CHILDREN,
            PATHS(gate_paths) },
          run_gate },
        { "judge", "porteiro-judge", { PATHS(judge_paths) }, run_judge },
        { "sight", "porteiro-sight", { .first = CAPABILITY(CAP_NET_ADMIN), PATHS(sight_paths) }, run_sight },
        { "lease",
          "porteiro-lease",
          { .first = CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_DAC_READ_SEARCH), PATHS(lease_paths) },
          run_lease },
        { "auth", AUTH_USER, { .calls = SANDBOX_ACCEPT, .also = AUTH_GROUP, PATHS(auth_paths) }, run_auth },
        { "deliver", DELIVER_USER, { .calls = SANDBOX_FILES | SANDBOX_SERVE, PATHS(deliver_paths) }, run_deliver },
        { "edge",
          "porteiro-edge",
          { .keep = CAPABILITY(CAP_DAC_READ_SEARCH),
            .first = CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_BIND_SERVICE),
            .calls = SANDBOX_CHILDREN | SANDBOX_SERVE | SANDBOX_NET | SANDBOX_CONFINE,
            PATHS(edge_paths) },
          run_edge },
        { "maillog",
          MAILLOG_USER,
          { .calls = SANDBOX_FILES | SANDBOX_WATCH, .also = "adm", PATHS(maillog_paths) },
          run_maillog },
};
const size_t n_duties = COUNT_OF(duties);

const struct duty_row *duty_find(struct slice name)
{
        for (size_t i = 0; i < n_duties; i++)
                if (slice_eq(slice_of(duties[i].name), name))
                        return &duties[i];
        return NULL;
}

bool duty_own_users(void)
{
        if (geteuid() != 0 || slice_eq(slice_of(getenv(USERS_VARIABLE)), S("same")))
                return false;
        for (size_t i = 0; i < n_duties; i++)
                if (!getpwnam(duties[i].user))
                        return false;
        return getgrnam(DUTY_GROUP) != NULL;
}

/* The kernel forgets this at a change of user: to be said after sandbox_become(). */
static void end_with_supervisor(void)
{
        uint64_t pid;
        if (!slice_u64(slice_of(getenv(SUPERVISOR_VARIABLE)), INT32_MAX, &pid))
                return;
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != (pid_t)pid)
                exit(STATUS_SYSTEM); /* it was gone before we asked */
}

int duty_run(const struct duty_row *row, const char *dir)
{
        autobuf why;
        buf_init(&why, 4096);
        self = row;
        self_dir = dir;
        log_duty(row->name);
        prctl(PR_SET_NAME, row->user, 0, 0, 0); /* as ps shows it */
        notify_open();
        if (state_prepare(dir, &why) != 0) {
                fprintf(stderr, "porteiro: %s: %s\n", row->name, buf_cstr(&why));
                return STATUS_SYSTEM;
        }
        int became = sandbox_become(&row->sandbox, duty_own_users() ? row->user : NULL, DUTY_GROUP, &why);
        if (became < 0) {
                fprintf(stderr, "porteiro: %s: %s\n", row->name, buf_cstr(&why));
                return STATUS_SYSTEM;
        }
        if (became == 1 && !getenv(SUPERVISOR_VARIABLE))
                log_event("no-own-user", "user=%s uid=%u", row->user, (unsigned)geteuid());
        end_with_supervisor();
        return row->run(dir);
}
