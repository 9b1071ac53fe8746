/* conf/load.c: from the file to the typed configuration: the walk of scan.c, then libconfuse with
 * option arrays made from the table, then the cross checks. libconfuse calls back for every value,
 * which is where limits and forms are judged. */
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/check.h"
#include "conf/conf.h"
#include "conf/fault.h"
#include "conf/options.h"
#include "conf/scan.h"

enum { SCRATCH_MAX = 64 << 20 };

/* One load at a time: libconfuse's callbacks carry no context of ours, and its lexer is global
 * anyway. */
struct loading {
    struct fault fault;
    struct arena *arena;  /* of the configuration */
    struct arena scratch; /* of this load */
    struct scan scan;
};
static struct loading *loading;

static const struct option *row_of(const cfg_t *cfg, const cfg_opt_t *opt)
{
    for (size_t i = 0; i < option_count; i++) {
        const char *section =
            options[i].section == SECTION_TOP ? "root" : sections[options[i].section].name;
        if (strcmp(opt->name, options[i].name) == 0 && strcmp(cfg->name, section) == 0)
            return &options[i];
    }
    return NULL;
}

static int refuse(
    const cfg_t *cfg, const struct option *option, const char *value, const char *allowed)
{
    fault_set(&loading->fault, (unsigned)cfg->line, "%s is %s; allowed is %s", option->name,
        fault_word(&loading->fault, slice_text(value)), allowed);
    return -1;
}

static int read_number(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    const struct option *option = row_of(cfg, opt);
    struct slice text = slice_text(value);
    char allowed[120];
    uint64_t number;

    if (slice_number(text, (uint64_t)option->most, &number) && (int64_t)number >= option->least &&
        (text.len == 1 || text.data[0] != '0')) {
        *(long *)result = (long)number;
        return 0;
    }
    snprintf(allowed, sizeof allowed, "a number from %lld to %lld%s%s", (long long)option->least,
        (long long)option->most, option->unit ? " " : "", option->unit ? option->unit : "");
    return refuse(cfg, option, value, allowed);
}

static int read_bool(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    const struct option *option = row_of(cfg, opt);
    int truth = cfg_parse_boolean(value);

    if (truth < 0)
        return refuse(cfg, option, value, "true or false");
    if (truth > 0 && option->kind == OPTION_LATER) {
        fault_set(&loading->fault, (unsigned)cfg->line,
            "%s is not implemented in this version; allowed is false only", option->name);
        return -1;
    }
    *(int *)result = truth;
    return 0;
}

static int read_choice(const cfg_t *cfg, const struct option *option, const char *value)
{
    char allowed[160];
    size_t used = 0;

    for (size_t i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], value) == 0)
            return 0;
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s\"%s\"",
            i == 0                   ? ""
            : option->choices[i + 1] ? ", "
                                     : " or ",
            option->choices[i]);
    }
    return refuse(cfg, option, value, allowed);
}

static int read_text(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    const struct option *option = row_of(cfg, opt);
    int rc = 0;

    if (option->kind == OPTION_LATERS) {
        fault_set(&loading->fault, (unsigned)cfg->line,
            "%s is not implemented in this version; allowed is the empty list { } only",
            option->name);
        rc = -1;
    } else if (option->kind == OPTION_CHOICE)
        rc = read_choice(cfg, option, value);
    else if (!syntax_fits(option->syntax, slice_text(value)))
        rc = refuse(cfg, option, value, syntax_allowed(option->syntax));
    *(const char **)result = value;
    return rc;
}

/* What libconfuse itself complains of. The walk before has left nothing for it; if it finds
 * something all the same, its own words are better than none. */
PRINTF_LIKE(2, 0) static void take_complaint(cfg_t *cfg, const char *format, va_list args)
{
    char text[300];

    vsnprintf(text, sizeof text, format, args);
    fault_set(&loading->fault, (unsigned)cfg->line, "%s", text);
}

static bool make_option(const struct option *option, cfg_opt_t *out)
{
    const char *preset = option->preset ? option->preset : "";
    cfg_flag_t list = option_is_list(option) ? CFGF_LIST : CFGF_NONE;
    char *braced;

    *out = (cfg_opt_t)CFG_STR_CB(option->name, NULL, list, read_text);
    switch (option->kind) {
    case OPTION_NUMBER:
    case OPTION_PORT:
        *out = (cfg_opt_t)CFG_INT_CB(option->name, atol(preset), CFGF_NONE, read_number);
        break;
    case OPTION_BOOL:
    case OPTION_LATER:
        *out = (cfg_opt_t)CFG_BOOL_CB(
            option->name, strcmp(preset, "true") == 0 ? cfg_true : cfg_false, CFGF_NONE, read_bool);
        break;
    case OPTION_NUMBERS:
        *out = (cfg_opt_t)CFG_INT_LIST_CB(option->name, NULL, CFGF_NONE, read_number);
        break;
    default:
        break;
    }
    if (!list) {
        out->def.string = out->type == CFGT_STR ? option->preset : NULL;
        return true;
    }
    braced = (char *)(uintptr_t)arena_printf(&loading->scratch, "{%s}", preset).data;
    out->def.parsed = braced;
    return braced != NULL;
}

