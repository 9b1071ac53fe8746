/* LMTP over a unix socket: OUT-20, RFC 2033. */
#include "../check.h"

#include "rows.h"

#define LHELLO(keywords)                                                                           \
    "on 4\n> 220 box.example LMTP\n< LHLO msa.example.net\n> 250-box.example\n" keywords
#define LBARE   LHELLO("> 250 HELP\n")
#define LPIPES  LHELLO("> 250 PIPELINING\n")
#define LCHUNKS LHELLO("> 250-PIPELINING\n> 250 CHUNKING\n")
#define BYE     "< QUIT\n> 221 2.0.0 bye\n"
#define RESET   "< RSET\n> 250 2.0.0 reset\n"
#define THREE                                                                                      \
    .mail = { .route = ROUTE_LMTP,                                                                 \
        .to = { "bob@example.org", "eve@example.org", "joe@example.org" } }
#define RCPTS RCPT("bob") RCPT("eve") RCPT("joe")

static const struct row rows[] = {
    { .name = "OUT-20: a reply for each recipient",
        THREE,
        .script = LBARE MAIL OK RCPT("bob") OK RCPT("eve") OK RCPT("joe") OK
        "< DATA\n> 354 go\n.\n> 250 2.1.5 bob\n> 552 5.2.2 eve\n> 450 4.2.0 joe\n" BYE,
        .outcome = "done 250 2.1.5; failed 552 5.2.2; deferred 450 4.2.0" },
    { .name = "OUT-20: replies only for those who were accepted, in their order",
        THREE,
        .script = LPIPES MAIL RCPTS "< DATA\n" OK "> 550 5.1.1 no\n" OK OK
                                    "> 354 go\n.\n> 452 4.2.2 eve\n> 250 2.0.0 joe\n" BYE,
        .outcome = "failed 550 5.1.1; deferred 452 4.2.2; done 250 2.0.0" },
    { .name = "OUT-20: nobody accepted",
        THREE,
        .script = LPIPES MAIL RCPTS
        "< DATA\n" OK
        "> 550 5.1.1 no\n> 550 5.1.1 no\n> 550 5.1.1 no\n> 503 5.5.1 nobody\n" RESET BYE,
        .outcome = "failed 550 5.1.1; failed 550 5.1.1; failed 550 5.1.1" },
    { .name = "OUT-20, EXT-PIPELINING-5: nobody accepted but 354: a dot that nothing may answer",
        THREE,
        .script = LPIPES MAIL RCPTS
        "< DATA\n" OK "> 550 5.1.1 no\n> 450 4.1.1 no\n> 550 5.1.1 no\n> 354 go\n< .\n" BYE,
        .outcome = "failed 550 5.1.1; deferred 450 4.1.1; failed 550 5.1.1" },
    { .name = "OUT-20: DATA refused has one reply",
        THREE,
        .script = LPIPES MAIL RCPTS "< DATA\n" OK OK OK OK "> 451 4.3.0 no\n" RESET BYE,
        .outcome = "deferred 451 4.3.0; deferred 451 4.3.0; deferred 451 4.3.0" },
    { .name = "OUT-24, OUT-20: one flight",
        THREE,
        .script = LCHUNKS MAIL RCPTS "< BDAT 32 LAST\n*\n" OK OK "> 550 5.1.1 no\n" OK
                                     "> 250 2.0.0 bob\n> 450 4.2.0 joe\n" BYE,
        .outcome = "done 250 2.0.0; failed 550 5.1.1; deferred 450 4.2.0" },
    { .name = "OUT-24, OUT-20: one flight, nobody accepted",
        THREE,
        .script = LCHUNKS MAIL RCPTS
        "< BDAT 32 LAST\n*\n" OK
        "> 550 5.1.1 no\n> 550 5.1.1 no\n> 550 5.1.1 no\n> 503 5.5.1 no\n" RESET BYE,
        .outcome = "failed 550 5.1.1; failed 550 5.1.1; failed 550 5.1.1" },
    { .name = "OUT-20, OUT-13: gone between the replies: who has one is decided",
        THREE,
        .script = LCHUNKS MAIL RCPTS "< BDAT 32 LAST\n*\n" OK OK OK OK "> 250 2.0.0 bob\n!\n",
        .outcome = "done 250 2.0.0; deferred 0 4.4.2; deferred 0 4.4.2" },
    { .name = "OUT-20: 421 between the replies",
        THREE,
        .script = LPIPES MAIL RCPTS "< DATA\n" OK OK OK OK
                                    "> 354 go\n.\n> 250 2.0.0 bob\n> 421 4.3.2 bye\n!\n",
        .outcome = "done 250 2.0.0; deferred 421 4.3.2; deferred 421 4.3.2" },
    { .name = "OUT-20, OUT-11: too many",
        THREE,
        .script = LPIPES MAIL RCPTS
        "< DATA\n" OK OK "> 452 4.5.3 later\n> 452 4.5.3 later\n"
        "> 354 go\n.\n> 250 2.0.0 bob\n" MAIL RCPT("eve")
            RCPT("joe") "< DATA\n" OK OK OK "> 354 go\n.\n> 250 2.0.0 eve\n> 250 2.0.0 joe\n" BYE,
        .outcome = "done 250 2.0.0; done 250 2.0.0; done 250 2.0.0" },
    { .name = "OUT-20: a large body",
        .mail = { .route = ROUTE_LMTP, .large = 480000 },
        .script = LCHUNKS MAIL RCPT("bob") OK OK "< BDAT 480018 LAST\n*\n> 250 2.0.0 bob\n" BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-9: no HELO in LMTP",
        .mail = { .route = ROUTE_LMTP },
        .script = "on 4\n> 220 hop\n< LHLO msa.example.net\n> 500 what\n" BYE,
        .outcome = "failed 500 5.5.2" },
    { .name = "OUT-20: a greeting for now",
        .mail = { .route = ROUTE_LMTP },
        .script = "on 4\n> 451 4.3.0 later\n" BYE,
        .outcome = "deferred 451 4.3.0" },
    { .name = "one reply too many",
        THREE,
        .script = LPIPES MAIL RCPTS
        "< DATA\n" OK OK OK OK
        "> 354 go\n.\n> 250 2.0.0 1\n> 250 2.0.0 2\n> 250 2.0.0 3\n> 250 2.0.0 4\n",
        .outcome = "done 250 2.0.0; done 250 2.0.0; done 250 2.0.0",
        .is_whole = true },
};

static void test_rows(void **state)
{
    rows_play(*state, rows, LENGTH_OF(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

    return cmocka_run_group_tests_name("relay/lmtp", tests, scene_begin, scene_end);
}
