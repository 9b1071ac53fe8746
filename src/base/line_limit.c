/* base/line_limit.c: a cell for each hash of a client, begun anew each minute. */
#include "base/line_limit.h"

#include "base/map.h"

bool line_limit_take(struct line_limit *limit, struct slice client, int64_t wall, uint32_t most)
{
    struct line_limit_cell *cell =
        &limit->cells[map_hash(client.data, client.len) % LINE_LIMIT_CELLS];

    if (cell->minute != wall / 60)
        *cell = (struct line_limit_cell){ .minute = wall / 60 };
    if (cell->lines >= most) {
        line_limit_suppress(limit);
        return false;
    }
    cell->lines++;
    return true;
}

void line_limit_suppress(struct line_limit *limit)
{
    limit->suppressed++;
}

uint64_t line_limit_told(struct line_limit *limit, int64_t wall)
{
    uint64_t suppressed = wall / 60 != limit->minute ? limit->suppressed : 0;

    limit->minute = wall / 60;
    limit->suppressed -= suppressed;
    return suppressed;
}
