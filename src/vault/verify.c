/* vault/verify.c: a queue for each source, a ring of the sources that have something waiting, as
 * many checks in the hands as there are threads. */
#include "vault/verify.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"

struct source {
    struct client_key client;
    struct source *prev, *next; /* in the ring, the one whose turn it is first */
    struct check *waiting;      /* oldest first */
    size_t count;
    UT_hash_handle hh;
};

struct verifier {
    struct hands *hands;
    unsigned threads;
    unsigned working;
    size_t waiting;
    size_t waiting_max;
    bool is_ending;
    struct source *by_client;
    struct source *ring;
    char decoy[PASSWORD_HASH_MAX + 1]; /* what a hash of a new user costs */
};

struct verifier *verifier_new(struct loop *loop, unsigned threads, size_t waiting)
{
    struct verifier *verifier = calloc(1, sizeof *verifier);

    if (!verifier)
        return NULL;
    verifier->threads = threads;
    verifier->waiting_max = waiting;
    if (password_hash(slice_text("decoy"), verifier->decoy) == ERR_OK)
        verifier->hands = hands_new(loop, "verify", threads);
    if (!verifier->hands) {
        free(verifier);
        return NULL;
    }
    return verifier;
}

void check_clear(struct check *check)
{
    secret_clear(&check->password);
    explicit_bzero(check->hash, sizeof check->hash);
    explicit_bzero(&check->scram, sizeof check->scram);
    explicit_bzero(&check->apps, sizeof check->apps);
    explicit_bzero(check->app_keys, sizeof check->app_keys);
}

/* Those that are over cost as much as the others. */
static void fill_apps(struct check *check, const struct user *user)
{
    check->apps = user->apps->scram;
    for (const struct app *app = user->apps; app && check->app_count < USER_APPS_MAX;
         app = app->next)
        memcpy(check->app_keys[check->app_count++], app->scram.stored_key, SCRAM_KEY);
}

void check_fill(struct check *check, const struct verifier *verifier, const struct user *user,
    const struct user *model)
{
    const struct user *like = user ? user : model;
    struct slice hash = like ? like->hash : slice_text(verifier->decoy);

    assert(hash.len <= PASSWORD_HASH_MAX);
    if (hash.len > 0)
        memcpy(check->hash, hash.data, hash.len);
    check->hash[hash.len] = '\0';
    if (like)
        check->scram = like->scram;
    if (like && like->apps)
        fill_apps(check, like);
    check->is_decoy = !user;
}

/* RFC 5802 section 3: the right password gives the stored key again. */
static bool scram_matches(struct slice password, const struct scram_verifier *want)
{
    struct scram_verifier got;
    bool same;

    if (want->iterations == 0 ||
        scram_derive(want->hash, password, slice_of(want->salt, want->salt_len), want->iterations,
            &got) != ERR_OK)
        return false;
    same =
        secret_equals(slice_of(got.stored_key, SCRAM_KEY), slice_of(want->stored_key, SCRAM_KEY));
    explicit_bzero(&got, sizeof got);
    return same;
}

/* Is it one of the app passwords? One derivation for all of them. */
static bool is_app(struct check *check, struct slice password)
{
    struct scram_verifier got;

    if (scram_derive(check->apps.hash, password, slice_of(check->apps.salt, check->apps.salt_len),
            check->apps.iterations, &got) != ERR_OK)
        return false;
    for (size_t i = 0; i < check->app_count; i++)
        if (secret_equals(
                slice_of(got.stored_key, SCRAM_KEY), slice_of(check->app_keys[i], SCRAM_KEY)))
            check->app = i;
    explicit_bzero(&got, sizeof got);
    return check->app < check->app_count;
}

