/* net/https_library.h: libcurl, loaded by the one room that needs it and not linked into the
 * program: it brings thirty libraries along (Kerberos, LDAP, SSH, a second TLS), and none of them
 * is to lie in a gate, nor run its constructors as root in the supervisor. */
#ifndef NET_HTTPS_LIBRARY_H
#define NET_HTTPS_LIBRARY_H

#include <curl/curl.h>

#include "base/macros.h"
#include "net/https.h"

/* The functions that are used, under their own types. */
struct https_library {
    typeof(curl_global_init) *global_init;
    typeof(curl_version_info) *version_info;
    typeof(curl_easy_init) *easy_init;
    typeof(curl_easy_setopt) *easy_setopt;
    typeof(curl_easy_getinfo) *easy_getinfo;
    typeof(curl_easy_strerror) *easy_strerror;
    typeof(curl_easy_cleanup) *easy_cleanup;
    typeof(curl_multi_init) *multi_init;
    typeof(curl_multi_setopt) *multi_setopt;
    typeof(curl_multi_add_handle) *multi_add_handle;
    typeof(curl_multi_remove_handle) *multi_remove_handle;
    typeof(curl_multi_socket_action) *multi_socket_action;
    typeof(curl_multi_info_read) *multi_info_read;
    typeof(curl_multi_assign) *multi_assign;
    typeof(curl_multi_cleanup) *multi_cleanup;
    typeof(curl_slist_append) *slist_append;
    typeof(curl_slist_free_all) *slist_free_all;
};

/* The loaded library; NULL before https_warm has loaded it. */
const struct https_library *https_library(void);

#endif
