/* tests/power/content.c: pages and their references. */
#include "content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct page {
    unsigned refs;
    unsigned char data[CONTENT_PAGE];
};

void *power_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);

    if (!memory) {
        fprintf(stderr, "no memory\n");
        abort();
    }
    return memory;
}

/* The array with room for one more than `count`. */
void *power_grow(void *array, size_t *room, size_t count, size_t each)
{
    if (count < *room)
        return array;
    *room = *room ? *room * 2 : 16;
    array = reallocarray(array, *room, each);
    if (!array)
        abort();
    return array;
}

struct content *content_new(void)
{
    struct content *content = power_alloc(sizeof *content);

    content->refs = 1;
    return content;
}

struct content *content_share(struct content *content)
{
    content->refs++;
    return content;
}

static void page_drop(struct page *page)
{
    if (page && --page->refs == 0)
        free(page);
}

void content_drop(struct content **at)
{
    struct content *content = *at;

    *at = NULL;
    if (!content || --content->refs > 0)
        return;
    for (size_t i = 0; i < content->page_count; i++)
        page_drop(content->pages[i]);
    free(content->pages);
    free(content);
}

void content_own(struct content **at)
{
    struct content *old = *at, *own;

    if (old->refs == 1)
        return;
    own = content_new();
    own->size = old->size;
    own->page_count = old->page_count;
    own->pages = power_alloc(old->page_count * sizeof(struct page *));
    for (size_t i = 0; i < old->page_count; i++) {
        own->pages[i] = old->pages[i];
        if (own->pages[i])
            own->pages[i]->refs++;
    }
    old->refs--;
    *at = own;
}

/* The page to be changed; made if it is not there. */
static struct page *page_own(struct content *content, size_t index)
{
    struct page *page;

    if (index >= content->page_count) {
        size_t count = content->page_count * 2 > index + 1 ? content->page_count * 2 : index + 1;
        content->pages = reallocarray(content->pages, count, sizeof(struct page *));
        if (!content->pages)
            abort();
        memset(content->pages + content->page_count, 0,
            (count - content->page_count) * sizeof(struct page *));
        content->page_count = count;
    }
    page = content->pages[index];
    if (page && page->refs == 1)
        return page;
    content->pages[index] = power_alloc(sizeof *page);
    if (page)
        memcpy(content->pages[index]->data, page->data, CONTENT_PAGE);
    content->pages[index]->refs = 1;
    page_drop(page);
    return content->pages[index];
}

/* How much of `len` octets at the offset lies in its page. */
static size_t in_page(uint64_t offset, uint64_t len)
{
    uint64_t left = CONTENT_PAGE - offset % CONTENT_PAGE;

    return (size_t)(left < len ? left : len);
}

void content_write(struct content *content, uint64_t offset, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        size_t part = in_page(offset + done, len - done);
        struct page *page = page_own(content, (size_t)((offset + done) / CONTENT_PAGE));
        memcpy(page->data + (offset + done) % CONTENT_PAGE, (const char *)data + done, part);
        done += part;
    }
    if (len > 0 && offset + len > content->size)
        content->size = offset + len;
}

void content_zero(struct content *content, uint64_t offset, uint64_t len)
{
    uint64_t end = offset + len < content->size ? offset + len : content->size;

    while (offset < end) {
        size_t part = in_page(offset, end - offset);
        size_t index = (size_t)(offset / CONTENT_PAGE);
        if (index >= content->page_count)
            return;
        if (content->pages[index])
            memset(page_own(content, index)->data + offset % CONTENT_PAGE, 0, part);
        offset += part;
    }
}

void content_resize(struct content *content, uint64_t size)
{
    size_t keep = (size_t)((size + CONTENT_PAGE - 1) / CONTENT_PAGE);

    if (size < content->size)
        content_zero(content, size, in_page(size, content->size - size));
    for (size_t i = keep; i < content->page_count; i++) {
        page_drop(content->pages[i]);
        content->pages[i] = NULL;
    }
    if (keep < content->page_count)
        content->page_count = keep;
    content->size = size;
}

size_t content_read(const struct content *content, uint64_t offset, void *into, size_t len)
{
    if (offset >= content->size)
        return 0;
    if (len > content->size - offset)
        len = (size_t)(content->size - offset);
    for (size_t done = 0; done < len;) {
        size_t part = in_page(offset + done, len - done);
        size_t index = (size_t)((offset + done) / CONTENT_PAGE);
        const struct page *page = index < content->page_count ? content->pages[index] : NULL;
        if (page)
            memcpy((char *)into + done, page->data + (offset + done) % CONTENT_PAGE, part);
        else
            memset((char *)into + done, 0, part);
        done += part;
    }
    return len;
}
