/* conf/manual.c: a small program of the build: prints the settings section of submitd.conf(5) from
 * the option table, in mdoc, in place of the line "@SETTINGS@" of the page that is given as its
 * argument. */
#include <stdio.h>
#include <string.h>

#include "conf/options.h"

/* Text for mdoc: a backslash is escaped, and so is what would be a control line. */
static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
}

static void put_values(const struct option *option)
{
    switch (option->kind) {
    case OPTION_NUMBER:
    case OPTION_PORT:
        printf("A number from %lld to %lld", (long long)option->least, (long long)option->most);
        break;
    case OPTION_NUMBERS:
        printf("A list of numbers from %lld to %lld", (long long)option->least,
            (long long)option->most);
        break;
    case OPTION_BOOL:
    case OPTION_LATER:
        fputs("True or false", stdout);
        break;
    case OPTION_CHOICE:
        for (size_t i = 0; option->choices[i]; i++)
            printf("%s\"%s\"",
                i == 0                   ? ""
                : option->choices[i + 1] ? ", "
                                         : " or ",
                option->choices[i]);
        break;
    case OPTION_TEXTS:
    case OPTION_LATERS:
        fputs("A list, each ", stdout);
        put_text(syntax_allowed(option->syntax));
        break;
    case OPTION_TEXT:
        fputs("Text: ", stdout);
        put_text(syntax_allowed(option->syntax));
        break;
    }
    if (option->unit)
        printf(" %s", option->unit);
}

static void put_default(const struct option *option)
{
    const char *open = option_is_list(option) ? "{ " : "";
    const char *close = option_is_list(option) ? " }" : "";

    if (option->required)
        fputs("Required.", stdout);
    else if (option->preset_doc)
        printf("Default: %s.", option->preset_doc);
    else if (option->preset && option->kind == OPTION_TEXT)
        printf("Default: \"%s\".", option->preset);
    else if (option->preset)
        printf("Default: %s%s%s.", open, option->preset, close);
    else if (option->kind == OPTION_BOOL || option->kind == OPTION_LATER)
        fputs("Default: false.", stdout);
    else if (option_is_list(option))
        fputs("Default: { }.", stdout);
    else
        fputs("Default: none.", stdout);
    if (option->restart)
        fputs(" A change needs a restart.", stdout);
    putchar('\n');
}

static void put_option(const struct option *option)
{
    printf(".It Ic %s\n", option->name);
    put_text(option->doc);
    fputs("\n", stdout);
    put_values(option);
    fputs(".\n", stdout);
    put_default(option);
}

static void put_section(enum section_id id)
{
    const struct section *row = &sections[id];
    struct option_range range = option_range(id);

    if (id == SECTION_TOP)
        puts(".Ss Outside of every section");
    else if (row->parent != SECTION_TOP)
        printf(".Ss %s \\(dq%s\\(dq { ... }, within %s\n", row->name, row->title,
            sections[row->parent].name);
    else if (row->title)
        printf(".Ss %s \\(dq%s\\(dq { ... }\n", row->name, row->title);
    else
        printf(".Ss %s { ... }\n", row->name);
    if (row->doc) {
        put_text(row->doc);
        putchar('\n');
    }
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < range.count; i++)
        put_option(&options[range.first + i]);
    puts(".El");
}

int main(int argc, char **argv)
{
    FILE *page = argc == 2 ? fopen(argv[1], "r") : NULL;
    char line[1024];

    if (!page) {
        fprintf(stderr, "usage: %s PAGE.in\n", argv[0]);
        return 64;
    }
    while (fgets(line, sizeof line, page)) {
        if (strcmp(line, "@SETTINGS@\n") != 0)
            fputs(line, stdout);
        else
            for (size_t i = 0; i < SECTION_COUNT; i++)
                put_section((enum section_id)i);
    }
    fclose(page);
    return ferror(stdout) ? 74 : 0;
}
