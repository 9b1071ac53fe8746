/* net/dns_answer.c: names, sections and records of a DNS packet. */
#include "net/dns_answer.h"

enum { HEADER = 12, POINTERS_MAX = 32, LABEL_MAX = 63, ANSWERS_MAX = 4096 };

struct reader {
    struct slice packet;
    size_t at;
    bool bad; /* sticky */
};

static uint16_t read_u16(struct reader *r)
{
    uint16_t v;

    if (r->bad || r->packet.len - r->at < 2) {
        r->bad = true;
        return 0;
    }
    v = (uint16_t)((unsigned char)r->packet.data[r->at] << 8 |
                   (unsigned char)r->packet.data[r->at + 1]);
    r->at += 2;
    return v;
}

static uint32_t read_u32(struct reader *r)
{
    uint32_t high = read_u16(r);

    return high << 16 | read_u16(r);
}

static struct slice read_octets(struct reader *r, size_t len)
{
    struct slice octets;

    if (r->bad || r->packet.len - r->at < len) {
        r->bad = true;
        return slice_of(NULL, 0);
    }
    octets = slice_of(r->packet.data + r->at, len);
    r->at += len;
    return octets;
}

struct name {
    char text[DNS_NAME_TEXT + 1];
    size_t len;
};

/* Appends a label in lower case. Octets that would make the text ambiguous (dots, controls) refuse
 * the whole name: a host name never has them. */
static bool append_label(struct name *name, struct slice label)
{
    if (name->len + label.len + 1 > DNS_NAME_TEXT)
        return false;
    if (name->len > 0)
        name->text[name->len++] = '.';
    for (size_t i = 0; i < label.len; i++) {
        if (label.data[i] <= ' ' || label.data[i] == '.' || label.data[i] == 127)
            return false;
        name->text[name->len++] = ascii_lower(label.data[i]);
    }
    return true;
}

/* Reads a name and follows its pointers, which must go backwards and are counted. */
static void read_name(struct reader *r, struct name *out_name)
{
    size_t resume = 0; /* where reading goes on: behind the first pointer */
    unsigned pointers = 0;

    out_name->len = 0;
    while (!r->bad) {
        size_t start = r->at;
        struct slice head = read_octets(r, 1);
        unsigned octet = r->bad ? 0 : (unsigned char)head.data[0];

        if (r->bad || octet == 0)
            break;
        if (octet <= LABEL_MAX) {
            struct slice label = read_octets(r, octet);
            r->bad = r->bad || !append_label(out_name, label);
            continue;
        }
        head = read_octets(r, 1);
        if (r->bad || octet < 0xc0 || ++pointers > POINTERS_MAX) {
            r->bad = true;
            break;
        }
        if (resume == 0)
            resume = r->at;
        r->at = (octet & 0x3f) << 8 | (unsigned char)head.data[0];
        r->bad = r->at >= start;
    }
    if (resume > 0)
        r->at = resume;
}

struct raw_record {
    struct name owner;
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    size_t data_at;
    size_t data_len;
};

static void read_record(struct reader *r, struct raw_record *out)
{
    read_name(r, &out->owner);
    out->type = read_u16(r);
    out->class = read_u16(r);
    out->ttl = read_u32(r);
    out->data_len = read_u16(r);
    out->data_at = r->at;
    (void)read_octets(r, out->data_len);
}

static bool name_is(const struct name *name, struct slice text)
{
    return slice_equals_nocase(slice_of(name->text, name->len), text);
}

static void read_name_at(const struct reader *r, size_t at, struct name *out_name, bool *out_bad)
{
    struct reader inner = { .packet = r->packet, .at = at };

    read_name(&inner, out_name);
    *out_bad = *out_bad || inner.bad;
}

/* One step along the chain: is there a CNAME owned by `name`? */
static bool find_alias(
    struct reader r, unsigned count, struct slice name, struct name *out_target, bool *out_bad)
{
    struct raw_record record;

    for (unsigned i = 0; i < count && !r.bad; i++) {
        read_record(&r, &record);
        if (!r.bad && record.class == 1 && record.type == DNS_CNAME &&
            name_is(&record.owner, name)) {
            read_name_at(&r, record.data_at, out_target, out_bad);
            return !*out_bad;
        }
    }
    *out_bad = *out_bad || r.bad;
    return false;
}

static bool take_record(const struct reader *r, const struct raw_record *raw, struct arena *arena,
    struct dns_record *out, bool *out_bad)
{
    struct slice data = slice_of(r->packet.data + raw->data_at, raw->data_len);
    struct name exchange;

    *out = (struct dns_record){ .ttl = raw->ttl };
    if (raw->type == DNS_MX) {
        if (data.len < 3) {
            *out_bad = true;
            return true;
        }
        out->preference =
            (uint16_t)((unsigned char)data.data[0] << 8 | (unsigned char)data.data[1]);
        read_name_at(r, raw->data_at + 2, &exchange, out_bad);
        return *out_bad || arena_copy(arena, slice_of(exchange.text, exchange.len), &out->name);
    }
    if ((raw->type == DNS_A && data.len != 4) || (raw->type == DNS_AAAA && data.len != 16)) {
        *out_bad = true;
        return true;
    }
    return arena_copy(arena, data, &out->data);
}

static enum err collect(struct reader r, unsigned count, enum dns_type type, struct arena *arena,
    struct dns_answer *answer)
{
    struct raw_record raw;
    bool bad = false;

    answer->records = arena_array(
        arena, count < DNS_RECORDS_MAX ? count : DNS_RECORDS_MAX, sizeof *answer->records);
    if (!answer->records)
        return ERR_NOMEM;
    for (unsigned i = 0; i < count && !bad; i++) {
        read_record(&r, &raw);
        bad = r.bad;
        if (bad || raw.class != 1 || raw.type != type || !name_is(&raw.owner, answer->canonical))
            continue;
        if (answer->record_count == DNS_RECORDS_MAX)
            break;
        if (!take_record(&r, &raw, arena, &answer->records[answer->record_count], &bad))
            return ERR_NOMEM;
        answer->record_count++;
    }
    return bad ? ERR_CORRUPT : ERR_OK;
}

enum err dns_answer_parse(struct slice packet, struct slice name, enum dns_type type,
    struct arena *arena, struct dns_answer *out_answer)
{
    struct reader r = { .packet = packet };
    struct dns_answer answer = { 0 };
    struct name target;
    unsigned questions, answers;
    bool bad = false;
    unsigned steps = 0;
    enum err rc;

    (void)read_u16(&r);
    answer.rcode = read_u16(&r) & 15;
    questions = read_u16(&r);
    answers = read_u16(&r);
    (void)read_u32(&r);
    if (questions > 1 || answers > ANSWERS_MAX)
        return ERR_CORRUPT;
    if (questions == 1) {
        read_name(&r, &target);
        (void)read_u32(&r);
    }
    if (r.bad)
        return ERR_CORRUPT;
    if (!arena_copy(arena, name, &answer.canonical))
        return ERR_NOMEM;
    while (type != DNS_CNAME && find_alias(r, answers, answer.canonical, &target, &bad)) {
        if (++steps > DNS_CHAIN_MAX)
            return ERR_CORRUPT;
        if (!arena_copy(arena, slice_of(target.text, target.len), &answer.canonical))
            return ERR_NOMEM;
    }
    rc = bad ? ERR_CORRUPT : collect(r, answers, type, arena, &answer);
    if (rc == ERR_OK)
        *out_answer = answer;
    return rc;
}
