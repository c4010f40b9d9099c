/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a configuration would change, without changing anything: for `weir plan`. */
#ifndef WEIR_DAEMON_PREVIEW_H
#define WEIR_DAEMON_PREVIEW_H

#include "config/diff.h"
#include "daemon/daemon.h"
#include "dataplane/drift.h"

/* Flows of an endpoint that its end would end, or have chosen anew; or of a listener's clients whom
 * it would not let in any more. */
struct preview_flows {
	char listener[WEIR_NAME_MAX];
	char group[WEIR_NAME_MAX]; /* "": of the listener's clients */
	char endpoint[WEIR_NAME_MAX];
	struct addr address;
	uint32_t flows; /* recorded */
	bool counted;	/* mode nat: these are all; else there are others that nobody counts */
};

struct preview {
	struct diff diff;
	struct plan *plan; /* that would be in force; its tables tell their change */
	VEC(struct preview_flows) flows;
	struct overrides cleared;
	struct drift drift;
};

void preview_fini(struct preview *preview);

/* Refuses what change_configuration() would, as far as it can be known without doing it. */
int preview_make(struct daemon *daemon, const struct model *model, struct preview *ret,
		 struct err *err);

/* Does it change anything? */
bool preview_differs(const struct preview *preview);

#endif
