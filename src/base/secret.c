/* base/secret.c: wiping. */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

bool secret_set(struct secret *secret, struct slice bytes)
{
    secret_clear(secret);
    secret->data = malloc(bytes.len + 1);
    if (!secret->data)
        return false;
    if (bytes.len > 0)
        memcpy(secret->data, bytes.data, bytes.len);
    secret->data[bytes.len] = '\0';
    secret->len = bytes.len;
    return true;
}

void secret_clear(struct secret *secret)
{
    if (secret->data) {
        explicit_bzero(secret->data, secret->len);
        free(secret->data);
    }
    *secret = (struct secret){ 0 };
}

bool secret_equals(struct slice a, struct slice b)
{
    unsigned char difference = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference |= (unsigned char)(a.data[i] ^ b.data[i]);
    return difference == 0;
}
