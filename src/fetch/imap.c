/* fetch/imap.c: the conversation from the first address to the last word: one table of phases. */
#include "fetch/imap.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "fetch/imap_state.h"
#include "fetch/state.h"
#include "net/tls.h"

enum {
    DNS_MS = 10000,
    CONNECT_MS = 15000,
    LINGER_MS = 500,
    INPUT_CAP = 2 * IMAP_LINE_MAX,
    OUTPUT_CAP = 64 << 10,
    HIGH_WATER = 32 << 10,
    LOW_WATER = 4 << 10,
    LINES_MAX = 1000,
    MECHANISMS_MAX = 1000, /* MSG_LOGIN_START carries so much */
    NOISE_MAX = 256 << 10,
};

/* Words. A server makes some of them as long as it likes, within what the vault says. */

void imap_send(struct imap *imap, struct slice words)
{
    stream_write(imap->stream, words);
    stream_write(imap->stream, slice_text("\r\n"));
}

void imap_command(struct imap *imap, const char *verb, struct slice argument)
{
    snprintf(imap->tag, sizeof imap->tag, "s%u", ++imap->tag_count);
    stream_write(imap->stream, slice_text(imap->tag));
    stream_write(imap->stream, slice_text(" "));
    stream_write(imap->stream, slice_text(verb));
    if (argument.len > 0)
        stream_write(imap->stream, slice_text(" "));
    imap_send(imap, argument);
}

/* Life and death. */

static void imap_free(struct imap *imap)
{
    imap_login_end(imap);
    addresses_cancel(&imap->lookup);
    dial_stop(&imap->dial);
    stream_free(&imap->stream);
    buffer_clear(&imap->mechanisms);
    buffer_clear(&imap->text);
    buffer_clear(&imap->url);
    fetch_settings_drop(&imap->settings);
    DL_DELETE(imap->fetch->imaps, imap);
    if (imap->gone)
        *imap->gone = true;
    free(imap);
}

void imap_cancel(struct imap **imap)
{
    if (*imap)
        imap_free(*imap);
    *imap = NULL;
}

void imap_end_all(struct fetch *fetch)
{
    while (fetch->imaps)
        imap_free(fetch->imaps);
}

/* A server in good order hears that we leave; from any other we just go. */
static void leave(struct imap *imap, bool is_in_order)
{
    imap->owner = NULL;
    imap_login_end(imap);
    if (!is_in_order || !imap->stream || imap->phase == IMAP_OVER) {
        imap_free(imap);
        return;
    }
    imap->phase = IMAP_OVER;
    imap_command(imap, "LOGOUT", slice_text(""));
    stream_close_after_flush(imap->stream, LINGER_MS);
}

void imap_end(struct imap *imap, enum url_result result, const char *why)
{
    bool is_in_order = result == URL_FETCHED || result == URL_REFUSED;

    imap->events->ended(imap->owner, result, why);
    leave(imap, is_in_order);
}

static void break_off(struct imap *imap, const char *why)
{
    imap_end(imap, URL_UNREACHABLE, why);
}

/* From one step to the next. */

static void shake_hands(struct imap *imap)
{
    imap->phase = IMAP_HANDSHAKE;
    imap->reader = (struct imap_reader){ 0 };
    if (stream_start_tls_client(imap->stream, imap->settings->imap_clients[imap->server_index],
            imap->server->url_host, TLS_VERIFY_PKIX) != ERR_OK)
        break_off(imap, "no memory, or no name to ask for");
}

static void ask_capability(struct imap *imap)
{
    buffer_reset(&imap->mechanisms);
    imap->phase = IMAP_CAPABILITY;
    imap_command(imap, "CAPABILITY", slice_text(""));
}

static void on_greeting(struct imap *imap, const struct imap_response *response)
{
    if (response->kind != IMAP_UNTAGGED || response->condition != IMAP_OK) {
        break_off(imap, response->condition == IMAP_PREAUTH
                            ? "the server thinks that it knows us already"
                            : "the server does not greet us");
        return;
    }
    if (imap->server->tls == CONF_IMAP_IMPLICIT) {
        ask_capability(imap);
        return;
    }
    imap->phase = IMAP_STARTTLS;
    imap_command(imap, "STARTTLS", slice_text(""));
}

