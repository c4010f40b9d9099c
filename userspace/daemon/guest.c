// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/guest.h"

#include <string.h>
#include <unistd.h>

#include "net/sock.h"

static struct guest *seat(const struct guests *guests, size_t i)
{
	return (struct guest *)((char *)guests->seats + i * guests->size);
}

void guest_seats(const struct guests *guests)
{
	for (size_t i = 0; i < guests->count; i++)
		seat(guests, i)->fd = -1;
}

static struct guest *find_seat(const struct guests *guests)
{
	for (size_t i = 0; i < guests->count; i++)
		if (seat(guests, i)->fd < 0)
			return seat(guests, i);
	return NULL;
}

void *guest_accept(const struct guests *guests, int listening)
{
	int fd = sock_accept(listening), r;
	struct guest *guest;

	if (fd < 0)
		return NULL;
	guest = find_seat(guests);
	if (!guest) {
		if (guests->on_full)
			guests->on_full(fd);
		close(fd);
		return NULL;
	}
	memset(guest, 0, guests->size);
	guest->fd = fd;
	r = loop_add_timer(guests->loop, (struct loop_call){ guests->on_deadline, guest },
			   &guest->deadline);
	r = r ?: loop_set_timer(guest->deadline, guests->patience, 0);
	r = r
		    ?: loop_add_fd(guests->loop, fd, EPOLLIN,
				   (struct loop_call){ guests->on_event, guest }, &guest->source);
	if (r < 0) {
		guest_leave(guest);
		return NULL;
	}
	return guest;
}

void guest_leave(struct guest *guest)
{
	loop_remove(take_ptr(guest->source));
	loop_remove(take_ptr(guest->deadline));
	close(take_fd(&guest->fd));
}
