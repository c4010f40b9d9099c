// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the loop calls what is ready and nothing else, also when sources are removed, changed and
 * added while it is calling.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "util/loop.h"

#define SOURCES 8

static struct loop *loop;

/* One source of a test, and what its call does. */
struct probe {
	int fds[2]; /* [0] is watched, [1] the other end */
	struct loop_source *source;
	uint32_t value; /* of the last call */
	int calls;
	int stop_after; /* calls; 0: never */
	struct probe *removes;
};

static void record(void *user, uint32_t value)
{
	struct probe *probe = user;

	probe->calls++;
	probe->value = value;
	if (probe->removes) {
		loop_remove(probe->removes->source);
		probe->removes->source = NULL;
		probe->removes = NULL;
	}
	if (probe->calls == probe->stop_after)
		loop_stop(loop, 7);
}

static struct loop_call call_of(struct probe *probe)
{
	return (struct loop_call){ record, probe };
}

static void probe_open(struct probe *probe, uint32_t events)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, probe->fds), 0);
	cr_assert_eq(loop_add_fd(loop, probe->fds[0], events, call_of(probe), &probe->source), 0);
}

static void probe_close(struct probe *probe)
{
	loop_remove(probe->source);
	close(probe->fds[0]);
	close(probe->fds[1]);
}

static void probe_wake(struct probe *probe)
{
	cr_assert_eq(write(probe->fds[1], "x", 1), 1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Runs the loop for a while, and ends the test if it ended otherwise. */
static void run_for(uint64_t ms)
{
	struct probe end = { .stop_after = 1 };

	cr_assert_eq(loop_add_timer(loop, call_of(&end), &end.source), 0);
	cr_assert_eq(loop_set_timer(end.source, ms, 0), 0);
	cr_assert_eq(loop_run(loop), 7);
	cr_assert_eq(end.calls, 1);
	loop_remove(end.source);
}

static void setup(void)
{
	cr_assert_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
	loop_free(loop);
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 20);

/* 1: an fd is called while it is ready, with what it is ready for; changed and removed it obeys. */
Test(loop, fd)
{
	struct probe probe = { .stop_after = 1 };

	probe_open(&probe, EPOLLIN);
	probe_wake(&probe);
	cr_expect_eq(loop_run(loop), 7);
	cr_expect_eq(probe.value, EPOLLIN);
	probe.stop_after = 3;
	cr_expect_eq(loop_run(loop), 7, "level-triggered");
	cr_assert_eq(loop_set_events(probe.source, 0), 0);
	run_for(30);
	cr_expect_eq(probe.calls, 3);
	cr_assert_eq(loop_set_events(probe.source, EPOLLOUT), 0);
	probe.stop_after = 4;
	cr_expect_eq(loop_run(loop), 7);
	cr_expect_eq(probe.value, EPOLLOUT);
	loop_remove(probe.source);
	probe.source = NULL;
	run_for(30);
	cr_expect_eq(probe.calls, 4);
	probe_close(&probe);
}

/* 2: a hang-up is reported even where no event is asked for. */
Test(loop, hangup)
{
	struct probe probe = { .stop_after = 1 };

	probe_open(&probe, 0);
	shutdown(probe.fds[1], SHUT_RDWR);
	cr_expect_eq(loop_run(loop), 7);
	cr_expect(probe.value & EPOLLHUP);
	probe_close(&probe);
}

/* 3: of several ready sources, each removes the next: none that was removed is called, whatever
 * the order of the batch. */
Test(loop, remove_another)
{
	struct probe probes[SOURCES] = {};
	int called = 0;

	for (int i = 0; i < SOURCES; i++)
		probe_open(&probes[i], EPOLLIN);
	for (int i = 0; i < SOURCES; i++) {
		probes[i].removes = &probes[(i + 1) % SOURCES];
		probe_wake(&probes[i]);
	}
	run_for(30);
	for (int i = 0; i < SOURCES; i++) {
		bool removed = !probes[i].source;

		called += probes[i].calls > 0;
		cr_expect_neq(removed, probes[i].calls > 1, "source %d", i);
		probe_close(&probes[i]);
	}
	cr_expect_geq(called, 1);
	cr_expect_lt(called, SOURCES);
}

/* 4: a source may remove itself, and its fd number may be used again at once. */
static void replace_self(void *user, uint32_t value)
{
	struct probe *probe = user;
	struct probe *fresh = probe->removes;

	(void)value;
	probe->calls++;
	probe_close(probe);
	probe->source = NULL;
	probe_open(fresh, EPOLLIN);
	cr_expect_eq(fresh->fds[0], probe->fds[0], "the test needs the same number");
	probe_wake(fresh);
}

Test(loop, remove_itself)
{
	struct probe fresh = { .stop_after = 1 }, probe = { .removes = &fresh };

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, probe.fds), 0);
	cr_assert_eq(loop_add_fd(loop, probe.fds[0], EPOLLIN,
				 (struct loop_call){ replace_self, &probe }, &probe.source),
		     0);
	probe_wake(&probe);
	cr_expect_eq(loop_run(loop), 7);
	cr_expect_eq(probe.calls, 1);
	cr_expect_eq(fresh.calls, 1);
	probe_close(&fresh);
}

