/* Each way in which a configuration can be wrong, with the message for it: file, line, what was
 * found, what is allowed (OPS-1). The same texts are cut at every octet and must never be taken for
 * good before their end. */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct error_case {
    const char *name;
    const char *text;
    const char *said; /* the whole message behind "submitd.conf:" */
};

#define FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define WITH(line)  SAMPLE line "\n"

static const struct error_case cases[] = {
    /* What libconfuse lets through. */
    { "OPS-1 unclosed section", "hostname = \"a.example\"\nlimits {\nconnections = 5\n",
        "2: the section limits opened here is never closed; allowed is }" },
    { "OPS-1 unclosed titled section", "listener \"a\" {\n",
        "1: the section listener \"a\" opened here is never closed; allowed is }" },
    { "OPS-1 unclosed inner section", "tls {\nsni \"a.example\" {\n}\n",
        "1: the section tls opened here is never closed; allowed is }" },
    { "OPS-1 brace too many", "hostname = \"a.example\"\n}\n",
        "2: found \"}\", but no section is open" },
    /* Access tokens (SASL-11): one way to know which are good, with all that it needs. */
    { "SASL-11 two ways",
        WITH("auth { oauth_jwks = \"/j\" oauth_jwks_uri = \"https://id.example/\" oauth_issuer = "
             "\"i\" oauth_audience = \"a\" }"),
        "7: allowed is one of oauth_jwks, oauth_jwks_uri and oauth_introspection" },
    { "SASL-11 keys for any audience", WITH("auth { oauth_jwks = \"/j\" oauth_issuer = \"i\" }"),
        "7: oauth_jwks needs oauth_issuer and oauth_audience" },
    { "SASL-11 keys of any issuer",
        WITH("auth { oauth_jwks_uri = \"https://id.example/\" oauth_audience = \"a\" }"),
        "7: oauth_jwks_uri needs oauth_issuer and oauth_audience" },
    { "SASL-11 asking as nobody",
        WITH("auth { oauth_introspection = \"https://id.example/\" oauth_client_id = \"c\" }"),
        "7: oauth_introspection needs oauth_client_id and oauth_client_secret_file" },
    { "SASL-11 somebody who asks nobody", WITH("auth { oauth_client_id = \"c\" }"),
        "7: oauth_client_id and oauth_client_secret_file say nothing without "
        "oauth_introspection" },
    { "SASL-11 trusted, but not asked", WITH("auth { oauth_ca_file = \"/ca\" }"),
        "7: oauth_ca_file says nothing without oauth_jwks_uri or oauth_introspection" },
    { "SASL-11 in the clear", WITH("auth { oauth_jwks_uri = \"http://id.example/\" }"),
        "7: oauth_jwks_uri is \"http://id.example/\"; allowed is an address such as "
        "\"https://id.example.org/keys\", without user and fragment" },
    { "OPS-1 scalar twice", "gates = 1\n\ngates = 2\n",
        "3: gates is set a second time, the first is in line 1; allowed is one" },
    { "OPS-1 list twice", "queue { retry = { 1 }\nretry = { 2 } }\n",
        "2: retry is set a second time, the first is in line 1; allowed is one" },
    { "OPS-1 empty list, then a full one",
        "trusted_networks = { }\ntrusted_networks = { \"10.0.0.0/8\" }",
        "2: trusted_networks is set a second time, the first is in line 1; allowed is one" },
    { "OPS-1 section twice", "limits { }\nlimits { }\n",
        "2: limits stands here a second time, the first is in line 1; allowed is one" },
    { "OPS-1 title twice", "route \"*\" { via = \"mx\" }\nroute \"*\" { via = \"mx\" }\n",
        "2: route \"*\" stands here a second time, the first is in line 1; allowed is one" },
    { "OPS-1 title twice, other case",
        "route \"a.example\" { via = \"mx\" }\nroute \"A.Example\" { via = \"mx\" }\n",
        "2: route \"A.Example\" stands here a second time, the first is in line 1; allowed is "
        "one" },
    { "OPS-1 environment in a text", "state = \"/${HOME}\"\n",
        "1: found \"${\" in a text; the environment is not read, write the value itself" },
    { "OPS-1 environment in a text, unclosed", "state = \"/${HOME\"\n",
        "1: found \"${\" in a text; the environment is not read, write the value itself" },
    { "OPS-1 environment outside a text", "gates = ${GATES}\n",
        "1: found \"$\"; the environment is not read" },
    { "OPS-1 append", "queue { retry += { 5 } }\n",
        "1: found \"+\"; a list is written whole, as NAME = { VALUE, VALUE }" },
    { "OPS-1 list without braces", "trusted_networks = \"10.0.0.0/8\"\n",
        "1: found \"10.0.0.0/8\" after trusted_networks =; allowed is a list such as { VALUE, "
        "VALUE }" },
    { "OPS-1 trailing comma", "queue { retry = { 5, } }\n",
        "1: found \"}\" after a comma; allowed is a further value" },
    { "OPS-1 path through sections", "\"limits|connections\" = 5\n",
        "1: found \"limits|connections\" after the last setting; allowed is a setting's name, "
        "without quotes" },
    { "OPS-1 unclosed text", "hostname = \"mail.example.org\nstate = \"/x\"\n",
        "1: the text opened here is not closed in its line; allowed is a closing double quote" },
    { "OPS-1 unclosed text at the end", "\n\nhostname = \"mail",
        "3: the text opened here is not closed in its line; allowed is a closing double quote" },
    { "OPS-1 unclosed comment", "/* a\nb\n",
        "1: the comment opened here is never closed; allowed is */" },
    { "OPS-1 comment of three octets", "/*/",
        "1: the comment opened here is never closed; allowed is */" },
    { "OPS-1 octal number", "gates = 010\n",
        "1: gates is \"010\"; allowed is a number from 0 to 256" },
    { "OPS-1 hexadecimal number", "gates = 0x10\n",
        "1: gates is \"0x10\"; allowed is a number from 0 to 256" },
    { "OPS-1 escape", "state = \"/a\\tb\"\n",
        "1: found a backslash in a text; allowed are \\\\ and \\\" only" },
    { "OPS-1 control octet in a text", "state = \"/a\tb\"\n",
        "1: found the octet 0x09 in a text; control characters are not allowed" },
    { "OPS-1 single quotes", "state = '/x'\n",
        "1: found a single quote; text stands in double quotes" },
    { "OPS-1 include", "include(\"other.conf\")\n",
        "1: found \"include\"; the configuration is one file, nothing is included" },
    { "TLS-16 fingerprint", WITH("certificate \"a@example.org\" {\n sha256 = { \"ab:cd\" } }"),
        "8: sha256 is \"ab:cd\"; allowed is 64 hexadecimal digits, perhaps with colons "
        "between each two" },
    { "TLS-16 fingerprint of two",
        WITH("certificate \"a@example.org\" { sha256 = { \"" FINGERPRINT "\" } }\n"
             "certificate \"b@example.org\" { sha256 = { \"" FINGERPRINT "\" } }"),
        "8: a fingerprint of \"b@example.org\" is one of \"a@example.org\", too" },
    { "OPS-1 trailing garbage", WITH("garbage"),
        "7: unknown name \"garbage\" in the file; allowed are hostname, state, control, "
        "postmaster, gates, relays, "
        "trusted_networks, trusted_senders, allow_address_literals, strict_envelope, "
        "postmaster_unauth, hide_client, "
        "log, listener, tls, users, "
        "auth, certificate, domain, route, imap_server, queue, limits, spool, timeouts, dns, "
        "accounts, "
        "extensions" },
    { "OPS-1 octet outside a text", "h\xc3\xb6st = 1\n",
        "1: unknown name \"h\" in the file; allowed are hostname, state, control, postmaster, "
        "gates, relays, "
        "trusted_networks, trusted_senders, allow_address_literals, strict_envelope, "
        "postmaster_unauth, hide_client, "
        "log, listener, tls, users, "
        "auth, certificate, domain, route, imap_server, queue, limits, spool, timeouts, dns, "
        "accounts, "
        "extensions" },
    { "OPS-1 path without quotes", "state = /var/lib\n",
        "1: found \"/\"; text with other characters than letters, digits, '_', '.', ':' and '-' "
        "stands in double quotes" },
    { "OPS-1 semicolon", "gates = 1;\n",
        "1: found \";\"; nothing stands between two settings but blanks or a new line" },

    /* Names. */
    { "OPS-1 misspelt setting", "hostnme = \"mail.example.org\"\n",
        "1: unknown name \"hostnme\" in the file; did you mean \"hostname\"?" },
    { "OPS-1 misspelt section", "listner \"a\" { }\n",
        "1: unknown name \"listner\" in the file; did you mean \"listener\"?" },
    { "OPS-1 other case", "Hostname = \"mail.example.org\"\n",
        "1: unknown name \"Hostname\" in the file; did you mean \"hostname\"?" },
    { "OPS-1 misspelt within a section", "limits {\n  conections = 5\n}\n",
        "2: unknown name \"conections\" in limits; did you mean \"connections\"?" },
    { "OPS-1 setting of another section", "lifetime = 5\n",
        "1: unknown name \"lifetime\" in the file; it belongs into the section queue" },
    { "OPS-1 setting of the top", "tls { hostname = \"a.example\" }\n",
        "1: unknown name \"hostname\" in tls; it belongs outside every section" },
    { "OPS-1 unknown in a titled section", "users \"file\" { colour = 1 }\n",
        "1: unknown name \"colour\" in users \"file\"; allowed are path" },
    { "OPS-1 control characters are shown escaped", "route \"a\x1b[2J\" { }\n",
        "1: found the octet 0x1b in a text; control characters are not allowed" },

    /* Structure. */
    { "OPS-1 no equals sign", "hostname \"a.example\"\n",
        "1: found \"a.example\" after hostname; allowed is = and a value" },
    { "OPS-1 no value", "hostname =\n", "2: the file ends after hostname =; allowed is one value" },
    { "OPS-1 list for one value", "gates = { 1 }\n",
        "1: found \"{\" after gates =; allowed is one value" },
    { "OPS-1 section as a setting", "limits = 5\n", "1: found \"=\" after limits; allowed is {" },
    { "OPS-1 no title", "listener { }\n",
        "1: found \"{\" after listener; allowed is a name in double quotes" },
    { "OPS-1 title too many", "limits \"a\" { }\n", "1: found \"a\" after limits; allowed is {" },
    { "OPS-1 no comma", "queue { retry = { 5 6 } }\n",
        "1: found \"6\" after retry; allowed is a comma or the } that closes the list" },
    { "OPS-1 bad title", "listener \"a b\" { }\n",
        "1: the name of a listener is \"a b\"; allowed is a word of at most 63 "
        "letters, digits, '_', '-' and '.'" },
    { "OPS-1 bad pattern", "route \"*example.org\" { }\n",
        "1: the pattern of a route is \"*example.org\"; allowed is a domain, "
        "\"*.example.org\" for what lies below it, or \"*\"" },

    /* Types and ranges: one below, one above. */
    { "OPS-1 text for a number", "gates = \"many\"\n",
        "1: gates is \"many\"; allowed is a number from 0 to 256" },
    { "OPS-1 negative number", "gates = -1\n",
        "1: gates is \"-1\"; allowed is a number from 0 to 256" },
    { "OPS-1 one above", "gates = 257\n",
        "1: gates is \"257\"; allowed is a number from 0 to 256" },
    { "OPS-1 one below", "limits { recipients = 99 }\n",
        "1: recipients is \"99\"; allowed is a number from 100 to 4096" },
    { "OPS-1 far above", "gates = 99999999999999999999\n",
        "1: gates is \"99999999999999999999\"; allowed is a number from 0 to 256" },
    { "OPS-1 unit in the message", "queue { lifetime = 0 }\n",
        "1: lifetime is \"0\"; allowed is a number from 1 to 31536000 seconds" },
    { "OPS-1 no boolean", "hide_client = maybe\n",
        "1: hide_client is \"maybe\"; allowed is true or false" },
    { "OPS-1 no such choice", "route \"*\" {\n\n via = \"uucp\" }\n",
        "3: via is \"uucp\"; allowed is \"mx\", \"smtp\", \"lmtp\" or \"maildir\"" },
    { "OPS-1 line behind a block comment", "/* a\nb */ gates = 1\n/* c */ relays = x\n",
        "3: relays is \"x\"; allowed is a number from 0 to 64" },
    { "OPS-1 line within a list", "queue { retry = {\n5,\nsoon } }\n",
        "3: retry is \"soon\"; allowed is a number from 1 to 2592000 seconds" },
    { "OPS-1 empty list where one is needed", "queue {\nretry = { } }\n",
        "2: retry has 0 values; allowed are 1 to 64" },
    { "OPS-1 host name of one label", "hostname = \"localhost\"\n",
        "1: hostname is \"localhost\"; allowed is a full host name such as \"mail.example.org\"" },
    { "OPS-1 host name that is an address", "hostname = \"192.0.2.1\"\n",
        "1: hostname is \"192.0.2.1\"; allowed is a full host name such as \"mail.example.org\"" },
    { "OPS-1 relative path", "state = \"var\"\n",
        "1: state is \"var\"; allowed is a path that begins with /" },
    { "OPS-1 listener by name", "listener \"a\" { address = \"localhost:465\" }\n",
        "1: address is \"localhost:465\"; allowed is an IP address and a port such as \"[::]:465\" "
        "or \"127.0.0.1:587\"" },
    { "OPS-1 listener without port", "listener \"a\" { address = \"[::]\" }\n",
        "1: address is \"[::]\"; allowed is an IP address and a port such as \"[::]:465\" or "
        "\"127.0.0.1:587\"" },

    /* What is required. */
    { "OPS-1 empty file", "", "1: hostname is missing; it is required" },
    { "OPS-1 only comments", "# nothing\n", "2: hostname is missing; it is required" },
    { "OPS-1 no state", "hostname = \"mail.example.org\"\n",
        "2: state is missing; it is required" },
    { "OPS-1 no listener", SAMPLE_TOP SAMPLE_TLS SAMPLE_USERS SAMPLE_ROUTE,
        "6: no listener; at least one is required, such as listener \"submissions\" { address = "
        "\"[::]:465\" tls = "
        "\"implicit\" }" },
    { "OPS-1 no route", SAMPLE_TOP SAMPLE_LISTENER SAMPLE_TLS SAMPLE_USERS,
        "6: no route; at least one is required, such as route \"*\" { via = \"mx\" }" },
    { "OPS-1 nobody may submit", SAMPLE_TOP SAMPLE_LISTENER SAMPLE_TLS SAMPLE_ROUTE,
        "6: nobody may submit; allowed are a section users \"file\" { path = ... } and "
        "trusted_networks" },
    { "TLS-8 listener without certificate", SAMPLE_TOP SAMPLE_LISTENER SAMPLE_USERS SAMPLE_ROUTE,
        "3: listener \"submissions\" needs a certificate; allowed is a section tls { certificate = "
        "... key = ... }, or "
        "require_tls = false with tls = \"starttls\"" },
    { "OPS-1 listener without address", WITH("listener \"b\" { tls = \"implicit\" }"),
        "7: listener address is missing; it is required" },
    { "OPS-1 listener without tls", WITH("listener \"b\" {\n address = \"[::]:587\" }"),
        "7: listener tls is missing; it is required" },
    { "OPS-1 certificate without key", "tls { certificate = \"/c\" }\n" SAMPLE_TOP,
        "1: tls key is missing; it is required" },
    { "OPS-1 sni without key",
        SAMPLE_TOP
        "tls { certificate = \"/c\" key = \"/k\"\nsni \"a.example\" { certificate = \"/d\" } }\n",
        "4: sni key is missing; it is required" },
    { "OPS-1 route without via", SAMPLE_TOP "route \"*\" { }\n",
        "3: route via is missing; it is required" },

    /* What does not go together. */
    { "OPS-1 same address twice",
        WITH("listener \"b\" { address = \"[::]:465\" tls = \"implicit\" }"),
        "7: listener \"b\" has the address of listener \"submissions\"" },
    { "TLS-8 implicit TLS that is not required",
        WITH("listener \"b\" { address = \"[::]:466\" tls = \"implicit\"\nrequire_tls = false }"),
        "8: require_tls = false says nothing where TLS begins at once; allowed with tls = "
        "\"starttls\"" },
    { "OPS-1 unknown kind of users",
        SAMPLE_TOP SAMPLE_LISTENER SAMPLE_TLS SAMPLE_ROUTE "users \"ldap\" { path = \"/u\" }\n",
        "6: there is no kind of users \"ldap\" in this version; allowed is \"file\"" },
    { "OPS-1 to with mx", WITH("route \"a.example\" { via = \"mx\"\nto = \"b.example\" }"),
        "8: to says nothing on a route via \"mx\"; allowed is to leave it out" },
    { "OPS-1 smtp without to", WITH("route \"a.example\" { via = \"smtp\" }"),
        "7: route to is missing; a route via \"smtp\" needs it" },
    { "OPS-1 smtp to a folder", WITH("route \"a.example\" { via = \"smtp\" to = \"/var/mail\" }"),
        "7: to is \"/var/mail\"; allowed via \"smtp\" is \"host\" or \"host:port\"" },
    { "OPS-1 maildir to a host",
        WITH("route \"a.example\" { via = \"maildir\" to = \"b.example\" }"),
        "7: to is \"b.example\"; allowed via \"maildir\" is a folder, as a path that begins with "
        "/" },
    { "OPS-1 lmtp to a folder", WITH("route \"a.example\" { via = \"lmtp\" to = \"/run/lmtp\" }"),
        "7: to is \"/run/lmtp\"; allowed via \"lmtp\" is \"unix:/path\", \"host\" or "
        "\"host:port\"" },
    { "OPS-1 TLS on a unix socket",
        WITH("route \"a.example\" { via = \"lmtp\" to = \"unix:/l\"\ntls = \"verify\" }"),
        "8: there is no TLS on a unix socket; allowed is tls = \"none\"" },
    { "OUT-19 password in clear text",
        WITH("route \"a.example\" { via = \"smtp\" to = \"b.example\" username = \"u\" "
             "password_file = \"/p\"\ntls = \"may\" }"),
        "8: a password would be sent to a server that is not verified; allowed with username is "
        "tls = \"verify\"" },
    { "OUT-19 password to a server that MX records name",
        WITH("route \"a.example\" { via = \"smtp\" to = \"b.example\" mx = true username = \"u\" "
             "password_file = \"/p\" }"),
        "7: a name that comes from MX records cannot be verified in this version; \"verify\" is "
        "allowed with a fixed host" },
    { "OPS-1 user without password",
        WITH("route \"a.example\" { via = \"smtp\" to = \"b.example\"\nusername = \"u\" }"),
        "8: username without password_file; allowed are both or none" },
    { "OPS-1 trust anchors for nothing",
        WITH("route \"a.example\" { via = \"smtp\" to = \"b.example\"\nca_file = \"/ca.pem\" }"),
        "8: ca_file says nothing without tls = \"verify\"" },
    { "EXT-BURL-6 BURL without a server", WITH("extensions {\nburl = true }"),
        "8: burl needs a server to fetch from; required is a section imap_server \"host\" { "
        "password_file = ... }" },
    { "EXT-BURL-3 no password", WITH("imap_server \"imap.example\" { }"),
        "7: imap_server password_file is missing; it is required" },
    { "EXT-BURL-3 no user", WITH("imap_server \"i\" { password_file = \"/p\"\nusername = \"\" }"),
        "8: username is \"\"; allowed is text that is not empty" },
    { "EXT-BURL-6 no host", WITH("imap_server \"imap://i\" { password_file = \"/p\" }"),
        "7: the name of a imap_server is \"imap://i\"; allowed is a host such as "
        "\"imap.example.org\", or "
        "host:port" },
    { "EXT-BURL-6 one server twice",
        WITH("imap_server \"i.example\" { password_file = \"/p\" }\n"
             "imap_server \"I.example:143\" { password_file = \"/p\" }"),
        "8: imap_server \"I.example:143\" is imap_server \"i.example\", too" },
    { "EXT-BURL-6 a socket", WITH("imap_server \"i\" { password_file = \"/p\"\nto = \"unix:/s\" }"),
        "8: to is \"unix:/s\"; allowed is \"host\" or \"host:port\"" },
    { "EXT-BURL-6 no TLS", WITH("imap_server \"i\" { password_file = \"/p\"\ntls = \"none\" }"),
        "8: tls is \"none\"; allowed is \"implicit\" or \"starttls\"" },
    { "SUB-3.3-2 the whole Internet trusted", WITH("trusted_networks = { \"0.0.0.0/0\" }"),
        "7: trusted_networks: \"0.0.0.0/0\" would let a good part of the Internet send through "
        "this server; allowed are IPv4 "
        "networks from /8 and IPv6 networks from /7" },
    { "SUB-3.3-2 half of it", WITH("trusted_networks = { \"10.0.0.0/8\",\n\"128.0.0.0/1\" }"),
        "7: trusted_networks: \"128.0.0.0/1\" would let a good part of the Internet send through "
        "this server; allowed are IPv4 "
        "networks from /8 and IPv6 networks from /7" },
    { "SUB-3.3-2 all of IPv4 as IPv6", WITH("trusted_networks = { \"::ffff:0:0/96\" }"),
        "7: trusted_networks: \"::ffff:0:0/96\" would let a good part of the Internet send through "
        "this server; allowed are IPv4 "
        "networks from /8 and IPv6 networks from /7" },
    { "SUB-3.3-2 the IPv6 Internet", WITH("trusted_networks = { \"::/0\" }"),
        "7: trusted_networks: \"::/0\" would let a good part of the Internet send through this "
        "server; allowed are IPv4 "
        "networks from /8 and IPv6 networks from /7" },
    { "SUB-3.3-2 bits behind the prefix", WITH("trusted_networks = { \"192.0.2.1/24\" }"),
        "7: trusted_networks is \"192.0.2.1/24\"; allowed is an IP network such as "
        "\"192.0.2.0/24\" or \"2001:db8::/32\", with "
        "no bit set behind the prefix" },
    { "SUB-3.3-2 senders of nobody", WITH("trusted_senders = { \"*@example.org\" }"),
        "7: trusted_senders says nothing without trusted_networks" },
    { "OPS-1 concurrency", WITH("queue { concurrency = 5\ndestination_concurrency = 6 }"),
        "8: destination_concurrency is 6, above concurrency, which is 5; allowed is at most that" },
    { "OPS-1 message larger than a segment",
        WITH("spool { segment_size = 1048576\nlarge_message = 1048576 }"),
        "8: large_message is 1048576; allowed is at most a quarter of segment_size, which is "
        "1048576" },
    { "OPS-1 root", "accounts { gate = \"root\" }\n",
        "1: gate is \"root\"; allowed is the name or number of a user that is not root" },
    { "OPS-1 root by number", "accounts { gate = 0 }\n",
        "1: gate is \"0\"; allowed is the name or number of a user that is not root" },
    { "OPS-1 two rooms, one user", WITH("accounts {\nvault = \"submitd-gate\" }"),
        "8: gate and vault are both \"submitd-gate\"; allowed are different users" },

    /* What a later version will know. */
    { "OPS-1 signing", WITH("domain \"example.org\" {\ndkim = { \"rsa2026\" } }"),
        "8: dkim is not implemented in this version; allowed is the empty list { } only" },
    { "EXT-NOSOL-1 no class", WITH("extensions { no_soliciting = { \"1a\" } }"),
        "7: no_soliciting is \"1a\"; allowed is a word of letters, digits, '.', '-', '_' and ':' "
        "that "
        "begins with a letter" },
    { "EXT-MTRK-5 without DSN", WITH("extensions { mtrk = true\ndsn = false }"),
        "8: dsn is false and mtrk is true; allowed is mtrk with dsn only" },
    { "OPS-1 unknown extension", WITH("extensions { dsm = true }"),
        "7: unknown name \"dsm\" in extensions; did you mean \"dsn\"?" },
};

