/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One text to one typed value, as the schema says; strict, and the message of a refusal names what
 * is allowed. Pure; called by read.c.
 */
#ifndef WEIR_CONFIG_VALUE_H
#define WEIR_CONFIG_VALUE_H

#include "config/model.h"
#include "config/schema.h"
#include "util/err.h"

/* Which member holds the value follows from the key's type; NAME, INTERFACE, PATH
 * and COUNTRY: none, the text. */
union value {
	int64_t number; /* NUMBER, BOOL, CHOICE; DURATION in ms */
	struct {
		int64_t from, to;     /* ms */
	} span;			      /* SPAN */
	struct port_range ports;      /* PORTS */
	struct addr addr;	      /* ADDRESS */
	struct addr_prefix prefix;    /* NETWORK, PREFIX */
	struct rate rate;	      /* RATE */
	struct metrics_listen listen; /* LISTEN */
};

/* Reads one scalar (NUL-terminated) of the key's type. 0, or -EINVAL with the text in err. */
int value_read(const struct schema_key *key, const char *text, union value *ret, struct err *err);

/* "1 to 65535", "tcp, udp", "1s to 1d": what a key of type NUMBER, DURATION, SPAN, PORTS or
 * CHOICE allows. Returns `ret`. */
#define VALUE_ALLOWED_MAX 256
const char *value_allowed(const struct schema_key *key, char ret[VALUE_ALLOWED_MAX]);

#endif
