/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP half of explain: what becomes of a request, by the rules that the workers have and the
 * shares in force, or by the rules of a file.
 */
#ifndef WEIR_CLI_EXPLAIN_HTTP_H
#define WEIR_CLI_EXPLAIN_HTTP_H

#include <jansson.h>

#include "net/frame.h"
#include "util/cleanup.h"
#include "util/err.h"

#define EXPLAIN_HTTP_FIELDS 32

struct plan;

struct explain_http_question {
	const char *line; /* "GET /v2/x HTTP/1.1", or without the version; NULL: nothing is asked */
	const char *fields[EXPLAIN_HTTP_FIELDS]; /* "Host: a" */
	size_t count;
	const char *file; /* NULL: the configuration in force */
};

struct explain_http;

/* Of the listener that the packet is for, by the plan in force, as it was read from the maps, which
 * must stay; NULL: by the file alone. A request that is refused is an answer, too. */
int explain_http_ask(const char *instance, const struct explain_http_question *question,
		     const struct frame_spec *packet, struct plan *plan, struct explain_http **ret,
		     struct err *err);

void explain_http_free(struct explain_http *answer);
DEFINE_CLEANUP(struct explain_http *, explain_http_free)

void explain_http_print(const struct explain_http *answer, FILE *out);
json_t *explain_http_json(const struct explain_http *answer);

#endif
