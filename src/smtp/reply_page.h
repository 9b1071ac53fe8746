/* smtp/reply_page.h: what submitd-replies(7) says of each reply beside its codes and words. */
#ifndef SMTP_REPLY_PAGE_H
#define SMTP_REPLY_PAGE_H

#include "smtp/reply.h"

/* When a client hears it: "commands: what happened". Begins with '-' where this version has no part
 * that says it. Never NULL once every reply has its row. */
const char *reply_when(enum reply_id id);

#endif