/* 5: a one-shot timer is called once, not early; 0 ms is at once. */
Test(loop, timer_once)
{
	struct probe probe = { .stop_after = 1 };
	uint64_t start = now_ms();

	cr_assert_eq(loop_add_timer(loop, call_of(&probe), &probe.source), 0);
	cr_assert_eq(loop_set_timer(probe.source, 50, 0), 0);
	cr_expect_eq(loop_run(loop), 7);
	cr_expect_geq(now_ms() - start, 50);
	cr_expect_eq(probe.value, 1);
	run_for(80);
	cr_expect_eq(probe.calls, 1);
	probe.stop_after = 2;
	cr_assert_eq(loop_set_timer(probe.source, 0, 0), 0);
	cr_expect_eq(loop_run(loop), 7);
}

/* 6: a periodic timer is called again and again, and says how many periods it has missed. */
Test(loop, timer_periodic)
{
	struct probe probe = { .stop_after = 3 };
	uint64_t start = now_ms();

	cr_assert_eq(loop_add_timer(loop, call_of(&probe), &probe.source), 0);
	cr_assert_eq(loop_set_timer(probe.source, 10, 20), 0);
	cr_expect_eq(loop_run(loop), 7);
	cr_expect_geq(now_ms() - start, 50);
	nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
	probe.stop_after = 4;
	cr_expect_eq(loop_run(loop), 7);
	cr_expect_geq(probe.value, 4);
	cr_assert_eq(loop_stop_timer(probe.source), 0);
	run_for(50);
	cr_expect_eq(probe.calls, 4);
}

/* 7: a timer that has expired but is set anew by an earlier call of the batch is not called. */
static void postpone(void *user, uint32_t value)
{
	struct probe *fd = user;

	(void)value;
	fd->calls++;
	cr_assert_eq(loop_set_timer(fd->removes->source, 60 * 1000, 0), 0);
	loop_remove(fd->source);
	fd->source = NULL;
}

Test(loop, timer_set_anew)
{
	struct probe timer = {}, fd = { .removes = &timer };

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd.fds), 0);
	cr_assert_eq(loop_add_fd(loop, fd.fds[0], EPOLLIN, (struct loop_call){ postpone, &fd },
				 &fd.source),
		     0);
	cr_assert_eq(loop_add_timer(loop, call_of(&timer), &timer.source), 0);
	probe_wake(&fd);
	nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
	cr_assert_eq(loop_set_timer(timer.source, 0, 0), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
	run_for(30);
	cr_expect_eq(fd.calls, 1);
	cr_expect_eq(timer.calls, 0);
	probe_close(&fd);
}

/* 8: signals come as calls, with their number. */
Test(loop, signals)
{
	struct probe probe = { .stop_after = 2 };
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGHUP);
	cr_assert_eq(loop_add_signals(loop, &signals, call_of(&probe), &probe.source), 0);
	raise(SIGHUP);
	raise(SIGUSR1);
	cr_expect_eq(loop_run(loop), 7);
	cr_expect_eq(probe.value, SIGUSR1);
	loop_remove(probe.source);
	raise(SIGUSR1);
	run_for(20);
	cr_expect_eq(probe.calls, 2, "blocked, not deadly");
}

/* 9: stopped before it runs it returns at once; afterwards it runs again. */
Test(loop, stop_before_run)
{
	loop_stop(loop, 3);
	cr_expect_eq(loop_run(loop), 3);
	run_for(1);
}

/* 10: what epoll refuses is an error, and nothing leaks. */
Test(loop, refused)
{
	struct loop_source *source = NULL;
	struct probe probe = {};

	cr_expect_eq(loop_add_fd(loop, -1, EPOLLIN, call_of(&probe), &source), -EBADF);
	cr_expect_null(source);
	loop_remove(NULL);
	loop_free(NULL);
	cr_assert_eq(loop_add_timer(loop, call_of(&probe), NULL), 0);
}
