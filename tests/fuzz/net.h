/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A network of the fuzzer's own, with nothing but its loopback: needs root. */
#ifndef WEIR_TESTS_FUZZ_NET_H
#define WEIR_TESTS_FUZZ_NET_H

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void net_begin(void)
{
	struct ifreq lo = { .ifr_flags = IFF_UP };
	int fd;

	strcpy(lo.ifr_name, "lo");
	if (unshare(CLONE_NEWNET)) {
		perror("unshare: needs root");
		exit(1);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo)) {
		perror("lo");
		exit(1);
	}
	close(fd);
}

#endif
