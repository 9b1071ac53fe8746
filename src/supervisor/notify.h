/* supervisor/notify.h: readiness to the service manager (sd_notify's protocol), without its
 * library. */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

/* Sends the state lines ("READY=1", "RELOADING=1\nMONOTONIC_USEC=…", "STOPPING=1") to
 * $NOTIFY_SOCKET; does nothing without it. Never blocks for long; a failure is nobody's concern but
 * the manager's. */
void notify_send(const char *state);
/* RELOADING=1 with the time stamp that newer managers insist on. */
void notify_reloading(void);

#endif
