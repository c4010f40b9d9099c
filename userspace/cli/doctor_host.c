// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is true of the host as a whole: kernel, rights, clock. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <weir/names.h>

#include "cli/doctor.h"
#include "util/caps.h"

#define KERNEL_MAJOR 6
#define KERNEL_MINOR 1

void doctor_kernel(struct doctor *doctor)
{
	unsigned major = 0, minor = 0;
	char release[80];

	if (doctor_read(doctor, "/proc/sys/kernel/osrelease", release, sizeof(release)) < 0 ||
	    sscanf(release, "%u.%u", &major, &minor) != 2) {
		doctor_unseen(doctor, "/proc does not say which kernel this is");
		return;
	}
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		doctor_problem(doctor, DOCTOR_ERROR, "it refuses the data plane",
			       "apt install linux-image-amd64 && reboot",
			       "Linux %s; weir needs %d.%d or newer", release, KERNEL_MAJOR,
			       KERNEL_MINOR);
	else
		doctor_ok(doctor, "Linux %s", release);
}

void doctor_btf(struct doctor *doctor)
{
	struct stat status;
	char path[512];

	snprintf(path, sizeof(path), "%s/sys/kernel/btf/vmlinux", doctor->root);
	if (stat(path, &status))
		doctor_problem(doctor, DOCTOR_ERROR, "maps and programs with types are refused",
			       "apt install linux-image-amd64 && reboot",
			       "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF): %s is not there",
			       "/sys/kernel/btf/vmlinux");
	else
		doctor_ok(doctor, "the kernel describes its types");
}

void doctor_jit(struct doctor *doctor)
{
	long enabled;
	int r = doctor_number(doctor, "/proc/sys/net/core/bpf_jit_enable", &enabled);

	if (r < 0)
		doctor_unseen(doctor, "net.core.bpf_jit_enable cannot be read here: %s",
			      strerror(-r));
	else if (!enabled)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "every packet is interpreted, which is many times slower",
			       "sysctl -w net.core.bpf_jit_enable=1",
			       "BPF programs are not compiled (net.core.bpf_jit_enable is 0)");
	else
		doctor_ok(doctor, "BPF programs are compiled");
}

void doctor_unprivileged(struct doctor *doctor)
{
	long disabled;
	int r = doctor_number(doctor, "/proc/sys/kernel/unprivileged_bpf_disabled", &disabled);

	if (r < 0)
		doctor_unseen(doctor, "kernel.unprivileged_bpf_disabled cannot be read: %s",
			      strerror(-r));
	else if (!disabled)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "any user can load programs and try what the CPU gives away; weir "
			       "does not need it",
			       "sysctl -w kernel.unprivileged_bpf_disabled=2",
			       "everybody may load BPF programs "
			       "(kernel.unprivileged_bpf_disabled is 0)");
	else
		doctor_ok(doctor, "only who may loads BPF programs");
}

/* Not by its name alone: an empty folder looks the same. */
static bool is_bpffs(const char *path)
{
	struct statfs where;

	return !statfs(path, &where) && where.f_type == BPF_FS_MAGIC;
}

void doctor_bpffs(struct doctor *doctor)
{
	const char *path = WEIR_BPFFS;
	struct stat status;
	char pins[512], fix[600];

	if (!is_bpffs(path) || stat(path, &status)) {
		doctor_problem(doctor, DOCTOR_WARNING,
			       "a daemon that root starts mounts it; any other cannot pin anything",
			       "mount -t bpf bpf /sys/fs/bpf", "%s is not mounted", path);
		return;
	}
	if ((status.st_mode & 0111) != 0111) {
		doctor_problem(
			doctor, DOCTOR_WARNING,
			"only root reaches the pins in it: a daemon of user weir does not "
			"start until 'weir run --prepare' has run, and its group sees nothing",
			"chmod a+x /sys/fs/bpf", "%s cannot be passed through: mode %04o", path,
			status.st_mode & 07777);
		return;
	}
	snprintf(pins, sizeof(pins), "%s/%s", path, doctor->instance);
	snprintf(fix, sizeof(fix), "chmod 0750 %s", pins);
	if (stat(pins, &status) == 0 && status.st_mode & 0007)
		doctor_problem(doctor, DOCTOR_WARNING, "everybody on this host can find the maps",
			       fix, "%s is open to others: mode %04o", pins,
			       status.st_mode & 07777);
	else
		doctor_ok(doctor, "%s is mounted", path);
}

