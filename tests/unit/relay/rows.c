/* tests/unit/relay/rows.c: playing rows. */
#include "rows.h"

#include <stdio.h>
#include <string.h>

enum { WAIT_MS = 10000, SUMMARY_MAX = 16384, JOBS_MAX = 4 };

/* Of each job, when all went as written. */
static struct told whole[JOBS_MAX];

static void note(char *summary, const struct told *told)
{
    size_t len = strlen(summary);

    snprintf(summary + len, SUMMARY_MAX - len, "%s%s", len > 0 ? " | " : "", told->summary);
}

/* Broken off or out of turn, it may be put off; it must not be called better or worse than it is.
 */
static void check_broken(const struct play *play, const struct told *meant, const struct told *told)
{
    for (size_t i = 0; i < told->count; i++) {
        if (told->results[i] == DELIVERY_DEFERRED)
            continue;
        if (play->mode == PLAY_BURST && told->results[i] == DELIVERY_FAILED)
            continue;
        if (play->mode == PLAY_BURST || told->results[i] != meant->results[i])
            scene_fail("told: %s, but whole: %s", told->summary, meant->summary);
    }
}

static void check_clean(struct scene *s)
{
    struct carrier *carrier = scene_carrier(s);

    for (int i = 0;
         i < 400 && (carrier->jobs || carrier->connections || hands_busy(carrier->hands) > 0); i++)
        loop_turn(s->loop, 5);
    REQUIRE(!carrier->jobs && !carrier->deliveries && !carrier->connections);
    REQUIRE(hands_busy(carrier->hands) == 0);
}

/* Returns the octets that the hops said. */
static size_t play_once(struct scene *s, const struct row *row, enum play_mode mode, size_t cut)
{
    char summary[SUMMARY_MAX] = "";
    bool is_broken = cut != SIZE_MAX || mode == PLAY_BURST;
    const struct told *told = NULL;
    struct play play;

    scene_forget(s);
    s->says = row->says;
    scene_conf(s)->timeouts.idle = row->keeps ? 30 : 0;
    play_open(&play, s, row->name, row->script, &row->mail, mode, cut);
    play.may_break = is_broken;
    play.may_be_left = row->hangs;
    for (unsigned i = 0; i < (row->jobs ? row->jobs : 1); i++) {
        if (i > 0 && row->waits)
            scene_turn(s, 20);
        told = scene_outcome(s, scene_send(s, &row->mail), WAIT_MS);
        if (!told)
            scene_fail("no outcome");
        if (is_broken)
            check_broken(&play, &whole[i], told);
        else
            whole[i] = *told;
        note(summary, told);
    }
    if (!is_broken && strcmp(summary, row->outcome) != 0)
        scene_fail("told: %s (%s)\nwanted: %s", summary, told->text, row->outcome);
    if (!is_broken && row->text && !strstr(told->text, row->text))
        scene_fail("text: %s\nwanted: %s", told->text, row->text);
    if (row->keeps)
        pool_close(scene_carrier(s)->pool);
    play_require_over(&play);
    play_close(&play);
    check_clean(s);
    return play.said;
}

void row_play(struct scene *s, const struct row *row)
{
    bool is_secured = strstr(row->script, "@\n") != NULL;
    size_t said = play_once(s, row, PLAY_WHOLE, SIZE_MAX);

    if (row->is_whole)
        return;
    play_once(s, row, PLAY_TRICKLE, SIZE_MAX);
    for (size_t cut = 0; cut < said && !row->is_uncut; cut++)
        play_once(s, row, PLAY_WHOLE, cut);
    if (!is_secured && !row->is_uncut)
        play_once(s, row, PLAY_BURST, SIZE_MAX);
}

void rows_play(struct scene *s, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row_play(s, &rows[i]);
}
