/* tests/unit/relay/scene.h: a relay without a supervisor and, around it in the same loop, a queue,
 * a vault, a gate, a name server and next hops that follow scripts. For unit tests and for the fuzz
 * target; what does not come true ends the process. */
#ifndef TESTS_RELAY_SCENE_H
#define TESTS_RELAY_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/room.h"
#include "net/tls.h"
#include "relay/carrier.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            scene_fail("%s:%d: not true: %s", __FILE__, __LINE__, #condition);                     \
    } while (0)

/* The routes of the scene, in the order of its configuration. */
enum scene_route {
    ROUTE_PLAIN,  /* smtp to 127.0.0.1 without TLS */
    ROUTE_DATA,   /* the same place and chunking = false */
    ROUTE_MAY,    /* TLS where it is offered */
    ROUTE_VERIFY, /* TLS, verified */
    ROUTE_LOGIN,  /* and a login */
    ROUTE_LMTP,   /* a unix socket */
    ROUTE_LMTP_TLS,
    ROUTE_MX,
    ROUTE_HOST,      /* smtp to two.scene.example, by name */
    ROUTE_LOST_HOST, /* smtp to a name that does not exist */
    ROUTE_HOST_MX,   /* smtp to the MX hosts of scene.example */
    SCENE_ROUTES
};

enum { SCENE_HOSTS = 4, SCENE_TOLD = 16, ACTORS_MAX = 12, VAULT_STEPS = 6, GATE_ANSWERS = 8 };
/* Where hops listen: 127.0.0.1 to 127.0.0.3 at one port, and the unix socket. */
enum { HOST_UNIX = SCENE_HOSTS - 1 };

/* An outcome, as text: "done 250 2.0.0; deferred 451 4.7.1", in the order of the recipients. */
struct told {
    uint64_t job;
    size_t count;
    enum delivery_result results[256];
    enum delivery_cause cause; /* of the first recipient */
    char summary[8192];
    char text[1100]; /* of the first recipient */
    char host[256];
    char address[64];
    char tls[32];
};

struct name_server;

/* Certificates of the hops; scene_tls.c has some. */
struct scene_tls {
    /* out_ca_file: what the routes that verify trust. */
    void (*open)(struct scene_tls *tls, struct loop *loop, char out_ca_file[32]);
    void (*close)(struct scene_tls *tls);
    struct tls_server *server;
};

struct scene {
    struct loop *loop;
    struct arena arena;
    struct conf *conf;
    struct room room;
    char folder[32];
    uint16_t port;
    struct watch listeners[SCENE_HOSTS];
    int sockets[SCENE_HOSTS];
    struct name_server *names;
    struct scene_tls *tls; /* NULL: hops have no certificate */
    char ca_file[32];

    struct channel *queue;
    bool holds_acks; /* outcomes are not acknowledged */
    uint64_t last_job;
    struct told told[SCENE_TOLD]; /* outcomes since the last scene_forget, repetitions too */
    size_t told_count;
    size_t in_hand_count; /* of the last MSG_IN_HAND */
    struct msg_job_ref in_hand[64];
    int in_hands; /* MSG_IN_HAND came so often */

    struct channel *vault;
    /* What the vault says to each start and step: "PLAIN:data", "LOGIN" (without data), ":data",
     * "!why it failed"; "|" is NUL. */
    const char *const *says;
    size_t say;
    bool is_vault_mute;           /* it says no more than `says` */
    struct buffer challenges;     /* what it was given, each ended by LF */
    struct msg_login_start login; /* without its slices */
    char mechanisms[256];
    int login_ends;

    struct channel *gate;
    enum domain_verdict answers[GATE_ANSWERS]; /* by request */
    int answer_count;

    struct play *play; /* what the hops follow, unless somebody else takes the connections: */
    void (*take)(struct scene *scene, int host, int fd);
    bool is_drained;
};

/* The scene that failures are told of: name, mode and place in the script. */
PRINTF_LIKE(1, 2) NORETURN void scene_fail(const char *format, ...);

/* text: more settings; may be "". records: for the name server, ended by NULL; NULL: none. tls:
 * NULL: none. */
void scene_open(
    struct scene *scene, const char *text, const char *const *records, struct scene_tls *tls);
