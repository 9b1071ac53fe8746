/* vault/store.c: one thread that looks at the file's version and reads it when that is new. Those
 * who ask while it looks wait for the next look, since their operator may have changed the file
 * just now. */
#include "vault/store.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "net/hands.h"

/* A directory descriptor and a name in it; shared with the thread while it looks. */
struct place {
    int dir;
    char name[NAME_MAX + 1];
};

/* One look: what goes to the thread and what comes back. */
struct look {
    struct hand_job job;
    const struct place *place;
    bool has_known; /* there is a version whose result we have */
    struct users_stamp known;
    bool is_new;              /* the rest was read */
    struct users_stamp stamp; /* meaningless when the file could not be looked at */
    enum err error;
    struct users *users;
    struct users_report report;
};

struct store {
    struct hands *hands;
    struct place *place;      /* NULL: no user file */
    struct place *next_place; /* replaces place once the look under way is over */
    bool moved;
    bool is_looking;
    struct look look;
    uint64_t looks;             /* begun so far */
    struct store_wait *waiting; /* in the order of asking */
    struct users *users;
    enum err error;    /* of the version last read */
    enum err said;     /* what was complained of last */
    struct digest key; /* for inventions, where the file has none */
};

struct store *store_new(struct loop *loop)
{
    struct store *store = calloc(1, sizeof *store);

    if (!store)
        return NULL;
    store->hands = keyed_make(&store->key) ? hands_new(loop, "users", 1) : NULL;
    if (!store->hands) {
        free(store);
        return NULL;
    }
    return store;
}

static void place_free(struct place **place)
{
    if (*place)
        close((*place)->dir);
    free(*place);
    *place = NULL;
}

void store_free(struct store **store)
{
    struct store *gone = *store;

    if (!gone)
        return;
    assert(!gone->waiting);
    hands_free(&gone->hands);
    place_free(&gone->place);
    place_free(&gone->next_place);
    users_free(&gone->users);
    explicit_bzero(gone, sizeof *gone);
    free(gone);
    *store = NULL;
}

/* In the thread. */
static void look_work(struct hand_job *job)
{
    struct look *look = CONTAINER_OF(job, struct look, job);
    const struct place *place = look->place;

    look->error = users_stamp_read(place->dir, place->name, &look->stamp);
    if (look->error == ERR_OK && look->has_known && users_stamp_equals(&look->stamp, &look->known))
        return;
    look->is_new = true;
    if (look->error != ERR_OK)
        return;
    look->error = users_load(place->dir, place->name, &look->report, &look->users);
    if (look->error == ERR_OK)
        look->stamp = users_stamp_of(look->users);
}

static void say_problems(const struct place *place, const struct users_report *report)
{
    for (size_t i = 0; i < report->count && i < USERS_PROBLEMS_MAX; i++)
        log_event(LOG_WARNING, NULL, "user file has a fault", log_text("file", place->name),
            log_number("line", (int64_t)report->problems[i].line),
            log_text("fault", report->problems[i].text));
    if (report->count > USERS_PROBLEMS_MAX)
        log_event(LOG_WARNING, NULL, "user file has more faults", log_text("file", place->name),
            log_number("faults", (int64_t)report->count));
}

/* A version of the file that is wrong inside is looked at once; one that cannot even be looked at
 * is tried again for each login, and complained of once for each kind of failure. */
static bool is_content(enum err error)
{
    return error == ERR_INVALID || error == ERR_LIMIT;
}

static void complain(struct store *store, const struct look *look)
{
    if (is_content(look->error) || look->error != store->said) {
        say_problems(look->place, &look->report);
        log_event(LOG_ERROR, NULL, "user file cannot be used, nobody can log in",
            log_text("file", look->place->name), log_reason(look->error));
    }
    store->said = look->error;
}

static void take_over(struct store *store, struct look *look)
{
    store->error = look->error;
    look->known = look->stamp;
    look->has_known = look->error == ERR_OK || is_content(look->error);
    if (look->error != ERR_OK) {
        complain(store, look);
        return;
    }
    say_problems(look->place, &look->report);
    store->said = ERR_OK;
    users_free(&store->users);
    store->users = look->users;
    look->users = NULL;
    log_event(LOG_INFO, NULL, "user file read", log_text("file", look->place->name),
        log_number("users", (int64_t)users_count(store->users)));
}

