/* gate/blunders.c: from a refusal to a row in the operator's table. */
#include "gate/blunders.h"

#include "base/clock.h"
#include "gate/gate.h"
#include "gate/session.h"

enum err blunders_open(struct blunders *blunders, int fd, unsigned gate)
{
    struct mistakes *mistakes;
    enum err code = mistakes_open(fd, true, &mistakes);

    if (code)
        return code;
    if (gate >= mistakes_gates(mistakes)) {
        mistakes_free(&mistakes);
        return ERR_INVALID;
    }
    mistakes_free(&blunders->mistakes);
    blunders->mistakes = mistakes;
    blunders->gate = gate;
    mistakes_wipe(mistakes, gate);
    return ERR_OK;
}

void blunders_clear(struct blunders *blunders)
{
    mistakes_free(&blunders->mistakes);
}

/* One more than the kind; 0: MISTAKE_OTHER for a 5yz, nothing for the rest. */
#define IS(kind) (kind) + 1
static const uint8_t kinds[REPLY_COUNT] = {
    [REPLY_BARE_LF] = IS(MISTAKE_LINE_END),
    [REPLY_BARE_NEWLINE] = IS(MISTAKE_LINE_END),
    [REPLY_PROTOCOL_ERROR] = IS(MISTAKE_SYNTAX),
    [REPLY_STARTTLS_INJECTED] = IS(MISTAKE_CLEAR_TEXT),
    [REPLY_TLS_FIRST] = IS(MISTAKE_CLEAR_TEXT),
    [REPLY_AUTH_NEEDS_TLS] = IS(MISTAKE_CLEAR_TEXT),
    [REPLY_AUTH_TOO_MANY] = IS(MISTAKE_LOGIN),
    [REPLY_AUTH_FAILED] = IS(MISTAKE_LOGIN),
    [REPLY_AUTH_DISABLED] = IS(MISTAKE_LOGIN),
    [REPLY_AUTH_WEAK] = IS(MISTAKE_LOGIN),
    [REPLY_AUTH_MECHANISM] = IS(MISTAKE_LOGIN),
    [REPLY_AUTH_FIRST] = IS(MISTAKE_LOGIN),
    [REPLY_SENDER_FORBIDDEN] = IS(MISTAKE_SENDER),
    [REPLY_AUTHOR_FORBIDDEN] = IS(MISTAKE_SENDER),
    [REPLY_ACCOUNT_FORBIDDEN] = IS(MISTAKE_PERMISSION),
    [REPLY_RECIPIENT_FORBIDDEN] = IS(MISTAKE_PERMISSION),
    [REPLY_RECIPIENT_COUNT] = IS(MISTAKE_PERMISSION),
    [REPLY_TOO_BIG] = IS(MISTAKE_PERMISSION),
    [REPLY_SENDER_UNQUALIFIED] = IS(MISTAKE_UNQUALIFIED),
    [REPLY_RECIPIENT_UNQUALIFIED] = IS(MISTAKE_UNQUALIFIED),
    [REPLY_UNKNOWN] = IS(MISTAKE_SYNTAX),
    [REPLY_LINE_TOO_LONG] = IS(MISTAKE_SYNTAX),
    [REPLY_BAD_OCTET] = IS(MISTAKE_SYNTAX),
    [REPLY_RECIPIENT_SYNTAX] = IS(MISTAKE_SYNTAX),
    [REPLY_SENDER_SYNTAX] = IS(MISTAKE_SYNTAX),
    [REPLY_BASE64] = IS(MISTAKE_SYNTAX),
    [REPLY_BAD_ARGUMENT] = IS(MISTAKE_SYNTAX),
    [REPLY_NO_ARGUMENT] = IS(MISTAKE_SYNTAX),
    [REPLY_BAD_PARAMETER] = IS(MISTAKE_SYNTAX),
    [REPLY_PARAMETER_UNKNOWN] = IS(MISTAKE_SYNTAX),
    [REPLY_MESSAGE_SYNTAX] = IS(MISTAKE_CONTENT),
    [REPLY_NO_FROM] = IS(MISTAKE_CONTENT),
    [REPLY_HEADER_LIMIT] = IS(MISTAKE_CONTENT),
    [REPLY_NUL] = IS(MISTAKE_CONTENT),
    [REPLY_LONG_LINE] = IS(MISTAKE_CONTENT),
    [REPLY_HEADER_UTF8] = IS(MISTAKE_CONTENT),
};

bool blunder_kind(enum reply_id reply, enum mistake *out_kind)
{
    if (kinds[reply] == 0 && reply_info(reply)->code < 500)
        return false;
    *out_kind = kinds[reply] > 0 ? (enum mistake)(kinds[reply] - 1) : MISTAKE_OTHER;
    return true;
}

void blunders_note(struct session *s, enum reply_id reply, struct slice line)
{
    const struct blunders *blunders = &s->gate->blunders;
    char client[PEER_TEXT];
    enum mistake kind;

    if (!blunders->mistakes || !blunder_kind(reply, &kind))
        return;
    peer_text(&s->peer, client);
    mistakes_note(blunders->mistakes, blunders->gate,
        &(struct mistake_maker){ .client = slice_text(client),
            .user = session_user(s),
            .name = session_ehlo(s),
            .reply = line },
        kind, clock_wall());
}
