/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts a configuration in force: text → model → facts → plan → maps, each step able to refuse
 * with nothing changed.
 */
#ifndef WEIR_DAEMON_CHANGE_H
#define WEIR_DAEMON_CHANGE_H

#include "daemon/daemon.h"
#include "dataplane/drift.h"

/* What a change did, for whoever asked for it. */
struct change {
	unsigned cleared;      /* overrides that the file has overtaken */
	uint64_t slots;	       /* of the tables that changed */
	uint64_t moved;	       /* of these, now with another endpoint */
	char *name;	       /* of the text, owned; "weir.yaml" */
	char *report;	       /* of warnings or errors, owned; NULL: none */
	struct drift repaired; /* what someone else had changed */
	struct err unrepaired; /* why it has not been repaired after all */
};

void change_fini(struct change *change);

/* Who wants a configuration in force, and how, for the history. */
struct change_origin {
	uid_t who;
	const char *how; /* "apply weir.yaml" */
};

/* Parses a text; `name` is for its report. -EBADMSG: the report is in change->report. */
int change_parse(const char *name, const char *text, size_t size, struct model **ret,
		 struct change *change, struct err *err);

/*
 * Have the files that a model names been read, those of the inventory and where clients are? 0,
 * also if they could not be. -EINPROGRESS: they are being read, and daemon_go_on() is called
 * afterwards. -ENOMEM, -EAGAIN, with a text.
 */
int change_ready(struct daemon *daemon, const struct model *model, struct err *err);

/*
 * A new configuration, after what someone else has changed is repaired; takes model and text on
 * success. Attaches and detaches as it asks, and
 * enters it into the history.
 * `accepted`: it was in force before (a daemon starts beside its data plane), so that what the
 * host cannot give any more is no reason to refuse it.
 */
int change_configuration(struct daemon *daemon, struct model **model, char **text, bool accepted,
			 const struct change_origin *origin, struct change *change,
			 struct err *err);

/* The model as it is in force: without what is disabled, with addresses for domains; *ret is NULL
 * where that is the same, else the caller's. */
int change_expand(const struct daemon *daemon, const struct model *model,
		  const struct overrides *overrides, struct model **ret, struct err *err);

/* The same configuration with other overrides, of endpoints of these listeners of the daemon's
 * model; takes them on success. */
struct change_listeners {
	VEC(const struct listener *) list;
};
void change_listeners_fini(struct change_listeners *listeners);

int change_overrides(struct daemon *daemon, struct overrides *overrides,
		     const struct change_listeners *listeners, struct change *change,
		     struct err *err);

/* The same configuration and overrides, after health checks have found out something about
 * endpoints of these listeners. */
int change_verdicts(struct daemon *daemon, const struct change_listeners *listeners,
		    struct change *change, struct err *err);

/* The same configuration in a changed world: a route, an interface, an address. */
int change_world(struct daemon *daemon, struct err *err);

#endif