void scene_close(struct scene *scene);
/* The same as cmocka wants it, for one scene at a time: *state is the scene. */
int scene_begin(void **state);
int scene_begin_with(void **state, const char *const *records, struct scene_tls *tls);
int scene_end(void **state);
/* A new snapshot of the same configuration with more settings. */
void scene_apply(struct scene *scene, const char *text);
/* Of scene->conf as it is now. */
void scene_reapply(struct scene *scene);
void scene_turn(struct scene *scene, int64_t ms);
void scene_attach_queue(struct scene *scene);
void scene_detach_queue(struct scene *scene);
void scene_attach_vault(struct scene *scene);
void scene_detach_vault(struct scene *scene);
void scene_attach_gate(struct scene *scene);
void scene_forget(struct scene *scene);
static inline struct carrier *scene_carrier(struct scene *scene)
{
    return scene->room.state;
}
/* The settings in force, to be changed at will. */
static inline struct conf *scene_conf(struct scene *scene)
{
    return scene_carrier(scene)->settings->conf;
}

/* One message to be sent. NULL and 0 are the usual: alice to bob, a short body. */
struct mail {
    enum scene_route route;
    const char *domain; /* for ROUTE_MX */
    const char *from;
    const char *to[4];
    size_t to_count; /* generated recipients r0@example.org and so on, instead of `to` */
    const char *body;
    size_t large; /* octets of a body in a file */
    bool eight_bit;
    bool eight_bit_header;
    bool has_wishes; /* whatever can be asked for at MAIL and RCPT */
};

/* Gives it to the relay. Returns its job's number. */
uint64_t scene_send(struct scene *scene, const struct mail *mail);
/* What the hop is to get: header and body. */
void mail_content(const struct mail *mail, struct buffer *out);
/* Waits for the outcome; NULL when none comes within ms. */
const struct told *scene_outcome(struct scene *scene, uint64_t job, int64_t ms);
/* A hop's script, line by line:
 *   > text    says text and CRLF; lines that follow each other are said at once
 *   } text    says text without CRLF; \r \n \\ and \xHH are known
 *   < text    waits for text and CRLF; other octets are a failure
 *   *         waits for the content as it is (BDAT)
 *   .         waits for the content with dots doubled, and the final dot
 *   %N        waits for N octets, whatever they are
 *   @         starts TLS as the server
 *   ~N        pauses for N milliseconds
 *   $         reads no more;  ^  reads on
 *   !         closes;  !!  resets
 *   &         whatever is heard from here on does not matter
 *   on N      first in a connection: must have come to that host (1 to 3, 4: the unix socket)
 *   --        the next connection follows
 * At the end it answers QUIT with 221 and waits for the other side to close. */
enum play_mode {
    PLAY_WHOLE,   /* what stands together is said at once */
    PLAY_TRICKLE, /* octet by octet */
    PLAY_BURST,   /* everything at once at the beginning, whatever is heard, and then the end */
};

struct play {
    struct scene *scene;
    const char *name;
    const char *script;
    const struct mail *mail;
    enum play_mode mode;
    size_t cut;  /* the hop goes away after so many octets; SIZE_MAX: never */
    size_t said; /* octets, of all connections */
    struct actor *actors[ACTORS_MAX];
    size_t actor_count; /* connections that came */
    size_t ended;
    bool may_be_left; /* the other side may go before the script is over */
    bool may_break;   /* connections beyond the script are not a failure */
};

void play_open(struct play *play, struct scene *scene, const char *name, const char *script,
    const struct mail *mail, enum play_mode mode, size_t cut);
/* Every connection came, said its part and is gone. Waits for that. */
void play_require_over(struct play *play);
void play_close(struct play *play);
/* A connection has come. Takes the socket. */
void play_accept(struct play *play, int host, int fd);

/* Records: "example.org MX 10 mx1.example.org", "mx1.example.org A 127.0.0.1", AAAA; "name
 * NXDOMAIN", "name SERVFAIL" (all types), "name SILENT"; a name without a record of a type has no
 * data, a name that is not there does not exist. One a line. */
struct name_server *name_server_new(
    struct loop *loop, const char *const *records, uint16_t *out_port);
void name_server_free(struct name_server **server);
/* Queries for that name so far, of any type. */
int name_server_asked(const struct name_server *server, const char *name);

#endif
