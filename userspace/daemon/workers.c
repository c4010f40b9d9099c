// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/workers.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <weir/names.h>

#include "daemon/daemon.h"
#include "daemon/logfile.h"
#include "daemon/sandbox.h"
#include "dataplane/routing.h"
#include "dataplane/steer.h"
#include "net/passing.h"
#include "proxy/snapshot.h"
#include "proxy/tally.h"
#include "proxy/whereabouts.h"
#include "proxy/worker.h"
#include "util/log.h"

#define SOCKET_PREFIX "http-"
#define PATH_ROOM     512
#define BACKLOG	      4096
#define UNSENT_MAX    (128 << 10) /* bytes that wait for a client to take what is on its way */
#define AGAIN_MS      1000	  /* until what has failed is tried again */
#define SHORT_MS      1000	  /* who lives no longer than this is not replaced at once */
#define READY_MS      10000	  /* how long a change waits for workers */

struct worker {
	struct workers *workers;
	uint32_t place;
	pid_t pid; /* 0: not started */
	int control;
	int listening; /* until it is ready: connections are led there only then */
	bool ready;    /* it serves */
	bool routing;  /* it has what the kernel routes requests by */
	uint64_t acknowledged;
	uint64_t started; /* ms */
	char path[PATH_ROOM];
	struct loop_source *source;
};

struct workers {
	struct daemon *daemon;
	const struct spawner *spawner;
	struct loop_source *again;
	struct worker *list; /* `count` of them */
	uint32_t count;
	bool wanted;	 /* some listener is served by them */
	bool left;	 /* by a daemon before: to be drained */
	uint16_t port;	 /* their sockets' own, where nobody connects to */
	uint32_t serial; /* of control sockets */
	uint64_t number; /* of the last snapshot */
	int snapshot;
	int whereabouts;		     /* of clients, beside it; -1: it does not ask */
	struct bounds *trees[PLAN_FAMILIES]; /* that they are of: references */
	struct tally *tally;		     /* NULL: none yet */
	int log;			     /* the access log; -1: none */
	char complaint[sizeof(((struct err *)0)->text)]; /* said once */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static uint32_t count_cpus(void)
{
	cpu_set_t cpus;
	int count = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);

	return count < (int)WEIR_MAX_WORKERS ? count : (int)WEIR_MAX_WORKERS;
}

static bool has_http(const struct model *model)
{
	vec_foreach(listener, &model->listeners)
		if (listener->http)
			return true;
	return false;
}

static bool wants_routing(const struct model *model)
{
	vec_foreach(listener, &model->listeners)
		if (listener->http && listener->http->kernel_routing)
			return true;
	return false;
}

static const char *user_name(const struct daemon *daemon)
{
	return daemon->options->http_user ?: WORKERS_USER;
}

static int find_user(const struct daemon *daemon, struct spawner_order *ret, struct err *err)
{
	const char *name = user_name(daemon);
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user)
		return err_set(err, -EINVAL,
			       "http listeners are served by workers without privileges, and there "
			       "is no user '%s' for them to run as; make one: useradd --system "
			       "--no-create-home --shell /usr/sbin/nologin %s (or name another: "
			       "weir run --http-user NAME)",
			       name, name);
	if (!user->pw_uid || !user->pw_gid)
		return err_set(
			err, -EINVAL,
			"workers of http listeners do not run as '%s', which has privileges; "
			"name another user: weir run --http-user NAME",
			name);
	ret->uid = user->pw_uid;
	ret->gid = user->pw_gid;
	return 0;
}

/* ---- sockets ---- */

static void set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/*
 * Where connections are led to: the address that it is bound to does not matter, and is one that
 * nobody reaches; bound to one of IPv6 a socket would take no IPv4. All of them are one group, as
 * the kernel's SYN cookies want it.
 */
static int open_listening(struct workers *workers, struct err *err)
{
	_cleanup_(closep) int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(workers->port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons(workers->port),
				    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(six);
	bool only4 = fd < 0 && errno == EAFNOSUPPORT; /* a host without IPv6 */

	if (only4)
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &six.sin6_addr);
	set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX);
	if (only4) {
		set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	} else {
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
		set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	}
	if ((only4 ? bind(fd, (struct sockaddr *)&four, sizeof(four))
		   : bind(fd, (struct sockaddr *)&six, sizeof(six))) ||
	    listen(fd, BACKLOG) || getsockname(fd, (struct sockaddr *)&six, &size))
		return err_set(err, -errno, "a socket for workers: %s", strerror(errno));
	workers->port = ntohs(six.sin6_port);
	return take_fd(&fd);
}

