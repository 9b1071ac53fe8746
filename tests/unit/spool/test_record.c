/* tests/unit/spool/test_record.c: envelope, frame and record, built and read back; every damaged
 * octet is found. */
#include "support.h"

#include "spool/entry.h"

static const uint64_t generation = UINT64_C(0x0000000712345678);

/* The record in one piece, as it lies in a segment. */
static struct buffer flatten(struct sample *sample, uint64_t seed)
{
    struct buffer out;

    buffer_init(&out, RECORD_MAX);
    record_draft_seal(&sample->draft, seed);
    buffer_put(&out, sample->draft.head, FRAME_HEAD);
    buffer_put_slice(&out, sample->draft.envelope);
    for (size_t i = 0; i < sample->draft.header_count; i++)
        buffer_put_slice(&out, sample->draft.header[i]);
    for (size_t i = 0; i < sample->draft.body_count; i++)
        buffer_put_slice(&out, sample->draft.body[i]);
    while (out.len % FRAME_ALIGN)
        buffer_put_u8(&out, 0);
    assert_int_equal(out.len, sample->draft.total);
    return out;
}

static enum frame_result parse(struct slice bytes, uint64_t seed, struct frame *out_frame)
{
    /* An exact copy, so that the sanitizer sees one octet too many. */
    char *copy = malloc(bytes.len ? bytes.len : 1);
    enum frame_result result;

    assert_non_null(copy);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    result = frame_parse(&record_format, seed, slice_of(copy, bytes.len), out_frame);
    free(copy);
    return result;
}

static void test_round_trip(void **state)
{
    static const size_t bodies[] = { 0, 1, 7, 8, 9, 4096, RECORD_BODY_MAX };
    char *octets = malloc(RECORD_BODY_MAX);

    (void)state;
    memset(octets, 'x', RECORD_BODY_MAX);
    for (size_t i = 0; i < LENGTH_OF(bodies); i++) {
        struct sample sample;
        struct frame frame;
        struct record record;
        struct arena arena;
        struct buffer bytes;

        arena_init(&arena, 1 << 20);
        sample_make(&sample, 3, 2 + i, slice_of(octets, bodies[i]));
        bytes = flatten(&sample, generation);
        assert_int_equal(
            frame_parse(&record_format, generation, buffer_slice(&bytes), &frame), FRAME_GOOD);
        assert_int_equal(frame.total, bytes.len);
        assert_int_equal(record_from_frame(&frame, &arena, &record), ERR_OK);
        assert_true(queue_id_equals(record.envelope.id, sample_id(3)));
        assert_true(slice_is(record.envelope.sender, "alice@example.org"));
        assert_true(slice_is(record.envelope.tls_cipher, "TLS_AES_256_GCM_SHA384"));
        assert_int_equal(record.envelope.client_port, 40001);
        assert_int_equal(record.envelope.recipient_count, 2 + i);
        assert_true(slice_is(record.envelope.recipients[1].address, "user1@example.net"));
        assert_int_equal(record.body.len, bodies[i]);
        assert_int_equal(record.header.len, record.envelope.header_size);
        buffer_clear(&bytes);
        sample_clear(&sample);
        arena_clear(&arena);
    }
    free(octets);
}

/* The body may come in any pieces; the octets are the same. */
static void test_pieces(void **state)
{
    struct slice pieces[4] = { slice_text("A "), slice_of(NULL, 0), slice_text("bod"),
        slice_text("y.\r\n") };
    struct sample whole, parts;
    struct buffer a, b;

    (void)state;
    sample_make(&whole, 1, 1, slice_text("A body.\r\n"));
    sample_make(&parts, 1, 1, slice_text("A body.\r\n"));
    parts.draft.body = pieces;
    parts.draft.body_count = 4;
    a = flatten(&whole, generation);
    b = flatten(&parts, generation);
    assert_true(slice_equals(buffer_slice(&a), buffer_slice(&b)));
    buffer_clear(&a);
    buffer_clear(&b);
    sample_clear(&whole);
    sample_clear(&parts);
}

