/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What health checks find out becomes the plan: a result is noted beside its endpoint's row, and
 * one that changes a state is in force as soon as the loop comes round again, together with all
 * others that came in meanwhile.
 */
#ifndef WEIR_DAEMON_CHECKUP_H
#define WEIR_DAEMON_CHECKUP_H

#include "daemon/daemon.h"

/* Sets daemon->checkup; from then on there are verdicts, those of the plan in force to begin with.
 */
int checkup_start(struct daemon *daemon, struct err *err);
void checkup_stop(struct checkup *checkup);

/* Can the endpoints of the model be checked? An error says what is missing. */
int checkup_try(const struct model *model, struct err *err);

/* The same; what is read for it is kept for checkup_follow(), so that files are read once. */
int checkup_prepare(struct checkup *checkup, const struct model *model, struct err *err);

/* The model has been refused for another reason. */
void checkup_forget(struct checkup *checkup);

/* The daemon has a new model: its endpoints are checked. */
void checkup_follow(struct checkup *checkup);

/* The daemon has a new plan. */
void checkup_bind(struct checkup *checkup);

const struct verdicts *checkup_verdicts(const struct checkup *checkup);

#endif
