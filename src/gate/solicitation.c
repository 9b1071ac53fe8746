/* gate/solicitation.c: words of SOLICIT and of the header field. */
#include "gate/solicitation.h"

#include "smtp/parameters.h"

static bool is_class(const struct conf_extensions *extensions, struct slice word)
{
    for (size_t i = 0; i < extensions->no_soliciting_count; i++)
        if (slice_equals_nocase(extensions->no_soliciting[i].text, word))
            return true;
    return false;
}

bool solicitation_is_refused(const struct conf_extensions *extensions, struct slice words)
{
    while (words.len > 0) {
        struct slice word = slice_first(words, slice_find(words, ','));

        if (is_class(extensions, word))
            return true;
        words = slice_from(words, word.len + 1);
    }
    return false;
}

static const struct header_field *field_find(const struct header_index *index, size_t *out_count)
{
    const struct header_field *found = NULL;

    *out_count = 0;
    for (size_t i = 0; i < index->count; i++)
        if (slice_is_nocase(index->fields[i].name, "Solicitation")) {
            found = &index->fields[i];
            ++*out_count;
        }
    return found;
}

/* White space may stand around commas and where the field is folded. */
static bool pack_words(struct arena *arena, struct slice body, struct slice *out_words)
{
    char *packed = arena_alloc(arena, body.len + 1);
    size_t len = 0;

    if (!packed)
        return false;
    for (size_t i = 0; i < body.len; i++)
        if (!memchr(" \t\r\n", body.data[i], 4))
            packed[len++] = body.data[i];
    *out_words = slice_of(packed, len);
    return solicit_is_valid(*out_words);
}

bool solicitation_read(
    const struct header_index *index, struct arena *arena, struct slice *out_words)
{
    size_t count;
    const struct header_field *field = field_find(index, &count);
    struct slice words = { 0 };

    if (count > 1 || (field && !pack_words(arena, field->body, &words)))
        return false;
    *out_words = words;
    return true;
}