/* Maps count as memory of the cgroup since 5.11, and no more against RLIMIT_MEMLOCK. */
#define MEMORY_NEEDED (64l << 20)

void doctor_memory(struct doctor *doctor)
{
	char line[256] = "", path[320], fix[360], *group;
	long limit = 0;

	snprintf(path, sizeof(path), "/proc/self/cgroup");
	if (doctor->daemon)
		snprintf(path, sizeof(path), "/proc/%d/cgroup", doctor->daemon);
	if (doctor_read(doctor, path, line, sizeof(line)) < 0) {
		doctor_unseen(doctor, "/proc does not say of which cgroup this is");
		return;
	}
	group = strncmp(line, "0::", 3) ? NULL : line + 3;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group ?: "");
	snprintf(fix, sizeof(fix), "echo max >%s", path);
	if (!group || doctor_number(doctor, path, &limit) < 0 || limit <= 0)
		doctor_ok(doctor, "nothing limits the memory of maps (since Linux 5.11 memlock "
				  "does not)");
	else if (limit < MEMORY_NEEDED)
		doctor_problem(doctor, DOCTOR_ERROR,
			       "maps cannot be made, or not grow: 'Cannot allocate memory'", fix,
			       "%s allows %ld MB; the smallest data plane needs %ld", path,
			       limit >> 20, MEMORY_NEEDED >> 20);
	else
		doctor_ok(doctor, "the cgroup allows %ld MB of memory", limit >> 20);
}

void doctor_capabilities(struct doctor *doctor)
{
	char missing[CAPS_TEXT_MAX];

	caps_missing(doctor->capabilities, missing);
	if (!missing[0]) {
		doctor_ok(doctor, "yours suffice for every verb");
		return;
	}
	doctor_problem(
		doctor, DOCTOR_WARNING,
		"run, explain and down are for root (for the others the group weir will do), "
		"and not all of this could be looked at",
		getuid() ? "sudo weir doctor" : "", "you lack %s", missing);
}

void doctor_daemon(struct doctor *doctor)
{
	char missing[CAPS_TEXT_MAX];
	uint64_t set = 0;

	if (!doctor->daemon) {
		doctor_unseen(doctor, "no daemon answers (or not to you)");
		return;
	}
	if (caps_of(doctor->daemon, &set) < 0) {
		doctor_unseen(doctor, "of process %d nothing is to be seen", doctor->daemon);
		return;
	}
	caps_missing(set, missing);
	if (missing[0])
		doctor_problem(doctor, DOCTOR_ERROR, "it cannot change the data plane any more",
			       "systemctl restart weir", "process %d lacks %s", doctor->daemon,
			       missing);
	else
		doctor_ok(doctor, "process %d has the capabilities that it needs", doctor->daemon);
}

void doctor_clock(struct doctor *doctor)
{
	struct timex timex = {};
	int state = doctor->clock(&timex);

	if (state < 0)
		doctor_unseen(doctor, "the kernel does not say: %s", strerror(errno));
	else if (state == TIME_ERROR || timex.status & STA_UNSYNC)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "certificates are judged, and overrides end, by a clock that may "
			       "step; flows do not depend on it",
			       "apt install chrony", "nobody keeps the clock right (NTP)");
	else
		doctor_ok(doctor, "synchronized, within %ld ms", timex.maxerror / 1000);
}
