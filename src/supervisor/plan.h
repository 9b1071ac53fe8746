/* supervisor/plan.h: the rooms as a table: how many of each, what each is handed, who talks to
 * whom. The security drawing of ARCHITECTURE.md in code. */
#ifndef SUPERVISOR_PLAN_H
#define SUPERVISOR_PLAN_H

#include "conf/conf.h"
#include "ipc/messages.h"

struct room_plan {
    enum role role;
    size_t (*count)(const struct conf *conf); /* how many of this room the configuration asks for */
    unsigned gifts;                           /* bits 1 << enum gift */
    bool certificates;
};

struct pair_plan {
    enum role one;
    enum role other;
    /* Which of the two is started anew when their channels break again and again; ROLE_SUPERVISOR:
     * neither. Always the one that others depend on less, so that a room that breaks channels on
     * purpose, or says that they broke, hurts itself. */
    enum role ends;
};

extern const struct room_plan room_plans[];
extern const size_t room_plan_count;
extern const struct pair_plan pair_plans[];
extern const size_t pair_plan_count;

/* The line of the plan for rooms of these roles; NULL: there is no channel between them. */
const struct pair_plan *plan_pair(enum role a, enum role b);
/* Gates that run: the setting, or one for each core that was there at the first call. */
size_t plan_gates(const struct conf *conf);

#endif
