/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/login.h"
#include "base/log.h"
#include "guard/guess.h"
#include "policy/ban.h"

struct login {
        struct question *question; /* NULL: none is open */
        struct watch *delay;
        struct guess_attempt attempt;
        char *name, *password; /* until the question is asked; then wiped */
        bool only_name;
};

static void wipe(char **p)
{
        if (*p) {
                explicit_bzero(*p, strlen(*p));
                free(take(*p));
        }
}

void login_drop(struct session *s)
{
        struct login *l = take(s->login);
        if (!l)
                return;
        asker_forget(l->question);
        watch_free(l->delay);
        wipe(&l->name);
        wipe(&l->password);
        free(l);
}

/* ---- answers ---- */

static void log_login(struct session *s, const char *event, const char *more)
{
        autobuf where, name;
        buf_init(&where, LOG_LINE_MOST);
        buf_init(&name, LOG_LINE_MOST);
        log_event(event, "%s login=%s tls=%s%s", session_where(s, &where),
                  log_text(&name, slice_of(s->login ? s->login->name : "")), s->smtp.tls ? "yes" : "no", more);
}

/* Not even the login is logged: it is no customer's of ours. */
static void refuse_foreign(struct session *s)
{
        autobuf where, text;
        buf_init(&where, LOG_LINE_MOST);
        buf_init(&text, 512);
        log_event("login-foreign", "%s", session_where(s, &where));
        bool pt = s->worker->language == SMTP_PORTUGUESE;
        buf_adds(
            &text,
            pt ? "Este servidor e so para usuarios do seu provedor de acesso. No seu programa, use o servidor do seu "
                 "e-mail "
                 "na porta 587 ou 465"
               : "This server is for customers of your access provider. In your program, name your own mail provider's "
                 "server, port 587 or 465");
        if (s->worker->policy->edge.help.n) {
                buf_addc(&text, '\n');
                buf_add(&text, s->worker->policy->edge.help);
        }
        struct smtp_reply r = { 535, S("5.7.8"), buf_slice(&text) };
        login_drop(s);
        session_answer(s, &r);
}

static void ban(struct session *s, const struct guess_result *g)
{
        struct worker *w = s->worker;
        char prefix[PREFIX_TEXT_MAX];
        autobuf where;
        buf_init(&where, LOG_LINE_MOST);
        if (!g->ban || !ban_allowed(w->policy, &g->prefix))
                return;
        w->n.bans++;
        log_event("ban", "%s prefix=%s why=\"%s\"", session_where(s, &where), prefix_print(&g->prefix, prefix), g->why);
        facts_ban(w->facts, &(struct ban){ .prefix = g->prefix,
                                           .until = worker_now() + w->policy->edge.ban_for,
                                           .reason = S("password guessing"),
                                           .evidence = slice_of(g->why),
                                           .by_rule = true });
}

static void deny(struct session *s, enum smtp_text text)
{
        login_drop(s);
        session_answer_text(s, text);
}

static void fail(struct session *s)
{
        struct worker *w = s->worker;
        w->n.login_failures++;
        log_login(s, "login-failed", "");
        deny(s, SMTP_TEXT_AUTH_FAILED);
}

static void do_fail(struct session *s, void *arg)
{
        (void)arg;
        fail(s);
}

static void on_delay(void *arg)
{
        session_within(arg, do_fail, NULL);
}

/* Counted, and answered: at once, or later where it was one too many. */
static void wrong(struct session *s)
{
        struct login *l = s->login;
        struct worker *w = s->worker;
        if (!w->counts) {
                fail(s);
                return;
        }
        struct guess_result g = guess_failed(w->counts, &guess_rules_default, &l->attempt, worker_now());
        ban(s, &g);
        if (g.verdict != GUESS_DELAY || g.delay <= 0) {
                fail(s);
                return;
        }
        l->delay = loop_timer(w->loop, g.delay, on_delay, s);
}

static void right(struct session *s, struct account *account)
{
        struct worker *w = s->worker;
        struct login *l = s->login;
        autobuf more, weak;
        buf_init(&more, LOG_LINE_MOST);
        buf_init(&weak, LOG_LINE_MOST);
        if (w->counts)
                guess_passed(w->counts, &guess_rules_default, &l->attempt, worker_now());
        w->n.logins++;
        if (account->weak.n)
                buf_addf(&more, " weak=%s", log_text(&weak, account->weak));
        log_login(s, "login", buf_cstr(&more));
        if (!s->smtp.tls) { /* who still needs the exception */
                autobuf detail, name;
                buf_init(&detail, LOG_LINE_MOST);
                buf_init(&name, LOG_LINE_MOST);
                buf_addf(&detail, "login=%s", log_text(&name, account->address));
                session_fact(s, "plain-auth", buf_slice(&detail));
        }
        free(s->account);
        s->account = account;
        login_drop(s);
        session_answer(s, NULL);
}

