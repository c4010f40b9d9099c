// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: doctor's checks of what a network namespace does not have: kernel, BPF settings, memory,
 * clock, connection tracking, devices that merge packets, the daemon's rights. /proc and /sys are a
 * folder here. Each is provoked, must say so with what it leads to, and must be content after the
 * command that it names, which is run with its paths in that folder. (Needs root. All else:
 * tests/net/doctor.sh.)
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "util/caps.h"

static char root[] = "/tmp/weir-test-doctor-XXXXXX";
static struct doctor doctor;
static int clock_state;
static int clock_status;

static int clock_of_test(struct timex *timex)
{
	timex->status = clock_status;
	timex->maxerror = 1500;
	return clock_state;
}

/* Of the device NAME: the file features/NAME-lro or -gro says "on" or "off"; without one, the
 * device does not know the question. */
static int feature_of_test(const char *interface, enum ethtool_feature feature)
{
	char path[256], text[8];
	FILE *file;
	int r;

	snprintf(path, sizeof(path), "%s/features/%s-%s", root, interface,
		 feature == ETHTOOL_FEATURE_LRO ? "lro" : "gro");
	file = fopen(path, "r");
	if (!file)
		return -EOPNOTSUPP;
	r = fscanf(file, "%7s", text) == 1 && !strcmp(text, "on");
	fclose(file);
	return r;
}

__attribute__((format(printf, 1, 2))) static int shell(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	return system(command);
}

static void put(const char *path, const char *text)
{
	cr_assert_eq(shell("mkdir -p $(dirname %s%s) && printf '%%s\\n' '%s' >%s%s", root, path,
			   text, root, path),
		     0);
}

/* A host that nothing is wrong with. */
static void begin(void)
{
	cr_assert(mkdtemp(root));
	put("/proc/sys/kernel/osrelease", "6.1.0-18-amd64");
	put("/sys/kernel/btf/vmlinux", "types");
	put("/proc/sys/net/core/bpf_jit_enable", "1");
	put("/proc/sys/kernel/unprivileged_bpf_disabled", "2");
	put("/proc/self/cgroup", "0::/system.slice/weir.service");
	put("/sys/fs/cgroup/system.slice/weir.service/memory.max", "max");
	put("/proc/sys/net/netfilter/nf_conntrack_count", "10");
	put("/proc/sys/net/netfilter/nf_conntrack_max", "1000");
	doctor = (struct doctor){
		.root = root,
		.instance = "weir-test-doctor",
		.clock = clock_of_test,
		.feature = feature_of_test,
		.capabilities = ~0ull,
		.check = "test",
	};
	clock_state = TIME_OK;
	clock_status = STA_PLL;
}

static void end(void)
{
	doctor_fini(&doctor);
	shell("rm -rf %s", root);
}

TestSuite(doctor, .init = begin, .fini = end);

/* The one finding of a check. */
static const struct doctor_finding *look(void check(struct doctor *doctor))
{
	size_t before = doctor.findings.count;

	check(&doctor);
	cr_assert_eq(doctor.findings.count, before + 1);
	return &doctor.findings.items[before];
}

static void content(void check(struct doctor *doctor))
{
	const struct doctor_finding *finding = look(check);

	cr_expect_eq(finding->severity, DOCTOR_OK, "%s", finding->what);
	cr_expect(!finding->fix && !finding->causes);
}

/* Runs the command as a shell on the host would, in the folder. */
static void mend(const char *fix)
{
	char key[128] = "", value[64] = "", path[256];

	if (sscanf(fix, "sysctl -w %127[^=]=%63s", key, value) == 2) {
		for (char *dot = key; (dot = strchr(dot, '.'));)
			*dot = '/';
		snprintf(path, sizeof(path), "/proc/sys/%s", key);
		put(path, value);
	} else if (sscanf(fix, "echo %63s >%127s", value, key) == 2) {
		put(key, value);
	} else if (sscanf(fix, "ethtool -K %63s %63s off", value, key) == 2) {
		snprintf(path, sizeof(path), "/features/%s-%s", value, key);
		put(path, "off");
	} else {
		cr_assert_fail("nobody can run '%s' here", fix);
	}
}

