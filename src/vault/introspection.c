/* vault/introspection.c: active, and then the claims as of a token that says them itself. */
#include "vault/introspection.h"

#include "vault/json.h"

enum err introspection_read(struct slice document, const struct claim_rules *rules, int64_t now,
    const char **out_why, struct login *out_login, int64_t *out_until)
{
    json_t *json = json_load(document);
    const json_t *active = json_object_get(json, "active");
    enum err rc = json_is_boolean(active) ? ERR_OK : ERR_INVALID;

    if (rc == ERR_OK)
        *out_why = json_is_true(active) ? claims_check(json, rules, now, out_login, out_until)
                                        : "not active";
    json_decref(json);
    return rc;
}
