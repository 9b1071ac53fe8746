/* conf/check.c: the cross checks of the configuration and the parts that follow from it. Unsafe
 * settings are refused here. */
#include "conf/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

struct checking {
    struct conf *conf;
    const struct scan *scan;
    struct arena *arena;
    struct fault *fault;
};

enum {
    LMTP_PORT = 24,
    SMTP_PORT = 25,
    MAPPED_PREFIX = 96,
    SHORTEST_IPV4 = 8,
    SHORTEST_IPV6 = 7,
    IMAP_PORT = 143,
    IMAPS_PORT = 993
};

/* The line of a setting where it is set, else that of its section. */
static unsigned line_of(const struct scan_section *section, const char *option)
{
    unsigned line = scan_line(section, option);

    return line > 0 ? line : section ? section->line : 0;
}

static enum err check_required(struct checking *c)
{
    for (const struct scan_section *section = c->scan->top; section; section = section->next) {
        struct option_range range = option_range(section->id);
        bool is_top = section->id == SECTION_TOP;

        for (size_t i = 0; i < range.count; i++)
            if (options[range.first + i].required && section->lines[i] == 0)
                return fault_set(c->fault, is_top ? c->scan->last_line : section->line,
                    "%s%s%s is missing; it is required", sections[section->id].name,
                    is_top ? "" : " ", options[range.first + i].name);
    }
    return ERR_OK;
}

static enum err check_names(struct checking *c)
{
    struct conf *conf = c->conf;

    if (conf->control.len == 0) {
        conf->control = arena_printf(c->arena, "%.*s/control.sock", SLICE_ARGS(conf->state));
        if (!conf->control.data)
            return ERR_NOMEM;
        if (conf->control.len > SOCKET_PATH_MAX)
            return fault_set(c->fault, line_of(c->scan->top, "state"),
                "state is too long for a socket in it; set control to a path of at most %d octets",
                SOCKET_PATH_MAX);
    }
    if (conf->postmaster.len == 0)
        conf->postmaster = arena_printf(c->arena, "postmaster@%.*s", SLICE_ARGS(conf->hostname));
    return conf->postmaster.data ? ERR_OK : ERR_NOMEM;
}

static bool is_mapped(const struct conf_network *network)
{
    return network->high == 0 && network->low >> 32 == 0xffff && network->prefix >= MAPPED_PREFIX;
}

/* SUB-3.3-2: a protected network is one that somebody protects. */
static enum err check_networks(struct checking *c)
{
    struct conf *conf = c->conf;
    unsigned line = scan_line(c->scan->top, "trusted_networks");

    for (size_t i = 0; i < conf->trusted_network_count; i++) {
        struct conf_network *network = &conf->trusted_networks[i];
        bool mapped;

        if (!syntax_network(network->text, network))
            return fault_set(c->fault, line, "trusted_networks: %s is no network",
                fault_word(c->fault, network->text));
        mapped = is_mapped(network);
        if (network->prefix < (mapped ? MAPPED_PREFIX + SHORTEST_IPV4 : SHORTEST_IPV6) ||
            (!mapped && network->high == 0 && network->prefix <= MAPPED_PREFIX))
            return fault_set(c->fault, line,
                "trusted_networks: %s would let a good part of the Internet send through this "
                "server; allowed are IPv4 networks from /%d and IPv6 networks from /%d",
                fault_word(c->fault, network->text), SHORTEST_IPV4, SHORTEST_IPV6);
    }
    if (conf->trusted_network_count == 0 && scan_line(c->scan->top, "trusted_senders") > 0)
        return fault_set(c->fault, scan_line(c->scan->top, "trusted_senders"),
            "trusted_senders says nothing without trusted_networks");
    return ERR_OK;
}

static enum err check_listener(struct checking *c, size_t index)
{
    struct conf_listener *listener = &c->conf->listeners[index];
    const struct scan_section *section = scan_section(c->scan, SECTION_LISTENER, index);

