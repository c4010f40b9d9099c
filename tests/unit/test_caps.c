// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: which of the three capabilities are missing is said as the kernel sees it, and what a
 * process gives up is gone for good. (Needs root.)
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/caps.h"

#define BIT(capability) (1ull << (capability))

Test(caps, missing)
{
	static const struct {
		uint64_t set;
		const char *missing;
	} cases[] = {
		{ 0, "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON" },
		{ BIT(CAP_BPF), "CAP_NET_ADMIN, CAP_PERFMON" },
		{ BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON), "" },
		{ BIT(CAP_SYS_ADMIN), "CAP_NET_ADMIN" },
		{ BIT(CAP_SYS_ADMIN) | BIT(CAP_NET_ADMIN), "" },
		{ ~BIT(CAP_BPF) & ~BIT(CAP_SYS_ADMIN), "CAP_BPF" },
	};
	char text[CAPS_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(caps_missing(cases[i].set, text), cases[i].missing);
}

/* Of a child, which says by its exit status what did not hold. */
static int give_up(void)
{
	struct err err = {};
	uint64_t effective = 0;

	if (caps_require(&err) || caps_limit(&err) || caps_keep(&err))
		return 1;
	if (caps_of(getpid(), &effective) ||
	    effective != (BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON)))
		return 2;
	if (!caps_has(CAP_BPF) || caps_has(CAP_SYS_ADMIN) || caps_require(&err))
		return 3;
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) ||
	    !prctl(PR_CAPBSET_READ, CAP_PERFMON, 0, 0, 0))
		return 4;
	if (!prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
		return 5;
	/* Again, as one that nobody started as root. */
	return caps_limit(&err) || caps_keep(&err) ? 6 : 0;
}

Test(caps, given_up)
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(give_up());
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "step %d", WEXITSTATUS(status));
}

Test(caps, nobody_there)
{
	uint64_t effective = 0;

	cr_expect_eq(caps_of(0x7fffffff, &effective), -ENOENT);
}
