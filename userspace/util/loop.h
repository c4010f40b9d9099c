/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The event loop of a daemon: file descriptors, timers and signals, each with a function to call.
 * One thread, level-triggered epoll. Anything may be added, changed and removed inside a call,
 * also what is being called; what was removed is not called any more.
 */
#ifndef WEIR_UTIL_LOOP_H
#define WEIR_UTIL_LOOP_H

#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "util/cleanup.h"

struct loop;
struct loop_source;

/* `value` is what has happened: EPOLL* of a file descriptor, how often a timer has expired since
 * its last call, the number of a signal. */
struct loop_call {
	void (*function)(void *user, uint32_t value);
	void *user;
};

int loop_new(struct loop **ret);

/* Removes all sources as well. Not inside loop_run(). */
void loop_free(struct loop *loop);
DEFINE_CLEANUP(struct loop *, loop_free)

/* Watches for events (EPOLLIN, EPOLLOUT, 0 for errors only). The fd stays the caller's, who removes
 * the source before he closes it. `ret` may be NULL if it is never changed or removed. */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, struct loop_call call,
		struct loop_source **ret);

/* A timer that is not running yet. */
int loop_add_timer(struct loop *loop, struct loop_call call, struct loop_source **ret);

/* Takes the signals of a set to the loop: blocks them in this thread, and they stay blocked; a
 * child must unblock them before execve(). */
int loop_add_signals(struct loop *loop, const sigset_t *signals, struct loop_call call,
		     struct loop_source **ret);

/* NULL is fine. The source ends here. */
void loop_remove(struct loop_source *source);

/* Of a file descriptor: what to watch for from now on. */
int loop_set_events(struct loop_source *source, uint32_t events);

/* Of a timer: calls after `first` ms (0: at once), and from then on every `period` ms (0: once).
 * A running timer starts anew; an expiry that has not been called yet is forgotten. */
int loop_set_timer(struct loop_source *source, uint64_t first, uint64_t period);
int loop_stop_timer(struct loop_source *source);

/* Until loop_stop(): returns its code (>= 0), or -errno. */
int loop_run(struct loop *loop);

/* Ends loop_run() after the call underway. Before loop_run(): it returns at once. */
void loop_stop(struct loop *loop, int code);

#endif