/* ready may forget others that wait, so the list is looked at anew each time. */
static void release(struct store *store)
{
    uint64_t look = store->looks;

    while (store->waiting && store->waiting->look <= look) {
        struct store_wait *wait = store->waiting;

        store_forget(wait);
        wait->ready(wait, store->error);
    }
}

static void start_look(struct store *store);

static void settle_place(struct store *store)
{
    if (!store->moved)
        return;
    place_free(&store->place);
    store->place = store->next_place;
    store->next_place = NULL;
    store->moved = false;
    store->look.has_known = false;
}

static void look_done(struct hand_job *job)
{
    struct look *look = CONTAINER_OF(job, struct look, job);
    struct store *store = CONTAINER_OF(look, struct store, look);

    if (!look->place)
        store->error = ERR_NOTFOUND;
    else if (look->is_new)
        take_over(store, look);
    settle_place(store);
    release(store);
    store->is_looking = false;
    if (store->waiting)
        start_look(store);
}

static void no_place(struct hand_job *job UNUSED)
{
}

static void start_look(struct store *store)
{
    struct look *look = &store->look;

    store->looks++;
    store->is_looking = true;
    look->job = (struct hand_job){ .work = store->place ? look_work : no_place, .done = look_done };
    look->place = store->place;
    look->is_new = false;
    look->report.count = 0;
    hands_give(store->hands, &look->job);
}

bool store_set_place(struct store *store, int dir, struct slice name)
{
    struct place *place = NULL;

    if (dir >= 0) {
        place = name.len > 0 && name.len <= NAME_MAX ? calloc(1, sizeof *place) : NULL;
        if (!place) {
            close(dir);
            return false;
        }
        place->dir = dir;
        memcpy(place->name, name.data, name.len);
    }
    place_free(&store->next_place);
    store->next_place = place;
    store->moved = true;
    if (!store->is_looking)
        settle_place(store);
    return true;
}

void store_ask(struct store *store, struct store_wait *wait)
{
    wait->store = store;
    wait->look = store->looks + 1;
    DL_APPEND(store->waiting, wait);
    if (!store->is_looking)
        start_look(store);
}

void store_forget(struct store_wait *wait)
{
    if (!wait->store)
        return;
    DL_DELETE(wait->store->waiting, wait);
    wait->store = NULL;
}

const struct users *store_users(const struct store *store)
{
    return store->users;
}

const struct user *store_find(const struct store *store, struct slice login)
{
    return store->users ? users_find(store->users, login) : NULL;
}

static struct digest invent(const struct store *store, const char *label, struct slice name)
{
    struct digest key = store->key;
    struct slice own = store->users ? users_key(store->users) : slice_of(NULL, 0);

    if (own.len == DIGEST)
        memcpy(key.octets, own.data, DIGEST);
    return keyed_digest(&key, label, &name, 1);
}

const struct user *store_model(const struct store *store, struct slice name)
{
    struct digest digest = invent(store, "model", name);
    uint64_t pick;

    memcpy(&pick, digest.octets, sizeof pick);
    return store->users ? users_model(store->users, pick) : NULL;
}

void store_invent(const struct store *store, enum scram_hash hash, struct slice name,
    struct scram_verifier *out_verifier)
{
    const struct user *model = store_model(store, name);
    const struct scram_verifier *like = model ? user_scram(model, hash) : NULL;
    struct digest salt = invent(store, hash == SCRAM_SHA_1 ? "salt sha1" : "salt", name);
    struct digest stored = invent(store, "stored", name);
    struct digest server = invent(store, "server", name);
    struct scram_verifier verifier = {
        .hash = hash, .iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT
    };

    if (like) {
        verifier.iterations = like->iterations;
        verifier.salt_len = like->salt_len <= DIGEST ? like->salt_len : DIGEST;
    }
    memcpy(verifier.salt, salt.octets, verifier.salt_len);
    memcpy(verifier.stored_key, stored.octets, SCRAM_KEY);
    memcpy(verifier.server_key, server.octets, SCRAM_KEY);
    *out_verifier = verifier;
}

struct digest store_proof(const struct store *store, struct slice login)
{
    return invent(store, "proof", login);
}
