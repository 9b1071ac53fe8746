/* net/tls_signer.c: requests for signatures from the pause of a handshake to the answer of the
 * vault; some are with the vault, the others in line. Owns struct tls_pending. A request may
 * outlive its stream (parked); a handshake never outlives its stream. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/async.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "net/tls_internal.h"

enum {
    /* Each waiting handshake holds a stack of 32 KiB; those above this number wait for a place
     * (SEC-3). */
    PLACES = 512,
    /* Wishes that the vault has in hand. The others wait here, where one whose peer goes away in
     * the meantime costs no signature: a slow key signs some hundred times a second, and a stranger
     * drops thousands of handshakes in that time. */
    ASKED_MOST = 64,
};

enum err tls_signer_new(tls_sign_fn *fn, void *owner, struct tls_signer **out_signer)
{
    struct tls_signer *signer = calloc(1, sizeof *signer);
    unsigned char warm[16];

    if (!signer)
        return ERR_NOMEM;
    signer->fn = fn;
    signer->owner = owner;
    signer->library = OSSL_LIB_CTX_new();
    /* What OpenSSL would open or ask for late is had here. */
    if (!signer->library || !OPENSSL_init_ssl(0, NULL) ||
        !OSSL_PROVIDER_add_builtin(signer->library, "submitd", tls_provider_init) ||
        !(signer->standard = OSSL_PROVIDER_load(signer->library, "default")) ||
        !(signer->remote = OSSL_PROVIDER_load(signer->library, "submitd")) ||
        !ASYNC_init_thread(PLACES, 0) ||
        RAND_bytes_ex(signer->library, warm, sizeof warm, 0) != 1) {
        ERR_clear_error();
        tls_signer_free(&signer);
        return ERR_NOMEM;
    }
    *out_signer = signer;
    return ERR_OK;
}

static void forget(struct tls_signer *signer, struct tls_pending *pending)
{
    HASH_DEL(signer->pending, pending);
    if (pending->is_in_line)
        DL_DELETE2(signer->line, pending, previous, next);
    if (pending->state == PENDING_ASKED)
        signer->asked--;
    if (pending->session)
        pending->session->pending = NULL;
    else
        signer->parked--;
    free(pending);
}

void tls_signer_free(struct tls_signer **signer)
{
    struct tls_pending *pending;
    struct tls_pending *next;

    if (!*signer)
        return;
    assert((*signer)->servers == 0 && !(*signer)->starved);
    HASH_ITER (hh, (*signer)->pending, pending, next) {
        assert(!pending->session);
        forget(*signer, pending);
    }
    OSSL_PROVIDER_unload((*signer)->remote);
    OSSL_PROVIDER_unload((*signer)->standard);
    OSSL_LIB_CTX_free((*signer)->library);
    ASYNC_cleanup_thread();
    free(*signer);
    *signer = NULL;
}

static struct tls_pending *pending_new(struct tls_signer *signer, uint32_t key,
    enum tls_sign_algorithm algorithm, const unsigned char *input, size_t input_len)
{
    struct tls_pending *pending;

    if (input_len == 0 || input_len > TLS_SIGN_INPUT_MAX)
        return NULL;
    pending = calloc(1, sizeof *pending);
    if (!pending)
        return NULL;
    memcpy(pending->input, input, input_len);
    pending->request = (struct tls_sign_request){
        .number = ++signer->last_number,
        .key = key,
        .algorithm = algorithm,
        .input = slice_of(pending->input, input_len),
    };
    pending->session = signer->current;
    pending->session->pending = pending;
    HASH_ADD(hh, signer->pending, request.number, sizeof pending->request.number, pending);
    return pending;
}

