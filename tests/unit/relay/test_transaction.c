/* One transaction in all its shapes: with and without pipelining, by DATA and by BDAT, and whatever
 * the next hop answers. */
#include "../check.h"

#include "rows.h"

#define DATA  "< DATA\n> 354 go\n.\n"
#define DONE  "> 250 2.0.0 queued\n"
#define BYE   "< QUIT\n> 221 2.0.0 bye\n"
#define RESET "< RSET\n> 250 2.0.0 reset\n"
#define TWO   .mail = { .to = { "bob@example.org", "eve@example.org" } }
#define LARGE 320000

static const struct row single[] = {
    { .name = "OUT-15, OUT-14, EXT-PIPELINING-5: one command at a time, DATA, QUIT",
        .script = BARE MAIL OK RCPT("bob") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-10: replies of several lines, without text, with odd codes of a good class",
        .script = "> 220-hop\n> 220-second\n> 220\n< EHLO msa.example.net\n> 250\n" MAIL
                  "> 299 fine\n" RCPT("bob") "> 251 forwarded\n" DATA
                                             "> 250-2.6.0 line\n> 250 2.6.0 last\n" BYE,
        .outcome = "done 250 2.6.0",
        .text = "2.6.0 line\n2.6.0 last" },
    { .name = "OUT-9: EHLO is not known, HELO in the same connection, no extensions",
        .script = "> 220 hop\n< EHLO msa.example.net\n> 500 5.5.1 what\n< HELO msa.example.net\n"
                  "> 250-hop\n> 250 PIPELINING\n" MAIL OK RCPT("bob") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-9: 502 likewise; HELO refused ends the hop",
        .script = "> 220 hop\n< EHLO msa.example.net\n> 502 what\n< HELO msa.example.net\n"
                  "> 550 5.7.1 go away\n" BYE,
        .outcome = "failed 550 5.7.1" },
    { .name = "OUT-16: EHLO refused",
        .script = "> 220 hop\n< EHLO msa.example.net\n> 550 5.7.1 go away\n" BYE,
        .outcome = "failed 550 5.7.1" },
    { .name = "OUT-16: a greeting of 554, the only hop",
        .script = "> 554 5.7.1 no service\n" BYE,
        .outcome = "failed 554 5.7.1" },
    { .name = "OUT-16: a greeting of 521 (RFC 7504)",
        .script = "> 521 no mail here\n" BYE,
        .outcome = "failed 521 5.3.2" },
    { .name = "OUT-16: a greeting of 421",
        .script = "> 421 4.3.2 busy\n" BYE,
        .outcome = "deferred 421 4.3.2" },
    { .name = "OUT-10: a greeting that is no good class",
        .script = "> 354 what\n" BYE,
        .outcome = "deferred 354 4.5.0" },
    { .name = "OUT-10: a greeting out of range",
        .script = "> 199 what\n" BYE,
        .outcome = "deferred 199 4.5.0" },
    { .name = "OUT-13: closed instead of a greeting",
        .script = "!\n",
        .outcome = "deferred 0 4.4.2",
        .text = "closed the connection" },
    { .name = "OUT-13: reset instead of a reply to EHLO",
        .script = "> 220 hop\n< EHLO msa.example.net\n!!\n",
        .outcome = "deferred 0 4.4.2" },
    { .name = "OUT-10: no SMTP at all",
        .script = "> SSH-2.0-OpenSSH\n",
        .outcome = "deferred 0 4.5.0",
        .text = "cannot be understood" },
    { .name = "OUT-10: a bare LF is no line end",
        .script = "} 220 hop\\n\n",
        .outcome = "deferred 0 4.5.0",
        .text = "CRLF" },
    { .name = "OUT-10: lines of one reply with different codes",
        .script = BARE MAIL "> 250-one\n> 550 two\n",
        .outcome = "deferred 0 4.5.0" },
    { .name = "OUT-16: MAIL refused for ever",
        .script = BARE MAIL "> 550 5.7.1 not you\n" RESET BYE,
        .outcome = "failed 550 5.7.1" },
    { .name = "OUT-16: MAIL refused for now",
        .script = BARE MAIL "> 451 4.7.1 greylisted\n" RESET BYE,
        .outcome = "deferred 451 4.7.1" },
    { .name = "OUT-10: 3yz to MAIL",
        .script = BARE MAIL "> 354 what\n" RESET BYE,
        .outcome = "deferred 354 4.5.0" },
    { .name = "OUT-10: a code out of range is fatal for the transaction",
        .script = BARE MAIL OK RCPT("bob") "> 650 what\n",
        .outcome = "deferred 650 4.5.0" },
    { .name = "OUT-13, OUT-16: 421 to MAIL",
        .script = BARE MAIL "> 421 4.4.2 idle for too long\n!\n",
        .outcome = "deferred 421 4.4.2" },
    { .name = "OUT-16: RCPT refused for ever",
        .script = BARE MAIL OK RCPT("bob") "> 550 5.1.1 no such user\n" RESET BYE,
        .outcome = "failed 550 5.1.1" },
    { .name = "OUT-10: 5yz with the enhanced code of another class",
        .script = BARE MAIL OK RCPT("bob") "> 550 4.1.1 no such user\n" RESET BYE,
        .outcome = "failed 550 5.0.0" },
    { .name = "D-33: the first recipient is too many: that is for now",
        .script = BARE MAIL OK RCPT("bob") "> 452 4.5.3 too many\n" RESET BYE,
        .outcome = "deferred 452 4.5.3" },
    { .name = "OUT-11: 552 to the first recipient is no matter of number",
        .script = BARE MAIL OK RCPT("bob") "> 552 5.2.2 full\n" RESET BYE,
        .outcome = "failed 552 5.2.2" },
    { .name = "OUT-16: DATA refused for ever",
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 554 5.6.0 no\n" RESET BYE,
        .outcome = "failed 554 5.6.0" },
    { .name = "OUT-16: DATA refused for now",
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 451 4.3.0 no\n" RESET BYE,
        .outcome = "deferred 451 4.3.0" },
    { .name = "OUT-12: no data without 354; the connection is not used again",
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 250 2.0.0 thanks\n" BYE,
        .outcome = "deferred 250 4.5.0" },
    { .name = "OUT-12: 3yz other than 354",
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 355 go\n" RESET BYE,
        .outcome = "deferred 355 4.5.0" },
    { .name = "OUT-16: the message refused for ever",
        .script = BARE MAIL OK RCPT("bob") OK DATA "> 550 5.7.1 spam\n" BYE,
        .outcome = "failed 550 5.7.1" },
    { .name = "OUT-16: the message refused for now",
        .script = BARE MAIL OK RCPT("bob") OK DATA "> 451 4.7.1 later\n" BYE,
        .outcome = "deferred 451 4.7.1" },
    { .name = "OUT-10: 3yz to the message",
        .script = BARE MAIL OK RCPT("bob") OK DATA "> 354 more\n" BYE,
        .outcome = "deferred 354 4.5.0" },
    { .name = "OUT-13: gone before the reply to the message",
        .script = BARE MAIL OK RCPT("bob") OK DATA "!\n",
        .outcome = "deferred 0 4.4.2" },
    { .name = "OUT-16: 421 to the message",
        .script = BARE MAIL OK RCPT("bob") OK DATA "> 421 4.3.2 bye\n!\n",
        .outcome = "deferred 421 4.3.2" },
    { .name = "RSET refused: the connection is not used again",
        .script = BARE MAIL "> 450 4.2.0 no\n< RSET\n> 500 what\n" BYE,
        .outcome = "deferred 450 4.2.0" },
    { .name = "OUT-14: silence after QUIT does not matter",
        .script = BARE MAIL OK RCPT("bob") OK DATA DONE "< QUIT\n!\n",
        .outcome = "done 250 2.0.0" },
    { .name = "the null reverse-path",
        .mail = { .from = "" },
        .script = BARE "< MAIL FROM:<>\n" OK RCPT("bob") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-15: no CRLF at the end of the body",
        .mail = { .body = "..\r\n.\r\n" },
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n" DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "DATA-6: a bare LF is not sent on",
        .mail = { .body = "one\ntwo\r\n" },
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n&\n",
        .outcome = "failed 0 5.6.0",
        .text = "bare CR or LF" },
};

