// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config/config.h"
#include "daemon/checkup.h"
#include "daemon/history.h"
#include "daemon/interfaces.h"
#include "daemon/locating.h"
#include "daemon/metrics.h"
#include "daemon/naming.h"
#include "daemon/privileges.h"
#include "daemon/repair.h"
#include "daemon/workers.h"
#include "daemon/world.h"
#include "dataplane/sync.h"
#include "util/log.h"
#include "util/str.h"

/* How long a change waits for the MAC addresses of new endpoints. */
#define RESOLVE_WAIT_MS 1000
#define RESOLVE_STEP_MS 10

void change_fini(struct change *change)
{
	free(change->report);
	free(change->name);
	drift_fini(&change->repaired);
	*change = (struct change){};
}

void change_listeners_fini(struct change_listeners *listeners)
{
	vec_free(&listeners->list);
}

static const char *unserved(const struct listener *listener)
{
	if (listener->http->tls)
		return "https";
	vec_foreach(group, &listener->groups)
		if (group->backend_https)
			return "backend_protocol: https";
	return NULL;
}

/* What the language has, and this version does not do yet: then *model is NULL. */
static int check_served(const char *name, struct model **model, struct err *err)
{
	int r = 0;

	vec_foreach(listener, &(*model)->listeners) {
		const char *missing = listener->http ? unserved(listener) : NULL;

		if (missing && !r)
			r = err_set(err, -EBADMSG,
				    "%s: listener '%s': this version does not serve %s; nothing "
				    "has changed",
				    name, listener->name, missing);
	}
	if (r < 0)
		model_free(take_ptr(*model));
	return r;
}

int change_parse(const char *name, const char *text, size_t size, struct model **ret,
		 struct change *change, struct err *err)
{
	struct findings findings = {};
	size_t length;
	FILE *report;
	int r;

	change->name = strdup(name);
	if (!change->name)
		return err_set(err, -ENOMEM, "out of memory");
	r = config_parse(text, size, ret, &findings);
	if (findings.list.count) {
		report = open_memstream(&change->report, &length);
		if (report) {
			findings_print(&findings, name, text, size, false, report);
			fclose(report);
		}
	}
	if (r == -ENOMEM)
		err_set(err, r, "out of memory");
	else if (r < 0)
		r = err_set(err, -EBADMSG, "%s: %zu error%s; nothing has changed", name,
			    findings.errors, findings.errors == 1 ? "" : "s");
	findings_fini(&findings);
	return r < 0 ? r : check_served(name, ret, err);
}

/* Both at once, since each has a thread. */
int change_ready(struct daemon *daemon, const struct model *model, struct err *err)
{
	int clients = locating_ready(daemon->locating, model, err);
	int names;

	if (clients < 0 && clients != -EINPROGRESS)
		return clients;
	names = naming_ready(daemon->naming, model, err);
	return names ?: clients;
}

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000l }, NULL);
}

/* Facts, after new neighbours have had a moment to answer. Interfaces that the model does not want
 * do not count, even while they are still attached. */
static int gather(struct daemon *daemon, const struct model *model, struct facts *ret,
		  struct err *err)
{
	struct attachments attachments = {};
	struct facts facts = {};
	int r;

	r = interfaces_list(daemon, model, &attachments, err);
	if (r < 0)
		return r;
	r = world_gather(daemon->nl, model, &attachments, true, &facts, err);
	vec_free(&attachments.list);
	if (r < 0)
		return r;
	facts.now = object_now(daemon->object);
	world_remember(&daemon->facts, &facts);
	for (int waited = 0; waited < RESOLVE_WAIT_MS; waited += RESOLVE_STEP_MS) {
		if (world_news_are_resolved(&daemon->facts, &facts))
			break;
		sleep_ms(RESOLVE_STEP_MS);
		r = world_resolve(daemon->nl, &facts, err);
		if (r < 0) {
			facts_fini(&facts);
			return r;
		}
	}
	*ret = facts;
	return 0;
}

