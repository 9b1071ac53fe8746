/* gate/exchange.h: one AUTH exchange, from the command to the vault's last word. */
#ifndef GATE_EXCHANGE_H
#define GATE_EXCHANGE_H

#include <stdbool.h>

#include "base/secret.h"

enum { MECHANISM_NAME_MAX = 20 };

enum exchange_state {
    EXCHANGE_BEGUN,   /* the vault has answered nothing yet: the beginning can be sent again */
    EXCHANGE_TALKING, /* what the vault knows of it dies with the vault */
    EXCHANGE_LOST,    /* it has died */
};

struct exchange {
    enum exchange_state state;
    char mechanism[MECHANISM_NAME_MAX + 1]; /* upper case */
    bool has_initial;
    struct secret initial; /* EXCHANGE_BEGUN only: decoded, wiped as soon as the vault has it */
};

#endif
