// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: whatever the rules and the request, the compiled rules say what a reference says that tries
 * them one by one. The bytes are the choices that make both.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "http/request.h"
#include "rules_naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct head_limits limits = { HEAD_SIZE_DEFAULT, MESSAGE_FIELDS_MAX };

static void try_request(struct rules_source *source, const struct listener *listener,
			struct rules *rules)
{
	struct forward_client client = {};
	struct rules_verdict verdict;
	struct request request;
	struct head head = {};
	uint32_t wanted;
	uint8_t kind;
	char text[512];

	rules_random_request(source, text, sizeof(text), &client);
	head.bytes = text;
	head.size = strlen(text);
	if (request_parse(&head, &limits, &request) != (int)head.size)
		__builtin_trap();
	rules_naive_match(listener, &request, &client, &kind, &wanted);
	if (rules_match(rules, &request, &client, &verdict) || verdict.kind != kind ||
	    (verdict.rule ? verdict.index : UINT32_MAX) != wanted) {
		fprintf(stderr, "%d and %d: %s", (int)verdict.index, (int)wanted, text);
		__builtin_trap();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rules_source source = { .bytes = data, .size = size, .only_bytes = true };
	struct listener *listener = rules_random_listener(&source);
	struct rules *rules = NULL;

	if (rules_new(listener, &rules, NULL))
		__builtin_trap();
	do
		try_request(&source, listener, rules);
	while (source.size);
	rules_free(rules);
	rules_listener_free(listener);
	return 0;
}