/* QUE-14: any bit flipped in any octet of a record is noticed. */
static void test_bit_flips(void **state)
{
    struct sample sample;
    struct buffer bytes;
    struct frame frame;

    (void)state;
    sample_make(&sample, 3, 2, slice_text("A body of some octets.\r\n"));
    bytes = flatten(&sample, generation);
    for (size_t at = 0; at < bytes.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            enum frame_result result;
            bytes.data[at] ^= (char)(1 << bit);
            result = parse(buffer_slice(&bytes), generation, &frame);
            assert_true(result == (at < 56 ? FRAME_NO_HEAD : FRAME_NO_BODY));
            bytes.data[at] ^= (char)(1 << bit);
        }
    assert_int_equal(parse(buffer_slice(&bytes), generation, &frame), FRAME_GOOD);
    buffer_clear(&bytes);
    sample_clear(&sample);
}

/* Cut anywhere: never more than "more is needed". */
static void test_cut_short(void **state)
{
    struct sample sample;
    struct buffer bytes;
    struct frame frame;

    (void)state;
    sample_make(&sample, 3, 2, slice_text("A body of some octets.\r\n"));
    bytes = flatten(&sample, generation);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(
            parse(slice_first(buffer_slice(&bytes), len), generation, &frame), FRAME_SHORT);
        assert_int_equal(frame.total, len < FRAME_HEAD ? FRAME_HEAD : bytes.len);
    }
    buffer_clear(&bytes);
    sample_clear(&sample);
}

static void test_strangers(void **state)
{
    static const char zeros[FRAME_HEAD];
    struct sample sample;
    struct buffer bytes;
    struct frame frame;

    (void)state;
    sample_make(&sample, 3, 1, slice_text("x"));
    bytes = flatten(&sample, generation);
    assert_int_equal(parse(slice_of(zeros, sizeof zeros), generation, &frame), FRAME_END);
    assert_int_equal(parse(buffer_slice(&bytes), generation + 1, &frame), FRAME_FOREIGN);
    assert_int_equal(
        frame_parse(&journal_format, generation, buffer_slice(&bytes), &frame), FRAME_NO_HEAD);
    /* Sealed again for another segment it is that segment's. */
    assert_int_equal(frame_reseal(&record_format, generation + 1, bytes.data), bytes.len);
    assert_int_equal(parse(buffer_slice(&bytes), generation + 1, &frame), FRAME_GOOD);
    assert_int_equal(parse(buffer_slice(&bytes), generation, &frame), FRAME_FOREIGN);
    buffer_clear(&bytes);
    sample_clear(&sample);
}

static void test_bounds(void **state)
{
    struct slice most = { NULL, RECORD_BODY_MAX }, more = { NULL, RECORD_BODY_MAX + 1 };
    struct slice wrap[2] = { { NULL, SIZE_MAX }, { NULL, SIZE_MAX } };
    struct slice header = { NULL, RECORD_HEADER_MAX + 1 };
    struct slice envelope = { NULL, ENVELOPE_MAX };
    struct record_draft draft;

    (void)state;
    assert_int_equal(record_draft_init(&draft, sample_id(1), envelope, NULL, 0, &most, 1), ERR_OK);
    assert_true(draft.total <= RECORD_MAX);
    assert_int_equal(
        record_draft_init(&draft, sample_id(1), envelope, NULL, 0, &more, 1), ERR_LIMIT);
    assert_int_equal(
        record_draft_init(&draft, sample_id(1), envelope, NULL, 0, wrap, 2), ERR_LIMIT);
    assert_int_equal(
        record_draft_init(&draft, sample_id(1), envelope, &header, 1, NULL, 0), ERR_LIMIT);
    envelope.len++;
    assert_int_equal(
        record_draft_init(&draft, sample_id(1), envelope, NULL, 0, NULL, 0), ERR_LIMIT);
}

