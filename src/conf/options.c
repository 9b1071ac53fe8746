/* conf/options.c: the table of sections and settings, and the look-ups in it. */
#include "conf/options.h"

#include <string.h>

#include "base/macros.h"
#include "conf/conf.h"

#define ONE(type, member, of) .offset = offsetof(type, member), .size = sizeof(of), .most = 1
#define MANY(type, member, count_member, of, limit)                                                \
    .offset = offsetof(type, member), .count_offset = offsetof(type, count_member),                \
    .size = sizeof(of), .most = (limit)
#define TITLE(type, member, words, form)                                                           \
    .title = (words), .title_syntax = (form), .title_offset = offsetof(type, member)

const struct section sections[SECTION_COUNT] = {
    [SECTION_TOP] = { .name = "", .size = sizeof(struct conf), .most = 1 },
    [SECTION_LISTENER] = { .name = "listener",
        MANY(struct conf, listeners, listener_count, struct conf_listener, 64),
        TITLE(struct conf_listener, name, "name", SYNTAX_WORD),
        .doc = "An address at which mail programs are served. At least one is required. The name "
               "appears in the log." },
    [SECTION_TLS] = { .name = "tls",
        ONE(struct conf, tls, struct conf_tls),
        .doc = "The certificate that listeners show. Required unless every listener has "
               "require_tls = false and tls = "
               "\"starttls\"; without it STARTTLS is not offered. Both files are read again on "
               "reload." },
    [SECTION_SNI] = { .name = "sni",
        .parent = SECTION_TLS,
        MANY(struct conf_tls, snis, sni_count, struct conf_sni, 1024),
        TITLE(struct conf_sni, name, "name", SYNTAX_DOMAIN),
        .doc = "A further certificate, shown to clients that ask for this host name. All others "
               "get the one above." },
    [SECTION_USERS] = { .name = "users",
        ONE(struct conf, users, struct conf_users),
        TITLE(struct conf_users, kind, "kind", SYNTAX_WORD),
        .doc = "Where the users and their passwords are. The only kind is \"file\", which "
               "submitctl user maintains. May be "
               "missing only where trusted_networks is set." },
    [SECTION_AUTH] = { .name = "auth",
        ONE(struct conf, auth, struct conf_auth),
        .doc = "How users may log in. PLAIN, LOGIN and SCRAM-SHA-256 are always offered, under TLS "
               "only; SCRAM-SHA-256-PLUS wherever the TLS connection can be bound to the login." },
    [SECTION_CERTIFICATE] = { .name = "certificate",
        MANY(struct conf, certificates, certificate_count, struct conf_certificate, 4096),
        TITLE(struct conf_certificate, login, "user", SYNTAX_LOGIN),
        .doc = "Client certificates with which this user logs in by EXTERNAL, without a password. "
               "Clients are asked for a certificate only where there is such a section, or "
               "client_ca in tls." },
    [SECTION_DOMAIN] = { .name = "domain",
        MANY(struct conf, domains, domain_count, struct conf_domain, 4096),
        TITLE(struct conf_domain, name, "name", SYNTAX_DOMAIN),
        .doc = "A domain that users here send from." },
    [SECTION_ROUTE] = { .name = "route",
        MANY(struct conf, routes, route_count, struct conf_route, 4096),
        TITLE(struct conf_route, pattern, "pattern", SYNTAX_PATTERN),
        .doc = "Where mail for recipients in a domain goes. The pattern is a domain, \"*.\" and a "
               "domain for everything below "
               "it, or \"*\". The most specific one decides, wherever it stands. At least one is "
               "required." },
    [SECTION_IMAP_SERVER] = { .name = "imap_server",
        MANY(struct conf, imap_servers, imap_server_count, struct conf_imap_server, 64),
        TITLE(struct conf_imap_server, name, "name", SYNTAX_SERVER),
        .doc = "An IMAP server that knows URLAUTH (RFC 4467), from which the content of mail is "
               "fetched at the command BURL. The name is the host as it stands in URLs, with a "
               "colon and the port where that is not 143; its certificate must be valid for it. "
               "URLs of other servers are refused." },
    [SECTION_QUEUE] = { .name = "queue",
        ONE(struct conf, queue, struct conf_queue),
        .doc = "When to try again and when to give up." },
    [SECTION_LIMITS] = { .name = "limits",
        ONE(struct conf, limits, struct conf_limits),
        .doc = "What clients may use." },
    [SECTION_SPOOL] = { .name = "spool",
        ONE(struct conf, spool, struct conf_spool),
        .doc = "How the queue lies on the disk." },
    [SECTION_TIMEOUTS] = { .name = "timeouts",
        ONE(struct conf, timeouts, struct conf_timeouts),
        .doc = "How long the sending side waits for a next hop." },
    [SECTION_DNS] = { .name = "dns",
        ONE(struct conf, dns, struct conf_dns),
        .doc = "How names are looked up." },
    [SECTION_ACCOUNTS] = { .name = "accounts",
        ONE(struct conf, accounts, struct conf_accounts),
        .doc = "The user, by name or number, that each process becomes when the server is started "
               "as root. All differ." },
    [SECTION_EXTENSIONS] = { .name = "extensions",
        ONE(struct conf, extensions, struct conf_extensions),
        .doc = "SMTP extensions that can be switched. What is off is not listed, and its "
               "parameters are refused." },
};

