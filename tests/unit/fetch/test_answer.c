/* tests/unit/fetch/test_answer.c: which answers are documents, and how long they may be kept. */
#include "../check.h"

#include "fetch/answer.h"

static const struct {
    const char *name;
    unsigned status;
    const char *type;
    const char *why; /* NULL: it is a document */
} documents[] = {
    { "SASL-11 plain", 200, "application/json", NULL },
    { "SASL-11 case and parameters", 200, "Application/JSON ; charset=utf-8", NULL },
    { "SASL-11 a key set", 200, "application/jwk-set+json", NULL },
    { "SASL-11 an answer of introspection", 200, "application/token-introspection+JSON;a=b", NULL },
    { "SASL-11 a page", 200, "text/html", "its content is not JSON" },
    { "SASL-11 no type", 200, "", "its content is not JSON" },
    { "SASL-11 a type that begins so", 200, "application/jsonp", "its content is not JSON" },
    { "SASL-11 a suffix alone", 200, "application/+json2", "its content is not JSON" },
    { "SASL-11 another tree", 200, "text/a+json", "its content is not JSON" },
    { "SASL-11 json without plus", 200, "application/x-json", "its content is not JSON" },
    { "SASL-11 two types", 200, "text/html, application/json", "its content is not JSON" },
    { "SASL-11 nothing", 204, "application/json", "its status is not 200" },
    { "SASL-11 a part", 206, "application/json", "its status is not 200" },
    { "SASL-11 moved", 301, "application/json", "it sends us elsewhere, where we do not go" },
    { "SASL-11 not modified", 304, "application/json",
        "it sends us elsewhere, where we do not go" },
    { "SASL-11 last redirect", 399, "application/json",
        "it sends us elsewhere, where we do not go" },
    { "SASL-11 who are you", 401, "application/json", "it does not let us ask" },
    { "SASL-11 not you", 403, "application/json", "it does not let us ask" },
    { "SASL-11 not there", 404, "application/json", "its status is not 200" },
    { "SASL-11 broken", 500, "application/json", "its status is not 200" },
    { "SASL-11 none", 0, "", "its status is not 200" },
};

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(documents); i++) {
        const char *why = answer_fault(documents[i].status, slice_text(documents[i].type));

        if (!why != !documents[i].why || (why && strcmp(why, documents[i].why) != 0))
            fail_msg("%s: %s", documents[i].name, why ? why : "a document");
    }
}

static const struct {
    const char *field;
    int64_t age; /* -1: does not say */
} ages[] = {
    { "", -1 },
    { "max-age=0", 0 },
    { "max-age=600", 600 },
    { "MAX-AGE=600", 600 },
    { "max-age=\"600\"", 600 },
    { "public, max-age=600, must-revalidate", 600 },
    { "public,max-age=600", 600 },
    { " , ,max-age=600,,", 600 },
    { "max-age=600, max-age=60", 60 },
    { "max-age=315360000", 315360000 },
    { "max-age=315360001", -1 },
    { "max-age=99999999999999999999", -1 },
    { "max-age=-1", -1 },
    { "max-age=", -1 },
    { "max-age", -1 },
    { "max-age=1x", -1 },
    { "max-age=\"600", -1 },
    { "s-maxage=600", -1 },
    { "x-max-age=600", -1 },
    { "no-store", 0 },
    { "no-cache, max-age=600", 0 },
    { "max-age=600, No-Store", 0 },
    { "no-cache=\"Set-Cookie\", max-age=600", 0 },
    { "x=\"a, max-age=1\", max-age=600", 600 },
    { "x=\"a\\\", max-age=1\", max-age=600", 600 },
    { "x=\"a\\", -1 },
    { "x=\"a", -1 },
    { "private", -1 },
};

static void test_ages(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(ages); i++) {
        size_t len = strlen(ages[i].field);
        char *copy = malloc(len + 1); /* so that a read behind its end is seen */
        uint64_t seconds = 12345;
        bool says;

        assert_non_null(copy);
        memcpy(copy, ages[i].field, len);
        copy = realloc(copy, len > 0 ? len : 1);
        assert_non_null(copy);
        says = answer_age(slice_of(copy, len), &seconds);
        if (says != (ages[i].age >= 0) || seconds != (says ? (uint64_t)ages[i].age : 12345))
            fail_msg("%s: %d %ju", ages[i].field, says, (uintmax_t)seconds);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_ages),
    };

    return cmocka_run_group_tests_name("fetch/answer", tests, NULL, NULL);
}
