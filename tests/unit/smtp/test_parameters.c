/* ESMTP parameters, and MAIL and RCPT whole with the reply that each fault gets. */
#include "cases.h"

#include "smtp/command.h"
#include "smtp/envelope.h"
#include "smtp/orcpt.h"
#include "smtp/timestamp.h"
#include "smtp/xtext.h"

static const uint32_t usual = EXTENSION_BIT(EXTENSION_SIZE) | EXTENSION_BIT(EXTENSION_8BITMIME) |
                              EXTENSION_BIT(EXTENSION_SMTPUTF8) | EXTENSION_BIT(EXTENSION_AUTH);
static const uint32_t binary = usual | EXTENSION_BIT(EXTENSION_BINARYMIME);
static const uint32_t all = UINT32_MAX;

/* Wall time of the tests, and what may be asked for at most: 30 days, at least: a minute. */
#define NOW INT64_C(1772532000) /* 2026-03-03T10:00:00Z */

static struct parameter_context context_of(uint32_t offered, bool smtputf8)
{
    return (struct parameter_context){
        .offered = offered,
        .smtputf8 = smtputf8,
        .now = NOW,
        .deliver_by_least = 60,
        .hold_most = 2592000,
    };
}

#define D20   "18446744073709551616"
#define DELTA "\xce\xb4"
#define A27   "aaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define C38   "12345678901234567890123456789012345678"
#define A50   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A100  A50 A50