static void run_path(const char *instance, const char *name, char path[PATH_ROOM])
{
	snprintf(path, PATH_ROOM, WEIR_RUN_DIR "/%s/%s", instance, name);
}

/* Is it the control socket of a worker, and of whose daemon? */
static bool is_control(const char *name, pid_t *ret_daemon)
{
	unsigned serial;
	int end = 0;

	return sscanf(name, SOCKET_PREFIX "%d-%u.sock%n", ret_daemon, &serial, &end) == 2 && end &&
	       !name[end];
}

/* Tells all workers of an instance but those of the daemon `own`; a socket that nobody listens on
 * any more is removed. `file` (-1: none) goes with it. */
static void tell_others(const char *instance, uint32_t order, pid_t own, int file)
{
	const struct worker_message message = { .order = order };
	char path[PATH_ROOM];
	struct dirent *entry;
	DIR *directory;

	run_path(instance, "", path);
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		_cleanup_(closep) int fd = -1;
		pid_t daemon;

		if (!is_control(entry->d_name, &daemon) || daemon == own)
			continue;
		run_path(instance, entry->d_name, path);
		fd = passing_connect(path);
		if (fd == -ECONNREFUSED || order == WORKER_END)
			unlink(path);
		if (fd >= 0)
			passing_send(fd, &message, sizeof(message), &file, file >= 0);
	}
	closedir(directory);
}

void workers_end(const char *instance)
{
	char path[TALLY_PATH_MAX];

	tell_others(instance, WORKER_END, 0, -1);
	unlink(tally_path(instance, path));
}

/* ---- one worker ---- */

static void forget(struct worker *worker)
{
	loop_remove(take_ptr(worker->source));
	closep(&worker->control);
	closep(&worker->listening);
	worker->control = worker->listening = -1;
	worker->pid = 0;
	worker->ready = worker->routing = false;
}

/* Where a listener asks for it, before the snapshot. Without it all are served by the worker. */
static void send_routing(struct worker *worker)
{
	const struct worker_message message = { .order = WORKER_ROUTING };
	int fds[ROUTING_MAPS];
	struct err err = {};
	int r;

	if (worker->routing || !wants_routing(daemon_model(worker->workers->daemon)))
		return;
	worker->routing = true;
	if (routing_load(fds, &err) < 0) {
		log_error("kernel_routing: the kernel routes no requests: %s", err.text);
		return;
	}
	r = passing_send(worker->control, &message, sizeof(message), fds, ROUTING_MAPS);
	if (r < 0)
		log_error("kernel_routing: worker %u: %s", worker->place, strerror(-r));
	for (int i = 0; i < ROUTING_MAPS; i++)
		close(fds[i]);
}

static int send_snapshot(struct worker *worker)
{
	struct workers *workers = worker->workers;
	const struct capacity *capacity = &workers->daemon->object->capacity;
	struct worker_message message = {
		.order = WORKER_SNAPSHOT,
		.listeners = capacity->of[CAPACITY_LISTENERS],
		.endpoints = capacity->of[CAPACITY_ROWS],
		.regions = workers->whereabouts >= 0,
		.number = workers->number,
	};
	int counters[STEER_COUNTERS], fds[PASSING_MAX], count = 0;
	int r = steer_open_counters(workers->daemon->object, counters, NULL);

	if (r < 0)
		return r;
	send_routing(worker);
	fds[count++] = workers->snapshot;
	for (int i = 0; i < STEER_COUNTERS; i++)
		fds[count++] = counters[i];
	if (message.regions)
		fds[count++] = workers->whereabouts;
	if (workers->log >= 0)
		fds[count++] = workers->log;
	r = passing_send(worker->control, &message, sizeof(message), fds, count);
	steer_close_counters(counters);
	return r;
}

/* Where there is none it serves all the same. */
static int send_tally(struct worker *worker)
{
	struct tally *tally = worker->workers->tally;
	struct worker_message message = { .order = WORKER_TALLY };
	_cleanup_(closep) int fd = -1;
	uint32_t block;

	if (!tally)
		return 0;
	fd = tally_lend(tally, &block);
	if (fd < 0) {
		log_error("worker %u: cannot count rules and refusals: %s", worker->place,
			  strerror(-fd));
		return 0;
	}
	message.number = block;
	return passing_send(worker->control, &message, sizeof(message), &fd, 1);
}

