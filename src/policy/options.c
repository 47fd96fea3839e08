/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/options.h"
#include "base/size.h"
#include "policy/limits.h"

#define CHOICE_NAME(id, name) name,
static const char *const strategies[] = { STRATEGIES(CHOICE_NAME) NULL };
static const char *const levels[] = { LEVELS(CHOICE_NAME) NULL };
static const char *const languages[] = { "pt-BR", "en", NULL };
static const char *const promises[] = { "told-first", NULL };
static const char *const tunnel_ways[] = { "open", "block", NULL };
static const char *const mappings[] = { "computed", "logged", NULL };
static const char *const formats[] = { "detail", "isc", "kea4", "kea6", "csv", "blocks-csv", "blocks-junos", NULL };
static const char *const line_choices[] = { "auto", "user", "circuit", "remote", "mac", "duid", NULL };
static const char *const edge_downs[] = { "reset", "open", NULL };

#define AT(kind, field) .offset = offsetof(struct draft_##kind, field)

static const struct option network_options[] = {
        { "domain", OPTION_HOST_NAME, .help = "The network's own domain, shown to its customers.",
          AT(network, domain) },
        { "timezone", OPTION_ZONE, .required = true, AT(network, timezone),
          .help = "Zone in which dates of this file are meant and times are shown, such as America/Sao_Paulo." },
        { "language", OPTION_CHOICE, .choices = languages, .fallback = "pt-BR", AT(network, language),
          .help = "Language of what customers read." },
        { "abuse", OPTION_EMAIL, .help = "Address of the abuse desk.", AT(network, abuse) },
};

static const struct option server_options[] = {
        { "address", OPTION_HOSTS, .required = true, AT(server, address),
          .help = "Its addresses. What it sends itself is never caught." },
        { "customers", OPTION_CHOICE, .choices = strategies, .fallback = "open", AT(server, customers),
          .help = "What happens to connections of customers to its port 25." },
        { "name", OPTION_HOST_NAME, .help = "Its name in the DNS.", AT(server, host_name) },
};

