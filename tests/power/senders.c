/* tests/power/senders.c: a gate without its network side: messages are made here and committed by
 * the gate's own code, each promise noted when it is given. Owns struct sender. */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gate/commit.h"

/* A message whose body streams into a file. */
struct large {
    struct large *prev, *next;
    struct sender *sender;
    struct entry *entry;
    struct body_file *file;
    struct promise *promise;
    bool is_syncing;
};

struct sender {
    struct site *site;
    uint32_t index;
    struct commit commit;
    struct large *larges;
    size_t large_count;
};

static void told(void *owner, const struct entry *entry, enum commit_result result)
{
    struct sender *sender = owner;
    struct promise *promise = oracle_find(sender->site->oracle, entry->id);
    moment now = (moment)recorder_note(sender->site->recorder);

    if (result == COMMIT_KEPT) {
        promise->given = now;
        sender->site->kept++;
    } else if (result == COMMIT_UNKNOWN) {
        sender->site->unknown++;
    } else {
        promise->refused = now;
        sender->site->refused++;
    }
}

struct sender *sender_new(struct site *site, uint32_t index)
{
    struct sender *sender = power_alloc(sizeof *sender);

    sender->site = site;
    sender->index = index;
    if (commit_init(&sender->commit, site->loop, &site->recorder->disk, told, sender) != ERR_OK)
        abort();
    return sender;
}

static void large_free(struct large *large)
{
    DL_DELETE(large->sender->larges, large);
    large->sender->large_count--;
    body_file_drop(&large->file);
    entry_free(&large->entry);
    free(large);
}

void sender_free(struct sender **at)
{
    struct sender *sender = *at;

    *at = NULL;
    if (!sender)
        return;
    while (sender->larges)
        large_free(sender->larges);
    commit_clear(&sender->commit);
    free(sender);
}

void sender_attach(struct sender *sender)
{
    commit_attach(&sender->commit, site_dial(sender->site, ROLE_GATE, sender->index));
}

size_t sender_busy(const struct sender *sender)
{
    return sender->commit.busy + sender->large_count;
}

/* ---- messages ---- */

static const char *const domains[] = { "a.example", "b.example", "c.example", "d.example",
    "e.example", "f.example" };

static void fill_text(struct chance *chance, struct buffer *to, size_t len)
{
    char line[72];

    while (len > 0) {
        size_t part = len < sizeof line ? len : sizeof line;
        for (size_t i = 0; i < part; i++)
            line[i] = (char)('!' + chance_below(chance, 90));
        memcpy(line + (part < 2 ? 0 : part - 2), "\r\n", part < 2 ? 0 : 2);
        buffer_put(to, line, part);
        len -= part;
    }
}

static struct promise *new_promise(struct site *site)
{
    struct queue_id id = { .high = (uint64_t)(clock_wall_us() / 1000) << 16 |
                                   (chance_bits(&site->chance) & 0xffff),
        .low = chance_bits(&site->chance) };

    return oracle_promise(site->oracle, id);
}

/* The envelope, once all is known of the body. */
static void pack_envelope(struct sender *sender, struct entry *entry, struct promise *promise)
{
    struct chance *chance = &sender->site->chance;
    struct envelope_recipient recipients[ORACLE_RECIPIENTS];
    char addresses[ORACLE_RECIPIENTS][64], from[64];
    struct envelope envelope = {
        .id = promise->id,
        .arrival_us = clock_wall_us(),
        .sender = slice_of(from, 0),
        .user = SLICE_LITERAL("alice"),
        .mechanism = SLICE_LITERAL("PLAIN"),
        .listener = SLICE_LITERAL("submissions"),
        .client = SLICE_LITERAL("192.0.2.7"),
        .ehlo = SLICE_LITERAL("client.example"),
        .tls_version = SLICE_LITERAL("TLSv1.3"),
        .tls_cipher = SLICE_LITERAL("TLS_AES_256_GCM_SHA384"),
        .header_size = entry->header.len,
        .body_size = promise->likeness.body_size,
        .recipients = recipients,
        .recipient_count = promise->recipient_count,
    };

    envelope.sender.len =
        (size_t)snprintf(from, sizeof from, "s%zu.%u@example.org", promise->place, sender->index);
    for (size_t i = 0; i < promise->recipient_count; i++) {
        snprintf(addresses[i], sizeof addresses[i], "r%zu.%zu@%s", promise->place, i,
            domains[chance_below(chance, LENGTH_OF(domains))]);
        recipients[i] = (struct envelope_recipient){ .address = slice_text(addresses[i]) };
    }
    if (entry->file) {
        envelope.body_file = entry->file->number;
        envelope.body_checksum = entry->file->checksum;
    }
    if (envelope_pack(&entry->envelope, &envelope) != ERR_OK)
        abort();
    likeness_of_envelope(&envelope, promise->likeness.envelope);
}

static void give(struct sender *sender, struct entry *entry, struct promise *promise)
{
    pack_envelope(sender, entry, promise);
    if (entry_seal(entry) != ERR_OK)
        abort();
    promise->offered = (moment)recorder_note(sender->site->recorder);
    commit_give(&sender->commit, entry);
}

static void large_moved(void *owner)
{
    struct large *large = owner;
    struct entry *entry = large->entry;

    if (large->file->error == ERR_OK && !large->is_syncing) {
        large->is_syncing = true;
        body_file_sync(large->file);
        return;
    }
    if (large->file->error != ERR_OK) { /* 451; no record was ever written */
        large->promise->refused = (moment)recorder_note(large->sender->site->recorder);
        large->sender->site->refused++;
        large_free(large);
        return;
    }
    entry->file = large->file;
    large->file = NULL;
    large->entry = NULL;
    give(large->sender, entry, large->promise);
    large_free(large);
}

static bool begin_large(
    struct sender *sender, struct entry *entry, struct promise *promise, struct buffer *body)
{
    struct large *large = power_alloc(sizeof *large);

    large->sender = sender;
    large->entry = entry;
    large->promise = promise;
    large->file = spares_take(&sender->commit.spares, large_moved, large);
    if (!large->file) {
        free(large);
        return false;
    }
    DL_APPEND(sender->larges, large);
    sender->large_count++;
    buffer_put_slice(&large->file->filling, buffer_slice(body));
    body_file_write(large->file);
    return true;
}

bool sender_offer(struct sender *sender, size_t body_size, bool is_large)
{
    struct chance *chance = &sender->site->chance;
    struct entry *entry;
    struct promise *promise;
    struct buffer body;
    char header[256];
    int len;

    if (is_large && sender->commit.spares.count == 0)
        return false;
    entry = entry_new();
    promise = new_promise(sender->site);
    entry->id = promise->id;
    promise->recipient_count =
        chance_of(chance, 700) ? 1 : 1 + chance_below(chance, ORACLE_RECIPIENTS);
    len = snprintf(header, sizeof header,
        "From: a@example.org\r\nSubject: %zu\r\nMessage-ID: <%zu@example.org>\r\n\r\n",
        promise->place, promise->place);
    buffer_put(&entry->header, header, (size_t)len);
    likeness_digest(header, (size_t)len, promise->likeness.header);
    buffer_init(&body, 4 << 20);
    fill_text(chance, &body, body_size);
    likeness_digest(buffer_slice(&body).data, body.len, promise->likeness.body);
    promise->likeness.body_size = body.len;
    if (!is_large) {
        buffer_put_slice(&entry->body, buffer_slice(&body));
        give(sender, entry, promise);
    } else if (!begin_large(sender, entry, promise, &body)) {
        abort();
    }
    buffer_clear(&body);
    return true;
}
