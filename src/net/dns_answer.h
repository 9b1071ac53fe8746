/* net/dns_answer.h: reads one DNS answer as it came over the wire: hostile input, every length
 * checked. Pure. */
#ifndef NET_DNS_ANSWER_H
#define NET_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };

enum {
    DNS_NAME_TEXT = 254,   /* longest name as text, without a final dot */
    DNS_RECORDS_MAX = 256, /* of the type asked for; the rest is dropped */
    DNS_CHAIN_MAX = 16,    /* CNAMEs followed */
};

struct dns_record {
    uint32_t ttl;        /* seconds */
    uint16_t preference; /* MX */
    struct slice
        name; /* MX: the exchange, lower-case, without final dot; empty for the root (null MX) */
    struct slice data; /* A: 4 octets, AAAA: 16; other types: the raw data */
};

struct dns_answer {
    uint8_t rcode; /* 0 no error, 3 the name does not exist, others: failures */
    struct slice
        canonical; /* the name at the end of the CNAME chain; the name asked for without one */
    struct dns_record *records;
    size_t record_count;
};

/* name: what was asked, text without final dot. Records behind the CNAME chain that starts at name,
 * in the order of the packet. Text and data come from the arena. ERR_CORRUPT for a packet that does
 * not parse, a chain that is too long or goes round; ERR_NOMEM. A record in the answer of another
 * owner or type is passed over. RFC 1035 section 4, RFC 3596. */
MUST_CHECK enum err dns_answer_parse(struct slice packet, struct slice name, enum dns_type type,
    struct arena *arena, struct dns_answer *out_answer);

#endif