#define LIMIT_ROW(kind, word, id, fall, text)                                                                          \
        {                                                                                                              \
                word, OPTION_LIMIT, .high = LIMIT_COUNT_MOST, .fallback = fall, AT(kind, limits[MAIL_LIMIT_##id]),     \
                                    .help = text                                                                       \
        }
/* The same words in a class and in `mail`; in a class there is no default: what is not written is inherited. */
#define LIMIT_ROWS(kind, fall, whose)                                                                                  \
        { "quota",                                                                                                     \
          OPTION_SIZE,                                                                                                 \
          .low = MAIL_QUOTA_LEAST,                                                                                     \
          .high = SIZE_BYTES_MOST,                                                                                     \
          .fallback = fall,                                                                                            \
          AT(kind, limits[MAIL_LIMIT_QUOTA]),                                                                          \
          .help = "How much mail a mailbox" whose " may hold." },                                                      \
            LIMIT_ROW(kind, "messages-hour", MESSAGES_HOUR, fall, "Messages it may send in an hour."),                 \
            LIMIT_ROW(kind, "messages-day", MESSAGES_DAY, fall, "Messages it may send in a day."),                     \
            LIMIT_ROW(kind, "recipients-hour", RECIPIENTS_HOUR, fall, "Recipients it may send to in an hour."),        \
            LIMIT_ROW(kind, "recipients-day", RECIPIENTS_DAY, fall, "Recipients it may send to in a day.")

static const struct option class_options[] = {
        { "port25", OPTION_CHOICE, .choices = strategies, .required = true, AT(class, port25),
          .help = "Strategy for its customers where no pool and no wave says otherwise." },
        { "promise", OPTION_CHOICE, .choices = promises, AT(class, promise),
          .help =
              "told-first: nothing is taken from a customer of this class before a person noted that he was told." },
        LIMIT_ROWS(class, NULL, " of this class"),
};

static const struct option pool_options[] = {
        { "class", OPTION_NAME, .required = true, .help = "Class of the customers in this pool.", AT(pool, class) },
        { "prefix", OPTION_POOL_PREFIXES, AT(pool, prefix),
          .help = "Prefixes the customers get their addresses from. An IPv6 prefix is delegated in prefixes of the "
                  "length given "
                  "(64 where none is; 128 inside prefixes longer than 64)." },
        { "interface", OPTION_INTERFACE, AT(pool, interface),
          .help = "Interface behind which all are of this pool, whatever their address. It beats prefixes." },
        { "port25", OPTION_CHOICE, .choices = strategies, AT(pool, port25),
          .help = "Strategy of this pool. It yields only to waves that name the pool." },
};

static const struct option cgnat_options[] = {
        { "from", OPTION_TIME, .fallback = "1970-01-01", AT(cgnat, from),
          .help =
              "When this version of the translation began. A later version is another cgnat block of the same name." },
        { "inside", OPTION_PREFIXES, .required = true, .help = "Addresses of the customers.", AT(cgnat, inside) },
        { "outside", OPTION_PREFIXES, .required = true, .help = "Addresses the Internet sees.", AT(cgnat, outside) },
        { "ports", OPTION_PORTS, .fallback = "1024-65535", .help = "Outside ports given to customers.",
          AT(cgnat, ports) },
        { "block", OPTION_NUMBER, .low = 1, .high = 65535, .fallback = "512", AT(cgnat, block),
          .help = "Outside ports a customer gets, in one block." },
        { "mapping", OPTION_CHOICE, .choices = mappings, .fallback = "computed", AT(cgnat, mapping),
          .help =
              "computed: block after block, address after address, in the order they are written; what that gives is "
              "said in porteiro(1) under lease whose. logged: the log of the translation tells, and nothing is "
              "computed." },
};

static const struct option wave_options[] = {
        { "from", OPTION_TIME, .required = true, AT(wave, from),
          .help = "When it begins. A date alone is the first instant of that day." },
        { "pool", OPTION_NAMES, .help = "Pools it covers. None: any.", AT(wave, pool) },
        { "class", OPTION_NAMES, .help = "Classes it covers. None: any.", AT(wave, class) },
        { "prefix", OPTION_PREFIXES, .help = "Addresses it covers. None: any.", AT(wave, prefix) },
        { "port25", OPTION_CHOICE, .choices = strategies, .required = true, AT(wave, port25),
          .help = "Strategy from then on for customers who are in one of the pools, in one of the classes and in one "
                  "of the prefixes." },
};

static const struct option exempt_options[] = {
        { "subscriber", OPTION_SUBSCRIBERS, .help = "Subscribers let out, by the ISP's own id.",
          AT(exempt, subscriber) },
        { "prefix", OPTION_PREFIXES, .help = "Addresses let out.", AT(exempt, prefix) },
        { "until", OPTION_TIME, .required = true, AT(exempt, until),
          .help = "When it ends. A date alone is the last instant of that day." },
        { "owner", OPTION_TEXT, .required = true, .high = 128, .help = "Who answers for it.", AT(exempt, owner) },
        { "reason", OPTION_TEXT, .required = true, .high = 512, .help = "Why.", AT(exempt, reason) },
};

static const struct option never_cut_options[] = {
        { "subscriber", OPTION_SUBSCRIBERS, .required = true, AT(never_cut, subscriber),
          .help = "Subscribers no rule may quarantine, and a person only with a second one." },
};

static const struct option never_ban_options[] = {
        { "prefix", OPTION_PREFIXES, .required = true, AT(never_ban, prefix),
          .help =
              "Addresses that are never banned, whatever passwords come from them: own monitoring, partners, a webmail "
              "elsewhere. Pools, own servers and the outside of a cgnat are spared without a word." },
};

static const struct option tunnels_options[] = {
        { "teredo", OPTION_CHOICE, .choices = tunnel_ways, .fallback = "open", AT(tunnels, teredo),
          .help = "Port 25 inside IPv6 over UDP (RFC 4380), on any UDP port." },
        { "6to4", OPTION_CHOICE, .choices = tunnel_ways, .fallback = "open", AT(tunnels, six_to_four),
          .help = "Port 25 from and to 2002::/16 (RFC 3056)." },
        { "6in4", OPTION_CHOICE, .choices = tunnel_ways, .fallback = "open", AT(tunnels, six_in_four),
          .help = "Port 25 inside IP protocol 41 (RFC 4213)." },
};

enum { POINTS_MOST = 1000000 };

static const struct option suspicion_options[] = {
        { "half-life", OPTION_DURATION, .low = MINUTE, .high = 3653 * DAY, .fallback = "24h", AT(suspicion, half_life),
          .help = "Time in which points fade to half." },
        { "trap", OPTION_POINTS, .high = POINTS_MOST, .fallback = "5", .help = "Points of a conversation in the trap.",
          AT(suspicion, trap) },
        { "divert", OPTION_POINTS, .high = POINTS_MOST, .fallback = "1",
          .help = "Points of a diverted conversation without login.", AT(suspicion, divert) },
        { "complaint", OPTION_POINTS, .high = POINTS_MOST, .fallback = "10", .help = "Points of a complaint.",
          AT(suspicion, complaint) },
        { "syn", OPTION_POINTS, .high = POINTS_MOST, .fallback = "0.01", AT(suspicion, syn),
          .help = "Points of a connection attempt. These alone never quarantine." },
        { "other", OPTION_POINTS, .high = POINTS_MOST, .fallback = "1", .help = "Points of any other sighting.",
          AT(suspicion, other) },
};

enum { KEEP_DAYS_MOST = 3653 };

static const struct option keep_options[] = {
        { "leases", OPTION_DURATION, .low = DAY, .high = KEEP_DAYS_MOST * DAY, .fallback = "365d", AT(keep, leases),
          .help =
              "How long it is known who held an address, from the end of the lease on. Brazil's law asks for a year." },
        { "sightings", OPTION_DURATION, .low = DAY, .high = KEEP_DAYS_MOST * DAY, .fallback = "180d",
          AT(keep, sightings), .help = "How long sightings are kept, and the counts of what the kernel lost." },
};

static const struct option quarantine_options[] = {
        { "after", OPTION_POINTS, .low = 1, .high = POINTS_MOST, .fallback = "20", AT(quarantine, after),
          .help = "Suspicion at which a subscriber is quarantined; the word points may follow." },
        { "level", OPTION_CHOICE, .choices = levels, .fallback = "mail", AT(quarantine, level),
          .help = "mail: port 25. submission: 25, 465 and 587. captive: all but what `reach` names." },
        { "for", OPTION_DURATION, .low = MINUTE, .high = 3653 * DAY, .fallback = "24h", .help = "How long.",
          AT(quarantine, duration) },
        { "grace", OPTION_DURATION, .low = SECOND, .high = 3653 * DAY, .fallback = "2h", AT(quarantine, grace),
          .help = "Time after a release in which no rule quarantines again." },
        { "reach", OPTION_PREFIXES, .help = "What a captive customer may still reach.", AT(quarantine, reach) },
};

static const struct option mail_options[] = {
        { "reuse-after", OPTION_DURATION, .low = SECOND, .high = 36525 * DAY, .fallback = "180d", AT(mail, reuse_after),
          .help = "How long the address of a mailbox or alias that was removed is given to nobody else." },
        LIMIT_ROWS(mail, "none", ""),
};

/* The second index as in enum quota_limit. */
#define SENDING_ROW(word, whose, limit, fall, text)                                                                    \
        {                                                                                                              \
                word, OPTION_LIMIT, .high = LIMIT_COUNT_MOST, .fallback = fall, AT(sending, v[whose][limit]),          \
                                    .help = text                                                                       \
        }
#define SENDING_ROWS(word, whose, of)                                                                                  \
        SENDING_ROW(word "-messages-hour", whose, 0, "none", "Messages an hour of " of "."),                           \
            SENDING_ROW(word "-messages-day", whose, 1, "none", "Messages a day of " of "."),                          \
            SENDING_ROW(word "-recipients-hour", whose, 2, "none", "Recipients an hour of " of "."),                   \
            SENDING_ROW(word "-recipients-day", whose, 3, "none", "Recipients a day of " of "."),                      \
            SENDING_ROW(word "-distinct-hour", whose, 4, "none", "Different recipients an hour of " of "."),           \
            SENDING_ROW(word "-distinct-day", whose, 5, "none", "Different recipients a day of " of ".")

static const struct option sending_options[] = {
        SENDING_ROW("mailbox-distinct-hour", SENDING_MAILBOX, 4, "none", "Different recipients an hour of a mailbox."),
        SENDING_ROW("mailbox-distinct-day", SENDING_MAILBOX, 5, "none", "Different recipients a day of a mailbox."),
        SENDING_ROW(
            "mailbox-invalid-hour", SENDING_MAILBOX, 6, "60",
            "Recipients an hour that the mail server refuses for good, of a mailbox: who guesses addresses, or has "
            "lost his password to somebody who does, stops here."),
        SENDING_ROWS("subscriber", SENDING_SUBSCRIBER, "all mailboxes of a subscriber"),
        SENDING_ROWS("address", SENDING_ADDRESS, "one address (IPv6: one /64)"),
};

static const struct option gate_options[] = {
        { "mark", OPTION_MARK, .fallback = "0x2500/0xff00", AT(gate, mark),
          .help = "Packet mark of the gate and the bits it may use. The mark with the lowest of these bits toggled is "
                  "used too." },
        { "table", OPTION_NUMBER, .low = 1, .high = INT32_MAX, .fallback = "2500", AT(gate, table),
          .help = "Routing table of the gate; not 253 to 255." },
        { "nflog-group", OPTION_NUMBER, .high = 65535, .fallback = "25",
          .help = "Where the kernel logs what sight reads.", AT(gate, nflog_group) },
        { "if-edge-down", OPTION_CHOICE, .choices = edge_downs, .fallback = "reset", AT(gate, if_edge_down),
          .help = "What happens to diverted and trapped connections when nothing listens." },
        { "edge", OPTION_EDGE, .fallback = "local", AT(gate, edge),
          .help = "Where diverted and trapped connections go: to this box; by routing to another, which runs this part "
                  "itself; or, "
                  "with the original destination lost, by translation of the address." },
        { "divert-port", OPTION_NUMBER, .low = 1, .high = 65535, .fallback = "2525", AT(gate, divert_port),
          .help = "Where the submission listener for diverted connections stands, on this box." },
        { "trap-port", OPTION_NUMBER, .low = 1, .high = 65535, .fallback = "2526", AT(gate, trap_port),
          .help = "Where the trap stands, on this box." },
};

static const struct option feed_options[] = {
        { "radius", OPTION_LISTEN, AT(feed, radius),
          .help = "Where RADIUS accounting is listened for, such as 192.0.2.1:1813 or [2001:db8::1]:1813. A report is "
                  "answered when it is in the ledger, and not before." },
        { "nas", OPTION_PREFIXES, AT(feed, nas), .help = "Who may report there. Required with radius." },
        { "secret-file", OPTION_PATH, AT(feed, secret_file),
          .help = "File whose first line is the secret shared with them. Required with radius." },
        { "file", OPTION_PATH, AT(feed, file),
          .help = "File of leases or of accounting that is followed as it grows, is rotated and is written anew." },
        { "format", OPTION_CHOICE, .choices = formats, AT(feed, format),
          .help = "What the file is. Required with file." },
        { "realm", OPTION_TEXT, .high = 64, AT(feed, realm),
          .help = "Address space of all it names. None: the Internet." },
        { "line", OPTION_CHOICE, .choices = line_choices, .fallback = "auto", AT(feed, line),
          .help = "What recognises the subscriber. auto: what its format knows best, such as the circuit before the "
                  "user, and "
                  "else MAC or DUID." },
        { "tolerance", OPTION_DURATION, .low = SECOND, .high = DAY, .fallback = "2s", AT(feed, tolerance),
          .help = "How far the clock behind it may be off: look-ups of its leases reach so far to both sides." },
};

static const char *const identities[] = { "none", "xclient", "proxy", NULL }; /* as enum edge_identify */
static const char *const hop_tls[] = { "never", "may", "must", NULL };

static const struct option edge_options[] = {
        { "submission", OPTION_SUBMISSION, AT(edge, submission),
          .help = "Ports where customers submit mail: 465 speaks TLS at once, any other STARTTLS." },
        { "listen", OPTION_HOSTS, AT(edge, listen),
          .help = "Addresses of this box to listen on for submission. None: all of them." },
        { "name", OPTION_HOST_NAME, AT(edge, name),
          .help = "The edge's own name, in greetings. None: that of the first certificate, or the network's domain." },
        { "certificate", OPTION_CERTIFICATES, AT(edge, certificate),
          .help = "A name, its chain and its key (PEM): chosen by the name the customer's program asks for, the first "
                  "where it asks for none. Read anew when the files change." },
        { "next-hop", OPTION_NEXT_HOP, .required = true, AT(edge, next_hop),
          .help = "Where accepted mail goes: in line to an MTA, the first that answers; or into the Maildirs of "
                  "Porteiro's own mailboxes." },
        { "next-hop-tls", OPTION_CHOICE, .choices = hop_tls, .fallback = "never", AT(edge, next_hop_tls),
          .help = "Whether the MTA is spoken to under TLS." },
        { "identify", OPTION_CHOICE, .choices = identities, .fallback = "xclient", AT(edge, identify),
          .help = "How the MTA is told whose mail it is. proxy: by the PROXY protocol, version 2, which tells the "
                  "address and no "
                  "login. With none it sees the edge's address alone." },
        { "size", OPTION_SIZE, .low = 65536, .high = SIZE_BYTES_MOST, .fallback = "50M", AT(edge, size),
          .help = "Largest message." },
        { "recipients", OPTION_NUMBER, .low = 1, .high = 10000, .fallback = "100", AT(edge, recipients),
          .help = "Recipients of one message." },
        { "connections", OPTION_NUMBER, .low = 10, .high = 1000000, .fallback = "4000", AT(edge, connections),
          .help = "Connections of one process of the edge; the next is told to come later." },
        { "connections-each", OPTION_NUMBER, .low = 1, .high = 1000000, .fallback = "50", AT(edge, each),
          .help = "Connections at once of one address (IPv6: of one /64), of one process." },
        { "trap-connections", OPTION_NUMBER, .low = 1, .high = 1000000, .fallback = "15000", AT(edge, trap_connections),
          .help = "Connections held in the trap, of one process. Past it the trap answers at once and closes." },
        { "workers", OPTION_NUMBER, .high = 64, .fallback = "0", AT(edge, workers),
          .help = "Processes of the edge. 0: as many as processors, and more where trap-connections ask for it." },
        { "help", OPTION_TEXT, .high = 200, AT(edge, help),
          .help = "A short address of a page that helps, shown in refusals." },
        { "plain-auth-until", OPTION_TIME, AT(edge, plain_auth_until),
          .help = "Until then customers in own pools may log in without TLS where they are diverted. Each is logged." },
        { "ban-for", OPTION_DURATION, .low = MINUTE, .high = 365 * DAY, .fallback = "1h", AT(edge, ban_for),
          .help = "How long an outside address that guesses passwords is banned." },
};

static const struct option legacy_options[] = {
        { "listen", OPTION_LISTEN, .required = true, AT(legacy, listen), .help = "Address and port of this listener." },
        { "from", OPTION_PREFIXES, .required = true, AT(legacy, from), .help = "Who may use it." },
        { "sender", OPTION_SENDERS, .required = true, AT(legacy, sender),
          .help = "Addresses they may write as; @example.net for all of a domain." },
        { "messages-day", OPTION_NUMBER, .low = 1, .high = 1000000, .fallback = "20", AT(legacy, messages_day),
          .help = "Messages that one address may send in a day." },
        { "until", OPTION_TIME, .required = true, AT(legacy, until),
          .help = "When it ends. A date alone is the last instant of that day." },
        { "owner", OPTION_TEXT, .required = true, .high = 128, AT(legacy, owner), .help = "Who answers for it." },
};

static const struct option mail_log_options[] = {
        { "file", OPTION_PATH, .required = true, AT(mail_log, file),
          .help = "Log file of a mail server (Postfix, Exim, Dovecot), followed as it grows and is rotated." },
        { "zone", OPTION_ZONE, AT(mail_log, zone),
          .help = "What its times mean where they name no zone. None: the zone of the network." },
};

/* In the order of CATEGORY_FIELDS (maillog/category.h). */
static const char *const mail_fields[] = { "text",           "reply", "from",   "to",     "helo", "client-name",
                                           "client-address", "login", "method", "action", NULL };
static const char *const mail_keys[] = { MAIL_LIMIT_KEYS(CHOICE_NAME) NULL };
static const char *const mail_sides[] = { MAIL_LIMIT_SIDES(CHOICE_NAME) NULL };
static const char *const mail_thens[] = { MAIL_LIMIT_ACTIONS(CHOICE_NAME) NULL };

static const struct option mail_rule_options[] = {
        { "on", OPTION_NAMES, .required = true, AT(mail_rule, on),
          .help = "Kinds of events it looks at: reject (a refusal of ours), delivery (of which field reply is what the "
                  "remote server said), said, check, auth-failed, warning, screen, lost, content, and what else "
                  "docs/maillog.md names." },
        { "daemon", OPTION_NAMES, AT(mail_rule, daemon),
          .help = "Only of these programs, such as smtpd or cleanup. None: of any." },
        { "field", OPTION_CHOICE, .choices = mail_fields, .fallback = "text", AT(mail_rule, field),
          .help = "The field of the event that is looked at, alone and from its own start." },
        { "pattern", OPTION_TEXT, .required = true, .high = 1024, AT(mail_rule, pattern),
          .help = "A regular expression as Vectorscan reads them, in upper case or lower. What a reply echoes in angle "
                  "brackets is taken out of text and reply before." },
        { "category", OPTION_TEXT, .required = true, .high = 32, AT(mail_rule, category),
          .help =
              "Where it belongs: a category that is built in, or a new one. The first rule that holds decides, those "
              "of the policy before those that are built in." },
};

static const struct option mail_limit_options[] = {
        { "count", OPTION_NAMES, .required = true, AT(mail_limit, count),
          .help = "What is counted: categories, or message, recipients, bounced, deferred, refused, auth_failed." },
        { "by", OPTION_CHOICE, .choices = mail_keys, .required = true, AT(mail_limit, by),
          .help = "Whose they are: a login, a subscriber (by lease at that time), a client address, or its network "
                  "(IPv4: /24, IPv6: /64)." },
        { "from", OPTION_CHOICE, .choices = mail_sides, .fallback = "any", AT(mail_limit, side),
          .help = "Only of customers (who logged in, or whose address is in a pool), or only of others: the same words "
                  "mean "
                  "other things there." },
        { "after", OPTION_NUMBER, .low = 1, .high = 1000000000, .required = true, AT(mail_limit, after),
          .help = "So many are too many." },
        { "over", OPTION_DURATION, .low = MINUTE, .high = 31 * DAY, .fallback = "1h", AT(mail_limit, over),
          .help = "Within so long." },
        { "then", OPTION_CHOICE, .choices = mail_thens, .fallback = "report", AT(mail_limit, then),
          .help = "What follows: nothing but to be told of; a sighting, of which suspicion is made; a ban of a client "
                  "that is an outsider; the mailbox may not send (suspend), or little (limit)." },
        { "to", OPTION_NUMBER, .low = 1, .high = 1000000, .fallback = "20", AT(mail_limit, to),
          .help = "With then limit: so many recipients an hour the mailbox may still send to." },
        { "lasts", OPTION_DURATION, .low = MINUTE, .high = 365 * DAY, .fallback = "24h", AT(mail_limit, lasts),
          .help = "For so long; after that it is told again where it goes on." },
        { "except", OPTION_PREFIXES, AT(mail_limit, except),
          .help = "Clients that are never counted: own monitoring, partners." },
};

#define BLOCK(word, kind, how, single, text)                                                                           \
        {                                                                                                              \
                .name = word, .naming = how, .once = single, .help = text, .size = sizeof(struct draft_##kind),        \
                .list = offsetof(struct draft, kind), .options = kind##_options, .n_options = COUNT_OF(kind##_options) \
        }

static const struct block blocks[] = {
        BLOCK("network", network, NAMING_FREE, true, "The network this policy is for. Required."),
        BLOCK("server", server, NAMING_KERNEL, false, "A mail server of the network."),
        BLOCK("class", class, NAMING_KERNEL, false, "A commercial profile of customers."),
        BLOCK("pool", pool, NAMING_KERNEL, false,
              "Prefixes, an interface or both, from which one class gets its addresses."),
        BLOCK("cgnat", cgnat, NAMING_KERNEL, false, "One version of a carrier-grade translation, by arithmetic."),
        BLOCK("feed", feed, NAMING_KERNEL, false,
              "Where leases come from: a socket for RADIUS accounting, or a file that is followed."),
        BLOCK("wave", wave, NAMING_KERNEL, false,
              "A step of the roll-out. Of those that cover a customer the latest wins."),
        BLOCK("exempt", exempt, NAMING_FREE, false,
              "Subscribers or addresses that are let out, with owner, reason and end."),
        BLOCK("never-cut", never_cut, NAMING_NONE, false, "Hospitals, alarm lines: those who must stay connected."),
        BLOCK("never-ban", never_ban, NAMING_NONE, false, "Who outside is never shut out for guessing passwords."),
        BLOCK("tunnels", tunnels, NAMING_NONE, true,
              "Whether port 25 inside tunnels is refused to customers whose port 25 is not open."),
        BLOCK("suspicion", suspicion, NAMING_NONE, true, "What sightings weigh, and how it fades."),
        BLOCK("keep", keep, NAMING_NONE, true, "How long facts are kept. The keeper forgets what is older once a day."),
        BLOCK("quarantine", quarantine, NAMING_NONE, true, "When a rule quarantines. Without this block none does."),
        BLOCK("mail", mail, NAMING_NONE, true,
              "Rules of mailboxes, and their limits where neither mailbox, subscriber nor his class says otherwise."),
        BLOCK("sending", sending, NAMING_NONE, true,
              "How much may be sent through the edge, besides the limits of each mailbox. At a limit the sender is "
              "told to come "
              "again."),
        BLOCK("gate", gate, NAMING_NONE, true, "What the gate may use of the kernel."),
        BLOCK("edge", edge, NAMING_NONE, true,
              "Porteiro's own SMTP listeners: submission, and what the gate diverts or traps. Without this block there "
              "are none, and whatever listens on divert-port and trap-port gets those."),
        BLOCK("legacy", legacy, NAMING_KERNEL, false,
              "A listener of the edge for machines that can neither log in nor speak TLS, with an end date."),
        BLOCK("mail-log", mail_log, NAMING_KERNEL, false, "A log of a mail server that is followed."),
        BLOCK("mail-rule", mail_rule, NAMING_FREE, false,
              "Puts events of mail logs into a category, before those rules that are built in."),
        BLOCK("mail-limit", mail_limit, NAMING_FREE, false, "How often is too often in mail logs, and what follows."),
};

const struct block *policy_blocks(size_t *n)
{
        *n = COUNT_OF(blocks);
        return blocks;
}

const struct block *policy_block(struct slice name)
{
        for (size_t i = 0; i < COUNT_OF(blocks); i++)
                if (slice_eq(slice_of(blocks[i].name), name))
                        return &blocks[i];
        return NULL;
}

const struct option *block_option(const struct block *b, struct slice name)
{
        for (size_t i = 0; i < b->n_options; i++)
                if (slice_eq(slice_of(b->options[i].name), name))
                        return &b->options[i];
        return NULL;
}

const char *const *policy_strategies(void)
{
        return strategies;
}

const char *mail_limit_key_name(enum mail_limit_key k)
{
        return mail_keys[k];
}

const char *mail_limit_then_name(enum mail_limit_then t)
{
        return mail_thens[t];
}

const char *const *policy_mail_fields(void)
{
        return mail_fields;
}

const char *const *policy_levels(void)
{
        return levels;
}

const char *const *policy_feed_formats(void)
{
        return formats;
}

const char *const *policy_feed_lines(void)
{
        return line_choices;
}
