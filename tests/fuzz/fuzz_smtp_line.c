/* tests/fuzz/fuzz_smtp_line.c: the line reader: the same lines come out whatever the cuts. */
#include "fuzz.h"

#include "smtp/command.h"
#include "smtp/line.h"

/* One octet for each answer, then what came with it; cut is advanced as a small generator. */
static void trace(struct slice input, unsigned cut, struct buffer *out)
{
    struct line_reader reader = { 0 };
    struct buffer stream;
    enum line_answer answer = LINE_MORE;

    buffer_init(&stream, 1 << 22);
    for (size_t at = 0, step; at < input.len && answer != LINE_BARE_LF; at += step) {
        step = cut == 0 ? input.len : 1 + (cut = cut * 1103515245u + 12345u) / 65536u % 9;
        buffer_put_slice(&stream, slice_first(slice_from(input, at), step));
        do {
            struct line line;

            answer = line_read(
                &reader, buffer_slice(&stream), command_line_max(buffer_slice(&stream)), &line);
            if (answer != LINE_MORE) {
                struct slice name = command_parse(line.text).name;

                if (command_is_clean(&line, command_parse(line.text).verb) && line.has_nul)
                    abort();
                buffer_put_u8(out, (uint8_t)answer);
                buffer_put_u32(out, (uint32_t)name.len);
                buffer_put_slice(out, line.text);
            }
            buffer_consume(&stream, line.consumed);
        } while (answer != LINE_MORE && answer != LINE_BARE_LF);
    }
    if (stream.error != ERR_OK || out->error != ERR_OK)
        abort();
    buffer_clear(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);

    require_same_for_cuts(input, trace);
    return 0;
}
