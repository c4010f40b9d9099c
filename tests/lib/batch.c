// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "batch.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/mman.h>

#include "batch.skel.h"

static struct batch *batch;
static struct batch_packet *packets;

/*
 * A repeated BPF_PROG_TEST_RUN enters its program in the kernel's XDP dispatcher and takes it out
 * again: two RCU grace periods, 25 ms. A program that is attached somewhere is there already; so
 * this one is, to an interface that no frame crosses, in a namespace that is held for that.
 */
static void enter_dispatcher(void)
{
	cr_assert_geq(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), 0, "%s", strerror(errno));
	cr_assert_eq(bpf_xdp_attach((int)rig.arm[1], bpf_program__fd(batch->progs.batch),
				    XDP_FLAGS_SKB_MODE, NULL),
		     0, "batch.bpf.c: %s", strerror(errno));
}

struct batch_packet *batch_packets(void)
{
	if (packets)
		return packets;
	batch = batch__open_and_load();
	cr_assert(batch, "batch.bpf.c: %s", strerror(errno));
	packets = mmap(NULL, BATCH_MAX * sizeof(*packets), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(batch->maps.packets), 0);
	cr_assert_neq(packets, MAP_FAILED, "batch.bpf.c: %s", strerror(errno));
	enter_dispatcher();
	return packets;
}

static void set_target(void)
{
	uint32_t zero = 0;

	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(batch->maps.target), &zero,
					 &rig.object->program, BPF_ANY),
		     0, "the program cannot be tail-called: %s", strerror(errno));
}

void batch_send(const struct packet *like, uint32_t count)
{
	struct xdp_md context = {
		.data_end = (uint32_t)like->size,
		.ingress_ifindex = rig.arm[rig.ingress],
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = like->bytes,
		    .data_size_in = (uint32_t)like->size, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)count + 1);
	struct batch_state state = {
		.count = count,
		.length = (uint32_t)like->size,
		.version = like->bytes[like->l3] >> 4,
		.protocol = like->data - like->l4 == 8 ? IPPROTO_UDP : IPPROTO_TCP,
	};

	cr_assert(count <= BATCH_MAX && like->size >= BATCH_HEAD);
	batch_packets();
	set_target();
	memcpy(state.head, like->bytes, sizeof(state.head));
	batch->bss->state = state;
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(batch->progs.batch), &options), 0, "%s",
		     strerror(errno));
	cr_assert(options.retval == XDP_PASS && batch->bss->state.position == count,
		  "the batch ended at packet %u of %u", batch->bss->state.position, count);
}