static int put_in_place(struct worker *worker, struct err *err)
{
	int r;

	if (worker->listening < 0)
		return 0;
	r = steer_place(worker->workers->daemon->object, worker->place, worker->listening, err);
	close(take_fd(&worker->listening));
	return r;
}

static void die(struct worker *worker);

/* What it says; false when it has ended. */
static bool hear(struct worker *worker)
{
	struct worker_answer answer;
	struct err err = {};
	int none = 0;
	ssize_t size;

	while ((size = passing_receive(worker->control, &answer, sizeof(answer), &none, &none)) ==
	       sizeof(answer)) {
		worker->acknowledged = answer.number;
		if (answer.error)
			log_error("worker %u: cannot take the configuration: %s", worker->place,
				  strerror(-answer.error));
		if (!answer.error && put_in_place(worker, &err) < 0)
			log_error("worker %u: %s", worker->place, err.text);
		worker->ready |= !answer.error;
	}
	return size == -EAGAIN || size == -EINTR;
}

static void on_worker(void *user, uint32_t events)
{
	(void)events;
	if (!hear(user))
		die(user);
}

static int start(struct worker *worker, struct err *err)
{
	struct workers *workers = worker->workers;
	struct spawner_order order = { .number = worker->place };
	struct worker_message message = { .order = WORKER_LISTEN };
	_cleanup_(closep) int control = -1;
	char name[64];
	int r = find_user(workers->daemon, &order, err);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), SOCKET_PREFIX "%d-%u.sock", getpid(), workers->serial++);
	run_path(workers->daemon->options->instance, name, worker->path);
	worker->started = now_ms();
	control = passing_listen(worker->path, err);
	if (control < 0)
		return control;
	r = spawner_spawn(workers->spawner, &order, control, &worker->pid, err);
	if (r < 0)
		return r;
	worker->control = passing_connect(worker->path);
	worker->listening = open_listening(workers, err);
	if (worker->listening < 0)
		return worker->listening;
	r = worker->control < 0 ? worker->control
				: passing_send(worker->control, &message, sizeof(message),
					       &worker->listening, 1);
	r = r ?: send_tally(worker);
	r = r ?: send_snapshot(worker);
	r = r
		    ?: loop_add_fd(workers->daemon->loop, worker->control, EPOLLIN,
				   (struct loop_call){ on_worker, worker }, &worker->source);
	return r < 0 ? err_set(err, r, "worker %u: %s", worker->place, strerror(-r)) : 0;
}

/* Starts those that are not there; what fails is tried again. */
static void start_missing(struct workers *workers)
{
	for (uint32_t i = 0; i < workers->count; i++) {
		struct worker *worker = &workers->list[i];
		struct err err = {};

		if (worker->pid)
			continue;
		if (!start(worker, &err)) {
			workers->complaint[0] = '\0';
			continue;
		}
		forget(worker);
		unlink(worker->path);
		if (strcmp(workers->complaint, err.text))
			log_error("%s", err.text);
		memcpy(workers->complaint, err.text, sizeof(workers->complaint));
		loop_set_timer(workers->again, AGAIN_MS, 0);
	}
}

static void die(struct worker *worker)
{
	struct workers *workers = worker->workers;
	bool early = now_ms() - worker->started < SHORT_MS;

	log_warning("worker %u (pid %d) has died; its connections are gone, another takes its "
		    "place",
		    worker->place, worker->pid);
	forget(worker);
	unlink(worker->path);
	if (early)
		loop_set_timer(workers->again, AGAIN_MS, 0);
	else
		start_missing(workers);
}

static void on_again(void *user, uint32_t expirations)
{
	struct workers *workers = user;

	(void)expirations;
	if (workers->wanted)
		start_missing(workers);
}

/* ---- all of them ---- */

