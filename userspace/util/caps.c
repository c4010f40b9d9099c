// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

#define BIT(capability) (1ull << (capability))

static const struct {
	unsigned capability;
	const char *name;
	bool admin_will_do;
} needed[] = {
	{ CAP_BPF, "CAP_BPF", true },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", false },
	{ CAP_PERFMON, "CAP_PERFMON", true },
};

#define NEEDED (BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON))

static int get(struct __user_cap_data_struct ret[2], struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	if (syscall(SYS_capget, &header, ret))
		return err_set(err, -errno, "capget: %s", strerror(errno));
	return 0;
}

static uint64_t join(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

bool caps_has(unsigned capability)
{
	struct __user_cap_data_struct data[2] = {};

	return !get(data, NULL) && join(data[0].effective, data[1].effective) & BIT(capability);
}

const char *caps_missing(uint64_t set, char text[CAPS_TEXT_MAX])
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (set & BIT(needed[i].capability) ||
		    (needed[i].admin_will_do && set & BIT(CAP_SYS_ADMIN)))
			continue;
		length += snprintf(text + length, CAPS_TEXT_MAX - length, "%s%s",
				   length ? ", " : "", needed[i].name);
	}
	return text;
}

const char *caps_print(char text[CAPS_TEXT_MAX])
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (caps_has(needed[i].capability))
			length += snprintf(text + length, CAPS_TEXT_MAX - length, "%s%s",
					   length ? ", " : "", needed[i].name);
	if (caps_has(CAP_SYS_ADMIN))
		snprintf(text + length, CAPS_TEXT_MAX - length, "%sCAP_SYS_ADMIN",
			 length ? ", " : "");
	return text;
}

int caps_of(pid_t pid, uint64_t *ret)
{
	static const char key[] = "CapEff:";
	_cleanup_(fclosep) FILE *file = NULL;
	char path[32], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)))
			continue;
		*ret = strtoull(line + strlen(key), NULL, 16);
		return 0;
	}
	return -ESRCH;
}

int caps_require(struct err *err)
{
	struct __user_cap_data_struct data[2] = {};
	char missing[CAPS_TEXT_MAX];
	int r = get(data, err);

	if (r < 0)
		return r;
	caps_missing(join(data[0].effective, data[1].effective), missing);
	if (!missing[0])
		return 0;
	if (geteuid())
		return err_set(err, -EPERM,
			       "missing capabilities: %s; run as root (sudo weir ...), or let the "
			       "unit of systemd have: AmbientCapabilities=CAP_BPF CAP_NET_ADMIN "
			       "CAP_PERFMON",
			       missing);
	return err_set(err, -EPERM,
		       "missing capabilities: %s; whoever started this as root has taken them: a "
		       "unit of systemd needs CapabilityBoundingSet=CAP_BPF CAP_NET_ADMIN "
		       "CAP_PERFMON, a container --cap-add of each",
		       missing);
}

/* Where the kernel takes CAP_SYS_ADMIN for one that is not there, that stays instead. */
static uint64_t kept(const struct __user_cap_data_struct data[2])
{
	uint64_t permitted = join(data[0].permitted, data[1].permitted);

	return (permitted & NEEDED) == NEEDED ? NEEDED : permitted & (NEEDED | BIT(CAP_SYS_ADMIN));
}

int caps_limit(struct err *err)
{
	struct __user_cap_data_struct data[2] = {};
	int r = get(data, err);

	if (r < 0)
		return r;
	for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
	     capability++)
		if (!(kept(data) & BIT(capability)) &&
		    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) && errno != EPERM)
			return err_set(err, -errno, "cannot drop capability %u: %s", capability,
				       strerror(errno));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_set(err, -errno, "cannot give up privileges: %s", strerror(errno));
	return 0;
}

int caps_keep(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};
	uint64_t keep;
	int r = get(data, err);

	if (r < 0)
		return r;
	keep = kept(data);
	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){ .effective = keep >> 32 * i,
							   .permitted = keep >> 32 * i };
	if (syscall(SYS_capset, &header, data) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return err_set(err, -errno, "cannot give up capabilities: %s", strerror(errno));
	return 0;
}
