/* conf/files.c: are the files there that the configuration names, and do they keep what they
 * should? */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"

enum file_kind { FILE_PUBLIC, FILE_SECRET, FILE_FOLDER };

struct report {
    struct buffer *out;
    size_t count;
};

PRINTF_LIKE(4, 5)
static void complain(
    struct report *report, const char *what, struct slice path, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_printf(report->out, "%s \"%.*s\": %s\n", what, SLICE_ARGS(path), text);
    report->count++;
}

static void look(struct report *report, const char *what, struct slice path, enum file_kind kind)
{
    char name[1100];
    struct stat about;
    int mode = kind == FILE_FOLDER ? R_OK | W_OK | X_OK : R_OK;

    if (path.len == 0)
        return;
    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(path));
    if (stat(name, &about) != 0)
        complain(report, what, path, "%s", strerror(errno));
    else if ((kind == FILE_PUBLIC || kind == FILE_SECRET) && !S_ISREG(about.st_mode))
        complain(report, what, path, "not a regular file");
    else if (kind == FILE_FOLDER && !S_ISDIR(about.st_mode))
        complain(report, what, path, "not a folder");
    else if (kind == FILE_SECRET && (about.st_mode & S_IRWXO))
        complain(report, what, path, "mode %04o lets others in; allowed is 0640 or less",
            (unsigned)about.st_mode & 07777);
    else if (kind == FILE_PUBLIC && (about.st_mode & S_IWOTH))
        complain(
            report, what, path, "mode %04o lets others change it", (unsigned)about.st_mode & 07777);
    else if (access(name, mode) != 0)
        complain(report, what, path, "%s", strerror(errno));
}

/* The server makes the folder itself where its parent is there. */
static void look_at_maildir(struct report *report, const char *what, struct slice path)
{
    char name[1100];
    struct stat about;

    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(path));
    if (stat(name, &about) == 0 || errno != ENOENT)
        look(report, what, path, FILE_FOLDER);
    else
        look(report, what, slice_first(path, slice_find_last(path, '/')), FILE_FOLDER);
}

static void look_at_routes(struct report *report, const struct conf *conf)
{
    char what[64];

    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        snprintf(what, sizeof what, "route \"%.*s\"", SLICE_ARGS(slice_first(route->pattern, 40)));
        look(report, what, route->ca_file, FILE_PUBLIC);
        look(report, what, route->password_file, FILE_SECRET);
        if (route->via == CONF_VIA_MAILDIR)
            look_at_maildir(report, what, route->path);
    }
}

static void look_at_imap_servers(struct report *report, const struct conf *conf)
{
    char what[64];

    for (size_t i = 0; i < conf->imap_server_count; i++) {
        const struct conf_imap_server *server = &conf->imap_servers[i];

        snprintf(
            what, sizeof what, "imap_server \"%.*s\"", SLICE_ARGS(slice_first(server->name, 40)));
        look(report, what, server->ca_file, FILE_PUBLIC);
        look(report, what, server->password_file, FILE_SECRET);
    }
}

/* Relays and the fetch room look names up. Without such a route or address the trust anchor may be
 * missing. */
static bool needs_dns(const struct conf *conf)
{
    if (conf->auth.oauth_jwks_uri.len > 0 || conf->auth.oauth_introspection.len > 0 ||
        conf->extensions.burl)
        return true;
    for (size_t i = 0; i < conf->route_count; i++)
        if (conf->routes[i].via == CONF_VIA_MX || conf->routes[i].mx)
            return conf->relays > 0;
    return false;
}

size_t conf_check_files(const struct conf *conf, struct buffer *out_report)
{
    struct report report = { out_report, 0 };

    look(&report, "state", conf->state, FILE_FOLDER);
    look(&report, "tls certificate", conf->tls.certificate, FILE_PUBLIC);
    look(&report, "tls client_ca", conf->tls.client_ca, FILE_PUBLIC);
    look(&report, "tls key", conf->tls.key, FILE_SECRET);
    for (size_t i = 0; i < conf->tls.sni_count; i++) {
        look(&report, "sni certificate", conf->tls.snis[i].certificate, FILE_PUBLIC);
        look(&report, "sni key", conf->tls.snis[i].key, FILE_SECRET);
    }
    look(&report, "auth oauth_jwks", conf->auth.oauth_jwks, FILE_PUBLIC);
    look(&report, "auth oauth_ca_file", conf->auth.oauth_ca_file, FILE_PUBLIC);
    look(
        &report, "auth oauth_client_secret_file", conf->auth.oauth_client_secret_file, FILE_SECRET);
    look(&report, "users", conf->users.path, FILE_SECRET);
    look(&report, "dns root_hints", conf->dns.root_hints, FILE_PUBLIC);
    if (needs_dns(conf))
        look(&report, "dns trust_anchor", conf->dns.trust_anchor, FILE_PUBLIC);
    look_at_routes(&report, conf);
    look_at_imap_servers(&report, conf);
    return report.count;
}
