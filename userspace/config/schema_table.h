/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the parts of the table, schema.c and schema_*.c, are written. */
#ifndef WEIR_CONFIG_SCHEMA_TABLE_H
#define WEIR_CONFIG_SCHEMA_TABLE_H

#include "config/schema.h"

#define KEYS(table) .keys = (table), .count = sizeof(table) / sizeof((table)[0])
#define SECONDS(n)  ((n)*INT64_C(1000)) /* as DURATION values are */

#endif
