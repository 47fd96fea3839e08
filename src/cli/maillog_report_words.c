/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page of `maillog report --html`: its words. A "#" is where a number or a text goes: html_say(). */
#include "cli/maillog_report_html.h"

const char *html_word(const struct page *p, enum html_word w)
{
        static const char *const texts[HTML_WORDS_ALL][GRAPH_LANGUAGES] = {
                [HTML_TAG] = { "en", "pt-BR" },
                [HTML_TITLE] = { "Mail logs", "Logs de correio" },
                [HTML_NOTHING] = { "No line of a log was read.", "Nenhuma linha de log foi lida." },
                [HTML_PERIOD] = { "From # to # (#), # messages came in for # recipients.",
                                  "De # a # (#), entraram # mensagens para # destinatários." },
                [HTML_FATE] = { "# were delivered, # times a delivery was put off, # came back as undeliverable.",
                                "# foram entregues, # vezes uma entrega foi adiada, # voltaram sem poder ser "
                                "entregues." },
                [HTML_DOOR] = { "# were refused at the door, and # logins failed.",
                                "# foram recusadas na entrada, e # logins falharam." },
                [HTML_UNDERSTOOD] = { "# % of the lines of mail servers were understood.",
                                      "# % das linhas de servidores de correio foram entendidas." },
                [HTML_NOT_UNDERSTOOD] = { "# were not: porteiro maillog report --unparsed shows them.",
                                          "# não foram: porteiro maillog report --unparsed as mostra." },
                [HTML_NOBODY] = { "Nobody reached a limit.", "Ninguém chegou a um limite." },
                [HTML_CAUGHT] = { "Suspects that reached a limit: #.", "Suspeitos que chegaram a um limite: #." },
                [HTML_OVER_TIME] = { "Over time", "Ao longo do tempo" },
                [HTML_BY_CATEGORY] = { "Why: by category", "Por quê: por categoria" },
                [HTML_REMOTE] = { "What remote servers say of us", "O que servidores remotos dizem de nós" },
                [HTML_REMOTE_NOTE] = { "No refusals of ours: a remote server refused what came from here.",
                                       "Não são recusas nossas: um servidor remoto recusou o que saiu daqui." },
                [HTML_SUSPECTS] = { "Suspects", "Suspeitos" },
                [HTML_SUSPECTS_NOTE] = { "Who did something too often, those furthest over their limit first. Sums may "
                                         "be a sixth too high.",
                                         "Quem fez algo vezes demais, primeiro quem mais passou do limite. As somas "
                                         "podem estar um sexto acima." },
                [HTML_MORE] = { "# more are not shown here.", "Outros # não são mostrados aqui." },
                [HTML_WHO] = { "who", "quem" },
                [HTML_LIMIT] = { "limit", "limite" },
                [HTML_SINCE] = { "since", "desde" },
                [HTML_AT] = { "caught", "apanhado" },
                [HTML_TIMES] = { "times", "vezes" },
                [HTML_AT_LEAST] = { "at least", "ao menos" },
                [HTML_EVIDENCE] = { "The lines that led to it: #", "As linhas que levaram a isso: #" },
                [HTML_CATEGORY] = { "category", "categoria" },
                [HTML_MEANING] = { "what it means", "o que significa" },
                [HTML_NUMBER] = { "number", "quantidade" },
                [HTML_OWN_RULE] = { "by a rule of the policy", "por uma regra da política" },
                [HTML_LISTS] = { "Who and why", "Quem e por quê" },
                [HTML_HOURS] = { "By the hour", "Por hora" },
                [HTML_HOUR] = { "hour", "hora" },
                [HTML_SUMS] = { "All sums", "Todas as somas" },
                [HTML_SUM] = { "sum", "soma" },
                [HTML_CLAIM] = { "Texts from logs stand here as strangers wrote them; they are no claims of Porteiro.",
                                 "Textos dos logs estão aqui como estranhos os escreveram; não são afirmações do "
                                 "Porteiro." },
        };
        return texts[w][p->r->language];
}
