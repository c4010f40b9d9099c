/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tables that cat shows: bpf/listing.bpf.c. */
#ifndef WEIR_DATAPLANE_LISTING_H
#define WEIR_DATAPLANE_LISTING_H

#include "dataplane/object.h"

/* Pins them beside the maps of a set, which are pinned already. Nothing else needs them. */
int listing_load(const char *directory, uint32_t set, struct err *err);

#endif
