/* policy/route.c: the most specific route for a domain. */
#include "policy/route.h"

/* How closely a pattern fits: 0 not at all, 1 for "*", more for longer parents, most for the domain
 * itself. */
static size_t closeness(struct slice pattern, struct slice domain)
{
    if (slice_is(pattern, "*"))
        return 1;
    if (slice_equals_nocase(pattern, domain))
        return SIZE_MAX;
    if (pattern.len < 3 || memcmp(pattern.data, "*.", 2) != 0)
        return 0;
    /* The dot of "*.example.org" is compared too, and something must stand before it. */
    pattern = slice_from(pattern, 1);
    if (domain.len <= pattern.len ||
        !slice_equals_nocase(slice_from(domain, domain.len - pattern.len), pattern))
        return 0;
    return 1 + pattern.len;
}

bool route_choose(const struct conf *conf, struct slice domain, struct route_choice *out_choice)
{
    bool is_literal = domain.len > 0 && domain.data[0] == '[';
    const struct conf_route *best = NULL;
    size_t best_closeness = 0;

    for (size_t i = 0; i < conf->route_count; i++) {
        size_t close = closeness(conf->routes[i].pattern, domain);

        if (is_literal && close > 1)
            continue;
        if (close > best_closeness) {
            best_closeness = close;
            best = &conf->routes[i];
        }
    }
    if (!best)
        return false;
    *out_choice = (struct route_choice){ best, best->via == CONF_VIA_MX && !is_literal };
    return true;
}

static void put_lower(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        buffer_put_char(out, ascii_lower(text.data[i]));
}

void route_destination(const struct conf_route *route, struct slice domain, struct buffer *out_key)
{
    switch (route->via) {
    case CONF_VIA_MX:
        buffer_put_text(out_key, "mx:");
        put_lower(out_key, domain);
        /* The port is the route's, and two routes may differ in it. */
        if (route->port != 25)
            buffer_printf(out_key, ":%u", route->port);
        return;
    case CONF_VIA_MAILDIR:
        buffer_put_text(out_key, "maildir:");
        buffer_put_slice(out_key, route->path);
        return;
    case CONF_VIA_LMTP:
        buffer_put_text(out_key, "lmtp:");
        break;
    case CONF_VIA_SMTP:
        buffer_put_text(out_key, route->mx ? "smtp-mx:" : "smtp:");
        break;
    }
    if (route->path.len > 0) {
        buffer_put_slice(out_key, route->path);
        return;
    }
    put_lower(out_key, route->host);
    buffer_printf(out_key, ":%u", route->port);
    /* Connections that are logged in are not for routes that are not. */
    if (route->username.len > 0) {
        buffer_put_char(out_key, ':');
        buffer_put_slice(out_key, route->username);
    }
}
