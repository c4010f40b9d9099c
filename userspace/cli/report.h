/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `show` and `stats` have in common: the plan in force beside its counters, read from the
 * pins alone. Rows of one endpoint (it has two while its listener's block moves) are one here.
 */
#ifndef WEIR_CLI_REPORT_H
#define WEIR_CLI_REPORT_H

#include <jansson.h>

#include "cli/cli.h"
#include "config/selector.h"
#include "dataplane/counters.h"
#include "proxy/tally.h"

struct report_endpoint {
	const struct plan_endpoint *plan;
	struct weir_traffic traffic;
	double want;	/* share of its family's new flows, 0..1 */
	double got;	/* the same as measured since the shares last changed; < 0: nothing came */
	uint64_t since; /* new flows (packets, where flows cannot be told) that it got since then */
	uint32_t flows; /* tracked at the moment */
	struct weir_nat_latency latency; /* of first answers, where answers come through weir */
	struct weir_http http;		 /* of an http listener */
	struct tally_sight sight;	 /* the same */
};

struct report_listener {
	const struct plan_listener *plan;
	struct counters stats;
	struct weir_http http;		       /* its own answers included */
	struct tally_listener tally;	       /* the same */
	VEC(struct report_endpoint) endpoints; /* by group and row */
};

/* One that has no row, since DNS or the inventory has no address for it. */
struct report_unresolved {
	const char *listener, *group, *endpoint; /* all in `names` */
	const char *type, *address, *why;
};

struct report {
	struct object *object;
	struct plan *plan;
	struct tally *tally;	   /* NULL: no http listener has been served yet */
	struct counters elsewhere; /* of no listener */
	VEC(struct report_listener) listeners;
	json_t *names; /* what the daemon has noted of domains and instances; NULL: nothing */
	VEC(struct report_unresolved) unresolved;
};

/* Reads everything of what the selector names. -ESRCH: it names nothing. */
int report_open(const struct cli *cli, const char *selector, struct report *ret, struct err *err);

/* -ESRCH, with what is nearest to a selector that matches nothing of the plan. */
int report_no_match(const struct plan *plan, const struct selector *selector, const char *text,
		    struct err *err);
void report_fini(struct report *report);

/* What the workers of the instance count beside the maps; *ret is as it was where there is nothing
 * of that. */
int report_open_tally(const struct cli *cli, struct tally **ret, struct err *err);

/* One endpoint as `show endpoints -j` and `stats -j` print it. */
json_t *report_endpoint_json(const struct report_listener *listener,
			     const struct report_endpoint *endpoint);

/* "active", "draining", "abnormal", "aside" (by passive health), "no next hop" */
const char *report_state(const struct report_endpoint *endpoint);

/* "-", "normal", "normal, 1 of 3 failed: connection refused", "abnormal: connection refused". */
#define REPORT_HEALTH_MAX 160
const char *report_health(const struct report_endpoint *endpoint, char text[REPORT_HEALTH_MAX]);

/* {state, since, reason, ...}, null for an endpoint that is not checked. */
json_t *report_health_json(const struct report_endpoint *endpoint);

/* Of a group of the listener, or (NULL) of all its endpoints: "partially_abnormal". */
const char *report_health_sum(const struct report_listener *listener, const char *group);

/* Addresses and ports as the configuration writes them: "192.0.2.1, 2001:db8::1", "80,443". */
void report_addresses(const struct plan_listener *listener, char *text, size_t size);
void report_ports(const struct plan_listener *listener, char *text, size_t size);

#endif
