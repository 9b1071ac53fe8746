/* relay/own_name.h: does the name that we say in EHLO have an address record? Others may refuse
 * mail from one that has none (OUT-8, AS-5). */
#ifndef RELAY_OWN_NAME_H
#define RELAY_OWN_NAME_H

struct carrier;
struct own_name;

/* Asks DNS where a route sends mail by SMTP, and warns in the log when there is no record. Only the
 * first of several relays does. Never fails: without an answer nothing is said. */
void own_name_check(struct carrier *carrier);
/* Ends what is under way. */
void own_name_forget(struct carrier *carrier);

#endif
