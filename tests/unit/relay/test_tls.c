/* STARTTLS at the next hop: OTLS-1 to OTLS-6. */
#include "../check.h"

#include "rows.h"
#include "scene_tls.h"

#define SEND   MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n> 250 2.0.0 queued\n"
#define OFFERS HELLO("> 250-STARTTLS\n> 250 SIZE 1000\n")
#define TLS    "< STARTTLS\n> 220 go ahead\n@\n"
#define AGAIN  "< EHLO msa.example.net\n> 250-hop.example\n> 250 HELP\n"
#define BYE    "< QUIT\n> 221 bye\n"

static const struct row good[] = {
    { .name = "OTLS-1: TLS where it is offered, EHLO again, what was said in clear is forgotten",
        .mail = { .route = ROUTE_MAY },
        .script = OFFERS TLS AGAIN SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OTLS-3, OTLS-5: verified",
        .mail = { .route = ROUTE_VERIFY },
        .script = OFFERS TLS AGAIN SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OTLS-3: verified, LMTP over TCP",
        .mail = { .route = ROUTE_LMTP_TLS },
        .script = "> 220 hop.example LMTP\n< LHLO msa.example.net\n> 250-hop.example\n> 250 "
                  "STARTTLS\n" TLS "< LHLO msa.example.net\n> 250 hop.example\n" SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OTLS-3: no TLS on this route",
        .mail = { .route = ROUTE_PLAIN },
        .script = HELLO("> 250 STARTTLS\n") SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OTLS-1: clear where TLS is not offered",
        .mail = { .route = ROUTE_MAY },
        .script = BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-9, OTLS-1: HELO within TLS",
        .mail = { .route = ROUTE_MAY },
        .script = OFFERS TLS "< EHLO msa.example.net\n> 500 what\n< HELO msa.example.net\n> 250 "
                             "hop\n" SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OTLS-2: 454, so in clear over a new connection",
        .mail = { .route = ROUTE_MAY },
        .script = OFFERS "< STARTTLS\n> 454 4.7.0 not now\n" BYE "--\n" HELLO("> 250 STARTTLS\n")
            SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OTLS-2: 421 is no word about TLS",
        .mail = { .route = ROUTE_MAY },
        .script = OFFERS "< STARTTLS\n> 421 4.3.2 busy\n" BYE,
        .outcome = "deferred 421 4.3.2" },
    { .name = "OTLS-2: the handshake fails, so in clear over a new connection",
        .mail = { .route = ROUTE_MAY },
        .script = OFFERS
        "< STARTTLS\n> 220 go\n%5\n> this is no TLS\n&\n--\n" HELLO("> 250 STARTTLS\n") SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OTLS-2: closed within the handshake, so in clear over a new connection",
        .mail = { .route = ROUTE_MAY },
        .script = OFFERS "< STARTTLS\n> 220 go\n%5\n!!\n--\n" BARE SEND BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OTLS-3: verify, and STARTTLS is not offered",
        .mail = { .route = ROUTE_VERIFY },
        .script = BARE BYE,
        .outcome = "deferred 0 4.7.4",
        .text = "does not offer STARTTLS" },
    { .name = "OTLS-3: verify, and HELO is all there is",
        .mail = { .route = ROUTE_VERIFY },
        .script = "> 220 hop\n< EHLO msa.example.net\n> 502 what\n< HELO msa.example.net\n> 250 "
                  "hop\n" BYE,
        .outcome = "deferred 0 4.7.4" },
    { .name = "OTLS-3: verify, LMTP, and STARTTLS is not offered",
        .mail = { .route = ROUTE_LMTP_TLS },
        .script = "> 220 hop\n< LHLO msa.example.net\n> 250 hop\n" BYE,
        .outcome = "deferred 0 4.7.4" },
    { .name = "OTLS-3: verify, and STARTTLS is refused for now",
        .mail = { .route = ROUTE_VERIFY },
        .script = OFFERS "< STARTTLS\n> 454 4.7.0 not now\n" BYE,
        .outcome = "deferred 454 4.7.4",
        .text = "454 4.7.0 not now" },
    { .name = "OTLS-3, D-15: verify, and STARTTLS is refused for ever: it may be mended",
        .mail = { .route = ROUTE_VERIFY },
        .script = OFFERS "< STARTTLS\n> 554 5.7.0 never\n" BYE,
        .outcome = "deferred 554 4.7.4" },
    { .name = "OTLS-3: verify, and the handshake fails: never in clear",
        .mail = { .route = ROUTE_VERIFY },
        .script = OFFERS "< STARTTLS\n> 220 go\n%5\n> this is no TLS\n&\n",
        .outcome = "deferred 0 4.7.5" },
    { .name = "OTLS-6: text behind the 220 ends it, and not in clear either",
        .mail = { .route = ROUTE_MAY },
        .script = OFFERS "< STARTTLS\n> 220 go\n> 250-hop.example\n> 250 AUTH PLAIN\n",
        .outcome = "deferred 0 4.7.5",
        .text = "clear text",
        .is_whole = true },
    { .name = "OTLS-6: an octet behind the 220",
        .mail = { .route = ROUTE_VERIFY },
        .script = OFFERS "< STARTTLS\n} 220 go\\r\\n2\n",
        .outcome = "deferred 0 4.7.5",
        .is_whole = true },
};

static void test_good(void **state)
{
    rows_play(*state, good, LENGTH_OF(good));
}

static const struct row wrong_name[] = {
    { .name = "OTLS-3: a certificate for another name is not verified",
        .mail = { .route = ROUTE_VERIFY },
        .script = OFFERS TLS,
        .outcome = "deferred 0 4.7.5",
        .text = "TLS handshake failed" },
    { .name = "OTLS-2: opportunistic TLS takes any certificate",
        .mail = { .route = ROUTE_MAY },
        .script = OFFERS TLS AGAIN SEND BYE,
        .outcome = "done 250 2.0.0" },
};

static void test_wrong_certificates(void **state)
{
    struct scene *s = *state;

    for (enum shown shown = SHOW_OTHER_NAME; shown < SHOW_KINDS; shown++) {
        scene_tls_show(s->tls, shown);
        rows_play(s, wrong_name, LENGTH_OF(wrong_name));
    }
    scene_tls_show(s->tls, SHOW_GOOD);
}

static void test_told(void **state)
{
    static const struct row row = { .name = "the outcome names the TLS version",
        .mail = { .route = ROUTE_VERIFY },
        .script = OFFERS TLS AGAIN SEND BYE,
        .outcome = "done 250 2.0.0" };
    struct scene *s = *state;
    const struct told *told;
    struct play play;

    scene_forget(s);
    play_open(&play, s, row.name, row.script, &row.mail, PLAY_WHOLE, SIZE_MAX);
    told = scene_outcome(s, scene_send(s, &row.mail), 5000);
    assert_non_null(told);
    assert_string_equal(told->tls, "TLSv1.3");
    assert_string_equal(told->host, "127.0.0.1");
    play_require_over(&play);
    play_close(&play);
}

static int open_scene(void **state)
{
    return scene_begin_with(state, NULL, scene_tls_new());
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_good),
        cmocka_unit_test(test_wrong_certificates), cmocka_unit_test(test_told) };

    return cmocka_run_group_tests_name("relay/tls", tests, open_scene, scene_end);
}
