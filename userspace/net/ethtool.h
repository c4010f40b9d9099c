/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an interface's driver says of itself (SIOCETHTOOL), in the caller's network namespace. */
#ifndef WEIR_NET_ETHTOOL_H
#define WEIR_NET_ETHTOOL_H

#define ETHTOOL_DRIVER_MAX 32

enum ethtool_feature {
	ETHTOOL_FEATURE_GRO, /* packets of a flow are merged before the stack sees them */
	ETHTOOL_FEATURE_LRO, /* ... by the device, for good */
};

/* The driver's name: 0 or -errno. */
int ethtool_driver(const char *interface, char ret[ETHTOOL_DRIVER_MAX]);

/* Is a feature on: 1, 0 or -errno. */
int ethtool_feature(const char *interface, enum ethtool_feature feature);

/* Are VLAN tags, of either kind, kept beside frames instead of in them: by the device when it
 * receives, by the stack when it sends, for the device to put them in. Who looks at the bytes of a
 * frame alone, as XDP does, sees none then. 1, 0 or -errno. */
int ethtool_tags_beside_received(const char *interface);
int ethtool_tags_beside_sent(const char *interface);

#endif
