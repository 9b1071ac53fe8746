/* tests/power/power.c: runs a site, then cuts the power at every step of its log in several ways
 * and looks at what recovery makes of what is left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "check_room.h"
#include "check_spool.h"
#include "model.h"
#include "workload.h"

enum { SECOND_CUTS = 2, FAULTS_SHOWN = 5, ROOM_TURNS = 20 };

struct proof {
    uint64_t seed;
    size_t messages; /* in a run */
    size_t states;   /* wanted in all */
    unsigned second; /* of a thousand states: recovery itself is cut too */
    unsigned room;   /* of a thousand: the whole room is started */
    bool is_telling; /* the story before the first fault */
    size_t done, seconds, rooms, faults;
    int64_t since_ms, said_ms;
};

/* One run and its cuts. */
struct cutting {
    struct proof *proof;
    struct recorder *log;
    struct oracle *oracle;
    struct model *model;
    struct chance chance;
    size_t at;
    enum cut_mode mode;
    bool is_told;
};

/* What a write to a segment or journal file holds. */
static void tell_frames(const struct event *event)
{
    size_t at = 0;

    while (at + FRAME_HEAD <= event->len) {
        struct slice rest = slice_of(event->data + at, event->len - at);
        char id[QUEUE_ID_TEXT + 1];
        struct frame frame;
        uint64_t generation;
        bool is_entry;

        memcpy(&generation, event->data + at + 8, sizeof generation);
        is_entry = frame_parse(&journal_format, generation, rest, &frame) == FRAME_GOOD;
        if (!is_entry && frame_parse(&record_format, generation, rest, &frame) != FRAME_GOOD)
            return;
        queue_id_format(frame.id, id);
        printf("    %llu: %s %s%s\n", (unsigned long long)event->offset + at, id,
            is_entry ? journal_kind_name(frame.kind) : "record", frame.is_first ? ", first" : "");
        at += frame.total;
    }
}

/* For whoever looks into a fault: all that happened before the cut. */
static void tell_story(const struct recorder *log, size_t upto)
{
    static const char *const kinds[] = { "return", "create", "make_dir", "write", "allocate",
        "truncate", "sync", "sync_dir", "rename", "unlink", "note" };

    for (size_t i = 0; i < upto; i++) {
        const struct event *e = &log->events[i];
        if (e->kind == EVENT_RETURN && e->result != ERR_OK)
            printf("%zu return of %zu: %s\n", i, e->begin, err_text(e->result));
        else if (e->kind != EVENT_NOTE && e->kind != EVENT_RETURN)
            printf("%zu %s node %u child %u %s offset %llu len %zu\n", i, kinds[e->kind], e->node,
                e->child, e->name, (unsigned long long)e->offset, e->len);
        if (e->kind == EVENT_WRITE)
            tell_frames(e);
    }
}

/* And what was promised about the message that the fault names. */
static void tell_promise(const struct oracle *oracle)
{
    struct queue_id id;
    const struct promise *p;

    if (!queue_id_parse(slice_first(slice_text(oracle->fault), QUEUE_ID_TEXT), &id))
        return;
    p = oracle_find(oracle, id);
    if (!p)
        return;
    printf("offered %lld given %lld refused %lld, hold %lld %lld release %lld %lld delete %lld "
           "%lld%s\n",
        (long long)p->offered, (long long)p->given, (long long)p->refused, (long long)p->hold_asked,
        (long long)p->hold_answered, (long long)p->release_asked, (long long)p->release_answered,
        (long long)p->delete_asked, (long long)p->delete_answered,
        p->is_notice ? ", a notice" : "");
    for (size_t i = 0; i < p->recipient_count && i < ORACLE_RECIPIENTS; i++) {
        const struct fate *fate = &p->fates[i];
        printf("  recipient %zu: end %d %lld %lld", i, fate->end, (long long)fate->ended,
            (long long)fate->end_known);
        for (size_t t = 0; t < fate->tries; t++)
            printf("; try %lld %lld", (long long)fate->tried[t], (long long)fate->try_known[t]);
        printf("\n");
    }
}

static void say_fault(struct cutting *cutting, const char *where)
{
    struct proof *proof = cutting->proof;

    if (cutting->oracle->faults == 0)
        return;
    if (!cutting->is_told && proof->is_telling) {
        cutting->is_told = true;
        tell_story(cutting->log, cutting->at);
        tell_promise(cutting->oracle);
    }
    if (proof->faults++ < FAULTS_SHOWN)
        printf("FAULT seed %llu event %zu of %zu mode %d, %s: %s (%zu in this state)\n",
            (unsigned long long)proof->seed, cutting->at, cutting->log->count, cutting->mode, where,
            cutting->oracle->fault, cutting->oracle->faults);
    cutting->oracle->faults = 0;
}

static void say_progress(struct proof *proof)
{
    int64_t now = clock_mono_ms();

    if (now - proof->said_ms < 5000)
        return;
    proof->said_ms = now;
    printf("  %zu states, %zu of them second cuts, %zu with the whole room, %.0f a second, "
           "%zu faults\n",
        proof->done, proof->seconds, proof->rooms,
        (double)proof->done * 1000 / (double)(now - proof->since_ms + 1), proof->faults);
    fflush(stdout);
}

static void count(struct cutting *cutting, const char *where)
{
    cutting->proof->done++;
    say_fault(cutting, where);
    say_progress(cutting->proof);
}

