/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `maillog report` tells, and what it is called. */
#include "cli/maillog_report.h"

#define TOTAL(field) .at = offsetof(struct maillog_totals, field)
#define OURS(field) .ours = true, .at = offsetof(struct report, field)

const struct report_sum report_sums[] = {
        { "lines", { "lines", "linhas" }, .always = true, TOTAL(lines.lines) },
        { "bytes", { "bytes", "bytes" }, .part = true, .always = true, TOTAL(lines.bytes) },
        { "understood",
          { "lines of mail servers that were understood", "linhas de servidores de correio que foram entendidas" },
          .part = true,
          .always = true,
          TOTAL(lines.understood) },
        { "unknown",
          { "lines of mail servers that were not", "linhas de servidores de correio que não foram entendidas" },
          .part = true,
          .always = true,
          TOTAL(lines.unknown) },
        { "broken",
          { "lines that are none of a log", "linhas que não são de um log" },
          .part = true,
          TOTAL(lines.broken) },
        { "too_long", { "lines that are too long", "linhas longas demais" }, .part = true, OURS(files.too_long) },
        { "foreign", { "lines of other programs", "linhas de outros programas" }, .part = true, TOTAL(lines.foreign) },
        { "missing",
          { "lines that are missing: a logger says it dropped them (rate limits)",
            "linhas que faltam: o sistema de log diz que as descartou (limites de taxa)" },
          .part = true,
          TOTAL(lines.missing) },
        { "messages",
          { "messages received", "mensagens recebidas" },
          REPORT_MESSAGES,
          .always = true,
          TOTAL(messages) },
        { "recipients",
          { "for so many recipients", "para tantos destinatários" },
          REPORT_MESSAGES,
          .part = true,
          .always = true,
          TOTAL(recipients) },
        { "message_bytes", { "of so many bytes", "de tantos bytes" }, REPORT_MESSAGES, .part = true, TOTAL(size) },
        { "made",
          { "messages made here: bounces, forwards", "mensagens feitas aqui: devoluções, reenvios" },
          REPORT_MESSAGES,
          TOTAL(made) },
        { "delivered", { "delivered", "entregues" }, REPORT_MESSAGES, .always = true, TOTAL(delivered) },
        { "forwarded", { "forwarded", "reenviadas" }, REPORT_MESSAGES, TOTAL(forwarded) },
        { "deferred",
          { "put off: attempts that will be made again", "adiadas: tentativas que serão refeitas" },
          REPORT_MESSAGES,
          .always = true,
          TOTAL(deferred) },
        { "bounced", { "bounced", "devolvidas" }, REPORT_MESSAGES, .always = true, TOTAL(bounced) },
        { "expired",
          { "given up as too old", "abandonadas por serem velhas demais" },
          REPORT_MESSAGES,
          TOTAL(expired) },
        { "handed",
          { "handed to a content filter: no deliveries", "passadas a um filtro de conteúdo: não são entregas" },
          REPORT_MESSAGES,
          TOTAL(handed) },
        { "spam", { "found to be spam by a filter", "tidas por spam por um filtro" }, REPORT_MESSAGES, TOTAL(spam) },
        { "virus",
          { "found to be a virus by a filter", "tidas por vírus por um filtro" },
          REPORT_MESSAGES,
          TOTAL(virus) },
        { "under_way",
          { "still on their way at the end", "ainda a caminho no fim" },
          REPORT_MESSAGES,
          TOTAL(under_way) },
        { "refused", { "refused", "recusadas" }, REPORT_REFUSALS, .always = true, TOTAL(refused) },
        { "auth_failed",
          { "failed logins", "logins que falharam" },
          REPORT_REFUSALS,
          .always = true,
          TOTAL(lines.kinds[MAIL_AUTH_FAILED]) },
        { "odd",
          { "refusals that could be read in two ways: somebody plays tricks",
            "recusas que se podem ler de dois modos: alguém tenta enganar" },
          REPORT_REFUSALS,
          TOTAL(odd) },
        { "early",
          { "messages let go too early: more are open than are kept",
            "mensagens soltas cedo demais: há mais abertas do que cabem" },
          REPORT_LIMITS,
          TOTAL(early) },
        { "names_lost",
          { "times a name came that there was no room for", "vezes em que veio um nome para o qual não havia lugar" },
          REPORT_LIMITS,
          TOTAL(names_lost) },
        { "hours_lost",
          { "counts in hours more than a year from the first", "contagens em horas a mais de um ano da primeira" },
          REPORT_LIMITS,
          TOTAL(hours_lost) },
        { "windows_lost",
          { "keys of limits that gave way to others", "chaves de limites que cederam lugar a outras" },
          REPORT_LIMITS,
          OURS(windows_lost) },
};
const size_t report_sums_n = COUNT_OF(report_sums);

