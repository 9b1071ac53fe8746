/* A configuration file: whatever it holds, it is refused with a printable message or gives a
 * configuration that survives packing. */
#include <assert.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct conf_error *error)
{
    assert(error->text[0] != '\0');
    for (size_t i = 0; error->text[i]; i++)
        assert(error->text[i] >= 0x20 && error->text[i] < 0x7f);
}

static void check_conf(const struct conf *conf, struct arena *arena)
{
    struct conf *copy = NULL;
    struct buffer bytes, lines;

    buffer_init(&bytes, CONF_SNAPSHOT_MAX);
    buffer_init(&lines, 65536);
    conf_pack(conf, &bytes);
    assert(bytes.error == ERR_OK);
    if (conf_unpack(buffer_slice(&bytes), arena, &copy) == ERR_OK) {
        assert(conf_diff(conf, copy, &lines) == 0);
        assert(conf_adopt(conf, arena, copy) != ERR_OK || copy->pending_count == 0);
    }
    buffer_clear(&lines);
    buffer_clear(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_error error = { "" };
    struct conf *conf = NULL;
    struct arena arena;
    enum err rc;

    arena_init(&arena, 16 << 20);
    rc = conf_parse("submitd.conf", slice_of(data, size), &arena, &conf, &error);
    assert((rc == ERR_OK) == (conf != NULL));
    if (conf)
        check_conf(conf, &arena);
    else
        check_message(&error);
    arena_clear(&arena);
    return 0;
}
