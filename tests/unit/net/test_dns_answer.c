/* DNS answers as a hostile server might write them: OUT-1 (CNAME chains), OUT-3 (null MX), and
 * every cut and flip. */
#include "../check.h"

#include "base/buffer.h"
#include "net/dns_answer.h"

static void put_u16(struct buffer *b, unsigned v)
{
    buffer_put_char(b, (char)(v >> 8));
    buffer_put_char(b, (char)v);
}

static void put_name(struct buffer *b, const char *name)
{
    while (*name) {
        const char *dot = strchr(name, '.');
        size_t len = dot ? (size_t)(dot - name) : strlen(name);
        buffer_put_char(b, (char)len);
        buffer_put(b, name, len);
        name += len + (dot ? 1 : 0);
    }
    buffer_put_char(b, '\0');
}

static void put_header(
    struct buffer *b, unsigned rcode, unsigned answers, const char *question, enum dns_type type)
{
    buffer_init(b, 65536);
    put_u16(b, 7);
    put_u16(b, 0x8180 | rcode);
    put_u16(b, 1);
    put_u16(b, answers);
    put_u16(b, 0);
    put_u16(b, 0);
    put_name(b, question);
    put_u16(b, type);
    put_u16(b, 1);
}

static void put_record(
    struct buffer *b, const char *owner, enum dns_type type, const void *data, size_t len)
{
    if (owner)
        put_name(b, owner);
    else
        put_u16(b, 0xc00c); /* a pointer to the question */
    put_u16(b, type);
    put_u16(b, 1);
    put_u16(b, 0);
    put_u16(b, 300);
    put_u16(b, (unsigned)len);
    buffer_put(b, data, len);
}

static void put_mx(struct buffer *b, const char *owner, unsigned preference, const char *exchange)
{
    struct buffer data;

    buffer_init(&data, 1000);
    put_u16(&data, preference);
    put_name(&data, exchange);
    put_record(b, owner, DNS_MX, data.data, data.len);
    buffer_clear(&data);
}

static void put_cname(struct buffer *b, const char *owner, const char *target)
{
    struct buffer data;

    buffer_init(&data, 1000);
    put_name(&data, target);
    put_record(b, owner, DNS_CNAME, data.data, data.len);
    buffer_clear(&data);
}

/* Parses an exact heap copy, so that the address sanitizer sees one octet too many. */
static enum err parse(struct slice packet, const char *name, enum dns_type type,
    struct arena *arena, struct dns_answer *out)
{
    char *copy = malloc(packet.len ? packet.len : 1);
    enum err rc;

    assert_non_null(copy);
    memcpy(copy, packet.data, packet.len);
    rc = dns_answer_parse(slice_of(copy, packet.len), slice_text(name), type, arena, out);
    free(copy);
    return rc;
}

static void test_mx_through_a_chain(void **state)
{
    struct dns_answer answer;
    struct arena arena;
    struct buffer b;

    (void)state;
    arena_init(&arena, 100000);
    put_header(&b, 0, 5, "Example.ORG", DNS_MX);
    put_cname(&b, NULL, "b.example.net");
    put_mx(&b, "c.example.net", 20, "Mail2.Example.net");
    put_cname(&b, "b.example.net", "c.example.net");
    put_mx(&b, "c.example.net", 10, "mail1.example.net");
    put_mx(&b, "other.example", 1, "evil.example");
    assert_int_equal(parse(buffer_slice(&b), "example.org", DNS_MX, &arena, &answer), ERR_OK);
    assert_true(slice_is(answer.canonical, "c.example.net"));
    assert_int_equal(answer.record_count, 2);
    assert_true(slice_is(answer.records[0].name, "mail2.example.net"));
    assert_int_equal(answer.records[0].preference, 20);
    assert_int_equal(answer.records[1].preference, 10);
    arena_clear(&arena);
    buffer_clear(&b);
}

