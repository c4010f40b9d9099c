// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/aside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/cleanup.h"

struct aside {
	struct aside_work work;
	struct loop_source *source;
	pthread_t thread;
	int fd; /* readable: the work is done */
};

static void *run(void *user)
{
	struct aside *aside = user;

	aside->work.work(aside->work.user);
	eventfd_write(aside->fd, 1);
	return NULL;
}

static void on_done(void *user, uint32_t events)
{
	struct aside *aside = user;

	(void)events;
	loop_remove(take_ptr(aside->source));
	aside->work.done(aside->work.user);
}

int aside_start(struct loop *loop, const struct aside_work *work, struct aside **ret)
{
	struct aside *aside = calloc(1, sizeof(*aside));
	int r;

	if (!aside)
		return -ENOMEM;
	aside->work = *work;
	aside->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = aside->fd < 0 ? -errno : 0;
	r = r
		    ?: loop_add_fd(loop, aside->fd, EPOLLIN, (struct loop_call){ on_done, aside },
				   &aside->source);
	r = r ?: -pthread_create(&aside->thread, NULL, run, aside);
	if (r < 0) {
		loop_remove(aside->source);
		if (aside->fd >= 0)
			close(aside->fd);
		free(aside);
		return r;
	}
	*ret = aside;
	return 0;
}

void aside_free(struct aside *aside)
{
	if (!aside)
		return;
	loop_remove(aside->source);
	pthread_join(aside->thread, NULL);
	close(aside->fd);
	free(aside);
}