/* What the duty said. */
struct said {
        enum asker_answer answer;
        struct account *account;
};

static void do_password(struct session *s, void *arg)
{
        struct said *t = arg;
        s->login->question = NULL;
        if (t->answer == ASKER_YES && t->account) {
                right(s, take(t->account));
                return;
        }
        if (t->answer == ASKER_NO) {
                wrong(s);
                return;
        }
        s->worker->n.login_unavailable++;
        log_login(s, "login-unavailable", "");
        deny(s, SMTP_TEXT_AUTH_LATER);
}

static void on_password(void *arg, enum asker_answer answer, struct account *account)
{
        struct said t = { answer, account };
        session_within(arg, do_password, &t);
        free(t.account);
}

/* ---- questions ---- */

static void check_password(struct session *s)
{
        struct login *l = s->login;
        struct worker *w = s->worker;
        struct guess_result g = { .verdict = GUESS_FREE };
        if (w->counts)
                g = guess_before(w->counts, &guess_rules_default, &l->attempt, worker_now());
        ban(s, &g);
        if (g.verdict == GUESS_REFUSE) {
                autobuf more;
                buf_init(&more, LOG_LINE_MOST);
                buf_addf(&more, " why=\"%s\"", g.why);
                w->n.login_failures++;
                log_login(s, "login-refused", buf_cstr(&more));
                login_drop(s);
                bool pt = w->language == SMTP_PORTUGUESE;
                struct smtp_reply r = { 421, S("4.7.0"),
                                        pt ? S("Senhas erradas demais desta rede; tente mais tarde")
                                           : S("Too many wrong passwords from this network; try again later") };
                session_answer(s, &r);
                return;
        }
        autofree char *password = take(l->password);
        struct question *q = asker_check(w->asker, slice_of(l->name), slice_of(password), on_password, s);
        explicit_bzero(password, strlen(password));
        if (q) /* else it was answered, and there may be no `l` any more */
                l->question = q;
}

static void do_domain(struct session *s, void *arg)
{
        struct said *t = arg;
        struct login *l = s->login;
        l->question = NULL;
        if (t->answer == ASKER_NO)
                refuse_foreign(s);
        else if (t->answer == ASKER_UNAVAILABLE)
                deny(s, SMTP_TEXT_AUTH_LATER);
        else if (l->only_name) {
                login_drop(s);
                session_answer(s, NULL);
        } else {
                check_password(s);
        }
}

static void on_domain(void *arg, enum asker_answer answer, struct account *account)
{
        struct said t = { answer, account };
        session_within(arg, do_domain, &t);
        free(t.account);
}

/* A login without a domain is of the network's own. */
static char *whole_name(const struct session *s, struct slice login)
{
        const struct slice own = s->worker->policy->network.domain;
        if (slice_find(login, '@') < login.n || own.n == 0)
                return slice_dup(login);
        return xasprintf("%.*s@%.*s", SLICE_ARGS(login), SLICE_ARGS(own));
}

static void lower(char *s)
{
        for (; *s; s++)
                *s = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
}

/* Many of our own customers may stand behind one address of a translation. */
static bool outside_of_ours(const struct policy *p, const struct addr *a)
{
        for (size_t i = 0; i < p->n_cgnats; i++)
                for (size_t k = 0; k < p->cgnats[i].n_outside; k++)
                        if (prefix_has(&p->cgnats[i].outside[k], a))
                                return true;
        return false;
}

static bool own_pool(const struct worker *w, const struct addr *a)
{
        return policy_find_prefix(w->policy, a) || policy_find_inside(w->policy, a) || outside_of_ours(w->policy, a);
}

static void begin(struct session *s, const struct smtp_event *e, bool only_name)
{
        struct worker *w = s->worker;
        login_drop(s);
        struct login *l = s->login = xcalloc(1, sizeof *l);
        l->name = whole_name(s, e->login);
        l->only_name = only_name;
        lower(l->name);
        l->attempt =
            (struct guess_attempt){ .source = s->peer, .login = slice_of(l->name), .own_pool = own_pool(w, &s->peer) };
        if (!only_name) {
                l->password = slice_dup(e->password);
                l->attempt.secret12 = guess_secret12(w->key, slice_of(l->name), e->password);
        }
        struct slice domain, local = slice_cut(slice_of(l->name), '@', &domain);
        (void)local;
        struct question *q = asker_domain(w->asker, domain, on_domain, s);
        if (q) /* else it was answered, and what is open may be the next question */
                l->question = q;
}

void login_name(struct session *s, const struct smtp_event *e)
{
        begin(s, e, true);
}

void login_check(struct session *s, const struct smtp_event *e)
{
        if (e->authzid.n && !slice_ieq(e->authzid, e->login)) { /* as somebody else: nobody may (RFC 4616 2) */
                session_answer_text(s, SMTP_TEXT_AUTH_FAILED);
                return;
        }
        begin(s, e, false);
}
