// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dns/channel.h"

#include <stdlib.h>
#include <sys/socket.h>

#define TRY_MS 1000 /* a server's time for an answer; twice as long for the next try */
#define TRIES  3

struct channel_watched {
	LIST_ENTRY(channel_watched) entry;
	struct channel *channel;
	struct loop_source *source;
	int fd;
};

static void on_socket(void *user, uint32_t events)
{
	struct channel_watched *watched = user;
	struct channel *channel = watched->channel;
	int fd = watched->fd; /* what watches it may go while it is served */

	ares_process_fd(channel->ares,
			events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
			events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	channel->calls.served(channel->calls.user);
}

static struct channel_watched *find_watched(const struct channel *channel, int fd)
{
	struct channel_watched *watched;

	LIST_FOREACH(watched, &channel->watched, entry)
	if (watched->fd == fd)
		return watched;
	return NULL;
}

static void unwatch(struct channel_watched *watched)
{
	loop_remove(watched->source);
	LIST_REMOVE(watched, entry);
	free(watched);
}

/* c-ares says what it wants to know of a socket; one that cannot be watched times out. */
static void on_interest(void *user, ares_socket_t fd, int readable, int writable)
{
	struct channel *channel = user;
	struct channel_watched *watched = find_watched(channel, fd);
	uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);

	if (!events) {
		if (watched)
			unwatch(watched);
		return;
	}
	if (watched) {
		loop_set_events(watched->source, events);
		return;
	}
	watched = calloc(1, sizeof(*watched));
	if (!watched)
		return;
	*watched = (struct channel_watched){ .channel = channel, .fd = fd };
	LIST_INSERT_HEAD(&channel->watched, watched, entry);
	if (loop_add_fd(channel->loop, fd, events, (struct loop_call){ on_socket, watched },
			&watched->source) < 0) {
		LIST_REMOVE(watched, entry);
		free(watched);
	}
}

/* Before a socket connects; a value below 0 keeps it from doing so. */
static int on_open(ares_socket_t fd, int type, void *user)
{
	struct channel *channel = user;

	(void)fd;
	if (type != SOCK_STREAM)
		return 0;
	if (!channel->streams) {
		channel->refused++;
		return -1;
	}
	channel->streamed = true;
	return 0;
}

int channel_new(struct loop *loop, bool streams, const struct channel_calls *calls,
		struct channel **ret)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH,
		.timeout = TRY_MS,
		.tries = TRIES,
		.sock_state_cb = on_interest,
		.sock_state_cb_data = channel,
	};
	int status;

	if (!channel)
		return ARES_ENOMEM;
	*channel = (struct channel){ .loop = loop, .streams = streams, .calls = *calls };
	LIST_INIT(&channel->watched);
	status = ares_init_options(&channel->ares, &options,
				   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					   ARES_OPT_SOCK_STATE_CB);
	if (status != ARES_SUCCESS) {
		free(channel);
		return status;
	}
	ares_set_socket_configure_callback(channel->ares, on_open, channel);
	*ret = channel;
	return ARES_SUCCESS;
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	ares_destroy(channel->ares); /* closes its sockets, too */
	while (!LIST_EMPTY(&channel->watched))
		unwatch(LIST_FIRST(&channel->watched));
	free(channel);
}

void channel_on_time(struct channel *channel)
{
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

uint64_t channel_wait(const struct channel *channel)
{
	struct timeval wait;

	if (!ares_timeout(channel->ares, NULL, &wait))
		return UINT64_MAX;
	return wait.tv_sec * 1000ull + wait.tv_usec / 1000 + 1;
}
