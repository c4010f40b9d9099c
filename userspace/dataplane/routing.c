// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/routing.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/object.h"
#include "dataplane/program.h"
#include "router.skel.h"

/* ---- the daemon's end ---- */

static int attach(const struct bpf_program *program, const struct bpf_map *map, struct err *err)
{
	if (bpf_prog_attach(bpf_program__fd(program), bpf_map__fd(map), BPF_SK_SKB_STREAM_VERDICT,
			    0))
		return err_set(err, -errno, "%s: %s", bpf_program__name(program), strerror(errno));
	return 0;
}

static int copy_descriptors(const struct router *skeleton, int ret[ROUTING_MAPS], struct err *err)
{
	const struct bpf_map *maps[ROUTING_MAPS] = {
		[ROUTING_CLIENT_SOCKETS] = skeleton->maps.client_sockets,
		[ROUTING_UPSTREAM_SOCKETS] = skeleton->maps.upstream_sockets,
		[ROUTING_PLACES] = skeleton->maps.places,
		[ROUTING_ROUTES] = skeleton->maps.routes,
		[ROUTING_MEMORY] = skeleton->maps.routing,
		[ROUTING_SAID] = skeleton->maps.said,
	};
	int r;

	for (int i = 0; i < ROUTING_MAPS; i++) {
		ret[i] = fcntl(bpf_map__fd(maps[i]), F_DUPFD_CLOEXEC, 0);
		if (ret[i] >= 0)
			continue;
		r = err_set(err, -errno, "descriptors: %s", strerror(errno));
		while (i--)
			close(ret[i]);
		return r;
	}
	return 0;
}

int routing_load(int ret[ROUTING_MAPS], struct err *err)
{
	struct router *skeleton;
	int r;

	object_clear_kernel_message();
	skeleton = router__open();
	if (!skeleton)
		return program_load_error(-errno, err);
	r = router__load(skeleton);
	if (r < 0) {
		program_load_error(r, err);
	} else {
		r = attach(skeleton->progs.weir_request, skeleton->maps.client_sockets, err);
		r = r ?: attach(skeleton->progs.weir_answer, skeleton->maps.upstream_sockets, err);
		r = r ?: copy_descriptors(skeleton, ret, err);
	}
	router__destroy(skeleton);
	return r;
}

/* ---- the worker's end ---- */

struct routing {
	int fds[ROUTING_MAPS];
	struct weir_routing *memory;
	struct ring_buffer *ring;
	/* Who hears, while routing_hear() runs. */
	void (*said)(void *user, uint32_t place);
	void *user;
};

static int on_said(void *context, void *data, size_t size)
{
	struct routing *routing = context;
	uint32_t place;

	if (size >= sizeof(place)) {
		memcpy(&place, data, sizeof(place));
		routing->said(routing->user, place);
	}
	return 0;
}

void routing_close(struct routing *routing)
{
	if (!routing)
		return;
	ring_buffer__free(routing->ring);
	if (routing->memory)
		munmap(routing->memory, sizeof(*routing->memory));
	for (int i = 0; i < ROUTING_MAPS; i++)
		closep(&routing->fds[i]);
	free(routing);
}

int routing_open(const int fds[ROUTING_MAPS], struct routing **ret)
{
	_cleanup_(routing_closep) struct routing *routing = calloc(1, sizeof(*routing));
	void *memory;

	if (!routing)
		return -ENOMEM;
	memset(routing->fds, -1, sizeof(routing->fds));
	memory = mmap(NULL, sizeof(*routing->memory), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fds[ROUTING_MEMORY], 0);
	if (memory == MAP_FAILED)
		return -errno;
	routing->memory = memory;
	routing->ring = ring_buffer__new(fds[ROUTING_SAID], on_said, routing, NULL);
	if (!routing->ring)
		return -errno;
	memcpy(routing->fds, fds, sizeof(routing->fds));
	*ret = take_ptr(routing);
	return 0;
}

struct weir_routing *routing_memory(struct routing *routing)
{
	return routing->memory;
}

int routing_enter(struct routing *routing, uint32_t place, int socket, uint64_t *ret_cookie)
{
	bool is_upstream = place & WEIR_ROUTING_IS_UPSTREAM;
	int map = routing->fds[is_upstream ? ROUTING_UPSTREAM_SOCKETS : ROUTING_CLIENT_SOCKETS];
	uint32_t key = place & ~WEIR_ROUTING_IS_UPSTREAM;
	uint64_t value = socket;
	socklen_t size = sizeof(*ret_cookie);
	int r;

	if (getsockopt(socket, SOL_SOCKET, SO_COOKIE, ret_cookie, &size))
		return -errno;
	/* Who it is first: from when it is in the map on, the program asks. */
	if (bpf_map_update_elem(routing->fds[ROUTING_PLACES], ret_cookie, &place, BPF_ANY))
		return -errno;
	if (!bpf_map_update_elem(map, &key, &value, BPF_ANY))
		return 0;
	r = -errno;
	routing_forget(routing, *ret_cookie);
	return r;
}

void routing_forget(struct routing *routing, uint64_t cookie)
{
	bpf_map_delete_elem(routing->fds[ROUTING_PLACES], &cookie);
}

int routing_set(struct routing *routing, const struct weir_routing_key *key,
		const struct weir_routing_route *route)
{
	int map = routing->fds[ROUTING_ROUTES];

	if (route)
		return bpf_map_update_elem(map, key, route, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(map, key) && errno != ENOENT ? -errno : 0;
}

int routing_descriptor(const struct routing *routing)
{
	return routing->fds[ROUTING_SAID];
}

void routing_hear(struct routing *routing, void (*said)(void *user, uint32_t place), void *user)
{
	routing->said = said;
	routing->user = user;
	ring_buffer__consume(routing->ring);
}
