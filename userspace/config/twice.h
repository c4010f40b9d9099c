/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What may be given once: names, or addresses with a port. */
#ifndef WEIR_CONFIG_TWICE_H
#define WEIR_CONFIG_TWICE_H

#include "config/tree.h"
#include "net/addr.h"
#include "util/vec.h"

/* A name, or (text == NULL) an address with a port, and where it is given. */
struct twice_entry {
	const char *text;
	struct addr addr;
	uint16_t port;
	struct tree_node *node;
};

struct twice {
	VEC(struct twice_entry) list;
};

void twice_fini(struct twice *twice);

/* Running out of memory is in the report. */
void twice_add(struct report *report, struct twice *twice, struct twice_entry entry);

/* The text of a node; nothing of NULL. */
void twice_add_name(struct report *report, struct twice *twice, struct tree_node *node);

/* "WHAT 'web' is given twice; first in line 3", at the second and later of equal entries. Sorts. */
void twice_report(struct report *report, struct twice *twice, const char *what);

#endif