static const char *const priorities[] = { "any", "normal", "urgent", NULL };
static const char *const logs[] = { "auto", "text", "json", NULL };
static const char *const listener_tls[] = { "implicit", "starttls", NULL };
static const char *const vias[] = { "mx", "smtp", "lmtp", "maildir", NULL };
static const char *const imap_tls[] = { "implicit", "starttls", NULL };
static const char *const route_tls[] = { "none", "may", "verify", NULL };

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, MIB = 1 << 20 };
#define YEAR ((int64_t)365 * DAY)

#define AT(type, member) .offset = offsetof(type, member)
#define LIST(type, member, count_member, element, least_count, most_count)                         \
    AT(type, member), .count_offset = offsetof(type, count_member),                                \
                      .element_size = sizeof(element), .list_least = (least_count),                \
                      .list_most = (most_count)
#define SECONDS(low, high) .kind = OPTION_NUMBER, .least = (low), .most = (high), .unit = "seconds"
#define COUNT(low, high)   .kind = OPTION_NUMBER, .least = (low), .most = (high)
#define OCTETS(low, high)  .kind = OPTION_NUMBER, .least = (low), .most = (high), .unit = "octets"
#define TEXT(form)         .kind = OPTION_TEXT, .syntax = (form)
#define LATER(words)       .section = SECTION_EXTENSIONS, .name = (words), .kind = OPTION_LATER