static unsigned refused_wrongly;

static void refuse(const char *name, struct slice text, const char *said)
{
    struct conf_error error = { "" };
    struct conf *conf = NULL;
    struct arena arena;
    enum err rc;

    arena_init(&arena, 16 << 20);
    rc = conf_parse("submitd.conf", text, &arena, &conf, &error);
    if (rc != ERR_INVALID || strncmp(error.text, "submitd.conf:", 13) != 0 ||
        strcmp(error.text + 13, said) != 0) {
        print_error("%s: %d\n got %s\nwant submitd.conf:%s\n", name, rc, error.text, said);
        refused_wrongly++;
    }
    assert_null(conf);
    arena_clear(&arena);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        refuse(cases[i].name, slice_text(cases[i].text), cases[i].said);
    assert_int_equal(refused_wrongly, 0);
}

/* A NUL ends nothing and hides nothing (OPS-1). */
static void test_nul(void **state)
{
    static const char outside[] = SAMPLE "\0 garbage {";
    static const char inside[] = "hostname = \"mail.example.org\0.evil\"";
    static const char comment[] = "# \0\nhostnam = 1";

    (void)state;
    refuse("outside", slice_of(outside, sizeof outside - 1),
        "7: found the octet 0x00; outside quotes only printable ASCII is allowed");
    refuse("inside", slice_of(inside, sizeof inside - 1),
        "1: found the octet 0x00 in a text; control characters are not allowed");
    refuse("comment", slice_of(comment, sizeof comment - 1),
        "2: unknown name \"hostnam\" in the file; did you mean \"hostname\"?");
    assert_int_equal(refused_wrongly, 0);
}

