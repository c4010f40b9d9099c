// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include <weir/names.h>

#include "daemon/admin.h"
#include "daemon/change.h"
#include "daemon/checkup.h"
#include "daemon/confirm.h"
#include "daemon/interfaces.h"
#include "daemon/locating.h"
#include "daemon/metrics.h"
#include "daemon/naming.h"
#include "daemon/privileges.h"
#include "daemon/service.h"
#include "daemon/upkeep.h"
#include "daemon/workers.h"
#include "daemon/world.h"
#include "dataplane/attach.h"
#include "dataplane/sync.h"
#include "util/caps.h"
#include "util/file.h"
#include "util/log.h"

#define LOCK_PATH_MAX (sizeof(WEIR_RUN_DIR) + WEIR_NAME_MAX + 16)

static void daemon_fini(struct daemon *daemon)
{
	service_stop(daemon->service);
	metrics_stop(daemon->metrics);
	admin_stop(daemon->admin);
	upkeep_stop(daemon->upkeep);
	workers_stop(daemon);
	checkup_stop(daemon->checkup);
	naming_stop(daemon->naming);
	locating_stop(daemon->locating);
	confirm_stop(daemon->confirm);
	plan_free(daemon->plan);
	facts_fini(&daemon->facts);
	state_fini(&daemon->state);
	model_free(daemon->model);
	model_free(daemon->expanded);
	free(daemon->text);
	object_close(daemon->object);
	nl_free(daemon->nl);
	loop_free(daemon->loop);
	spawner_stop(&daemon->spawner);
}

/* INSTANCE/lock, made if it is missing. */
static int open_lock(const char *instance, char path[LOCK_PATH_MAX], struct err *err)
{
	_cleanup_(closep) int folder = -1;
	_cleanup_(closep) int fd = -1;
	int r;

	snprintf(path, LOCK_PATH_MAX, WEIR_RUN_DIR "/%s", instance);
	if (mkdir(path, 0750) && errno == EACCES)
		return err_set(err, -EACCES,
			       "cannot make %s: not permitted; run as root, or let root make it "
			       "for a user: weir run --prepare --user USER",
			       path);
	folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	snprintf(path, LOCK_PATH_MAX, WEIR_RUN_DIR "/%s/lock", instance);
	fd = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0 && errno == EACCES)
		return file_denied(path, -errno, err);
	r = fd < 0 ? -errno : file_give(fd, folder);
	return r < 0 ? err_set(err, r, "%s: %s", path, strerror(-r)) : take_fd(&fd);
}

int daemon_lock(const char *instance, int *ret, struct err *err)
{
	char path[LOCK_PATH_MAX], pid[16] = "";
	_cleanup_(closep) int fd = open_lock(instance, path, err);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (read(fd, pid, sizeof(pid) - 1) > 0)
			pid[strcspn(pid, "\n")] = '\0';
		return err_set(
			err, -EALREADY,
			"instance '%s' has a daemon already (pid %s); stop that one, or name "
			"another instance with -N",
			instance, pid);
	}
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	*ret = take_fd(&fd);
	return 0;
}

static void refuse_file(struct daemon *daemon)
{
	daemon->file_refused = true;
	log_error("%s is NOT in force: keeping the configuration that was; mend the file, then: "
		  "weir apply",
		  daemon->options->config);
}

/* The file's configuration; where that is bad and a data plane is in force, the last good one. */
static int load_configuration(struct daemon *daemon, struct model **ret_model, char **ret_text,
			      struct err *err)
{
	const struct daemon_options *options = daemon->options;
	_cleanup_(change_fini) struct change change = {};
	_cleanup_(freep) char *text = NULL;
	char pins[OBJECT_PATH_MAX];
	size_t size;
	int r;

	r = privileges_read(options->config, &text, &size, err);
	r = r ?: change_parse(options->config, text, size, ret_model, &change, err);
	if (change.report)
		fputs(change.report, stderr);
	if (!r) {
		*ret_text = take_ptr(text);
		return 0;
	}
	snprintf(pins, sizeof(pins), WEIR_BPFFS "/%s/control", options->instance);
	if (r == -ENOMEM || access(pins, F_OK) ||
	    state_load_config(options->instance, ret_text, NULL) < 0)
		return r;
	change_fini(&change);
	if (change_parse("running.yaml", *ret_text, strlen(*ret_text), ret_model, &change, NULL)) {
		free(take_ptr(*ret_text));
		return r;
	}
	log_error("%s", err->text);
	refuse_file(daemon);
	return 0;
}

