/* smtp/reply_page.c: a small program of the build: prints submitd-replies(7) from the table of
 * replies, in place of the line "@REPLIES@" of the page that is given as its argument. What no part
 * of this version says is left out. */
#include "smtp/reply_page.h"

#include <stdio.h>
#include <string.h>

static bool is_reserved(enum reply_id id)
{
    return reply_when(id)[0] == '-';
}

/* Text for mdoc: a backslash is escaped, and so is what would be a control line. */
static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '\n')
            fputs(" / ", stdout);
        else
            putchar(*text);
}

static void put_reply(enum reply_id id)
{
    const struct reply_info *info = reply_info(id);
    const char *when = reply_when(id);

    printf(".It Li %u", info->code);
    if (status_is_set(info->status))
        printf(" %u.%u.%u", info->status.class, info->status.subject, info->status.detail);
    putchar('\n');
    if (info->text[0]) {
        fputs("\\(lq", stdout); /* no macro: words such as No would be macros too */
        put_text(info->text);
        fputs("\\(rq\n.br\n", stdout);
    }
    put_text(when);
    putchar('\n');
}

static void put_replies(void)
{
    fputs(".Bl -tag -width \"550 5.7.27\"\n", stdout);
    for (enum reply_id id = 0; id < REPLY_COUNT; id++)
        if (!is_reserved(id))
            put_reply(id);
    fputs(".El\n", stdout);
}

int main(int argc, char **argv)
{
    char line[1024];
    FILE *page = argc == 2 ? fopen(argv[1], "r") : NULL;

    if (!page) {
        fprintf(stderr, "usage: reply-page PAGE\n");
        return 64;
    }
    while (fgets(line, sizeof line, page))
        if (strcmp(line, "@REPLIES@\n") == 0)
            put_replies();
        else
            fputs(line, stdout);
    fclose(page);
    return fflush(stdout) == 0 ? 0 : 74;
}