/* Finds what is wrong, and says what it leads to; returns the command. */
static const char *ill(void check(struct doctor *doctor), enum doctor_severity severity,
		       const char *words)
{
	const struct doctor_finding *finding = look(check);

	cr_expect_eq(finding->severity, severity, "%s", finding->what);
	cr_expect(strstr(finding->what, words), "%s", finding->what);
	cr_expect(finding->causes && strlen(finding->causes) > 10);
	cr_assert(finding->fix);
	return finding->fix;
}

static void ill_and_mended(void check(struct doctor *doctor), enum doctor_severity severity,
			   const char *path, const char *text, const char *words)
{
	content(check);
	put(path, text);
	mend(ill(check, severity, words));
	content(check);
}

Test(doctor, kernel)
{
	static const char *const old[] = { "5.10.0-28-amd64", "6.0.12", "4.19.0" };
	static const char *const good[] = { "6.1.0", "6.18.44", "7.0", "10.2.1" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		put("/proc/sys/kernel/osrelease", good[i]);
		content(doctor_kernel);
	}
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		put("/proc/sys/kernel/osrelease", old[i]);
		cr_expect_str_eq(ill(doctor_kernel, DOCTOR_ERROR, "weir needs 6.1 or newer"),
				 "apt install linux-image-amd64 && reboot");
	}
	put("/proc/sys/kernel/osrelease", "nonsense");
	cr_expect_eq(look(doctor_kernel)->severity, DOCTOR_UNSEEN);
}

Test(doctor, btf)
{
	content(doctor_btf);
	cr_assert_eq(shell("rm %s/sys/kernel/btf/vmlinux", root), 0);
	ill(doctor_btf, DOCTOR_ERROR, "no BTF");
}

Test(doctor, jit)
{
	ill_and_mended(doctor_jit, DOCTOR_WARNING, "/proc/sys/net/core/bpf_jit_enable", "0",
		       "not compiled");
	cr_assert_eq(shell("rm %s/proc/sys/net/core/bpf_jit_enable", root), 0);
	cr_expect_eq(look(doctor_jit)->severity, DOCTOR_UNSEEN);
}

Test(doctor, unprivileged)
{
	ill_and_mended(doctor_unprivileged, DOCTOR_WARNING,
		       "/proc/sys/kernel/unprivileged_bpf_disabled", "0", "everybody may load");
}

Test(doctor, memory)
{
	ill_and_mended(doctor_memory, DOCTOR_ERROR,
		       "/sys/fs/cgroup/system.slice/weir.service/memory.max", "33554432",
		       "allows 32 MB");
	put("/sys/fs/cgroup/system.slice/weir.service/memory.max", "1073741824");
	content(doctor_memory);
	put("/proc/self/cgroup", "12:memory:/");
	content(doctor_memory);
}

Test(doctor, conntrack)
{
	ill_and_mended(doctor_conntrack, DOCTOR_WARNING,
		       "/proc/sys/net/netfilter/nf_conntrack_count", "950", "nearly full");
	cr_assert_eq(shell("rm -r %s/proc/sys/net/netfilter", root), 0);
	content(doctor_conntrack);
}

Test(doctor, cookies)
{
	struct http http = {};
	struct listener listener = { .name = "site", .http = &http };
	struct model model = { .listeners = { &listener, 1, 1 } };

	put("/proc/sys/net/ipv4/tcp_syncookies", "0");
	doctor.model = &model;
	content(doctor_cookies); /* nobody wants any */
	http.syn_cookies = true;
	cr_expect_str_eq(ill(doctor_cookies, DOCTOR_WARNING, "listener site sends no SYN cookies"),
			 "sysctl -w net.ipv4.tcp_syncookies=1");
	put("/proc/sys/net/ipv4/tcp_syncookies", "1");
	content(doctor_cookies);
}

