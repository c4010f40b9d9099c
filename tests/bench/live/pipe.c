// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "live/pipe.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "ends.skel.h"

#define BATCH	  64
#define LANES_MAX 16

struct lane {
	struct pipe *pipe;
	int space;	   /* the balancer's namespace */
	int link;	   /* of its program, or -1 */
	uint32_t near_end; /* ifindex of our end */
};

struct pipe {
	struct ends *skeleton;
	struct traffic_room room;
	int space;    /* where all lanes begin */
	int softirqd; /* its schedstat */
	struct lane lanes[LANES_MAX];
	uint32_t lane_count;
};

/* The thread goes to a new network namespace: its descriptor. */
static int new_space(struct err *err)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		return err_set(err, -errno, "cannot make a network namespace: %s%s",
			       strerror(errno), errno == EPERM ? "; run as root" : "");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "/proc/thread-self/ns/net: %s", strerror(errno)) : fd;
}

static int go_to(int space, struct err *err)
{
	if (setns(space, CLONE_NEWNET))
		return err_set(err, -errno, "cannot enter a network namespace: %s",
			       strerror(errno));
	return 0;
}

/* Where packets go that the kernel leaves to the CPU's thread for soft interrupts. */
static int open_softirqd(struct err *err)
{
	char wanted[32], path[300], name[32];
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	int fd = -1;

	snprintf(wanted, sizeof(wanted), "ksoftirqd/%d\n", sched_getcpu());
	while (processes && fd < 0 && (entry = readdir(processes))) {
		_cleanup_(fclosep) FILE *comm = NULL;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		comm = fopen(path, "re");
		if (!comm || !fgets(name, sizeof(name), comm) || strcmp(name, wanted))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/schedstat", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (processes)
		closedir(processes);
	return fd < 0 ? err_set(err, -ENOENT,
				"no schedstat of ksoftirqd/%d in /proc: without it there is no "
				"telling what packets cost",
				sched_getcpu())
		      : fd;
}

int pipe_new(struct pipe **ret, struct err *err)
{
	_cleanup_(pipe_freep) struct pipe *pipe = calloc(1, sizeof(*pipe));

	if (!pipe)
		return err_set(err, -ENOMEM, "out of memory");
	pipe->space = pipe->softirqd = -1;
	pipe->skeleton = ends__open_and_load();
	if (!pipe->skeleton)
		return err_set(err, -errno, "the kernel refuses the pipe's programs: %s%s",
			       strerror(errno), errno == EPERM ? "; run as root" : "");
	pipe->room.flows =
		mmap(NULL, WRAPPER_FLOWS * sizeof(struct wrapper_flow), PROT_READ | PROT_WRITE,
		     MAP_SHARED, bpf_map__fd(pipe->skeleton->maps.flows), 0);
	if (pipe->room.flows == MAP_FAILED) {
		pipe->room.flows = NULL;
		return err_set(err, -errno, "cannot map the pipe's flows: %s", strerror(errno));
	}
	pipe->softirqd = open_softirqd(err);
	if (pipe->softirqd < 0)
		return pipe->softirqd;
	pipe->space = new_space(err);
	if (pipe->space < 0)
		return pipe->space;
	*ret = take_ptr(pipe);
	return 0;
}

void pipe_free(struct pipe *pipe)
{
	if (!pipe)
		return;
	for (uint32_t i = 0; i < pipe->lane_count; i++) {
		closep(&pipe->lanes[i].link);
		closep(&pipe->lanes[i].space);
	}
	closep(&pipe->space);
	closep(&pipe->softirqd);
	if (pipe->room.flows)
		munmap(pipe->room.flows, WRAPPER_FLOWS * sizeof(struct wrapper_flow));
	ends__destroy(pipe->skeleton);
	free(pipe);
}

struct traffic_room *pipe_room(struct pipe *pipe)
{
	return &pipe->room;
}

int pipe_program(const struct pipe *pipe, enum pipe_program which)
{
	const struct bpf_program *programs[] = {
		[PIPE_DROP] = pipe->skeleton->progs.drop,
		[PIPE_BOUNCE] = pipe->skeleton->progs.bounce,
		[PIPE_PASS] = pipe->skeleton->progs.pass,
	};

	return bpf_program__fd(programs[which]);
}

int lane_enter(const struct lane *lane, struct err *err)
{
	return go_to(lane->space, err);
}

int lane_leave(const struct lane *lane, struct err *err)
{
	return go_to(lane->pipe->space, err);
}

/* Runs a command where the thread is. */
static int shell(const char *command, struct err *err)
{
	char output[512], rest[512];
	FILE *child = popen(command, "re");
	size_t size;
	int status;

	if (!child)
		return err_set(err, -errno, "cannot run a shell: %s", strerror(errno));
	size = fread(output, 1, sizeof(output) - 1, child);
	while (fread(rest, 1, sizeof(rest), child))
		;
	output[size] = '\0';
	output[strcspn(output, "\n")] = '\0';
	status = pclose(child);
	if (status)
		return err_set(err, -EIO, "'%.*s' failed: %s", (int)strcspn(command, "\n"), command,
			       output[0] ? output : "it says nothing");
	return 0;
}

int lane_shell(const struct lane *lane, struct err *err, const char *format, ...)
{
	_cleanup_(freep) char *command = NULL;
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = vasprintf(&command, format, arguments);
	va_end(arguments);
	if (r < 0) {
		command = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	r = lane_enter(lane, err);
	if (r < 0)
		return r;
	r = shell(command, err);
	return lane_leave(lane, r < 0 ? NULL : err) ?: r;
}

/* XDP natively on a device of the namespace that the thread is in: the link. */
static int attach(uint32_t ifindex, int program, struct err *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
	int link = bpf_link_create(program, (int)ifindex, BPF_XDP, &options);

	return link < 0 ? err_set(err, link, "cannot attach a program: %s", strerror(-link)) : link;
}

/* The veth: our end with the sink, the other one in the namespace behind it. */
static int connect_lane(struct lane *lane, uint32_t index, struct err *err)
{
	char command[512], name[IF_NAMESIZE];
	int r;

	snprintf(name, sizeof(name), "lane%u", index);
	snprintf(command, sizeof(command),
		 "{ ip link add %s type veth peer name " LANE_DEVICE " netns /proc/%d/fd/%d && "
		 "sysctl -qw net.ipv6.conf.%s.disable_ipv6=1 && ip link set %s up; } 2>&1",
		 name, getpid(), lane->space, name, name);
	r = shell(command, err);
	if (r < 0)
		return r;
	lane->near_end = if_nametoindex(name);
	/* The namespace of the pipe lives as long as the process: so does this attachment. */
	r = attach(lane->near_end, bpf_program__fd(lane->pipe->skeleton->progs.sink), err);
	if (r < 0)
		return r;
	return lane_shell(lane, err,
			  "{ sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && "
			  "ip link set " LANE_DEVICE " address " LANE_MAC " up; } 2>&1");
}

int lane_new(struct pipe *pipe, struct lane **ret, struct err *err)
{
	struct lane *lane = &pipe->lanes[pipe->lane_count];
	int r;

	if (pipe->lane_count == LANES_MAX)
		return err_set(err, -ENOSPC, "more than %d lanes", LANES_MAX);
	*lane = (struct lane){ .pipe = pipe, .link = -1 };
	lane->space = new_space(err);
	if (lane->space < 0)
		return lane->space;
	pipe->lane_count++;
	r = lane_leave(lane, err);
	if (!r)
		r = connect_lane(lane, pipe->lane_count - 1, err);
	if (!r)
		*ret = lane;
	return r;
}

int lane_attach(struct lane *lane, int program, struct err *err)
{
	int link, r = lane_enter(lane, err);

	if (r < 0)
		return r;
	link = attach(if_nametoindex(LANE_DEVICE), program, err);
	r = lane_leave(lane, link < 0 ? NULL : err);
	if (link < 0)
		return link;
	lane->link = link;
	return r;
}

static double processor_ns(const struct pipe *pipe)
{
	unsigned long long softirqd = 0;
	struct timespec own;
	char line[64] = "";

	if (pread(pipe->softirqd, line, sizeof(line) - 1, 0) > 0)
		sscanf(line, "%llu", &softirqd);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
	return (double)own.tv_sec * 1e9 + (double)own.tv_nsec + (double)softirqd;
}

static void prepare(const struct lane *lane, const struct lane_run *run)
{
	const struct traffic *traffic = run->traffic;
	struct wrapper_state state = {
		.first = traffic->first,
		.count = traffic->count,
		.position = run->position % traffic->count,
		.length = (uint32_t)traffic->packet.size,
		.version = traffic->version,
		.protocol = traffic->protocol,
	};

	memcpy(state.head, traffic->packet.bytes, sizeof(state.head));
	lane->pipe->skeleton->bss->state = state;
	lane->pipe->skeleton->bss->expect = run->expect;
	lane->pipe->skeleton->bss->counts = (struct ends_counts){};
}

static int send_packets(const struct lane *lane, const struct lane_run *run, uint32_t count,
			struct err *err)
{
	struct xdp_md context = {
		.data_end = (uint32_t)run->traffic->packet.size,
		.ingress_ifindex = lane->near_end,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = BATCH, .repeat = (int)count, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .data_in = run->traffic->packet.bytes,
		    .data_size_in = context.data_end);
	const struct ends_counts *counts = &lane->pipe->skeleton->bss->counts;
	uint64_t arrived;
	int r;

	prepare(lane, run);
	r = bpf_prog_test_run_opts(bpf_program__fd(lane->pipe->skeleton->progs.generate), &options);
	if (r < 0)
		return err_set(err, r, "BPF_PROG_TEST_RUN of live frames: %s", strerror(-r));
	arrived = run->dropped ? counts->dropped : counts->right;
	if (counts->made == count && arrived == count && !counts->wrong)
		return 0;
	return err_set(err, -EPROTO,
		       "of %u packets %llu were sent, %llu arrived as they should and %llu "
		       "otherwise, %llu were dropped",
		       count, (unsigned long long)counts->made, (unsigned long long)counts->right,
		       (unsigned long long)counts->wrong, (unsigned long long)counts->dropped);
}

int lane_time(struct lane *lane, const struct lane_run *run, double *ret_ns, struct err *err)
{
	double began = processor_ns(lane->pipe);
	int r = send_packets(lane, run, run->count, err);

	if (r < 0)
		return r;
	*ret_ns = (processor_ns(lane->pipe) - began) / run->count;
	return 0;
}

int lane_check(struct lane *lane, const struct lane_run *run, struct err *err)
{
	int map = bpf_map__fd(lane->pipe->skeleton->maps.captures);
	struct lane_run kept = *run;
	int r;

	kept.expect.capture = 1;
	r = send_packets(lane, &kept, ENDS_CAPTURES, err);
	if (r < 0 || run->dropped)
		return r;
	for (uint32_t i = 0; i < ENDS_CAPTURES; i++) {
		struct ends_capture captured = {};

		if (bpf_map_lookup_elem(map, &i, &captured))
			return err_set(err, -errno, "cannot read what was kept: %s",
				       strerror(errno));
		if (captured.size < run->traffic->packet.size)
			return err_set(err, -EPROTO, "a packet came out with %u bytes",
				       captured.size);
		if (!traffic_sums_good(captured.bytes, captured.size))
			return err_set(err, -EPROTO, "a packet came out with a wrong checksum");
	}
	return 0;
}
