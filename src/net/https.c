/* net/https.c: libcurl's multi-socket interface on our loop: it says which sockets and which time
 * to watch, and is told what is ready. */
#include "net/https.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/map.h"
#include "base/secret.h"
#include "net/https_library.h"
#include "net/loop.h"
#include "net/tls_internal.h"

enum {
    CONNECT_MS = 5000,
    CONNECTIONS_IDLE = 8,
    FIELD_MAX = 1024, /* octets kept of a field; what is longer is as if it were not there */
};

struct https {
    struct loop *loop;
    struct tls_client *client;
    CURLM *multi;
    struct timer timer;
    struct https_request *requests;
    bool is_telling; /* callbacks run */
    bool is_gone;    /* to be freed behind them */
};

/* A socket of the library's. */
struct https_socket {
    struct https *https;
    struct watch watch;
};

struct field {
    size_t len;
    char text[FIELD_MAX];
};

struct https_request {
    struct https_request *prev, *next;
    struct https *https;
    https_fn *fn;
    void *owner;
    CURL *easy;
    struct curl_slist *places;
    struct curl_slist *headers;
    struct buffer body;
    size_t header_octets;
    struct field content_type, cache_control;
    const char *fault; /* ours, where the library was made to stop */
    char error[CURL_ERROR_SIZE];
};

/* What comes. */

static size_t on_body(char *data, size_t size, size_t count, void *owner)
{
    struct https_request *r = owner;

    buffer_put(&r->body, data, size * count);
    if (r->body.error == ERR_OK)
        return size * count;
    r->fault = r->body.error == ERR_LIMIT ? "the answer is too large" : "out of memory";
    return 0;
}

static void keep_field(struct field *field, struct slice value)
{
    size_t comma = field->len > 0 ? 2 : 0;

    if (field->len + comma + value.len > sizeof field->text)
        return;
    memcpy(field->text + field->len, ", ", comma);
    if (value.len > 0)
        memcpy(field->text + field->len + comma, value.data, value.len);
    field->len += comma + value.len;
}

/* One line, with its end; an interim answer and the final one begin with the status line. */
static size_t on_header(char *data, size_t size, size_t count, void *owner)
{
    struct https_request *r = owner;
    struct slice line = slice_of(data, size * count);
    size_t colon = slice_find(line, ':');
    struct slice name = slice_first(line, colon);
    struct slice value = slice_from(line, colon + 1);

    r->header_octets += line.len;
    if (r->header_octets > HTTPS_HEADER_MAX) {
        r->fault = "the header of the answer is too large";
        return 0;
    }
    while (value.len > 0 && strchr("\r\n", value.data[value.len - 1]))
        value.len--;
    value = slice_trim(value);
    if (slice_starts_nocase(line, "HTTP/"))
        r->content_type.len = r->cache_control.len = 0;
    else if (slice_is_nocase(name, "Content-Type"))
        keep_field(&r->content_type, value);
    else if (slice_is_nocase(name, "Cache-Control"))
        keep_field(&r->cache_control, value);
    /* The library would unpack what nobody asked to be packed: a hundred octets that keep it busy
     * for a minute (RFC 9112 section 6.1: none but chunked without TE). */
    else if (slice_is_nocase(name, "Transfer-Encoding") && !slice_is_nocase(value, "chunked"))
        r->fault = "the answer is compressed on its way";
    return r->fault ? 0 : line.len;
}

/* The roots were loaded when the configuration came; the library would read files. */
static CURLcode on_context(CURL *easy, void *context, void *owner)
{
    struct https_request *r = owner;

    (void)easy;
    SSL_CTX_set1_cert_store(context, SSL_CTX_get_cert_store(r->https->client->context));
    return CURLE_OK;
}

/* The end of a request. */

static void request_free(struct https_request *r)
{
    const struct https_library *curl = https_library();

    DL_DELETE(r->https->requests, r);
    curl->multi_remove_handle(r->https->multi, r->easy);
    curl->easy_cleanup(r->easy);
    curl->slist_free_all(r->places);
    curl->slist_free_all(r->headers);
    buffer_clear(&r->body);
    free(r);
}

void https_cancel(struct https_request **request)
{
    if (*request)
        request_free(*request);
    *request = NULL;
}

static const char *fault_of(const struct https_request *r, CURLcode result)
{
    if (r->fault)
        return r->fault;
    if (result == CURLE_OUT_OF_MEMORY) /* what it says of a line beyond its own bound, too */
        return "out of memory, or a line that is too long";
    return r->error[0] != '\0' ? r->error : https_library()->easy_strerror(result);
}