static const struct {
    const char *name;
    const char *line;
    const uint32_t *offered; /* NULL: nothing, as after HELO */
    const char *reply;       /* code and enhanced code; "" when all is well */
    const char *culprit;     /* how it begins */
} cases[] = {
    { "none", "MAIL FROM:<a@b.example>", &usual, "" },
    { "EXT-SIZE-2 least", "MAIL FROM:<> SIZE=0", &usual, "" },
    { "EXT-SIZE-2 20 digits", "MAIL FROM:<> SIZE=" D20, &usual, "" },
    { "EXT-SIZE-2 21 digits", "MAIL FROM:<> SIZE=" D20 "0", &usual, "501 5.5.4", "SIZE=" },
    { "EXT-SIZE-2 empty", "MAIL FROM:<> SIZE=", &usual, "501 5.5.4", "SIZE=" },
    { "EXT-SIZE-2 no value", "MAIL FROM:<> SIZE", &usual, "501 5.5.4", "SIZE" },
    { "EXT-SIZE-2 sign", "MAIL FROM:<> SIZE=-1", &usual, "501 5.5.4", "SIZE=-1" },
    { "EXT-SIZE-2 hex", "MAIL FROM:<> SIZE=0x1", &usual, "501 5.5.4", "SIZE=0x1" },
    { "GRM-11 two equals signs", "MAIL FROM:<> SIZE==1", &usual, "501 5.5.4", "SIZE==1" },
    { "GRM-11 no keyword", "MAIL FROM:<> =1", &usual, "501 5.5.4", "=1" },
    { "GRM-11 hyphen first", "MAIL FROM:<> -A=1", &usual, "501 5.5.4", "-A=1" },
    { "GRM-11 underscore", "MAIL FROM:<> A_B=1", &usual, "501 5.5.4", "A_B=1" },
    { "GRM-11 tab", "MAIL FROM:<> SIZE=1\tBODY=7BIT", &usual, "501 5.5.4", "SIZE=1\t" },
    { "several spaces", "MAIL FROM:<>  SIZE=1   BODY=7BIT", &usual, "" },
    { "CMD-20 keyword and value in any case", "mAiL fRoM:<> bOdY=7bit sIzE=1", &usual, "" },
    { "CMD-25 unknown", "MAIL FROM:<> FOO=1", &usual, "555 5.5.4", "FOO=1" },
    { "CMD-25 unknown without value", "MAIL FROM:<> FOO", &usual, "555 5.5.4", "FOO" },
    { "CMD-25 unknown in RCPT", "RCPT TO:<a@b.example> FOO=1", &usual, "555 5.5.4", "FOO=1" },
    { "CMD-25 of the other command", "RCPT TO:<a@b.example> SIZE=1", &usual, "555 5.5.4",
        "SIZE=1" },
    { "CMD-4 after HELO", "MAIL FROM:<> SIZE=1", NULL, "555 5.5.4", "SIZE=1" },
    { "CMD-26 twice", "MAIL FROM:<> SIZE=1 SIZE=2", &usual, "501 5.5.4", "SIZE=2" },
    { "CMD-26 twice in another case", "MAIL FROM:<> BODY=7BIT body=7BIT", &usual, "501 5.5.4",
        "body=7BIT" },
    { "EXT-8BITMIME-1 7BIT", "MAIL FROM:<> BODY=7BIT", &usual, "" },
    { "EXT-8BITMIME-1 8BITMIME", "MAIL FROM:<> BODY=8BITMIME", &usual, "" },
    { "EXT-8BITMIME-1 other", "MAIL FROM:<> BODY=FOO", &usual, "501 5.5.4", "BODY=FOO" },
    { "EXT-BINARYMIME-1 not offered", "MAIL FROM:<> BODY=BINARYMIME", &usual, "501 5.5.4",
        "BODY=BINARYMIME" },
    { "EXT-BINARYMIME-1 offered", "MAIL FROM:<> BODY=BINARYMIME", &binary, "" },
    { "EXT-SMTPUTF8-2", "MAIL FROM:<" DELTA "@b.example> SMTPUTF8", &usual, "" },
    { "EXT-SMTPUTF8-2 value", "MAIL FROM:<> SMTPUTF8=1", &usual, "501 5.5.4", "SMTPUTF8=1" },
    { "EXT-SMTPUTF8-4 MAIL", "MAIL FROM:<" DELTA "@b.example>", &usual, "550 5.6.7", "" },
    { "EXT-SMTPUTF8-4 MAIL, domain", "MAIL FROM:<a@b\xc3\xbc.example>", &usual, "550 5.6.7", "" },
    { "EXT-SMTPUTF8-4 MAIL after HELO", "MAIL FROM:<" DELTA "@b.example>", NULL, "550 5.6.7", "" },
    { "EXT-SMTPUTF8-4 RCPT", "RCPT TO:<" DELTA "@b.example>", &usual, "553 5.6.7", "" },
    { "EXT-SMTPUTF8-3 MAIL not UTF-8", "MAIL FROM:<\xce@b.example> SMTPUTF8", &usual, "501 5.1.7",
        "\xce" },
    { "EXT-SMTPUTF8-3 RCPT not UTF-8", "RCPT TO:<\xce@b.example>", &usual, "501 5.1.3", "\xce" },
    { "UTF-8 value before SMTPUTF8", "MAIL FROM:<> AUTH=" DELTA "@b.example SMTPUTF8", &usual, "" },
    { "UTF-8 value without it", "MAIL FROM:<> AUTH=" DELTA "@b.example", &usual, "501 5.5.4",
        "AUTH=" },
    { "value that is not UTF-8", "MAIL FROM:<> AUTH=\xce@b.example SMTPUTF8", &usual, "501 5.5.4",
        "AUTH=" },
    { "UTF-8 keyword", "MAIL FROM:<> " DELTA "=1 SMTPUTF8", &usual, "501 5.5.4", DELTA },
    { "AUTH-21 xtext", "MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com", &usual, "" },
    { "AUTH-21 null", "MAIL FROM:<a@b.example> AUTH=<>", &usual, "" },
    { "AUTH-21 bad mailbox", "MAIL FROM:<a@b.example> AUTH=a@@b", &usual, "501 5.5.4",
        "AUTH=a@@b" },
    { "AUTH-21 no mailbox", "MAIL FROM:<a@b.example> AUTH=alice", &usual, "501 5.5.4",
        "AUTH=alice" },
    { "AUTH-21 brackets", "MAIL FROM:<a@b.example> AUTH=<a@b.example>", &usual, "501 5.5.4",
        "AUTH=<a" },
    { "GRM-12 lower-case hex", "MAIL FROM:<> AUTH=a+2bb@c.example", &usual, "501 5.5.4", "AUTH=" },
    { "GRM-12 cut short", "MAIL FROM:<> AUTH=a@c.example+", &usual, "501 5.5.4", "AUTH=" },
    { "GRM-12 one digit", "MAIL FROM:<> AUTH=a@c.example+4", &usual, "501 5.5.4", "AUTH=" },
    { "GRM-12 decoded control", "MAIL FROM:<> AUTH=a+0D+0A@c.example", &usual, "501 5.5.4",
        "AUTH=" },
    { "GRM-12 decoded NUL", "MAIL FROM:<> AUTH=a@c.example+00", &usual, "501 5.5.4", "AUTH=" },
    { "EXT-DSN-4 RET whole", "MAIL FROM:<> RET=FULL", &all, "" },
    { "EXT-DSN-4 RET header", "MAIL FROM:<> ret=hdrs", &all, "" },
    { "EXT-DSN-4 RET other", "MAIL FROM:<> RET=ALL", &all, "501 5.5.4", "RET=ALL" },
    { "EXT-DSN-4 RET longer", "MAIL FROM:<> RET=FULLY", &all, "501 5.5.4", "RET=" },
    { "EXT-DSN-4 RET no value", "MAIL FROM:<> RET", &all, "501 5.5.4", "RET" },
    { "EXT-DSN-4 RET empty", "MAIL FROM:<> RET=", &all, "501 5.5.4", "RET=" },
    { "EXT-DSN-4 RET not offered", "MAIL FROM:<> RET=FULL", &usual, "555 5.5.4", "RET=" },
    { "EXT-DSN-4 RET at RCPT", "RCPT TO:<a@b.example> RET=FULL", &all, "555 5.5.4", "RET=" },
    { "EXT-DSN-5 RET twice", "MAIL FROM:<> RET=FULL RET=FULL", &all, "501 5.5.4", "RET=" },
    { "EXT-DSN-4 ENVID", "MAIL FROM:<> ENVID=QQ+2B314159", &all, "" },
    { "EXT-DSN-4 ENVID least", "MAIL FROM:<> ENVID=a", &all, "" },
    { "EXT-DSN-4 ENVID most", "MAIL FROM:<> ENVID=" A100, &all, "" },
    { "EXT-DSN-4 ENVID one more", "MAIL FROM:<> ENVID=a" A100, &all, "501 5.5.4", "ENVID=aa" },
    { "EXT-DSN-4 ENVID empty", "MAIL FROM:<> ENVID=", &all, "501 5.5.4", "ENVID=" },
    { "EXT-DSN-4 ENVID control", "MAIL FROM:<> ENVID=a+0Ab", &all, "501 5.5.4", "ENVID=" },
    { "EXT-DSN-4 ENVID hex", "MAIL FROM:<> ENVID=a+2b", &all, "501 5.5.4", "ENVID=" },
    { "EXT-DSN-4 ENVID beyond ASCII", "MAIL FROM:<> ENVID=+CE+B4", &all, "501 5.5.4", "ENVID=" },
    { "EXT-DSN-4 ENVID in UTF-8", "MAIL FROM:<> SMTPUTF8 ENVID=" DELTA, &all, "501 5.5.4",
        "ENVID=" },
    { "EXT-DSN-5 ENVID twice", "MAIL FROM:<> ENVID=a ENVID=b", &all, "501 5.5.4", "ENVID=b" },
    { "EXT-DSN-2 never", "RCPT TO:<a@b.example> NOTIFY=NEVER", &all, "" },
    { "EXT-DSN-2 one", "RCPT TO:<a@b.example> NOTIFY=delay", &all, "" },
    { "EXT-DSN-2 all", "RCPT TO:<a@b.example> NOTIFY=SUCCESS,FAILURE,DELAY", &all, "" },
    { "EXT-DSN-2 never and one", "RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", &all, "501 5.5.4",
        "NOTIFY=NEVER" },
    { "EXT-DSN-2 one and never", "RCPT TO:<a@b.example> NOTIFY=FAILURE,NEVER", &all, "501 5.5.4",
        "NOTIFY=" },
    { "EXT-DSN-2 empty", "RCPT TO:<a@b.example> NOTIFY=", &all, "501 5.5.4", "NOTIFY=" },
    { "EXT-DSN-2 comma", "RCPT TO:<a@b.example> NOTIFY=,", &all, "501 5.5.4", "NOTIFY=," },
    { "EXT-DSN-2 comma last", "RCPT TO:<a@b.example> NOTIFY=DELAY,", &all, "501 5.5.4", "NOTIFY=" },
    { "EXT-DSN-2 comma first", "RCPT TO:<a@b.example> NOTIFY=,DELAY", &all, "501 5.5.4",
        "NOTIFY=" },
    { "EXT-DSN-2 other", "RCPT TO:<a@b.example> NOTIFY=SUCCESS,FOO", &all, "501 5.5.4", "NOTIFY=" },
    { "EXT-DSN-5 NOTIFY twice", "RCPT TO:<a@b.example> NOTIFY=DELAY NOTIFY=DELAY", &all,
        "501 5.5.4", "NOTIFY=" },
    { "EXT-DSN-2 at MAIL", "MAIL FROM:<> NOTIFY=NEVER", &all, "555 5.5.4", "NOTIFY=" },
    { "EXT-DSN-3", "RCPT TO:<a@b.example> ORCPT=rfc822;bob+2Bx@example.org", &all, "" },
    { "EXT-DSN-3 no type", "RCPT TO:<a@b.example> ORCPT=bob", &all, "501 5.5.4", "ORCPT=bob" },
    { "EXT-DSN-3 empty type", "RCPT TO:<a@b.example> ORCPT=;bob", &all, "501 5.5.4", "ORCPT=;" },
    { "EXT-DSN-3 empty address", "RCPT TO:<a@b.example> ORCPT=rfc822;", &all, "501 5.5.4",
        "ORCPT=" },
    { "EXT-DSN-3 type no atom", "RCPT TO:<a@b.example> ORCPT=a(b;c", &all, "501 5.5.4", "ORCPT=" },
    { "EXT-DSN-3 control", "RCPT TO:<a@b.example> ORCPT=rfc822;a+0D+0Ab", &all, "501 5.5.4",
        "ORCPT=" },
    { "EXT-DSN-3 most",
        "RCPT TO:<a@b.example> ORCPT=rfc822;" A100 A100 A100 A100 "aaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        &all, "" },
    { "EXT-DSN-3 one more",
        "RCPT TO:<a@b.example> ORCPT=rfc822;" A100 A100 A100 A100 "aaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        &all, "501 5.5.4", "ORCPT=" },
    { "EXT-DSN-3 UTF-8 of another type", "RCPT TO:<a@b.example> ORCPT=rfc822;+CE+B4@b.example",
        &all, "501 5.5.4", "ORCPT=" },
    { "EXT-DSN-13 escaped", "RCPT TO:<a@b.example> ORCPT=utf-8;\\x{3B4}@example.org", &all, "" },
    { "EXT-DSN-13 backslash", "RCPT TO:<a@b.example> ORCPT=utf-8;\\y{3B4}@b.example", &all,
        "501 5.5.4", "ORCPT=" },
    { "EXT-DSN-13 surrogate", "RCPT TO:<a@b.example> ORCPT=utf-8;\\x{D800}@b.example", &all,
        "501 5.5.4", "ORCPT=" },
    { "EXT-DSN-13 control", "RCPT TO:<a@b.example> ORCPT=utf-8;\\x{0A}@b.example", &all,
        "501 5.5.4", "ORCPT=" },
    { "EXT-DSN-13 too high", "RCPT TO:<a@b.example> ORCPT=utf-8;\\x{110000}@b.example", &all,
        "501 5.5.4", "ORCPT=" },
    { "EXT-DSN-13 raw without SMTPUTF8", "RCPT TO:<a@b.example> ORCPT=utf-8;" DELTA "@b.example",
        &all, "501 5.5.4", "ORCPT=" },
    { "EXT-DSN-5 ORCPT twice", "RCPT TO:<a@b.example> ORCPT=a;b ORCPT=a;b", &all, "501 5.5.4",
        "ORCPT=" },
    { "RTLS-2", "MAIL FROM:<a@b.example> REQUIRETLS", &all, "" },
    { "RTLS-2 value", "MAIL FROM:<a@b.example> REQUIRETLS=1", &all, "501 5.5.4", "REQUIRETLS=1" },
    { "RTLS-2 not offered", "MAIL FROM:<a@b.example> REQUIRETLS", &usual, "555 5.5.4", "REQ" },
    { "RTLS-2 twice", "MAIL FROM:<> REQUIRETLS REQUIRETLS", &all, "501 5.5.4", "REQUIRETLS" },
    { "EXT-DELIVERBY-1 mode R", "MAIL FROM:<> BY=120;R", &all, "" },
    { "EXT-DELIVERBY-1 mode N, trace", "MAIL FROM:<> BY=+999999999;nt", &all, "" },
    { "EXT-DELIVERBY-1 ten digits", "MAIL FROM:<> BY=1000000000;N", &all, "501 5.5.4", "BY=" },
    { "EXT-DELIVERBY-1 no mode", "MAIL FROM:<> BY=120", &all, "501 5.5.4", "BY=120" },
    { "EXT-DELIVERBY-1 empty mode", "MAIL FROM:<> BY=120;", &all, "501 5.5.4", "BY=120;" },
    { "EXT-DELIVERBY-1 other mode", "MAIL FROM:<> BY=120;X", &all, "501 5.5.4", "BY=" },
    { "EXT-DELIVERBY-1 other trace", "MAIL FROM:<> BY=120;RX", &all, "501 5.5.4", "BY=" },
    { "EXT-DELIVERBY-1 more", "MAIL FROM:<> BY=120;RTT", &all, "501 5.5.4", "BY=" },
    { "EXT-DELIVERBY-1 two signs", "MAIL FROM:<> BY=+-1;N", &all, "501 5.5.4", "BY=" },
    { "EXT-DELIVERBY-2 zero", "MAIL FROM:<> BY=0;R", &all, "501 5.5.4", "BY=0;R" },
    { "EXT-DELIVERBY-2 negative", "MAIL FROM:<> BY=-5;R", &all, "501 5.5.4", "BY=-5;R" },
    { "EXT-DELIVERBY-2 mode N", "MAIL FROM:<> BY=-5;N", &all, "" },
    { "EXT-DELIVERBY-3 below", "MAIL FROM:<> BY=59;R", &all, "555 5.5.4", "BY=59;R" },
    { "EXT-DELIVERBY-3 least", "MAIL FROM:<> BY=60;R", &all, "" },
    { "EXT-DELIVERBY-3 mode N", "MAIL FROM:<> BY=5;N", &all, "" },
    { "EXT-MTPRI-1 least", "MAIL FROM:<> MT-PRIORITY=-9", &all, "" },
    { "EXT-MTPRI-1 most", "MAIL FROM:<> MT-PRIORITY=9", &all, "" },
    { "EXT-MTPRI-1 zero", "MAIL FROM:<> MT-PRIORITY=0", &all, "" },
    { "EXT-MTPRI-1 above", "MAIL FROM:<> MT-PRIORITY=10", &all, "501 5.5.2", "MT-PRIORITY=10" },
    { "EXT-MTPRI-1 below", "MAIL FROM:<> MT-PRIORITY=-10", &all, "501 5.5.2", "MT-PRIORITY=" },
    { "EXT-MTPRI-1 plus", "MAIL FROM:<> MT-PRIORITY=+4", &all, "501 5.5.2", "MT-PRIORITY=" },
    { "EXT-MTPRI-1 leading zero", "MAIL FROM:<> MT-PRIORITY=04", &all, "501 5.5.2", "MT-PRIO" },
    { "EXT-MTPRI-1 minus zero", "MAIL FROM:<> MT-PRIORITY=-0", &all, "501 5.5.2", "MT-PRIO" },
    { "EXT-MTPRI-1 twice", "MAIL FROM:<> MT-PRIORITY=1 MT-PRIORITY=1", &all, "501 5.5.2", "MT-" },
    { "EXT-MTPRI-1 no value", "MAIL FROM:<> MT-PRIORITY", &all, "501 5.5.2", "MT-PRIORITY" },
    { "EXT-MTPRI-1 empty", "MAIL FROM:<> MT-PRIORITY=", &all, "501 5.5.2", "MT-PRIORITY=" },
    { "EXT-MTPRI-1 two equals signs", "MAIL FROM:<> MT-PRIORITY==1", &all, "501 5.5.2", "MT-" },
    { "EXT-MTPRI-1 empty, not offered", "MAIL FROM:<> MT-PRIORITY=", &usual, "501 5.5.4", "MT-" },
    { "EXT-MTRK-1", "MAIL FROM:<> MTRK=" A27 ":86400 ENVID=1@h.example.net", &all, "" },
    { "EXT-MTRK-1 no time", "MAIL FROM:<> ENVID=1@h.example.net MTRK=" A27, &all, "" },
    { "EXT-MTRK-1 padded", "MAIL FROM:<> MTRK=" A27 "=:1 ENVID=1@h.example.net", &all, "" },
    { "EXT-MTRK-1 short", "MAIL FROM:<> MTRK=abc ENVID=1@h.example.net", &all, "501 5.5.4",
        "MTRK=" },
    { "EXT-MTRK-1 long", "MAIL FROM:<> MTRK=" A27 "a ENVID=1@h.example.net", &all, "501 5.5.4",
        "MTRK=" },
    { "EXT-MTRK-1 no base64", "MAIL FROM:<> MTRK=abcdefghijklmnopqrstuvwxyz- ENVID=1@h.example.net",
        &all, "501 5.5.4", "MTRK=" },
    { "EXT-MTRK-1 empty time", "MAIL FROM:<> MTRK=" A27 ": ENVID=1@h.example.net", &all,
        "501 5.5.4", "MTRK=" },
    { "EXT-MTRK-1 ten digits", "MAIL FROM:<> MTRK=" A27 ":1000000000 ENVID=1@h.example.net", &all,
        "501 5.5.4", "MTRK=" },
    { "EXT-MTRK-2 no ENVID", "MAIL FROM:<> MTRK=" A27, &all, "501 5.5.4", "MTRK=" },
    { "EXT-MTRK-2 no host", "MAIL FROM:<> ENVID=1 MTRK=" A27, &all, "501 5.5.4", "MTRK=" },
    { "EXT-MTRK-2 no local", "MAIL FROM:<> ENVID=@h.example MTRK=" A27, &all, "501 5.5.4",
        "MTRK=" },
    { "EXT-MTRK-2 single label", "MAIL FROM:<> ENVID=1@h MTRK=" A27, &all, "501 5.5.4", "MTRK=" },
    { "EXT-NOSOL-2", "MAIL FROM:<> SOLICIT=net.example:ADV,org.example:ADV:ADLT", &all, "" },
    { "EXT-NOSOL-2 digit first", "MAIL FROM:<> SOLICIT=1a", &all, "501 5.5.4", "SOLICIT=" },
    { "EXT-NOSOL-2 comma last", "MAIL FROM:<> SOLICIT=a,", &all, "501 5.5.4", "SOLICIT=" },
    { "EXT-NOSOL-2 empty word", "MAIL FROM:<> SOLICIT=a,,b", &all, "501 5.5.4", "SOLICIT=" },
    { "EXT-NOSOL-2 octet", "MAIL FROM:<> SOLICIT=a/b", &all, "501 5.5.4", "SOLICIT=" },
    { "EXT-CONPERM-1", "MAIL FROM:<> CONPERM", &all, "" },
    { "EXT-CONPERM-1 value", "MAIL FROM:<> CONPERM=1", &all, "501 5.5.4", "CONPERM=1" },
    { "EXT-CONPERM-1 not offered", "MAIL FROM:<> CONPERM", &usual, "555 5.5.4", "CONPERM" },
    { "EXT-CKPT-1", "MAIL FROM:<> TRANSID=<1@c.example>", &all, "" },
    { "EXT-CKPT-1 shortest", "MAIL FROM:<> TRANSID=<1@c>", &all, "" },
    { "EXT-CKPT-1 odd octets", "MAIL FROM:<> TRANSID=<!#$%&'*+-^_`{|}~@c>", &all, "" },
    { "EXT-CKPT-1 80 octets", "MAIL FROM:<> TRANSID=<" C38 "@" C38 "8>", &all, "" },
    { "EXT-CKPT-1 81 octets", "MAIL FROM:<> TRANSID=<" C38 "@" C38 "89>", &all, "501 5.5.4",
        "TRANSID=" },
    { "EXT-CKPT-1 twice", "MAIL FROM:<> TRANSID=<1@c> TRANSID=<1@c>", &all, "501 5.5.4",
        "TRANSID=" },
    { "EXT-CKPT-1 no value", "MAIL FROM:<> TRANSID", &all, "501 5.5.4", "TRANSID" },
    { "EXT-CKPT-1 nothing inside", "MAIL FROM:<> TRANSID=<>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 one bracket", "MAIL FROM:<> TRANSID=<", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 no brackets", "MAIL FROM:<> TRANSID=1@c", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 not closed", "MAIL FROM:<> TRANSID=<1@c", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 no at", "MAIL FROM:<> TRANSID=<1.c>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 no local", "MAIL FROM:<> TRANSID=<@c>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 no domain", "MAIL FROM:<> TRANSID=<1@>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 two at", "MAIL FROM:<> TRANSID=<1@c@d>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 dot first", "MAIL FROM:<> TRANSID=<.1@c>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 dot last", "MAIL FROM:<> TRANSID=<1@c.>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 two dots", "MAIL FROM:<> TRANSID=<1@c..d>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 special", "MAIL FROM:<> TRANSID=<1/2@c>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 quoted", "MAIL FROM:<> TRANSID=<\"1\"@c>", &all, "501 5.5.4", "TRANSID=" },
    { "EXT-CKPT-1 octet above 127", "MAIL FROM:<> SMTPUTF8 TRANSID=<\xc3\xa9@c>", &all, "501 5.5.4",
        "TRANSID=" },
    { "EXT-CKPT-1 not offered", "MAIL FROM:<> TRANSID=<1@c.example>", &usual, "555 5.5.4",
        "TRANSID=" },
    { "EXT-CONNEG-1", "RCPT TO:<a@b.example> CONNEG", &all, "504 5.5.4", "CONNEG" },
    { "EXT-CONNEG-1 not offered", "RCPT TO:<a@b.example> CONNEG", &usual, "555 5.5.4", "CONNEG" },
    { "EXT-FUTURE-2 least", "MAIL FROM:<> HOLDFOR=1", &all, "" },
    { "EXT-FUTURE-2 most", "MAIL FROM:<> HOLDFOR=2592000", &all, "" },
    { "EXT-FUTURE-2 one more", "MAIL FROM:<> HOLDFOR=2592001", &all, "501 5.5.4", "HOLDFOR=" },
    { "EXT-FUTURE-2 zero", "MAIL FROM:<> HOLDFOR=0", &all, "501 5.5.4", "HOLDFOR=0" },
    { "EXT-FUTURE-2 leading zero", "MAIL FROM:<> HOLDFOR=01", &all, "501 5.5.4", "HOLDFOR=01" },
    { "EXT-FUTURE-2 ten digits", "MAIL FROM:<> HOLDFOR=1000000000", &all, "501 5.5.4", "HOLDFOR" },
    { "EXT-FUTURE-2 date", "MAIL FROM:<> HOLDUNTIL=2026-03-03T11:00:00Z", &all, "" },
    { "EXT-FUTURE-2 fraction", "MAIL FROM:<> HOLDUNTIL=2026-03-03T11:00:00.5Z", &all, "" },
    { "EXT-FUTURE-2 past date", "MAIL FROM:<> HOLDUNTIL=2001-01-01T00:00:00Z", &all, "" },
    { "EXT-FUTURE-2 last date", "MAIL FROM:<> HOLDUNTIL=2026-04-02T10:00:00Z", &all, "" },
    { "EXT-FUTURE-2 too far", "MAIL FROM:<> HOLDUNTIL=2026-04-02T10:00:01Z", &all, "501 5.5.4",
        "HOLDUNTIL=" },
    { "EXT-FUTURE-2 not UTC", "MAIL FROM:<> HOLDUNTIL=2026-03-03T11:00:00+01:00", &all, "501 5.5.4",
        "HOLDUNTIL=" },
    { "EXT-FUTURE-2 no day", "MAIL FROM:<> HOLDUNTIL=2026-02-29T11:00:00Z", &all, "501 5.5.4",
        "HOLDUNTIL=" },
    { "EXT-FUTURE-2 both", "MAIL FROM:<> HOLDFOR=9 HOLDUNTIL=2026-03-03T11:00:00Z", &all,
        "501 5.5.4", "HOLDUNTIL=" },
    { "EXT-FUTURE-2 both, turned", "MAIL FROM:<> HOLDUNTIL=2026-03-03T11:00:00Z HOLDFOR=9", &all,
        "501 5.5.4", "HOLDFOR=" },
    { "EXT-FUTURE-2 twice", "MAIL FROM:<> HOLDFOR=9 HOLDFOR=9", &all, "501 5.5.4", "HOLDFOR=" },
    { "EXT-FUTURE-4", "MAIL FROM:<> HOLDFOR=600 BY=300;R", &all, "501 5.5.4", "HOLDFOR=600" },
    { "EXT-FUTURE-4 turned", "MAIL FROM:<> BY=300;N HOLDUNTIL=2026-03-03T10:05:01Z", &all,
        "501 5.5.4", "HOLDUNTIL=" },
    { "EXT-FUTURE-4 just so", "MAIL FROM:<> BY=300;N HOLDUNTIL=2026-03-03T10:05:00Z", &all, "" },
    { "EXT-RRVS-1", "RCPT TO:<a@b.example> RRVS=2024-05-01T00:00:00Z;C", &all, "" },
    { "EXT-RRVS-1 no action", "RCPT TO:<a@b.example> RRVS=2024-05-01T02:00:00+02:00", &all, "" },
    { "EXT-RRVS-1 fraction", "RCPT TO:<a@b.example> RRVS=2024-05-01T00:00:00.5Z;C", &all,
        "501 5.5.4", "RRVS=" },
    { "EXT-RRVS-1 other action", "RCPT TO:<a@b.example> RRVS=2024-05-01T00:00:00Z;X", &all,
        "501 5.5.4", "RRVS=" },
    { "EXT-RRVS-1 empty action", "RCPT TO:<a@b.example> RRVS=2024-05-01T00:00:00Z;", &all,
        "501 5.5.4", "RRVS=" },
    { "EXT-RRVS-1 twice", "RCPT TO:<a@b.example> RRVS=2024-05-01T00:00:00Z RRVS=x", &all,
        "501 5.5.4", "RRVS=x" },
    { "SUB-5.1-1 sender", "MAIL FROM:<a@b@c>", &usual, "501 5.1.7", "@c>" },
    { "SUB-5.1-3 recipient", "RCPT TO:<.bob@example.org>", &usual, "501 5.1.3", ".bob@" },
    { "GRM-1 no brackets", "MAIL FROM:alice@example.net", &usual, "501 5.1.7", "alice" },
    { "GRM-1 null recipient", "RCPT TO:<>", &usual, "501 5.1.3", "" },
    { "GRM-4 RCPT", "RCPT TO:<\"\"@example.org>", &usual, "501 5.1.3", "\"@ex" },
    { "no FROM", "MAIL alice", &usual, "501 5.5.4", "alice" },
    { "no space before parameters", "MAIL FROM:<a@b.example>SIZE=1", &usual, "501 5.5.4",
        "SIZE=1" },
};

static bool parse_line(struct arena *arena, const char *line, uint32_t offered, bool strict,
    struct mail_command *mail, struct envelope_error *error)
{
    struct command command = command_parse(slice_text(line));
    struct parameter_context context = context_of(offered, false);
    struct rcpt_command rcpt;

    if (command.verb == VERB_MAIL)
        return mail_command_parse(arena, command.argument, &context, strict, mail, error);
    return rcpt_command_parse(arena, command.argument, &context, strict, &rcpt, error);
}

static void test_table(void **state UNUSED)
{
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct envelope_error error = { 0 };
        struct mail_command mail;
        struct arena arena;
        struct buffer reply;
        uint32_t offered = cases[i].offered ? *cases[i].offered : 0;

        arena_init(&arena, 65536);
        buffer_init(&reply, 4096);
        if (parse_line(&arena, cases[i].line, offered, false, &mail, &error)) {
            expect_text(cases[i].name, slice_text(""), cases[i].reply);
        } else {
            envelope_error_write(&reply, &error);
            expect_text(cases[i].name, slice_first(buffer_slice(&reply), 9), cases[i].reply);
            expect_text(cases[i].name, slice_first(error.culprit, strlen(cases[i].culprit)),
                cases[i].culprit);
        }
        buffer_clear(&reply);
        arena_clear(&arena);
    }
}

static void test_values(void **state UNUSED)
{
    struct envelope_error error;
    struct mail_command mail;
    struct arena arena;
    struct buffer text;

    arena_init(&arena, 65536);
    buffer_init(&text, 4096);
    assert_true(parse_line(&arena, "MAIL FROM:<a@b.example> SIZE=" D20 " BODY=8bitmime SMTPUTF8",
        usual, false, &mail, &error));
    assert_true(mail.parameters.has_size);
    assert_true(mail.parameters.size == UINT64_MAX);
    assert_int_equal(mail.parameters.body, BODY_8BITMIME);
    assert_true(mail.parameters.smtputf8);
    assert_false(mail.parameters.has_auth);

    assert_true(parse_line(&arena, "MAIL FROM:<a@b.example> SIZE=52428801 AUTH=e+3Dmc2@example.com",
        usual, false, &mail, &error));
    assert_true(mail.parameters.size == 52428801);
    assert_int_equal(mail.parameters.body, BODY_UNSTATED);
    assert_true(mail.parameters.has_auth);
    address_write(&text, &mail.parameters.auth);
    expect_text("AUTH-21", buffer_slice(&text), "e=mc2@example.com");

    assert_true(parse_line(&arena, "MAIL FROM:<> AUTH=<>", usual, false, &mail, &error));
    assert_true(mail.parameters.has_auth);
    assert_int_equal(mail.parameters.auth.kind, ADDRESS_NULL);
    buffer_clear(&text);
    arena_clear(&arena);
}

/* What comes out is typed. */
static void test_mail_wishes(void **state UNUSED)
{
    struct envelope_error error;
    struct mail_command mail;
    const struct mail_parameters *p = &mail.parameters;

    assert_true(parse_line(NULL,
        "MAIL FROM:<> RET=HDRS ENVID=a+2B@h.example BY=-5;NT MT-PRIORITY=-4 REQUIRETLS MTRK=" A27
        "=:9 SOLICIT=a,b CONPERM TRANSID=<Aa@C.example>",
        all, false, &mail, &error));
    assert_int_equal(p->ret, RETURN_HEADERS);
    expect_text("EXT-DSN-4", p->envid, "a+2B@h.example");
    assert_true(p->require_tls && p->conperm && p->has_priority);
    assert_int_equal(p->by.mode, BY_NOTIFY);
    assert_true(p->by.trace && p->by.seconds == -5);
    assert_int_equal(p->priority, -4);
    expect_text("EXT-MTRK-1", p->mtrk.certifier, A27);
    assert_int_equal(p->mtrk.timeout, 9);
    expect_text("EXT-NOSOL-2", p->solicit, "a,b");
    expect_text("EXT-CKPT-1", p->transid, "<Aa@C.example>");
    assert_int_equal(p->hold.kind, HOLD_NONE);

    assert_true(parse_line(NULL, "MAIL FROM:<> RET=FULL BY=60;R HOLDUNTIL=2026-03-03T10:00:30Z",
        all, false, &mail, &error));
    assert_int_equal(p->ret, RETURN_FULL);
    assert_true(p->by.mode == BY_RETURN && !p->by.trace && p->by.seconds == 60);
    assert_true(p->hold.kind == HOLD_UNTIL && p->hold.value == NOW + 30);
    assert_false(p->has_priority);
    assert_true(parse_line(NULL, "MAIL FROM:<> HOLDFOR=9", all, false, &mail, &error));
    assert_true(p->hold.kind == HOLD_FOR && p->hold.value == 9);
}

static void test_rcpt_wishes(void **state UNUSED)
{
    struct parameter_context context = context_of(all, true);
    struct envelope_error error;
    struct rcpt_command rcpt;
    const struct rcpt_parameters *p = &rcpt.parameters;

    assert_true(rcpt_command_parse(NULL,
        slice_text("TO:<a@b.example> NOTIFY=delay,SUCCESS ORCPT=rfc822;B+2Bb RRVS=2024-05-01T00:00:"
                   "00Z;r"),
        &context, false, &rcpt, &error));
    assert_int_equal(p->notify, NOTIFY_DELAY | NOTIFY_SUCCESS);
    expect_text("EXT-DSN-3", p->orcpt, "rfc822;B+2Bb");
    assert_int_equal(p->rrvs, RRVS_REJECT);
    assert_true(p->rrvs_since == INT64_C(1714521600));
    assert_true(rcpt_command_parse(NULL,
        slice_text(
            "TO:<a@b.example> ORCPT=UTF-8;" DELTA "@b.example RRVS=2024-05-01T02:00:00+02:00"),
        &context, false, &rcpt, &error));
    assert_int_equal(p->notify, 0);
    assert_int_equal(p->rrvs, RRVS_UNSTATED);
    assert_true(p->rrvs_since == INT64_C(1714521600));
}

/* EXT-DSN-13: each form decodes to the same, and leaves in one that the next hop can take. */
static void test_orcpt(void **state UNUSED)
{
    static const struct {
        const char *text, *decoded, *ascii;
    } texts[] = {
        { "rfc822;B+2Bb@h.example", "rfc822;B+b@h.example", "rfc822;B+2Bb@h.example" },
        { "utf-8;\\x{3B4}@h.example", "utf-8;" DELTA "@h.example", "utf-8;\\x{3B4}@h.example" },
        { "utf-8;" DELTA "@h.example", "utf-8;" DELTA "@h.example", "utf-8;\\x{3B4}@h.example" },
        { "utf-8;\\x{20}\\x{5C}\\x{1F600}", "utf-8; \\\xf0\x9f\x98\x80",
            "utf-8;\\x{20}\\x{5C}\\x{1F600}" },
        { "utf-8;\xe2\x82\xac", "utf-8;\xe2\x82\xac", "utf-8;\\x{20AC}" },
        { "utf-8;\\x{20ac}", "utf-8;\xe2\x82\xac", "utf-8;\\x{20ac}" },
    };
    static const char *const bad[] = { "", ";", "a;", ";a", "a", "utf-8;\\", "utf-8;\\x{}",
        "utf-8;\\x{1}", "utf-8;\xc2\x9b", "utf-8;+C2+85", "utf-8;\\x{9F}", "utf-8;\\x{41",
        "utf-8;\\x{0000041}", "utf-8;\\x{7F}", "utf-8;\xce", "rfc822;" DELTA, "utf-8;\xe2+82\xac" };
    struct buffer out;

    buffer_init(&out, 4096);
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        buffer_reset(&out);
        assert_true(orcpt_decode(&out, slice_text(texts[i].text)));
        expect_text(texts[i].text, buffer_slice(&out), texts[i].decoded);
        buffer_reset(&out);
        orcpt_write(&out, slice_text(texts[i].text), false);
        expect_text(texts[i].text, buffer_slice(&out), texts[i].ascii);
        buffer_reset(&out);
        orcpt_write(&out, slice_text(texts[i].text), true);
        expect_text(texts[i].text, buffer_slice(&out), texts[i].text);
    }
    buffer_reset(&out);
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        expect_number(bad[i], orcpt_decode(&out, slice_text(bad[i])), false);
        assert_int_equal(out.len, 0);
    }
    buffer_clear(&out);
}