/* The option array of a section, its subsections included; libconfuse copies it. NULL without
 * memory. */
static cfg_opt_t *make_options(enum section_id id)
{
    struct option_range range = option_range(id);
    cfg_opt_t *array =
        arena_array(&loading->scratch, range.count + SECTION_COUNT + 1, sizeof *array);
    size_t used = 0;

    if (!array)
        return NULL;
    for (; used < range.count; used++)
        if (!make_option(&options[range.first + used], &array[used]))
            return NULL;
    for (size_t i = 1; i < SECTION_COUNT; i++) {
        const struct section *row = &sections[i];
        if (row->parent != id)
            continue;
        array[used] = (cfg_opt_t)CFG_SEC(row->name, make_options((enum section_id)i),
            row->title ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE);
        if (!array[used++].subopts)
            return NULL;
    }
    array[used] = (cfg_opt_t)CFG_END();
    return array;
}

static bool copy_text(const char *value, enum syntax syntax, struct slice *out_text)
{
    struct buffer kept;
    bool is_copied;

    buffer_init(&kept, 2 * TEXT_MAX);
    is_copied = syntax_canonical(syntax, slice_text(value), &kept) && kept.error == ERR_OK &&
                arena_copy(loading->arena, buffer_slice(&kept), out_text);
    buffer_clear(&kept);
    return is_copied;
}

static bool fill_list(cfg_opt_t *opt, const struct option *option, char *object)
{
    size_t count = cfg_opt_size(opt);
    char *elements = count ? arena_array(loading->arena, count, option->element_size) : NULL;

    if (count > 0 && !elements)
        return false;
    for (size_t i = 0; i < count; i++) {
        void *element = elements + i * option->element_size;
        if (option->kind == OPTION_NUMBERS)
            *(uint64_t *)element = (uint64_t)cfg_opt_getnint(opt, (unsigned)i);
        else if (!copy_text(cfg_opt_getnstr(opt, (unsigned)i), option->syntax, element))
            return false;
    }
    *(char **)(void *)(object + option->offset) = elements;
    *(size_t *)(void *)(object + option->count_offset) = count;
    return true;
}

static bool fill_option(cfg_opt_t *opt, const struct option *option, char *object)
{
    void *at = object + option->offset;
    const char *text;

    switch (option->kind) {
    case OPTION_NUMBER:
        *(uint64_t *)at = (uint64_t)cfg_opt_getnint(opt, 0);
        return true;
    case OPTION_PORT:
        *(uint16_t *)at = (uint16_t)cfg_opt_getnint(opt, 0);
        return true;
    case OPTION_BOOL:
        *(bool *)at = cfg_opt_getnbool(opt, 0) == cfg_true;
        return true;
    case OPTION_CHOICE:
        text = cfg_opt_getnstr(opt, 0);
        for (unsigned i = 0; text && option->choices[i]; i++)
            if (strcmp(option->choices[i], text) == 0)
                *(unsigned *)at = i;
        return true;
    case OPTION_TEXT:
        text = cfg_opt_getnstr(opt, 0);
        return !text || copy_text(text, option->syntax, at);
    case OPTION_NUMBERS:
    case OPTION_TEXTS:
        return fill_list(opt, option, object);
    default:
        return true;
    }
}

static bool fill_section(cfg_t *cfg, enum section_id id, char *object);

static bool fill_child(cfg_t *cfg, enum section_id id, char *parent)
{
    const struct section *row = &sections[id];
    size_t count = cfg_size(cfg, row->name);
    char *objects = parent + row->offset;

    if (row->size == 0)
        return true;
    if (row->count_offset > 0) {
        objects = count ? arena_array(loading->arena, count, row->size) : NULL;
        if (count > 0 && !objects)
            return false;
        *(char **)(void *)(parent + row->offset) = objects;
        *(size_t *)(void *)(parent + row->count_offset) = count;
    }
    for (size_t i = 0; i < count; i++) {
        cfg_t *section = cfg_getnsec(cfg, row->name, (unsigned)i);
        char *object = objects + i * row->size;
        if (row->title && !copy_text(cfg_title(section), row->title_syntax,
                              (struct slice *)(void *)(object + row->title_offset)))
            return false;
        if (!fill_section(section, id, object))
            return false;
    }
    return true;
}

