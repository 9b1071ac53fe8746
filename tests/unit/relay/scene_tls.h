/* tests/unit/relay/scene_tls.h: certificates for the hops of a scene. */
#ifndef TESTS_RELAY_SCENE_TLS_H
#define TESTS_RELAY_SCENE_TLS_H

#include "scene.h"

/* The certificate that hops show: good, for another name, of an unknown issuer. */
enum shown { SHOW_GOOD, SHOW_OTHER_NAME, SHOW_UNKNOWN, SHOW_KINDS };

/* For scene_open. One at a time. */
struct scene_tls *scene_tls_new(void);
void scene_tls_show(struct scene_tls *tls, enum shown shown);

#endif
