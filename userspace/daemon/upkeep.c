// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/upkeep.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "daemon/change.h"
#include "daemon/interfaces.h"
#include "daemon/world.h"
#include "dataplane/counters.h"
#include "dataplane/flows.h"
#include "dataplane/sync.h"
#include "util/log.h"

#define TICK_MS	  1000
#define SCAN_MS	  2000 /* between two scans of the flow maps */
#define SCAN_REST 10   /* times a scan's own length, on top of it */
#define SETTLE_MS 20   /* network events come in bursts */

struct upkeep {
	struct daemon *daemon;
	struct loop_source *events;
	struct loop_source *settle;
	struct loop_source *tick;
	int seen;	    /* enum nl_event, since the last look */
	bool stale;	    /* the plan in force is not of the facts: a change was refused */
	uint64_t next_scan; /* ms */
	uint32_t recorded;  /* by the last scan */
	uint64_t full[WEIR_MAX_LISTENERS]; /* exceptions_full of each listener, as last seen */
	char complaint[sizeof(((struct err *)0)->text)]; /* said once, not every second */
};

/* Do routes or interfaces differ, or who can be reached? Another MAC does not count. */
static bool world_differs(const struct facts *a, const struct facts *b)
{
	if (a->interfaces.count != b->interfaces.count || a->targets.count != b->targets.count)
		return true;
	for (size_t i = 0; i < a->interfaces.count; i++)
		if (memcmp(&a->interfaces.items[i], &b->interfaces.items[i],
			   sizeof(a->interfaces.items[i])))
			return true;
	for (size_t i = 0; i < a->targets.count; i++) {
		const struct facts_target *x = &a->targets.items[i], *y = &b->targets.items[i];

		if (x->ifindex != y->ifindex || x->mtu != y->mtu || x->resolved != y->resolved ||
		    !addr_equal(&x->next_hop, &y->next_hop) || !addr_equal(&x->source, &y->source))
			return true;
	}
	return false;
}

static void complain(struct upkeep *upkeep, const struct err *err)
{
	if (strcmp(upkeep->complaint, err->text))
		log_warning("%s", err->text);
	memcpy(upkeep->complaint, err->text, sizeof(upkeep->complaint));
}

/* Routes or interfaces are others: the plan is built anew. */
static void rebuild(struct upkeep *upkeep)
{
	struct err err = {};

	upkeep->stale = change_world(upkeep->daemon, &err) < 0;
	if (upkeep->stale)
		complain(upkeep, &err);
	else
		upkeep->complaint[0] = '\0';
}

/* Takes a second look at the world; `manage` also asks the kernel to resolve what it lost. */
static void follow_world(struct upkeep *upkeep, bool manage)
{
	struct daemon *daemon = upkeep->daemon;
	struct attachments attachments = {};
	int seen = upkeep->seen, r;
	struct facts facts = {};
	struct err err = {};

	upkeep->seen = 0;
	if (seen & NL_EVENT_LINK)
		interfaces_attach(daemon, daemon->model, false, NULL);
	r = interfaces_list(daemon, daemon->model, &attachments, &err);
	r = r ?: world_gather(daemon->nl, daemon_model(daemon), &attachments, manage, &facts, &err);
	vec_free(&attachments.list);
	if (r < 0) {
		complain(upkeep, &err);
		return;
	}
	world_remember(&daemon->facts, &facts);
	if (upkeep->stale || world_differs(&daemon->facts, &facts)) {
		facts_fini(&facts);
		rebuild(upkeep);
	} else {
		facts_fini(&daemon->facts);
		daemon->facts = facts;
		if (plan_resolve(daemon->plan, &daemon->facts))
			sync_nexthops(daemon->object, daemon->plan);
	}
	/* An IPv6 address goes with its link, and has to come back with it. */
	if (seen & (NL_EVENT_LINK | NL_EVENT_ADDRESS))
		world_answer(daemon->nl, daemon->plan);
}

static void on_settled(void *user, uint32_t expirations)
{
	(void)expirations;
	follow_world(user, false);
}

static void on_event(void *user, uint32_t events)
{
	struct upkeep *upkeep = user;
	int seen = nl_dispatch(upkeep->daemon->nl);

	(void)events;
	if (seen <= 0)
		return;
	/* Armed once per burst: a storm that does not end is followed all the same. */
	if (!upkeep->seen)
		loop_set_timer(upkeep->settle, SETTLE_MS, 0);
	upkeep->seen |= seen;
}

/* Did flows go unrecorded since the last look? Then the window has to begin anew. */
static bool lost_records(struct upkeep *upkeep, uint32_t id)
{
	struct weir_listener_stats stats;
	uint64_t before = upkeep->full[id];

	if (counters_reasons(upkeep->daemon->object, id, &stats))
		return false;
	upkeep->full[id] = stats.reason[WEIR_R_EXCEPTIONS_FULL];
	return upkeep->full[id] > before;
}

static void pin_listener(struct upkeep *upkeep, struct plan_listener *listener, uint32_t now)
{
	bool asked = false, lost = false;

	plan_foreach_table(table, listener)
	{
		if (!table->deadline)
			continue;
		if (!asked)
			lost = lost_records(upkeep, listener->id);
		asked = true;
		if (lost) {
			table->deadline = now + listener->idle_timeout;
		} else if ((int32_t)(now - table->deadline) > 0) {
			slots_pin(table->slots, table->size);
			table->deadline = 0;
		} else {
			continue;
		}
		sync_phases(upkeep->daemon->object, listener, table);
	}
}

