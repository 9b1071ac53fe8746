/* vault/json.h: the little that the vault wants of JSON documents, on jansson. */
#ifndef VAULT_JSON_H
#define VAULT_JSON_H

#include <jansson.h>

#include "base/slice.h"

/* NULL: it is no JSON, or an object in it has a member twice. */
static inline json_t *json_load(struct slice text)
{
    return json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, NULL);
}

/* Of a string; the empty slice for everything else. */
static inline struct slice json_slice(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

static inline bool json_is_slice(const json_t *value, struct slice text)
{
    return json_is_string(value) && slice_equals(json_slice(value), text);
}

static inline bool json_has_text(const json_t *object, const char *name, const char *text)
{
    return json_is_slice(json_object_get(object, name), slice_text(text));
}

#endif
