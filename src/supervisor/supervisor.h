/* supervisor/supervisor.h: the room that owns the others. Root when started so; reads the
 * configuration, binds, opens, forks, restarts, reloads; never reads a byte that came from outside.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

/* Runs the program until SIGTERM or SIGINT; returns the exit status (sysexits). */
int supervisor_main(const char *conf_path);
/* Checks the configuration and the files it names, prints what is wrong, binds nothing. Exit
 * status. */
int supervisor_check(const char *conf_path);

#endif
