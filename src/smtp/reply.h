/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smtp/reply.h - replies as values: ours put into bytes, the MTA's read out of them.
 *
 * A reply is a code, an enhanced code (RFC 3463) and text; lines of the text are parted by LF. What we send is printable ASCII whatever the
 * text was (RFC 5321 4.2), so accents become "?" and no text of ours or of an MTA can begin another reply.
 * Owns:    struct smtp_reader owns what it has read of a reply.
 * Threads: pure.
 * Limits:  we send lines of SMTP_REPLY_LINE_MOST bytes (RFC 5321 4.5.3.1.5); we read lines of SMTP_READ_LINE_MOST, replies of
 *          SMTP_READ_LINES_MOST lines, and keep SMTP_READ_TEXT_MOST bytes of text. */
#pragma once

#include "base/buf.h"

enum {
        SMTP_REPLY_LINE_MOST = 512,
        SMTP_READ_LINE_MOST = 2048,
        SMTP_READ_LINES_MOST = 128,
        SMTP_READ_TEXT_MOST = 2048,
        SMTP_REF_TEXT_MAX = 9,
};

struct smtp_reply {
        unsigned code;         /* 200..599; 0 stands for "the usual words" where we answer the server machine */
        struct slice enhanced; /* "5.7.1", or empty */
        struct slice text;
};

/* Ends with " [REF]" where ref is given and the reply is a refusal. */
void smtp_reply_put(struct buf *out, const struct smtp_reply *r, uint64_t ref);
/* The reference that customer, log line and help desk share: 40 bits of `id` in letters nobody confuses. */
const char *smtp_ref_print(uint64_t id, char out[SMTP_REF_TEXT_MAX]);

enum smtp_language { SMTP_ENGLISH, SMTP_PORTUGUESE };

