/* relay/verdict.c: replies and reasons into verdicts. Pure. */
#include "relay/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set_status(struct verdict *v, struct status status)
{
    snprintf(v->status, sizeof v->status, "%u.%u.%u", (unsigned)status.class,
        (unsigned)status.subject, (unsigned)status.detail);
}

static void set_text(struct verdict *v, struct slice text)
{
    size_t len = text.len < VERDICT_TEXT ? text.len : VERDICT_TEXT;

    if (len > 0)
        memcpy(v->text, text.data, len);
    v->text[len] = '\0';
}

struct verdict verdict_of_reply(const struct peer_reply *reply)
{
    struct verdict v = { .cause = CAUSE_REPLY, .code = (uint16_t)reply->code };

    set_text(&v, reply->text);
    switch (peer_reply_class(reply)) {
    case 2:
        v.result = DELIVERY_DONE;
        break;
    case 5:
        v.result = DELIVERY_FAILED;
        break;
    case 4:
        v.result = DELIVERY_DEFERRED;
        break;
    default: /* 3yz where none is due, or a code that SMTP does not have */
        v.result = DELIVERY_DEFERRED;
        set_status(&v, (struct status){ 4, 5, 0 });
        return v;
    }
    set_status(&v, status_is_set(reply->status) ? reply->status : status_of_code(reply->code));
    return v;
}

struct verdict verdict_of_unasked(const struct peer_reply *reply)
{
    struct verdict v = verdict_of(DELIVERY_DEFERRED, CAUSE_REPLY, "4.5.0",
        "the next hop spoke out of turn: %u %.*s", reply->code,
        SLICE_ARGS(slice_first(reply->text, 900)));

    if (reply->code == 421)
        return verdict_of_reply(reply);
    v.code = (uint16_t)reply->code;
    return v;
}

struct verdict verdict_of(enum delivery_result result, enum delivery_cause cause,
    const char *status, const char *format, ...)
{
    struct verdict v = { .result = result, .cause = cause };
    va_list args;

    snprintf(v.status, sizeof v.status, "%s", status);
    va_start(args, format);
    vsnprintf(v.text, sizeof v.text, format, args);
    va_end(args);
    return v;
}
