// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ruler.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "subject.h"
#include "yardstick.h"
#include "yardstick.skel.h"

#define FIRST_ENDPOINT "10.0.0.1"

struct ruler {
	struct yardstick *skeleton;
};

static int fill_listeners(int map)
{
	uint32_t first = ntohl(inet_addr(SUBJECT_VIP4));
	int r = 0;

	for (uint32_t i = 0; !r && i < YARDSTICK_LISTENERS; i++) {
		struct yardstick_listener key = {
			.addr = htonl(first + i),
			.port = htons(SUBJECT_PORT),
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

int ruler_new(struct ruler **ret, struct err *err)
{
	_cleanup_(ruler_freep) struct ruler *ruler = calloc(1, sizeof(*ruler));
	int r;

	if (!ruler)
		return err_set(err, -ENOMEM, "out of memory");
	ruler->skeleton = yardstick__open_and_load();
	if (!ruler->skeleton)
		return err_set(err, -errno, "the kernel refuses the yardstick program: %s",
			       strerror(errno));
	r = fill_listeners(bpf_map__fd(ruler->skeleton->maps.listeners));
	r = r
		    ?: fill_choices(bpf_map__fd(ruler->skeleton->maps.slots),
				    bpf_map__fd(ruler->skeleton->maps.endpoints));
	if (r < 0)
		return err_set(err, r, "cannot fill the yardstick's maps: %s", strerror(-r));
	*ret = take_ptr(ruler);
	return 0;
}

void ruler_free(struct ruler *ruler)
{
	if (!ruler)
		return;
	yardstick__destroy(ruler->skeleton);
	free(ruler);
}

int ruler_program(const struct ruler *ruler)
{
	return bpf_program__fd(ruler->skeleton->progs.yardstick);
}

uint64_t ruler_count(const struct ruler *ruler)
{
	_cleanup_(freep) struct yardstick_count *counts = NULL;
	int cpus = libbpf_num_possible_cpus();
	uint32_t first = 0;
	uint64_t sum = 0;

	counts = calloc((size_t)cpus, sizeof(*counts));
	if (!counts ||
	    bpf_map_lookup_elem(bpf_map__fd(ruler->skeleton->maps.counts), &first, counts))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += counts[i].packets;
	return sum;
}
