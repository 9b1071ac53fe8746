/* tests/unit/conf/sample.h: the smallest good configuration, and a loader for tests. */
#ifndef TESTS_CONF_SAMPLE_H
#define TESTS_CONF_SAMPLE_H

#include "../check.h"

#include "conf/conf.h"

#define SAMPLE_TOP      "hostname = \"mail.example.org\"\nstate = \"/var/lib/submitd\"\n"
#define SAMPLE_LISTENER "listener \"submissions\" { address = \"[::]:465\" tls = \"implicit\" }\n"
#define SAMPLE_TLS      "tls { certificate = \"/etc/tls/chain.pem\" key = \"/etc/tls/key.pem\" }\n"
#define SAMPLE_USERS    "users \"file\" { path = \"/etc/submitd/users\" }\n"
#define SAMPLE_ROUTE    "route \"*\" { via = \"mx\" }\n"
/* Five lines without the top, seven with it. */
#define SAMPLE_REST SAMPLE_LISTENER SAMPLE_TLS SAMPLE_USERS SAMPLE_ROUTE
#define SAMPLE      SAMPLE_TOP SAMPLE_REST

/* Loads a text that must be good. */
static inline struct conf *sample_load(struct arena *arena, const char *text)
{
    struct conf_error error = { "" };
    struct conf *conf = NULL;
    enum err rc = conf_parse("submitd.conf", slice_text(text), arena, &conf, &error);

    if (rc != ERR_OK)
        print_error("%s\n", error.text);
    assert_int_equal(rc, ERR_OK);
    return conf;
}

#endif
