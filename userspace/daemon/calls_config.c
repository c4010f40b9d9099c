// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Calls that put a whole configuration in force: apply, confirm, rollback. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/call.h"
#include "daemon/confirm.h"
#include "daemon/privileges.h"
#include "daemon/history.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define CONFIRM_MAX 86400 /* s */

void call_add_change(struct call *call, const struct change *change)
{
	json_object_set_new(call->answer, "slots", json_integer(change->slots));
	json_object_set_new(call->answer, "moved", json_integer(change->moved));
	json_object_set_new(call->answer, "cleared", json_integer(change->cleared));
	if (change->report)
		json_object_set_new(call->answer, "report", json_string(change->report));
	if (change->repaired.count) {
		json_object_set_new(call->answer, "repaired", call_drift_json(&change->repaired));
		json_object_set_new(call->answer, "drifted", json_integer(change->repaired.count));
	}
	if (change->unrepaired.text[0])
		json_object_set_new(call->answer, "unrepaired",
				    json_string(change->unrepaired.text));
}

int call_read_text(struct call *call, const char **ret_name, char **ret, size_t *ret_size,
		   struct err *err)
{
	json_t *given = json_object_get(call->request, "text");

	if (given && !json_is_string(given))
		return err_set(err, -EINVAL, "'text' must be a string");
	if (given) {
		*ret_name = json_string_value(json_object_get(call->request, "name"));
		*ret_name = *ret_name ?: "configuration";
		*ret = strdup(json_string_value(given));
		*ret_size = json_string_length(given);
		return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	*ret_name = call->daemon->options->config;
	return privileges_read(*ret_name, ret, ret_size, err);
}

/* 0: the change is not to be confirmed. */
static int read_seconds(struct call *call, unsigned *ret, struct err *err)
{
	json_t *confirm = json_object_get(call->request, "confirm");
	json_int_t seconds = json_integer_value(confirm);

	if (confirm && (!json_is_integer(confirm) || seconds < 1 || seconds > CONFIRM_MAX))
		return err_set(err, -EINVAL, "apply: 'confirm' must be 1 to %d seconds",
			       CONFIRM_MAX);
	*ret = seconds;
	return 0;
}

/* With `seconds`, until somebody does not confirm it. */
static int put_in_force(struct call *call, struct model **model, char **text, const char *how,
			unsigned seconds, struct change *change, struct err *err)
{
	const struct change_origin origin = { .who = call->who, .how = how };
	struct daemon *daemon = call->daemon;
	int r = change_ready(daemon, *model, err);

	if (r < 0)
		return r;
	if (seconds)
		r = confirm_prepare(daemon, *text, *model, err);
	r = r ?: change_configuration(daemon, model, text, false, &origin, change, err);
	if (!seconds) {
		if (!r)
			confirm_forget(daemon);
		return r;
	}
	if (r < 0 && daemon->confirm)
		confirm_abandon(daemon);
	else if (!r)
		confirm_begin(daemon, seconds);
	return r;
}

static void report(struct call *call, const char *what, const struct change *change)
{
	log_info("%s (by uid %u); %llu of %llu slots moved", what, call->who,
		 (unsigned long long)change->moved, (unsigned long long)change->slots);
}

/* "apply weir.yaml", fit for a terminal; of a long name, its end. */
static void print_how(const char *name, char how[HISTORY_HOW_MAX])
{
	char quoted[STR_QUOTE_MAX];
	size_t size = strlen(name), skip = size > 40 ? size - 40 : 0;

	snprintf(how, HISTORY_HOW_MAX, "apply %s", str_quote(name + skip, size - skip, quoted));
}

int call_apply(struct call *call, struct err *err)
{
	_cleanup_(change_fini) struct change change = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL;
	char how[HISTORY_HOW_MAX], what[HISTORY_HOW_MAX + 80];
	const char *name = NULL;
	unsigned seconds = 0;
	size_t size = 0;
	int r;

	r = confirm_check(call->daemon, err);
	r = r ?: read_seconds(call, &seconds, err);
	r = r ?: call_read_text(call, &name, &text, &size, err);
	r = r ?: change_parse(name, text, size, &model, &change, err);
	if (!r) {
		print_how(name, how);
		r = put_in_force(call, &model, &text, how, seconds, &change, err);
	}
	if (r == -EINPROGRESS)
		return r;
	if (!r || !json_object_get(call->request, "text"))
		call->daemon->file_refused = r < 0;
	call_add_change(call, &change);
	if (!r) {
		json_object_set_new(call->answer, "unconfirmed", json_integer(seconds));
		snprintf(what, sizeof(what), "configuration: %.200s is in force%s", name,
			 seconds ? ", until it is confirmed or its time is over" : "");
		report(call, what, &change);
	}
	return r;
}

int call_confirm(struct call *call, struct err *err)
{
	int r = confirm_accept(call->daemon, err);

	if (!r)
		log_info("the change is confirmed (by uid %u)", call->who);
	return r;
}

/* The number in the request, or that of the entry before the last. */
static int choose_entry(struct call *call, struct history_entry *ret, struct err *err)
{
	_cleanup_(history_fini) struct history history = {};
	json_t *wanted = json_object_get(call->request, "number");
	const struct history_entry *entry = NULL;
	size_t count;
	int r = history_load(call->daemon->options->instance, &history, err);

	if (r < 0)
		return r;
	count = history.list.count;
	if (!wanted && count < 2)
		return err_set(err, -ESRCH, "there is no configuration before this one");
	if (!wanted)
		entry = &history.list.items[count - 2];
	else if (json_integer_value(wanted) > 0 && json_integer_value(wanted) <= UINT32_MAX)
		entry = history_find(&history, json_integer_value(wanted));
	if (!entry)
		return err_set(err, -ESRCH, "the history has no such number; see: weir history");
	*ret = *entry;
	return 0;
}

/* A change that waits, without waiting. */
static int take_back(struct call *call, struct err *err)
{
	const struct change_origin origin = { .who = call->who, .how = "rollback: not confirmed" };
	_cleanup_(change_fini) struct change change = {};
	int r = confirm_take_back(call->daemon, &origin, &change, err);

	call_add_change(call, &change);
	if (!r)
		report(call, origin.how, &change);
	return r;
}

int call_rollback(struct call *call, struct err *err)
{
	const char *instance = call->daemon->options->instance;
	_cleanup_(change_fini) struct change change = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL;
	struct history_entry entry = {};
	char how[64];
	int r;

	if (call->daemon->confirm && !json_object_get(call->request, "number"))
		return take_back(call, err);
	r = confirm_check(call->daemon, err);
	if (r < 0)
		return r;
	r = choose_entry(call, &entry, err);
	r = r ?: history_text(instance, entry.number, &text, err);
	if (r < 0)
		return r;
	snprintf(how, sizeof(how), "rollback to %u", entry.number);
	r = change_parse(how, text, strlen(text), &model, &change, err);
	r = r ?: put_in_force(call, &model, &text, how, 0, &change, err);
	call_add_change(call, &change);
	json_object_set_new(call->answer, "number", json_integer(entry.number));
	if (!r)
		report(call, how, &change);
	return r;
}
