/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What listeners of protocol http and https must keep to beyond the schema, and what others cannot
 * have. Nothing is said about what is wrong already.
 */
#ifndef WEIR_CONFIG_HTTP_CHECK_H
#define WEIR_CONFIG_HTTP_CHECK_H

#include "config/http.h"
#include "config/tree.h"

void http_check(struct report *report, struct tree_node *root);

/* The forwarding rules of a listener, by its rule_order. Stores in value.number of each name behind
 * 'forward' which of the listener's groups it is, or -1. */
void http_check_rules(struct report *report, const struct tree_node *listener,
		      enum http_rule_order order);

#endif
