/* ipc/channel.h: one end of a socket between two rooms: typed messages of the table, with
 * descriptors, never blocking. The peer is not trusted: a frame that the table does not allow, that
 * does not unpack exactly, or that brings too few or too many descriptors closes the channel and
 * nothing else. */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "base/error.h"
#include "ipc/messages.h"
#include "net/loop.h"

struct channel;

/* A room's dispatch table is an array of these, for one peer role. A message type without a row
 * closes the channel. message: the struct that messages.h names for the type, valid until the
 * handler returns. fd: the descriptor that came with it, now the handler's to close, or -1. The
 * handler may free the channel. */
struct channel_handler {
    enum message_type type;
    void (*handle)(void *owner, struct channel *channel, const void *message, int fd);
};

struct channel_spec {
    enum role self;
    enum role peer;
    uint32_t peer_index;
    const struct channel_handler *handlers;
    size_t handler_count;
    /* The peer is gone or broke the rules (said in the log). Called once, from the loop, never from
     * channel_send; the owner then frees the channel. */
    void (*closed)(void *owner, struct channel *channel);
    void *owner;
};

/* Takes the connected stream socket (made non-blocking); handlers is borrowed for the channel's
 * life. NULL without memory, and then the descriptor is closed. */
MUST_CHECK struct channel *channel_new(struct loop *loop, int fd, const struct channel_spec *spec);
/* Closes the socket; what was not written yet is lost. Nothing is called any more. */
void channel_free(struct channel **channel);

/* Queues a message; it is written at the end of the loop's turn. fd: -1 or a descriptor whose
 * ownership passes to the channel whatever the result. ERR_CLOSED when the channel is broken or its
 * backlog is above the cap (64 MiB: the peer does not read), ERR_LIMIT when the message breaks its
 * own shape's bounds. */
enum err channel_send(struct channel *channel, enum message_type type, const void *message, int fd);
/* Octets queued and not yet taken by the kernel. */
size_t channel_backlog(const struct channel *channel);
/* All octets ever queued, so also the place behind the last message. */
uint64_t channel_queued(const struct channel *channel);
/* Has the kernel taken everything up to this place? */
bool channel_has_written(const struct channel *channel, uint64_t place);
/* Writes what can be written now, waiting at most ms milliseconds; for a room that is about to end.
 */
void channel_flush(struct channel *channel, int ms);

/* From now on this is called whenever a channel of this process to another room breaks or ends,
 * right before its `closed`. Not for channels that their owner frees: the other end notices. */
void channel_watch_losses(
    void (*lost)(void *owner, enum role peer, uint32_t peer_index), void *owner);

enum role channel_peer(const struct channel *channel);
uint32_t channel_peer_index(const struct channel *channel);

#endif