/* Cuts what a recovery has done, and recovers again. */
static void cut_again(struct cutting *cutting, struct model *model, const struct recorder *log)
{
    size_t most = SECOND_CUTS, steps = log->count;

    for (size_t i = 0; i < steps; i++) {
        bool is_chosen = chance_below(&cutting->chance, steps - i) < most;
        struct memory_disk *disk;
        model_step(model, log, i);
        if (!is_chosen)
            continue;
        most--;
        disk = model_state(model, (enum cut_mode)chance_below(&cutting->chance, CUT_MODES),
            &cutting->chance, false);
        check_spool(&disk->disk, memory_disk_root(disk), cutting->oracle, (moment)cutting->at);
        memory_disk_free(&disk);
        cutting->proof->seconds++;
        count(cutting, "second cut");
    }
}

static void check_state(struct cutting *cutting, struct memory_disk *disk)
{
    struct recorder *recorder;
    struct model *model;

    if (!chance_of(&cutting->chance, cutting->proof->second)) {
        check_spool(&disk->disk, memory_disk_root(disk), cutting->oracle, (moment)cutting->at);
        count(cutting, "recovery");
        return;
    }
    model = model_new(disk);
    recorder = recorder_new(disk);
    check_spool(&recorder->disk, memory_disk_root(disk), cutting->oracle, (moment)cutting->at);
    count(cutting, "recovery");
    cut_again(cutting, model, recorder);
    model_free(&model);
    recorder_free(&recorder);
}

/* The same with the whole room, and always cut again: it does more than read. */
static void check_house(struct cutting *cutting)
{
    struct memory_disk *disk = model_state(cutting->model, cutting->mode, &cutting->chance, true);
    struct model *model = model_new(disk);
    struct recorder *recorder = recorder_new(disk);

    check_room(disk, recorder, cutting->oracle, (moment)cutting->at,
        chance_below(&cutting->chance, ROOM_TURNS));
    cutting->proof->rooms++;
    count(cutting, "the whole room");
    cut_again(cutting, model, recorder);
    model_free(&model);
    recorder_free(&recorder);
    memory_disk_free(&disk);
}

/* The states at one step: the extremes, then some by chance, the awkward ones more often. */
static void cut_here(struct cutting *cutting, size_t extra)
{
    size_t modes = model_uncertain(cutting->model) > 0 ? 2 + extra : 1;

    for (size_t i = 0; i < modes; i++) {
        struct memory_disk *disk;
        cutting->mode = i < 2 ? (enum cut_mode)i
                              : (enum cut_mode)(2 + chance_below(&cutting->chance, CUT_MODES - 2));
        if (chance_of(&cutting->chance, cutting->proof->room)) {
            check_house(cutting);
            continue;
        }
        disk = model_state(cutting->model, cutting->mode, &cutting->chance, false);
        check_state(cutting, disk);
        memory_disk_free(&disk);
    }
}

static void cut_all(struct cutting *cutting, size_t wanted)
{
    size_t before = cutting->proof->done;

    for (size_t i = 0; i < cutting->log->count; i++) {
        size_t due = (size_t)((double)wanted * (double)i / (double)cutting->log->count);
        bool is_new = model_step(cutting->model, cutting->log, i);
        size_t done = cutting->proof->done - before;
        cutting->at = i + 1;
        /* Right behind a promise it matters most. */
        if (cutting->log->events[i].kind == EVENT_NOTE)
            cut_here(cutting, 0);
        else if (is_new && done <= due)
            cut_here(cutting, 1 + (due - done > 8 ? 4 : chance_below(&cutting->chance, 3)));
    }
}

static void run(struct proof *proof, size_t wanted)
{
    struct memory_disk *memory = memory_disk_new(true, proof->seed);
    struct oracle oracle;
    struct cutting cutting = { .proof = proof, .oracle = &oracle };

    cutting.chance.state = proof->seed;
    cutting.log = recorder_new(memory);
    cutting.model = model_new(memory);
    oracle_init(&oracle);
    workload_run(cutting.log, &oracle, (enum workload_kind)(proof->seed % WORKLOADS), proof->seed,
        proof->messages);
    cutting.at = cutting.log->count;
    say_fault(&cutting, "while running");
    cutting.at = 0;
    oracle_learn(&oracle, cutting.log);
    printf("  %zu checkpoints, %zu messages moved\n", oracle.checkpoints, oracle.moves);
    memory_disk_free(&memory);
    cut_all(&cutting, wanted);
    model_free(&cutting.model);
    recorder_free(&cutting.log);
    oracle_clear(&oracle);
}

static size_t argument(int argc, char **argv, const char *name, size_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    struct proof proof = {
        .seed = argument(argc, argv, "--seed", 1),
        .messages = argument(argc, argv, "--messages", 200),
        .states = argument(argc, argv, "--states", 2000),
        .second = (unsigned)argument(argc, argv, "--second", 100),
        .room = (unsigned)argument(argc, argv, "--room", 10),
        .is_telling = argument(argc, argv, "--story", 0) != 0,
        .since_ms = clock_mono_ms(),
    };
    size_t runs = argument(argc, argv, "--runs", 1);
    struct rlimit files = { 65536, 65536 };

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_open("power", argument(argc, argv, "--log", 0) ? LOG_DEBUG : (enum log_level)0);
    for (size_t i = 0; i < runs; i++) {
        printf("seed %llu\n", (unsigned long long)proof.seed);
        run(&proof, proof.states / runs);
        proof.seed++;
    }
    printf("%zu states in %.1f s (%zu of them second cuts, %zu with the whole room): %zu faults\n",
        proof.done, (double)(clock_mono_ms() - proof.since_ms) / 1000, proof.seconds, proof.rooms,
        proof.faults);
    return proof.faults > 0;
}
