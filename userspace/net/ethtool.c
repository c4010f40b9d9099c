// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "util/cleanup.h"

static int ask(const char *interface, void *question)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_data = question };

	if (strlen(interface) >= sizeof(request.ifr_name))
		return -ENODEV;
	strcpy(request.ifr_name, interface);
	return fd < 0 || ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

int ethtool_driver(const char *interface, char ret[ETHTOOL_DRIVER_MAX])
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	int r = ask(interface, &info);

	if (!r)
		snprintf(ret, ETHTOOL_DRIVER_MAX, "%.*s", ETHTOOL_DRIVER_MAX - 1, info.driver);
	return r;
}

int ethtool_feature(const char *interface, enum ethtool_feature feature)
{
	struct ethtool_value value = {
		.cmd = feature == ETHTOOL_FEATURE_GRO ? ETHTOOL_GGRO : ETHTOOL_GFLAGS,
	};
	int r = ask(interface, &value);

	if (r < 0)
		return r;
	return feature == ETHTOOL_FEATURE_GRO ? !!value.data : !!(value.data & ETH_FLAG_LRO);
}
