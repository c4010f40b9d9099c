// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "subject.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <weir/decap.h>
#include <weir/names.h>

#include "config/model.h"
#include "dataplane/counters.h"
#include "dataplane/flows.h"
#include "dataplane/sync.h"
#include "plan/facts.h"

#define IDLE_TIMEOUT 3600 /* s: no flow ends while it is measured */
#define MAX_MAPS     64
#define FAMILIES     2

/* For a table that a million flows fill to so many percent of its records. */
#define FLOWS_AT(percent) (100000000u / (percent) / WEIR_NAT_WAYS * WEIR_NAT_FLOWS_PER_BUCKET + 13)

static const struct subject_spec specs[] = {
	{ "dsr", IPPROTO_TCP, WEIR_MODE_DSR, 1, 100, false },
	{ "dsr-10k", IPPROTO_TCP, WEIR_MODE_DSR, 10000, 4, false },
	{ "dsr-moving", IPPROTO_TCP, WEIR_MODE_DSR, 1, 100, true },
	{ "ipip", IPPROTO_TCP, WEIR_MODE_IPIP, 1, 100, false, 4 },
	{ "ipip-6", IPPROTO_TCP, WEIR_MODE_IPIP, 1, 100, false, 6 },
	{ "ipip-10k", IPPROTO_TCP, WEIR_MODE_IPIP, 10000, 4, false, 4 },
	{ "gue", IPPROTO_TCP, WEIR_MODE_GUE, 1, 100, false, 4 },
	{ "gue-6", IPPROTO_TCP, WEIR_MODE_GUE, 1, 100, false, 6 },
	{ "dsr-acl16", IPPROTO_TCP, WEIR_MODE_DSR, 1, 100, false, .denied = 16 },
	{ "dsr-acl10k", IPPROTO_TCP, WEIR_MODE_DSR, 1, 100, false, .denied = 10000 },
	{ "nat", IPPROTO_TCP, WEIR_MODE_NAT, 1, 100, false },
	{ "nat-large", IPPROTO_TCP, WEIR_MODE_NAT, 1, 100, .nat_flows = FLOWS_AT(60) },
	{ "nat-new", IPPROTO_TCP, WEIR_MODE_NAT, 1, 100, .nat_flows = FLOWS_AT(50) },
};

static struct addr address(const char *first, uint32_t offset)
{
	struct addr ret = {};
	uint32_t word;

	addr_parse(first, &ret);
	memcpy(&word, ret.bytes + 12, sizeof(word));
	word = htonl(ntohl(word) + offset);
	memcpy(ret.bytes + 12, &word, sizeof(word));
	return ret;
}

static const char *const vip[FAMILIES] = { SUBJECT_VIP4, SUBJECT_VIP6 };
static const char *const first_endpoint[FAMILIES] = { "10.0.0.1", "fd00::1" };
static const char *const denied[FAMILIES] = { "100.64.0.0", "2001:dba::" };
static const char *const snat[FAMILIES] = { SUBJECT_SNAT4, SUBJECT_SNAT6 };

/* The tables may be smaller than what is asked for: as many listeners as there is room for, each
 * with two endpoints at least. A block of rows has room for twice its endpoints. */
static void fit(struct subject *subject)
{
	subject->listeners = subject->spec->listeners;
	subject->endpoints = subject->spec->endpoints;
	if (subject->listeners > WEIR_MAX_LISTENERS - 1)
		subject->listeners = WEIR_MAX_LISTENERS - 1;
	while (subject->endpoints > 2 && subject->listeners * subject->endpoints * 2 >
						 WEIR_MAX_ENDPOINTS - WEIR_MAX_LISTENERS)
		subject->endpoints /= 2;
}

/* Both families where there is room, IPv4 alone where many listeners share the tables. */
static int families(const struct subject *subject)
{
	return subject->listeners == 1 ? FAMILIES : 1;
}

/* Every weight is 1, or 1 in one half of the endpoints and 0 in the other. */
static uint8_t weight_of(const struct subject *subject, uint32_t endpoint, uint32_t half)
{
	return subject->spec->moving ? (endpoint & 1) == half : 1;
}

static bool has_family(const struct subject *subject, int family)
{
	if (subject->spec->family)
		return subject->spec->family == (family ? 6 : 4);
	return family < families(subject);
}

