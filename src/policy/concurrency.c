/* policy/concurrency.c: the window of one destination. */
#include "policy/concurrency.h"

#include "base/macros.h"

static void grow(struct concurrency *c, uint32_t in_hand, uint32_t most)
{
    uint32_t due = c->is_careful ? CONCURRENCY_CARE * c->window : 1;

    if (in_hand < c->window || c->window >= most || ++c->taken < due)
        return;
    c->window++;
    c->taken = 0;
    /* It bears everything that it may get: what strained it has passed. */
    c->is_careful &= c->window < most;
}

static void shrink(struct concurrency *c, uint32_t in_hand)
{
    c->taken = 0;
    c->is_careful = true;
    if (in_hand <= c->window && c->window > 1)
        c->window /= 2;
}

void concurrency_learn(
    struct concurrency *c, enum concurrency_sign sign, uint32_t in_hand, uint32_t most)
{
    if (sign == CONCURRENCY_TOOK)
        grow(c, in_hand, most);
    else if (sign == CONCURRENCY_STRAINED || (sign == CONCURRENCY_UNREACHED && in_hand > 1))
        shrink(c, in_hand);
    else if (sign == CONCURRENCY_UNREACHED)
        *c = (struct concurrency){ .window = 1 };
    if (c->window > most)
        c->window = most;
}

bool concurrency_is_dead(enum concurrency_sign sign, uint32_t in_hand)
{
    return sign == CONCURRENCY_UNREACHED && in_hand <= 1;
}

bool concurrency_is_strain(uint16_t code, struct slice status)
{
    static const char *const strained[] = { "4.3.2", "4.4.5", "4.7.28" };

    for (size_t i = 0; i < LENGTH_OF(strained); i++)
        if (slice_is(status, strained[i]))
            return true;
    return code == 421;
}
