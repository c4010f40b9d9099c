/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lines of a listener that only protocol http and https have; for config_print().
 */
#ifndef WEIR_CONFIG_HTTP_PRINT_H
#define WEIR_CONFIG_HTTP_PRINT_H

#include "config/model.h"
#include "util/str.h"

/* What comes before the endpoint groups, and what after them. */
void http_print(const struct http *http, struct str *out);
void http_print_rules(const struct listener *listener, struct str *out);

#endif