static int add_endpoints(const struct subject *subject, struct endpoint_group *group, uint32_t half)
{
	for (int family = 0; family < FAMILIES; family++) {
		for (uint32_t i = 0; has_family(subject, family) && i < subject->endpoints; i++) {
			struct endpoint endpoint = {
				.address = address(first_endpoint[family], i),
				.weight = weight_of(subject, i, half),
				.mode = subject->spec->mode,
			};

			addr_print(&endpoint.address, endpoint.name);
			if (vec_push(&group->endpoints, endpoint))
				return -ENOMEM;
		}
	}
	return 0;
}

/* Every other network of 16 addresses, so that they do not merge. */
static int add_denied(const struct subject *subject, int family, struct model *model,
		      struct listener *listener)
{
	struct acl acl = { .name = "denied" };
	int r = 0;

	for (uint32_t i = 0; !r && i < subject->spec->denied; i++) {
		struct addr_prefix prefix = { address(denied[family], 32 * i), 124 };

		r = vec_push(&acl.prefixes, prefix);
	}
	listener->access = WEIR_ACCESS_DENY;
	r = r ?: vec_push(&listener->acls, model->acls.count);
	return r ?: vec_push(&model->acls, acl);
}

static int add_listener(const struct subject *subject, struct model *model, uint32_t index,
			uint32_t half)
{
	struct listener listener = {
		.protocol = subject->spec->protocol,
		.mode = subject->spec->mode,
		.gue_port = WEIR_GUE_PORT,
		.idle_timeout = IDLE_TIMEOUT,
	};
	struct port_range port = { SUBJECT_PORT, SUBJECT_PORT };
	struct endpoint_group group = { .name = "default", .traffic_percentage = 100 };
	int r = 0;

	snprintf(listener.name, sizeof(listener.name), "listener-%u", index);
	for (int family = 0; !r && family < families(subject); family++)
		r = vec_push(&listener.addresses, address(vip[family], index));
	for (int family = 0; !r && subject->spec->denied && family < FAMILIES; family++)
		r = add_denied(subject, family, model, &listener);
	r = r ?: vec_push(&listener.ports, port);
	r = r ?: add_endpoints(subject, &group, half);
	r = r ?: vec_push(&listener.groups, group);
	return r ?: vec_push(&model->listeners, listener);
}

static struct model *make_model(const struct subject *subject, uint32_t half)
{
	struct model *model = calloc(1, sizeof(*model));
	int r = 0;

	if (!model)
		return NULL;
	model->hash_seed = 1;
	model->nat_flows = subject->spec->nat_flows ?: SUBJECT_FLOWS;
	model->recorded_flows = SUBJECT_FLOWS;
	for (int family = 0; family < FAMILIES; family++)
		r = r ?: vec_push(&model->snat, address(snat[family], 0));
	for (uint32_t i = 0; !r && i < subject->listeners; i++)
		r = add_listener(subject, model, i, half);
	if (!r)
		return model;
	model_free(model);
	return NULL;
}

static int make_facts(const struct subject *subject, struct facts *facts)
{
	struct facts_interface interface = {
		.ifindex = if_nametoindex(subject->device),
		.mac = { 0x02, 0, 0, 0, 0xa0, 0x01 },
	};
	int r;

	interface.attached = interface.ifindex;
	snprintf(interface.name, sizeof(interface.name), "%s", subject->device);
	r = vec_push(&facts->interfaces, interface);
	for (int family = 0; family < FAMILIES; family++) {
		struct facts_ports ports = {
			.address = address(snat[family], 0),
			.ranges = 1,
			.range = { { 1024, 65535 } },
		};

		r = r ?: vec_push(&facts->ports, ports);
		for (uint32_t i = 0; i < subject->endpoints; i++) {
			struct facts_target target = {
				.address = address(first_endpoint[family], i),
				.next_hop = address(first_endpoint[family], i),
				.source = ports.address,
				.ifindex = interface.ifindex,
				.resolved = true,
				.mac = { 0x02, 0, 0, 0, 0xe0, (uint8_t)i },
			};

			r = r ?: vec_push(&facts->targets, target);
		}
	}
	facts->now = object_now(subject->object);
	return r;
}

