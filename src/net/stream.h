/* net/stream.h: a connection as its owner sees it: input to look at and consume, output to append
 * to, TLS or not. On readiness events, read/write or SSL_read/SSL_write on one descriptor.
 *
 * Rules of life. Callbacks come only from the loop, never from inside a function of this header.
 * on_closed comes exactly once and nothing comes after it; no callback comes after stream_free,
 * which may be called inside any callback. After stream_close_after_flush and stream_abort only
 * on_closed comes. Losing TLS ends the connection: what was secured never continues in clear. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "net/tls.h"

struct loop;
struct stream;

/* Why a stream ended. */
enum stream_end {
    STREAM_FLUSHED,     /* stream_close_after_flush did its work */
    STREAM_ABORTED,     /* stream_abort */
    STREAM_PEER_CLOSED, /* an orderly end: FIN, within TLS a close_notify */
    STREAM_PEER_CUT,    /* within TLS: FIN without close_notify, so data may be missing */
    STREAM_PEER_LOST,   /* reset, unreachable: an error of the socket */
    STREAM_PEER_SLOW,   /* the peer took no output for write_timeout_ms */
    STREAM_TLS_FAILED,  /* the handshake failed or a record was bad */
    STREAM_OVERFLOW,    /* more output than output_cap was appended, or memory ran out */
};

/* Any may be NULL. */
struct stream_events {
    /* There is input that the owner has not seen, or the stream was resumed with input left over.
     * Consume what is complete; the rest is shown again with more behind it. */
    void (*on_input)(void *owner);
    /* The output had reached high_water (or stream_ask_drained was called) and has fallen to
     * low_water. */
    void (*on_drained)(void *owner);
    /* The handshake is done: stream_tls_info is filled, input is empty. */
    void (*on_secured)(void *owner);
    /* The end. stream_why says more. Input left over can still be looked at; free the stream here
     * or later. */
    void (*on_closed)(void *owner, enum stream_end end);
};

struct stream_settings {
    size_t input_cap;  /* octets kept for the owner; when it is reached reading stops. Must exceed
                          the longest unit  that the owner waits for */
    size_t output_cap; /* more is an overflow and ends the stream */
    size_t high_water; /* at or above: stream_is_full */
    size_t low_water;  /* below high_water */
    int64_t write_timeout_ms; /* without any progress of pending output */
    bool wants_last_words;    /* when writing fails, what the peer said before is still shown: for a
                                 client, whose server may have said why. Otherwise the stream ends at
                                 once, also while it is paused */
};

/* Takes the descriptor: a connected, non-blocking stream socket. Reads from the start. events and
 * owner: see stream_set_owner. NULL without memory or watches; the descriptor is then still the
 * caller's. */
MUST_CHECK struct stream *stream_new(struct loop *loop, int fd,
    const struct stream_settings *settings, const struct stream_events *events, void *owner);
/* Ends everything at once; output not yet taken is lost (but a close_notify is sent where TLS is up
 * and the output was empty: LSN-10). A handshake that waits for a signature is ended in order.
 * Nulls the pointer; NULL is harmless. */
void stream_free(struct stream **stream);
/* events: a constant table. For handing a connection on (a pool). */
void stream_set_owner(struct stream *stream, const struct stream_events *events, void *owner);

/* What was received and not consumed; valid until the next call on this stream that changes it or
 * the end of the callback. */
struct slice stream_input(const struct stream *stream);
/* Drops len octets at the front. */
void stream_consume(struct stream *stream, size_t len);
/* The same, and they are wiped: they may have been a password. */
void stream_wipe(struct stream *stream, size_t len);
/* Octets received and not consumed. After the line STARTTLS it must be 0, else the session is
 * refused (TLS-6). */
size_t stream_input_pending(const struct stream *stream);
/* While paused nothing is read and on_input is not called: the kernel holds the peer's pipeline. An
 * end of the peer is then seen only after stream_resume. Calls do not nest: one resume is enough.
 */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* The output, to append to; what is in it at the end of this turn is sent (many replies, one
 * write). Its sticky error need not be looked at: it ends the stream with STREAM_OVERFLOW.
 * Appending after the end is harmless. Only append. */
struct buffer *stream_output(struct stream *stream);
/* Appends; large amounts are sent at once. */
void stream_write(struct stream *stream, struct slice bytes);
/* Octets appended and not yet taken by the kernel. */
size_t stream_output_pending(const struct stream *stream);
/* The output is at high_water or above: stop appending and wait for on_drained. */
bool stream_is_full(const struct stream *stream);
/* Have on_drained called once when the output is (or is already) at low_water or below. */
void stream_ask_drained(struct stream *stream);

/* Sends the output, then close_notify (LSN-10) and FIN, drops further input until the peer's FIN
 * for at most linger_ms (so that no reset destroys the last reply), then on_closed(STREAM_FLUSHED).
 * A peer that does not read meets the write time-out. */
void stream_close_after_flush(struct stream *stream, int64_t linger_ms);
/* Drops the output, closes without a word, then on_closed(STREAM_ABORTED). */
void stream_abort(struct stream *stream);

/* From here on everything is TLS (TLS-1, TLS-5). Output already appended (the 220) is sent in clear
 * first. The input must be empty (asserted): the caller has refused a client that sent more. Once
 * for a stream. on_secured or on_closed follows; the handshake's time-out is the owner's. While
 * paused the handshake goes on all the same. ERR_NOMEM. */
MUST_CHECK enum err stream_start_tls_server(struct stream *stream, struct tls_server *server);
/* host: for SNI and, with TLS_VERIFY_PKIX, to be found in the certificate; a numeric address is
 * checked as an address and not sent as SNI. At most 255 octets, no NUL: else ERR_INVALID. */
MUST_CHECK enum err stream_start_tls_client(
    struct stream *stream, struct tls_client *client, struct slice host, enum tls_verify verify);
/* After on_secured and before the end. */
bool stream_is_secured(const struct stream *stream);
/* What was agreed, or NULL before on_secured. */
const struct tls_info *stream_tls_info(const struct stream *stream);
/* tls-exporter of RFC 9266. False when TLS is not up, or for TLS 1.2 without extended master
 * secret. */
MUST_CHECK bool stream_export_channel_binding(struct stream *stream, uint8_t out_binding[32]);
/* tls-unique of RFC 5929: the first Finished message of the latest handshake, TLS 1.2 with extended
 * master secret alone; void in TLS 1.3. False when it cannot be had. */
enum { STREAM_UNIQUE_MAX = 64 };
MUST_CHECK bool stream_export_unique(
    struct stream *stream, uint8_t out_binding[STREAM_UNIQUE_MAX], size_t *out_len);
/* The certificate that the client showed. False: none, or TLS is not up. */
MUST_CHECK bool stream_peer_certificate(
    const struct stream *stream, struct tls_peer_certificate *out_certificate);
/* Why it ended or what TLS complained of, as a phrase for logs; "" while all is well. Never NULL.
 */
const char *stream_why(const struct stream *stream);

#endif
