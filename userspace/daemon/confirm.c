// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/confirm.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "util/log.h"

#define BEFORE_FILE  "confirm/before.yaml" /* there: a change waits */
#define AFTER_FILE   "confirm/after.yaml"
#define LOST_FILE    "confirm/overrides.json"
#define REFUSED_FILE "confirm/refused.yaml"

#define RETRY_MS     10000

struct confirm {
	struct daemon *daemon;
	struct loop_source *timer;
	uint64_t deadline; /* s, CLOCK_BOOTTIME; 0: it does not run yet */
	bool over;	   /* nobody has confirmed in time */
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

/* The first to go is what makes the others count. */
static int forget_waiting(const char *instance, struct err *err)
{
	int r = state_remove(instance, BEFORE_FILE, err);

	r = r ?: state_remove(instance, AFTER_FILE, err);
	return r ?: state_remove(instance, LOST_FILE, err);
}

int confirm_settle(const char *instance, struct err *err)
{
	_cleanup_(freep) char *after = NULL, *before = NULL;
	int r = state_read_text(instance, BEFORE_FILE, &before, err);

	if (r == -ENOENT)
		return 0;
	r = r ?: state_read_text(instance, AFTER_FILE, &after, err);
	r = r ?: state_write_text(instance, REFUSED_FILE, after, err);
	return r ?: forget_waiting(instance, err);
}

void confirm_clear(const char *instance)
{
	forget_waiting(instance, NULL);
	state_remove(instance, REFUSED_FILE, NULL);
}

static void on_timeout(void *user, uint32_t expirations)
{
	const struct change_origin origin = { .how = "not confirmed: as before" };
	struct confirm *confirm = user;
	_cleanup_(change_fini) struct change change = {};
	struct err err = {};
	int r;

	(void)expirations;
	if (!confirm->over)
		log_warning("nobody has confirmed the change: it is taken back");
	confirm->over = true;
	r = confirm_take_back(confirm->daemon, &origin, &change, &err);
	if (r < 0 && r != -EINPROGRESS)
		log_error("cannot take the change back yet: %s", err.text);
}

void confirm_go_on(struct daemon *daemon)
{
	if (daemon->confirm && daemon->confirm->over)
		on_timeout(daemon->confirm, 0);
}

/* Everything that can fail, before the change is in force. */
static int set_up(struct daemon *daemon, struct err *err)
{
	struct confirm *confirm = calloc(1, sizeof(*confirm));
	int r;

	if (!confirm)
		return err_set(err, -ENOMEM, "out of memory");
	confirm->daemon = daemon;
	r = loop_add_timer(daemon->loop, (struct loop_call){ on_timeout, confirm },
			   &confirm->timer);
	if (r < 0) {
		free(confirm);
		return err_set(err, r, "cannot wait for a confirmation: %s", strerror(-r));
	}
	daemon->confirm = confirm;
	return 0;
}

int confirm_prepare(struct daemon *daemon, const char *text, const struct model *model,
		    struct err *err)
{
	const char *instance = daemon->options->instance;
	_cleanup_(overrides_fini) struct overrides lost = {};
	_cleanup_(json_decrefp) json_t *object = NULL;
	int r;

	if (model->hash_seed != daemon->model->hash_seed)
		return err_set(
			err, -EINVAL,
			"another hash_seed cannot be taken back; apply it without --confirm");
	if (overrides_lost(&daemon->state.overrides, model, &lost))
		return err_set(err, -ENOMEM, "out of memory");
	r = set_up(daemon, err);
	if (r < 0)
		return r;
	object = json_pack("{s:o}", "overrides", state_overrides_json(&lost));
	r = state_write_object(instance, LOST_FILE, object, err);
	r = r ?: state_write_text(instance, AFTER_FILE, text, err);
	r = r ?: state_write_text(instance, BEFORE_FILE, daemon->text, err);
	if (r < 0)
		confirm_abandon(daemon);
	return r;
}

void confirm_abandon(struct daemon *daemon)
{
	forget_waiting(daemon->options->instance, NULL);
	confirm_stop(take_ptr(daemon->confirm));
}

void confirm_begin(struct daemon *daemon, unsigned seconds)
{
	daemon->confirm->deadline = now() + seconds;
	loop_set_timer(daemon->confirm->timer, seconds * 1000ull, 0);
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
	return err_set(err, -EAGAIN,
		       "a change waits to be confirmed, for %u s more: weir confirm, or weir "
		       "rollback",
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
	r = forget_waiting(daemon->options->instance, err);
	if (r < 0)
		return r;
	confirm_stop(take_ptr(daemon->confirm));
	confirm_forget(daemon);
	return 0;
}

static bool is_refused(const char *instance, const char *text)
{
	_cleanup_(freep) char *refused = NULL;

	return text && !state_read_text(instance, REFUSED_FILE, &refused, NULL) &&
	       !strcmp(refused, text);
}

void confirm_forget(struct daemon *daemon)
{
	const char *instance = daemon->options->instance;
	struct err err;

	if (is_refused(instance, daemon->text) && state_remove(instance, REFUSED_FILE, &err) < 0)
		log_warning("in force, but not after a restart: %s", err.text);
}

static int restore_overrides(const char *instance, struct overrides *overrides, struct err *err)
{
	_cleanup_(overrides_fini) struct overrides lost = {};
	_cleanup_(json_decrefp) json_t *object = NULL;
	int r = state_read_object(instance, LOST_FILE, &object, err);

	if (r < 0)
		return r;
	r = state_overrides_read(json_object_get(object, "overrides"), &lost);
	r = r ?: overrides_restore(overrides, &lost);
	return r < 0 ? err_set(err, r, LOST_FILE ": %s", strerror(-r)) : 0;
}

static int take_back(struct daemon *daemon, const struct change_origin *origin,
		     struct change *change, struct err *err)
{
	const char *instance = daemon->options->instance;
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL;
	int r;

	r = state_read_text(instance, BEFORE_FILE, &text, err);
	r = r ?: change_parse("the configuration before", text, strlen(text), &model, change, err);
	r = r ?: change_ready(daemon, model, err);
	r = r ?: restore_overrides(instance, &daemon->state.overrides, err);
	r = r ?: change_configuration(daemon, &model, &text, true, origin, change, err);
	return r ?: confirm_settle(instance, err);
}

int confirm_take_back(struct daemon *daemon, const struct change_origin *origin,
		      struct change *change, struct err *err)
{
	int r;

	if (!daemon->confirm)
		return none_waits(err);
	r = take_back(daemon, origin, change, err);
	if (r == -EINPROGRESS)
		return r;
	if (r < 0) {
		loop_set_timer(daemon->confirm->timer, RETRY_MS, 0);
		return r;
	}
	confirm_stop(take_ptr(daemon->confirm));
	log_info("the configuration before is in force again");
	return 0;
}

int confirm_resume(const char *instance, const char *text, struct overrides *overrides, char **ret,
		   struct err *err)
{
	_cleanup_(freep) char *before = NULL, *after = NULL;
	int r;

	*ret = NULL;
	r = state_read_text(instance, BEFORE_FILE, &before, err);
	if (r == -ENOENT)
		return is_refused(instance, text) ? state_load_config(instance, ret, err) : 0;
	r = r ?: state_read_text(instance, AFTER_FILE, &after, err);
	r = r ?: restore_overrides(instance, overrides, err);
	if (r < 0)
		return r;
	/* Else the file is another one: it was applied from elsewhere, or mended since. */
	if (!strcmp(after, text))
		*ret = take_ptr(before);
	return 0;
}