static void summarize(const struct plan *plan, struct change *change)
{
	vec_foreach(listener, &plan->listeners) {
		plan_foreach_table(table, listener)
		{
			change->slots += table->change.moved ? table->change.slots : 0;
			change->moved += table->change.moved;
		}
	}
}

static int list_addresses(const struct plan *plan, struct addr_list *ret)
{
	int r = 0;

	vec_foreach(listener, &plan->listeners)
		if (listener->vip_route)
			vec_foreach(address, &listener->addresses)
				r = r ?: vec_push(&ret->list, *address);
	return r;
}

static bool same_addresses(const struct addr_list *a, const struct addr_list *b)
{
	return a->list.count == b->list.count &&
	       (!a->list.count ||
		!memcmp(a->list.items, b->list.items, a->list.count * sizeof(*a->list.items)));
}

/*
 * The host answers for the plan's addresses and no others. What is about to be added is remembered
 * before it is, and what is removed until it has been: a daemon that is killed leaves no address
 * that nobody knows of.
 */
static void answer(struct daemon *daemon)
{
	struct state *state = &daemon->state;
	struct addr_list before = state->addresses, wanted = {}, both = {};
	int r = list_addresses(daemon->plan, &wanted);

	vec_foreach(address, &before.list)
		r = r ?: vec_push(&both.list, *address);
	vec_foreach(address, &wanted.list)
		r = r ?: vec_push(&both.list, *address);
	if (r < 0 || same_addresses(&before, &wanted)) {
		world_answer(daemon->nl, daemon->plan);
		vec_free(&wanted.list);
		vec_free(&both.list);
		return;
	}
	state->addresses = both;
	state_save_addresses(daemon->options->instance, state, NULL);
	world_answer(daemon->nl, daemon->plan);
	world_unanswer(daemon->nl, &before, &wanted);
	state->addresses = wanted;
	state_save_addresses(daemon->options->instance, state, NULL);
	vec_free(&before.list);
	vec_free(&both.list);
}

/* What has been planned is in force from here on. */
static int enforce(struct daemon *daemon, struct plan **next, struct change *change,
		   struct err *err)
{
	int r = sync_plan(daemon->object, daemon->plan, *next, err);

	if (r < 0)
		return r;
	summarize(*next, change);
	plan_free(daemon->plan);
	daemon->plan = take_ptr(*next);
	daemon->generation++;
	return 0;
}

int change_expand(const struct daemon *daemon, const struct model *model,
		  const struct overrides *overrides, struct model **ret, struct err *err)
{
	_cleanup_(model_freep) struct model *enabled = NULL;
	struct model *expanded = NULL;
	int r = overrides_enabled(overrides, model, &enabled);

	if (r < 0)
		return err_set(err, r, "out of memory");
	r = naming_expand(daemon->naming, enabled ?: model, &expanded, err);
	if (!r)
		*ret = expanded ?: take_ptr(enabled);
	return r;
}

/*
 * Model and overrides into force. On success the daemon has a new plan and new facts. `accepted`:
 * the model was in force before, so that the world may have moved away from it.
 */
static int put_in_force(struct daemon *daemon, const struct model *model,
			const struct overrides *overrides, bool accepted, struct change *change,
			struct err *err)
{
	_cleanup_(plan_freep) struct plan *next = NULL;
	_cleanup_(facts_fini) struct facts facts = {};
	_cleanup_(model_freep) struct model *expanded = NULL;
	int r = change_expand(daemon, model, overrides, &expanded, err);

