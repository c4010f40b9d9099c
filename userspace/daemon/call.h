/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One call of the admin socket, between calls.c and those who carry it out. */
#ifndef WEIR_DAEMON_CALL_H
#define WEIR_DAEMON_CALL_H

#include <jansson.h>

#include "config/selector.h"
#include "daemon/change.h"

struct call {
	struct daemon *daemon;
	json_t *request;
	json_t *answer; /* an object to add to */
	uid_t who;
};

/* Slots, overrides and the report of a change into the answer. */
void call_add_change(struct call *call, const struct change *change);

/* Whose clients nobody takes new connections of any more, of the listeners that a selector is
 * about: the operator may not have meant it. */
void call_add_refusing(struct call *call, const struct selector *selector);

/* The text of the request, or of the daemon's own file. */
int call_read_text(struct call *call, const char **ret_name, char **ret, size_t *ret_size,
		   struct err *err);

/* [{"where": "endpoints[4]", "what": "web/main/ep1: state"}] */
json_t *call_drift_json(const struct drift *drift);

/* From the request: who, why, and until when. */
int call_read_origin(struct call *call, struct override_origin *ret, struct err *err);

/* -ESRCH, with what is nearest to a selector that matches nothing. */
int call_no_match(const struct model *model, const struct selector *selector, const char *text,
		  struct err *err);

/* calls_enable.c */
int call_disable(struct call *call, struct err *err);
int call_enable(struct call *call, struct err *err);

/* calls_plan.c */
int call_plan(struct call *call, struct err *err);

/* calls_config.c: configurations as a whole */
int call_apply(struct call *call, struct err *err);
int call_confirm(struct call *call, struct err *err);
int call_rollback(struct call *call, struct err *err);

#endif
