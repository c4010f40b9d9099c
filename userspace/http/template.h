/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Texts of rules with variables in them: ${protocol} ${host} ${port} ${path} ${query} of the
 * request, ${1} ${2} ${3} of what its path matched.
 */
#ifndef WEIR_HTTP_TEMPLATE_H
#define WEIR_HTTP_TEMPLATE_H

#include "http/message.h"
#include "http/writer.h"
#include "util/vec.h"

enum template_variable {
	TEMPLATE_PROTOCOL,
	TEMPLATE_HOST,
	TEMPLATE_PORT,
	TEMPLATE_PATH,
	TEMPLATE_QUERY,
	TEMPLATE_1,
	TEMPLATE_2,
	TEMPLATE_3,
	TEMPLATE_VARIABLES,
	TEMPLATE_TEXT = TEMPLATE_VARIABLES,
};

struct template_part {
	uint8_t variable; /* enum template_variable */
	struct slice text;
};

struct template
{
	VEC(struct template_part) parts;
	uint8_t used; /* set of 1 << enum template_variable, of those that fit */
};

/* Cuts a text, which must stay. 0 or -ENOMEM. */
int template_init(const char *text, struct template *ret);
void template_fini(struct template *template);

/* Writes it with the values of its variables. A '?' or '&' before an empty ${query} at the end goes
 * with it. */
void template_write(const struct template *template, const struct slice values[TEMPLATE_VARIABLES],
		    struct writer *out);

#endif