/* A file that was cut off is good only where nothing but blanks is missing. */
static void test_cut(void **state)
{
    static const char text[] = SAMPLE;
    size_t last = strlen(text) - 1; /* the line end may be missing */

    (void)state;
    for (size_t len = 0; len <= last; len++) {
        struct conf_error error = { "" };
        struct conf *conf = NULL;
        struct arena arena;
        enum err rc;

        arena_init(&arena, 16 << 20);
        rc = conf_parse("submitd.conf", slice_of(text, len), &arena, &conf, &error);
        assert_int_equal(rc, len == last ? ERR_OK : ERR_INVALID);
        assert_true((rc == ERR_OK) == (error.text[0] == '\0'));
        arena_clear(&arena);
    }
}

static void test_size(void **state)
{
    struct conf_error error = { "" };
    struct conf *conf = NULL;
    struct arena arena;
    char *text = malloc(CONF_FILE_MAX + 1);

    (void)state;
    assert_non_null(text);
    memset(text, '\n', CONF_FILE_MAX + 1);
    memcpy(text, SAMPLE, strlen(SAMPLE));
    arena_init(&arena, 64 << 20);
    assert_int_equal(conf_parse("f", slice_of(text, CONF_FILE_MAX), &arena, &conf, &error), ERR_OK);
    conf = NULL;
    assert_int_equal(
        conf_parse("f", slice_of(text, CONF_FILE_MAX + 1), &arena, &conf, &error), ERR_LIMIT);
    assert_string_equal(error.text, "f: the file is 1048577 octets long; allowed are 1048576");
    assert_null(conf);
    arena_clear(&arena);
    free(text);
}

