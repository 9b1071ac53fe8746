/* queue/clients.c: who makes mistakes again and again, from the tables that the gates keep. */
#include <stdlib.h>

#include "ipc/mistakes.h"
#include "queue/control.h"

enum { LIMIT_PRESET = 100, LIMIT_MOST = 10000 };

static uint64_t total(const struct mistakes_row *row)
{
    uint64_t sum = 0;

    for (size_t kind = 0; kind < MISTAKE_KINDS; kind++)
        sum += row->counts[kind];
    return sum;
}

static int compare_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_who(const void *left, const void *right)
{
    const struct mistakes_row *a = left, *b = right;
    int order = compare_text(a->client, a->client_len, b->client, b->client_len);

    return order != 0 ? order : compare_text(a->user, a->user_len, b->user, b->user_len);
}

/* Most mistakes first. */
static int by_total(const void *left, const void *right)
{
    uint64_t a = total(left), b = total(right);

    return a != b ? (a < b) - (a > b) : by_who(left, right);
}

/* Of the same client at several gates. */
static void merge(struct mistakes_row *into, const struct mistakes_row *from)
{
    struct mistakes_row sum = from->last_s > into->last_s ? *from : *into;

    for (size_t kind = 0; kind < MISTAKE_KINDS; kind++)
        if (__builtin_add_overflow(into->counts[kind], from->counts[kind], &sum.counts[kind]))
            sum.counts[kind] = UINT32_MAX;
    sum.first_s = from->first_s < into->first_s ? from->first_s : into->first_s;
    *into = sum;
}

/* Everybody once, most mistakes first. Returns how many. */
static size_t collect(const struct mistakes *mistakes, struct mistakes_row *rows)
{
    size_t count = 0, kept = 0;

    for (unsigned gate = 0; gate < mistakes_gates(mistakes); gate++)
        for (unsigned row = 0; row < MISTAKES_ROWS; row++)
            count += mistakes_read(mistakes, gate, row, &rows[count]);
    qsort(rows, count, sizeof *rows, by_who);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && by_who(&rows[kept - 1], &rows[i]) == 0)
            merge(&rows[kept - 1], &rows[i]);
        else
            rows[kept++] = rows[i];
    }
    qsort(rows, kept, sizeof *rows, by_total);
    return kept;
}

static json_t *counts_json(const struct mistakes_row *row)
{
    json_t *counts = json_object();

    for (size_t kind = 0; kind < MISTAKE_KINDS; kind++)
        if (row->counts[kind] > 0)
            json_object_set_new(counts, mistake_name((enum mistake)kind),
                json_integer((json_int_t)row->counts[kind]));
    return counts;
}

/* What a gate that has gone astray may have written is no time. */
static json_t *time_json(int64_t seconds)
{
    return seconds > 0 && seconds < INT64_C(1) << 36 ? show_time(seconds * 1000000) : json_null();
}

static json_t *row_json(const struct mistakes_row *row)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "client",
        show_text(slice_of(row->client, row->client_len)), "user",
        show_text_or_null(slice_of(row->user, row->user_len)), "name",
        show_text_or_null(slice_of(row->name, row->name_len)), "total", (json_int_t)total(row),
        "mistakes", counts_json(row), "first", time_json(row->first_s), "last",
        time_json(row->last_s), "reply", show_text(slice_of(row->reply, row->reply_len)));
}

static json_t *result_json(const struct mistakes_row *rows, size_t count, size_t limit)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append_new(list, row_json(&rows[i]));
    return json_pack("{s:I, s:o}", "total", (json_int_t)count, "clients", list);
}

void command_clients(struct client *client, const json_t *request)
{
    const struct mistakes *mistakes = client_queue(client)->mistakes;
    const json_t *limit = json_object_get(request, "limit");
    json_int_t most = limit ? json_integer_value(limit) : LIMIT_PRESET;
    struct mistakes_row *rows;
    size_t count;

    if (most < 1 || most > LIMIT_MOST) {
        client_fail(client, "bad-request", "limit is a number from 1 to %d", LIMIT_MOST);
        return;
    }
    if (!mistakes) {
        client_answer(client, result_json(NULL, 0, 0));
        return;
    }
    rows = calloc((size_t)mistakes_gates(mistakes) * MISTAKES_ROWS, sizeof *rows);
    if (!rows) {
        client_fail(client, "failed", "out of memory");
        return;
    }
    count = collect(mistakes, rows);
    client_answer(client, result_json(rows, count, (size_t)most));
    free(rows);
}
