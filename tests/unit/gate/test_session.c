/* gate: whole dialogues on a socketpair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "house.h"

struct kept {
    struct buffer text; /* header and body of every record */
    struct record last;
    size_t recipients;
};

static void keep(void *owner, const struct record *record)
{
    struct kept *kept = owner;

    buffer_put_slice(&kept->text, record->header);
    buffer_put_slice(&kept->text, record->body);
    kept->recipients = record->envelope.recipient_count;
}

/* The header blocks and bodies of all that was kept, NUL-ended. */
static const char *kept_text(struct house *h, size_t count)
{
    static char text[1 << 20];
    struct kept kept = { 0 };

    buffer_init(&kept.text, sizeof text - 1);
    house_turn(h, 5);
    assert_int_equal(house_records(h, keep, &kept), count);
    memcpy(text, kept.text.data ? kept.text.data : "", kept.text.len);
    text[kept.text.len] = '\0';
    buffer_clear(&kept.text);
    return text;
}

/* CMD-1, CMD-31, DATA-1, DATA-2, DATA-13, MSG-9, EXT-ESC-1, SUB-4.3-2 */
static void test_small_message(void **state)
{
    static struct house h;
    struct client c;
    const char *text;

    (void)state;
    house_open(&h, "");
    client_begin(&c, &h);
    client_ask(&c, "DATA", "354 ");
    client_say(&c, "From: alice@example.net\r\nSubject: x\r\nBcc: eve@example.org\r\n\r\n");
    client_ask(&c, "..dot\r\nend\r\n.", "250 2.0.0 Ok: queued as ");
    text = kept_text(&h, 1);
    assert_non_null(strstr(text, "Received: from c.example "));
    assert_non_null(strstr(text, "with ESMTP"));
    assert_non_null(strstr(text, "\r\n\r\n.dot\r\nend\r\n"));
    assert_null(strstr(text, "eve@"));
    assert_non_null(strstr(text, "Message-ID: <"));
    client_ask(&c, "QUIT", "221 2.0.0 msa.example.net");
    client_expect_end(&c);
    client_close(&c);
    assert_null(h.gate.sessions);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_message),
    };

    return cmocka_run_group_tests_name("gate/session", tests, NULL, NULL);
}