uint64_t report_sum_of(const struct report *r, const struct report_sum *s)
{
        uint64_t n;
        const char *in = s->ours ? (const char *)r : (const char *)maillog_tally_totals(r->tally);
        memcpy(&n, in + s->at, sizeof n);
        return n;
}

double report_share(const struct report *r, uint64_t of)
{
        const struct batch_sums *l = &maillog_tally_totals(r->tally)->lines;
        uint64_t all = l->understood + l->unknown + l->broken;
        return (double)(all ? (uint64_t)((__uint128_t)l->understood * of / all) : of) / (double)of;
}

/* --- counters --- */

#define COUNT(field) .at = offsetof(struct maillog_counts, field)

enum { MESSAGES, RECIPIENTS, BYTES, DELIVERED, DEFERRED, BOUNCED, REFUSED, AUTH_FAILED, REMOTE };
const struct report_counter report_counters[] = {
        [MESSAGES] = { "messages", { "messages", "mensagens" }, COUNT(messages) },
        [RECIPIENTS] = { "recipients", { "recipients", "destinatários" }, COUNT(recipients) },
        [BYTES] = { "message_bytes", { "bytes", "bytes" }, .programs = true, .wide = true, COUNT(bytes) },
        [DELIVERED] = { "delivered", { "delivered", "entregues" }, COUNT(delivered) },
        [DEFERRED] = { "deferred", { "put off", "adiadas" }, COUNT(deferred) },
        [BOUNCED] = { "bounced", { "bounced", "devolvidas" }, COUNT(bounced) },
        [REFUSED] = { "refused", { "refused", "recusadas" }, COUNT(refused) },
        [AUTH_FAILED] = { "auth_failed", { "failed logins", "logins falhos" }, COUNT(auth_failed) },
        [REMOTE] = { "remote", { "called spam", "tidas por spam" }, COUNT(remote) },
};
const size_t report_counters_n = COUNT_OF(report_counters);

uint64_t report_counter_of(const struct maillog_counts *c, const struct report_counter *counter)
{
        uint64_t wide;
        uint32_t n;
        memcpy(&wide, (const char *)c + (counter->wide ? counter->at : 0), sizeof wide);
        memcpy(&n, (const char *)c + counter->at, sizeof n);
        return counter->wide ? wide : n;
}

/* --- lists --- */

const struct report_list report_lists[] = {
        { "logins",
          "logins",
          { "Logins that sent most", "Logins que mais enviaram" },
          MAILLOG_LOGINS,
          MAILLOG_BY_MESSAGES,
          MESSAGES },
        { "clients",
          "clients",
          { "Clients that sent most", "Clientes que mais enviaram" },
          MAILLOG_CLIENTS,
          MAILLOG_BY_MESSAGES,
          MESSAGES },
        { "subscribers",
          "subscribers",
          { "Subscribers that sent most", "Assinantes que mais enviaram" },
          MAILLOG_SUBSCRIBERS,
          MAILLOG_BY_MESSAGES,
          MESSAGES },
        { "domains",
          "domains",
          { "Sender domains that sent most", "Domínios de remetente que mais enviaram" },
          MAILLOG_DOMAINS,
          MAILLOG_BY_MESSAGES,
          MESSAGES },
        { "refused_clients",
          "refused_clients",
          { "Clients that were refused most", "Clientes mais recusados" },
          MAILLOG_CLIENTS,
          MAILLOG_BY_REFUSED,
          REFUSED },
        { "guessing_clients",
          "guessing_clients",
          { "Clients with most failed logins", "Clientes com mais logins falhos" },
          MAILLOG_CLIENTS,
          MAILLOG_BY_AUTH_FAILED,
          AUTH_FAILED },
        { "bounce_reasons",
          "bounces",
          { "Why deliveries bounced", "Por que entregas foram devolvidas" },
          MAILLOG_REASONS,
          MAILLOG_BY_BOUNCED,
          BOUNCED },
        { "deferral_reasons",
          "deferrals",
          { "Why deliveries were put off", "Por que entregas foram adiadas" },
          MAILLOG_REASONS,
          MAILLOG_BY_DEFERRED,
          DEFERRED },
        { "remote_refusals",
          "remote",
          { "Remote servers that say we send spam", "Servidores remotos que dizem que enviamos spam" },
          MAILLOG_REASONS,
          MAILLOG_BY_REMOTE,
          REMOTE },
};
const size_t report_lists_n = COUNT_OF(report_lists);