static void tell(struct https_request *r, CURLcode result)
{
    const struct https_library *curl = https_library();
    struct https_answer answer = { .body = buffer_slice(&r->body),
        .content_type = slice_of(r->content_type.text, r->content_type.len),
        .cache_control = slice_of(r->cache_control.text, r->cache_control.len) };
    long status = 0;

    curl->easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (unsigned)status;
    if (result != CURLE_OK)
        answer.why = fault_of(r, result);
    r->fn(r->owner, &answer);
    request_free(r);
}

static void destroy(struct https *https)
{
    const struct https_library *curl = https_library();

    while (https->requests)
        request_free(https->requests);
    curl->multi_cleanup(https->multi);
    timer_stop(&https->timer);
    tls_client_drop(https->client);
    free(https);
}

/* Requests that have ended. A callback may cancel others and free it all. */
static void tell_ended(struct https *https)
{
    const struct https_library *curl = https_library();
    struct CURLMsg *message;
    int left;

    https->is_telling = true;
    while (!https->is_gone && (message = curl->multi_info_read(https->multi, &left))) {
        struct https_request *r = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &r);
        tell(r, message->data.result);
    }
    https->is_telling = false;
    if (https->is_gone)
        destroy(https);
}

/* What the library waits for. */

static void act(struct https *https, curl_socket_t socket, int ready)
{
    int running;

    https_library()->multi_socket_action(https->multi, socket, ready, &running);
    tell_ended(https);
}

static void on_ready(void *owner, unsigned ready)
{
    struct https_socket *s = owner;

    act(s->https, s->watch.fd, ready == WATCH_READ ? CURL_CSELECT_IN : CURL_CSELECT_OUT);
}

static void on_time(void *owner)
{
    act(owner, CURL_SOCKET_TIMEOUT, 0);
}

static int set_time(CURLM *multi, long ms, void *owner)
{
    struct https *https = owner;

    (void)multi;
    if (ms < 0)
        timer_stop(&https->timer);
    else
        timer_set(&https->timer, ms);
    return 0;
}

static struct https_socket *socket_new(struct https *https, curl_socket_t fd)
{
    struct https_socket *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->https = https;
    watch_init(&s->watch, https->loop, fd, on_ready, s);
    https_library()->multi_assign(https->multi, fd, s);
    return s;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *assigned)
{
    struct https *https = owner;
    struct https_socket *s = assigned;
    unsigned wanted =
        (what & CURL_POLL_IN ? WATCH_READ : 0u) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0u);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            watch_clear(&s->watch);
        free(s);
        return 0;
    }
    if (!s)
        s = socket_new(https, fd);
    if (!s)
        return -1;
    watch_disable(&s->watch, (WATCH_READ | WATCH_WRITE) & ~wanted);
    return wanted == 0 || watch_enable(&s->watch, wanted) == ERR_OK ? 0 : -1;
}

struct https *https_new(struct loop *loop, struct tls_client *client)
{
    const struct https_library *curl = https_library();
    struct https *https = calloc(1, sizeof *https);

