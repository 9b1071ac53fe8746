/* tests/unit/gate/house_tls.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "house_tls.h"

#include <stdlib.h>

#include "../net/tls_fixture.h"

struct tls_house {
    struct house_tls tls;
    struct certificate certificate;
    struct tls_client *client;
};

static struct tls_house *whole(struct house_tls *tls)
{
    return CONTAINER_OF(tls, struct tls_house, tls);
}

static void sign(struct house_tls *tls, struct house *house, const struct msg_sign *m)
{
    struct tls_sign_request request = {
        .number = m->request, .key = m->key, .algorithm = m->algorithm, .input = m->input
    };
    unsigned char signature[TLS_SIGN_SIGNATURE_MAX];
    size_t len = vault_sign(&whole(tls)->certificate, &request, signature);
    struct msg_signed answer = {
        .request = m->request, .ok = true, .signature = slice_of(signature, len)
    };

    REQUIRE(m->key == key_number(1, 0));
    house_say(house, &house->vault, MSG_SIGNED, &answer, -1);
}

struct house_tls *house_tls_new(void)
{
    struct tls_house *house = calloc(1, sizeof *house);
    char why[TLS_WHY];

    REQUIRE(house);
    certificate_make(&house->certificate, KEY_EC, "DNS:msa.example.net", NULL);
    REQUIRE(tls_client_new(-1, &house->client, why) == ERR_OK);
    house->tls = (struct house_tls){ certificate_pem(&house->certificate), sign };
    return &house->tls;
}

void house_tls_free(struct house_tls **at)
{
    struct tls_house *house = whole(*at);

    certificate_clear(&house->certificate);
    tls_client_free(&house->client);
    free(house);
    *at = NULL;
}

void client_start_tls(struct client *client, struct house_tls *tls)
{
    client->is_secured = false;
    REQUIRE(stream_start_tls_client(client->stream, whole(tls)->client,
                slice_text("msa.example.net"), TLS_VERIFY_ANY) == ERR_OK);
}

void client_secure(struct client *client, struct house_tls *tls)
{
    client_start_tls(client, tls);
    for (int i = 0; i < 200 && !client->is_secured && !client->is_closed; i++)
        loop_turn(client->house->loop, 20);
    REQUIRE(client->is_secured);
}
