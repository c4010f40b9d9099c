/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What libyaml's complaint means for somebody who writes a configuration. Pure; called by tree.c.
 */
#ifndef WEIR_CONFIG_SYNTAX_H
#define WEIR_CONFIG_SYNTAX_H

#include "config/report.h"

struct syntax_problem {
	const char *context; /* libyaml's texts; may be NULL */
	const char *problem;
	size_t context_at; /* their places, in bytes */
	size_t problem_at;
};

/* Adds the one error that a text which is not YAML gets: where, and what to do. */
void syntax_report(struct report *report, const struct syntax_problem *problem);

/* Checks what must hold before libyaml sees the text: size, UTF-8, no control characters. 0, or
 * -EINVAL with an error in the report. */
int syntax_check_bytes(struct report *report);

#endif