    if (!syntax_endpoint(listener->address, 0, &listener->host, &listener->port))
        return fault_set(c->fault, line_of(section, "address"), "address is malformed");
    if (listener->tls == CONF_LISTENER_IMPLICIT && !listener->require_tls)
        return fault_set(c->fault, line_of(section, "require_tls"),
            "require_tls = false says nothing where TLS begins at once; allowed with tls = "
            "\"starttls\"");
    if (listener->require_tls && c->conf->tls.certificate.len == 0)
        return fault_set(c->fault, section ? section->line : 0,
            "listener %s needs a certificate; allowed is a section tls { certificate = ... key = "
            "... }, or require_tls = "
            "false with tls = \"starttls\"",
            fault_word(c->fault, listener->name));
    for (size_t i = 0; i < index; i++)
        if (slice_equals(c->conf->listeners[i].host, listener->host) &&
            c->conf->listeners[i].port == listener->port)
            return fault_set(c->fault, line_of(section, "address"),
                "listener %s has the address of listener %s", fault_word(c->fault, listener->name),
                fault_word(c->fault, c->conf->listeners[i].name));
    return ERR_OK;
}

static enum err check_listeners(struct checking *c)
{
    enum err rc = ERR_OK;

    if (c->conf->listener_count == 0)
        return fault_set(c->fault, c->scan->last_line,
            "no listener; at least one is required, such as listener \"submissions\" { address = "
            "\"[::]:465\" tls = "
            "\"implicit\" }");
    for (size_t i = 0; i < c->conf->listener_count && rc == ERR_OK; i++)
        rc = check_listener(c, i);
    return rc;
}

static enum err check_users(struct checking *c)
{
    struct conf_users *users = &c->conf->users;
    const struct scan_section *section = scan_section(c->scan, SECTION_USERS, 0);

    if (!section && c->conf->trusted_network_count == 0)
        return fault_set(c->fault, c->scan->last_line,
            "nobody may submit; allowed are a section users \"file\" { path = ... } and "
            "trusted_networks");
    if (section && !slice_is(users->kind, "file"))
        return fault_set(c->fault, section->line,
            "there is no kind of users %s in this version; allowed is \"file\"",
            fault_word(c->fault, users->kind));
    return ERR_OK;
}

/* A key set alone would let in whoever has a token of that service for anything. */
static enum err check_auth(struct checking *c)
{
    const struct conf_auth *auth = &c->conf->auth;
    bool has_file = auth->oauth_jwks.len > 0;
    bool has_address = auth->oauth_jwks_uri.len > 0;
    bool asks = auth->oauth_introspection.len > 0;
    bool has_client = auth->oauth_client_id.len > 0 && auth->oauth_client_secret_file.len > 0;
    bool has_some = auth->oauth_client_id.len > 0 || auth->oauth_client_secret_file.len > 0;
    const struct {
        bool is_wrong;
        const char *why;
    } faults[] = {
        { has_file + has_address + asks > 1,
            "allowed is one of oauth_jwks, oauth_jwks_uri and oauth_introspection" },
        { has_file && (auth->oauth_issuer.len == 0 || auth->oauth_audience.len == 0),
            "oauth_jwks needs oauth_issuer and oauth_audience" },
        { has_address && (auth->oauth_issuer.len == 0 || auth->oauth_audience.len == 0),
            "oauth_jwks_uri needs oauth_issuer and oauth_audience" },
        { asks && !has_client,
            "oauth_introspection needs oauth_client_id and oauth_client_secret_file" },
        { has_some && !asks, "oauth_client_id and oauth_client_secret_file say nothing without "
                             "oauth_introspection" },
        { auth->oauth_ca_file.len > 0 && !has_address && !asks,
            "oauth_ca_file says nothing without oauth_jwks_uri or oauth_introspection" },
    };

    for (size_t i = 0; i < LENGTH_OF(faults); i++)
        if (faults[i].is_wrong)
            return fault_set(
                c->fault, scan_section(c->scan, SECTION_AUTH, 0)->line, "%s", faults[i].why);
    return ERR_OK;
}

struct fingerprint {
    UT_hash_handle hh;
    const struct conf_certificate *owner;
};

/* Whose a fingerprint is already; NULL: nobody's, and now the owner's. */
static const struct conf_certificate *claim(
    struct fingerprint **map, struct fingerprint *fresh, struct slice text)
{
    struct fingerprint *known;

    HASH_FIND(hh, *map, text.data, text.len, known);
    if (!known)
        HASH_ADD_KEYPTR(hh, *map, text.data, text.len, fresh);
    return known ? known->owner : NULL;
}

