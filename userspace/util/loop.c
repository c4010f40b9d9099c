// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * epoll hands out a batch of events, and a call may remove the source of a later one. So a removed
 * source leaves epoll at once and is marked, but its memory stays until the batch is over.
 */
#include "util/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BATCH 64 /* events per epoll_wait() */

enum kind {
	KIND_FD,
	KIND_TIMER,
	KIND_SIGNALS,
};

struct loop_source {
	LIST_ENTRY(loop_source) entry;
	struct loop *loop;
	struct loop_call call;
	enum kind kind;
	int fd; /* ours unless KIND_FD */
	bool removed;
};

LIST_HEAD(source_list, loop_source);

struct loop {
	int epoll;
	struct source_list sources;
	struct source_list removed; /* to be freed after the batch */
	bool stopped;
	int code;
};

static void source_free(struct loop_source *source)
{
	if (source->kind != KIND_FD)
		closep(&source->fd);
	free(source);
}

static void free_all(struct source_list *list)
{
	struct loop_source *source;

	while ((source = LIST_FIRST(list))) {
		LIST_REMOVE(source, entry);
		source_free(source);
	}
}

int loop_new(struct loop **ret)
{
	_cleanup_(freep) struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	LIST_INIT(&loop->sources);
	LIST_INIT(&loop->removed);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	*ret = take_ptr(loop);
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	free_all(&loop->sources);
	free_all(&loop->removed);
	closep(&loop->epoll);
	free(loop);
}

/* Takes the fd over, also when it fails, unless it is the caller's (KIND_FD). */
static int add(struct loop *loop, enum kind kind, int fd, uint32_t events, struct loop_call call,
	       struct loop_source **ret)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	struct epoll_event event = { .events = events, .data.ptr = source };
	int r;

	if (!source) {
		if (kind != KIND_FD)
			close(fd);
		return -ENOMEM;
	}
	*source = (struct loop_source){ .loop = loop, .call = call, .kind = kind, .fd = fd };
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		r = -errno;
		source_free(source);
		return r;
	}
	LIST_INSERT_HEAD(&loop->sources, source, entry);
	if (ret)
		*ret = source;
	return 0;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, struct loop_call call,
		struct loop_source **ret)
{
	return add(loop, KIND_FD, fd, events, call, ret);
}

int loop_add_timer(struct loop *loop, struct loop_call call, struct loop_source **ret)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	return fd < 0 ? -errno : add(loop, KIND_TIMER, fd, EPOLLIN, call, ret);
}

int loop_add_signals(struct loop *loop, const sigset_t *signals, struct loop_call call,
		     struct loop_source **ret)
{
	int fd, r;

	r = pthread_sigmask(SIG_BLOCK, signals, NULL);
	if (r != 0)
		return -r;
	fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : add(loop, KIND_SIGNALS, fd, EPOLLIN, call, ret);
}

void loop_remove(struct loop_source *source)
{
	if (!source || source->removed)
		return;
	source->removed = true;
	epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	LIST_REMOVE(source, entry);
	LIST_INSERT_HEAD(&source->loop->removed, source, entry);
}

int loop_set_events(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

static struct timespec timespec_of(uint64_t ms)
{
	return (struct timespec){ .tv_sec = (time_t)(ms / 1000),
				  .tv_nsec = (long)(ms % 1000) * 1000000 };
}

static int set_timer(struct loop_source *source, const struct itimerspec *when)
{
	return timerfd_settime(source->fd, 0, when, NULL) < 0 ? -errno : 0;
}

int loop_set_timer(struct loop_source *source, uint64_t first, uint64_t period)
{
	struct itimerspec when = { .it_value = timespec_of(first),
				   .it_interval = timespec_of(period) };

	if (first == 0)
		when.it_value.tv_nsec = 1; /* all zero would stop it */
	return set_timer(source, &when);
}

int loop_stop_timer(struct loop_source *source)
{
	return set_timer(source, &(struct itimerspec){});
}

static void call(const struct loop_source *source, uint32_t value)
{
	source->call.function(source->call.user, value);
}

/* Nothing to read: an earlier call of the batch has set the timer anew. */
static void expire(struct loop_source *source)
{
	uint64_t times;

	if (read(source->fd, &times, sizeof(times)) == sizeof(times))
		call(source, times > UINT32_MAX ? UINT32_MAX : (uint32_t)times);
}

static void take_signals(struct loop_source *source)
{
	struct signalfd_siginfo info;

	while (!source->removed && !source->loop->stopped &&
	       read(source->fd, &info, sizeof(info)) == sizeof(info))
		call(source, info.ssi_signo);
}

static void dispatch(struct loop_source *source, uint32_t events)
{
	switch (source->kind) {
	case KIND_FD:
		call(source, events);
		break;
	case KIND_TIMER:
		expire(source);
		break;
	case KIND_SIGNALS:
		take_signals(source);
		break;
	}
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[BATCH];

	while (!loop->stopped) {
		int count = epoll_wait(loop->epoll, events, BATCH, -1);

		if (count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < count && !loop->stopped; i++) {
			struct loop_source *source = events[i].data.ptr;

			if (!source->removed)
				dispatch(source, events[i].events);
		}
		free_all(&loop->removed);
	}
	loop->stopped = false;
	return loop->code;
}

void loop_stop(struct loop *loop, int code)
{
	loop->stopped = true;
	loop->code = code;
}