static bool fill_section(cfg_t *cfg, enum section_id id, char *object)
{
    struct option_range range = option_range(id);

    for (size_t i = 0; i < range.count; i++) {
        const struct option *option = &options[range.first + i];
        if (!fill_option(cfg_getopt(cfg, option->name), option, object))
            return false;
    }
    for (size_t i = 1; i < SECTION_COUNT; i++)
        if (sections[i].parent == id && !fill_child(cfg, (enum section_id)i, object))
            return false;
    return true;
}

static enum err parse_cfg(cfg_t *cfg, struct conf **out_conf)
{
    struct conf *conf;
    enum err rc;

    cfg_set_error_function(cfg, take_complaint);
    if (cfg_parse_buf(cfg, loading->scan.clean) != CFG_SUCCESS)
        return loading->fault.is_set ? ERR_INVALID : ERR_NOMEM;
    conf = arena_alloc(loading->arena, sizeof *conf);
    if (!conf || !fill_section(cfg, SECTION_TOP, (char *)conf))
        return ERR_NOMEM;
    rc = check_conf(conf, &loading->scan, loading->arena, &loading->fault);
    if (rc == ERR_OK)
        *out_conf = conf;
    return rc;
}

static enum err parse_text(struct slice text, struct conf **out_conf)
{
    cfg_opt_t *array;
    cfg_t *cfg;
    enum err rc;

    if (text.len > CONF_FILE_MAX) {
        fault_set(&loading->fault, 0, "the file is %zu octets long; allowed are %d", text.len,
            CONF_FILE_MAX);
        return ERR_LIMIT;
    }
    rc = scan_text(text, &loading->scratch, &loading->fault, &loading->scan);
    if (rc != ERR_OK)
        return rc;
    array = make_options(SECTION_TOP);
    cfg = array ? cfg_init(array, CFGF_NONE) : NULL;
    if (!cfg)
        return ERR_NOMEM;
    rc = parse_cfg(cfg, out_conf);
    cfg_free(cfg);
    return rc;
}

enum err conf_parse(const char *name, struct slice text, struct arena *arena,
    struct conf **out_conf, struct conf_error *out_error)
{
    struct loading one = { .fault = { .file = name, .error = out_error }, .arena = arena };
    enum err rc;

    arena_init(&one.scratch, SCRATCH_MAX);
    loading = &one;
    rc = parse_text(text, out_conf);
    loading = NULL;
    arena_clear(&one.scratch);
    if (rc != ERR_OK && !one.fault.is_set)
        fault_set(&one.fault, 0, "%s", err_text(rc));
    return rc;
}

static enum err read_file(const char *path, struct buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum err rc = fd < 0 ? err_from_errno(errno) : ERR_OK;
    struct stat about;

    if (rc == ERR_OK && (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)))
        rc = ERR_IO;
    while (rc == ERR_OK) {
        char *room = buffer_reserve(out, 65536);
        ssize_t got = room ? read(fd, room, 65536) : 0;
        if (!room)
            rc = out->error;
        else if (got < 0)
            rc = err_from_errno(errno);
        else if (got == 0)
            break;
        else
            buffer_commit(out, (size_t)got);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

enum err conf_load(
    const char *path, struct arena *arena, struct conf **out_conf, struct conf_error *out_error)
{
    struct buffer file;
    enum err rc;

    buffer_init(&file, CONF_FILE_MAX + 2 * 65536);
    rc = read_file(path, &file);
    if (rc == ERR_OK)
        rc = conf_parse(path, buffer_slice(&file), arena, out_conf, out_error);
    else if (rc == ERR_LIMIT)
        snprintf(out_error->text, sizeof out_error->text,
            "%.200s: the file is too long; allowed are %d octets", path, CONF_FILE_MAX);
    else
        snprintf(out_error->text, sizeof out_error->text, "%.200s: cannot read the file: %s", path,
            rc == ERR_IO ? "not a regular file, or the disk failed" : err_text(rc));
    buffer_clear(&file);
    return rc;
}

unsigned conf_where(const char *path, const char *section, size_t index, const char *option)
{
    enum section_id id = SECTION_TOP;
    struct conf_error error;
    struct fault fault = { .file = path, .error = &error };
    const struct scan_section *place;
    struct buffer file;
    struct arena arena;
    struct scan scan;
    unsigned line = 0;

    if (section[0])
        id = section_find(SECTION_TOP, slice_text(section));
    buffer_init(&file, CONF_FILE_MAX + 2 * 65536);
    arena_init(&arena, SCRATCH_MAX);
    if (read_file(path, &file) == ERR_OK &&
        scan_text(buffer_slice(&file), &arena, &fault, &scan) == ERR_OK) {
        place = scan_section(&scan, id, index);
        line = place && !option ? place->line : scan_line(place, option ? option : "");
    }
    arena_clear(&arena);
    buffer_clear(&file);
    return line;
}