/* One certificate of two users would be a riddle. */
static enum err check_fingerprints(struct checking *c)
{
    const struct conf *conf = c->conf;
    struct fingerprint *map = NULL, *all, *next;
    enum err rc = ERR_OK;
    size_t count = 0;

    for (size_t i = 0; i < conf->certificate_count; i++)
        count += conf->certificates[i].sha256_count;
    next = all = calloc(count + 1, sizeof *all);
    if (!all)
        return ERR_NOMEM;
    for (size_t i = 0; i < conf->certificate_count && rc == ERR_OK; i++) {
        const struct conf_certificate *own = &conf->certificates[i];
        for (size_t k = 0; k < own->sha256_count && rc == ERR_OK; k++, next++) {
            const struct conf_certificate *other;
            next->owner = own;
            other = claim(&map, next, own->sha256[k].text);
            if (other && other != own)
                rc = fault_set(c->fault, scan_section(c->scan, SECTION_CERTIFICATE, i)->line,
                    "a fingerprint of %s is one of %s, too", fault_word(c->fault, own->login),
                    fault_word(c->fault, other->login));
        }
    }
    HASH_CLEAR(hh, map);
    free(all);
    return rc;
}

static enum err check_certificates(struct checking *c)
{
    const struct conf *conf = c->conf;
    enum err rc = check_fingerprints(c);

    if (rc == ERR_OK && conf->certificate_count > 0 && conf->tls.certificate.len == 0)
        return fault_set(c->fault, scan_section(c->scan, SECTION_CERTIFICATE, 0)->line,
            "certificate says nothing without a section tls");
    return rc;
}

#define VIA(kind) (1u << CONF_VIA_##kind)

/* Which settings mean something for which kind of route. */
static const struct {
    const char *option;
    unsigned vias;
} route_options[] = {
    { "to", VIA(SMTP) | VIA(LMTP) | VIA(MAILDIR) },
    { "port", VIA(MX) },
    { "mx", VIA(SMTP) },
    { "tls", VIA(MX) | VIA(SMTP) | VIA(LMTP) },
    { "ca_file", VIA(SMTP) | VIA(LMTP) },
    { "username", VIA(SMTP) },
    { "password_file", VIA(SMTP) },
    { "chunking", VIA(MX) | VIA(SMTP) | VIA(LMTP) },
};

static const char *const via_names[] = { "mx", "smtp", "lmtp", "maildir" };

static enum err check_route_options(
    struct checking *c, const struct conf_route *route, const struct scan_section *section)
{
    for (size_t i = 0; i < LENGTH_OF(route_options); i++) {
        unsigned line = scan_line(section, route_options[i].option);
        if (line > 0 && !(route_options[i].vias & 1u << route->via))
            return fault_set(c->fault, line,
                "%s says nothing on a route via \"%s\"; allowed is to leave it out",
                route_options[i].option, via_names[route->via]);
    }
    if (route->via != CONF_VIA_MX && route->to.len == 0)
        return fault_set(c->fault, section->line,
            "route to is missing; a route via \"%s\" needs it", via_names[route->via]);
    return ERR_OK;
}

/* Takes `to` apart. */
static enum err check_route_to(
    struct checking *c, struct conf_route *route, const struct scan_section *section)
{
    static const char *const allowed[] = {
        [CONF_VIA_SMTP] = "\"host\" or \"host:port\"",
        [CONF_VIA_LMTP] = "\"unix:/path\", \"host\" or \"host:port\"",
        [CONF_VIA_MAILDIR] = "a folder, as a path that begins with /",
    };
    bool is_unix = slice_starts_nocase(route->to, "unix:");
    bool is_path = route->to.len > 0 && route->to.data[0] == '/';
    bool fits = true;

    switch (route->via) {
    case CONF_VIA_MX:
        if (scan_line(section, "port") == 0)
            route->port = SMTP_PORT;
        return ERR_OK;
    case CONF_VIA_MAILDIR:
        fits = is_path;
        route->path = route->to;
        break;
    case CONF_VIA_LMTP:
        if (is_unix)
            route->path = slice_from(route->to, 5);
        else
            fits = syntax_endpoint(route->to, LMTP_PORT, &route->host, &route->port);
        break;
    case CONF_VIA_SMTP:
        fits = !is_unix && syntax_endpoint(route->to, SMTP_PORT, &route->host, &route->port);
        break;
    }
    if (!fits)
        return fault_set(c->fault, line_of(section, "to"), "to is %s; allowed via \"%s\" is %s",
            fault_word(c->fault, route->to), via_names[route->via], allowed[route->via]);
    return ERR_OK;
}

