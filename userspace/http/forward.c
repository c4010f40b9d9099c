// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/forward.h"

#include "http/writer.h"

/* What has been seen of the fields that say something of the client. */
struct seen {
	const struct field *first_for; /* X-Forwarded-For */
	bool proto, port, real_ip;
};

static bool adds(const struct http_rule *rule, struct slice name)
{
	if (rule)
		vec_foreach(header, &rule->add_headers)
			if (message_is_alike(name, header->name))
				return true;
	return false;
}

/* Does the rule keep a field of the client from the endpoint? What it adds takes its place. */
static bool removes(const struct http_rule *rule, struct slice name)
{
	if (!rule)
		return false;
	vec_foreach(header, &rule->remove_headers)
		if (message_is_alike(name, *header))
			return true;
	return adds(rule, name);
}

bool forward_is_hearsay(const struct field *field, const struct forward_client *client)
{
	return field->id >= FIELD_FORWARDED && field->id <= FIELD_X_REAL_IP &&
	       (!client->trusted || field->imitated);
}

/* Is it one that says something of the client? Of those that go on X-Forwarded-For is written
 * anew. */
static bool drops_forwarded(const struct forward_request *what, const struct field *field,
			    struct seen *seen)
{
	if (forward_is_hearsay(field, what->client))
		return true;
	seen->proto |= field->id == FIELD_X_FORWARDED_PROTO;
	seen->port |= field->id == FIELD_X_FORWARDED_PORT;
	seen->real_ip |= field->id == FIELD_X_REAL_IP;
	if (field->id != FIELD_X_FORWARDED_FOR)
		return false;
	seen->first_for = seen->first_for ?: field;
	return true;
}

static void write_fields(struct writer *out, const struct forward_request *what, struct seen *seen)
{
	const struct request *request = what->request;

	for (uint16_t i = 0; i < request->count; i++) {
		const struct field *field = &request->fields[i];

		if (field->id < FIELD_KEPT || field->named ||
		    (field->id == FIELD_EXPECT && !request->expect_continue) ||
		    removes(what->rule, field->name) || drops_forwarded(what, field, seen))
			continue;
		writer_field(out, field->name, field->value);
	}
}

/* What came before of a trusted proxy, and the address that this connection is from. */
static void write_forwarded_for(struct writer *out, const struct forward_request *what,
				const struct seen *seen)
{
	const struct request *request = what->request;
	char text[ADDR_TEXT_MAX];

	writer_text(out, "X-Forwarded-For: ");
	for (const struct field *field = seen->first_for;
	     field && field < request->fields + request->count; field++) {
		if (field->id != FIELD_X_FORWARDED_FOR || field->imitated || field->named ||
		    !field->value.size)
			continue;
		writer_slice(out, field->value);
		writer_text(out, ", ");
	}
	writer_text(out, addr_print(&what->client->addr, text));
	writer_text(out, "\r\n");
}

static void write_forwarded(struct writer *out, const struct forward_request *what,
			    const struct seen *seen)
{
	static const char proto[] = "X-Forwarded-Proto", port[] = "X-Forwarded-Port",
			  real_ip[] = "X-Real-IP";
	uint8_t asked = what->http->x_forwarded;
	char text[ADDR_TEXT_MAX];

	write_forwarded_for(out, what, seen);
	if ((asked & HTTP_X_FORWARDED_PROTO) && !seen->proto && !adds(what->rule, SLICE(proto)))
		writer_field(out, SLICE(proto), SLICE(what->http->tls ? "https" : "http"));
	if ((asked & HTTP_X_FORWARDED_PORT) && !seen->port && !adds(what->rule, SLICE(port))) {
		writer_text(out, port);
		writer_text(out, ": ");
		writer_number(out, what->client->local_port);
		writer_text(out, "\r\n");
	}
	if ((asked & HTTP_X_REAL_IP) && !seen->real_ip && !adds(what->rule, SLICE(real_ip)))
		writer_field(out, SLICE(real_ip), SLICE(addr_print(&what->client->addr, text)));
}