static const struct row several[] = {
    { .name = "OUT-10: each recipient its own reply",
        TWO,
        .script = BARE MAIL OK RCPT("bob") "> 550 5.1.1 no\n" RCPT("eve") OK DATA DONE BYE,
        .outcome = "failed 550 5.1.1; done 250 2.0.0" },
    { .name = "EXT-PIPELINING-5: the envelope and DATA in one flight",
        TWO,
        .script = PIPELINES MAIL RCPT("bob") RCPT("eve") "< DATA\n" OK OK
                                                         "> 550 5.1.1 no\n> 354 go\n.\n" DONE BYE,
        .outcome = "done 250 2.0.0; failed 550 5.1.1" },
    { .name = "EXT-PIPELINING-5: all refused, DATA too",
        TWO,
        .script = PIPELINES MAIL RCPT("bob") RCPT(
            "eve") "< DATA\n" OK "> 550 5.1.1 no\n> 450 4.1.1 no\n> 503 5.5.1 nobody\n" RESET BYE,
        .outcome = "failed 550 5.1.1; deferred 450 4.1.1" },
    { .name = "EXT-PIPELINING-5: all refused, but 354: a lone dot",
        TWO,
        .script = PIPELINES MAIL RCPT("bob") RCPT(
            "eve") "< DATA\n" OK
                   "> 550 5.1.1 no\n> 550 5.1.1 no\n> 354 go\n< .\n> 554 5.5.1 nobody\n" RESET BYE,
        .outcome = "failed 550 5.1.1; failed 550 5.1.1" },
    { .name = "EXT-PIPELINING-5: 250 to a lone dot is no delivery",
        TWO,
        .script = PIPELINES MAIL RCPT("bob") RCPT(
            "eve") "< DATA\n" OK
                   "> 550 5.1.1 no\n> 450 4.1.1 no\n> 354 go\n< .\n> 250 2.0.0 thanks\n" RESET BYE,
        .outcome = "failed 550 5.1.1; deferred 450 4.1.1" },
    { .name = "EXT-PIPELINING-5: MAIL refused, the others as a server may answer then",
        TWO,
        .script = PIPELINES MAIL RCPT("bob") RCPT(
            "eve") "< DATA\n"
                   "> 550 5.7.1 not you\n> 503 no\n> 250 yes\n> 354 go\n< .\n> 250 ok\n" RESET BYE,
        .outcome = "failed 550 5.7.1; failed 550 5.7.1" },
    { .name = "OUT-16: 421 in the middle of a flight counts for all that are open",
        TWO,
        .script = PIPELINES MAIL RCPT("bob") RCPT("eve") "< DATA\n" OK
                                                         "> 550 5.1.1 no\n> 421 4.3.2 bye\n!\n",
        .outcome = "failed 550 5.1.1; deferred 421 4.3.2" },
    { .name = "OUT-11, D-33: too many behind an accepted one: the rest in another transaction",
        TWO,
        .script = PIPELINES MAIL RCPT("bob")
            RCPT("eve") "< DATA\n" OK OK "> 452 4.5.3 too many\n> 354 go\n.\n" DONE MAIL RCPT(
                "eve") "< DATA\n" OK OK "> 354 go\n.\n" DONE BYE,
        .outcome = "done 250 2.0.0; done 250 2.0.0" },
    { .name = "OUT-11, D-33: 552 likewise, and then it is her mailbox after all",
        TWO,
        .script =
            BARE MAIL OK RCPT("bob") OK RCPT("eve") "> 552 5.2.2 full\n" DATA DONE MAIL OK RCPT(
                "eve") "> 552 5.2.2 full\n" RESET BYE,
        .outcome = "done 250 2.0.0; failed 552 5.2.2" },
    { .name = "OUT-11: DATA refused, the rest in another transaction",
        TWO,
        .script = BARE MAIL OK RCPT("bob")
            OK RCPT("eve") "> 452 4.5.3 too many\n"
                           "< DATA\n> 451 4.3.0 no\n" RESET MAIL OK RCPT("eve") OK DATA DONE BYE,
        .outcome = "deferred 451 4.3.0; done 250 2.0.0" },
    { .name = "OUT-12, OUT-11: a hop out of step is left; the rest goes over a new connection",
        TWO,
        .script = BARE MAIL OK RCPT("bob") OK RCPT("eve") "> 452 4.5.3 too many\n"
                                                          "< DATA\n> 250 2.0.0 thanks\n" BYE
                                                          "--\n" BARE MAIL OK RCPT("eve")
                                                              OK DATA DONE BYE,
        .outcome = "deferred 250 4.5.0; done 250 2.0.0" },
    { .name = "EXT-LIMITS-3: RCPTMAX, a transaction each",
        TWO,
        .script = HELLO("> 250 LIMITS RCPTMAX=1\n") MAIL OK RCPT("bob")
            OK DATA DONE MAIL OK RCPT("eve") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0; done 250 2.0.0" },
    { .name = "EXT-LIMITS-3: RCPTDOMAINMAX",
        .mail = { .to = { "a@x.example", "b@Y.example", "c@X.example", "d@y.example" } },
        .script = HELLO("> 250 LIMITS RCPTDOMAINMAX=1\n") MAIL OK
        "< RCPT TO:<a@x.example>\n" OK "< RCPT TO:<c@X.example>\n" OK DATA DONE MAIL OK
        "< RCPT TO:<b@Y.example>\n" OK "< RCPT TO:<d@y.example>\n" OK DATA DONE BYE,
        .outcome = "done 250 2.0.0; done 250 2.0.0; done 250 2.0.0; done 250 2.0.0" },
    { .name = "EXT-LIMITS-3: MAILMAX within one message",
        TWO,
        .script = HELLO("> 250 LIMITS RCPTMAX=1 MAILMAX=1\n") MAIL OK RCPT("bob") OK DATA DONE BYE
        "--\n" HELLO("> 250 LIMITS RCPTMAX=1 MAILMAX=1\n") MAIL OK RCPT("eve") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0; done 250 2.0.0" },
    { .name = "EXT-LIMITS-3: a malformed limit is ignored alone",
        TWO,
        .script = HELLO("> 250 LIMITS RCPTMAX=0 MAILMAX=5\n") MAIL OK RCPT("bob") OK RCPT("eve")
            OK DATA DONE BYE,
        .outcome = "done 250 2.0.0; done 250 2.0.0" },
};

static const struct row chunks[] = {
    { .name = "OUT-24: everything in one flight",
        TWO,
        .script = CHUNKS MAIL RCPT("bob") RCPT("eve") "< BDAT 32 LAST\n*\n" OK OK
                                                      "> 550 5.1.1 no\n" DONE BYE,
        .outcome = "done 250 2.0.0; failed 550 5.1.1" },
    { .name = "OUT-24: all refused, the reply to LAST means nothing",
        TWO,
        .script = CHUNKS MAIL RCPT("bob")
            RCPT("eve") "< BDAT 32 LAST\n*\n" OK
                        "> 550 5.1.1 no\n> 450 4.1.1 no\n> 250 2.0.0 thanks\n" RESET BYE,
        .outcome = "failed 550 5.1.1; deferred 450 4.1.1" },
    { .name = "OUT-24: MAIL refused",
        TWO,
        .script = CHUNKS MAIL RCPT("bob")
            RCPT("eve") "< BDAT 32 LAST\n*\n"
                        "> 451 4.7.1 no\n> 503 no\n> 503 no\n> 503 no\n" RESET BYE,
        .outcome = "deferred 451 4.7.1; deferred 451 4.7.1" },
    { .name = "OUT-24: the chunk refused",
        TWO,
        .script = CHUNKS MAIL RCPT("bob") RCPT("eve") "< BDAT 32 LAST\n*\n" OK OK OK
                                                      "> 554 5.6.0 no\n" BYE,
        .outcome = "failed 554 5.6.0; failed 554 5.6.0" },
    { .name = "OUT-24: CHUNKING without PIPELINING",
        TWO,
        .script = HELLO("> 250 CHUNKING\n") MAIL OK RCPT("bob") OK RCPT("eve") OK
        "< BDAT 32 LAST\n*\n" DONE BYE,
        .outcome = "done 250 2.0.0; done 250 2.0.0" },
    { .name = "OUT-24: CHUNKING without PIPELINING, all refused: no chunk",
        .script = HELLO("> 250 CHUNKING\n") MAIL OK RCPT("bob") "> 550 5.1.1 no\n" RESET BYE,
        .outcome = "failed 550 5.1.1" },
    { .name = "OUT-24: chunking = false",
        .mail = { .route = ROUTE_DATA },
        .script = CHUNKS MAIL RCPT("bob") "< DATA\n" OK OK "> 354 go\n.\n" DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-24, OUT-11: too many in one flight",
        TWO,
        .script = CHUNKS MAIL RCPT("bob")
            RCPT("eve") "< BDAT 32 LAST\n*\n" OK OK "> 452 4.5.3 later\n" DONE MAIL RCPT(
                "eve") "< BDAT 32 LAST\n*\n" OK OK DONE BYE,
        .outcome = "done 250 2.0.0; done 250 2.0.0" },
    { .name = "OUT-13: one flight and no reply at all: nothing is known of the recipients",
        .script = CHUNKS MAIL RCPT("bob") "< BDAT 32 LAST\n*\n!\n",
        .outcome = "deferred 0 4.4.2" },
};

static const struct row large[] = {
    { .name = "OUT-24: a large body by DATA",
        .mail = { .large = LARGE },
        .script = PIPELINES MAIL RCPT("bob") "< DATA\n" OK OK "> 354 go\n.\n" DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-24: a large body by BDAT waits for an accepted recipient",
        .mail = { .large = LARGE },
        .script = CHUNKS MAIL RCPT("bob") OK OK "< BDAT 320018 LAST\n*\n" DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-24: a large body, nobody accepted: not an octet of it",
        .mail = { .large = LARGE },
        .script = CHUNKS MAIL RCPT("bob") OK "> 550 5.1.1 no\n" RESET BYE,
        .outcome = "failed 550 5.1.1" },
    { .name = "OUT-24: a large body, MAIL refused",
        .mail = { .large = LARGE },
        .script = CHUNKS MAIL RCPT("bob") "> 451 4.3.0 no\n> 503 no\n" RESET BYE,
        .outcome = "deferred 451 4.3.0" },
    { .name = "OUT-24: a small body in a file goes as a large one does",
        .mail = { .large = 80 },
        .script = CHUNKS MAIL RCPT("bob") OK OK "< BDAT 98 LAST\n*\n" DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "OUT-24: a body at the pieces' size",
        .mail = { .large = 65536 * 5 },
        .script = BARE MAIL OK RCPT("bob") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
};

/* Large enough that it cannot all be on its way when the hop makes up its mind. */
#define HUGE 16000000

static const struct row early[] = {
    { .name = "an early refusal of the message by DATA",
        .mail = { .large = HUGE },
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n%20000\n$\n> 552 5.3.4 too "
                                              "much\n~200\n!!\n",
        .outcome = "failed 552 5.3.4",
        .is_uncut = true },
    { .name = "an early refusal of the message by BDAT",
        .mail = { .large = HUGE },
        .script = CHUNKS MAIL RCPT("bob") OK OK "%20000\n$\n> 451 4.3.1 full\n~200\n!!\n",
        .outcome = "deferred 451 4.3.1",
        .is_uncut = true },
    { .name = "an early 250 is no delivery",
        .mail = { .large = HUGE },
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n%20000\n$\n> 250 2.0.0 "
                                              "thanks\n~200\n!!\n",
        .outcome = "deferred 250 4.5.0",
        .is_uncut = true },
    { .name = "a hop that reads in bursts gets it all, by DATA",
        .mail = { .large = HUGE },
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n$\n~200\n^\n.\n" DONE BYE,
        .outcome = "done 250 2.0.0",
        .is_uncut = true },
    { .name = "a hop that reads in bursts gets it all, by BDAT",
        .mail = { .large = HUGE },
        .script = CHUNKS MAIL RCPT("bob") OK OK "$\n~200\n^\n< BDAT 16000018 LAST\n*\n" DONE BYE,
        .outcome = "done 250 2.0.0",
        .is_uncut = true },
    { .name = "OUT-13: gone in the middle of the message",
        .mail = { .large = HUGE },
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n%20000\n!!\n",
        .outcome = "deferred 0 4.4.2",
        .is_uncut = true },
};

#define SIZED HELLO("> 250 SIZE 58\n")
#define EIGHT HELLO("> 250 8BITMIME\n")
#define UTF8  HELLO("> 250-8BITMIME\n> 250 SMTPUTF8\n")

static const struct row content[] = {
    { .name = "EXT-SIZE-6: SIZE is told where it is offered",
        .script = SIZED "< MAIL FROM:<alice@example.net> SIZE=32\n" OK RCPT("bob") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "EXT-SIZE-6: as large as it may be",
        .mail = { .body = "1234567890123456789012345678901234567\r\n" },
        .script = HELLO("> 250 SIZE 57\n") "< MAIL FROM:<alice@example.net> SIZE=57\n" OK RCPT(
            "bob") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "EXT-SIZE-6: one octet above what it takes",
        .mail = { .body = "1234567890123456789012345678901234567\r\n" },
        .script = HELLO("> 250 SIZE 56\n") BYE,
        .outcome = "failed 0 5.3.4",
        .text = "57 octets" },
    { .name = "EXT-SIZE-6: no fixed limit",
        .script = HELLO("> 250 SIZE 0\n") "< MAIL FROM:<alice@example.net> SIZE=32\n" OK RCPT("bob")
            OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "EXT-8BITMIME-3: said where it is offered",
        .mail = { .body = "\xc3\xa4\r\n", .eight_bit = true },
        .script =
            EIGHT "< MAIL FROM:<alice@example.net> BODY=8BITMIME\n" OK RCPT("bob") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "EXT-8BITMIME-3: never sent to a hop without it",
        .mail = { .body = "\xc3\xa4\r\n", .eight_bit = true },
        .script = BARE BYE,
        .outcome = "failed 0 5.6.3" },
    { .name = "EXT-SMTPUTF8-6: ASCII goes without",
        .script = UTF8 MAIL OK RCPT("bob") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "EXT-SMTPUTF8-6: said where an address needs it",
        .mail = { .to = { "b\xc3\xb6@example.org" } },
        .script =
            UTF8 "< MAIL FROM:<alice@example.net> SMTPUTF8\n" OK RCPT("b\xc3\xb6") OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "EXT-SMTPUTF8-6: said where the header needs it",
        .mail = { .eight_bit_header = true },
        .script = UTF8 "< MAIL FROM:<alice@example.net> BODY=8BITMIME SMTPUTF8\n" OK RCPT("bob")
            OK DATA DONE BYE,
        .outcome = "done 250 2.0.0" },
    { .name = "EXT-SMTPUTF8-7: an address that cannot go there; the others go",
        .mail = { .to = { "b\xc3\xb6@example.org", "eve@example.org" } },
        .script = EIGHT MAIL OK RCPT("eve") OK DATA DONE BYE,
        .outcome = "failed 0 5.6.7; done 250 2.0.0" },
    { .name = "EXT-SMTPUTF8-7: a header that cannot go there, and each recipient its own reason",
        .mail = { .to = { "b\xc3\xb6@example.org", "eve@example.org" }, .eight_bit_header = true },
        .script = EIGHT BYE,
        .outcome = "failed 0 5.6.7; failed 0 5.6.9" },
    { .name = "EXT-SMTPUTF8-7: the sender's address",
        .mail = { .from = "\xc3\xa4@example.net" },
        .script = BARE BYE,
        .outcome = "failed 0 5.6.7" },
};

static const struct row unasked[] = {
    { .name = "a reply behind the greeting that nobody asked for",
        .script = "> 220 hop\n> 250 hop\n",
        .outcome = "deferred 250 4.5.0",
        .text = "out of turn",
        .is_whole = true },
    { .name = "421 behind the greeting",
        .script = "> 220 hop\n> 421 4.3.2 oh\n",
        .outcome = "deferred 421 4.3.2",
        .is_whole = true },
    { .name = "OUT-24: a doubled reply to EHLO does not shift the replies to a flight",
        .script = CHUNKS "> 250 HELP\n&\n",
        .outcome = "deferred 250 4.5.0",
        .is_whole = true },
    { .name = "a 250 in one breath with the 354 is not the reply to the message",
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n> 250 2.0.0 queued\n&\n",
        .outcome = "deferred 250 4.5.0",
        .is_whole = true },
    { .name = "one reply too many in a flight",
        .script = CHUNKS MAIL RCPT("bob") "< BDAT 32 LAST\n*\n" OK OK DONE OK,
        .outcome = "done 250 2.0.0",
        .is_whole = true },
};

static void test_single(void **state)
{
    rows_play(*state, single, LENGTH_OF(single));
}

static void test_several(void **state)
{
    rows_play(*state, several, LENGTH_OF(several));
}

static void test_chunks(void **state)
{
    rows_play(*state, chunks, LENGTH_OF(chunks));
}

static void test_large(void **state)
{
    rows_play(*state, large, LENGTH_OF(large));
}

static void test_early(void **state)
{
    rows_play(*state, early, LENGTH_OF(early));
}

static void test_content(void **state)
{
    rows_play(*state, content, LENGTH_OF(content));
}

static void test_unasked(void **state)
{
    rows_play(*state, unasked, LENGTH_OF(unasked));
}

static void put_flight(struct buffer *out, size_t first, size_t count)
{
    buffer_put_text(out, MAIL);
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "< RCPT TO:<r%zu@example.org>\n", first + i);
    buffer_put_text(out, "< DATA\n");
    for (size_t i = 0; i <= count; i++)
        buffer_put_text(out, OK);
    buffer_put_text(out, "> 354 go\n.\n" DONE);
}

/* QUE-8: a hundred in a transaction; EXT-LIMITS-3: fewer where the hop says so. */
static void test_many(void **state)
{
    static const struct {
        const char *hello;
        size_t sizes[4];
    } cases[] = {
        { PIPELINES, { 100, 100, 50 } },
        { HELLO("> 250-LIMITS RCPTMAX=90\n> 250 PIPELINING\n"), { 90, 90, 70 } },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct row row = { .name = "QUE-8, EXT-LIMITS-3", .mail.to_count = 250, .is_uncut = true };
        char outcome[8192] = "done 250 2.0.0";
        struct buffer script;
        size_t first = 0;

        buffer_init(&script, 65536);
        buffer_put_text(&script, cases[i].hello);
        for (size_t j = 0; cases[i].sizes[j] > 0; j++) {
            put_flight(&script, first, cases[i].sizes[j]);
            first += cases[i].sizes[j];
        }
        buffer_put_text(&script, BYE);
        buffer_put_char(&script, '\0');
        for (size_t j = 1; j < 250; j++)
            strcat(outcome, "; done 250 2.0.0");
        row.script = buffer_slice(&script).data;
        row.outcome = outcome;
        row_play(*state, &row);
        buffer_clear(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_single),
        cmocka_unit_test(test_several), cmocka_unit_test(test_chunks), cmocka_unit_test(test_large),
        cmocka_unit_test(test_early), cmocka_unit_test(test_content),
        cmocka_unit_test(test_unasked), cmocka_unit_test(test_many) };

    return cmocka_run_group_tests_name("relay/transaction", tests, scene_begin, scene_end);
}
