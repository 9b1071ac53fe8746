/* relay/wishes.c: parameters for the next hop, by one table for each command. */
#include "relay/wishes.h"

#include <inttypes.h>

#include "relay/job.h"
#include "smtp/orcpt.h"
#include "smtp/parameters.h"
#include "smtp/timestamp.h"

enum { PRIORITY_ZERO = 10 }; /* MT-PRIORITY in a job is its value and this; 0: none */

struct mail_row {
    enum extension extension; /* that the hop must list */
    void (*put)(struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop);
};

struct rcpt_row {
    enum extension extension;
    void (*put)(
        struct buffer *out, const struct msg_recipient *wishes, const struct wishes_hop *hop);
};

/* It was judged when it came in; what breaks a line is not sent all the same. */
static bool is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= 32 || text.data[i] == 127)
            return false;
    return text.len > 0;
}

static void put_ret(
    struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop UNUSED)
{
    if (job->ret != RETURN_UNSTATED)
        buffer_put_text(out, job->ret == RETURN_FULL ? " RET=FULL" : " RET=HDRS");
}

static void put_envid(
    struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop UNUSED)
{
    if (is_word(job->envid))
        buffer_printf(out, " ENVID=%.*s", SLICE_ARGS(job->envid));
}

static void put_requiretls(
    struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop)
{
    if (job->require_tls && hop->is_tls)
        buffer_put_text(out, " REQUIRETLS");
}

/* What is left of the time; mode N goes on behind its end (RFC 2852 section 4.1.4). */
static void put_by(struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop)
{
    int64_t left = job->by_time - hop->now;

    if (job->by == BY_UNSTATED)
        return;
    if (left > PARAMETER_SECONDS_MAX)
        left = PARAMETER_SECONDS_MAX;
    if (left < -PARAMETER_SECONDS_MAX)
        left = -PARAMETER_SECONDS_MAX;
    if (left < 1 && job->by == BY_RETURN) /* it ran out this very second: mode R knows no less */
        left = 1;
    buffer_printf(out, " BY=%" PRId64 ";%s%s", left, job->by == BY_RETURN ? "R" : "N",
        job->by_trace ? "T" : "");
}

static void put_priority(
    struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop UNUSED)
{
    if (job->priority != 0)
        buffer_printf(out, " MT-PRIORITY=%d", job->priority - PRIORITY_ZERO);
}

/* The time counts down, and is left out when nothing is left of it (RFC 3885 section 3.3). Nothing
 * is tracked without its ENVID (EXT-MTRK-2), which goes with DSN. */
static void put_mtrk(struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop)
{
    int64_t left = job->mtrk_until - hop->now;

    if (!is_word(job->mtrk_certifier) || !peer_has(hop->peer, EXTENSION_DSN) ||
        !is_word(job->envid))
        return;
    buffer_printf(out, " MTRK=%.*s", SLICE_ARGS(job->mtrk_certifier));
    if (job->mtrk_until != 0 && left > 0)
        buffer_printf(
            out, ":%" PRId64, left < PARAMETER_SECONDS_MAX ? left : PARAMETER_SECONDS_MAX);
}

static void put_solicit(
    struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop UNUSED)
{
    if (is_word(job->solicit))
        buffer_printf(out, " SOLICIT=%.*s", SLICE_ARGS(job->solicit));
}

static void put_conperm(
    struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop UNUSED)
{
    if (job->conperm)
        buffer_put_text(out, " CONPERM");
}

static const struct mail_row mail_rows[] = {
    { EXTENSION_DSN, put_ret },
    { EXTENSION_DSN, put_envid },
    { EXTENSION_REQUIRETLS, put_requiretls },
    { EXTENSION_DELIVERBY, put_by },
    { EXTENSION_MT_PRIORITY, put_priority },
    { EXTENSION_MTRK, put_mtrk },
    { EXTENSION_NO_SOLICITING, put_solicit },
    { EXTENSION_CONPERM, put_conperm },
};

static void put_notify(
    struct buffer *out, const struct msg_recipient *wishes, const struct wishes_hop *hop UNUSED)
{
    static const struct {
        uint8_t flag;
        const char *name;
    } names[] = {
        { NOTIFY_NEVER, "NEVER" },
        { NOTIFY_SUCCESS, "SUCCESS" },
        { NOTIFY_FAILURE, "FAILURE" },
        { NOTIFY_DELAY, "DELAY" },
    };
    const char *before = " NOTIFY=";

    for (size_t i = 0; i < LENGTH_OF(names); i++)
        if (wishes->notify & names[i].flag) {
            buffer_printf(out, "%s%s", before, names[i].name);
            before = ",";
        }
}