static void pin_tables(struct upkeep *upkeep, uint32_t now)
{
	vec_foreach(listener, &upkeep->daemon->plan->listeners)
		pin_listener(upkeep, listener, now);
}

static void settle_tables(struct upkeep *upkeep, uint32_t now)
{
	_cleanup_(flows_differences_fini) struct flows_differences differences = {};
	struct daemon *daemon = upkeep->daemon;
	struct err err = {};

	if (flows_differ(daemon->object, daemon->plan, now, &differences, &err) < 0) {
		complain(upkeep, &err);
		return;
	}
	vec_foreach(listener, &daemon->plan->listeners) {
		plan_foreach_table(table, listener)
		{
			const bool *differs = flows_differs(&differences, listener, table);

			if (differs && slots_settle(table->slots, table->size, differs))
				sync_phases(daemon->object, listener, table);
		}
	}
}

static void scan_flows(struct upkeep *upkeep, uint32_t now)
{
	struct daemon *daemon = upkeep->daemon;
	_cleanup_(flows_fini) struct flows flows = {};
	struct err err = {};

	settle_tables(upkeep, now);
	if (flows_scan(daemon->object, now, true, &flows, &err) < 0) {
		complain(upkeep, &err);
		return;
	}
	upkeep->recorded = flows.exceptions;
	if (plan_release(daemon->plan, &flows.references))
		sync_released(daemon->object, daemon->plan);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* Is the time over of anything that was said of the listener? NULL: of any. */
static bool has_expired(const struct overrides *overrides, const char *listener, int64_t now)
{
	vec_foreach(override, &overrides->list)
		if (override_has_expired(override, now) &&
		    (!listener || !strcmp(override->listener, listener)))
			return true;
	return false;
}

/* Overrides whose time is over: the file's word again. */
static void expire_overrides(struct daemon *daemon)
{
	_cleanup_(overrides_fini) struct overrides overrides = {};
	_cleanup_(change_listeners_fini) struct change_listeners touched = {};
	_cleanup_(change_fini) struct change change = {};
	int64_t now = time(NULL);
	struct err err = {};
	unsigned expired;
	int r;

	if (!has_expired(&daemon->state.overrides, NULL, now))
		return;
	vec_foreach(listener, &daemon->model->listeners)
		if (has_expired(&daemon->state.overrides, listener->name, now) &&
		    vec_push(&touched.list, listener))
			return; /* in the next second, perhaps */
	if (!touched.list.count || overrides_copy(&daemon->state.overrides, &overrides))
		return;
	expired = overrides_expire(&overrides, now);
	overrides_prune(&overrides, daemon->model);
	r = change_overrides(daemon, &overrides, &touched, &change, &err);
	if (r < 0)
		log_error("overrides whose time is over stay: %s", err.text);
	else
		log_info("%u override%s over: the file's word again; %llu of %llu slots moved",
			 expired, expired == 1 ? " is" : "s are", (unsigned long long)change.moved,
			 (unsigned long long)change.slots);
}

static void on_tick(void *user, uint32_t expirations)
{
	struct upkeep *upkeep = user;
	uint32_t now = object_now(upkeep->daemon->object);
	uint64_t begun = now_ms();

	(void)expirations;
	/* Settling comes before pinning: a table pinned now waits for the next scan. */
	if (begun >= upkeep->next_scan) {
		scan_flows(upkeep, now);
		upkeep->next_scan = now_ms() + SCAN_MS - TICK_MS / 2;
		/* A long scan is made more rarely: the daemon has others to listen to. */
		upkeep->next_scan += SCAN_REST * (now_ms() - begun);
	}
	pin_tables(upkeep, now);
	object_settle(upkeep->daemon->object);
	expire_overrides(upkeep->daemon);
	if (upkeep->stale || !world_is_resolved(&upkeep->daemon->facts))
		follow_world(upkeep, true);
}

static int start(struct upkeep *upkeep)
{
	struct loop *loop = upkeep->daemon->loop;
	int r;

	r = loop_add_fd(loop, nl_fd(upkeep->daemon->nl), EPOLLIN,
			(struct loop_call){ on_event, upkeep }, &upkeep->events);
	r = r ?: loop_add_timer(loop, (struct loop_call){ on_settled, upkeep }, &upkeep->settle);
	r = r ?: loop_add_timer(loop, (struct loop_call){ on_tick, upkeep }, &upkeep->tick);
	return r ?: loop_set_timer(upkeep->tick, TICK_MS, TICK_MS);
}

int upkeep_start(struct daemon *daemon, struct err *err)
{
	struct upkeep *upkeep = calloc(1, sizeof(*upkeep));
	int r;

	if (!upkeep)
		return err_set(err, -ENOMEM, "out of memory");
	upkeep->daemon = daemon;
	r = start(upkeep);
	if (r < 0) {
		upkeep_stop(upkeep);
		return err_set(err, r, "event loop: %s", strerror(-r));
	}
	daemon->upkeep = upkeep;
	return 0;
}

void upkeep_stop(struct upkeep *upkeep)
{
	if (!upkeep)
		return;
	loop_remove(upkeep->events);
	loop_remove(upkeep->settle);
	loop_remove(upkeep->tick);
	free(upkeep);
}

uint32_t upkeep_recorded(const struct upkeep *upkeep)
{
	return upkeep ? upkeep->recorded : 0;
}
