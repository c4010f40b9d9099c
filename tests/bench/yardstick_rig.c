// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "yardstick_rig.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "rig.h"
#include "yardstick.h"
#include "yardstick.skel.h"

#define FIRST_ENDPOINT "10.0.0.1"

struct yardstick_rig {
	struct yardstick *skeleton;
};

static int fill_listeners(int map)
{
	uint32_t first = ntohl(inet_addr(RIG_VIP4));
	int r = 0;

	for (uint32_t i = 0; !r && i < YARDSTICK_LISTENERS; i++) {
		struct yardstick_listener key = {
			.addr = htonl(first + i),
			.port = htons(RIG_PORT),
			.protocol = IPPROTO_TCP,
		};

		r = bpf_map_update_elem(map, &key, &i, BPF_NOEXIST);
	}
	return r;
}

static int fill_choices(int slots, int endpoints)
{
	uint32_t first = ntohl(inet_addr(FIRST_ENDPOINT));
	int r = 0;

	for (uint32_t i = 0; !r && i < YARDSTICK_ENDPOINTS; i++) {
		struct yardstick_endpoint endpoint = {
			.addr = htonl(first + i),
			.mac = { 0x02, 0, 0, 0, 0xe0, (uint8_t)i },
		};

		r = bpf_map_update_elem(endpoints, &i, &endpoint, BPF_ANY);
	}
	for (uint32_t i = 0; !r && i < YARDSTICK_SLOTS; i++) {
		uint32_t endpoint = i % YARDSTICK_ENDPOINTS;

		r = bpf_map_update_elem(slots, &i, &endpoint, BPF_ANY);
	}
	return r;
}

int yardstick_rig_new(struct yardstick_rig **ret, struct err *err)
{
	_cleanup_(yardstick_rig_freep) struct yardstick_rig *rig = calloc(1, sizeof(*rig));
	int r;

	if (!rig)
		return err_set(err, -ENOMEM, "out of memory");
	rig->skeleton = yardstick__open_and_load();
	if (!rig->skeleton)
		return err_set(err, -errno, "the kernel refuses the yardstick program: %s",
			       strerror(errno));
	r = fill_listeners(bpf_map__fd(rig->skeleton->maps.listeners));
	r = r
		    ?: fill_choices(bpf_map__fd(rig->skeleton->maps.slots),
				    bpf_map__fd(rig->skeleton->maps.endpoints));
	if (r < 0)
		return err_set(err, r, "cannot fill the yardstick's maps: %s", strerror(-r));
	*ret = take_ptr(rig);
	return 0;
}

void yardstick_rig_free(struct yardstick_rig *rig)
{
	if (!rig)
		return;
	yardstick__destroy(rig->skeleton);
	free(rig);
}

int yardstick_rig_program(const struct yardstick_rig *rig)
{
	return bpf_program__fd(rig->skeleton->progs.yardstick);
}

uint64_t yardstick_rig_count(const struct yardstick_rig *rig)
{
	_cleanup_(freep) struct yardstick_count *counts = NULL;
	int cpus = libbpf_num_possible_cpus();
	uint32_t first = 0;
	uint64_t sum = 0;

	counts = calloc((size_t)cpus, sizeof(*counts));
	if (!counts || bpf_map_lookup_elem(bpf_map__fd(rig->skeleton->maps.counts), &first, counts))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += counts[i].packets;
	return sum;
}