/* Our own words: X(id, code, enhanced, English, Portuguese without accents) */
#define SMTP_TEXTS(X)                                                                                                  \
        X(OK, 250, "2.0.0", "Ok", "Ok")                                                                                \
        X(SENDER_OK, 250, "2.1.0", "Sender ok", "Remetente aceito")                                                    \
        X(RCPT_OK, 250, "2.1.5", "Recipient ok", "Destinatario aceito")                                                \
        X(GO_AHEAD, 354, "", "End with a line of one dot", "Termine com uma linha de um ponto")                        \
        X(TAKEN, 250, "2.0.0", "Message accepted", "Mensagem aceita")                                                  \
        X(BYE, 221, "2.0.0", "Bye", "Ate logo")                                                                        \
        X(TLS_READY, 220, "2.0.0", "Ready to start TLS", "Pronto para iniciar TLS")                                    \
        X(AUTH_OK, 235, "2.7.0", "Authentication successful", "Autenticado")                                           \
        X(VRFY, 252, "2.1.5", "Send the message and see", "Envie a mensagem para saber")                               \
        X(HELP, 214, "2.0.0", "RFC 5321, RFC 6409", "RFC 5321, RFC 6409")                                              \
        X(UNKNOWN, 500, "5.5.1", "Command not known", "Comando desconhecido")                                          \
        X(BARE, 500, "5.5.2", "Lines must end in CR LF, and hold no bare CR, LF or NUL",                               \
          "As linhas devem terminar em CR LF, sem CR, LF ou NUL soltos")                                               \
        X(LONG, 500, "5.5.2", "Line too long", "Linha longa demais")                                                   \
        X(AUTH_LONG, 500, "5.5.6", "Authentication line too long", "Linha de autenticacao longa demais")               \
        X(NOT_HERE, 502, "5.5.1", "Command not available here", "Comando nao disponivel aqui")                         \
        X(SYNTAX, 501, "5.5.4", "Syntax error in the arguments", "Erro de sintaxe nos argumentos")                     \
        X(PARAMETER, 555, "5.5.4", "Parameter not offered", "Parametro nao oferecido")                                 \
        X(BAD_SENDER, 501, "5.1.7", "Bad sender address", "Endereco do remetente invalido")                            \
        X(BAD_RCPT, 501, "5.1.3", "Bad recipient address", "Endereco do destinatario invalido")                        \
        X(NEEDS_UTF8, 553, "5.6.7", "SMTPUTF8 is needed for this address", "Este endereco precisa de SMTPUTF8")        \
        X(HELO_FIRST, 503, "5.5.1", "Say EHLO first", "Envie EHLO primeiro")                                           \
        X(MAIL_FIRST, 503, "5.5.1", "MAIL first", "Envie MAIL primeiro")                                               \
        X(RCPT_FIRST, 554, "5.5.1", "No valid recipients", "Nenhum destinatario valido")                               \
        X(NESTED, 503, "5.5.1", "Not inside a transaction", "Nao durante uma transacao")                               \
        X(TLS_FIRST, 530, "5.7.0", "STARTTLS first", "Use STARTTLS primeiro")                                          \
        X(TLS_TWICE, 503, "5.5.1", "TLS is already there", "TLS ja esta ativo")                                        \
        X(TLS_BEHIND, 421, "4.7.0", "Nothing may follow STARTTLS before the handshake",                                \
          "Nada pode seguir STARTTLS antes da negociacao")                                                             \
        X(AUTH_FIRST, 530, "5.7.0", "Authentication required", "Autenticacao necessaria")                              \
        X(AUTH_TLS, 538, "5.7.11", "Encryption required to log in: turn on TLS",                                       \
          "Ative TLS (SSL) para informar usuario e senha")                                                             \
        X(AUTH_TWICE, 503, "5.5.1", "Already authenticated", "Ja autenticado")                                         \
        X(AUTH_MECHANISM, 504, "5.5.4", "Mechanism not offered", "Mecanismo nao oferecido")                            \
        X(AUTH_BAD, 501, "5.5.2", "Cannot decode the response", "Resposta de autenticacao invalida")                   \
        X(AUTH_CANCELLED, 501, "5.7.0", "Authentication cancelled", "Autenticacao cancelada")                          \
        X(AUTH_FAILED, 535, "5.7.8", "Name or password is wrong", "Usuario ou senha incorretos")                       \
        X(AUTH_LATER, 454, "4.7.0", "Cannot check passwords now, try later",                                           \
          "Nao foi possivel verificar a senha agora, tente mais tarde")                                                \
        X(TOO_BIG, 552, "5.3.4", "Message too big", "Mensagem grande demais")                                          \
        X(BARE_BYTES, 554, "5.6.0", "Message refused: it has a bare CR, LF or NUL; lines must end in CR LF",           \
          "Mensagem recusada: contem CR, LF ou NUL soltos; as linhas devem terminar em CR LF")                         \
        X(MANY_RCPT, 452, "4.5.3", "Too many recipients", "Destinatarios demais")                                      \
        X(MANY_MAIL, 421, "4.7.0", "Too many messages, connect again", "Mensagens demais, conecte de novo")            \
        X(MANY_COMMANDS, 421, "4.7.0", "Too many commands", "Comandos demais")                                         \
        X(MANY_ERRORS, 421, "4.7.0", "Too many errors", "Erros demais")                                                \
        X(HTTP, 421, "4.7.0", "This is SMTP, not HTTP", "Aqui se fala SMTP, nao HTTP")                                 \
        X(TLS_HELLO, 421, "4.7.0", "TLS begins with STARTTLS on this port", "Nesta porta o TLS comeca com STARTTLS")   \
        X(TIMEOUT, 421, "4.4.2", "Waited too long", "Tempo esgotado")                                                  \
        X(SHUTDOWN, 421, "4.3.2", "Service is stopping, connect again", "Servico parando, conecte de novo")            \
        X(MTA_AWAY, 451, "4.4.1", "The mail server is not reachable now, try later",                                   \
          "O servidor de correio esta inacessivel agora, tente mais tarde")                                            \
        X(REFUSED, 550, "5.7.1", "Refused", "Recusado")                                                                \
        X(LATER, 451, "4.3.0", "Try later", "Tente mais tarde")
#define SMTP_TEXT_ENUM(id, code, enhanced, en, pt) SMTP_TEXT_##id,
enum smtp_text { SMTP_TEXTS(SMTP_TEXT_ENUM) SMTP_TEXT_COUNT };

struct smtp_reply smtp_text(enum smtp_text id, enum smtp_language language);

/* ---- the MTA's replies ---- */

enum smtp_read {
        SMTP_READ_MORE,
        SMTP_READ_REPLY, /* `reply` is whole; its slices live until the next call */
        SMTP_READ_JUNK,  /* no reply: the connection is worth nothing any more */
};

struct smtp_reader {
        struct buf text; /* of the lines so far, parted by LF, without control bytes */
        struct smtp_reply reply;
        uint16_t at, lines; /* bytes of the present line so far */
        uint16_t code, this_code;
        uint8_t state;
        bool done;
};

void smtp_reader_init(struct smtp_reader *r);
void smtp_reader_done(struct smtp_reader *r);
enum smtp_read smtp_reader_next(struct smtp_reader *r, struct slice *in);
/* No reply is half read. */
bool smtp_reader_fresh(const struct smtp_reader *r);