    if (!https)
        return NULL;
    https->loop = loop;
    https->multi = curl->multi_init();
    if (!https->multi) {
        free(https);
        return NULL;
    }
    https->client = client;
    tls_client_hold(client);
    timer_init(&https->timer, loop, on_time, https);
    curl->multi_setopt(https->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl->multi_setopt(https->multi, CURLMOPT_SOCKETDATA, https);
    curl->multi_setopt(https->multi, CURLMOPT_TIMERFUNCTION, set_time);
    curl->multi_setopt(https->multi, CURLMOPT_TIMERDATA, https);
    curl->multi_setopt(https->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_IDLE);
    return https;
}

void https_free(struct https **https)
{
    struct https *gone = *https;

    *https = NULL;
    if (!gone)
        return;
    gone->is_gone = true;
    if (!gone->is_telling)
        destroy(gone);
}

/* The beginning of a request. */

/* "HOST:PORT:ADDRESS,[ADDRESS]": takes the place of DNS in the library. An address in the place of
 * a name needs none. */
static bool add_places(struct https_request *r, const struct https_order *order)
{
    struct buffer text;
    struct peer literal;

    if (peer_parse(order->host, order->port, &literal))
        return true;
    buffer_init(&text, 4096);
    buffer_printf(&text, "%.*s:%u:", SLICE_ARGS(order->host), (unsigned)order->port);
    for (size_t i = 0; i < order->peer_count; i++) {
        char address[PEER_TEXT];
        bool is_ipv6 = order->peers[i].family == PEER_IPV6;

        peer_text(&order->peers[i], address);
        buffer_printf(
            &text, "%s%s%s%s", i > 0 ? "," : "", is_ipv6 ? "[" : "", address, is_ipv6 ? "]" : "");
    }
    buffer_put_char(&text, '\0');
    if (text.error == ERR_OK)
        r->places = https_library()->slist_append(NULL, buffer_slice(&text).data);
    buffer_clear(&text);
    return r->places != NULL;
}

static bool add_header(struct https_request *r, const char *line)
{
    struct curl_slist *list = https_library()->slist_append(r->headers, line);

    if (list)
        r->headers = list;
    return list != NULL;
}

struct long_option {
    CURLoption option;
    long value;
};

/* What holds for every request. */
static const struct long_option rules[] = {
    { CURLOPT_NOSIGNAL, 1 },
    { CURLOPT_NOPROGRESS, 1 },
    { CURLOPT_FOLLOWLOCATION, 0 },
    { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
    { CURLOPT_SSL_ENABLE_ALPN, 0 },
    { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 },
    { CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS },
    { CURLOPT_HTTPAUTH, CURLAUTH_BASIC },
};

static const struct {
    CURLoption option;
    const char *value;
} texts[] = {
    { CURLOPT_PROTOCOLS_STR, "https" },
    { CURLOPT_PROXY, "" },
    { CURLOPT_USERAGENT, "submitd" },
    { CURLOPT_CAINFO, NULL },
    { CURLOPT_CAPATH, NULL },
};

static bool set_rules(struct https_request *r)
{
    const struct https_library *curl = https_library();

    for (size_t i = 0; i < LENGTH_OF(rules); i++)
        if (curl->easy_setopt(r->easy, rules[i].option, rules[i].value) != CURLE_OK)
            return false;
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        if (curl->easy_setopt(r->easy, texts[i].option, texts[i].value) != CURLE_OK)
            return false;
    return curl->easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_WRITEDATA, r) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_HEADERDATA, r) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_SSL_CTX_DATA, r) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_PRIVATE, r) == CURLE_OK;
}

/* The library copies it. Empty: not set. */
static bool set_text(struct https_request *r, CURLoption option, struct slice value)
{
    struct secret text = { 0 };
    bool is_set =
        value.len == 0 || (secret_set(&text, value) &&
                              https_library()->easy_setopt(r->easy, option, text.data) == CURLE_OK);

    secret_clear(&text);
    return is_set;
}

static bool set_order(struct https_request *r, const struct https_order *order)
{
    const struct https_library *curl = https_library();

    if (!add_places(r, order) || !add_header(r, "Accept: application/json") ||
        !add_header(r, "Expect:") || !set_text(r, CURLOPT_URL, order->url) ||
        !set_text(r, CURLOPT_USERNAME, order->user) ||
        !set_text(r, CURLOPT_PASSWORD, order->password))
        return false;
    if (order->is_post &&
        (curl->easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE, (long)order->form.len) != CURLE_OK ||
            curl->easy_setopt(r->easy, CURLOPT_COPYPOSTFIELDS,
                order->form.len > 0 ? order->form.data : "") != CURLE_OK))
        return false;
    return curl->easy_setopt(r->easy, CURLOPT_RESOLVE, r->places) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_MAXFILESIZE, (long)order->most) == CURLE_OK &&
           curl->easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)order->ms) == CURLE_OK;
}

enum err https_start(struct https *https, const struct https_order *order, https_fn *fn,
    void *owner, struct https_request **out_request)
{
    const struct https_library *curl = https_library();
    struct https_request *r = calloc(1, sizeof *r);

    if (!r)
        return ERR_NOMEM;
    r->https = https;
    r->fn = fn;
    r->owner = owner;
    buffer_init(&r->body, order->most);
    DL_APPEND(https->requests, r);
    r->easy = curl->easy_init();
    if (!r->easy || !set_rules(r) || !set_order(r, order) ||
        curl->multi_add_handle(https->multi, r->easy) != CURLM_OK) {
        request_free(r);
        return ERR_NOMEM;
    }
    *out_request = r;
    return ERR_OK;
}
