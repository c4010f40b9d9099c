/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which interfaces carry the data plane: those of the file, or of -i instead, and then what was
 * attached or detached by hand. A new configuration first attaches, then takes effect, then
 * detaches, so that there is no moment without.
 */
#ifndef WEIR_DAEMON_INTERFACES_H
#define WEIR_DAEMON_INTERFACES_H

#include "daemon/daemon.h"
#include "dataplane/attach.h"

/* Is there any that should be attached? */
bool interfaces_any(const struct daemon *daemon, const struct model *model);

/* Attaches what should be and is not. A missing interface is an error only with `strict`, but for
 * this one (-ENODEV): others are attached now, and none of those that should be could. */
int interfaces_attach(struct daemon *daemon, const struct model *model, bool strict,
		      struct err *err);

/* Detaches what should not be attached. */
void interfaces_detach(struct daemon *daemon, const struct model *model);

/* Those that are attached and should be. The caller frees the list. */
int interfaces_list(struct daemon *daemon, const struct model *model, struct attachments *ret,
		    struct err *err);

/* All that should be attached and exist, whether they are or not. 0 or -ENOMEM. */
int interfaces_wanted(struct daemon *daemon, const struct model *model, struct attachments *ret,
		      struct err *err);

/* Attaches or detaches one by hand, and remembers it. */
int interfaces_change(struct daemon *daemon, const struct state_interface *wanted, struct err *err);

#endif