Test(doctor, clock)
{
	content(doctor_clock);
	clock_status = STA_UNSYNC;
	cr_expect_str_eq(ill(doctor_clock, DOCTOR_WARNING, "nobody keeps the clock right"),
			 "apt install chrony");
	clock_status = 0;
	clock_state = TIME_ERROR;
	ill(doctor_clock, DOCTOR_WARNING, "nobody keeps the clock right");
	clock_state = -1;
	cr_expect_eq(look(doctor_clock)->severity, DOCTOR_UNSEEN);
}

Test(doctor, capabilities)
{
	content(doctor_capabilities);
	doctor.capabilities = 0;
	cr_expect_eq(look(doctor_capabilities)->severity, DOCTOR_WARNING);
}

/* By the device itself, or by the kernel where weir sees what it has made. */
Test(doctor, merging)
{
	struct doctor_interface interface = { .name = "wan0", .attached = true };

	interface.attachment.mode = ATTACH_NATIVE;
	cr_assert(!vec_push(&doctor.interfaces, interface));
	content(doctor_merging);
	put("/features/wan0-gro", "on");
	ill_and_mended(doctor_merging, DOCTOR_ERROR, "/features/wan0-lro", "on",
		       "wan0 merges packets in the device (LRO)");
	doctor.interfaces.items[0].attached = false;
	ill_and_mended(doctor_merging, DOCTOR_ERROR, "/features/wan0-lro", "on",
		       "wan0 merges packets in the device (LRO)");
	put("/features/wan0-gro", "off");
	doctor.interfaces.items[0].attached = true;
	doctor.interfaces.items[0].attachment.mode = ATTACH_GENERIC;
	ill_and_mended(doctor_merging, DOCTOR_WARNING, "/features/wan0-gro", "on",
		       "wan0 merges packets before weir sees them (GRO)");
}

static void add_device(uint32_t ifindex, uint32_t attached)
{
	struct facts_interface interface = { .ifindex = ifindex, .attached = attached };

	cr_assert(!vec_push(&doctor.facts.interfaces, interface));
}

/* eth0 with VLAN devices: as many as have room, one more, and more than that which are needed. */
Test(doctor, ways)
{
	const struct doctor_finding *finding;

	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++)
		add_device(i, 1);
	content(doctor_ways);
	add_device(WEIR_MAX_EGRESS, 1);
	finding = look(doctor_ways);
	cr_expect_eq(finding->severity, DOCTOR_WARNING);
	cr_expect(strstr(finding->what, "64 interfaces and VLAN devices, and room for 63: 1 that"));
	cr_expect(strstr(finding->causes, "no_next_hop"));
	for (uint32_t i = 2; i <= WEIR_MAX_EGRESS; i++)
		cr_assert(
			!vec_push(&doctor.facts.targets, ((struct facts_target){ .ifindex = i })));
	finding = look(doctor_ways);
	cr_expect_eq(finding->severity, DOCTOR_ERROR);
	cr_expect(strstr(finding->what, "64 interfaces and VLAN devices lead to endpoints"));
}

/* A process that gives up what a daemon needs, and one that does not. */
Test(doctor, daemon)
{
	int ready[2];
	char byte;

	cr_expect_eq(look(doctor_daemon)->severity, DOCTOR_UNSEEN);
	doctor.daemon = getpid();
	content(doctor_daemon);
	cr_assert_eq(pipe(ready), 0);
	doctor.daemon = fork();
	if (!doctor.daemon) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setresuid(54321, 54321, 54321) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_expect_str_eq(ill(doctor_daemon, DOCTOR_ERROR, "lacks CAP_BPF, CAP_NET_ADMIN"),
			 "systemctl restart weir");
	kill(doctor.daemon, SIGKILL);
	waitpid(doctor.daemon, NULL, 0);
	cr_expect_eq(look(doctor_daemon)->severity, DOCTOR_UNSEEN);
}

/* With nothing to look at every check says so, and the verdict is the worst of all. */
Test(doctor, nothing_known)
{
	doctor_examine(&doctor);
	cr_expect_geq(doctor.findings.count, 20);
	cr_expect_leq(doctor_verdict(&doctor), DOCTOR_WARNING);
	put("/proc/sys/kernel/osrelease", "5.10.0");
	doctor_examine(&doctor);
	cr_expect_eq(doctor_verdict(&doctor), DOCTOR_ERROR);
}
