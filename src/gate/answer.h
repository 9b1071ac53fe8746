/* gate/answer.h: what a handler, a reader of input or the end of a wait comes to. */
#ifndef GATE_ANSWER_H
#define GATE_ANSWER_H

enum answer {
    ANSWER_MORE,    /* nothing whole in the input yet */
    ANSWER_REPLY,   /* one reply was said */
    ANSWER_VERDICT, /* the same at the end of data, where no refusal counts as an error (LSN-12) */
    ANSWER_WAIT,    /* session_wait was called; the reply comes when the wait is over */
    ANSWER_SECURE,  /* the reply to STARTTLS was said: TLS begins behind it */
    ANSWER_CLOSE,   /* the last reply was said, or none is due: the session ends */
    ANSWER_VANISH,  /* the session ends without another word: nobody knows whether the message is
                       kept, so nothing may be said about it (design.md section 3) */
};

#endif