/* Every allocation of the configuration may fail. */
static void test_memory(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= 20480; cap += 512) {
        struct conf_error error = { "" };
        struct conf *conf = NULL;
        struct arena arena;
        enum err rc;

        arena_init(&arena, cap);
        rc = conf_parse(
            "f", slice_text(SAMPLE "trusted_networks = { \"10.0.0.0/8\" }"), &arena, &conf, &error);
        if (rc != ERR_OK) {
            assert_int_equal(rc, ERR_NOMEM);
            assert_string_equal(error.text, "f: out of memory");
        }
        assert_true(cap < 20480 || rc == ERR_OK);
        arena_clear(&arena);
    }
}

static void test_files(void **state)
{
    struct conf_error error = { "" };
    struct conf *conf = NULL;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(conf_load("/nonexistent/submitd.conf", &arena, &conf, &error), ERR_NOTFOUND);
    assert_string_equal(error.text, "/nonexistent/submitd.conf: cannot read the file: not found");
    assert_int_equal(conf_load("/", &arena, &conf, &error), ERR_IO);
    assert_int_equal(conf_load("/dev/zero", &arena, &conf, &error), ERR_IO);
    assert_null(conf);
    arena_clear(&arena);
}

static void test_load(void **state)
{
    char path[] = "/tmp/submitd-conf-XXXXXX";
    struct conf_error error = { "" };
    struct conf *conf = NULL;
    struct arena arena;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, SAMPLE, strlen(SAMPLE)), strlen(SAMPLE));
    close(fd);
    arena_init(&arena, 1 << 20);
    assert_int_equal(conf_load(path, &arena, &conf, &error), ERR_OK);
    assert_true(slice_is(conf->hostname, "mail.example.org"));
    arena_clear(&arena);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_load),
    };

    return cmocka_run_group_tests_name("conf/errors", tests, NULL, NULL);
}