static void test_timestamps(void **state UNUSED)
{
    static const struct {
        const char *text;
        unsigned forms;
        bool is_good;
        int64_t wall;
    } dates[] = {
        { "1970-01-01T00:00:00Z", 0, true, 0 },
        { "2026-03-03T10:00:00Z", 0, true, NOW },
        { "2026-03-03t10:00:00z", 0, true, NOW },
        { "2024-02-29T23:59:60Z", 0, true, INT64_C(1709251200) },
        { "0001-01-01T00:00:00Z", 0, true, INT64_C(-62135596800) },
        { "9999-12-31T23:59:59Z", 0, true, INT64_C(253402300799) },
        { "2026-03-03T11:30:00+01:30", TIMESTAMP_OFFSETS, true, NOW },
        { "2026-03-03T09:00:00-01:00", TIMESTAMP_OFFSETS, true, NOW },
        { "2026-03-03T10:00:00.999Z", TIMESTAMP_FRACTIONS, true, NOW },
        { "2026-03-03T11:00:00+01:00", TIMESTAMP_FRACTIONS, false, 0 },
        { "2026-03-03T10:00:00.9Z", TIMESTAMP_OFFSETS, false, 0 },
        { "2026-03-03T10:00:00.Z", TIMESTAMP_FRACTIONS, false, 0 },
        { "2026-03-03T10:00:00", 0, false, 0 },
        { "2026-03-03 10:00:00Z", 0, false, 0 },
        { "2026-03-03T24:00:00Z", 0, false, 0 },
        { "2026-03-03T10:60:00Z", 0, false, 0 },
        { "2026-03-03T10:00:61Z", 0, false, 0 },
        { "2026-13-03T10:00:00Z", 0, false, 0 },
        { "2026-00-03T10:00:00Z", 0, false, 0 },
        { "2026-04-31T10:00:00Z", 0, false, 0 },
        { "2023-02-29T10:00:00Z", 0, false, 0 },
        { "1900-02-29T10:00:00Z", 0, false, 0 },
        { "0000-01-01T00:00:00Z", 0, false, 0 },
        { "2026-03-03T10:00:00ZZ", 0, false, 0 },
        { "2026-3-03T10:00:00Z", 0, false, 0 },
        { "", 0, false, 0 },
        { "2026-03-03T10:00:00+24:00", TIMESTAMP_OFFSETS, false, 0 },
        { "2026-03-03T10:00:00+0100", TIMESTAMP_OFFSETS, false, 0 },
    };
    char text[TIMESTAMP_TEXT + 1];
    int64_t wall, again;

    for (size_t i = 0; i < LENGTH_OF(dates); i++) {
        wall = 0;
        expect_number(dates[i].text,
            timestamp_parse(slice_text(dates[i].text), dates[i].forms, &wall), dates[i].is_good);
        if (wall != dates[i].wall)
            fail_msg("%s: %lld", dates[i].text, (long long)wall);
        if (!dates[i].is_good)
            continue;
        timestamp_format(wall, text);
        assert_true(timestamp_parse(slice_text(text), 0, &again) && again == wall);
    }
    timestamp_format(NOW, text);
    assert_string_equal(text, "2026-03-03T10:00:00Z");
    timestamp_format(INT64_MIN, text);
    assert_string_equal(text, "0001-01-01T00:00:00Z");
    timestamp_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
}

