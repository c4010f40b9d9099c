// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "util/cleanup.h"

#define FEATURES_PER_BLOCK 32

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

/* How many features the kernel knows. */
static int count_features(const char *interface, uint32_t *ret)
{
	_cleanup_(freep) struct ethtool_sset_info *question =
		calloc(1, sizeof(*question) + sizeof(question->data[0]));
	int r;

	if (!question)
		return -ENOMEM;
	question->cmd = ETHTOOL_GSSET_INFO;
	question->sset_mask = 1 << ETH_SS_FEATURES;
	r = ask(interface, question);
	if (!r)
		*ret = question->sset_mask ? question->data[0] : 0;
	return r;
}

/* Their names, each of ETH_GSTRING_LEN bytes. The caller frees them. */
static int name_features(const char *interface, uint32_t count, struct ethtool_gstrings **ret)
{
	struct ethtool_gstrings *names =
		calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	int r;

	if (!names)
		return -ENOMEM;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = count;
	r = ask(interface, names);
	if (r)
		free(names);
	else
		*ret = names;
	return r;
}

/* Is one of these features on? Those that the kernel does not know are not. */
static int any_feature(const char *interface, const char *const *wanted, size_t wanted_count)
{
	_cleanup_(freep) struct ethtool_gfeatures *features = NULL;
	_cleanup_(freep) struct ethtool_gstrings *names = NULL;
	uint32_t count = 0, blocks;
	int r = count_features(interface, &count);

	r = r ?: name_features(interface, count, &names);
	if (r)
		return r;
	blocks = (count + FEATURES_PER_BLOCK - 1) / FEATURES_PER_BLOCK;
	features = calloc(1, sizeof(*features) + blocks * sizeof(features->features[0]));
	if (!features)
		return -ENOMEM;
	features->cmd = ETHTOOL_GFEATURES;
	features->size = blocks;
	r = ask(interface, features);
	for (uint32_t i = 0; !r && i < count; i++) {
		const char *name = (const char *)names->data + (size_t)i * ETH_GSTRING_LEN;

		if (!(features->features[i / FEATURES_PER_BLOCK].active &
		      1u << i % FEATURES_PER_BLOCK))
			continue;
		for (size_t k = 0; k < wanted_count; k++)
			if (!strncmp(name, wanted[k], ETH_GSTRING_LEN))
				return 1;
	}
	return r;
}

int ethtool_tags_beside_received(const char *interface)
{
	static const char *const names[] = { "rx-vlan-hw-parse", "rx-vlan-stag-hw-parse" };

	return any_feature(interface, names, sizeof(names) / sizeof(names[0]));
}

int ethtool_tags_beside_sent(const char *interface)
{
	static const char *const names[] = { "tx-vlan-hw-insert", "tx-vlan-stag-hw-insert" };

	return any_feature(interface, names, sizeof(names) / sizeof(names[0]));
}
