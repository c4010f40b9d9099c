/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a file of the inventory says: instances with their addresses and states, as `aliyun ecs
 * DescribeInstances` and `aliyun slb DescribeLoadBalancers` print them, one page or many, one
 * behind the other or in an array. Hostile input: size, depth, values and instances are bounded
 * before anything is built of them. Pure; the only user of jansson here.
 */
#ifndef WEIR_CONFIG_INSTANCES_H
#define WEIR_CONFIG_INSTANCES_H

#include <stdbool.h>
#include <stddef.h>

#include "config/model.h"
#include "util/err.h"
#include "util/lookup.h"

#define INSTANCES_SIZE_MAX   (16u << 20) /* bytes of a file */
#define INSTANCES_DEPTH_MAX  32
#define INSTANCES_VALUES_MAX 1000000
#define INSTANCES_MAX	     20000 /* of a file */
#define INSTANCES_STATUS_MAX 24

enum instances_family {
	INSTANCES_IP4,
	INSTANCES_IP6,
	INSTANCES_FAMILIES,
};

struct instance {
	char id[WEIR_NAME_MAX];
	uint8_t type;			   /* TYPE_ECS, TYPE_SLB */
	char status[INSTANCES_STATUS_MAX]; /* as the file has it; "" if it does not say */
	bool serves;			   /* that is Running or active, or nothing */
	/* In its network, and from outside; zeroes: none. Of an slb all are the former. */
	struct addr own[INSTANCES_FAMILIES];
	struct addr open[INSTANCES_FAMILIES];
};

struct instances {
	VEC(struct instance)
	list;		/* in the order of the file; of one that is there twice the first */
	size_t missing; /* so many more exist, by a file of one page that is not the last */
	struct lookup by_id;
};

/*
 * `ret` is zeroed, and the caller's to fini, on success (0). -EINVAL: the text names the place,
 * "3:15: ..." where it is no JSON, else "Instances.Instance[3].Status: ...". -ENOMEM.
 */
int instances_parse(const char *text, size_t size, struct instances *ret, struct err *err);
void instances_fini(struct instances *instances);

/* NULL if there is none of this id and type. */
const struct instance *instances_find(const struct instances *instances, uint8_t type,
				      const char *id);

/* That of a family at which it is reached; NULL: it has none. */
const struct addr *instances_address(const struct instance *instance, enum instances_family family,
				     bool prefer_public);

#endif