/* Puts the configuration in force in which this half of the endpoints has the weight. */
static int configure(struct subject *subject, uint32_t half, struct err *err)
{
	_cleanup_(model_freep) struct model *model = make_model(subject, half);
	_cleanup_(facts_fini) struct facts facts = {};
	struct overrides overrides = {};
	struct plan *next = NULL;
	int r;

	if (!model || make_facts(subject, &facts))
		return err_set(err, -ENOMEM, "out of memory");
	r = plan_build(model, &overrides, &facts, subject->plan, &next, err);
	if (r < 0)
		return r;
	r = sync_plan(subject->object, subject->plan, next, err);
	if (r < 0) {
		plan_free(next);
		return r;
	}
	plan_free(subject->plan);
	subject->plan = next;
	return 0;
}

static int load(struct subject *subject, struct err *err)
{
	_cleanup_(model_freep) struct model *model = NULL;
	struct capacity capacity;
	char instance[64];
	bool fresh;
	int r;

	fit(subject);
	model = make_model(subject, 0);
	if (!model)
		return err_set(err, -ENOMEM, "out of memory");
	capacity = capacity_for(model);
	snprintf(instance, sizeof(instance), "weir-bench-%d-%s", getpid(), subject->spec->name);
	r = object_load(instance, &capacity, &subject->object, &fresh, err);
	if (r < 0)
		return r;
	r = object_unpin(instance, err); /* descriptors and mappings keep all of it */
	if (r < 0)
		return r;
	subject->plan = plan_new();
	if (!subject->plan)
		return err_set(err, -ENOMEM, "out of memory");
	r = configure(subject, 0, err);
	if (!r && subject->spec->moving)
		r = configure(subject, 1, err);
	return r;
}

int subject_open_on(const char *name, const char *device, struct subject **ret, struct err *err)
{
	struct subject *subject;
	int r;

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		if (strcmp(specs[i].name, name))
			continue;
		subject = calloc(1, sizeof(*subject));
		if (!subject)
			return err_set(err, -ENOMEM, "out of memory");
		subject->spec = &specs[i];
		subject->device = device;
		r = load(subject, err);
		if (r < 0) {
			subject_close(subject);
			return err_at(err, r, "subject %s", name);
		}
		*ret = subject;
		return 0;
	}
	return err_set(err, -ENOENT, "there is no subject %s", name);
}

int subject_open(const char *name, struct subject **ret, struct err *err)
{
	return subject_open_on(name, "lo", ret, err);
}

void subject_close(struct subject *subject)
{
	if (!subject)
		return;
	object_close(subject->object);
	plan_free(subject->plan);
	free(subject);
}

int subject_count(const struct subject *subject, enum weir_reason reason, uint64_t *ret,
		  struct err *err)
{
	uint64_t sum = 0;

	for (uint32_t id = 0; id <= subject->listeners; id++) {
		const struct plan_listener *listener = id ? plan_find_id(subject->plan, id) : NULL;
		struct counters stats;
		int r = counters_listener(subject->object, listener, &stats);

		if (r < 0)
			return err_set(err, r, "cannot read counters: %s", strerror(-r));
		sum += stats.reason[reason];
	}
	*ret = sum;
	return 0;
}

int subject_flush(const struct subject *subject, struct err *err)
{
	_cleanup_(flows_fini) struct flows flows = {};

	return flows_scan(subject->object, object_now(subject->object) + 2 * IDLE_TIMEOUT, true,
			  &flows, err);
}

/* What the kernel charges for a map, in bytes. */
static uint64_t map_bytes(int map)
{
	_cleanup_(fclosep) FILE *info = NULL;
	char path[64], line[128];
	unsigned long long bytes = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	return bytes;
}

int subject_memory(const struct subject *subject, const char *prefix, uint64_t *ret,
		   struct err *err)
{
	uint32_t ids[MAX_MAPS], size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info program = { .map_ids = (uintptr_t)ids, .nr_map_ids = MAX_MAPS };
	uint64_t sum = 0;

	if (bpf_obj_get_info_by_fd(subject->object->program, &program, &size) ||
	    program.nr_map_ids > MAX_MAPS)
		return err_set(err, -EIO, "cannot ask for the program's maps");
	for (uint32_t i = 0; i < program.nr_map_ids; i++) {
		_cleanup_(closep) int map = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info info = {};

		size = sizeof(info);
		if (map < 0 || bpf_obj_get_info_by_fd(map, &info, &size))
			return err_set(err, -errno, "cannot ask for map %u", ids[i]);
		if (!strncmp(info.name, prefix, strlen(prefix)))
			sum += map_bytes(map);
	}
	*ret = sum;
	return 0;
}
