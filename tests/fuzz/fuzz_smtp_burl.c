/* tests/fuzz/fuzz_smtp_burl.c: the argument of BURL: what is accepted can stand in quotes, its
 * parts lie in it and in their order, and it reads as the same once more. */
#include <stdlib.h>

#include "smtp/burl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct slice whole, struct slice part, const char **at)
{
    if (part.len == 0)
        return;
    if (part.data < *at || part.data + part.len > whole.data + whole.len)
        abort();
    *at = part.data + part.len;
}

/* What it stands for is no longer, and nothing that goes on is the same. */
static void check_encoded(struct slice encoded)
{
    static const char longer[8192];

    if (burl_equals(encoded, slice_of(longer, encoded.len + 1)) ||
        (encoded.len > 0 && burl_equals(encoded, slice_of(longer, 0))))
        abort();
    if (slice_find(encoded, '%') == encoded.len && !burl_equals(encoded, encoded))
        abort();
}

static void check_imap(const struct burl *burl)
{
    const struct imap_url *url = &burl->imap;
    const char *at = burl->url.data;

    check_within(burl->url, url->user, &at);
    check_within(burl->url, url->host, &at);
    check_within(burl->url, url->mailbox, &at);
    check_within(burl->url, url->section, &at);
    check_within(burl->url, url->access_user, &at);
    if (url->host.len == 0 || url->host.len > BURL_HOST_MAX || url->mailbox.len == 0 ||
        url->uid == 0 || url->uid > UINT32_MAX || url->uid_validity > UINT32_MAX ||
        url->port == 0 || url->access_user.len > BURL_USER_MAX ||
        url->section.len > BURL_SECTION_MAX)
        abort();
    if ((url->access == BURL_ACCESS_SUBMIT || url->access == BURL_ACCESS_USER) !=
        (url->access_user.len > 0))
        abort();
    check_encoded(url->user);
    check_encoded(url->mailbox);
    check_encoded(url->access_user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct burl burl, again;
    enum burl_fault fault;

    if (size > 4096)
        return 0;
    fault = burl_parse(slice_of(data, size), &burl);
    if (fault == BURL_SYNTAX)
        return 0;
    for (size_t i = 0; i < burl.url.len; i++)
        if (burl.url.data[i] <= 32 || burl.url.data[i] >= 127 || burl.url.data[i] == '"' ||
            burl.url.data[i] == '\\' || burl.url.data[i] == '{')
            abort();
    if (burl_parse(burl.url, &again) != fault || again.last || again.imap.uid != burl.imap.uid)
        abort();
    if (fault == BURL_OK)
        check_imap(&burl);
    return 0;
}