/* What the envelope says must be what the frame says; a gate that lies is caught. */
static void test_contradictions(void **state)
{
    struct sample sample;
    struct buffer bytes;
    struct arena arena;
    struct frame frame, other;
    struct record record;

    (void)state;
    arena_init(&arena, 1 << 20);
    sample_make(&sample, 3, 1, slice_text("body"));
    bytes = flatten(&sample, generation);
    assert_int_equal(
        frame_parse(&record_format, generation, buffer_slice(&bytes), &frame), FRAME_GOOD);
    assert_int_equal(record_from_frame(&frame, &arena, &record), ERR_OK);
    other = frame;
    other.id.low++;
    assert_int_equal(record_from_frame(&other, &arena, &record), ERR_CORRUPT);
    other = frame;
    other.parts[1].len--;
    assert_int_equal(record_from_frame(&other, &arena, &record), ERR_CORRUPT);
    other = frame;
    other.parts[2].len--;
    assert_int_equal(record_from_frame(&other, &arena, &record), ERR_CORRUPT);
    other = frame;
    other.parts[0].len--;
    assert_int_equal(record_from_frame(&other, &arena, &record), ERR_CORRUPT);
    other = frame;
    other.kind++;
    assert_int_equal(record_from_frame(&other, &arena, &record), ERR_INVALID);
    other = frame;
    other.version++;
    assert_int_equal(record_from_frame(&other, &arena, &record), ERR_INVALID);
    buffer_clear(&bytes);
    sample_clear(&sample);
    arena_clear(&arena);
}

static void fill_envelope(
    struct envelope *envelope, struct envelope_recipient *recipients, size_t count)
{
    static char address[ENVELOPE_ADDRESS_MAX + 1];

    memset(address, 'a', sizeof address);
    for (size_t i = 0; i < count; i++)
        recipients[i] =
            (struct envelope_recipient){ .address = slice_of(address, ENVELOPE_ADDRESS_MAX),
                .flags = MAILBOX_UTF8,
                .orcpt = slice_of(address, ENVELOPE_ORCPT_MAX) };
    *envelope = (struct envelope){ .recipients = recipients, .recipient_count = count };
    envelope->sender = slice_of(address, ENVELOPE_ADDRESS_MAX);
}

static void test_envelope_bounds(void **state)
{
    static struct envelope_recipient recipients[ENVELOPE_RECIPIENTS_MAX + 1];
    struct envelope envelope;
    struct buffer out;
    struct arena arena;

    (void)state;
    buffer_init(&out, ENVELOPE_MAX + 1024);
    arena_init(&arena, 1 << 20);
    fill_envelope(&envelope, recipients, ENVELOPE_RECIPIENTS_MAX);
    assert_int_equal(envelope_pack(&out, &envelope), ERR_OK);
    assert_int_equal(envelope_unpack(buffer_slice(&out), &arena, &envelope), ERR_OK);
    assert_int_equal(envelope.recipient_count, ENVELOPE_RECIPIENTS_MAX);
    assert_int_equal(envelope.recipients[4095].flags, MAILBOX_UTF8);
    /* One past each bound. */
    buffer_reset(&out);
    fill_envelope(&envelope, recipients, ENVELOPE_RECIPIENTS_MAX + 1);
    assert_int_equal(envelope_pack(&out, &envelope), ERR_LIMIT);
    assert_int_equal(out.len, 0);
    buffer_reset(&out);
    fill_envelope(&envelope, recipients, 1);
    envelope.sender.len++;
    assert_int_equal(envelope_pack(&out, &envelope), ERR_LIMIT);
    buffer_reset(&out);
    fill_envelope(&envelope, recipients, 0);
    assert_int_equal(envelope_pack(&out, &envelope), ERR_LIMIT);
    buffer_clear(&out);
    arena_clear(&arena);
}

/* Version 0 was never, a later one is for a later program, and every cut of this one is corrupt. */
static void test_envelope_versions(void **state)
{
    struct sample sample;
    struct envelope envelope;
    struct arena arena;
    struct slice bytes;

    (void)state;
    arena_init(&arena, 1 << 20);
    sample_make(&sample, 1, 3, slice_text(""));
    bytes = buffer_slice(&sample.envelope);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(envelope_unpack(slice_first(bytes, len), &arena, &envelope), ERR_CORRUPT);
    assert_int_equal(envelope_unpack(bytes, &arena, &envelope), ERR_OK);
    sample.envelope.data[0] = 0;
    assert_int_equal(envelope_unpack(bytes, &arena, &envelope), ERR_CORRUPT);
    sample.envelope.data[0] = ENVELOPE_VERSION + 1;
    assert_int_equal(envelope_unpack(bytes, &arena, &envelope), ERR_INVALID);
    sample_clear(&sample);
    arena_clear(&arena);
}

