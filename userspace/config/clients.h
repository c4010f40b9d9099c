/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where clients are: prefixes of both families and the names of their regions, as the file of
 * `client_regions:` lists them or a database does.
 *
 *   # prefix            region
 *   198.51.100.0/24     eu-west-1
 *   2001:db8:100::/40   us-east-1
 */
#ifndef WEIR_CONFIG_CLIENTS_H
#define WEIR_CONFIG_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "util/lookup.h"

struct client_prefix {
	struct addr_prefix prefix;
	uint32_t region; /* place in `regions` */
	uint32_t line;	 /* of the file; 0: of a database */
};

struct client_region {
	char name[WEIR_NAME_MAX];
};

struct clients {
	VEC(struct client_prefix) prefixes; /* none twice with two regions; the longest counts */
	VEC(struct client_region) regions;  /* distinct */
	struct lookup by_name;		    /* of the regions */
};

void clients_fini(struct clients *clients);

/* The place of a region, which is added where it is new; its name is shorter than WEIR_NAME_MAX. 0
 * or -ENOMEM. */
int clients_region(struct clients *clients, const char *name, uint32_t *ret);

/* The place of a region that is there; false: it is not. */
bool clients_find(const struct clients *clients, const char *name, uint32_t *ret);

/* Adds a prefix of such a region. 0 or -ENOMEM. */
int clients_add(struct clients *clients, const struct addr_prefix *prefix, const char *region,
		uint32_t line);

/*
 * Parses the file's text, of less than 4 GiB. As config_parse(): 0 with *ret the caller's to fini,
 * or -EINVAL with errors in the findings, each with its line; -ENOMEM.
 */
int clients_parse(const char *text, size_t size, struct clients *ret, struct findings *findings);

#endif