static enum err check_route_login(
    struct checking *c, struct conf_route *route, const struct scan_section *section)
{
    bool name = route->username.len > 0;
    bool password = route->password_file.len > 0;

    if (name != password)
        return fault_set(c->fault, line_of(section, name ? "username" : "password_file"),
            "%s without %s; allowed are both or none", name ? "username" : "password_file",
            name ? "password_file" : "username");
    if (name && scan_line(section, "tls") > 0 && route->tls != CONF_TLS_VERIFY)
        return fault_set(c->fault, scan_line(section, "tls"),
            "a password would be sent to a server that is not verified; allowed with username is "
            "tls = \"verify\"");
    if (name)
        route->tls = CONF_TLS_VERIFY;
    return ERR_OK;
}

static enum err check_route_tls(
    struct checking *c, struct conf_route *route, const struct scan_section *section)
{
    unsigned line = line_of(section, "tls");

    if (scan_line(section, "tls") == 0 && route->username.len == 0)
        route->tls =
            route->via == CONF_VIA_MX || route->via == CONF_VIA_SMTP ? CONF_TLS_MAY : CONF_TLS_NONE;
    if (route->via == CONF_VIA_LMTP && route->path.len > 0 && route->tls != CONF_TLS_NONE)
        return fault_set(
            c->fault, line, "there is no TLS on a unix socket; allowed is tls = \"none\"");
    if (route->tls == CONF_TLS_VERIFY && (route->via == CONF_VIA_MX || route->mx))
        return fault_set(c->fault, line,
            "a name that comes from MX records cannot be verified in this version; \"verify\" is "
            "allowed with a fixed host");
    if (route->tls != CONF_TLS_VERIFY && route->ca_file.len > 0)
        return fault_set(c->fault, scan_line(section, "ca_file"),
            "ca_file says nothing without tls = \"verify\"");
    if (route->mx && syntax_is_ip(route->host))
        return fault_set(
            c->fault, line_of(section, "mx"), "mx = true needs a domain in to, not an IP address");
    return ERR_OK;
}

static enum err check_route(struct checking *c, size_t index)
{
    struct conf_route *route = &c->conf->routes[index];
    const struct scan_section *section = scan_section(c->scan, SECTION_ROUTE, index);
    enum err rc = check_route_options(c, route, section);

    if (rc == ERR_OK)
        rc = check_route_to(c, route, section);
    if (rc == ERR_OK)
        rc = check_route_login(c, route, section);
    if (rc == ERR_OK)
        rc = check_route_tls(c, route, section);
    return rc;
}

static enum err check_routes(struct checking *c)
{
    enum err rc = ERR_OK;

    if (c->conf->route_count == 0)
        return fault_set(c->fault, c->scan->last_line,
            "no route; at least one is required, such as route \"*\" { via = \"mx\" }");
    for (size_t i = 0; i < c->conf->route_count && rc == ERR_OK; i++)
        rc = check_route(c, i);
    return rc;
}

/* EXT-BURL-6: what URLs name, what is called, under which name it is known. */
static enum err check_imap_server(struct checking *c, size_t index)
{
    struct conf_imap_server *server = &c->conf->imap_servers[index];
    const struct scan_section *section = scan_section(c->scan, SECTION_IMAP_SERVER, index);
    uint16_t port = server->tls == CONF_IMAP_IMPLICIT ? IMAPS_PORT : IMAP_PORT;

    if (!syntax_endpoint(server->name, IMAP_PORT, &server->url_host, &server->url_port))
        return fault_set(c->fault, section->line, "%s is no host or host:port",
            fault_word(c->fault, server->name));
    server->host = server->url_host;
    server->port = port;
    if (server->to.len > 0 && !syntax_endpoint(server->to, port, &server->host, &server->port))
        return fault_set(c->fault, line_of(section, "to"),
            "to is %s; allowed is \"host\" or \"host:port\"", fault_word(c->fault, server->to));
    if (server->username.len == 0)
        return fault_set(c->fault, line_of(section, "username"), "username is empty");
    for (size_t i = 0; i < index; i++)
        if (slice_equals_nocase(c->conf->imap_servers[i].url_host, server->url_host) &&
            c->conf->imap_servers[i].url_port == server->url_port)
            return fault_set(c->fault, section->line, "imap_server %s is imap_server %s, too",
                fault_word(c->fault, server->name),
                fault_word(c->fault, c->conf->imap_servers[i].name));
    return ERR_OK;
}

