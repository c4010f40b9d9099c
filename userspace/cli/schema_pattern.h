/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Regular expressions (ECMA 262, as JSON Schema has them) of the texts that a key of the
 * configuration allows. What an expression cannot say is left to `weir check`: they match every
 * text that is right.
 */
#ifndef WEIR_CLI_SCHEMA_PATTERN_H
#define WEIR_CLI_SCHEMA_PATTERN_H

#include "config/schema.h"
#include "util/str.h"

/* Appends one that matches a decimal number from min to max, without a leading 0. */
void schema_pattern_number(int64_t min, int64_t max, struct str *out);

/* Appends that of a scalar of the key's type, from ^ to $. Nothing for OBJECT, ENDPOINT, MAP, BOOL
 * and CHOICE. */
void schema_pattern(const struct schema_key *key, struct str *out);

/* The same of the one line HOST[:PORT] [weight N]. */
void schema_pattern_endpoint(const struct schema_object *endpoint, struct str *out);

#endif