/* An envelope of version 1, as it lay in a record before there were parameters. */
static const char first_version[] =
    "01b2a1009e29b39c013a291807f6e5d4c3406a38c41b4c060011000000616c69"
    "6365406578616d706c652e6f72670000000005000000616c6963650500000050"
    "4c41494e0b0000007375626d697373696f6e73090000003139322e302e322e37"
    "419c060000006c6170746f7007000000544c5376312e3316000000544c535f41"
    "45535f3235365f47434d5f534841333834000000000b0000000f000000000000"
    "0008000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000010000000f000000626f62406578616d706c652e6e65"
    "7400000000";

static void test_first_version(void **state)
{
    char octets[sizeof first_version / 2];
    struct envelope envelope;
    struct arena arena;
    unsigned octet;

    (void)state;
    for (size_t i = 0; i < sizeof octets; i++) {
        assert_int_equal(sscanf(first_version + 2 * i, "%2x", &octet), 1);
        octets[i] = (char)octet;
    }
    arena_init(&arena, 1 << 20);
    memset(&envelope, 0xff, sizeof envelope);
    assert_int_equal(envelope_unpack(slice_of(octets, sizeof octets), &arena, &envelope), ERR_OK);
    assert_true(slice_is(envelope.sender, "alice@example.org"));
    assert_true(slice_is(envelope.recipients[0].address, "bob@example.net"));
    assert_int_equal(envelope.recipients[0].notify, 0);
    assert_int_equal(envelope.recipients[0].orcpt.len, 0);
    assert_int_equal(envelope.ret, ENVELOPE_RETURN_UNSTATED);
    assert_int_equal(envelope.envid.len, 0);
    assert_int_equal(envelope.priority, 0);
    assert_true(envelope_hold_us(&envelope) == 0 && !envelope.require_tls);
    for (size_t len = 0; len < sizeof octets; len++)
        assert_int_equal(envelope_unpack(slice_of(octets, len), &arena, &envelope), ERR_CORRUPT);
    arena_clear(&arena);
}

/* Sets and numbers that no shape bounds; and how long mail is held. */
static void test_envelope_parameters(void **state)
{
    struct envelope_recipient bob = { .address = slice_text("bob@example.net") };
    struct envelope envelope = { .recipients = &bob, .recipient_count = 1 };
    struct buffer out;

    (void)state;
    buffer_init(&out, 4096);
    bob.notify = ENVELOPE_NOTIFY_ALL;
    envelope.priority = ENVELOPE_PRIORITY_MAX;
    assert_int_equal(envelope_pack(&out, &envelope), ERR_OK);
    bob.notify++;
    assert_int_equal(envelope_pack(&out, &envelope), ERR_LIMIT);
    buffer_reset(&out);
    bob.notify = 0;
    envelope.priority++;
    assert_int_equal(envelope_pack(&out, &envelope), ERR_LIMIT);
    buffer_clear(&out);
    envelope.arrival_us = 5000000;
    envelope.hold_value = 9;
    assert_true(envelope_hold_us(&envelope) == 0);
    envelope.hold = ENVELOPE_HOLD_FOR;
    assert_true(envelope_hold_us(&envelope) == 9000000);
    envelope.hold = ENVELOPE_HOLD_UNTIL;
    assert_true(envelope_hold_us(&envelope) == 4000000);
    envelope.hold_value = 4;
    assert_true(envelope_hold_us(&envelope) == 0);
    envelope.hold_value = INT64_MAX;
    assert_true(envelope_hold_us(&envelope) > 0);
    envelope.priority = 0;
    assert_int_equal(envelope_pack(&out, &envelope), ERR_LIMIT);
    buffer_clear(&out);
}

