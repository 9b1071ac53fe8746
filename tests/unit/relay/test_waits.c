/* OUT-7: no wait is without end. Each phase meets a hop that falls silent. */
#include "../check.h"

#include "rows.h"
#include "scene_tls.h"

#define SECURE                                                                                     \
    HELLO("> 250 STARTTLS\n")                                                                      \
    "< STARTTLS\n> 220 go\n@\n< EHLO msa.example.net\n> 250-hop.example\n> 250 AUTH PLAIN\n"

static const char *const plain[] = { "PLAIN:|u|secret", NULL };

enum wait { GREETING, EHLO, TLS, AUTH, MAIL_REPLY, RCPT_REPLY, DATA_REPLY, BLOCK, END, QUIT };

/* Only the named time is a second, all others are a minute. */
static void set_times(struct conf_timeouts *t, enum wait wait)
{
    uint64_t *const times[] = { &t->greeting, &t->ehlo, &t->tls, &t->auth, &t->mail, &t->rcpt,
        &t->data, &t->block, &t->end, &t->quit };

    for (size_t i = 0; i < LENGTH_OF(times); i++)
        *times[i] = i == wait ? 1 : 60;
}

static const struct {
    enum wait wait;
    struct row row;
} cases[] = {
    { GREETING, { .name = "OUT-7: greeting",
                    .script = "~3000\n",
                    .outcome = "deferred 0 4.4.2",
                    .text = "did not send its greeting in time" } },
    { GREETING, { .name = "OUT-7: half a greeting",
                    .script = "} 220-hop\\r\\n220\n~3000\n",
                    .outcome = "deferred 0 4.4.2" } },
    { EHLO, { .name = "OUT-7: EHLO",
                .script = "> 220 hop\n< EHLO msa.example.net\n~3000\n",
                .outcome = "deferred 0 4.4.2",
                .text = "did not answer EHLO in time" } },
    { EHLO, { .name = "OUT-7: HELO",
                .script = "> 220 hop\n< EHLO msa.example.net\n> 500 what\n< HELO "
                          "msa.example.net\n~3000\n",
                .outcome = "deferred 0 4.4.2",
                .text = "did not answer HELO in time" } },
    { EHLO, { .name = "OUT-7: STARTTLS",
                .mail = { .route = ROUTE_VERIFY },
                .script = HELLO("> 250 STARTTLS\n") "< STARTTLS\n~3000\n",
                .outcome = "deferred 0 4.4.2",
                .text = "did not answer STARTTLS in time" } },
    { TLS, { .name = "OUT-7: the handshake",
               .mail = { .route = ROUTE_VERIFY },
               .script = HELLO("> 250 STARTTLS\n") "< STARTTLS\n> 220 go\n&\n~3000\n",
               .outcome = "deferred 0 4.7.5",
               .text = "took too long" } },
    { TLS, { .name = "OUT-7, OTLS-2: the handshake where TLS is not needed",
               .mail = { .route = ROUTE_MAY },
               .script = HELLO("> 250 STARTTLS\n") "< STARTTLS\n> 220 go\n&\n~3000\n--\n" BARE MAIL
                   OK RCPT("bob") OK "< DATA\n> 354 go\n.\n> 250 2.0.0 ok\n",
               .outcome = "done 250 2.0.0" } },
    { AUTH, { .name = "OUT-7: AUTH",
                .mail = { .route = ROUTE_LOGIN },
                .says = plain,
                .script = SECURE "%25\n~3000\n",
                .outcome = "deferred 0 4.4.2",
                .text = "did not answer AUTH in time" } },
    { MAIL_REPLY, { .name = "OUT-7: MAIL: nothing was said of the recipients",
                      .script = BARE MAIL "~3000\n",
                      .outcome = "deferred 0 4.4.2",
                      .text = "did not answer in time" } },
    { MAIL_REPLY, { .name = "OUT-7: MAIL in one flight",
                      .script = CHUNKS MAIL RCPT("bob") "< BDAT 32 LAST\n*\n~3000\n",
                      .outcome = "deferred 0 4.4.2" } },
    { MAIL_REPLY, { .name = "OUT-7: RSET",
                      .script = BARE MAIL "> 550 5.7.1 no\n< RSET\n~3000\n",
                      .outcome = "failed 550 5.7.1" } },
    { RCPT_REPLY, { .name = "OUT-7: RCPT",
                      .script = BARE MAIL OK RCPT("bob") "~3000\n",
                      .outcome = "deferred 0 4.4.2" } },
    { RCPT_REPLY, { .name = "OUT-7: RCPT in one flight",
                      .script = CHUNKS MAIL RCPT("bob") "< BDAT 32 LAST\n*\n" OK "~3000\n",
                      .outcome = "deferred 0 4.4.2" } },
    { DATA_REPLY, { .name = "OUT-7: DATA",
                      .script = BARE MAIL OK RCPT("bob") OK "< DATA\n~3000\n",
                      .outcome = "deferred 0 4.4.2" } },
    { BLOCK, { .name = "OUT-7: a hop that reads no more of the message",
                 .mail = { .large = 16000000 },
                 .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n%20000\n$\n~3000\n!!\n",
                 .outcome = "deferred 0 4.4.2",
                 .text = "takes no output" } },
    { END, { .name = "OUT-7: the reply to the message",
               .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n~3000\n",
               .outcome = "deferred 0 4.4.2" } },
    { END, { .name = "OUT-7: the reply to a chunk",
               .script = CHUNKS MAIL RCPT("bob") "< BDAT 32 LAST\n*\n" OK OK "~3000\n",
               .outcome = "deferred 0 4.4.2" } },
    { END, { .name = "OUT-7: the second of LMTP's replies",
               .mail = { .route = ROUTE_LMTP, .to = { "bob@example.org", "eve@example.org" } },
               .script = "> 220 hop\n< LHLO msa.example.net\n> 250 hop\n" MAIL OK RCPT("bob")
                   OK RCPT("eve") OK "< DATA\n> 354 go\n.\n~600\n> 250 2.0.0 bob\n~3000\n",
               .outcome = "done 250 2.0.0; deferred 0 4.4.2" } },
    { QUIT, { .name = "OUT-14: QUIT",
                .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n> 250 2.0.0 ok\n< "
                                                      "QUIT\n~3000\n",
                .outcome = "done 250 2.0.0" } },
};

static void test_waits(void **state)
{
    struct scene *s = *state;

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct row row = cases[i].row;

        row.is_whole = true;
        row.hangs = true;
        set_times(&scene_conf(s)->timeouts, cases[i].wait);
        row_play(s, &row);
    }
}

static int open_scene(void **state)
{
    return scene_begin_with(state, NULL, scene_tls_new());
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_waits) };

    return cmocka_run_group_tests_name("relay/waits", tests, open_scene, scene_end);
}
