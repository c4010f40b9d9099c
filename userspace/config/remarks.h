/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is to be said of a valid configuration by who knows more than its text: that a file it names
 * is bad, that an instance does not serve. Whoever finds it out has the model; remarks_place()
 * finds the place in the text, so that it reads like config_parse()'s own warnings.
 */
#ifndef WEIR_CONFIG_REMARKS_H
#define WEIR_CONFIG_REMARKS_H

#include "config/config.h"

enum remark_kind {
	REMARK_ENDPOINT,	/* [listener, group, endpoint], places in the model's lists */
	REMARK_INVENTORY,	/* as a whole */
	REMARK_INVENTORY_FILE,	/* [file] */
	REMARK_CLIENTS_FILE,	/* of client_regions */
	REMARK_CLIENTS_MAXMIND, /* the same */
};

struct remark_place {
	enum remark_kind kind;
	size_t at[3];
};

struct remark {
	struct remark_place place;
	char *message; /* owned */
};

struct remarks {
	VEC(struct remark) list;
	bool failed; /* without memory: some are missing */
};

void remarks_fini(struct remarks *remarks);

void remarks_add(struct remarks *remarks, const struct remark_place *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As warnings of the text that the model was made of; `findings` is empty, and the caller's to
 * fini. 0 or -ENOMEM. */
int remarks_place(const struct remarks *remarks, const char *text, size_t size,
		  struct findings *findings);

#endif
