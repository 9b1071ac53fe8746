/* fetch/answer.c: the two fields that matter, Content-Type and Cache-Control. */
#include "fetch/answer.h"

static bool is_json(struct slice content_type)
{
    struct slice type = slice_trim(slice_first(content_type, slice_find(content_type, ';')));
    struct slice subtype = slice_from(type, slice_find(type, '/') + 1);
    struct slice suffix = slice_from(subtype, slice_find_last(subtype, '+') + 1);

    return slice_is_nocase(type, "application/json") ||
           (slice_starts_nocase(type, "application/") && suffix.len > 0 &&
               suffix.len < subtype.len && slice_is_nocase(suffix, "json"));
}

const char *answer_fault(unsigned status, struct slice content_type)
{
    if (status >= 300 && status <= 399)
        return "it sends us elsewhere, where we do not go";
    if (status == 401 || status == 403)
        return "it does not let us ask";
    if (status != 200)
        return "its status is not 200";
    return is_json(content_type) ? NULL : "its content is not JSON";
}

/* Takes one directive, up to a comma outside of quotes. */
static struct slice take(struct slice *rest)
{
    bool is_quoted = false;
    size_t len = 0;
    struct slice directive;

    while (len < rest->len && (is_quoted || rest->data[len] != ',')) {
        if (rest->data[len] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && rest->data[len] == '\\' && len + 1 < rest->len)
            len++;
        len++;
    }
    directive = slice_trim(slice_first(*rest, len));
    *rest = slice_from(*rest, len + 1);
    return directive;
}

static struct slice without_quotes(struct slice value)
{
    bool is_quoted = value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"';

    return is_quoted ? slice_of(value.data + 1, value.len - 2) : value;
}

bool answer_age(struct slice cache_control, uint64_t *out_seconds)
{
    uint64_t least = UINT64_MAX;

    while (cache_control.len > 0) {
        struct slice directive = take(&cache_control);
        size_t equals = slice_find(directive, '=');
        struct slice name = slice_trim(slice_first(directive, equals));
        uint64_t age = UINT64_MAX;

        if (slice_is_nocase(name, "no-store") || slice_is_nocase(name, "no-cache"))
            age = 0;
        else if (slice_is_nocase(name, "max-age") &&
                 !slice_number(without_quotes(slice_trim(slice_from(directive, equals + 1))),
                     ANSWER_AGE_MAX, &age))
            age = UINT64_MAX;
        if (age < least)
            least = age;
    }
    if (least == UINT64_MAX)
        return false;
    *out_seconds = least;
    return true;
}
