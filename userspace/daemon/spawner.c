// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/spawner.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/sandbox.h"
#include "net/passing.h"
#include "proxy/logger.h"
#include "proxy/worker.h"
#include "util/caps.h"
#include "util/cleanup.h"
#include "util/log.h"

#define NEEDED (1ull << CAP_SETUID | 1ull << CAP_SETGID)

/* A connection of a client takes one, and that to an endpoint another. Returns how many there are.
 */
static uint32_t allow_descriptors(void)
{
	struct rlimit limit = { 1024, 1024 };

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_max < UINT32_MAX ? limit.rlim_max : UINT32_MAX;
}

static void enter_sandbox(const struct spawner_order *order, const char *what)
{
	char name[16];
	int r;

	snprintf(name, sizeof(name), "weir-%s/%u", what, order->number);
	prctl(PR_SET_NAME, name, 0, 0, 0);
	r = sandbox_enter(order->uid, order->gid);
	if (r == 0)
		return;
	log_error("worker %u: cannot give up its privileges: %s", order->number, strerror(-r));
	_exit(1);
}

/* Beside the worker, and ends with it. */
static struct logger *start_logger(const struct spawner_order *order, int control)
{
	struct logger *logger;
	int r = logger_new(&logger);
	pid_t pid = r < 0 ? -1 : fork();

	if (!pid) {
		close(control);
		signal(SIGPIPE, SIG_IGN);
		enter_sandbox(order, "log");
		logger_serve(logger);
		_exit(0);
	}
	if (pid < 0) {
		log_error("worker %u: no process for its access log: %s", order->number,
			  strerror(r < 0 ? -r : errno));
		_exit(1);
	}
	logger_begin(logger);
	return logger;
}

/* In the child: never returns. */
static void become_worker(const struct spawner_order *order, int control)
{
	uint32_t descriptors = allow_descriptors();
	struct logger *logger;

	/* What a terminal says is for the daemon: workers end when they are told to. */
	setsid();
	logger = start_logger(order, control);
	enter_sandbox(order, "http");
	_exit(worker_run(control, order->number, descriptors, logger));
}

/* The process, or -errno. */
static int32_t spawn(const struct spawner_order *order, int control, int daemon)
{
	pid_t pid;

	if (!caps_has(CAP_SETUID) || !caps_has(CAP_SETGID))
		return -EPERM;
	if (!order->uid || !order->gid)
		return -EINVAL;
	pid = fork();
	if (!pid) {
		close(daemon);
		become_worker(order, control);
	}
	return pid < 0 ? -errno : pid;
}

/* Until the daemon ends. */
static void serve(int daemon)
{
	for (;;) {
		struct spawner_order order;
		int control = -1, count = 1;
		ssize_t size = passing_receive(daemon, &order, sizeof(order), &control, &count);
		int32_t answer = -EINVAL;

		if (size <= 0 && size != -EINTR)
			_exit(0);
		if (size == sizeof(order) && count == 1)
			answer = spawn(&order, control, daemon);
		closep(&control);
		if (size > 0)
			send(daemon, &answer, sizeof(answer), MSG_NOSIGNAL);
	}
}

int spawner_start(struct spawner *ret, struct err *err)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return err_set(err, -errno, "socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set(err, -errno, "fork: %s", strerror(errno));
	}
	if (!pid) {
		close(ends[0]);
		prctl(PR_SET_NAME, "weir-spawner", 0, 0, 0);
		setsid();
		signal(SIGCHLD, SIG_IGN); /* nobody waits for workers */
		signal(SIGPIPE, SIG_IGN);
		sandbox_keep(NEEDED);
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		serve(ends[1]);
	}
	close(ends[1]);
	*ret = (struct spawner){ .socket = ends[0], .pid = pid };
	return 0;
}

void spawner_stop(struct spawner *spawner)
{
	if (!spawner->pid)
		return;
	close(spawner->socket);
	waitpid(spawner->pid, NULL, 0);
	*spawner = (struct spawner){ .socket = -1 };
}

int spawner_spawn(const struct spawner *spawner, const struct spawner_order *order, int control,
		  pid_t *ret_pid, struct err *err)
{
	int32_t answer;
	ssize_t size;
	int r = passing_send(spawner->socket, order, sizeof(*order), &control, 1);

	if (r < 0)
		return err_set(err, r, "the process that starts workers is gone: %s", strerror(-r));
	size = recv(spawner->socket, &answer, sizeof(answer), 0);
	if (size != sizeof(answer))
		return err_set(err, -EPIPE, "the process that starts workers is gone");
	if (answer == -EPERM)
		return err_set(err, answer,
			       "cannot start workers for http listeners: run as root, or give the "
			       "daemon CAP_SETUID and CAP_SETGID");
	if (answer < 0)
		return err_set(err, answer, "cannot start a worker: %s", strerror(-answer));
	*ret_pid = answer;
	return 0;
}
