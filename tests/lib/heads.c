// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "heads.h"

#include "heads_abi.h"
#include "http/request.h"
#include "http/response.h"
#include "http/target.h"

static const struct head_limits limits = { WEIR_ROUTING_HEAD, MESSAGE_FIELDS_MAX };

void heads_request(struct heads_case *c)
{
	heads_read_request(c);
}

void heads_answer(struct heads_case *c)
{
	heads_read_answer(c);
}

/* Would the worker pass them on as they are? */
static bool are_harmless(const struct field *fields, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];

		switch (field->id) {
		case FIELD_CONNECTION:
		case FIELD_CONTENT_LENGTH:
		case FIELD_HOST:
		case FIELD_COOKIE:
		case FIELD_OTHER:
			if (!field->named && !field->imitated)
				continue;
		}
		return false;
	}
	return true;
}

const char *heads_dispute_request(const struct heads_case *c)
{
	struct slice path = { c->key.text, c->key.path_size };
	struct slice host = { c->key.text + c->key.path_size, c->key.host_size };
	struct head head = { .bytes = c->room.bytes, .size = c->size };
	struct request request;
	const char *why;
	int r = request_parse(&head, &limits, &request);

	if (!c->taken || target_check(path, &why) < 0 || !request_is_authority(host))
		return NULL;
	if (r <= 0 || (uint32_t)r != c->taken)
		return r < 0 ? head.why : r ? "something follows" : "more follows";
	if (request.method != (c->is_head ? METHOD_HEAD : METHOD_GET))
		return "it is of another method";
	if (request.minor != 1 || request.form != TARGET_ORIGIN)
		return "it has another version, or its target another form";
	if (!slice_equal(request.path, path) || !slice_equal(request.authority, host))
		return "it has another path, or another host";
	if (request.framing != FRAMING_NONE || request.has_length || request.expect_continue)
		return "a body follows";
	if (!request.keep_alive || request.upgrade.size || request.te_trailers)
		return "it wants something of the connection";
	return are_harmless(request.fields, request.count) ? NULL : "it has an odd field";
}

const char *heads_dispute_answer(const struct heads_case *c)
{
	struct response_to to = { .method = c->is_head ? METHOD_HEAD : METHOD_GET };
	struct head head = { .bytes = c->room.bytes, .size = c->size };
	struct response response;
	int r = response_parse(&head, &limits, &to, &response);

	if (!c->taken)
		return NULL;
	if (r <= 0)
		return r ? head.why : "more follows";
	if (response.framing == FRAMING_LENGTH)
		r += response.content_length;
	else if (response.framing != FRAMING_NONE)
		return "nobody has told its length";
	if ((uint32_t)r != c->taken)
		return "it ends elsewhere";
	if (response.status != c->room.status || response.status < 200 || response.status >= 500 ||
	    response.status == 408)
		return "its status is another, or the worker's";
	if (response.minor != 1 || !response.keep_alive)
		return "it ends the connection";
	return are_harmless(response.fields, response.count) ? NULL : "it has an odd field";
}