const struct option options[] = {
    { .section = SECTION_TOP,
        .name = "hostname",
        TEXT(SYNTAX_HOSTNAME),
        .required = true,
        AT(struct conf, hostname),
        .doc = "The full name of this server: in the greeting, in EHLO to other servers and in "
               "Received fields. Its address "
               "record should match the address that mail leaves from." },
    { .section = SECTION_TOP,
        .name = "state",
        TEXT(SYNTAX_FILE),
        .restart = true,
        .required = true,
        AT(struct conf, state),
        .doc = "The folder that holds the queue. One server only works on it." },
    { .section = SECTION_TOP,
        .name = "control",
        TEXT(SYNTAX_SOCKET),
        .restart = true,
        .preset_doc = "control.sock in state",
        AT(struct conf, control),
        .doc = "The unix socket through which submitctl asks." },
    { .section = SECTION_TOP,
        .name = "postmaster",
        TEXT(SYNTAX_MAILBOX),
        .preset_doc = "postmaster at hostname",
        AT(struct conf, postmaster),
        .doc = "Who gets mail for \"postmaster\" without a domain." },
    { .section = SECTION_TOP,
        .name = "gates",
        COUNT(0, 256),
        .restart = true,
        .preset = "0",
        AT(struct conf, gates),
        .doc = "Processes that serve clients. 0: one for each processor core." },
    { .section = SECTION_TOP,
        .name = "relays",
        COUNT(0, 64),
        .restart = true,
        .preset = "1",
        AT(struct conf, relays),
        .doc = "Processes that send. 0: mail is accepted and kept, none is sent." },
    { .section = SECTION_TOP,
        .name = "trusted_networks",
        .kind = OPTION_TEXTS,
        .syntax = SYNTAX_NETWORK,
        LIST(struct conf, trusted_networks, trusted_network_count, struct conf_network, 0,
            OPTION_LIST_MAX),
        .doc = "Protected networks whose clients may submit without logging in. Networks that hold "
               "a good part of the "
               "Internet (IPv4 shorter than /8, IPv6 shorter than /7) are refused." },
    { .section = SECTION_TOP,
        .name = "trusted_senders",
        .kind = OPTION_TEXTS,
        .syntax = SYNTAX_SENDER,
        .preset = "\"*\"",
        LIST(struct conf, trusted_senders, trusted_sender_count, struct conf_text, 1, 32),
        .doc = "Sender addresses that clients in trusted_networks may use without logging in." },
    { .section = SECTION_TOP,
        .name = "allow_address_literals",
        .kind = OPTION_BOOL,
        AT(struct conf, allow_address_literals),
        .doc = "Accept recipients such as user@[192.0.2.1]." },
    { .section = SECTION_TOP,
        .name = "strict_envelope",
        .kind = OPTION_BOOL,
        AT(struct conf, strict_envelope),
        .doc =
            "Refuse blanks around the colon of MAIL FROM and RCPT TO, which some clients send." },
    { .section = SECTION_TOP,
        .name = "postmaster_unauth",
        .kind = OPTION_BOOL,
        AT(struct conf, postmaster_unauth),
        .doc = "Let anybody write a message of at most 32 KiB to the postmaster, at this server or "
               "in one of the domains, without logging in." },
    { .section = SECTION_TOP,
        .name = "hide_client",
        .kind = OPTION_BOOL,
        AT(struct conf, hide_client),
        .doc = "Leave the client's name and address out of the Received field." },

    { .section = SECTION_TOP,
        .name = "log",
        .kind = OPTION_CHOICE,
        .choices = logs,
        .restart = true,
        .preset = "auto",
        AT(struct conf, log),
        .doc = "How the lines on standard error look: \"json\", one object a line; \"text\", words "
               "for people; \"auto\", text where standard error is a terminal, else json." },

    { .section = SECTION_LISTENER,
        .name = "address",
        TEXT(SYNTAX_LISTEN),
        .restart = true,
        .required = true,
        AT(struct conf_listener, address),
        .doc = "IP address and port. [::] takes IPv4 clients as well." },
    { .section = SECTION_LISTENER,
        .name = "tls",
        .kind = OPTION_CHOICE,
        .choices = listener_tls,
        .required = true,
        AT(struct conf_listener, tls),
        .doc = "With \"implicit\", TLS begins at once (port 465); with \"starttls\", at the "
               "client's command (port 587)." },
    { .section = SECTION_LISTENER,
        .name = "require_tls",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_listener, require_tls),
        .doc = "Serve nobody before TLS is up. With false, mail from trusted networks is accepted "
               "in clear text; logging in "
               "always needs TLS." },
    { .section = SECTION_LISTENER,
        .name = "command_timeout",
        SECONDS(1, DAY),
        .preset = "300",
        AT(struct conf_listener, command_timeout),
        .doc = "Wait for the next command." },
    { .section = SECTION_LISTENER,
        .name = "data_timeout",
        SECONDS(1, DAY),
        .preset = "300",
        AT(struct conf_listener, data_timeout),
        .doc = "Wait for the next octets of a message." },

    { .section = SECTION_TLS,
        .name = "certificate",
        TEXT(SYNTAX_FILE),
        .required = true,
        AT(struct conf_tls, certificate),
        .doc = "The certificate and its chain, PEM." },
    { .section = SECTION_TLS,
        .name = "key",
        TEXT(SYNTAX_FILE),
        .required = true,
        AT(struct conf_tls, key),
        .doc = "Its private key, PEM. Others than owner and group must not be able to read it." },

    { .section = SECTION_TLS,
        .name = "client_ca",
        TEXT(SYNTAX_FILE),
        .preset_doc = "none",
        AT(struct conf_tls, client_ca),
        .doc = "The certificates of authorities, PEM. A client that shows a certificate of one of "
               "them logs in by EXTERNAL as the user whose login is the first mail address in its "
               "subjectAltName, without a password; revocation lists are not looked at." },

    { .section = SECTION_SNI,
        .name = "certificate",
        TEXT(SYNTAX_FILE),
        .required = true,
        AT(struct conf_sni, certificate),
        .doc = "As in tls." },
    { .section = SECTION_SNI,
        .name = "key",
        TEXT(SYNTAX_FILE),
        .required = true,
        AT(struct conf_sni, key),
        .doc = "As in tls." },

    { .section = SECTION_USERS,
        .name = "path",
        TEXT(SYNTAX_FILE),
        .required = true,
        AT(struct conf_users, path),
        .doc = "The user file. A change to it holds from the next login on." },

    { .section = SECTION_AUTH,
        .name = "scram_sha_1",
        .kind = OPTION_BOOL,
        AT(struct conf_auth, scram_sha_1),
        .doc = "Offer SCRAM-SHA-1 and SCRAM-SHA-1-PLUS as well, for clients that know nothing "
               "newer. They work for users whose password was set while this was true." },
    { .section = SECTION_AUTH,
        .name = "oauth_jwks",
        TEXT(SYNTAX_FILE),
        .preset_doc = "none",
        AT(struct conf_auth, oauth_jwks),
        .doc =
            "The public keys of the service that issues access tokens, as a JSON Web Key Set. With "
            "it OAUTHBEARER and XOAUTH2 are offered, for tokens that are JSON Web Tokens signed "
            "with RS256, ES256 or EdDSA. The file is read again when it has changed." },
    { .section = SECTION_AUTH,
        .name = "oauth_jwks_uri",
        TEXT(SYNTAX_HTTPS),
        .preset_doc = "none",
        AT(struct conf_auth, oauth_jwks_uri),
        .doc = "The same, but fetched from this address, and again before it is out of date: as "
               "often as the server's Cache-Control says, but not more often than every five "
               "minutes nor less often than every day, and at most once a minute because of a "
               "token whose key is not among those known. The last good set is used as long as "
               "there is none newer. Instead of oauth_jwks." },
    { .section = SECTION_AUTH,
        .name = "oauth_introspection",
        TEXT(SYNTAX_HTTPS),
        .preset_doc = "none",
        AT(struct conf_auth, oauth_introspection),
        .doc = "An address that is asked about each token (RFC 7662), whatever the token looks "
               "like; it is remembered for a minute at most that one was good. Instead of "
               "oauth_jwks." },
    { .section = SECTION_AUTH,
        .name = "oauth_client_id",
        TEXT(SYNTAX_TEXT),
        .preset_doc = "none",
        AT(struct conf_auth, oauth_client_id),
        .doc = "Who we are at oauth_introspection, which requires it." },
    { .section = SECTION_AUTH,
        .name = "oauth_client_secret_file",
        TEXT(SYNTAX_FILE),
        .preset_doc = "none",
        AT(struct conf_auth, oauth_client_secret_file),
        .doc = "A file with one line, our secret at oauth_introspection, which requires it. Others "
               "must not be able to read it." },
    { .section = SECTION_AUTH,
        .name = "oauth_ca_file",
        TEXT(SYNTAX_FILE),
        .preset_doc = "those of the system",
        AT(struct conf_auth, oauth_ca_file),
        .doc = "The certificates, in PEM, one of which must have signed for the servers of "
               "oauth_jwks_uri and oauth_introspection." },
    { .section = SECTION_AUTH,
        .name = "oauth_issuer",
        TEXT(SYNTAX_TEXT),
        .preset_doc = "none",
        AT(struct conf_auth, oauth_issuer),
        .doc = "Who must have issued a token (iss). Required but with oauth_introspection." },
    { .section = SECTION_AUTH,
        .name = "oauth_audience",
        TEXT(SYNTAX_TEXT),
        .preset_doc = "none",
        AT(struct conf_auth, oauth_audience),
        .doc = "Whom a token must be for (aud). Required but with oauth_introspection." },
    { .section = SECTION_AUTH,
        .name = "oauth_scope",
        TEXT(SYNTAX_TEXT),
        .preset_doc = "any",
        AT(struct conf_auth, oauth_scope),
        .doc = "What a token must be good for: a word of its scope." },
    { .section = SECTION_AUTH,
        .name = "oauth_claim",
        TEXT(SYNTAX_TEXT),
        .preset = "email",
        AT(struct conf_auth, oauth_claim),
        .doc = "The claim of a token that is the user's login." },
    { .section = SECTION_AUTH,
        .name = "oauth_leeway",
        SECONDS(0, HOUR),
        .preset = "60",
        AT(struct conf_auth, oauth_leeway),
        .doc = "By how much the issuer's clock may differ from ours." },

    { .section = SECTION_CERTIFICATE,
        .name = "sha256",
        .kind = OPTION_TEXTS,
        .syntax = SYNTAX_SHA256,
        .required = true,
        LIST(struct conf_certificate, sha256, sha256_count, struct conf_text, 1, 32),
        .doc = "SHA-256 fingerprints of the certificates, as openssl x509 -fingerprint -sha256 "
               "shows them. Who signed them does not matter, nor when they end." },

    { .section = SECTION_DOMAIN,
        .name = "dkim",
        .kind = OPTION_LATERS,
        .syntax = SYNTAX_WORD,
        .doc = "Selectors of the keys to sign with. This version does not sign, so only the empty "
               "list is accepted." },
    { .section = SECTION_DOMAIN,
        .name = "dkim_check",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_domain, dkim_check),
        .doc = "Use a key only when its DNS record has been seen." },

    { .section = SECTION_ROUTE,
        .name = "via",
        .kind = OPTION_CHOICE,
        .choices = vias,
        .required = true,
        AT(struct conf_route, via),
        .doc = "How: \"mx\", to the mail servers of the recipient's domain; \"smtp\", to a fixed "
               "server; \"lmtp\", to a "
               "local mail store; \"maildir\", into a folder of this machine." },
    { .section = SECTION_ROUTE,
        .name = "to",
        TEXT(SYNTAX_HOP),
        AT(struct conf_route, to),
        .doc = "Where: for smtp a host and, after a colon, a port (default 25); for lmtp the same "
               "(default 24) or unix: and "
               "a path; for maildir a folder. Not for mx." },
    { .section = SECTION_ROUTE,
        .name = "port",
        .kind = OPTION_PORT,
        .least = 1,
        .most = UINT16_MAX,
        .preset_doc = "25",
        AT(struct conf_route, port),
        .doc = "For mx: the port at which the servers are called." },
    { .section = SECTION_ROUTE,
        .name = "mx",
        .kind = OPTION_BOOL,
        AT(struct conf_route, mx),
        .doc = "For smtp: to is a domain, whose MX records name the servers." },
    { .section = SECTION_ROUTE,
        .name = "tls",
        .kind = OPTION_CHOICE,
        .choices = route_tls,
        .preset_doc = "may for mx and smtp, verify with a username, none for lmtp",
        AT(struct conf_route, tls),
        .doc = "With \"none\", never; with \"may\", where it is offered, whatever the certificate; "
               "with \"verify\", only with "
               "a certificate that is valid for the name in to. Verify needs a name that is not "
               "looked up by MX." },
    { .section = SECTION_ROUTE,
        .name = "ca_file",
        TEXT(SYNTAX_FILE),
        .preset_doc = "those of the system",
        AT(struct conf_route, ca_file),
        .doc = "For verify: the certificates of the authorities to trust, PEM." },
    { .section = SECTION_ROUTE,
        .name = "username",
        TEXT(SYNTAX_TEXT),
        AT(struct conf_route, username),
        .doc = "For smtp: log in with this name. TLS is then verified always." },
    { .section = SECTION_ROUTE,
        .name = "password_file",
        TEXT(SYNTAX_FILE),
        AT(struct conf_route, password_file),
        .doc = "The file whose first line is the password. Others than owner and group must not be "
               "able to read it." },
    { .section = SECTION_ROUTE,
        .name = "chunking",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_route, chunking),
        .doc = "Use BDAT where it is offered. With false, always DATA." },

    { .section = SECTION_IMAP_SERVER,
        .name = "to",
        TEXT(SYNTAX_HOP),
        .preset_doc = "the host of the name",
        AT(struct conf_imap_server, to),
        .doc = "Where it is called: a host and, after a colon, a port (default 993 with implicit "
               "TLS, else 143)." },
    { .section = SECTION_IMAP_SERVER,
        .name = "tls",
        .kind = OPTION_CHOICE,
        .choices = imap_tls,
        .preset = "implicit",
        AT(struct conf_imap_server, tls),
        .doc = "With \"implicit\", TLS begins at once; with \"starttls\", at our command. There is "
               "no way without." },
    { .section = SECTION_IMAP_SERVER,
        .name = "ca_file",
        TEXT(SYNTAX_FILE),
        .preset_doc = "those of the system",
        AT(struct conf_imap_server, ca_file),
        .doc = "The certificates of the authorities to trust, PEM." },
    { .section = SECTION_IMAP_SERVER,
        .name = "username",
        TEXT(SYNTAX_TEXT),
        .preset = "submit",
        AT(struct conf_imap_server, username),
        .doc = "Log in with this name: a user that may fetch such URLs and nothing else (Dovecot: "
               "imap_urlauth_submit_user)." },
    { .section = SECTION_IMAP_SERVER,
        .name = "password_file",
        TEXT(SYNTAX_FILE),
        .required = true,
        AT(struct conf_imap_server, password_file),
        .doc = "The file whose first line is the password. Others than owner and group must not be "
               "able to read it." },

    { .section = SECTION_QUEUE,
        .name = "retry",
        .kind = OPTION_NUMBERS,
        .least = 1,
        .most = 30 * DAY,
        .unit = "seconds",
        .preset = "300, 600, 1200, 1800, 3600, 7200",
        LIST(struct conf_queue, retry, retry_count, struct conf_number, 1, 64),
        .doc = "Waits before the second, third and further attempts after a next hop has refused "
               "for the time being. The "
               "last one repeats. Up to a tenth is added by chance." },
    { .section = SECTION_QUEUE,
        .name = "retry_connect",
        .kind = OPTION_NUMBERS,
        .least = 1,
        .most = 30 * DAY,
        .unit = "seconds",
        .preset = "1800, 1800, 3600, 7200, 10800",
        LIST(struct conf_queue, retry_connect, retry_connect_count, struct conf_number, 1, 64),
        .doc = "The same after a next hop could not be reached; but no sooner than dead_host "
               "allows." },
    { .section = SECTION_QUEUE,
        .name = "lifetime",
        SECONDS(1, YEAR),
        .preset = "432000",
        AT(struct conf_queue, lifetime),
        .doc = "Give up and tell the sender after this time." },
    { .section = SECTION_QUEUE,
        .name = "bounce_lifetime",
        SECONDS(1, YEAR),
        .preset = "172800",
        AT(struct conf_queue, bounce_lifetime),
        .doc = "The same for a notification of ours." },
    { .section = SECTION_QUEUE,
        .name = "delay_notice",
        SECONDS(0, YEAR),
        .preset = "14400",
        AT(struct conf_queue, delay_notice),
        .doc = "Tell the sender that mail is late after this time. 0: never." },
    { .section = SECTION_QUEUE,
        .name = "dead_host",
        SECONDS(0, HOUR),
        .preset = "300",
        AT(struct conf_queue, dead_host),
        .doc = "Leave a host alone that could not be reached; doubled each time, up to one hour. "
               "0: off." },
    { .section = SECTION_QUEUE,
        .name = "concurrency",
        COUNT(1, 10000),
        .preset = "100",
        AT(struct conf_queue, concurrency),
        .doc = "Deliveries at the same time." },
    { .section = SECTION_QUEUE,
        .name = "destination_concurrency",
        COUNT(1, 10000),
        .preset = "10",
        AT(struct conf_queue, destination_concurrency),
        .doc = "Of them, to one destination at most: two at first, more while it takes them, fewer "
               "when it loses connections or says that it is overloaded." },

    { .section = SECTION_LIMITS,
        .name = "connections",
        COUNT(1, 1000000),
        .preset = "1000",
        AT(struct conf_limits, connections),
        .doc = "Connections at the same time. When all are taken, clients that have not logged in "
               "give way to new ones." },
    { .section = SECTION_LIMITS,
        .name = "connections_per_client",
        COUNT(0, 1000000),
        .preset = "50",
        AT(struct conf_limits, connections_per_client),
        .doc = "Of them, from one client address. 0: no limit." },
    { .section = SECTION_LIMITS,
        .name = "auth_failures_per_client",
        COUNT(0, 1000000),
        .preset = "20",
        AT(struct conf_limits, auth_failures_per_client),
        .doc = "Failed logins from one client address in ten minutes. 0: no limit." },
    { .section = SECTION_LIMITS,
        .name = "auth_failures_per_account",
        COUNT(0, 1000000),
        .preset = "10",
        AT(struct conf_limits, auth_failures_per_account),
        .doc = "Failed logins to one account in ten minutes. 0: no limit." },
    { .section = SECTION_LIMITS,
        .name = "message_size",
        OCTETS(65536, (int64_t)16384 * MIB),
        .preset = "52428800",
        AT(struct conf_limits, message_size),
        .doc = "Size of a message." },
    { .section = SECTION_LIMITS,
        .name = "recipients",
        COUNT(100, 4096),
        .preset = "1000",
        AT(struct conf_limits, recipients),
        .doc = "Recipients of a message." },
    { .section = SECTION_LIMITS,
        .name = "mails_per_session",
        COUNT(0, 999999),
        .preset = "0",
        AT(struct conf_limits, mails_per_session),
        .doc = "Messages in one connection. 0: no limit." },

    { .section = SECTION_SPOOL,
        .name = "segment_size",
        OCTETS(MIB, 1024 * MIB),
        .preset = "67108864",
        AT(struct conf_spool, segment_size),
        .doc =
            "Size of the files that messages are appended to; less than 8 MiB counts as 8 MiB." },
    { .section = SECTION_SPOOL,
        .name = "large_message",
        OCTETS(4096, MIB),
        .preset = "131072",
        AT(struct conf_spool, large_message),
        .doc = "A larger message has a file of its own." },
    { .section = SECTION_SPOOL,
        .name = "reserve",
        OCTETS(0, (int64_t)1048576 * MIB),
        .preset = "268435456",
        AT(struct conf_spool, reserve),
        .doc = "With less free space on the disk new mail is refused for the time being." },
    { .section = SECTION_SPOOL,
        .name = "checkpoint",
        OCTETS(65536, 1024 * MIB),
        .preset = "67108864",
        AT(struct conf_spool, checkpoint),
        .doc = "After so much journal the state of the queue is written down anew, so that a start "
               "need not read what came before. Small: a quick start; large: less writing." },

    { .section = SECTION_TIMEOUTS,
        .name = "connect",
        SECONDS(1, HOUR),
        .preset = "30",
        AT(struct conf_timeouts, connect),
        .doc = "Connection, for each address." },
    { .section = SECTION_TIMEOUTS,
        .name = "greeting",
        SECONDS(1, HOUR),
        .preset = "300",
        AT(struct conf_timeouts, greeting),
        .doc = "Greeting." },
    { .section = SECTION_TIMEOUTS,
        .name = "ehlo",
        SECONDS(1, HOUR),
        .preset = "300",
        AT(struct conf_timeouts, ehlo),
        .doc = "Reply to EHLO, HELO, LHLO or STARTTLS." },
    { .section = SECTION_TIMEOUTS,
        .name = "tls",
        SECONDS(1, HOUR),
        .preset = "60",
        AT(struct conf_timeouts, tls),
        .doc = "TLS handshake." },
    { .section = SECTION_TIMEOUTS,
        .name = "auth",
        SECONDS(1, HOUR),
        .preset = "120",
        AT(struct conf_timeouts, auth),
        .doc = "Each step of a login." },
    { .section = SECTION_TIMEOUTS,
        .name = "mail",
        SECONDS(1, HOUR),
        .preset = "300",
        AT(struct conf_timeouts, mail),
        .doc = "Reply to MAIL." },
    { .section = SECTION_TIMEOUTS,
        .name = "rcpt",
        SECONDS(1, HOUR),
        .preset = "300",
        AT(struct conf_timeouts, rcpt),
        .doc = "Reply to RCPT." },
    { .section = SECTION_TIMEOUTS,
        .name = "data",
        SECONDS(1, HOUR),
        .preset = "120",
        AT(struct conf_timeouts, data),
        .doc = "Reply to DATA." },
    { .section = SECTION_TIMEOUTS,
        .name = "block",
        SECONDS(1, HOUR),
        .preset = "180",
        AT(struct conf_timeouts, block),
        .doc = "Progress while a message is sent." },
    { .section = SECTION_TIMEOUTS,
        .name = "end",
        SECONDS(1, HOUR),
        .preset = "600",
        AT(struct conf_timeouts, end),
        .doc = "Reply to the end of a message." },
    { .section = SECTION_TIMEOUTS,
        .name = "quit",
        SECONDS(1, HOUR),
        .preset = "10",
        AT(struct conf_timeouts, quit),
        .doc = "Reply to QUIT." },
    { .section = SECTION_TIMEOUTS,
        .name = "idle",
        SECONDS(0, HOUR),
        .preset = "30",
        AT(struct conf_timeouts, idle),
        .doc = "A connection is kept for further messages to the same place. 0: not at all." },

    { .section = SECTION_DNS,
        .name = "trust_anchor",
        TEXT(SYNTAX_ANCHOR),
        .restart = true,
        .preset = "/usr/share/dns/root.key",
        AT(struct conf_dns, trust_anchor),
        .doc = "The key of the root zone, for DNSSEC. Empty: nothing is validated." },
    { .section = SECTION_DNS,
        .name = "root_hints",
        TEXT(SYNTAX_FILE),
        .restart = true,
        .preset_doc = "built in",
        AT(struct conf_dns, root_hints),
        .doc = "The addresses of the root's name servers." },
    { .section = SECTION_DNS,
        .name = "forward",
        .kind = OPTION_TEXTS,
        .syntax = SYNTAX_RESOLVER,
        .restart = true,
        LIST(struct conf_dns, forward, forward_count, struct conf_text, 0, 16),
        .doc = "Resolvers to ask, each an IP address and, after @, a port. Empty: the name servers "
               "are asked directly." },

    { .section = SECTION_ACCOUNTS,
        .name = "gate",
        TEXT(SYNTAX_ACCOUNT),
        .restart = true,
        .preset = "submitd-gate",
        AT(struct conf_accounts, gate),
        .doc = "Serves clients." },
    { .section = SECTION_ACCOUNTS,
        .name = "vault",
        TEXT(SYNTAX_ACCOUNT),
        .restart = true,
        .preset = "submitd-vault",
        AT(struct conf_accounts, vault),
        .doc = "Holds keys and passwords." },
    { .section = SECTION_ACCOUNTS,
        .name = "queue",
        TEXT(SYNTAX_ACCOUNT),
        .restart = true,
        .preset = "submitd-queue",
        AT(struct conf_accounts, queue),
        .doc = "Holds the queue; owns the folder state/spool." },
    { .section = SECTION_ACCOUNTS,
        .name = "relay",
        TEXT(SYNTAX_ACCOUNT),
        .restart = true,
        .preset = "submitd-relay",
        AT(struct conf_accounts, relay),
        .doc = "Sends." },
    { .section = SECTION_ACCOUNTS,
        .name = "maildrop",
        TEXT(SYNTAX_ACCOUNT),
        .restart = true,
        .preset = "submitd-maildrop",
        AT(struct conf_accounts, maildrop),
        .doc = "Writes into maildir folders." },
    { .section = SECTION_ACCOUNTS,
        .name = "fetch",
        TEXT(SYNTAX_ACCOUNT),
        .restart = true,
        .preset = "submitd-fetch",
        AT(struct conf_accounts, fetch),
        .doc = "Asks others over HTTPS." },

    { .section = SECTION_EXTENSIONS,
        .name = "chunking",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_extensions, chunking),
        .doc = "CHUNKING (RFC 3030): messages in counted chunks." },
    { .section = SECTION_EXTENSIONS,
        .name = "binarymime",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, binarymime),
        .doc =
            "BINARYMIME (RFC 3030): messages with parts that are not lines. Nothing is converted "
            "here, so such a message goes to servers only that list BINARYMIME and CHUNKING, and "
            "comes back from all others with 5.6.3. Offered with chunking only." },
    { .section = SECTION_EXTENSIONS,
        .name = "smtputf8",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_extensions, smtputf8),
        .doc = "SMTPUTF8 (RFC 6531): addresses and header fields beyond ASCII." },
    { .section = SECTION_EXTENSIONS,
        .name = "dsn",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_extensions, dsn),
        .doc = "DSN (RFC 3461): senders say of what they want to be notified." },
    { .section = SECTION_EXTENSIONS,
        .name = "limits",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_extensions, limits),
        .doc = "LIMITS (RFC 9422): how many messages and recipients are taken." },
    { .section = SECTION_EXTENSIONS,
        .name = "deliverby",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, deliverby),
        .doc = "DELIVERBY (RFC 2852): the time by which mail is to be delivered. It is kept and "
               "passed on. Mail that is to be returned rather than late goes only to servers that "
               "know it, and none is tried behind its time." },
    { .section = SECTION_EXTENSIONS,
        .name = "deliverby_least",
        SECONDS(0, DAY),
        .preset = "60",
        AT(struct conf_extensions, deliverby_least),
        .doc = "The shortest time by which mail may have to be delivered or else returned." },
    { .section = SECTION_EXTENSIONS,
        .name = "futurerelease",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_extensions, futurerelease),
        .doc = "FUTURERELEASE (RFC 4865): mail that is held until a later time. Under TLS only." },
    { .section = SECTION_EXTENSIONS,
        .name = "futurerelease_most",
        SECONDS(60, YEAR),
        .preset = "2592000",
        AT(struct conf_extensions, futurerelease_most),
        .doc = "So long mail may be held." },
    { .section = SECTION_EXTENSIONS,
        .name = "futurerelease_messages",
        COUNT(0, 1000000),
        .preset = "1000",
        AT(struct conf_extensions, futurerelease_messages),
        .doc = "So many messages may be held for one user at a time; further ones are refused at "
               "MAIL. Clients that have not logged in count as one user. 0: no limit." },
    { .section = SECTION_EXTENSIONS,
        .name = "futurerelease_octets",
        OCTETS(0, (int64_t)1048576 * MIB),
        .preset = "524288000",
        AT(struct conf_extensions, futurerelease_octets),
        .doc = "And so much. What comes in while it is asked counts from its end of data on, so as "
               "many messages as the user has connections may go beyond. 0: no limit." },
    { .section = SECTION_EXTENSIONS,
        .name = "requiretls",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, requiretls),
        .doc = "REQUIRETLS (RFC 8689): mail that is to go by TLS only. It is kept and passed on to "
               "servers that know it; that others get no such mail is not seen to yet. Under TLS "
               "only." },
    { .section = SECTION_EXTENSIONS,
        .name = "mt_priority",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, mt_priority),
        .doc = "MT-PRIORITY (RFC 6710): mail that goes before other mail, in three levels. A lower "
               "level has at least one turn in eighteen." },
    { .section = SECTION_EXTENSIONS,
        .name = "mt_priority_users",
        .kind = OPTION_TEXTS,
        .syntax = SYNTAX_TEXT,
        LIST(struct conf_extensions, mt_priority_users, mt_priority_user_count, struct conf_text, 0,
            OPTION_LIST_MAX),
        .doc = "Users who may raise the priority of their mail. That of others becomes 0." },
    { .section = SECTION_EXTENSIONS,
        .name = "mt_priority_least",
        .kind = OPTION_CHOICE,
        .choices = priorities,
        .preset = "any",
        AT(struct conf_extensions, mt_priority_least),
        .doc =
            "With mt_priority, the lowest level that is taken: \"normal\" from -3 on, which is all "
            "mail that states none, \"urgent\" from 1 on." },
    { .section = SECTION_EXTENSIONS,
        .name = "mt_priority_later",
        .kind = OPTION_BOOL,
        .preset = "true",
        AT(struct conf_extensions, mt_priority_later),
        .doc = "Mail below mt_priority_least is to come again later (450 4.7.15). With false it is "
               "refused for ever (550 5.7.15)." },
    { .section = SECTION_EXTENSIONS,
        .name = "mt_priority_urgent_size",
        OCTETS(0, (int64_t)16384 * MIB),
        .preset = "0",
        AT(struct conf_extensions, mt_priority_urgent_size),
        .doc = "The largest message of a priority above 0. 0: as for other mail." },
    { .section = SECTION_EXTENSIONS,
        .name = "rrvs",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, rrvs),
        .doc =
            "RRVS (RFC 7293): mail for whoever had the address at a time. Passed on to servers "
            "that know it; to others, and into folders, such mail goes only if its sender allows "
            "that." },
    { .section = SECTION_EXTENSIONS,
        .name = "mtrk",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, mtrk),
        .doc = "MTRK (RFC 3885): message tracking. Passed on to servers that know it; questions "
               "are not "
               "answered here." },
    { .section = SECTION_EXTENSIONS,
        .name = "no_soliciting",
        .kind = OPTION_TEXTS,
        .syntax = SYNTAX_CLASS,
        LIST(struct conf_extensions, no_soliciting, no_soliciting_count, struct conf_text, 0, 16),
        .doc =
            "NO-SOLICITING (RFC 3865): classes of mail that are not taken. Empty: not offered." },
    { .section = SECTION_EXTENSIONS,
        .name = "conperm",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, conperm),
        .doc =
            "CONPERM (RFC 4141): mail that may be converted. Nothing is converted here, so it goes "
            "to servers only that know this." },
    { .section = SECTION_EXTENSIONS,
        .name = "conneg",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, conneg),
        .doc =
            "CONNEG (RFC 4141): what a recipient's device can show. Of none it is known here, so "
            "the parameter is refused." },
    { .section = SECTION_EXTENSIONS,
        .name = "checkpoint",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, checkpoint),
        .doc = "CHECKPOINT (RFC 1845): a message whose connection is cut can go on later where it "
               "was. What has come of it is kept for 48 hours, 16 such messages for a user." },
    { .section = SECTION_EXTENSIONS,
        .name = "burl",
        .kind = OPTION_BOOL,
        AT(struct conf_extensions, burl),
        .doc = "BURL (RFC 4468): content that a URL names is fetched from an IMAP server. Needs an "
               "imap_server. Offered under TLS only." },
    { .section = SECTION_EXTENSIONS,
        .name = "burl_timeout",
        SECONDS(1, HOUR),
        .preset = "120",
        AT(struct conf_extensions, burl_timeout),
        .doc = "Wait for all that a URL names." },
};
const size_t option_count = LENGTH_OF(options);

