/* tests/unit/conf/full.h: a configuration that sets everything that can be set. */
#ifndef TESTS_CONF_FULL_H
#define TESTS_CONF_FULL_H

#include "sample.h"

#define FULL_SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FULL_TOP                                                                                   \
    "hostname = \"mail.example.org\"\nstate = \"/srv/state\"\ncontrol = \"/run/c\"\npostmaster = " \
    "\"a@example.org\"\n"                                                                          \
    "gates = 3\nrelays = 2\ntrusted_networks = { \"10.0.0.0/8\", \"2001:db8::/32\" }\n"            \
    "trusted_senders = { \"*@example.org\" }\nallow_address_literals = true\nstrict_envelope = "   \
    "true\npostmaster_unauth = true\nhide_client = true\nlog = \"json\"\n"
#define FULL_LISTENERS                                                                             \
    "listener \"a\" { address = \"127.0.0.1:1465\" tls = \"implicit\" command_timeout = 10 "       \
    "data_timeout = 11 }\n"                                                                        \
    "listener \"b\" { address = \"127.0.0.1:1587\" tls = \"starttls\" require_tls = false }\n"
#define FULL_REST                                                                                  \
    "tls { certificate = \"/c\" key = \"/k\" client_ca = \"/ca\" sni \"a.example\" { certificate " \
    "= \"/c1\" key = "                                                                             \
    "\"/k1\" } }\n"                                                                                \
    "certificate \"a@example.org\" { sha256 = { \"" FULL_SHA256 "\" } }\n"                         \
    "auth { scram_sha_1 = true oauth_introspection = \"https://id.example/i\" oauth_client_id = "  \
    "\"c\" oauth_client_secret_file = \"/s\" oauth_ca_file = \"/ca\" oauth_scope = \"mail\" "      \
    "oauth_issuer = \"i\" oauth_audience = \"a\" oauth_claim = \"sub\" oauth_leeway = 5 }\n"       \
    "users \"file\" { path = \"/u\" }\ndomain \"example.org\" { dkim = { } dkim_check = false }\n" \
    "domain \"example.net\" { }\n"                                                                 \
    "route \"a.example\" { via = \"smtp\" to = \"b.example:26\" username = \"u\" password_file = " \
    "\"/p\" ca_file = \"/ca\""                                                                     \
    " chunking = false }\n"                                                                        \
    "route \"b.example\" { via = \"lmtp\" to = \"unix:/l\" }\nroute \"*.c.example\" { via = "      \
    "\"maildir\" to = \"/m\" }\n"                                                                  \
    "route \"d.example\" { via = \"smtp\" to = \"d.example\" mx = true tls = \"none\" }\n"         \
    "route \"*\" { via = \"mx\" port = 26 tls = \"none\" }\n"                                      \
    "imap_server \"imap.example\" { password_file = \"/ip\" }\n"                                   \
    "imap_server \"[2001:db8::1]:1143\" { to = \"10.0.0.1:144\" tls = \"starttls\" username = "    \
    "\"s\" password_file = \"/iq\" ca_file = \"/ic\" }\n"                                          \
    "queue { retry = { 1, 2 } retry_connect = { 3 } lifetime = 4 bounce_lifetime = 5 "             \
    "delay_notice = 6 dead_host = 7"                                                               \
    " concurrency = 9 destination_concurrency = 8 }\n"                                             \
    "limits { connections = 1 connections_per_client = 2 auth_failures_per_client = 3 "            \
    "auth_failures_per_account = 4"                                                                \
    " message_size = 65536 recipients = 100 mails_per_session = 5 }\n"                             \
    "spool { segment_size = 1048576 large_message = 4096 reserve = 0 checkpoint = 65536 }\n"       \
    "timeouts { connect = 1 greeting = 2 ehlo = 3 tls = 4 auth = 5 mail = 6 rcpt = 7 data = 8 "    \
    "block = 9 end = 10 quit = 11"                                                                 \
    " idle = 0 }\n"                                                                                \
    "dns { trust_anchor = \"/t\" root_hints = \"/r\" forward = { \"127.0.0.1@5300\", \"::1\" } "   \
    "}\n"                                                                                          \
    "accounts { gate = \"g\" vault = \"v\" queue = \"q\" relay = \"r\" maildrop = 1001 fetch = "   \
    "\"f\" }\n"                                                                                    \
    "extensions { chunking = false binarymime = true smtputf8 = false dsn = false limits = false " \
    "deliverby = true deliverby_least = 1 futurerelease = false futurerelease_most = 61 "          \
    "futurerelease_messages = 1 futurerelease_octets = 2 requiretls = true "                       \
    "mt_priority = true mt_priority_users = { \"u\" } mt_priority_least = \"urgent\" "             \
    "mt_priority_later = false mt_priority_urgent_size = 3 rrvs = true mtrk = false "              \
    "no_soliciting = { "                                                                           \
    "\"net.example:ADV\" } conperm = true conneg = true checkpoint = true burl = "       \
    "true burl_timeout = 60 }\n"
#define FULL FULL_TOP FULL_LISTENERS FULL_REST
/* What cannot be set beside something else. */
#define FULL_FILE                                                                                  \
    SAMPLE "auth { oauth_jwks = \"/j\" oauth_issuer = \"i\" oauth_audience = \"a\" }\n"
#define FULL_ADDRESS                                                                               \
    SAMPLE "auth { oauth_jwks_uri = \"https://id.example/k\" oauth_issuer = \"i\" "                \
           "oauth_audience = \"a\" }\nextensions { mtrk = true }\n"

#endif
