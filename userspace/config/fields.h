/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the later stages ask a tree that read.c has been through. `map` is a mapping with
 * TREE_GOOD; `id` is the index of a key in its object (enum schema_*_keys).
 */
#ifndef WEIR_CONFIG_FIELDS_H
#define WEIR_CONFIG_FIELDS_H

#include "config/tree.h"

/* The value of a key if it is there and right, else NULL. */
struct tree_node *fields_get(const struct tree_node *map, unsigned id);

/* The key is absent, or it is right: its meaning is known. */
bool fields_known(const struct tree_node *map, unsigned id);

/* Number, bool, choice or duration; the schema's fallback if the key is absent (or wrong). */
int64_t fields_number(const struct tree_node *map, unsigned id);

/* The text, or "" likewise. */
const char *fields_text(const struct tree_node *map, unsigned id);

/* Of a listener. The transport: IPPROTO_TCP or IPPROTO_UDP, 0 while it is not known. */
uint8_t fields_transport(const struct tree_node *listener);
bool fields_is_http(const struct tree_node *listener); /* or https */

/* Appends the right items of a list to *ret; none if the key is absent. 0 or -ENOMEM. */
struct node_list {
	VEC(struct tree_node *) nodes;
};
int fields_items(const struct tree_node *map, unsigned id, struct node_list *ret);
void fields_items_fini(struct node_list *list);

/* Where an endpoint's port stands, its own or its group's; NULL: it is the listener's, or not
 * known. */
struct tree_node *fields_port(const struct tree_node *endpoint);
bool fields_port_known(const struct tree_node *endpoint);

/* Bits 1 << enum weir_mode: the endpoint's own mode, or the listener's; all while it is not known.
 */
unsigned fields_modes(const struct tree_node *listener, const struct tree_node *endpoint);
#define FIELDS_NAT     (1u << WEIR_MODE_NAT)
#define FIELDS_DSR     (1u << WEIR_MODE_DSR)
#define FIELDS_GUE     (1u << WEIR_MODE_GUE)
#define FIELDS_TUNNELS (1u << WEIR_MODE_IPIP | FIELDS_GUE)

/* Is the address of an endpoint a name in DNS? */
/* enum endpoint_type of an endpoint: as it says, or as its address looks. */
uint8_t fields_type(const struct tree_node *endpoint);

bool fields_is_domain(const struct tree_node *address);

/* Appends the right ports of a list of PORTS, in the order of the file: nodes with value.ports. */
int fields_ports(const struct tree_node *map, unsigned id, struct node_list *ret);

#endif
