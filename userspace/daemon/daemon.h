/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `weir run`: holds model, overrides and facts, and is the only writer of configuration. The data
 * plane does not need it: when it ends, packets keep flowing, and the next one adopts what is
 * pinned.
 *
 *   daemon.c  begins and ends         change.c      puts a new configuration in force
 *   admin.c   brings the CLI's calls  calls.c       answers them
 *   upkeep.c  follows the network     interfaces.c  attaches and detaches
 *   world.c   asks the host           state.c       remembers overrides
 *   checkup.c follows health checks   naming.c      follows DNS; stock.c the inventory,
 *   stock_files.c its files           locating.c    follows where clients are, reading.c reads it,
 *                                                   in a thread
 *   history.c what was in force       confirm.c     takes back what nobody confirms
 *   privileges.c whom it runs as      service.c     tells the service manager
 *   preview.c what would change       repair.c      undoes what someone else changed
 *   metrics.c answers Prometheus   guest.c       whom sockets let in
 *   workers.c has http served         spawner.c     starts workers, in a sandbox.c
 */
#ifndef WEIR_DAEMON_DAEMON_H
#define WEIR_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

#include "config/model.h"
#include "daemon/spawner.h"
#include "daemon/state.h"
#include "dataplane/object.h"
#include "net/nl.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "util/err.h"
#include "util/loop.h"

struct daemon_options {
	const char *instance;
	const char *config;	       /* path of the file */
	const char *const *interfaces; /* replace the file's; NULL: the file's */
	size_t interface_count;
	bool generic;	       /* attach in generic mode */
	const char *user;      /* to become, see daemon/privileges.h; NULL: the usual one */
	const char *http_user; /* of workers; NULL: WORKERS_USER */
};

struct daemon {
	const struct daemon_options *options;
	struct loop *loop;
	struct nl *nl;
	struct object *object;

	struct model *model; /* of the configuration in force */
	struct model *
		expanded; /* the same with addresses for domains and instances; NULL: it has none */
	char *text;	  /* of the same */
	struct state state; /* overrides */
	struct facts facts;
	struct plan *plan;    /* in force */
	uint64_t generation;  /* of the plan, for who looks at it twice */
	struct err complaint; /* said last of an interface that cannot be attached */

	struct checkup *checkup;
	struct naming *naming;
	struct locating *locating;
	struct admin *admin;
	struct confirm *confirm; /* a change that waits to be confirmed, or NULL */
	struct upkeep *upkeep;
	struct metrics *metrics;
	struct service *service; /* NULL: no service manager listens */
	bool reload_waits;	 /* for files to be read */
	bool file_refused;	 /* what is in force is older than the daemon's own file */
	struct workers *workers; /* of http listeners */
	struct spawner spawner;	 /* that starts them */
};

/* What has waited for files to be read (-EINPROGRESS) is done: a reload, calls of the CLI. */
void daemon_go_on(struct daemon *daemon);

/*
 * Runs until SIGTERM, SIGINT or `weir down`. Returns 0, or -errno with a text: -EBADMSG for a bad
 * configuration (whose report is on stderr), -EALREADY if the instance has a daemon, -EPERM.
 */
int daemon_run(const struct daemon_options *options, struct err *err);

/* What needs root: the folders of a daemon that a service manager then starts as `user`. Not while
 * one runs (-EALREADY). */
int daemon_prepare(const char *instance, const char *user, struct err *err);

/* The instance's lock: whoever writes to its data plane holds it, and loses it with the process.
 * *ret is a descriptor. -EALREADY: a daemon, or another command, has it. */
int daemon_lock(const char *instance, int *ret, struct err *err);

/* The model in force, every endpoint of which has an address. */
const struct model *daemon_model(const struct daemon *daemon);

/* Ends the loop after the call underway. */
void daemon_stop(struct daemon *daemon);

#endif
