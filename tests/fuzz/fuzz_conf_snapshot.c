/* tests/fuzz/fuzz_conf_snapshot.c: the configuration as a room reads it from its channel. What
 * unpacks packs to the same octets and can be asked and compared, sensible or not. */
#include "fuzz.h"

#include "conf/conf.h"
#include "policy/retry.h"
#include "policy/rights.h"
#include "policy/route.h"

static void ask(const struct conf *conf, struct arena *arena, struct slice bytes)
{
    static const uint8_t addresses[2][16] = { { [10] = 0xff, 0xff, 192, 0, 2, 1 }, { 0x20, 1 } };
    struct slice domains[] = { SLICE_LITERAL("example.org"), SLICE_LITERAL("[192.0.2.1]"),
        slice_first(bytes, 64) };
    struct route_choice choice;
    struct grant grant;

    for (size_t i = 0; i < LENGTH_OF(domains); i++) {
        const struct conf_domain *domain = conf_domain_find(conf, domains[i]);

        REQUIRE(!domain || slice_equals_nocase(domain->name, domains[i]));
        if (route_choose(conf, domains[i], &choice))
            REQUIRE(
                choice.route >= conf->routes && choice.route < conf->routes + conf->route_count);
    }
    for (size_t i = 0; i < LENGTH_OF(addresses); i++)
        (void)conf_is_trusted(conf, addresses[i]);
    if (rights_trusted(conf, arena, &grant))
        (void)rights_sender(&grant, slice_text("a@example.org"));
}

static void check(struct conf *conf, struct arena *arena, struct slice bytes)
{
    struct buffer again, lines;
    struct conf *copy = NULL;

    buffer_init(&again, CONF_SNAPSHOT_MAX);
    buffer_init(&lines, 1 << 20);
    conf_pack(conf, &again);
    REQUIRE(again.error == ERR_OK && slice_equals(buffer_slice(&again), bytes));
    (void)conf_diff(conf, conf, &lines);
    if (conf_unpack(bytes, arena, &copy) == ERR_OK && conf_adopt(conf, arena, copy) == ERR_OK)
        (void)conf_diff(conf, copy, &lines);
    ask(conf, arena, bytes);
    buffer_clear(&again);
    buffer_clear(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of(data, size);
    struct conf *conf = NULL;
    struct arena arena;

    arena_init(&arena, 16 << 20);
    if (conf_unpack(bytes, &arena, &conf) == ERR_OK)
        check(conf, &arena, bytes);
    else
        REQUIRE(!conf);
    arena_clear(&arena);
    return 0;
}