/* Thousands of probes at once need as many descriptors; whoever started us may allow few. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void reload(struct daemon *daemon)
{
	const struct change_origin origin = { .who = getuid(), .how = "reload" };
	const char *config = daemon->options->config;
	_cleanup_(change_fini) struct change change = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL;
	struct err err = {};
	size_t size;
	int r;

	service_reloading();
	r = confirm_check(daemon, &err);
	r = r ?: privileges_read(config, &text, &size, &err);
	r = r ?: change_parse(config, text, size, &model, &change, &err);
	r = r ?: change_ready(daemon, model, &err);
	daemon->reload_waits = r == -EINPROGRESS;
	if (daemon->reload_waits)
		return;
	r = r ?: change_configuration(daemon, &model, &text, false, &origin, &change, &err);
	if (change.report)
		fputs(change.report, stderr);
	daemon->file_refused = r < 0;
	service_ready(daemon);
	if (r < 0) {
		log_error("reload: %s", err.text);
		return;
	}
	confirm_forget(daemon);
	log_info("reload: %s is in force; %llu of %llu slots moved, %u override%s cleared", config,
		 (unsigned long long)change.moved, (unsigned long long)change.slots, change.cleared,
		 change.cleared == 1 ? "" : "s");
}

void daemon_go_on(struct daemon *daemon)
{
	if (daemon->reload_waits)
		reload(daemon);
	confirm_go_on(daemon);
	admin_go_on(daemon->admin);
}

static void on_signal(void *user, uint32_t number)
{
	if (number == SIGHUP)
		reload(user);
	else if (number == SIGUSR1)
		workers_reopen(user);
	else
		daemon_stop(user);
}

static int watch_signals(struct daemon *daemon, struct err *err)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	r = loop_new(&daemon->loop);
	r = r
		    ?: loop_add_signals(daemon->loop, &signals,
					(struct loop_call){ on_signal, daemon }, NULL);
	return r < 0 ? err_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

static const struct change_origin at_start = { .how = "start" };

/* The configuration that was in force last, where the file's cannot be. */
static int keep_last(struct daemon *daemon, struct model **model, char **text,
		     struct change *change, struct err *err)
{
	struct change parsed = {};
	char *last;
	int r = state_load_config(daemon->options->instance, &last, NULL);

	if (r < 0)
		return r;
	model_free(take_ptr(*model));
	free(*text);
	*text = last;
	r = change_parse("running.yaml", last, strlen(last), model, &parsed, err);
	change_fini(&parsed);
	return r ?: change_configuration(daemon, model, text, true, &at_start, change, err);
}

/*
 * Beside a data plane that is there, a world that has moved away from the configuration is no
 * reason not to run: what can be reached is served. Nor is a file that asks for what cannot be:
 * then the one before stays.
 */
static int put_first_in_force(struct daemon *daemon, struct model **model, char **text, bool fresh,
			      struct change *change, struct err *err)
{
	int r = change_configuration(daemon, model, text, false, &at_start, change, err);
	struct err first = *err;

	if (!r || fresh)
		return r;
	log_error("%s", first.text);
	r = change_configuration(daemon, model, text, true, &at_start, change, err);
	if (!r) {
		log_error("in force all the same, but for that; mend it, then: weir apply");
		return 0;
	}
	r = keep_last(daemon, model, text, change, err);
	if (r < 0) {
		*err = first;
		return r;
	}
	refuse_file(daemon);
	return 0;
}

/* What the file says may be what nobody has confirmed: then what was before is in its place. */
static int resume(struct daemon *daemon, struct model **model, char **text, struct err *err)
{
	const char *config = daemon->options->config;
	_cleanup_(change_fini) struct change change = {};
	_cleanup_(model_freep) struct model *before = NULL;
	_cleanup_(freep) char *other = NULL;
	int r = confirm_resume(daemon->options->instance, *text, &daemon->state.overrides, &other,
			       err);

	if (r < 0 || !other)
		return r;
	r = change_parse("the configuration before", other, strlen(other), &before, &change, err);
	if (r < 0)
		return r;
	if (strcmp(other, *text))
		log_error("%s is NOT in force: it holds a change that nobody has confirmed; if it "
			  "is meant: weir apply",
			  config);
	model_free(*model);
	*model = take_ptr(before);
	free(*text);
	*text = take_ptr(other);
	return 0;
}

