// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: attaching says in the kernel's or our own words why it failed and what to do, pins a link
 * that outlives the process, replaces the program in place, and lists what is attached where.
 */
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/attach.h"

static char directory[64];

/* XDP_PASS, without frags: drivers refuse it where a packet may not fit one page. */
static int load_pass(void)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", program, 2, &options);

	cr_assert_geq(fd, 0, "loading needs root: %s", strerror(errno));
	return fd;
}

static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

static void setup(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "a namespace needs root: %s", strerror(errno));
	snprintf(directory, sizeof(directory), "/sys/fs/bpf/weirt-%d", getpid());
	cr_assert_eq(mkdir(directory, 0700), 0, "%s: %s", directory, strerror(errno));
	run("ip link add near type veth peer name far");
	run("ip link add bridge type bridge");
	run("ip link set near up; ip link set far up");
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	run(command);
}

TestSuite(attach, .init = setup, .fini = teardown);

Test(attach, pins_lists_and_detaches)
{
	struct attachments found = {};
	struct err err = {};
	int program = load_pass();

	cr_assert_eq(attach_interface(directory, program, "near", ATTACH_NATIVE, &err), 0, "%s",
		     err.text);
	cr_assert_eq(attach_interface(directory, program, "bridge", ATTACH_GENERIC, &err), 0, "%s",
		     err.text);
	cr_assert_eq(attach_interface(directory, load_pass(), "near", ATTACH_NATIVE, &err), 0,
		     "attaching again replaces the program: %s", err.text);
	cr_assert_eq(attach_list(directory, &found, &err), 0);
	cr_assert_eq(found.list.count, 2);
	cr_assert_str_eq(found.list.items[0].name, "bridge");
	cr_assert_eq(found.list.items[0].mode, ATTACH_GENERIC);
	cr_assert_str_eq(found.list.items[1].name, "near");
	cr_assert_eq(found.list.items[1].mode, ATTACH_NATIVE);
	cr_assert_eq(found.list.items[1].ifindex, if_nametoindex("near"));
	vec_free(&found.list);

	cr_assert_neq(system("ip link set dev near xdp off 2>/dev/null"), 0, "a link is not ours");
	cr_assert_eq(attach_detach(directory, "near", &err), 0, "%s", err.text);
	cr_assert_eq(attach_detach(directory, "near", &err), -ENOENT);
	cr_assert(strstr(err.text, "not attached"), "%s", err.text);
}

Test(attach, an_interface_that_is_gone_has_no_index)
{
	struct attachments found = {};
	struct err err = {};

	cr_assert_eq(attach_interface(directory, load_pass(), "near", ATTACH_NATIVE, &err), 0);
	run("ip link del near");
	cr_assert_eq(attach_list(directory, &found, &err), 0);
	cr_assert_eq(found.list.count, 1);
	cr_assert_eq(found.list.items[0].ifindex, 0);
	vec_free(&found.list);
	run("ip link add near type veth peer name far");
	cr_assert_eq(attach_interface(directory, load_pass(), "near", ATTACH_NATIVE, &err), 0,
		     "the stale pin is in nobody's way: %s", err.text);
}

Test(attach, refusals_say_what_to_do)
{
	struct err err = {};
	int program = load_pass(), other = load_pass();

	cr_assert_eq(attach_interface(directory, program, "nowhere", ATTACH_NATIVE, &err), -ENODEV);
	cr_assert(strstr(err.text, "no such interface"), "%s", err.text);

	cr_assert_eq(attach_interface(directory, program, "bridge", ATTACH_NATIVE, &err),
		     -EOPNOTSUPP);
	cr_assert(strstr(err.text, "--generic"), "%s", err.text);

	run("ip link set near mtu 9000; ip link set far mtu 9000");
	cr_assert_lt(attach_interface(directory, program, "near", ATTACH_NATIVE, &err), 0);
	cr_assert(strstr(err.text, "MTU is too large"), "the kernel's own words: %s", err.text);
	cr_assert(strstr(err.text, "lower the MTU"), "%s", err.text);
	run("ip link set near mtu 1500; ip link set far mtu 1500");

	cr_assert_geq(bpf_link_create(other, if_nametoindex("far"), BPF_XDP, NULL), 0);
	cr_assert_eq(attach_interface(directory, program, "far", ATTACH_NATIVE, &err), -EBUSY);
	cr_assert(strstr(err.text, "another XDP program") && strstr(err.text, "'pass'"), "%s",
		  err.text);
}
