/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The steps of `weir explain` in words: rows become names, keys what bpftool shows them as. */
#ifndef WEIR_CLI_EXPLAIN_STEP_H
#define WEIR_CLI_EXPLAIN_STEP_H

#include <weir/explain.h>

#include "dataplane/object.h"

#define EXPLAIN_WORDS_MAX 320

/* Of one step; empty texts where there is nothing to say. */
struct explain_words {
	const char *stage; /* NULL: the step is not worth a line */
	const char *map;   /* whose row decided; NULL: none did */
	char key[64];	   /* of the row */
	char text[EXPLAIN_WORDS_MAX];
};

/* What the steps before have said; zero at first. */
struct explain_reading {
	const struct object *object;
	struct weir_step_parsed parsed;
	uint32_t address; /* cell */
	struct weir_listener listener;
	struct weir_endpoint endpoint;
	bool ended;  /* the verdict has been read */
	bool ranges; /* the port has no cell of its own, and the address has ranges */
};

void explain_step_read(struct explain_reading *reading, const struct weir_step *step,
		       struct explain_words *ret);

/* "web/main/ep1" of an endpoint's row. */
const char *explain_step_endpoint(const struct object *object, uint32_t row,
				  char ret[EXPLAIN_WORDS_MAX]);

/* "web" of a listener's id; "" of none. */
const char *explain_step_listener(const struct object *object, uint32_t id);

#endif
