/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where clients are: the file and the MaxMind DB that `client_regions:` names. Both are read when a
 * configuration names them, and again a second after they have last changed, which is looked for
 * every second. One that is bad, or gone, says so, once, and what was last read of it stays; of a
 * daemon that has just started, what is in the maps.
 */
#ifndef WEIR_DAEMON_LOCATING_H
#define WEIR_DAEMON_LOCATING_H

#include "daemon/daemon.h"
#include "plan/locations.h"
#include "util/str.h"

int locating_start(struct daemon *daemon, struct err *err);
void locating_stop(struct locating *locating);

enum locating_demand {
	LOCATING_ANY,  /* what cannot be read is not known, and said in the log */
	LOCATING_READ, /* it is an error if it has never been read */
};

/*
 * What is known for a model, which need not be in force: for facts->locations, and good until the
 * next call. *ret is NULL where nothing is known. -EBADMSG, with a text; -ENOMEM.
 */
int locating_find(struct locating *locating, const struct model *model, enum locating_demand demand,
		  const struct locations **ret, struct err *err);

/* A line for each file of the model that is bad, and for regions that the model does not know:
 * "warning: client_regions: /etc/weir/clients: ...". Of what locating_find() has looked at last. */
void locating_report(const struct locating *locating, const struct model *model, struct str *out);

/* The part of it about regions: of what the file at `path` says. */
void locating_report_names(const char *path, const struct clients *clients,
			   const struct model *model, struct str *out);

#endif
