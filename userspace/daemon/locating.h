/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where clients are: the file and the MaxMind DB that `client_regions:` names. Both are read when a
 * configuration names them, and again a second after they have last changed, which is looked for
 * every second. That takes as long as the files are large, so that it happens in a thread of its
 * own: who needs them for another configuration asks change_ready() first. One that is bad, or
 * gone, says so, once, and what was last read of it stays; of a daemon that has just started, what
 * is in the maps.
 */
#ifndef WEIR_DAEMON_LOCATING_H
#define WEIR_DAEMON_LOCATING_H

#include "daemon/daemon.h"
#include "plan/locations.h"
#include "config/remarks.h"

int locating_start(struct daemon *daemon, struct err *err);
void locating_stop(struct locating *locating);

/*
 * Has what a model names been read? 0, also if it could not be: locating_find() says so.
 * -EINPROGRESS: it is being read, and daemon_go_on() is called afterwards; then it counts as read,
 * even if it has changed again. -ENOMEM, with a text.
 */
int locating_ready(struct locating *locating, const struct model *model, struct err *err);

enum locating_demand {
	LOCATING_ANY,  /* what cannot be read is not known, and said in the log */
	LOCATING_READ, /* it is an error if it has never been read */
};

/*
 * What is known for a model, which need not be in force: for facts->locations, and good until the
 * next call of the loop. *ret is NULL where nothing is known. -EBADMSG, -EAGAIN (it was never
 * ready), -ENOMEM, with a text.
 */
int locating_find(struct locating *locating, const struct model *model, enum locating_demand demand,
		  const struct locations **ret, struct err *err);

/* Each file of the model that is bad, and regions that the model does not know: of what
 * locating_ready() has read for it. */
void locating_report(const struct locating *locating, const struct model *model,
		     struct remarks *remarks);

/* The part of it about regions: of what the file at `path` says. */
void locating_report_names(const char *path, const struct clients *clients,
			   const struct model *model, struct remarks *remarks);

#endif
