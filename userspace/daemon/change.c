// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config/config.h"
#include "daemon/world.h"
#include "dataplane/attach.h"
#include "dataplane/sync.h"
#include "util/log.h"

/* How long a change waits for the MAC addresses of new endpoints. */
#define RESOLVE_WAIT_MS 1000
#define RESOLVE_STEP_MS 10

void change_fini(struct change *change)
{
	free(change->report);
	*change = (struct change){};
}

int change_parse(const char *name, const char *text, size_t size, struct model **ret,
		 struct change *change, struct err *err)
{
	struct findings findings = {};
	size_t length;
	FILE *report;
	int r;

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
	return r;
}

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000l }, NULL);
}

/* Facts, after the neighbours have had a moment to answer. */
static int gather(struct daemon *daemon, const struct model *model, struct facts *ret,
		  struct err *err)
{
	struct attachments attachments = {};
	int r;

	r = attach_list(daemon->object->directory, &attachments, err);
	if (r < 0)
		return r;
	for (int waited = 0;; waited += RESOLVE_STEP_MS) {
		struct facts facts = {};

		r = world_gather(daemon->nl, model, &attachments, !waited, &facts, err);
		if (r < 0)
			break;
		facts.now = object_now(daemon->object);
		world_remember(&daemon->facts, &facts);
		if (world_is_resolved(&facts) || waited >= RESOLVE_WAIT_MS) {
			*ret = facts;
			break;
		}
		facts_fini(&facts);
		sleep_ms(RESOLVE_STEP_MS);
	}
	vec_free(&attachments.list);
	return r;
}

static void summarize(const struct plan *plan, struct change *change)
{
	vec_foreach(listener, &plan->listeners) {
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			change->slots += listener->table[family].change.slots;
			change->moved += listener->table[family].change.moved;
		}
	}
}

/* Model and overrides into force. On success the daemon has a new plan and new facts. */
static int put_in_force(struct daemon *daemon, const struct model *model,
			const struct overrides *overrides, struct change *change, struct err *err)
{
	_cleanup_(plan_freep) struct plan *next = NULL;
	_cleanup_(facts_fini) struct facts facts = {};
	int r;

	r = world_check(daemon->nl, model, err);
	if (r < 0)
		return r;
	r = gather(daemon, model, &facts, err);
	if (r < 0)
		return r;
	r = plan_build(model, overrides, &facts, daemon->plan, &next, err);
	if (r < 0)
		return r;
	r = sync_plan(daemon->object, daemon->plan, next, err);
	if (r < 0)
		return r;
	world_answer(daemon->nl, daemon->plan, next);
	world_forget(daemon->nl, &daemon->facts, &facts);
	summarize(next, change);
	plan_free(daemon->plan);
	daemon->plan = take_ptr(next);
	facts_fini(&daemon->facts);
	daemon->facts = facts;
	facts = (struct facts){};
	return 0;
}

int change_configuration(struct daemon *daemon, struct model **model, char **text,
			 struct change *change, struct err *err)
{
	_cleanup_(overrides_fini) struct overrides overrides = {};
	struct err save = {};
	int r;

	r = overrides_copy(&daemon->state.overrides, &overrides);
	if (r < 0)
		return err_set(err, r, "out of memory");
	change->cleared = overrides_prune(&overrides, *model);
	r = change_interfaces(daemon, *model, true, err);
	if (!r)
		r = put_in_force(daemon, *model, &overrides, change, err);
	if (r < 0) {
		if (daemon->model)
			change_interfaces(daemon, daemon->model, false, NULL);
		return r;
	}
	model_free(daemon->model);
	daemon->model = take_ptr(*model);
	free(daemon->text);
	daemon->text = take_ptr(*text);
	overrides_fini(&daemon->state.overrides);
	daemon->state.overrides = overrides;
	overrides = (struct overrides){};
	if (state_save(daemon->options->instance, &daemon->state, &save) < 0 ||
	    state_save_config(daemon->options->instance, daemon->text, &save) < 0)
		log_warning("in force, but not remembered over a restart: %s", save.text);
	return 0;
}

int change_overrides(struct daemon *daemon, struct overrides *overrides, struct change *change,
		     struct err *err)
{
	struct state next = { .overrides = *overrides };
	int r;

	/* On disk first: what a restart would forget must not be in force. */
	next.interfaces.items = daemon->state.interfaces.items;
	next.interfaces.count = daemon->state.interfaces.count;
	r = state_save(daemon->options->instance, &next, err);
	if (r < 0)
		return r;
	r = put_in_force(daemon, daemon->model, overrides, change, err);
	if (r < 0) {
		state_save(daemon->options->instance, &daemon->state, NULL);
		return r;
	}
	overrides_fini(&daemon->state.overrides);
	daemon->state.overrides = *overrides;
	*overrides = (struct overrides){};
	return 0;
}