	model = expanded ?: model;
	r = r ?: gather(daemon, model, &facts, err);
	if (r < 0)
		return r;
	facts.accepted = accepted;
	facts.verdicts = checkup_verdicts(daemon->checkup);
	/* A balancer that starts serves rather without this than not at all. */
	r = locating_find(daemon->locating, model,
			  accepted || !daemon->model ? LOCATING_ANY : LOCATING_READ,
			  &facts.locations, err);
	if (!r && !accepted)
		r = checkup_prepare(daemon->checkup, model, err)
			    ?: world_check(daemon->nl, model, &facts, err)
			    ?: workers_check(daemon, model, err);
	r = r ?: plan_build(model, overrides, &facts, daemon->plan, &next, err);
	facts.locations = NULL; /* theirs who found it */
	r = r ?: enforce(daemon, &next, change, err);
	if (r < 0) {
		world_forget(daemon->nl, &facts, &daemon->facts);
		checkup_forget(daemon->checkup);
		return r;
	}
	world_forget(daemon->nl, &daemon->facts, &facts);
	facts_fini(&daemon->facts);
	daemon->facts = facts;
	facts = (struct facts){};
	model_free(daemon->expanded);
	daemon->expanded = take_ptr(expanded);
	checkup_bind(daemon->checkup);
	answer(daemon);
	return 0;
}

/* Only what they change: the world is as it was last seen, and upkeep.c looks at it whenever it
 * changes. */
static int put_overrides_in_force(struct daemon *daemon, const struct overrides *overrides,
				  const struct change_listeners *listeners, struct change *change,
				  struct err *err)
{
	_cleanup_(change_listeners_fini) struct change_listeners whole = {};
	_cleanup_(plan_freep) struct plan *part = NULL;
	int r = 0;

	vec_foreach(listener, &listeners->list) {
		const struct listener *same =
			model_find_listener(daemon_model(daemon), (*listener)->name);

		if (!r)
			r = same ? vec_push(&whole.list, same) : -ESRCH;
	}
	daemon->facts.now = object_now(daemon->object);
	daemon->facts.verdicts = checkup_verdicts(daemon->checkup);
	r = r
		    ?: plan_reweigh(whole.list.items, whole.list.count, overrides, &daemon->facts,
				    daemon->plan, &part, err);
	if (r == -ESRCH) /* a change was refused before, and the plan is not of this model */
		return put_in_force(daemon, daemon->model, overrides, true, change, err);
	r = r ?: sync_listeners(daemon->object, daemon->plan, part, err);
	if (r < 0)
		return r;
	summarize(part, change);
	plan_merge(daemon->plan, part);
	return 0;
}

/* Is it what the daemon's own file says, or does it hold only until that is read again? */
static void note_file(const struct daemon *daemon, const struct change_origin *origin)
{
	const char *instance = daemon->options->instance, *file = daemon->options->config;
	_cleanup_(json_decrefp) json_t *elsewhere = NULL;
	_cleanup_(freep) char *text = NULL;
	struct err err = {};
	size_t size;
	int r;

	if (!privileges_read(file, &text, &size, NULL) && !strcmp(text, daemon->text)) {
		r = state_remove(instance, STATE_ELSEWHERE, &err);
	} else {
		elsewhere = json_pack("{s:s, s:s}", "how", origin->how, "file", file);
		r = state_write_object(instance, STATE_ELSEWHERE, elsewhere, &err);
	}
	if (r < 0)
		log_warning("%s", err.text);
}

/* What is in force shall be so after a restart, too. */
static void remember(struct daemon *daemon, const struct change_origin *origin)
{
	const char *instance = daemon->options->instance;
	struct err err = {};

	if (state_save(instance, &daemon->state, &err) < 0 ||
	    state_save_config(instance, daemon->text, &err) < 0)
		log_warning("in force, but not remembered over a restart: %s", err.text);
	else if (history_add(instance, daemon->text, origin->who, origin->how, &err) < 0)
		log_warning("in force, but not in the history: %s", err.text);
	note_file(daemon, origin);
}

/* Behind what the text itself has given rise to. */
static void report_names(struct daemon *daemon, const struct model *model, const char *text,
			 struct change *change)
{
	_cleanup_(remarks_fini) struct remarks remarks = {};
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(freep) char *before = NULL;
	size_t length;
	FILE *report;

	naming_report(daemon->naming, model, &remarks);
	locating_report(daemon->locating, model, &remarks);
	if (remarks_place(&remarks, text, strlen(text), &findings) < 0) {
		log_error("out of memory: some warnings are missing");
		return;
	}
	if (!findings.list.count)
		return;
	before = take_ptr(change->report);
	report = open_memstream(&change->report, &length);
	if (!report)
		return;
	fputs(before ?: "", report);
	findings_print(&findings, change->name, text, strlen(text), false, report);
	fclose(report);
}