struct option_range option_range(enum section_id section)
{
    struct option_range range = { 0, 0 };

    while (range.first < option_count && options[range.first].section != section)
        range.first++;
    while (range.first + range.count < option_count &&
           options[range.first + range.count].section == section)
        range.count++;
    return range;
}

const struct option *option_find(enum section_id section, struct slice name)
{
    struct option_range range = option_range(section);

    for (size_t i = 0; i < range.count; i++)
        if (slice_is(name, options[range.first + i].name))
            return &options[range.first + i];
    return NULL;
}

enum section_id section_find(enum section_id parent, struct slice name)
{
    for (size_t i = 1; i < SECTION_COUNT; i++)
        if (sections[i].parent == parent && slice_is(name, sections[i].name))
            return (enum section_id)i;
    return SECTION_TOP;
}

/* Levenshtein's distance; both at most NAME_MAX_LEN octets. */
enum { NAME_MAX_LEN = 40 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

static size_t distance(struct slice a, struct slice b)
{
    size_t row[NAME_MAX_LEN + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            bool same = ascii_lower(a.data[i - 1]) == ascii_lower(b.data[j - 1]);
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (same ? 0 : 1));
            diagonal = above;
        }
    }
    return row[b.len];
}

static void consider(const char *candidate, struct slice name, size_t *best, const char **nearest)
{
    size_t far = distance(slice_text(candidate), name);

    if (far < *best) {
        *best = far;
        *nearest = candidate;
    }
}

const char *option_nearest(enum section_id section, struct slice name)
{
    struct option_range range = option_range(section);
    size_t best = 1 + (name.len < 4 ? 1 : name.len < 9 ? 2 : 3);
    const char *nearest = NULL;

    if (name.len > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < range.count; i++)
        consider(options[range.first + i].name, name, &best, &nearest);
    for (size_t i = 1; i < SECTION_COUNT; i++)
        if (sections[i].parent == section)
            consider(sections[i].name, name, &best, &nearest);
    return nearest;
}

bool option_is_list(const struct option *option)
{
    return option->kind == OPTION_NUMBERS || option->kind == OPTION_TEXTS ||
           option->kind == OPTION_LATERS;
}
