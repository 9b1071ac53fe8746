/* vault/sign.c: a job for each signature that cannot be made at once. */
#include "vault/sign.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "ipc/channel.h"
#include "net/hands.h"
#include "net/loop.h"

struct sign_job {
    struct hand_job job;
    struct sign_job *prev, *next; /* in the order of asking */
    struct sign *sign;
    struct asker *asker; /* NULL: gone, the work is for nobody */
    struct key *key;     /* held; NULL: waits for its snapshot */
    int64_t asked;
    uint64_t request;
    uint32_t number;
    enum tls_sign_algorithm algorithm;
    unsigned char input[TLS_SIGN_INPUT_MAX];
    size_t input_len;
    bool is_signed;
    unsigned char signature[TLS_SIGN_SIGNATURE_MAX];
    size_t signature_len;
};

struct sign {
    struct hands *hands;
    struct secrets *secrets;
    struct sign_job *jobs;
    size_t job_count;
    struct timer patience;
};

static void on_patience(void *owner);

struct sign *sign_new(struct loop *loop, struct secrets *secrets, unsigned threads)
{
    struct sign *sign = calloc(1, sizeof *sign);

    if (!sign)
        return NULL;
    sign->secrets = secrets;
    timer_init(&sign->patience, loop, on_patience, sign);
    sign->hands = hands_new(loop, "sign", threads);
    if (!sign->hands) {
        free(sign);
        return NULL;
    }
    return sign;
}

static void answer(struct asker *asker, uint64_t request, bool ok, struct slice signature)
{
    struct msg_signed message = { .request = request, .ok = ok, .signature = signature };

    channel_send(asker->channel, MSG_SIGNED, &message, -1);
}

static void drop(struct sign_job *job)
{
    struct sign *sign = job->sign;

    DL_DELETE(sign->jobs, job);
    sign->job_count--;
    key_free(&job->key);
    free(job);
}

static void work(struct hand_job *hand_job)
{
    struct sign_job *job = CONTAINER_OF(hand_job, struct sign_job, job);

    job->is_signed = key_sign(job->key, job->algorithm, slice_of(job->input, job->input_len),
        job->signature, &job->signature_len);
}

static void done(struct hand_job *hand_job)
{
    struct sign_job *job = CONTAINER_OF(hand_job, struct sign_job, job);

    if (job->asker)
        answer(job->asker, job->request, job->is_signed,
            slice_of(job->signature, job->is_signed ? job->signature_len : 0));
    drop(job);
}

static void refuse(struct asker *asker, const struct msg_sign *message, const char *why)
{
    log_event(LOG_WARNING, NULL, "signature refused",
        log_number("gate", channel_peer_index(asker->channel)), log_number("key", message->key),
        log_number("algorithm", message->algorithm), log_text("why", why));
    answer(asker, message->request, false, slice_of(NULL, 0));
}

static struct sign_job *keep(struct sign *sign, struct asker *asker, const struct msg_sign *message)
{
    struct sign_job *job = sign->job_count < SIGN_JOBS_MAX ? calloc(1, sizeof *job) : NULL;

    if (!job)
        return NULL;
    job->job = (struct hand_job){ .work = work, .done = done };
    job->sign = sign;
    job->asker = asker;
    job->asked = clock_mono_ms();
    job->request = message->request;
    job->number = message->key;
    job->algorithm = (enum tls_sign_algorithm)message->algorithm;
    job->input_len = message->input.len;
    memcpy(job->input, message->input.data, message->input.len);
    DL_APPEND(sign->jobs, job);
    sign->job_count++;
    return job;
}

static void give(struct sign_job *job, struct key *key)
{
    job->key = key_hold(key);
    hands_give(job->sign->hands, &job->job);
}

static void sign_now(struct key *key, struct asker *asker, const struct msg_sign *message)
{
    unsigned char signature[TLS_SIGN_SIGNATURE_MAX];
    size_t len;

    if (key_sign(key, (enum tls_sign_algorithm)message->algorithm, message->input, signature, &len))
        answer(asker, message->request, true, slice_of(signature, len));
    else
        refuse(asker, message, "not this key's algorithm, or not a handshake");
}

static void set_patience(struct sign *sign)
{
    if (!sign->patience.is_set)
        timer_set(&sign->patience, SIGN_WAIT_MS);
}

void sign_request(struct sign *sign, struct asker *asker, const struct msg_sign *message)
{
    struct key *key = NULL;
    struct sign_job *job;
    enum err rc = secrets_key(sign->secrets, message->key, &key);

    if (rc == ERR_NOTFOUND || message->algorithm > TLS_SIGN_LAST || message->input.len == 0 ||
        message->input.len > TLS_SIGN_INPUT_MAX) {
        refuse(asker, message, "no such key or algorithm");
        return;
    }
    if (key && key_is_quick(key)) {
        sign_now(key, asker, message);
        return;
    }
    job = keep(sign, asker, message);
    if (!job)
        refuse(asker, message, "too many signatures at once");
    else if (key)
        give(job, key);
    else
        set_patience(sign);
}

/* Jobs that still have no key: signed where there is one now, refused where they waited too long or
 * never will have one. */
static void look_again(struct sign *sign, int64_t now)
{
    struct sign_job *job, *next;
    bool waiting = false;

    DL_FOREACH_SAFE (sign->jobs, job, next) {
        struct key *key = NULL;
        enum err rc;

        if (job->key)
            continue;
        rc = secrets_key(sign->secrets, job->number, &key);
        if (key) {
            give(job, key);
        } else if (rc == ERR_NOTFOUND || now - job->asked >= SIGN_WAIT_MS) {
            answer(job->asker, job->request, false, slice_of(NULL, 0));
            drop(job);
        } else {
            waiting = true;
        }
    }
    if (waiting)
        set_patience(sign);
}

static void on_patience(void *owner)
{
    look_again(owner, clock_mono_ms());
}

void sign_retry(struct sign *sign)
{
    look_again(sign, clock_mono_ms());
}

void sign_forget_asker(struct sign *sign, struct asker *asker)
{
    struct sign_job *job, *next;

    DL_FOREACH_SAFE (sign->jobs, job, next) {
        if (job->asker != asker)
            continue;
        job->asker = NULL;
        if (!job->key)
            drop(job);
    }
}

size_t sign_busy(const struct sign *sign)
{
    return sign->job_count;
}
