/* smtp/reply_when.c: when each reply is said, for the manual. A row for each row of reply.c. */
#include "smtp/reply_page.h"

static const char *const whens[REPLY_COUNT] = {
    [REPLY_GREETING] =
        "The connection begins; on a listener with implicit TLS after the handshake.",
    [REPLY_STARTTLS_READY] = "STARTTLS: the handshake may begin.",
    [REPLY_HELP] = "HELP. After a login the program and its version are named first.",
    [REPLY_BYE] = "QUIT. The text is the name of the server and \"closing\".",
    [REPLY_AUTH_OK] = "AUTH: the login is good.",
    [REPLY_HELO] = "HELO and EHLO. After EHLO a line for each extension follows.",
    [REPLY_OK] = "NOOP, RSET.",
    [REPLY_CHUNK_OK] = "BDAT without LAST: \"N octets received\".",
    [REPLY_QUEUED] = "End of data: the message is on the disk. The text ends with its queue id.",
    [REPLY_SENDER_OK] = "MAIL. The text begins with the address.",
    [REPLY_RECIPIENT_OK] =
        "RCPT. The text begins with the address. The same address again counts once.",
    [REPLY_PRIORITY_CHANGED] = "MAIL with a MT-PRIORITY above 0 by a user who may not raise it "
                               "(mt_priority_users). The text begins with what it is now.",
    [REPLY_URL_OK] = "BURL without LAST: \"N octets fetched\".",
    [REPLY_VRFY_LIMITED] = "VRFY, EXPN: nothing is ever verified.",
    [REPLY_VRFY_UTF8] = "VRFY with an address that is not ASCII, without SMTPUTF8.",
    [REPLY_CHALLENGE] = "AUTH: the mechanism's next message, in base64.",
    [REPLY_DATA_READY] = "DATA: the message may follow.",
    [REPLY_RESUMED] =
        "MAIL with a TRANSID that was cut off before: \"N is the transaction offset\". "
        "DATA or BDAT may follow at once; the recipients are known.",
    [REPLY_SHUTDOWN] = "Any time: the server ends. The connection is closed.",
    [REPLY_CONNECTIONS_TOTAL] = "In place of the greeting, or before a login: limits connections.",
    [REPLY_IDLE] = "Nothing came for command_timeout or data_timeout, or content too slowly.",
    [REPLY_CONNECTIONS_CLIENT] = "In place of the greeting: limits connections_per_client.",
    [REPLY_TOO_MANY_ERRORS] =
        "Twenty commands were refused with 5yz since the last message that was accepted.",
    [REPLY_PREAUTH_LIMIT] = "Before a login: the 31st command, or more than 64 KiB.",
    [REPLY_AUTH_TOO_MANY] = "AUTH: the fifth refused login of the connection.",
    [REPLY_STARTTLS_INJECTED] = "STARTTLS: something was sent behind it in clear text.",
    [REPLY_PROTOCOL_ERROR] =
        "A command of HTTP, or a line that begins with a word and a colon: not SMTP.",
    [REPLY_BARE_LF] = "A command line ends with LF alone.",
    [REPLY_CHUNK_LOST] =
        "BDAT with a size that is no number: the end of the chunk is not known. Follows 501.",
    [REPLY_TOO_MANY_MAILS] = "MAIL: limits mails_per_session.",
    [REPLY_RATE_LIMITED] = "-A rate is exceeded.",
    [REPLY_PRIORITY_LATER] = "MAIL: a priority below mt_priority_least, with mt_priority_later.",
    [REPLY_INTERNAL] = "Out of memory, or another part of the server does not answer.",
    [REPLY_STORAGE] = "End of data: the disk failed; nothing was queued.",
    [REPLY_OTHER_TRANSACTION] =
        "After 355: RCPT with another recipient, DATA and BDAT when some of the recipients were "
        "given again and others not, end of data with more than was missing.",
    [REPLY_URL_UNREACHABLE] = "BURL: the IMAP server does not answer, or not as it should.",
    [REPLY_SENDER_DNS] = "MAIL: DNS fails for the sender's domain.",
    [REPLY_NO_SPACE] = "MAIL, end of data: the disk is full (spool reserve).",
    [REPLY_TOO_MANY_RECIPIENTS] = "RCPT: limits recipients. The earlier ones stay.",
    [REPLY_STARTTLS_UNAVAILABLE] = "STARTTLS: no certificate is set.",
    [REPLY_AUTH_UNAVAILABLE] = "AUTH: the login cannot be checked now, or too many failed lately "
                               "(limits auth_failures_per_client, auth_failures_per_account).",
    [REPLY_UNKNOWN] = "An unknown command.",
    [REPLY_LINE_TOO_LONG] = "A command line above 1024 octets (MAIL, RCPT and BURL 4096, AUTH "
                            "12288); the rest is dropped.",
    [REPLY_BAD_OCTET] = "A control character, NUL or octet above 127 where it may not be.",
    [REPLY_AUTH_LINE_TOO_LONG] = "AUTH: a line of the exchange above 12288 octets.",
    [REPLY_RECIPIENT_SYNTAX] = "RCPT: the address is none. The text says what is wrong and where.",
    [REPLY_SENDER_SYNTAX] = "MAIL: the address is none. The text says what is wrong and where.",
    [REPLY_BASE64] = "AUTH: what should be base64 is not.",
    [REPLY_BAD_PRIORITY] = "MAIL: MT-PRIORITY is no number from -9 to 9, or stands twice.",
    [REPLY_BAD_ARGUMENT] = "The argument is missing or malformed.",
    [REPLY_NO_ARGUMENT] = "DATA, RSET, QUIT, STARTTLS with an argument.",
    [REPLY_BAD_PARAMETER] = "MAIL, RCPT: a parameter is given twice, or its value is not allowed.",
    [REPLY_CHUNK_SIZE] = "BDAT: the size is missing or no number.",
    [REPLY_AUTH_CANCELLED] = "AUTH: the client gave up with \"*\".",
    [REPLY_AUTH_INITIAL] = "AUTH: an initial response where the mechanism takes none.",
    [REPLY_NOT_OFFERED] = "A command that is known and not offered: ETRN, ATRN, TURN, SEND, SOML, "
                          "SAML, BURL (unless burl is on).",
    [REPLY_URL_BEFORE_RCPT] = "BURL before any RCPT.",
    [REPLY_ORDER] = "A command that is not lawful now, where nothing below is more precise.",
    [REPLY_EHLO_FIRST] = "A command before EHLO; AUTH after HELO.",
    [REPLY_MAIL_FIRST] = "RCPT, DATA, BDAT before MAIL.",
    [REPLY_MAIL_NESTED] = "MAIL inside a transaction, which goes on.",
    [REPLY_RCPT_FIRST] = "DATA, BDAT before any RCPT.",
    [REPLY_AUTH_TWICE] = "AUTH after a login.",
    [REPLY_AUTH_IN_MAIL] = "AUTH inside a transaction.",
    [REPLY_STARTTLS_TWICE] = "STARTTLS under TLS.",
    [REPLY_STARTTLS_IN_MAIL] = "STARTTLS inside a transaction.",
    [REPLY_DATA_AFTER_BDAT] = "DATA after BDAT.",
    [REPLY_DATA_BINARY] = "DATA after MAIL with BODY=BINARYMIME. BDAT still may follow.",
    [REPLY_RSET_FIRST] = "Anything but RSET after a chunk or a URL was refused.",
    [REPLY_REFUSED_BEFORE] = "-Any command after 554 in place of the greeting.",
    [REPLY_AUTH_MECHANISM] = "AUTH: a mechanism that is not offered.",
    [REPLY_PARAMETER_UNHONOURED] =
        "RCPT with CONNEG: of no recipient it is known what he can show.",
    [REPLY_AUTH_DISABLED] = "AUTH: the password is right, and the user is disabled.",
    [REPLY_TLS_FIRST] = "MAIL, RCPT, DATA, BDAT, BURL, AUTH, VRFY, EXPN before TLS, where the "
                        "listener requires it.",
    [REPLY_AUTH_FIRST] = "MAIL, RCPT, DATA, BDAT, BURL, VRFY, EXPN before a login. Under "
                         "postmaster_unauth: RCPT to anybody but the postmaster.",
    [REPLY_AUTH_WEAK] = "AUTH: the password is right, and the user may use SCRAM only.",
    [REPLY_AUTH_FAILED] = "AUTH: wrong name or password, two seconds later.",
    [REPLY_AUTH_NEEDS_TLS] = "AUTH before TLS, where the listener does not require it for mail.",
    [REPLY_NO_SUCH_USER] = "-VRFY, RCPT: no such user here.",
    [REPLY_SENDER_DOMAIN] = "MAIL: the sender's domain does not exist.",
    [REPLY_RECIPIENT_COUNT] = "RCPT: more recipients than the user may have (max_recipients).",
    [REPLY_EXPN_UTF8] = "EXPN with a name that is not ASCII, without SMTPUTF8.",
    [REPLY_SENDER_UTF8] = "MAIL: an address that is not ASCII, without SMTPUTF8.",
    [REPLY_CONTENT_POLICY] = "-End of data: a filter says no.",
    [REPLY_SENDER_FORBIDDEN] = "MAIL: the user may not send as this address (sender).",
    [REPLY_RECIPIENT_FORBIDDEN] =
        "RCPT: the user may not write to this address (recipient), or no route fits its domain.",
    [REPLY_SOLICITED] = "RCPT, end of data: SOLICIT or the field Solicitation names a class of "
                        "no_soliciting.",
    [REPLY_ACCOUNT_FORBIDDEN] = "MAIL: the user may log in but not submit (submit=no).",
    [REPLY_AUTHOR_FORBIDDEN] = "-End of data: the user may not use the address in From.",
    [REPLY_PRIORITY_LOW] = "MAIL: a priority below mt_priority_least, without mt_priority_later.",
    [REPLY_SENDER_NULL_MX] = "MAIL: the sender's domain accepts no mail.",
    [REPLY_HELD_QUOTA] = "MAIL: as much is held for the user as may be (futurerelease_messages, "
                         "futurerelease_octets).",
    [REPLY_TOO_BIG] = "MAIL, BDAT, end of data: limits message_size, or the user's max_size.",
    [REPLY_PRIORITY_SIZE] =
        "MAIL, end of data: a priority above 0 and more than mt_priority_urgent_size.",
    [REPLY_RECIPIENT_UTF8] = "RCPT: an address that is not ASCII, without SMTPUTF8.",
    [REPLY_RECIPIENT_UNQUALIFIED] = "RCPT: no domain, or a domain of one label.",
    [REPLY_RECIPIENT_LITERAL] = "RCPT: an address literal, without allow_address_literals.",
    [REPLY_RECIPIENT_DOMAIN] = "RCPT: the domain does not exist.",
    [REPLY_SENDER_UNQUALIFIED] = "MAIL: no domain, or a domain of one label.",
    [REPLY_SENDER_LITERAL] = "MAIL: an address literal, without allow_address_literals.",
    [REPLY_URL_TOO_BIG] = "BURL: limits message_size, or the user's max_size.",
    [REPLY_LOOP] = "End of data: more than 100 Received fields.",
    [REPLY_IMPROPER] = "-Anything improper without a better code.",
    [REPLY_URL_NO_RECIPIENTS] = "BURL: every RCPT was refused.",
    [REPLY_NO_VALID_RECIPIENTS] = "DATA, BDAT: every RCPT was refused.",
    [REPLY_MESSAGE_SYNTAX] =
        "End of data: the header is not well formed, or a field is there twice.",
    [REPLY_SOLICITATION] = "End of data: SOLICIT and the field Solicitation do not say the same.",
    [REPLY_NO_FROM] = "End of data: no From field.",
    [REPLY_HEADER_LIMIT] = "End of data: too many or too long header fields; with BODY=BINARYMIME, "
                           "too many multiparts inside each other.",
    [REPLY_BARE_NEWLINE] = "End of data: a CR or LF that stands alone; with BODY=BINARYMIME, "
                           "in a text part or in a header.",
    [REPLY_NUL] = "End of data: a NUL.",
    [REPLY_LONG_LINE] = "End of data: a line above 998 octets.",
    [REPLY_URL_CONVERSION] = "BURL: what the URL names is binary: a NUL, a CR or LF that stands "
                             "alone, a line above 998 octets.",
    [REPLY_URL_NOT_FETCHED] = "BURL: the URL is not one of a message on an IMAP server, or the "
                              "server does not give what it names.",
    [REPLY_HEADER_UTF8] = "End of data: a header that is not ASCII, without SMTPUTF8.",
    [REPLY_TLS_WEAK] = "-Anything after a handshake that was too weak.",
    [REPLY_URL_OF_ANOTHER] = "BURL: URLAUTH is not submit+ and the user who logged in.",
    [REPLY_REFUSED] = "-In place of the greeting: the client is not wanted.",
    [REPLY_URL_UNTRUSTED] = "BURL: a URL of a server that no imap_server names, or without "
                            "URLAUTH; or that server does not let us log in.",
    [REPLY_PARAMETER_UNKNOWN] = "MAIL, RCPT: a parameter that is not known, or not offered here.",
    [REPLY_PARAMETER_BELOW] = "MAIL: BY in mode R with less time than deliverby_least.",
    [REPLY_RECIPIENT_NULL_MX] = "RCPT: the domain accepts no mail.",
};

const char *reply_when(enum reply_id id)
{
    return whens[id];
}
