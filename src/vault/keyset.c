/* vault/keyset.c: when to ask for keys, and which to keep. */
#include "vault/keyset.h"

#include "base/clock.h"
#include "base/log.h"

static void ask(struct keyset *keyset);

static bool is_busy(const struct keyset *keyset)
{
    return keyset->ask.until != 0 || keyset->is_reading;
}

static void on_refresh(void *owner)
{
    ask(owner);
}

uint64_t keyset_pause(bool has_age, uint64_t age_most)
{
    uint64_t pause = has_age ? age_most : KEYSET_PRESET_S;

    return pause < KEYSET_LEAST_S ? KEYSET_LEAST_S : pause > KEYSET_MOST_S ? KEYSET_MOST_S : pause;
}

static void settle(struct keyset *keyset, uint64_t pause_s)
{
    timer_set(&keyset->refresh, (int64_t)pause_s * 1000);
    keyset->settled(keyset);
}

static void on_answer(struct fetch_ask *fetch, const struct msg_fetched *answer)
{
    struct keyset *keyset = CONTAINER_OF(fetch, struct keyset, ask);

    if (!answer) {
        settle(keyset, KEYSET_RETRY_S);
        return;
    }
    buffer_reset(&keyset->fresh);
    buffer_put_slice(&keyset->fresh, answer->document);
    keyset->age_s = keyset_pause(answer->has_age, answer->age_most);
    keyset->is_reading = true;
    keyset->read(keyset);
}

static const char *fault_of(enum err result)
{
    return result == ERR_INVALID    ? "it is not written as one"
           : result == ERR_NOTFOUND ? "no key in it is for signatures that we know"
                                    : err_text(result);
}

void keyset_read(struct keyset *keyset, enum err result)
{
    struct buffer old = keyset->good;
    bool is_good = result == ERR_OK;

    keyset->is_reading = false;
    if (keyset->is_stale) {
        keyset->is_stale = false;
        if (keyset->is_on)
            ask(keyset);
        return;
    }
    if (is_good) {
        keyset->good = keyset->fresh;
        keyset->fresh = old;
    } else {
        log_event(LOG_ERROR, NULL, "what was fetched is no key set",
            log_text("why", fault_of(result)), log_number("octets", (int64_t)keyset->fresh.len),
            log_text("effect", old.len > 0 ? "the one before stays" : "no token is accepted"));
    }
    settle(keyset, is_good ? keyset->age_s : KEYSET_RETRY_S);
}

static void ask(struct keyset *keyset)
{
    if (is_busy(keyset))
        return;
    timer_stop(&keyset->refresh);
    keyset->ask = (struct fetch_ask){ .target = FETCH_KEYS, .done = on_answer };
    fetcher_ask(keyset->fetcher, &keyset->ask);
}

void keyset_init(struct keyset *keyset, struct loop *loop, struct fetcher *fetcher)
{
    *keyset = (struct keyset){ .fetcher = fetcher };
    timer_init(&keyset->refresh, loop, on_refresh, keyset);
    buffer_init(&keyset->good, FETCH_DOCUMENT_MAX);
    buffer_init(&keyset->fresh, FETCH_DOCUMENT_MAX);
}

void keyset_clear(struct keyset *keyset)
{
    keyset_end(keyset);
    buffer_clear(&keyset->good);
    buffer_clear(&keyset->fresh);
}

void keyset_end(struct keyset *keyset)
{
    fetcher_cancel(keyset->fetcher, &keyset->ask);
    timer_stop(&keyset->refresh);
    keyset->is_on = false;
    keyset->is_stale = keyset->is_reading;
}

void keyset_begin(struct keyset *keyset, bool is_same)
{
    keyset_end(keyset);
    keyset->is_on = true;
    if (!is_same)
        buffer_reset(&keyset->good);
    keyset->has_demand = false;
    ask(keyset);
}

bool keyset_has_keys(const struct keyset *keyset)
{
    return keyset->good.len > 0;
}

bool keyset_demand(struct keyset *keyset)
{
    int64_t now = clock_mono_ms();
    int64_t pause = keyset_has_keys(keyset) ? KEYSET_DEMAND_MS : KEYSET_HASTE_MS;

    if (!keyset->is_on || is_busy(keyset))
        return keyset->is_on;
    if (keyset->has_demand && now - keyset->demanded_ms < pause)
        return false;
    keyset->has_demand = true;
    keyset->demanded_ms = now;
    ask(keyset);
    return true;
}