/* GRM-2: tolerated and reported, or refused. */
static void test_strict(void **state UNUSED)
{
    struct envelope_error error;
    struct mail_command mail;

    assert_true(parse_line(NULL, "MAIL FROM: <a@b.example>", usual, false, &mail, &error));
    assert_true(mail.path.is_spaced);
    assert_false(parse_line(NULL, "MAIL FROM: <a@b.example>", usual, true, &mail, &error));
    assert_int_equal(error.reply, REPLY_BAD_ARGUMENT);
    assert_true(parse_line(NULL, "MAIL FROM:<a@b.example>", usual, true, &mail, &error));
    assert_false(mail.path.is_spaced);
}

/* EXT-SMTPUTF8-4: in a transaction with SMTPUTF8. */
static void test_rcpt_utf8(void **state UNUSED)
{
    struct slice argument = slice_text("TO:<" DELTA "@b.example>");
    struct parameter_context with = context_of(usual, true), without = context_of(usual, false);
    struct envelope_error error;
    struct rcpt_command rcpt;

    assert_true(rcpt_command_parse(NULL, argument, &with, false, &rcpt, &error));
    assert_true(rcpt.path.address.local_non_ascii);
    assert_false(rcpt_command_parse(NULL, argument, &without, false, &rcpt, &error));
    assert_int_equal(error.reply, REPLY_RECIPIENT_UTF8);
}