/* The record of docs/spool.md, octet by octet: a format on disk does not change unnoticed. */
static const char documented[] =
    "5355424d545245437856341207000000b2a1009e29b39c013a291807f6e5d4c3"
    "01000100380100000f000000080000000d20625ff37f4e6f8589be80baca992b"
    "02b2a1009e29b39c013a291807f6e5d4c3406a38c41b4c060011000000616c69"
    "6365406578616d706c652e6f72670000000005000000616c6963650500000050"
    "4c41494e0b0000007375626d697373696f6e73090000003139322e302e322e37"
    "419c060000006c6170746f7007000000544c5376312e3316000000544c535f41"
    "45535f3235365f47434d5f534841333834000000000b0000000f000000000000"
    "0008000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000010000000f000000626f62406578616d706c652e6e65"
    "740000000006160000007266633832323b626f62406578616d706c652e6e6574"
    "0000000000000000000208000000515133313431353900000000000000000000"
    "0000000000000000000000000000000000000000000000005375626a6563743a"
    "2068690d0a0d0a48656c6c6f2e0d0a00";

static void test_documented_record(void **state)
{
    struct envelope_recipient bob = {
        .address = slice_text("bob@example.net"),
        .notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE,
        .orcpt = slice_text("rfc822;bob@example.net"),
    };
    struct sample sample = { .id = { UINT64_C(0x019cb3299e00a1b2), UINT64_C(0xc3d4e5f60718293a) } };
    struct envelope envelope = {
        .id = sample.id,
        .arrival_us = 1772532000123456,
        .sender = slice_text("alice@example.org"),
        .user = slice_text("alice"),
        .mechanism = slice_text("PLAIN"),
        .listener = slice_text("submissions"),
        .client = slice_text("192.0.2.7"),
        .client_port = 40001,
        .ehlo = slice_text("laptop"),
        .tls_version = slice_text("TLSv1.3"),
        .tls_cipher = slice_text("TLS_AES_256_GCM_SHA384"),
        .longest_line = 11,
        .header_size = 15,
        .body_size = 8,
        .recipients = &bob,
        .recipient_count = 1,
        .ret = ENVELOPE_RETURN_HEADERS,
        .envid = slice_text("QQ314159"),
    };
    struct buffer bytes, hex;

    (void)state;
    buffer_init(&sample.envelope, 1024);
    buffer_init(&hex, 1024);
    assert_int_equal(envelope_pack(&sample.envelope, &envelope), ERR_OK);
    sample.header[0] = slice_text("Subject: hi\r\n\r\n");
    sample.body = slice_text("Hello.\r\n");
    assert_int_equal(record_draft_init(&sample.draft, sample.id, buffer_slice(&sample.envelope),
                         sample.header, 1, &sample.body, 1),
        ERR_OK);
    bytes = flatten(&sample, generation);
    for (size_t i = 0; i < bytes.len; i++)
        buffer_printf(&hex, "%02x", (unsigned char)bytes.data[i]);
    if (!slice_is(buffer_slice(&hex), documented))
        fail_msg("%.*s", SLICE_ARGS(buffer_slice(&hex)));
    buffer_clear(&bytes);
    buffer_clear(&hex);
    sample_clear(&sample);
}

static void test_file_head(void **state)
{
    const struct file_head head = { 5, 6, 7, 8, 9 };
    unsigned char block[FILE_HEAD];
    struct file_head back;

    (void)state;
    file_head_write(&record_format, &head, block);
    assert_int_equal(file_head_read(&record_format, block, &back), ERR_OK);
    assert_memory_equal(&back, &head, sizeof head);
    assert_int_equal(file_head_read(&journal_format, block, &back), ERR_CORRUPT);
    for (size_t at = 0; at < 64; at++) {
        block[at] ^= 4;
        assert_int_equal(file_head_read(&record_format, block, &back), ERR_CORRUPT);
        block[at] ^= 4;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_envelope_bounds),
        cmocka_unit_test(test_envelope_versions),
        cmocka_unit_test(test_first_version),
        cmocka_unit_test(test_envelope_parameters),
        cmocka_unit_test(test_documented_record),
        cmocka_unit_test(test_file_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