static enum err check_imap_servers(struct checking *c)
{
    const struct scan_section *section = scan_section(c->scan, SECTION_EXTENSIONS, 0);
    enum err rc = ERR_OK;

    for (size_t i = 0; i < c->conf->imap_server_count && rc == ERR_OK; i++)
        rc = check_imap_server(c, i);
    if (rc == ERR_OK && c->conf->extensions.burl && c->conf->imap_server_count == 0)
        return fault_set(c->fault, line_of(section, "burl"),
            "burl needs a server to fetch from; required is a section imap_server \"host\" { "
            "password_file = ... }");
    return rc;
}

static enum err check_numbers(struct checking *c)
{
    const struct conf_queue *queue = &c->conf->queue;
    const struct conf_spool *spool = &c->conf->spool;
    const struct scan_section *section = scan_section(c->scan, SECTION_QUEUE, 0);

    if (queue->destination_concurrency > queue->concurrency)
        return fault_set(c->fault,
            line_of(section, scan_line(section, "destination_concurrency")
                                 ? "destination_concurrency"
                                 : "concurrency"),
            "destination_concurrency is %ju, above concurrency, which is %ju; allowed is at most "
            "that",
            (uintmax_t)queue->destination_concurrency, (uintmax_t)queue->concurrency);
    section = scan_section(c->scan, SECTION_SPOOL, 0);
    if (spool->large_message > spool->segment_size / 4)
        return fault_set(c->fault,
            line_of(
                section, scan_line(section, "large_message") ? "large_message" : "segment_size"),
            "large_message is %ju; allowed is at most a quarter of segment_size, which is %ju",
            (uintmax_t)spool->large_message, (uintmax_t)spool->segment_size);
    return ERR_OK;
}

/* EXT-MTRK-2, EXT-MTRK-5: who tracks a message names it with ENVID. */
static enum err check_extensions(struct checking *c)
{
    const struct conf_extensions *extensions = &c->conf->extensions;
    const struct scan_section *section = scan_section(c->scan, SECTION_EXTENSIONS, 0);

    if (extensions->mtrk && !extensions->dsn)
        return fault_set(c->fault, line_of(section, "dsn"),
            "dsn is false and mtrk is true; allowed is mtrk with dsn only");
    return ERR_OK;
}

/* The walls between the rooms are made of their users. */
static enum err check_accounts(struct checking *c)
{
    static const char *const names[] = { "gate", "vault", "queue", "relay", "maildrop", "fetch" };
    const struct conf_accounts *accounts = &c->conf->accounts;
    const struct slice users[] = { accounts->gate, accounts->vault, accounts->queue,
        accounts->relay, accounts->maildrop, accounts->fetch };
    const struct scan_section *section = scan_section(c->scan, SECTION_ACCOUNTS, 0);

    for (size_t i = 1; i < LENGTH_OF(users); i++)
        for (size_t j = 0; j < i; j++)
            if (slice_equals(users[i], users[j]))
                return fault_set(c->fault,
                    line_of(section, scan_line(section, names[i]) ? names[i] : names[j]),
                    "%s and %s are both %s; allowed are different users", names[j], names[i],
                    fault_word(c->fault, users[i]));
    return ERR_OK;
}

enum err check_conf(
    struct conf *conf, const struct scan *scan, struct arena *arena, struct fault *fault)
{
    static enum err (*const checks[])(struct checking * c) = {
        check_required,
        check_names,
        check_networks,
        check_listeners,
        check_users,
        check_certificates,
        check_auth,
        check_routes,
        check_imap_servers,
        check_numbers,
        check_extensions,
        check_accounts,
    };
    struct checking c = { conf, scan, arena, fault };
    enum err rc = ERR_OK;

    for (size_t i = 0; i < LENGTH_OF(checks) && rc == ERR_OK; i++)
        rc = checks[i](&c);
    return rc;
}
