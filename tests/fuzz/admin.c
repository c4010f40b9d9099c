// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: whatever comes over the admin socket, each line gets an answer that is an object, says
 * whether it went well and why not, and prints as JSON; overrides stay within what they may be, and
 * nothing leaks. Lines of the input are requests, one after the other, to a daemon whose model is
 * real, and whose data plane, disk and interfaces are not there.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "config/config.h"
#include "daemon/call.h"
#include "daemon/calls.h"
#include "daemon/confirm.h"
#include "daemon/history.h"
#include "daemon/interfaces.h"
#include "daemon/preview.h"
#include "daemon/privileges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base[] =
	"version: 1\nlisteners:\n"
	"- {name: web, protocol: tcp, address: 192.0.2.1, port: 80, endpoint_groups: [{name: near, "
	"endpoints: [10.0.0.1, {name: b, address: 10.0.0.2, weight: 0}]}, {name: far, region: x, "
	"endpoints: [a.example]}]}\n"
	"- {name: dns, protocol: udp, address: 192.0.2.1, port: 53, mode: dsr, endpoint_groups: "
	"[{name: main, endpoints: [10.0.0.3]}]}\n";

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

/* ---- in the place of what is not there ---- */

void change_fini(struct change *change)
{
	free(change->report);
	*change = (struct change){};
}

void change_listeners_fini(struct change_listeners *listeners)
{
	vec_free(&listeners->list);
}

int change_parse(const char *name, const char *text, size_t size, struct model **ret,
		 struct change *change, struct err *err)
{
	struct findings findings = {};
	int r = config_parse(text, size, ret, &findings);

	(void)change;
	findings_fini(&findings);
	return r < 0 ? err_set(err, -EBADMSG, "%s: errors", name) : 0;
}

int change_configuration(struct daemon *daemon, struct model **model, char **text, bool accepted,
			 const struct change_origin *origin, struct change *change, struct err *err)
{
	(void)accepted;
	(void)err;
	require(*model && *text && *origin->how);
	change->cleared = overrides_prune(&daemon->state.overrides, *model);
	model_free(daemon->model);
	daemon->model = take_ptr(*model);
	free(daemon->text);
	daemon->text = take_ptr(*text);
	return 0;
}

int change_overrides(struct daemon *daemon, struct overrides *overrides,
		     const struct change_listeners *listeners, struct change *change,
		     struct err *err)
{
	(void)change;
	(void)err;
	(void)listeners;
	vec_foreach(override, &overrides->list) {
		require(override->weight >= -1 && override->weight <= 255);
		require(memchr(override->weight_origin.why, 0,
			       sizeof(override->weight_origin.why)));
		require(model_find_listener(daemon->model, override->listener));
	}
	overrides_fini(&daemon->state.overrides);
	daemon->state.overrides = *overrides;
	*overrides = (struct overrides){};
	return 0;
}

int confirm_check(const struct daemon *daemon, struct err *err)
{
	(void)daemon;
	(void)err;
	return 0;
}

int confirm_prepare(struct daemon *daemon, const char *text, const struct model *model,
		    struct err *err)
{
	(void)daemon;
	(void)err;
	require(text && model);
	return 0;
}

void confirm_begin(struct daemon *daemon, unsigned seconds)
{
	(void)daemon;
	require(seconds >= 1 && seconds <= 86400);
}

void confirm_abandon(struct daemon *daemon)
{
	(void)daemon;
}

void confirm_forget(struct daemon *daemon)
{
	(void)daemon;
}

unsigned confirm_left(const struct daemon *daemon)
{
	(void)daemon;
	return 0;
}

int confirm_accept(struct daemon *daemon, struct err *err)
{
	(void)daemon;
	return err_set(err, -ESRCH, "nothing waits");
}

int confirm_take_back(struct daemon *daemon, const struct change_origin *origin,
		      struct change *change, struct err *err)
{
	(void)daemon;
	(void)origin;
	(void)change;
	return err_set(err, -ESRCH, "nothing waits");
}

int history_load(const char *instance, struct history *ret, struct err *err)
{
	(void)instance;
	(void)err;
	*ret = (struct history){};
	for (uint32_t i = 1; i <= 3; i++)
		require(!vec_push(&ret->list, (struct history_entry){ .number = i }));
	return 0;
}

void history_fini(struct history *history)
{
	vec_free(&history->list);
}

const struct history_entry *history_find(const struct history *history, uint32_t number)
{
	return number >= 1 && number <= 3 ? &history->list.items[number - 1] : NULL;
}

int history_text(const char *instance, uint32_t number, char **ret, struct err *err)
{
	(void)instance;
	(void)err;
	require(number >= 1 && number <= 3);
	*ret = strdup(base);
	return *ret ? 0 : -ENOMEM;
}

int change_ready(struct daemon *daemon, const struct model *model, struct err *err)
{
	(void)daemon;
	(void)err;
	require(model);
	return 0;
}

int interfaces_change(struct daemon *daemon, const struct state_interface *wanted, struct err *err)
{
	(void)daemon;
	require(*wanted->name && memchr(wanted->name, 0, sizeof(wanted->name)));
	return err_set(err, -ENODEV, "there is no such interface");
}

int preview_make(struct daemon *daemon, const struct model *model, struct preview *ret,
		 struct err *err)
{
	(void)daemon;
	(void)ret;
	require(model);
	return err_set(err, -ENOENT, "there is no data plane");
}

bool preview_differs(const struct preview *preview)
{
	(void)preview;
	return false;
}

void preview_fini(struct preview *preview)
{
	(void)preview;
}

int privileges_read(const char *path, char **ret, size_t *ret_size, struct err *err)
{
	(void)path;
	(void)err;
	*ret = strdup(base);
	*ret_size = sizeof(base) - 1;
	return *ret ? 0 : -ENOMEM;
}

void daemon_stop(struct daemon *daemon)
{
	(void)daemon;
}

/* ---- requests ---- */

static void check_answer(json_t *answer)
{
	json_t *ok = json_object_get(answer, "ok"), *error = json_object_get(answer, "error");
	char *text = json_dumps(answer, JSON_COMPACT);

	require(json_is_boolean(ok) && text);
	require(json_is_true(ok) == !error);
	require(!error || (json_string_length(error) &&
			   json_integer_value(json_object_get(answer, "code")) > 0));
	free(text);
	json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct daemon_options options = { .instance = "fuzz", .config = "weir.yaml" };
	static struct model *model;
	struct daemon daemon = { .options = &options };
	const char *at = (const char *)data, *end = at + size;
	struct findings findings = {};

	if (!model)
		require(!config_parse(base, sizeof(base) - 1, &model, &findings));
	findings_fini(&findings);
	daemon.model = model_copy(model);
	daemon.plan = plan_new();
	require(daemon.model && daemon.plan);
	while (at < end) {
		const char *newline = memchr(at, '\n', end - at);
		size_t length = newline ? newline - at : end - at;

		json_t *answer;

		require(!calls_answer(&daemon, at, length, 0, &answer));
		check_answer(answer);
		at += length + 1;
	}
	overrides_fini(&daemon.state.overrides);
	plan_free(daemon.plan);
	model_free(daemon.model);
	free(daemon.text);
	return 0;
}