/* Everything up to a configuration in force. */
static int begin(struct daemon *daemon, bool *ret_fresh, struct err *err)
{
	const char *instance = daemon->options->instance;
	_cleanup_(change_fini) struct change change = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL;
	struct capacity capacity;
	bool fresh;
	int r;

	r = load_configuration(daemon, &model, &text, err);
	r = r ?: state_load(instance, &daemon->state, err);
	r = r ?: resume(daemon, &model, &text, err);
	overrides_expire(&daemon->state.overrides, time(NULL));
	r = r ?: watch_signals(daemon, err);
	r = r ?: nl_new(&daemon->nl, err);
	if (r < 0)
		return r;
	capacity = capacity_for(model);
	r = object_load(instance, &capacity, &daemon->object, &fresh, err);
	if (r < 0)
		return r;
	*ret_fresh = fresh;
	object_wait(); /* what the last daemon retired may still be in use */
	r = sync_adopt(daemon->object, &daemon->plan, err);
	r = r ?: checkup_start(daemon, err);
	r = r ?: naming_start(daemon, err);
	r = r ?: locating_start(daemon, err);
	r = r ?: metrics_start(daemon, err);
	r = r ?: workers_start(daemon, &daemon->spawner, err);
	if (r < 0)
		return r;
	if (!fresh && !interfaces_any(daemon, model))
		log_warning("attached to no interface; weir attach IF");
	else if (!interfaces_any(daemon, model))
		return err_set(err, -EBADMSG,
			       "no interface to attach to: name one with -i, or under 'interfaces' "
			       "in %s",
			       daemon->options->config);
	r = put_first_in_force(daemon, &model, &text, fresh, &change, err);
	if (r < 0)
		return r;
	r = confirm_settle(instance, err);
	if (r < 0)
		return r;
	if (change.cleared)
		log_info("%u override%s cleared: the file has changed", change.cleared,
			 change.cleared == 1 ? "" : "s");
	return 0;
}

static void announce(const struct daemon *daemon, bool fresh)
{
	size_t endpoints = 0;

	vec_foreach(listener, &daemon->model->listeners)
		vec_foreach(group, &listener->groups)
			endpoints += group->endpoints.count;
	log_info("ready: %zu listener%s, %zu endpoint%s, %s", daemon->model->listeners.count,
		 daemon->model->listeners.count == 1 ? "" : "s", endpoints,
		 endpoints == 1 ? "" : "s",
		 fresh ? "new data plane" : "adopted the data plane that was there");
}

/* Takes back what was asked of the host. */
static void leave(struct daemon *daemon)
{
	struct addr_list none = {};

	if (daemon->plan)
		world_leave(daemon->nl, daemon->plan);
	world_unanswer(daemon->nl, &daemon->state.addresses, &none);
	vec_free(&daemon->state.addresses.list);
	state_save_addresses(daemon->options->instance, &daemon->state, NULL);
}

int daemon_run(const struct daemon_options *options, struct err *err)
{
	_cleanup_(daemon_fini) struct daemon daemon = { .options = options };
	_cleanup_(closep) int lock = -1;
	bool fresh = false;
	int r;

	r = spawner_start(&daemon.spawner, err);
	if (r < 0)
		return r;
	signal(SIGPIPE, SIG_IGN); /* whoever reads the log may go before the daemon does */
	allow_descriptors();
	r = caps_require(err);
	r = r ?: daemon_lock(options->instance, &lock, err);
	r = r ?: privileges_settle(options->instance, options->user, err);
	if (r < 0)
		return r;
	r = begin(&daemon, &fresh, err);
	r = r ?: admin_start(&daemon, err);
	r = r ?: upkeep_start(&daemon, err);
	if (r < 0) {
		if (fresh) { /* leave no half of a data plane behind */
			leave(&daemon);
			workers_end(options->instance);
			object_unpin(options->instance, NULL);
		}
		return r;
	}
	announce(&daemon, fresh);
	r = service_start(&daemon, err);
	if (r < 0)
		return r;
	r = loop_run(daemon.loop);
	if (r < 0)
		return err_set(err, r, "event loop: %s", strerror(-r));
	log_info("stopped; the data plane goes on without a daemon (remove it with: weir down)");
	return 0;
}

int daemon_prepare(const char *instance, const char *user, struct err *err)
{
	_cleanup_(closep) int lock = -1;
	int r = geteuid() ? 0 : daemon_lock(instance, &lock, err);

	return r ?: privileges_prepare(instance, user, err);
}

const struct model *daemon_model(const struct daemon *daemon)
{
	return daemon->expanded ?: daemon->model;
}

void daemon_stop(struct daemon *daemon)
{
	service_stopping();
	loop_stop(daemon->loop, 0);
}