/* Whatever came in clear behind the reply would be read as if it were secured. */
static void on_starttls(struct imap *imap, const struct imap_response *response)
{
    if (response->kind == IMAP_UNTAGGED)
        return;
    if (response->kind != IMAP_TAGGED || response->condition != IMAP_OK)
        break_off(imap, "the server refuses STARTTLS");
    else if (stream_input_pending(imap->stream) > 0)
        break_off(imap, "the server sent clear text after its reply to STARTTLS");
    else
        shake_hands(imap);
}

static void note_capability(struct imap *imap, struct slice words)
{
    struct slice word;

    while (imap_value_take(&words, &word) == IMAP_VALUE_ATOM)
        if (slice_starts_nocase(word, "AUTH=")) {
            buffer_put_text(&imap->mechanisms, imap->mechanisms.len > 0 ? " " : "");
            buffer_put_slice(&imap->mechanisms, slice_from(word, 5));
        }
}

static void on_capability(struct imap *imap, const struct imap_response *response)
{
    if (response->kind == IMAP_UNTAGGED && slice_is_nocase(response->name, "CAPABILITY"))
        note_capability(imap, response->rest);
    else if (response->kind == IMAP_TAGGED && response->condition == IMAP_OK)
        imap_login_start(imap);
    else if (response->kind != IMAP_UNTAGGED)
        break_off(imap, "the server does not say what it can do");
}

static void on_unasked(struct imap *imap, const struct imap_response *response)
{
    if (response->kind != IMAP_UNTAGGED)
        break_off(imap, "the server speaks out of turn");
}

static void (*const readers[])(struct imap *, const struct imap_response *) = {
    [IMAP_DIALLING] = on_unasked,
    [IMAP_GREETING] = on_greeting,
    [IMAP_STARTTLS] = on_starttls,
    [IMAP_HANDSHAKE] = on_unasked,
    [IMAP_CAPABILITY] = on_capability,
    [IMAP_LOGIN_VAULT] = on_unasked,
    [IMAP_LOGIN_PEER] = imap_login_reply,
    [IMAP_CONTENT] = imap_content_reply,
    [IMAP_OVER] = on_unasked,
};

/* What comes in. */

static void on_text(struct imap *imap, enum imap_answer answer, const struct imap_part *part)
{
    struct imap_response response = { .kind = IMAP_FOREIGN };

    if (part->is_first) {
        response = imap_response_parse(part->text, imap->tag);
        imap->is_urlfetch = imap->phase == IMAP_CONTENT && response.kind == IMAP_UNTAGGED &&
                            slice_is_nocase(response.name, "URLFETCH");
    }
    if (imap->is_urlfetch)
        imap_content_text(imap, part->is_first ? response.rest : part->text, answer, part);
    else if (part->is_first && response.kind == IMAP_UNTAGGED && response.condition == IMAP_BYE)
        break_off(imap, "the server says BYE");
    else if (part->is_first)
        readers[imap->phase](imap, &response);
}

/* What is neither content nor of any use is bounded. */
static bool is_too_much(struct imap *imap, size_t lines, size_t octets)
{
    imap->lines += lines;
    imap->noise += octets;
    if (imap->lines <= LINES_MAX && imap->noise <= NOISE_MAX)
        return false;
    break_off(imap, "the server talks without end");
    return true;
}

/* Handled where they are, since there are many; then taken, unless that was the end. */
static void take_octets(struct imap *imap, size_t consumed, struct slice octets, const bool *gone)
{
    if (imap->is_urlfetch && imap->content == CONTENT_COMING)
        imap_content_octets(imap, octets);
    else if (is_too_much(imap, 0, octets.len))
        return;
    if (!*gone && imap->phase != IMAP_OVER)
        stream_consume(imap->stream, consumed);
}

/* Taken first, since a handler looks at what follows (STARTTLS). */
static void take_text(
    struct imap *imap, size_t consumed, enum imap_answer answer, struct imap_part part)
{
    buffer_reset(&imap->text);
    buffer_put_slice(&imap->text, part.text);
    part.text = buffer_slice(&imap->text);
    stream_consume(imap->stream, consumed);
    if (imap->text.error != ERR_OK)
        break_off(imap, "no memory");
    else if (!is_too_much(imap, 1, 0))
        on_text(imap, answer, &part);
}