const char *report_who(enum maillog_who who, enum graph_language language)
{
        static const char *const words[][GRAPH_LANGUAGES] = { [MAILLOG_CLIENTS] = { "client", "cliente" },
                                                              [MAILLOG_LOGINS] = { "login", "login" },
                                                              [MAILLOG_SUBSCRIBERS] = { "subscriber", "assinante" },
                                                              [MAILLOG_DOMAINS] = { "domain", "domínio" },
                                                              [MAILLOG_REASONS] = { "reason", "motivo" } };
        return words[who][language];
}

size_t report_top(const struct report *r, const struct report_list *list, struct maillog_row *rows)
{
        return maillog_tally_top(r->tally, list->who, list->by, rows, r->top);
}

/* --- categories --- */

const char *report_meaning(size_t category, enum graph_language language)
{
        static const char *const words[CATEGORIES_ALL][GRAPH_LANGUAGES] = {
                [CATEGORY_NONE] = { "", "" },
                [CATEGORY_LOCAL] = { "no such recipient here", "destinatário que não existe aqui" },
                [CATEGORY_RATE] = { "too much at once", "demais de uma vez" },
                [CATEGORY_DOMAIN] = { "the sender's domain does not exist", "o domínio do remetente não existe" },
                [CATEGORY_NOT_LOGGED] = { "writes as one of ours without login",
                                          "escreve como um dos nossos sem login" },
                [CATEGORY_NOT_OWNED] = { "logged in, and writes as somebody else",
                                         "fez login e escreve como outra pessoa" },
                [CATEGORY_SPF] = { "SPF of the sender's domain", "SPF do domínio do remetente" },
                [CATEGORY_SENDER_DENIED] = { "a sender we do not want", "remetente que não queremos" },
                [CATEGORY_SENDER_OTHER] = { "the sender, for another reason", "remetente, por outro motivo" },
                [CATEGORY_RELAY_DENIED] = { "wants us to carry mail that is not for us",
                                            "quer que levemos mensagens que não são para nós" },
                [CATEGORY_RBL] = { "stands on a list of senders of spam", "está em uma lista de quem envia spam" },
                [CATEGORY_HELO] = { "the name it greets with", "o nome com que cumprimenta" },
                [CATEGORY_CLIENT] = { "a client we do not want", "cliente que não queremos" },
                [CATEGORY_GREYLIST] = { "told to come again: greylisted", "deve voltar depois: greylist" },
                [CATEGORY_VIRUS] = { "a virus", "um vírus" },
                [CATEGORY_SPAM] = { "spam, by what it says", "spam, pelo que contém" },
                [CATEGORY_RECIPIENT] = { "the recipient, for another reason", "destinatário, por outro motivo" },
                [CATEGORY_SIZE] = { "too large", "grande demais" },
                [CATEGORY_PROTOCOL] = { "spoke before its turn, or no SMTP", "falou antes da vez, ou não fala SMTP" },
                [CATEGORY_OTHER] = { "anything else", "qualquer outra coisa" },
                [CATEGORY_REMOTE_SPAM] = { "a remote server says that we send spam",
                                           "um servidor remoto diz que enviamos spam" },
                [CATEGORY_REMOTE_RATE] = { "a remote server says that we send too much",
                                           "um servidor remoto diz que enviamos demais" },
                [CATEGORY_REMOTE_LISTED] = { "a remote server says that we are on a list",
                                             "um servidor remoto diz que estamos em uma lista" },
        };
        return category < CATEGORIES_ALL ? words[category][language] : "";
}

static bool looks_at_deliveries(const struct policy_mail_rule *rule)
{
        for (size_t i = 0; i < rule->n_on; i++)
                if (slice_eq(rule->on[i], slice_of(mail_kind_name(MAIL_DELIVERY))) ||
                    slice_eq(rule->on[i], slice_of(mail_kind_name(MAIL_SAID))))
                        return true;
        return false;
}

bool report_is_remote(const struct report *r, size_t category)
{
        const struct policy *p = r->rules->policy;
        if (category < CATEGORIES_ALL)
                return category >= CATEGORY_REMOTE_SPAM;
        struct slice name = slice_of(categories_name(r->rules->categories, category));
        for (size_t i = 0; p && i < p->n_mail_rules; i++)
                if (slice_eq(p->mail_rules[i].category, name) && looks_at_deliveries(&p->mail_rules[i]))
                        return true;
        return false;
}
