/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A channel of c-ares on the event loop: its questions, and its sockets to name servers. Used by
 * resolver.c.
 *
 * All questions of a channel that need a stream share one to each server, so that an answer without
 * an end stands in the way of the others. A channel may therefore refuse streams: a question that
 * needs one fails, and is asked again by a channel of its own.
 */
#ifndef WEIR_DNS_CHANNEL_H
#define WEIR_DNS_CHANNEL_H

#include <ares.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "util/loop.h"

struct channel_watched;
LIST_HEAD(channel_watched_list, channel_watched);

struct channel_calls {
	void (*served)(void *user); /* its sockets have been, and callers answered */
	void *user;
};

struct channel {
	LIST_ENTRY(channel) entry; /* the owner's */
	ares_channel ares;
	struct loop *loop;
	struct channel_calls calls;
	struct channel_watched_list watched;
	bool streams;	  /* may it have any? */
	unsigned refused; /* streams so far */
	bool streamed;	  /* has it had one? */
	bool over;	  /* the owner's: to be freed once nobody is in a call of it */
};

/* ARES_SUCCESS, or why not; its servers are the host's. */
int channel_new(struct loop *loop, bool streams, const struct channel_calls *calls,
		struct channel **ret);

/* Answers what is open with ARES_EDESTRUCTION. Not within an answer. NULL is fine. */
void channel_free(struct channel *channel);

/* Asks again, or gives up, where the time for an answer is over. */
void channel_on_time(struct channel *channel);

/* ms until channel_on_time() has something to do; UINT64_MAX: nothing is open. */
uint64_t channel_wait(const struct channel *channel);

#endif