int change_configuration(struct daemon *daemon, struct model **model, char **text, bool accepted,
			 const struct change_origin *origin, struct change *change, struct err *err)
{
	_cleanup_(overrides_fini) struct overrides overrides = {};
	int r;

	r = overrides_copy(&daemon->state.overrides, &overrides);
	if (r < 0)
		return err_set(err, r, "out of memory");
	change->cleared = overrides_prune(&overrides, *model);
	/* What cannot be repaired is no reason to refuse what is asked for. */
	if (daemon->model && repair_all(daemon, &change->repaired, &change->unrepaired) < 0)
		log_error("%s", change->unrepaired.text);
	if (!accepted)
		report_names(daemon, *model, *text, change);
	r = interfaces_attach(daemon, *model, !accepted, err);
	r = r ?: metrics_prepare(daemon->metrics, *model, accepted, err);
	r = r ?: put_in_force(daemon, *model, &overrides, accepted, change, err);
	if (r < 0) {
		metrics_abandon(daemon->metrics);
		if (daemon->model)
			interfaces_detach(daemon, daemon->model);
		return r;
	}
	interfaces_detach(daemon, *model);
	model_free(daemon->model);
	daemon->model = take_ptr(*model);
	checkup_follow(daemon->checkup);
	naming_follow(daemon->naming);
	free(daemon->text);
	daemon->text = take_ptr(*text);
	overrides_fini(&daemon->state.overrides);
	daemon->state.overrides = overrides;
	overrides = (struct overrides){};
	workers_follow(daemon, true);
	remember(daemon, origin);
	metrics_follow(daemon->metrics);
	return 0;
}

/* What comes or goes by them is more than other weights. */
static int put_objects_in_force(struct daemon *daemon, const struct overrides *overrides,
				struct change *change, struct err *err)
{
	int r = put_in_force(daemon, daemon->model, overrides, true, change, err);

	if (!r)
		checkup_follow(daemon->checkup);
	return r;
}

int change_overrides(struct daemon *daemon, struct overrides *overrides,
		     const struct change_listeners *listeners, struct change *change,
		     struct err *err)
{
	bool same = overrides_same_enabled(overrides, &daemon->state.overrides);
	const char *instance = daemon->options->instance;
	struct state next = { .overrides = *overrides };
	int r;

	/* Written before it is in force, so that a full disk refuses it; synced, which may take a
	 * hundred times as long, before whoever asked is told. */
	next.interfaces.items = daemon->state.interfaces.items;
	next.interfaces.count = daemon->state.interfaces.count;
	r = state_stage(instance, &next, err);
	if (!r && same)
		r = put_overrides_in_force(daemon, overrides, listeners, change, err);
	else if (!r)
		r = put_objects_in_force(daemon, overrides, change, err);
	if (r < 0)
		return r;
	r = state_publish(instance, err);
	if (r < 0) { /* what a restart would forget must not stay in force */
		if (same)
			put_overrides_in_force(daemon, &daemon->state.overrides, listeners, change,
					       NULL);
		else
			put_objects_in_force(daemon, &daemon->state.overrides, change, NULL);
		return r;
	}
	overrides_fini(&daemon->state.overrides);
	daemon->state.overrides = *overrides;
	*overrides = (struct overrides){};
	workers_follow(daemon, true);
	return 0;
}

int change_verdicts(struct daemon *daemon, const struct change_listeners *listeners,
		    struct change *change, struct err *err)
{
	int r = put_overrides_in_force(daemon, &daemon->state.overrides, listeners, change, err);

	if (!r)
		workers_follow(daemon, false);
	return r;
}

int change_world(struct daemon *daemon, struct err *err)
{
	struct change change = {};
	int r = put_in_force(daemon, daemon->model, &daemon->state.overrides, true, &change, err);

	change_fini(&change);
	if (!r)
		workers_follow(daemon, false);
	return r;
}
