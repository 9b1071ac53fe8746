/* tests/unit/relay/scene_tls.c */
#include "../check.h"

#include "scene_tls.h"

#include <unistd.h>

#include "../net/tls_fixture.h"

struct certificates {
    struct scene_tls tls;
    struct vault vault; /* signs for the hops */
    struct certificate root;
    struct tls_server *servers[SHOW_KINDS];
    char ca_file[32];
};

static struct certificates *whole(struct scene_tls *tls)
{
    return CONTAINER_OF(tls, struct certificates, tls);
}

static void open_tls(struct scene_tls *tls, struct loop *loop, char out_ca_file[32])
{
    static const char *const names[SHOW_KINDS] = { "IP:127.0.0.1,DNS:hop.example",
        "DNS:other.example", "IP:127.0.0.1" };
    struct certificates *c = whole(tls);
    char why[TLS_WHY];

    vault_init(&c->vault, loop);
    certificate_make(&c->root, KEY_EC, "CA", NULL);
    certificate_save(&c->root, c->ca_file);
    strcpy(out_ca_file, c->ca_file);
    for (unsigned i = 0; i < SHOW_KINDS; i++) {
        struct tls_identity identity = { .key = i };

        certificate_make(&c->vault.keys[i], KEY_EC, names[i], i == SHOW_UNKNOWN ? NULL : &c->root);
        identity.chain_pem = certificate_pem(&c->vault.keys[i]);
        REQUIRE(tls_server_new(c->vault.signer, &identity, 1, &c->servers[i], why) == ERR_OK);
    }
    tls->server = c->servers[SHOW_GOOD];
}

static void close_tls(struct scene_tls *tls)
{
    struct certificates *c = whole(tls);

    for (unsigned i = 0; i < SHOW_KINDS; i++)
        tls_server_free(&c->servers[i]);
    vault_clear(&c->vault);
    certificate_clear(&c->root);
    unlink(c->ca_file);
    free(c);
}

struct scene_tls *scene_tls_new(void)
{
    struct certificates *c = calloc(1, sizeof *c);

    REQUIRE(c);
    c->tls.open = open_tls;
    c->tls.close = close_tls;
    return &c->tls;
}

void scene_tls_show(struct scene_tls *tls, enum shown shown)
{
    tls->server = whole(tls)->servers[shown];
}
