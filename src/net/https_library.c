/* net/https_library.c: loading libcurl. */
#include "net/https_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SYMBOL(name)                                                                               \
    {                                                                                              \
        "curl_" #name, offsetof(struct https_library, name)                                        \
    }

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
    SYMBOL(global_init),
    SYMBOL(version_info),
    SYMBOL(easy_init),
    SYMBOL(easy_setopt),
    SYMBOL(easy_getinfo),
    SYMBOL(easy_strerror),
    SYMBOL(easy_cleanup),
    SYMBOL(multi_init),
    SYMBOL(multi_setopt),
    SYMBOL(multi_add_handle),
    SYMBOL(multi_remove_handle),
    SYMBOL(multi_socket_action),
    SYMBOL(multi_info_read),
    SYMBOL(multi_assign),
    SYMBOL(multi_cleanup),
    SYMBOL(slist_append),
    SYMBOL(slist_free_all),
};

static struct https_library library;
static bool is_loaded;

const struct https_library *https_library(void)
{
    return is_loaded ? &library : NULL;
}

static const char *find_all(void *handle)
{
    for (size_t i = 0; i < LENGTH_OF(symbols); i++) {
        void *found = dlsym(handle, symbols[i].name);

        if (!found)
            return symbols[i].name;
        memcpy((char *)&library + symbols[i].offset, &found, sizeof found);
    }
    return NULL;
}

/* The trusted roots are handed to it as OpenSSL's, so it has to be the build with OpenSSL. Its
 * first handle makes it read and make what it keeps for all. */
static const char *begin(void)
{
    const curl_version_info_data *about = library.version_info(CURLVERSION_NOW);
    CURLM *multi;
    CURL *easy;

    if (!about->ssl_version || strncmp(about->ssl_version, "OpenSSL/3", 9) != 0)
        return "libcurl.so.4 is not built with OpenSSL 3";
    if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return "libcurl does not start";
    easy = library.easy_init();
    multi = library.multi_init();
    library.easy_cleanup(easy);
    if (multi)
        library.multi_cleanup(multi);
    return easy && multi ? NULL : "libcurl does not start";
}

static enum err refuse(char out_why[HTTPS_WHY], const char *what, const char *which)
{
    snprintf(out_why, HTTPS_WHY, "%s%s", what, which);
    return ERR_NOTFOUND;
}

enum err https_warm(char out_why[HTTPS_WHY])
{
    void *handle;
    const char *fault;

    if (is_loaded)
        return ERR_OK;
    handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return refuse(out_why, "", dlerror());
    fault = find_all(handle);
    if (fault)
        return refuse(out_why, "libcurl.so.4 has no ", fault);
    fault = begin();
    if (fault)
        return refuse(out_why, "", fault);
    is_loaded = true;
    return ERR_OK;
}