static void on_input(void *owner)
{
    struct imap *imap = owner;
    bool gone = false;

    imap->gone = &gone;
    while (!gone && imap->phase != IMAP_OVER && imap->phase != IMAP_HANDSHAKE && !imap->is_paused) {
        struct imap_part part;
        size_t consumed;
        enum imap_answer answer =
            imap_read(&imap->reader, stream_input(imap->stream), &consumed, &part);

        if (answer == IMAP_MORE)
            break;
        if (answer == IMAP_BROKEN)
            break_off(imap, "the server's words cannot be understood");
        else if (answer == IMAP_OCTETS)
            take_octets(imap, consumed, part.text, &gone);
        else
            take_text(imap, consumed, answer, part);
    }
    if (!gone)
        imap->gone = NULL;
}

static void on_secured(void *owner)
{
    struct imap *imap = owner;

    if (imap->server->tls == CONF_IMAP_STARTTLS)
        ask_capability(imap);
    else
        imap->phase = IMAP_GREETING;
}

static void on_closed(void *owner, enum stream_end end)
{
    struct imap *imap = owner;
    char why[TLS_WHY + 64];

    (void)end;
    if (imap->phase == IMAP_OVER) {
        imap_free(imap);
        return;
    }
    snprintf(why, sizeof why, "%s%s%s",
        imap->phase == IMAP_HANDSHAKE ? "the TLS handshake failed" : "the server hung up",
        stream_why(imap->stream)[0] ? ": " : "", stream_why(imap->stream));
    break_off(imap, why);
}

static const struct stream_events stream_events = {
    .on_input = on_input, .on_secured = on_secured, .on_closed = on_closed
};

void imap_pause(struct imap *imap)
{
    imap->is_paused = true;
    stream_pause(imap->stream);
}

void imap_resume(struct imap *imap)
{
    imap->is_paused = false;
    stream_resume(imap->stream);
}

/* Calling it. */

static void call(struct imap *imap);

static void on_dialled(void *owner, enum err result, int fd, const char *why)
{
    struct imap *imap = owner;
    const struct stream_settings settings = { .input_cap = INPUT_CAP,
        .output_cap = OUTPUT_CAP,
        .high_water = HIGH_WATER,
        .low_water = LOW_WATER,
        .write_timeout_ms = CONNECT_MS,
        .wants_last_words = true };

    if (result != ERR_OK && ++imap->peer_at < imap->peer_count) {
        call(imap);
        return;
    }
    if (result != ERR_OK) {
        break_off(imap, why);
        return;
    }
    imap->stream = stream_new(imap->fetch->room->loop, fd, &settings, &stream_events, imap);
    if (!imap->stream) {
        close(fd);
        break_off(imap, "no memory");
    } else if (imap->server->tls == CONF_IMAP_IMPLICIT) {
        shake_hands(imap);
    } else {
        imap->phase = IMAP_GREETING;
    }
}

static void call(struct imap *imap)
{
    const struct dial_settings settings = { .to = imap->peers[imap->peer_at],
        .timeout_ms = CONNECT_MS };

    dial_start(&imap->dial, imap->fetch->room->loop, &settings, on_dialled, imap);
}

static void on_addresses(void *owner, const struct peer *peers, size_t count, const char *why)
{
    struct imap *imap = owner;

    imap->lookup = NULL;
    if (why) {
        break_off(imap, why);
        return;
    }
    imap->peer_count = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
    memcpy(imap->peers, peers, imap->peer_count * sizeof *peers);
    call(imap);
}

struct imap *imap_start(struct fetch *fetch, const struct imap_order *order,
    const struct imap_events *events, void *owner)
{
    const struct conf_imap_server *server = &order->settings->conf->imap_servers[order->server];
    struct imap *imap = calloc(1, sizeof *imap);

    if (!imap)
        return NULL;
    *imap = (struct imap){ .fetch = fetch,
        .server = server,
        .server_index = order->server,
        .events = events,
        .owner = owner,
        .most = order->most };
    imap->settings = fetch_settings_hold(order->settings);
    buffer_init(&imap->mechanisms, MECHANISMS_MAX);
    buffer_init(&imap->first_words, IMAP_LINE_MAX);
    buffer_init(&imap->text, IMAP_LINE_MAX);
    buffer_init(&imap->url, IMAP_LINE_MAX);
    buffer_put_char(&imap->url, '"');
    buffer_put_slice(&imap->url, order->url);
    buffer_put_char(&imap->url, '"');
    DL_APPEND(fetch->imaps, imap);
    fetch_mind_clock(fetch);
    if (imap->url.error == ERR_OK &&
        addresses_start(fetch->room->loop, fetch->resolver, server->host, server->port, DNS_MS,
            on_addresses, imap, &imap->lookup) == ERR_OK)
        return imap;
    imap_free(imap);
    return NULL;
}