/* The culprit comes from outside: what the reply shows of it is short and printable. */
static void test_reply_is_escaped(void **state UNUSED)
{
    char *value = repeated('\xff', 3000);
    struct envelope_error error = {
        .reply = REPLY_BAD_PARAMETER,
        .text = "malformed parameter",
        .culprit = slice_of(value, 3000),
    };
    struct buffer out;

    buffer_init(&out, 4096);
    envelope_error_write(&out, &error);
    assert_true(out.len < REPLY_LINE_MAX);
    assert_true(text_is_ascii(buffer_slice(&out)));
    buffer_clear(&out);
    free(value);
}

/* GRM-12 */
static void test_xtext(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool is_valid;
        const char *decoded;
    } texts[] = {
        { "a+2Bb", true, "a+b" },
        { "a+3Db", true, "a=b" },
        { "a+20b", true, "a b" },
        { "", true, "" },
        { "+CE+B4", true, DELTA },
        { "a+2bb", false },
        { "a+", false },
        { "a+2", false },
        { "a+G0", false },
        { "a=b", false },
        { "a b", false },
        { "+00", false },
        { "+1F", false },
        { "+7F", false },
        { "+0D+0A", false },
        { "+CE", false },
        { DELTA, false },
    };
    struct buffer out;

    buffer_init(&out, 4096);
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        buffer_reset(&out);
        buffer_put_text(&out, "x");
        expect_number(
            texts[i].text, xtext_decode(&out, slice_text(texts[i].text), false), texts[i].is_valid);
        expect_text(texts[i].text, slice_from(buffer_slice(&out), 1),
            texts[i].is_valid ? texts[i].decoded : "");
    }
    buffer_reset(&out);
    assert_true(xtext_decode(&out, slice_text(DELTA), true));
    buffer_reset(&out);
    assert_false(xtext_decode(&out, slice_text("\xce"), true));
    for (unsigned c = 32; c < 127; c++) {
        char coded[4], octet = (char)c;

        snprintf(coded, sizeof coded, "+%02X", c);
        buffer_reset(&out);
        assert_true(xtext_decode(&out, slice_text(coded), false));
        expect_octets(coded, buffer_slice(&out), slice_of(&octet, 1));
        buffer_reset(&out);
        expect_number(coded, xtext_decode(&out, slice_of(&octet, 1), false), !strchr(" +=", octet));
    }
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mail_wishes),
        cmocka_unit_test(test_rcpt_wishes),
        cmocka_unit_test(test_orcpt),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_rcpt_utf8),
        cmocka_unit_test(test_reply_is_escaped),
        cmocka_unit_test(test_xtext),
    };

    return cmocka_run_group_tests_name("smtp/parameters", tests, NULL, NULL);
}
