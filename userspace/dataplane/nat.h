/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The NAT flow table from outside: read in place while packets change it, written only by BPF.
 * <weir/nat.h> has the rules.
 */
#ifndef WEIR_DATAPLANE_NAT_H
#define WEIR_DATAPLANE_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/nat.h>

#include "dataplane/object.h"

/* How many records there are, free or not. */
uint32_t nat_size(const struct object *object);

/* Copies record `index` if it is LIVE, as it was at one moment. */
bool nat_read(const struct object *object, uint32_t index, struct weir_nat_record *ret);

/* Is a copied record over at `now` (s)? As the data plane sees it. */
bool nat_is_over(const struct object *object, const struct weir_nat_record *record, uint32_t now);

/* Removes what has been over for WEIR_NAT_GRACE at `now` (s); *ret is how many. The object must
 * have been loaded, not just opened. */
int nat_sweep(const struct object *object, uint32_t now, uint32_t *ret, struct err *err);

#endif
