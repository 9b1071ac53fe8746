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

static struct slice trimmed(struct slice text)
{
    while (text.len > 0 && memchr(" \t\r\n", text.data[0], 4))
        text = slice_from(text, 1);
    while (text.len > 0 && memchr(" \t\r\n", text.data[text.len - 1], 4))
        text.len--;
    return text;
}

/* White space may stand around the words, also where the field is folded, and not within them. */
static bool pack_words(struct arena *arena, struct slice body, struct slice *out_words)
{
    char *packed = arena_alloc(arena, body.len + 1);
    size_t len = 0;

    if (!packed)
        return false;
    for (;;) {
        size_t comma = slice_find(body, ',');
        struct slice word = trimmed(slice_first(body, comma));

        if (word.len > 0)
            memcpy(packed + len, word.data, word.len);
        len += word.len;
        if (comma == body.len)
            break;
        packed[len++] = ',';
        body = slice_from(body, comma + 1);
    }
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
