// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/checkup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/change.h"
#include "dataplane/sync.h"
#include "health/health.h"
#include "health/trusts.h"
#include "util/log.h"
#include "util/now.h"

#define RETRY_MS 1000 /* after a change that was refused */

struct checkup {
	struct daemon *daemon;
	struct health *health;
	uint64_t decided;	   /* us: when the first of the changes was; 0: there is none */
	struct loop_source *timer; /* runs while something is to be put in force */
	struct change_listeners changed; /* of the daemon's model */
	bool all;			 /* ... and more than the list can say */
	struct trusts read;		 /* for the next checkup_follow() */
};

/* Whose verdicts the plan in force does not know yet. */
static void note_change(struct checkup *checkup, const struct verdict *verdict)
{
	const struct listener *listener =
		model_find_listener(checkup->daemon->model, verdict->listener);

	if (!listener)
		return;
	checkup->decided = checkup->decided ?: now_us();
	loop_set_timer(checkup->timer, 0, 0);
	vec_foreach(noted, &checkup->changed.list)
		if (*noted == listener)
			return;
	checkup->all |= vec_push(&checkup->changed.list, listener) < 0;
}

static void say(const struct verdict *verdict)
{
	const struct weir_health *health = &verdict->health;
	char text[VERDICT_REASON_MAX];

	if (health->state == WEIR_HEALTH_ABNORMAL)
		log_warning("%s/%s/%s: abnormal: %s", verdict->listener, verdict->group,
			    verdict->endpoint, verdict_reason(health, text));
	else if (health->changes)
		log_info("%s/%s/%s: normal again", verdict->listener, verdict->group,
			 verdict->endpoint);
}

static void on_probed(void *user, const struct verdict *verdict, bool decided)
{
	struct checkup *checkup = user;

	if (verdict->row != VERDICT_NO_ROW)
		sync_health(checkup->daemon->object, verdict->row, &verdict->health);
	if (!decided)
		return;
	say(verdict);
	note_change(checkup, verdict);
}

static void on_hindered(void *user, int error)
{
	(void)user;
	log_error("health checks: this host cannot make probes, endpoints stay as they are: %s",
		  strerror(-error));
}

/* The verdicts of what has changed come into force. */
static void on_changed(void *user, uint32_t expirations)
{
	struct checkup *checkup = user;
	struct change change = {};
	struct err err = {};
	int r;

	(void)expirations;
	if (checkup->all)
		r = change_world(checkup->daemon, &err);
	else
		r = change_verdicts(checkup->daemon, &checkup->changed, &change, &err);
	if (r < 0) {
		log_error("health checks: their results are not in force yet: %s", err.text);
		loop_set_timer(checkup->timer, RETRY_MS, 0);
	} else {
		checkup->all = false;
		checkup->changed.list.count = 0;
		if (change.moved)
			log_info("health checks: %llu of %llu slots moved, %.1f ms after the probe",
				 (unsigned long long)change.moved, (unsigned long long)change.slots,
				 (checkup->daemon->object->in_force_since - checkup->decided) /
					 1e3);
		checkup->decided = 0;
	}
	change_fini(&change);
}

static int start(struct checkup *checkup)
{
	struct daemon *daemon = checkup->daemon;
	struct health_calls calls = { on_probed, on_hindered, checkup };
	int r = health_new(daemon->loop, &calls, &checkup->health);

	r = r
		    ?: loop_add_timer(daemon->loop, (struct loop_call){ on_changed, checkup },
				      &checkup->timer);
	return r ?: health_adopt(checkup->health, daemon->plan);
}

int checkup_start(struct daemon *daemon, struct err *err)
{
	struct checkup *checkup = calloc(1, sizeof(*checkup));
	int r;

	if (!checkup)
		return err_set(err, -ENOMEM, "out of memory");
	checkup->daemon = daemon;
	r = start(checkup);
	if (r < 0) {
		checkup_stop(checkup);
		return err_set(err, r, "health checks: %s", strerror(-r));
	}
	daemon->checkup = checkup;
	return 0;
}

void checkup_stop(struct checkup *checkup)
{
	if (!checkup)
		return;
	health_free(checkup->health);
	loop_remove(checkup->timer);
	change_listeners_fini(&checkup->changed);
	trusts_fini(&checkup->read);
	free(checkup);
}

int checkup_try(const struct model *model, struct err *err)
{
	_cleanup_(trusts_fini) struct trusts trusts = {};

	return trusts_read(model, &trusts, err);
}

int checkup_prepare(struct checkup *checkup, const struct model *model, struct err *err)
{
	trusts_fini(&checkup->read);
	return trusts_read(model, &checkup->read, err);
}

void checkup_forget(struct checkup *checkup)
{
	trusts_fini(&checkup->read);
}

void checkup_follow(struct checkup *checkup)
{
	struct err err = {};

	/* Its listeners are in force with the verdicts there are. */
	checkup->changed.list.count = 0;
	checkup->all = false;
	checkup->decided = 0;
	loop_stop_timer(checkup->timer);
	if (trusts_read(checkup->daemon->model, &checkup->read, &err) < 0)
		log_error("%s; until it can be, its endpoints stay as they are", err.text);
	if (health_follow(checkup->health, daemon_model(checkup->daemon), &checkup->read) < 0)
		log_error("health checks: out of memory; endpoints are checked as before");
	checkup_bind(checkup);
}

void checkup_bind(struct checkup *checkup)
{
	health_bind(checkup->health, checkup->daemon->plan);
}

const struct verdicts *checkup_verdicts(const struct checkup *checkup)
{
	return health_verdicts(checkup->health);
}
