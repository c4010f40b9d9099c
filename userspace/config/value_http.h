/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The values that only HTTP has; see value.h. Pure; called by value.c.
 */
#ifndef WEIR_CONFIG_VALUE_HTTP_H
#define WEIR_CONFIG_VALUE_HTTP_H

#include "config/schema.h"
#include "util/err.h"

/* Is it the value of such a key? 0, or -EINVAL with the text in err; -EPROTOTYPE if the type is not
 * one of HTTP. The texts of regular expressions are not looked at, see http_check.c. */
int value_http_check(const struct schema_key *key, const char *text, struct err *err);

#endif