/* On the job's small stack: the wish goes out on the ordinary one, see tls_signer_ask. */
bool tls_signer_wait(struct tls_signer *signer, uint32_t key, enum tls_sign_algorithm algorithm,
    const unsigned char *input, size_t input_len, unsigned char *out_signature, size_t size,
    size_t *out_len)
{
    struct tls_pending *pending;
    bool ok;

    if (!signer->current || signer->current->pending || !ASYNC_get_current_job())
        return false;
    pending = pending_new(signer, key, algorithm, input, input_len);
    if (!pending)
        return false;
    while (pending->session && (pending->state == PENDING_NEW || pending->state == PENDING_ASKED))
        if (!ASYNC_pause_job())
            return false;
    ok = pending->session && pending->state == PENDING_SIGNED && pending->signature_len <= size;
    if (ok) {
        memcpy(out_signature, pending->signature, pending->signature_len);
        *out_len = pending->signature_len;
    }
    if (pending->session)
        pending->session->is_unsigned = !ok && pending->state != PENDING_GONE;
    if (pending->session || pending->state != PENDING_ASKED)
        forget(signer, pending);
    return ok;
}

/* While a handshake waits for its signature nobody watches the descriptor. Input that nobody asked
 * for may hide a reset from recv, not from SO_ERROR. */
static bool is_peer_gone(const struct tls_session *session)
{
    char octet;
    ssize_t got = recv(session->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    int error = 0;
    socklen_t len = sizeof error;

    if (got <= 0)
        return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    return getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0;
}

/* A handshake whose peer has gone goes on without a signature, and ends. */
static void ask(struct tls_signer *signer, struct tls_pending *pending)
{
    if (is_peer_gone(pending->session)) {
        pending->state = PENDING_GONE;
        pending->session->wake(pending->session->owner);
        return;
    }
    pending->state = PENDING_ASKED;
    signer->asked++;
    signer->fn(signer->owner, &pending->request);
}

static void ask_next(struct tls_signer *signer)
{
    while (signer->line && signer->asked < ASKED_MOST) {
        struct tls_pending *pending = signer->line;

        DL_DELETE2(signer->line, pending, previous, next);
        pending->is_in_line = false;
        ask(signer, pending);
    }
}

void tls_signer_ask(struct tls_signer *signer, struct tls_session *session)
{
    struct tls_pending *pending = session->pending;

    if (pending && pending->state == PENDING_NEW && !pending->is_in_line) {
        DL_APPEND2(signer->line, pending, previous, next);
        pending->is_in_line = true;
    }
    ask_next(signer);
}

void tls_signer_park(struct tls_signer *signer, struct tls_session *session)
{
    session->pending->session = NULL;
    session->pending = NULL;
    signer->parked++;
}

static struct tls_pending *find(struct tls_signer *signer, uint64_t number)
{
    struct tls_pending *pending;

    HASH_FIND(hh, signer->pending, &number, sizeof number, pending);
    return pending;
}

bool tls_sign_done(struct tls_signer *signer, uint64_t number, struct slice signature)
{
    struct tls_pending *pending = find(signer, number);

    if (!pending || pending->state != PENDING_ASKED)
        return false;
    if (!pending->session) {
        forget(signer, pending);
        ask_next(signer);
        return true;
    }
    signer->asked--;
    pending->state = PENDING_FAILED;
    if (signature.len > 0 && signature.len <= sizeof pending->signature) {
        memcpy(pending->signature, signature.data, signature.len);
        pending->signature_len = signature.len;
        pending->state = PENDING_SIGNED;
    }
    pending->session->wake(pending->session->owner);
    ask_next(signer);
    return true;
}

void tls_signer_resend(struct tls_signer *signer)
{
    struct tls_pending *pending;
    struct tls_pending *next;

    HASH_ITER (hh, signer->pending, pending, next) {
        if (!pending->session)
            forget(signer, pending);
        else if (pending->state == PENDING_ASKED)
            signer->fn(signer->owner, &pending->request);
    }
    ask_next(signer);
}

size_t tls_signer_waiting(const struct tls_signer *signer)
{
    return HASH_COUNT(signer->pending);
}

size_t tls_signer_parked(const struct tls_signer *signer)
{
    return signer->parked;
}

void tls_signer_starve(struct tls_signer *signer, struct tls_session *session)
{
    DL_APPEND2(signer->starved, session, previous, next);
    session->is_starved = true;
}

/* Each step of a handshake may have freed a place, so each calls this; one too many does no harm.
 */
void tls_signer_feed(struct tls_signer *signer)
{
    struct tls_session *session = signer->starved;

    if (!session)
        return;
    DL_DELETE2(signer->starved, session, previous, next);
    session->is_starved = false;
    session->wake(session->owner);
}
