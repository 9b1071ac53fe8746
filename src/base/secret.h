/* base/secret.h: bytes that must not be logged, swapped into a core file or left behind. The type
 * has no path to the logger: there is no log field for it. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/slice.h"

/* Embedded in its owner; data is owned and wiped by secret_clear. */
struct secret {
    char *data; /* NUL-ended beyond len, for libraries that want a C string */
    size_t len;
};

/* Copies the bytes. False without memory; the secret is then empty. The previous content is wiped.
 */
MUST_CHECK bool secret_set(struct secret *secret, struct slice bytes);
void secret_clear(struct secret *secret);

static inline struct slice secret_slice(const struct secret *secret)
{
    return slice_of(secret->data, secret->len);
}

/* Comparison whose time does not depend on the content. */
bool secret_equals(struct slice a, struct slice b);

#endif
