// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/confirm.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "daemon/history.h"
#include "util/log.h"

#define BEFORE_FILE "confirm/before.yaml" /* while a change waits */
#define LOST_FILE   "confirm/overrides.json"
#define AFTER_FILE  "confirm/after.yaml" /* while it waits, and when it was taken back */

struct confirm {
	struct daemon *daemon;
	struct loop_source *timer;
	uint64_t deadline; /* s, CLOCK_BOOTTIME */
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return time.tv_sec;
}

void confirm_stop(struct confirm *confirm)
{
	if (!confirm)
		return;
	loop_remove(confirm->timer);
	free(confirm);
}

/* While the first is there, a change waits. */
static int forget_before(const char *instance, struct err *err)
{
	int r = state_remove(instance, BEFORE_FILE, err);

	return r ?: state_remove(instance, LOST_FILE, err);
}

int confirm_prepare(struct daemon *daemon, const char *text, const struct model *model,
		    struct err *err)
{
	const char *instance = daemon->options->instance;
	_cleanup_(overrides_fini) struct overrides lost = {};
	_cleanup_(json_decrefp) json_t *object = NULL;
	int r;

	if (overrides_lost(&daemon->state.overrides, model, &lost))
		return err_set(err, -ENOMEM, "out of memory");
	object = json_pack("{s:o}", "overrides", state_overrides_json(&lost));
	r = state_write_object(instance, LOST_FILE, object, err);
	r = r ?: state_write_text(instance, AFTER_FILE, text, err);
	return r ?: state_write_text(instance, BEFORE_FILE, daemon->text, err);
}

void confirm_abandon(struct daemon *daemon)
{
	const char *instance = daemon->options->instance;

	state_remove(instance, AFTER_FILE, NULL);
	forget_before(instance, NULL);
}

static void on_timeout(void *user, uint32_t expirations)
{
	struct confirm *confirm = user;
	struct daemon *daemon = confirm->daemon;
	_cleanup_(change_fini) struct change change = {};
	struct err err = {};

	(void)expirations;
	log_warning("nobody has confirmed the change: it is taken back");
	if (confirm_take_back(daemon, &change, &err) < 0)
		log_error("cannot take the change back: %s", err.text);
}

int confirm_begin(struct daemon *daemon, unsigned seconds, struct err *err)
{
	struct confirm *confirm = calloc(1, sizeof(*confirm));
	int r = confirm ? 0 : -ENOMEM;

	if (!r) {
		*confirm = (struct confirm){ .daemon = daemon, .deadline = now() + seconds };
		r = loop_add_timer(daemon->loop, (struct loop_call){ on_timeout, confirm },
				   &confirm->timer);
		r = r ?: loop_set_timer(confirm->timer, seconds * 1000ull, 0);
	}
	if (r < 0) {
		confirm_stop(confirm);
		return err_set(err, r, "cannot wait for a confirmation: %s", strerror(-r));
	}
	daemon->confirm = confirm;
	return 0;
}

unsigned confirm_left(const struct daemon *daemon)
{
	uint64_t time = now();

	if (!daemon->confirm)
		return 0;
	return time < daemon->confirm->deadline ? daemon->confirm->deadline - time : 1;
}

int confirm_check(const struct daemon *daemon, struct err *err)
{
	if (!daemon->confirm)
		return 0;
	return err_set(
		err, -EAGAIN,
		"a change waits to be confirmed, for %u s more: weir confirm, or weir rollback",
		confirm_left(daemon));
}

static int none_waits(struct err *err)
{
	return err_set(err, -ESRCH, "no change waits for a confirmation");
}

int confirm_accept(struct daemon *daemon, struct err *err)
{
	int r;

	if (!daemon->confirm)
		return none_waits(err);
	/* In this order: at no moment is it a change that was taken back. */
	r = state_remove(daemon->options->instance, AFTER_FILE, err);
	r = r ?: forget_before(daemon->options->instance, err);
	if (!r)
		confirm_stop(take_ptr(daemon->confirm));
	return r;
}

void confirm_settle(const char *instance)
{
	forget_before(instance, NULL);
}

void confirm_forget(struct daemon *daemon)
{
	state_remove(daemon->options->instance, AFTER_FILE, NULL);
}

static int read_lost(const char *instance, struct overrides *ret, struct err *err)
{
	_cleanup_(json_decrefp) json_t *object = NULL;
	int r = state_read_object(instance, LOST_FILE, &object, err);

	if (r < 0)
		return r;
	r = state_overrides_read(json_object_get(object, "overrides"), ret);
	return r < 0 ? err_set(err, r, LOST_FILE ": %s", strerror(-r)) : 0;
}

/* The daemon's overrides as they were, but for what was said of endpoints since. */
static int restore_overrides(struct daemon *daemon, struct err *err)
{
	_cleanup_(overrides_fini) struct overrides lost = {};
	int r = read_lost(daemon->options->instance, &lost, err);

	if (!r && overrides_restore(&daemon->state.overrides, &lost))
		r = err_set(err, -ENOMEM, "out of memory");
	return r;
}

int confirm_take_back(struct daemon *daemon, struct change *change, struct err *err)
{
	const char *instance = daemon->options->instance;
	const struct change_origin origin = { .how = "not confirmed: as before" };
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL;
	int r;

	if (!daemon->confirm)
		return none_waits(err);
	confirm_stop(take_ptr(daemon->confirm));
	r = state_read_text(instance, BEFORE_FILE, &text, err);
	r = r ?: change_parse("the configuration before", text, strlen(text), &model, change, err);
	r = r ?: restore_overrides(daemon, err);
	r = r ?: change_configuration(daemon, &model, &text, true, &origin, change, err);
	if (r < 0)
		return r;
	log_info("the configuration before is in force again");
	return forget_before(instance, err);
}

/* Does the file hold what was taken back? */
static bool was_taken_back(const char *instance, const char *text)
{
	_cleanup_(freep) char *refused = NULL;

	return text && !state_read_text(instance, AFTER_FILE, &refused, NULL) &&
	       !strcmp(refused, text);
}

int confirm_resume(const char *instance, const char *text, struct overrides *overrides, char **ret,
		   struct err *err)
{
	_cleanup_(overrides_fini) struct overrides lost = {};
	_cleanup_(freep) char *before = NULL;
	int r;

	*ret = NULL;
	r = state_read_text(instance, BEFORE_FILE, &before, err);
	if (r == -ENOENT) {
		if (was_taken_back(instance, text))
			state_load_config(instance, ret, NULL);
		return 0;
	}
	r = r ?: read_lost(instance, &lost, err);
	if (r < 0)
		return r;
	if (overrides_restore(overrides, &lost))
		return err_set(err, -ENOMEM, "out of memory");
	*ret = take_ptr(before);
	return 0;
}
