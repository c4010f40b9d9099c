// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct needed {
	unsigned capability;
	const char *name;
	bool admin_will_do;
};

static bool has(const struct __user_cap_data_struct data[2], unsigned capability)
{
	return data[capability / 32].effective & (1u << capability % 32);
}

int caps_require(struct err *err)
{
	static const struct needed needed[] = {
		{ CAP_BPF, "CAP_BPF", true },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN", false },
		{ CAP_PERFMON, "CAP_PERFMON", true },
	};
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};
	char missing[64] = "";

	if (syscall(SYS_capget, &header, data))
		return err_set(err, -errno, "capget: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (has(data, needed[i].capability) ||
		    (needed[i].admin_will_do && has(data, CAP_SYS_ADMIN)))
			continue;
		snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
			 missing[0] ? ", " : "", needed[i].name);
	}
	if (!missing[0])
		return 0;
	return err_set(err, -EPERM, "missing capabilities: %s; run as root (sudo weir ...)",
		       missing);
}