static void test_null_mx_and_addresses(void **state)
{
    struct dns_answer answer;
    struct arena arena;
    struct buffer b;

    (void)state;
    arena_init(&arena, 100000);
    put_header(&b, 0, 1, "example.org", DNS_MX);
    put_mx(&b, NULL, 0, "");
    assert_int_equal(parse(buffer_slice(&b), "example.org", DNS_MX, &arena, &answer), ERR_OK);
    assert_int_equal(answer.record_count, 1);
    assert_int_equal(answer.records[0].name.len, 0);
    buffer_clear(&b);

    put_header(&b, 0, 1, "example.org", DNS_A);
    put_record(&b, NULL, DNS_A, "\x7f\0\0\1", 4);
    assert_int_equal(parse(buffer_slice(&b), "example.org", DNS_A, &arena, &answer), ERR_OK);
    assert_int_equal(answer.records[0].data.len, 4);
    buffer_clear(&b);

    put_header(&b, 0, 1, "example.org", DNS_A);
    put_record(&b, NULL, DNS_A, "\x7f\0\0\1\1", 5);
    assert_int_equal(parse(buffer_slice(&b), "example.org", DNS_A, &arena, &answer), ERR_CORRUPT);
    buffer_clear(&b);

    put_header(&b, 3, 0, "example.org", DNS_A);
    assert_int_equal(parse(buffer_slice(&b), "example.org", DNS_A, &arena, &answer), ERR_OK);
    assert_int_equal(answer.rcode, 3);
    buffer_clear(&b);
    arena_clear(&arena);
}

static void test_loops(void **state)
{
    struct dns_answer answer;
    struct arena arena;
    struct buffer b;

    (void)state;
    arena_init(&arena, 100000);
    put_header(&b, 0, 2, "a.example", DNS_A);
    put_cname(&b, "a.example", "b.example");
    put_cname(&b, "b.example", "a.example");
    assert_int_equal(parse(buffer_slice(&b), "a.example", DNS_A, &arena, &answer), ERR_CORRUPT);
    buffer_clear(&b);

    /* A pointer to itself, and one that goes forward. */
    for (unsigned target = 27; target < 40; target++) {
        put_header(&b, 0, 1, "a.example", DNS_A);
        put_u16(&b, 0xc000 | target);
        put_u16(&b, DNS_A);
        put_u16(&b, 1);
        put_u16(&b, 0);
        put_u16(&b, 0);
        put_u16(&b, 0);
        assert_int_equal(parse(buffer_slice(&b), "a.example", DNS_A, &arena, &answer), ERR_CORRUPT);
        buffer_clear(&b);
    }
    arena_clear(&arena);
}

static void test_cuts_and_flips(void **state)
{
    struct buffer b;

    (void)state;
    put_header(&b, 0, 3, "example.org", DNS_MX);
    put_cname(&b, NULL, "b.example.net");
    put_mx(&b, "b.example.net", 20, "mail2.example.net");
    put_mx(&b, "b.example.net", 10, "mail1.example.net");
    for (size_t i = 0; i < b.len; i++) {
        struct dns_answer answer;
        struct arena arena;

        arena_init(&arena, 100000);
        assert_int_equal(
            parse(slice_first(buffer_slice(&b), i), "example.org", DNS_MX, &arena, &answer),
            ERR_CORRUPT);
        for (int value = 0; value < 256; value += 17) {
            char saved = b.data[i];
            b.data[i] = (char)value;
            if (parse(buffer_slice(&b), "example.org", DNS_MX, &arena, &answer) == ERR_OK)
                assert_true(answer.record_count <= 3);
            b.data[i] = saved;
        }
        arena_clear(&arena);
    }
    buffer_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mx_through_a_chain),
        cmocka_unit_test(test_null_mx_and_addresses),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_cuts_and_flips),
    };

    return cmocka_run_group_tests_name("net/dns_answer", tests, NULL, NULL);
}
