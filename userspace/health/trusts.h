/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom the health checks of a model trust: its files of certificates, each read once for all groups
 * that name it.
 */
#ifndef WEIR_HEALTH_TRUSTS_H
#define WEIR_HEALTH_TRUSTS_H

#include "config/model.h"
#include "net/tls.h"
#include "util/vec.h"

struct trusts_entry {
	char *ca_file; /* owned; NULL: the system's */
	bool verify;
	struct tls_trust *trust; /* owned */
};

struct trusts {
	VEC(struct trusts_entry) list;
};

void trusts_fini(struct trusts *trusts);

/* What a check by HTTPS needs, read now if it has not been. It lives as long as `trusts`. */
int trusts_get(struct trusts *trusts, const struct health_check *check,
	       const struct tls_trust **ret, struct err *err);

/* Reads everything that the model names; what is in *ret already is not read again. An error names
 * listener and group, and *ret has what could be read before. */
int trusts_read(const struct model *model, struct trusts *ret, struct err *err);

#endif
