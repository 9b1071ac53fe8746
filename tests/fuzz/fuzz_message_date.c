/* tests/fuzz/fuzz_message_date.c: a date that is read and written again is the same time;
 * Message-IDs are read, too. */
#include <stdlib.h>

#include "message/date.h"
#include "message/message_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    char again[DATE_TEXT + 1];
    int64_t wall, back;

    if (date_parse(text, &wall)) {
        /* The years 1900 to 9999, give or take the zone. */
        if (wall < INT64_C(-2208988800) - 360000 || wall > INT64_C(253402300800) + 360000)
            abort();
        date_format(wall, again);
        if (wall >= 0 && wall < INT64_C(253402300800) &&
            (!date_parse(slice_of(again, DATE_TEXT), &back) || back != wall))
            abort();
    }
    if (message_id_is_valid(text) &&
        (slice_find(text, '<') == size || slice_find(text, '@') == size))
        abort();
    return 0;
}
