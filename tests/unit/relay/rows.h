/* tests/unit/relay/rows.h: dialogues as rows of a table, each played whole, octet by octet, all at
 * once, and with the hop going away after each of its octets. */
#ifndef TESTS_RELAY_ROWS_H
#define TESTS_RELAY_ROWS_H

#include "scene.h"

/* What most scripts begin with. */
#define HELLO(keywords)                                                                            \
    "> 220 hop.example ESMTP\n< EHLO msa.example.net\n> 250-hop.example\n" keywords
#define BARE      HELLO("> 250 HELP\n")
#define PIPELINES HELLO("> 250 PIPELINING\n")
#define CHUNKS    HELLO("> 250-PIPELINING\n> 250 CHUNKING\n")
#define MAIL      "< MAIL FROM:<alice@example.net>\n"
#define RCPT(who) "< RCPT TO:<" who "@example.org>\n"
#define OK        "> 250 2.0.0 ok\n"

struct row {
    const char *name; /* with the requirements it shows */
    struct mail mail;
    const char *script;
    const char *outcome; /* of each job, separated by " | " */
    const char *text;    /* part of the first recipient's text; NULL: not looked at */
    const char *const *says;
    unsigned jobs; /* the mail is sent so often, one after the other; 0: once */
    bool keeps;    /* connections are kept for the next job */
    bool is_whole; /* only whole */
    bool waits;    /* a moment between the jobs */
    bool hangs;    /* the hop is left in the middle of its script */
    bool is_uncut; /* only whole and octet by octet */
};

/* All ways of playing it. */
void row_play(struct scene *scene, const struct row *row);
void rows_play(struct scene *scene, const struct row *rows, size_t count);

#endif
