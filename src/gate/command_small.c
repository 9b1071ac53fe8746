/* gate/command_small.c: the commands that say something and change little. */
#include "gate/command.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "smtp/address.h"

enum answer command_rset(struct session *s, struct slice argument)
{
    (void)argument;
    session_reset(s);
    session_say(s, REPLY_OK);
    return ANSWER_REPLY;
}

enum answer command_noop(struct session *s, struct slice argument)
{
    (void)argument; /* CMD-12 */
    session_say(s, REPLY_OK);
    return ANSWER_REPLY;
}

/* There is no table of local users yet, so nothing is ever verified (CMD-15, D-18). utf8: for a
 * string beyond ASCII without SMTPUTF8 (EXT-SMTPUTF8-5). */
static enum answer say_limited(struct session *s, struct slice argument, enum reply_id utf8)
{
    struct slice string;
    bool smtputf8;

    if (!vrfy_parse(argument, &string, &smtputf8))
        session_say(s, REPLY_BAD_ARGUMENT);
    else if (!smtputf8 && !text_is_ascii(string))
        session_say(s, utf8);
    else
        session_say(s, REPLY_VRFY_LIMITED);
    return ANSWER_REPLY;
}

enum answer command_vrfy(struct session *s, struct slice argument)
{
    return say_limited(s, argument, REPLY_VRFY_UTF8);
}

enum answer command_expn(struct session *s, struct slice argument)
{
    return say_limited(s, argument, REPLY_EXPN_UTF8);
}

/* Who runs what is nobody's business before a login (LSN-2, SUB-7-4). */
enum answer command_help(struct session *s, struct slice argument)
{
    (void)argument;
    if (s->login)
        session_sayf(
            s, REPLY_HELP, "submitd %s\n%s", SUBMITD_VERSION, reply_info(REPLY_HELP)->text);
    else
        session_say(s, REPLY_HELP);
    return ANSWER_REPLY;
}

enum answer command_quit(struct session *s, struct slice argument)
{
    (void)argument;
    session_reset(s); /* it was not cut off (EXT-CKPT-2) */
    session_sayf(s, REPLY_BYE, "%.*s closing", SLICE_ARGS(s->snapshot->conf->hostname));
    return ANSWER_CLOSE;
}