static void write_line(struct writer *out, const struct forward_request *what)
{
	const struct request *request = what->request;
	const struct forward_rewrite none = {};
	const struct forward_rewrite *rewrite = what->rewrite ?: &none;
	bool asterisk = request->form == TARGET_ASTERISK;

	writer_slice(out, request->method_text);
	writer_text(out, " ");
	writer_slice(out, rewrite->path.at && !asterisk ? rewrite->path : request->path);
	if (rewrite->query.at ? rewrite->query.size && !asterisk : request->has_query) {
		writer_text(out, "?");
		writer_slice(out, rewrite->query.at ? rewrite->query : request->query);
	}
	writer_text(out, " HTTP/1.1\r\n");
	if (rewrite->host.at)
		writer_field(out, SLICE("Host"), rewrite->host);
	else
		writer_field(out, SLICE("Host"),
			     request->authority.size ? request->authority : SLICE(what->host));
}

static void write_framing(struct writer *out, enum framing framing, bool has_length,
			  uint64_t length)
{
	if (framing == FRAMING_CHUNKED) {
		writer_text(out, "Transfer-Encoding: chunked\r\n");
	} else if (has_length) {
		writer_text(out, "Content-Length: ");
		writer_number(out, length);
		writer_text(out, "\r\n");
	}
}

static void write_connection(struct writer *out, const struct forward_request *what)
{
	const struct request *request = what->request;
	bool te = request->te_trailers && !removes(what->rule, SLICE("TE"));

	if (te)
		writer_text(out, "TE: trailers\r\n");
	if (request->upgrade.size) {
		writer_field(out, SLICE("Upgrade"), request->upgrade);
		writer_text(out, te ? "Connection: upgrade, TE\r\n" : "Connection: upgrade\r\n");
	} else if (!what->keep_alive) {
		writer_text(out, te ? "Connection: close, TE\r\n" : "Connection: close\r\n");
	} else if (te) {
		writer_text(out, "Connection: TE\r\n");
	}
}

ssize_t forward_request(const struct forward_request *what, char *buffer, size_t room)
{
	const struct request *request = what->request;
	struct seen seen = {};
	struct writer out;

	writer_init(&out, buffer, room);
	write_line(&out, what);
	write_fields(&out, what, &seen);
	write_forwarded(&out, what, &seen);
	if (what->rule)
		vec_foreach(header, &what->rule->add_headers)
			writer_field(&out, SLICE(header->name), SLICE(header->value));
	write_framing(&out, request->framing, request->has_length, request->content_length);
	write_connection(&out, what);
	writer_text(&out, "\r\n");
	return writer_size(&out);
}

ssize_t forward_response(const struct forward_response *what, char *buffer, size_t room)
{
	const struct response *response = what->response;
	struct writer out;

	writer_init(&out, buffer, room);
	writer_text(&out, "HTTP/1.1 ");
	writer_number(&out, response->status);
	writer_text(&out, " ");
	writer_slice(&out, response->reason);
	writer_text(&out, "\r\n");
	for (uint16_t i = 0; i < response->count; i++) {
		const struct field *field = &response->fields[i];

		if (!field->named && (field->id > FIELD_KEPT || field->imitated))
			writer_field(&out, field->name, field->value);
	}
	if (response->status == 101) {
		writer_field(&out, SLICE("Upgrade"), response->upgrade);
		writer_text(&out, "Connection: upgrade\r\n");
	} else if (!response->interim) {
		write_framing(&out, what->minor ? response->framing : FRAMING_NONE,
			      response->has_length && response->status != 204,
			      response->content_length);
		if (!what->keep_alive)
			writer_text(&out, "Connection: close\r\n");
		else if (!what->minor)
			writer_text(&out, "Connection: keep-alive\r\n");
	}
	writer_text(&out, "\r\n");
	return writer_size(&out);
}