int workers_start(struct daemon *daemon, const struct spawner *spawner, struct err *err)
{
	struct workers *workers = calloc(1, sizeof(*workers));
	int r;

	if (!workers)
		return err_set(err, -ENOMEM, "out of memory");
	daemon->workers = workers;
	*workers = (struct workers){
		.daemon = daemon,
		.spawner = spawner,
		.snapshot = -1,
		.whereabouts = -1,
		.log = -1,
		.left = true,
	};
	r = loop_add_timer(daemon->loop, (struct loop_call){ on_again, workers }, &workers->again);
	return r < 0 ? err_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

static void forget_whereabouts(struct workers *workers)
{
	closep(&workers->whereabouts);
	workers->whereabouts = -1;
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		bounds_unref(workers->trees[family]);
		workers->trees[family] = NULL;
	}
}

/* They go on without the daemon. */
void workers_stop(struct daemon *daemon)
{
	struct workers *workers = daemon->workers;

	if (!workers)
		return;
	for (uint32_t i = 0; i < workers->count; i++)
		forget(&workers->list[i]);
	loop_remove(workers->again);
	closep(&workers->snapshot);
	forget_whereabouts(workers);
	closep(&workers->log);
	tally_free(workers->tally);
	free(workers->list);
	free(workers);
	daemon->workers = NULL;
}

int workers_check(const struct daemon *daemon, const struct model *model, struct err *err)
{
	struct spawner_order order = {};
	_cleanup_(closep) int log = -1;
	int r = has_http(model) ? find_user(daemon, &order, err) : 0;

	if (r < 0 || !model->access_log)
		return r;
	log = logfile_open(model->access_log, err);
	return log < 0 ? log : 0;
}

/* As the configuration has it; where that fails there is none. */
static int open_log(struct workers *workers, struct err *err)
{
	const char *path = daemon_model(workers->daemon)->access_log;

	closep(&workers->log);
	workers->log = path ? logfile_open(path, err) : -1;
	return path && workers->log < 0 ? workers->log : 0;
}

/* Also those that a daemon before has left, while they drain. */
void workers_reopen(struct daemon *daemon)
{
	struct workers *workers = daemon->workers;
	struct err err = {};

	if (open_log(workers, &err) < 0)
		log_error("%s", err.text);
	if (workers->log >= 0)
		tell_others(daemon->options->instance, WORKER_LOG, 0, workers->log);
}

static int name_endpoint(struct tally *tally, const struct listener *listener,
			 const struct endpoint_group *group, const struct endpoint *endpoint)
{
	const struct tally_name name = {
		.listener = listener->name,
		.group = group->name,
		.endpoint = endpoint->name,
		.address = &endpoint->address,
		.port = endpoint->port ?: listener->ports.items[0].first,
	};

	if (!endpoint->max_connections && !group->passive_health.failures)
		return 0;
	return tally_name_endpoint(tally, &name);
}

static int name_rows_of(struct tally *tally, const struct listener *listener)
{
	int r = tally_name_listener(tally, listener->name);

	vec_foreach(rule, &listener->http->rules)
		r = r < 0 ? r : tally_name_rule(tally, listener->name, rule);
	vec_foreach(group, &listener->groups)
		vec_foreach(endpoint, &group->endpoints)
			r = r < 0 ? r : name_endpoint(tally, listener, group, endpoint);
	return r;
}

/* Rows for all that a snapshot may count, before workers have it. */
static int name_rows(struct workers *workers, struct err *err)
{
	const struct daemon *daemon = workers->daemon;
	char path[TALLY_PATH_MAX];
	int r = 0;

	if (!workers->tally)
		r = tally_make(tally_path(daemon->options->instance, path), &workers->tally, err);
	if (r < 0)
		return r;
	vec_foreach(listener, &daemon_model(daemon)->listeners) {
		if (!listener->http)
			continue;
		r = name_rows_of(workers->tally, listener);
		if (r < 0)
			return err_set(err, r,
				       "listener %s: its rules and refusals are not counted, and "
				       "max_connections and passive_health do nothing: %s",
				       listener->name, strerror(-r));
	}
	return 0;
}

struct tally *workers_tally(const struct daemon *daemon)
{
	return daemon->workers ? daemon->workers->tally : NULL;
}

/* Those that there are stay while the plan's trees are the same: they can be large. */
static int take_whereabouts(struct workers *workers, const struct snapshot *snapshot,
			    struct err *err)
{
	struct bounds *const *trees = workers->daemon->plan->clients;
	int r;

