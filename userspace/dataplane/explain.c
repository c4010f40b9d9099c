// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/explain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/program.h"
#include "dataplane/sets.h"
#include "weir_explain.skel.h"

struct explain {
	struct weir_explain *skeleton;
};

/* What a packet writes while it is handled, and nobody reads afterwards; and the programs that are
 * called, which must be those that explain. */
static const char *const own_maps[] = { "explain_log",	  "stages",	  "nat_scratch",
					"answer_scratch", "fragment_new", "icmp_scratch" };

static bool is_own(const char *name)
{
	for (size_t i = 0; i < sizeof(own_maps) / sizeof(own_maps[0]); i++)
		if (!strcmp(own_maps[i], name))
			return true;
	return false;
}

static int share(const struct object *object, struct bpf_map *map)
{
	char path[OBJECT_PATH_MAX + 64];
	_cleanup_(closep) int fd = -1;

	sets_path(object->directory, object->set, bpf_map__name(map), path);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : bpf_map__reuse_fd(map, fd);
}

/* The programs that others call: those that are loaded. */
static int connect_stages(const struct weir_explain *skeleton)
{
	struct bpf_program *const programs[WEIR_STAGES] = {
		[WEIR_STAGE_UNUSUAL] = skeleton->progs.weir_unusual,
		[WEIR_STAGE_PORTLESS] = skeleton->progs.weir_portless,
		[WEIR_STAGE_ANSWER] = skeleton->progs.weir_answer,
		[WEIR_STAGE_COOKIE] = skeleton->progs.weir_cookie,
	};
	int stages = bpf_map__fd(skeleton->maps.stages);

	for (uint32_t i = 0; i < WEIR_STAGES; i++) {
		int fd = bpf_program__fd(programs[i]);

		if (fd >= 0 && bpf_map_update_elem(stages, &i, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

int explain_open(const struct object *object, bool plain, struct explain **ret, struct err *err)
{
	_cleanup_(explain_closep) struct explain *explain = calloc(1, sizeof(*explain));
	struct bpf_map *map;
	int r = 0;

	if (!explain)
		return err_set(err, -ENOMEM, "out of memory");
	object_clear_kernel_message();
	explain->skeleton = weir_explain__open();
	if (!explain->skeleton)
		return program_load_error(-errno, err);
	bpf_object__for_each_map(map, explain->skeleton->obj)
	{
		if (!r && !bpf_map__is_internal(map) && !is_own(bpf_map__name(map)))
			r = share(object, map);
	}
	PROGRAM_SET_CONSTANTS(explain->skeleton);
	bpf_program__set_autoload(explain->skeleton->progs.weir_sweep, false);
	bpf_program__set_autoload(explain->skeleton->progs.weir_steer, false);
	bpf_program__set_autoload(explain->skeleton->progs.weir_unusual, !plain);
	bpf_program__set_autoload(explain->skeleton->progs.weir_portless, !plain);
	r = r ?: weir_explain__load(explain->skeleton);
	r = r ?: connect_stages(explain->skeleton);
	if (r < 0)
		return program_load_error(r, err);
	*ret = take_ptr(explain);
	return 0;
}

void explain_close(struct explain *explain)
{
	if (!explain)
		return;
	weir_explain__destroy(explain->skeleton);
	free(explain);
}

static int run(const struct explain *explain, const struct explain_packet *packet,
	       struct explain_answer *answer, struct err *err)
{
	struct xdp_md context = {
		.data_end = (uint32_t)packet->size,
		.ingress_ifindex = packet->ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->frame,
		    .data_size_in = (uint32_t)packet->size, .data_out = answer->frame,
		    .data_size_out = sizeof(answer->frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(explain->skeleton->progs.weir), &options))
		return errno == ENODEV
			       ? err_set(err, -errno,
					 "interface number %u is not in this network namespace: "
					 "run it where the daemon runs",
					 packet->ifindex)
			       : err_set(err, -errno, "the kernel does not run the packet: %s",
					 strerror(errno));
	answer->verdict = (int)options.retval;
	answer->size = options.data_size_out;
	return 0;
}

int explain_ask(struct explain *explain, const struct explain_packet *packet,
		struct explain_answer *ret, struct err *err)
{
	int log = bpf_map__fd(explain->skeleton->maps.explain_log), r;
	static const struct weir_steps none;
	uint32_t zero = 0;

	if (bpf_map_update_elem(log, &zero, &none, BPF_ANY))
		return err_set(err, -errno, "cannot clear the log: %s", strerror(errno));
	r = run(explain, packet, ret, err);
	if (r < 0)
		return r;
	if (bpf_map_lookup_elem(log, &zero, &ret->steps))
		return err_set(err, -errno, "cannot read the log: %s", strerror(errno));
	return 0;
}
