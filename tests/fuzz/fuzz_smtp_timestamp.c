/* tests/fuzz/fuzz_smtp_timestamp.c: a date of RFC 3339: what is taken in one form is the same in
 * every wider one, and is written and read back as the same moment. */
#include "fuzz.h"
#include "smtp/timestamp.h"

enum { ALL_FORMS = TIMESTAMP_OFFSETS | TIMESTAMP_FRACTIONS };

static void check_written(int64_t wall)
{
    char text[TIMESTAMP_TEXT + 1];
    int64_t again;

    timestamp_format(wall, text);
    REQUIRE(strlen(text) == TIMESTAMP_TEXT && timestamp_parse(slice_text(text), 0, &again));
    /* An offset may lead out of the years that can be written. */
    REQUIRE(again == wall || wall < INT64_C(-62135596800) || wall > INT64_C(253402300799));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    int64_t widest = 0, wall = 0;
    bool is_one = timestamp_parse(text, ALL_FORMS, &widest);

    for (unsigned forms = 0; forms < ALL_FORMS; forms++)
        if (timestamp_parse(text, forms, &wall))
            REQUIRE(is_one && wall == widest);
    if (is_one)
        check_written(widest);
    if (size == sizeof wall) {
        memcpy(&wall, data, size);
        check_written(wall);
    }
    return 0;
}