/* In a worker thread. */
static void work(struct hand_job *job)
{
    struct check *check = CONTAINER_OF(job, struct check, job);
    struct slice password = secret_slice(&check->password);
    bool same = check->hash[0] != '\0' ? password_verify(password, slice_text(check->hash))
                                       : scram_matches(password, &check->scram);

    check->app = check->app_count;
    if (!same && check->app_count > 0)
        same = is_app(check, password);
    check->result = same && !check->is_decoy ? CHECK_RIGHT : CHECK_WRONG;
}

static struct source *source_find(struct verifier *verifier, const struct client_key *client)
{
    struct source *source;

    HASH_FIND(hh, verifier->by_client, client, sizeof *client, source);
    if (source)
        return source;
    source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->client = *client;
    HASH_ADD(hh, verifier->by_client, client, sizeof source->client, source);
    DL_APPEND(verifier->ring, source);
    return source;
}

/* Takes a waiting check out; a source with nothing left is gone. */
static void take_out(struct verifier *verifier, struct check *check)
{
    struct source *source = check->source;

    DL_DELETE(source->waiting, check);
    check->source = NULL;
    verifier->waiting--;
    if (--source->count > 0)
        return;
    DL_DELETE(verifier->ring, source);
    HASH_DELETE(hh, verifier->by_client, source);
    free(source);
}

/* The oldest check of the source whose turn it is, which then goes to the end of the ring. */
static struct check *take_next(struct verifier *verifier)
{
    struct source *source = verifier->ring;
    struct check *check = source->waiting;

    DL_DELETE(verifier->ring, source);
    DL_APPEND(verifier->ring, source);
    take_out(verifier, check);
    return check;
}

static void give_back(struct check *check, enum check_result result)
{
    check->result = result;
    check->done(check);
}

static void start_next(struct verifier *verifier)
{
    while (verifier->waiting > 0 && verifier->working < verifier->threads && !verifier->is_ending) {
        struct check *check = take_next(verifier);
        enum check_result foreseen = check->foresee ? check->foresee(check) : CHECK_NEEDED;

        if (foreseen != CHECK_NEEDED) {
            give_back(check, foreseen);
            continue;
        }
        verifier->working++;
        hands_give(verifier->hands, &check->job);
    }
}

static void done(struct hand_job *job)
{
    struct check *check = CONTAINER_OF(job, struct check, job);
    struct verifier *verifier = check->verifier;

    verifier->working--;
    check->done(check);
    start_next(verifier);
}

/* Who has most in the queue. Asked only when the queue is full. */
static struct source *greediest(struct verifier *verifier)
{
    struct source *source, *most = verifier->ring;

    DL_FOREACH (verifier->ring, source)
        if (source->count > most->count)
            most = source;
    return most;
}

static void make_room(struct verifier *verifier, struct source *source)
{
    struct check *newest = source->waiting->prev; /* of a utlist the head's prev is the last */

    take_out(verifier, newest);
    give_back(newest, CHECK_OVERLOAD);
}

bool verifier_give(struct verifier *verifier, struct check *check)
{
    struct source *own = source_find(verifier, &check->client);

    if (!own)
        return false;
    own->count++;
    check->verifier = verifier;
    check->source = own;
    check->job = (struct hand_job){ .work = work, .done = done };
    DL_APPEND(own->waiting, check);
    verifier->waiting++;
    if (verifier->waiting > verifier->waiting_max) {
        struct source *most = greediest(verifier);

        if (own->count >= most->count) {
            take_out(verifier, check);
            return false;
        }
        make_room(verifier, most);
    }
    start_next(verifier);
    return true;
}

bool verifier_take_back(struct verifier *verifier, struct check *check)
{
    if (!check->source)
        return false;
    take_out(verifier, check);
    return true;
}

void verifier_free(struct verifier **verifier)
{
    struct verifier *gone = *verifier;

    if (!gone)
        return;
    gone->is_ending = true;
    while (gone->waiting > 0)
        give_back(take_next(gone), CHECK_OVERLOAD);
    hands_free(&gone->hands);
    free(gone);
    *verifier = NULL;
}