/* One that has grown beyond what a hop takes is left out: the mail goes before it. */
static void put_orcpt(
    struct buffer *out, const struct msg_recipient *wishes, const struct wishes_hop *hop)
{
    size_t before = out->len, value;

    if (!is_word(wishes->orcpt))
        return;
    buffer_put_text(out, " ORCPT=");
    value = out->len;
    orcpt_write(out, wishes->orcpt, hop->utf8);
    if (out->len - value > ORCPT_MAX)
        buffer_truncate(out, before);
}

static void put_rrvs(
    struct buffer *out, const struct msg_recipient *wishes, const struct wishes_hop *hop UNUSED)
{
    char date[TIMESTAMP_TEXT + 1];

    if (wishes->rrvs == RRVS_ABSENT)
        return;
    timestamp_format(wishes->rrvs_since, date);
    buffer_printf(out, " RRVS=%s%s", date,
        wishes->rrvs == RRVS_CONTINUE ? ";C"
        : wishes->rrvs == RRVS_REJECT ? ";R"
                                      : "");
}

static const struct rcpt_row rcpt_rows[] = {
    { EXTENSION_DSN, put_notify },
    { EXTENSION_DSN, put_orcpt },
    { EXTENSION_RRVS, put_rrvs },
};

void wishes_put_mail(struct buffer *out, const struct msg_job *job, const struct wishes_hop *hop)
{
    for (size_t i = 0; i < LENGTH_OF(mail_rows); i++)
        if (peer_has(hop->peer, mail_rows[i].extension))
            mail_rows[i].put(out, job, hop);
}

void wishes_put_rcpt(
    struct buffer *out, const struct job_recipient *recipient, const struct wishes_hop *hop)
{
    for (size_t i = 0; i < LENGTH_OF(rcpt_rows); i++)
        if (peer_has(hop->peer, rcpt_rows[i].extension))
            rcpt_rows[i].put(out, &recipient->wishes, hop);
}

static bool is_late(const struct msg_job *job, const struct job_recipient *recipient UNUSED,
    const struct wishes_hop *hop)
{
    return job->by == BY_RETURN && job->by_time <= hop->now;
}

static bool loses_time(const struct msg_job *job, const struct job_recipient *recipient UNUSED,
    const struct wishes_hop *hop)
{
    if (job->by != BY_RETURN)
        return false;
    return !peer_has(hop->peer, EXTENSION_DELIVERBY) ||
           job->by_time - hop->now < (int64_t)hop->peer->deliver_by_min;
}

static bool loses_permission(const struct msg_job *job,
    const struct job_recipient *recipient UNUSED, const struct wishes_hop *hop)
{
    return job->conperm && !peer_has(hop->peer, EXTENSION_CONPERM);
}

static bool loses_owner(const struct msg_job *job UNUSED, const struct job_recipient *recipient,
    const struct wishes_hop *hop)
{
    uint8_t rrvs = recipient->wishes.rrvs;

    return (rrvs == RRVS_UNSTATED || rrvs == RRVS_REJECT) && !peer_has(hop->peer, EXTENSION_RRVS);
}

/* What must not go on without its extension. With LMTP the way is over: there is nobody to pass on
 * to, but whose the mailbox is matters most there. */
static const struct {
    bool (*is_lost)(const struct msg_job *job, const struct job_recipient *recipient,
        const struct wishes_hop *hop);
    enum wishes_fit fit;
    bool at_end; /* of the way too */
    const char *status;
    const char *reason;
} demands[] = {
    { is_late, WISHES_NOWHERE, true, "5.4.7", "the time to deliver it in is over" },
    { loses_time, WISHES_NOWHERE, false, "5.3.3",
        "the next hop does not promise to deliver in the time asked for" },
    { loses_permission, WISHES_NOT_HERE, false, "5.6.3",
        "the next hop knows nothing of permission to convert" },
    { loses_owner, WISHES_NOT_HERE, true, "5.7.19",
        "the next hop cannot say whose the mailbox is" },
};

enum wishes_fit wishes_judge(const struct msg_job *job, const struct job_recipient *recipient,
    const struct wishes_hop *hop, struct verdict *out_why)
{
    for (size_t i = 0; i < LENGTH_OF(demands); i++) {
        if ((hop->is_lmtp && !demands[i].at_end) || !demands[i].is_lost(job, recipient, hop))
            continue;
        *out_why =
            verdict_of(DELIVERY_FAILED, CAUSE_CONTENT, demands[i].status, "%s", demands[i].reason);
        return demands[i].fit;
    }
    return WISHES_FIT;
}

enum delivery_end wishes_end(const struct wishes_hop *hop)
{
    if (peer_has(hop->peer, EXTENSION_DSN))
        return END_REPORTED;
    return hop->is_lmtp ? END_DELIVERED : END_RELAYED;
}
