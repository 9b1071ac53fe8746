/* tests/fuzz/fuzz_fetch_answer.c: the fields of an HTTP answer: a status of three digits, then the
 * two fields, a line each. */
#include "fuzz.h"

#include "fetch/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct slice status_text = take_until(&rest, '\n');
    struct slice type = take_until(&rest, '\n');
    char *type_copy = copy_of(type);
    char *control_copy = copy_of(rest);
    uint64_t status = 200, age = UINT64_MAX;
    const char *why;

    if (slice_number(status_text, 999, &status))
        REQUIRE(status <= 999);
    why = answer_fault((unsigned)status, slice_of(type_copy, type.len));
    REQUIRE(why || status == 200);
    if (answer_age(slice_of(control_copy, rest.len), &age))
        REQUIRE(age <= ANSWER_AGE_MAX);
    else
        REQUIRE(age == UINT64_MAX);
    free(type_copy);
    free(control_copy);
    return 0;
}
