/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cuts the texts that hold several values into those; what the parts say is read elsewhere. Pure;
 * called by read.c.
 */
#ifndef WEIR_CONFIG_CUT_H
#define WEIR_CONFIG_CUT_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

/* A part of a text. */
struct cut_part {
	size_t from;
	size_t size;
};

struct cut_endpoint_parts {
	struct cut_part address;
	struct cut_part port;	/* where has_port */
	struct cut_part weight; /* where has_weight */
	bool has_port;
	bool has_weight;
};

/* Cuts HOST[:PORT] ["weight" N], without looking into the parts. 0, or -EINVAL with the text in
 * err and the part that does not fit in *ret_wrong. */
int cut_endpoint(const char *text, struct cut_endpoint_parts *ret, struct cut_part *ret_wrong,
		 struct err *err);

/* Cuts "80,443, 7000-7099" at the commas: the part that begins at *at, which moves on. False at
 * the end. Start with *at = 0. */
bool cut_port(const char *text, size_t *at, struct cut_part *ret);

#endif