int change_world(struct daemon *daemon, struct err *err)
{
	struct change change = {};
	int r = put_in_force(daemon, daemon->model, &daemon->state.overrides, &change, err);

	change_fini(&change);
	return r;
}

static const struct state_interface *override_of(const struct daemon *daemon, const char *name)
{
	vec_foreach(interface, &daemon->state.interfaces)
		if (!strcmp(interface->name, name))
			return interface;
	return NULL;
}

static bool wants(const struct daemon *daemon, const struct model *model, const char *name)
{
	const struct daemon_options *options = daemon->options;
	const struct state_interface *override = override_of(daemon, name);

	if (override)
		return override->attached;
	for (size_t i = 0; i < options->interface_count; i++)
		if (!strcmp(options->interfaces[i], name))
			return true;
	if (options->interface_count)
		return false;
	vec_foreach(interface, &model->interfaces)
		if (!strcmp(*interface, name))
			return true;
	return false;
}

static bool is_attached(const struct attachments *attachments, const char *name)
{
	vec_foreach(attachment, &attachments->list)
		if (attachment->ifindex && !strcmp(attachment->name, name))
			return true;
	return false;
}

static int attach_one(struct daemon *daemon, const struct attachments *attachments,
		      const char *name, bool strict, struct err *err)
{
	const struct state_interface *override = override_of(daemon, name);
	bool generic = override ? override->generic : daemon->options->generic;
	struct err why = {};
	int r;

	if (is_attached(attachments, name) || (override && !override->attached))
		return 0;
	if (!strict && !if_nametoindex(name))
		return 0;
	r = attach_interface(daemon->object->directory, daemon->object->program, name,
			     generic ? ATTACH_GENERIC : ATTACH_NATIVE, &why);
	if (!r)
		log_info("%s: attached in %s mode", name, generic ? "generic" : "native");
	else if (strict)
		return err_set(err, r, "%s", why.text);
	else
		log_warning("%s", why.text);
	return 0;
}

static int attach_wanted(struct daemon *daemon, const struct model *model,
			 const struct attachments *attachments, bool strict, struct err *err)
{
	const struct daemon_options *options = daemon->options;
	int r = 0;

	for (size_t i = 0; !r && i < options->interface_count; i++)
		r = attach_one(daemon, attachments, options->interfaces[i], strict, err);
	if (!options->interface_count)
		vec_foreach(interface, &model->interfaces)
			r = r ?: attach_one(daemon, attachments, *interface, strict, err);
	/* What was attached by hand may be gone for good: that is no reason to refuse a file. */
	vec_foreach(interface, &daemon->state.interfaces)
		if (interface->attached)
			r = r ?: attach_one(daemon, attachments, interface->name, false, err);
	return r;
}

int change_interfaces(struct daemon *daemon, const struct model *model, bool strict,
		      struct err *err)
{
	struct attachments attachments = {};
	int r;

	r = attach_list(daemon->object->directory, &attachments, err);
	if (r < 0)
		return r;
	r = attach_wanted(daemon, model, &attachments, strict, err);
	if (!r) {
		vec_foreach(attachment, &attachments.list) {
			if (wants(daemon, model, attachment->name))
				continue;
			attach_detach(daemon->object->directory, attachment->name, NULL);
			log_info("%s: detached", attachment->name);
		}
	}
	vec_free(&attachments.list);
	return r;
}

static int remember_interface(struct daemon *daemon, const struct state_interface *wanted,
			      struct err *err)
{
	size_t kept = 0;

	vec_foreach(interface, &daemon->state.interfaces)
		if (strcmp(interface->name, wanted->name))
			daemon->state.interfaces.items[kept++] = *interface;
	daemon->state.interfaces.count = kept;
	if (vec_push(&daemon->state.interfaces, *wanted))
		return err_set(err, -ENOMEM, "out of memory");
	return state_save(daemon->options->instance, &daemon->state, err);
}

int change_interface(struct daemon *daemon, const struct state_interface *wanted, struct err *err)
{
	const char *directory = daemon->object->directory;
	struct err undo = {};
	int r;

	if (wanted->attached)
		r = attach_interface(directory, daemon->object->program, wanted->name,
				     wanted->generic ? ATTACH_GENERIC : ATTACH_NATIVE, err);
	else
		r = attach_detach(directory, wanted->name, err);
	if (r < 0)
		return r;
	r = change_world(daemon, err);
	if (r < 0 && !wanted->attached) { /* endpoints are behind it */
		attach_interface(directory, daemon->object->program, wanted->name,
				 wanted->generic ? ATTACH_GENERIC : ATTACH_NATIVE, &undo);
		change_world(daemon, &undo);
		return r;
	}
	log_info("%s: %s by hand", wanted->name, wanted->attached ? "attached" : "detached");
	return remember_interface(daemon, wanted, err);
}
