/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Text to model and back. Everything here is pure: no files, no clock, no network.
 *
 * One schema table (schema.h) names every key with its type, range, default and help; parsing,
 * checking, suggestions and printing read that table. All findings of a text are reported in one
 * pass, in the order of their place in the text; an error in one field neither hides errors of its
 * siblings nor causes follow-up errors.
 */
#ifndef WEIR_CONFIG_CONFIG_H
#define WEIR_CONFIG_CONFIG_H

#include <stddef.h>
#include <stdio.h>

#include "config/model.h"
#include "util/str.h"

enum finding_severity {
	FINDING_ERROR,
	FINDING_WARNING,
};

/* One thing wrong with a text. */
struct finding {
	enum finding_severity severity;
	size_t offset;	 /* of the marked text, in bytes; 0 of the text as a whole */
	unsigned line;	 /* from 1; 0: of the text as a whole */
	unsigned column; /* from 1, in characters (UTF-8 code points) */
	unsigned length; /* of the marked text, >= 1, never past the line's end */
	char *message;	 /* "unknown key 'wieght'; did you mean 'weight'?" */
	char *path;	 /* "listeners[0].endpoint_groups[0].endpoints[0]", or "" */
};

struct findings {
	VEC(struct finding) list;
	size_t errors; /* how many of them are errors */
};

void findings_fini(struct findings *findings);

/*
 * Parses and validates `text` (`size` bytes, need not end in NUL). On success (0) *ret is a new
 * model, owned by the caller, and `findings` holds warnings only. -EINVAL: findings->errors > 0.
 * -ENOMEM: nothing is said. `findings` must be zeroed before and is the caller's to fini.
 */
int config_parse(const char *text, size_t size, struct model **ret, struct findings *findings);

/*
 * The compiler-like report, one block per finding:
 *
 *   weir.yaml:9:13: error: unknown key 'wieght'; did you mean 'weight'?
 *       9 |             wieght: 100
 *         |             ^~~~~~  (listeners[0].endpoint_groups[0].endpoints[0])
 *
 * `colour` adds ANSI escapes. Long lines are cut around the caret; control characters become '?'.
 */
void findings_print(const struct findings *findings, const char *name, const char *text,
		    size_t size, bool colour, FILE *out);

/* Writes the model as a canonical YAML text that parses to an equal model. NULL without memory. */
char *config_print(const struct model *model);

/* For diff.c, that text by parts: all but acls and listeners, and one of these as an item of its
 * list. */
void config_print_settings(const struct model *model, struct str *out);
void config_print_acl(const struct acl *acl, struct str *out);
void config_print_listener(const struct model *model, const struct listener *listener,
			   struct str *out);

#endif
