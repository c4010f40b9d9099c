/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom a worker sends a request to, where the client's address decides: asked of the workers' own
 * code, with a snapshot of what is in force, made as the daemon makes theirs, and with what they
 * have found out: who is put aside. Whether an endpoint is at its limit, or starts slowly, is not
 * asked.
 */
#ifndef WEIR_CLI_EXPLAIN_CHOICE_H
#define WEIR_CLI_EXPLAIN_CHOICE_H

#include <stdint.h>

#include "util/err.h"

struct forward_client;
struct model;
struct plan;
struct rules_verdict;

struct explain_choice {
	const char *instance;
	const char *text; /* of the configuration in force */
	const struct model *model;
	const struct plan *plan;
	const struct forward_client *client;
	const struct rules_verdict *verdict; /* RULES_DEFAULT or RULES_FORWARD */
	uint8_t region; /* of the client, by its number in the plan, whose orders are known */
};

/* 1 and the endpoint's row; 0: nobody takes the request; or -errno with a text. */
int explain_choice_make(const struct explain_choice *choice, uint32_t *ret_row, struct err *err);

#endif
