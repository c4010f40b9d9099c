/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* MaxMind DB files: in which country is an address? The only user of libmaxminddb. */
#ifndef WEIR_NET_COUNTRIES_H
#define WEIR_NET_COUNTRIES_H

#include "net/addr.h"
#include "util/err.h"

/* What is known of a prefix: two letters each, or "". */
struct country {
	char country[3];   /* ISO 3166: "DE" */
	char continent[3]; /* "EU" */
};

/*
 * Calls `each` with every prefix that the database knows something of, IPv4 and IPv6, none in
 * another. A value other than 0 that it returns ends the walk and is returned. -EINVAL or what
 * file_read() returns, with a text: the file is damaged, is no such database, or cannot be read.
 */
int countries_each(const char *path,
		   int each(const struct addr_prefix *prefix, const struct country *country,
			    void *user),
		   void *user, struct err *err);

#endif