	if (!snapshot_asks_regions(snapshot)) {
		forget_whereabouts(workers);
		return 0;
	}
	if (workers->whereabouts >= 0 && !memcmp(workers->trees, trees, sizeof(workers->trees)))
		return 0;
	forget_whereabouts(workers);
	r = whereabouts_seal(trees, &workers->whereabouts, err);
	for (int family = 0; !r && family < PLAN_FAMILIES; family++)
		workers->trees[family] = bounds_ref(trees[family]);
	return r;
}

static int take_snapshot(struct workers *workers, struct err *err)
{
	struct daemon *daemon = workers->daemon;
	_cleanup_(snapshot_freep) struct snapshot *snapshot =
		snapshot_new(daemon->text, daemon_model(daemon), daemon->plan);
	int fd, r;

	if (!snapshot)
		return err_set(err, -ENOMEM, "out of memory");
	r = take_whereabouts(workers, snapshot, err);
	r = r ?: snapshot_seal(snapshot, &fd, err);
	if (r < 0)
		return r;
	closep(&workers->snapshot);
	workers->snapshot = fd;
	workers->number++;
	return 0;
}

static int make_list(struct workers *workers)
{
	uint32_t count = count_cpus();

	if (workers->list)
		return 0;
	workers->list = calloc(count, sizeof(*workers->list));
	if (!workers->list)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		workers->list[i] = (struct worker){
			.workers = workers, .place = i, .control = -1, .listening = -1
		};
	workers->count = count;
	return 0;
}

static bool all_follow(const struct workers *workers)
{
	for (uint32_t i = 0; i < workers->count; i++)
		if (workers->list[i].pid && workers->list[i].acknowledged < workers->number)
			return false;
	return true;
}

/* Until all serve by the snapshot. */
static void await(struct workers *workers)
{
	uint64_t deadline = now_ms() + READY_MS;
	struct pollfd fds[WEIR_MAX_WORKERS];

	while (!all_follow(workers) && now_ms() < deadline) {
		for (uint32_t i = 0; i < workers->count; i++)
			fds[i] =
				(struct pollfd){ .fd = workers->list[i].control, .events = POLLIN };
		poll(fds, workers->count, (int)(deadline - now_ms()));
		for (uint32_t i = 0; i < workers->count; i++)
			if (fds[i].revents && !hear(&workers->list[i]))
				die(&workers->list[i]);
	}
	if (!all_follow(workers))
		log_warning("workers of http listeners have not taken the configuration yet");
}

/* No listener needs them any more. */
static void dismiss(struct workers *workers)
{
	const struct worker_message message = { .order = WORKER_DRAIN };

	steer_detach(workers->daemon->object, NULL);
	steer_count(workers->daemon->object, 0);
	for (uint32_t i = 0; i < workers->count; i++) {
		struct worker *worker = &workers->list[i];

		if (worker->pid)
			passing_send(worker->control, &message, sizeof(message), NULL, 0);
		forget(worker);
	}
}

static int serve(struct workers *workers, bool wait, struct err *err)
{
	struct object *object = workers->daemon->object;
	struct err unlogged = {}, uncounted = {};
	int r = make_list(workers);

	if (r < 0)
		return err_set(err, r, "out of memory");
	r = take_snapshot(workers, err);
	if (r < 0)
		return r;
	if (open_log(workers, &unlogged) < 0)
		log_error("%s", unlogged.text);
	if (name_rows(workers, &uncounted) < 0)
		log_error("%s", uncounted.text);
	for (uint32_t i = 0; i < workers->count; i++)
		if (workers->list[i].pid)
			send_snapshot(&workers->list[i]);
	start_missing(workers);
	if (wait)
		await(workers);
	object_settle(object);
	steer_count(object, workers->count);
	return steer_attach(object, err);
}

void workers_follow(struct daemon *daemon, bool wait)
{
	struct workers *workers = daemon->workers;
	const char *instance = daemon->options->instance;
	struct err err = {};

	if (!has_http(daemon_model(daemon))) {
		if (workers->wanted || workers->left)
			dismiss(workers);
		if (workers->left)
			tell_others(instance, WORKER_DRAIN, getpid(), -1);
		workers->wanted = workers->left = false;
		return;
	}
	workers->wanted = true;
	if (serve(workers, wait, &err) < 0)
		log_error("http listeners: %s", err.text);
	if (workers->left)
		tell_others(instance, WORKER_DRAIN, getpid(), -1);
	workers->left = false;
}
