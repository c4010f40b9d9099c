// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "measure.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "wrapper.skel.h"

struct measure {
	struct wrapper *skeleton;
	struct traffic_room room;
	uint32_t programs;
};

int measure_new(struct measure **ret, struct err *err)
{
	_cleanup_(measure_freep) struct measure *measure = calloc(1, sizeof(*measure));
	int r;

	if (!measure)
		return err_set(err, -ENOMEM, "out of memory");
	measure->skeleton = wrapper__open_and_load();
	if (!measure->skeleton)
		return err_set(err, -errno, "the kernel refuses the wrapper program: %s",
			       strerror(errno));
	measure->room.flows =
		mmap(NULL, WRAPPER_FLOWS * sizeof(struct wrapper_flow), PROT_READ | PROT_WRITE,
		     MAP_SHARED, bpf_map__fd(measure->skeleton->maps.flows), 0);
	if (measure->room.flows == MAP_FAILED) {
		measure->room.flows = NULL;
		return err_set(err, -errno, "cannot map the wrapper's flows: %s", strerror(errno));
	}
	r = measure_add(measure, bpf_program__fd(measure->skeleton->progs.control), err);
	if (r < 0)
		return r;
	*ret = take_ptr(measure);
	return 0;
}

void measure_free(struct measure *measure)
{
	if (!measure)
		return;
	if (measure->room.flows)
		munmap(measure->room.flows, WRAPPER_FLOWS * sizeof(struct wrapper_flow));
	wrapper__destroy(measure->skeleton);
	free(measure);
}

struct traffic_room *measure_room(struct measure *measure)
{
	return &measure->room;
}

int measure_add(struct measure *measure, int program, struct err *err)
{
	int map = bpf_map__fd(measure->skeleton->maps.programs);
	uint32_t index = measure->programs;

	if (bpf_map_update_elem(map, &index, &program, BPF_ANY))
		return err_set(err, -errno,
			       "the program cannot be tail-called: %s (type, attach type and "
			       "xdp.frags must be the wrapper's)",
			       strerror(errno));
	measure->programs++;
	return (int)index;
}

static void prepare(struct measure *measure, const struct measure_run *run)
{
	const struct traffic *traffic = run->traffic;
	struct wrapper_state state = {
		.target = run->target,
		.first = traffic->first,
		.count = traffic->count,
		.position = run->position % traffic->count,
		.length = (uint32_t)traffic->packet.size,
		.version = traffic->version,
		.protocol = traffic->protocol,
	};

	memcpy(state.head, traffic->packet.bytes, sizeof(state.head));
	measure->skeleton->bss->state = state;
}

static int run_program(const struct bpf_program *program, const struct measure_run *run,
		       struct bpf_test_run_opts *options, struct err *err)
{
	int r;

	options->data_in = run->traffic->packet.bytes;
	options->data_size_in = (uint32_t)run->traffic->packet.size;
	r = bpf_prog_test_run_opts(bpf_program__fd(program), options);
	if (r < 0)
		return err_set(err, r, "BPF_PROG_TEST_RUN: %s", strerror(-r));
	if (options->retval != run->verdict)
		return err_set(err, -EPROTO, "verdict %u, not %u", options->retval, run->verdict);
	return 0;
}

static double thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int measure_time(struct measure *measure, const struct measure_run *run, double *ret_ns,
		 struct err *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .repeat = (int)run->count);
	double began;
	int r;

	prepare(measure, run);
	began = thread_ns();
	r = run_program(measure->skeleton->progs.wrapper, run, &options, err);
	if (r < 0)
		return r;
	*ret_ns = (thread_ns() - began) / run->count;
	return 0;
}

int measure_learn(struct measure *measure, const struct measure_run *run, struct traffic *replies,
		  struct err *err)
{
	/* One more than there are flows: each run learns what became of the packet before, the
	 * first one nonsense, which the last one replaces. */
	LIBBPF_OPTS(bpf_test_run_opts, options, .repeat = (int)run->traffic->count + 1);

	prepare(measure, run);
	measure->skeleton->bss->state.replies = replies->first;
	return run_program(measure->skeleton->progs.wrapper_learn, run, &options, err);
}

int measure_check(struct measure *measure, const struct measure_run *run, struct err *err)
{
	uint8_t out[PACKET_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, options, .repeat = 1, .data_out = out,
		    .data_size_out = sizeof(out));
	struct packet sent;
	int r;

	prepare(measure, run);
	r = run_program(measure->skeleton->progs.wrapper, run, &options, err);
	if (r < 0)
		return r;
	traffic_packet(run->traffic, run->position % run->traffic->count, &sent);
	if (!traffic_sums_good(out, options.data_size_out))
		return err_set(err, -EPROTO, "a packet came out with a wrong checksum");
	if (run->verdict == XDP_PASS &&
	    (options.data_size_out != sent.size || memcmp(out, sent.bytes, sent.size)))
		return err_set(err, -EPROTO, "a packet that passes was changed");
	return 0;
}
