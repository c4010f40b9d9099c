// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/sight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy/client.h"
#include "proxy/logger.h"
#include "proxy/tally.h"

static uint32_t since(const struct client *client)
{
	uint64_t span = client->engine->now_us - client->sight.began;

	return span < ACCESSLOG_NEVER ? span : ACCESSLOG_NEVER - 1;
}

/* ---- where it is counted ---- */

/* Without a row what happens is counted, too, but nobody sees it. */
static int prepare_service(struct engine *engine, struct service *service)
{
	const struct listener *listener = service->listener;
	struct tally_block *own = engine->tally ? tally_own(engine->tally) : NULL;
	int row = own ? tally_find_listener(engine->tally, listener->name) : -ENOENT;

	service->tally = row < 0 ? &engine->unseen : &own->listeners[row];
	service->rule_tallies =
		calloc(listener->http->rules.count + 1, sizeof(*service->rule_tallies));
	if (!service->rule_tallies)
		return -ENOMEM;
	for (size_t i = 0; i < listener->http->rules.count; i++) {
		row = own ? tally_find_rule(engine->tally, listener->name,
					    &listener->http->rules.items[i])
			  : -ENOENT;
		service->rule_tallies[i] = row < 0 ? &engine->unseen_rule : &own->rules[row];
	}
	return 0;
}

int sight_prepare(struct engine *engine, struct setup *setup)
{
	int r = 0;

	for (size_t i = 0; !r && i < setup->count; i++)
		r = prepare_service(engine, &setup->services[i]);
	return r;
}

void sight_open(struct client *client)
{
	client->tally = client->service->tally;
	tally_add(&client->tally->connections, 1);
}

static void forget(struct sight *sight)
{
	if (sight->tally)
		tally_add(&sight->tally->requests, -1);
	bytes_fini(&sight->text);
	*sight = (struct sight){};
}

void sight_close(struct client *client)
{
	if (client->tally)
		tally_add(&client->tally->connections, -1);
	client->tally = NULL;
	forget(&client->sight);
}

/* ---- on its way ---- */

void sight_begin(struct client *client)
{
	struct sight *sight = &client->sight;

	if (sight->began)
		return;
	sight->began = client->engine->now_us;
	sight->head = sight->connected = sight->answered = ACCESSLOG_NEVER;
}

/* No more of a text than a line will show. */
static uint32_t keep(struct bytes *text, struct slice part, size_t most)
{
	uint32_t size = part.size < most ? part.size : most;

	return bytes_add(text, part.at, size) ? 0 : size;
}

void sight_head(struct client *client, size_t length)
{
	const struct request *request = &client->engine->request;
	struct sight *sight = &client->sight;

	sight->head = since(client);
	sight->received = length;
	sight->minor = request->minor;
	sight->tally = client->service->tally;
	tally_add(&sight->tally->requests, 1);
	if (!logger_wants(client->engine->logger))
		return;
	sight->method = keep(&sight->text, request->method_text, ADDR_HOST_MAX);
	sight->host = keep(&sight->text, request->authority, ADDR_HOST_MAX + 2);
	sight->path = keep(&sight->text, request->target, ACCESSLOG_TARGET_MAX);
}

void sight_rule(struct client *client, const struct rules_verdict *verdict)
{
	client->sight.rule = verdict->rule;
	client->sight.rule_number = verdict->rule ? verdict->index + 1 : 0;
	if (verdict->rule)
		tally_add(client->service->rule_tallies[verdict->index], 1);
}

void sight_target(struct client *client, const struct target *target, bool reused)
{
	struct sight *sight = &client->sight;

	sight->retries += sight->target != NULL;
	sight->target = target;
	sight->reused = reused;
	sight->connected = reused ? since(client) : ACCESSLOG_NEVER;
}

void sight_connected(struct client *client)
{
	client->sight.connected = since(client);
}

void sight_answered(struct client *client)
{
	client->sight.answered = since(client);
}

void sight_own(struct client *client, enum accesslog_end end, const char *why)
{
	client->sight.end = end;
	client->sight.why = why;
}

/* ---- the end ---- */

static uint64_t wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

static void write_line(struct client *client, const struct sight_result *result)
{
	const struct sight *sight = &client->sight;
	const struct snapshot_target *endpoint = sight->target ? sight->target->endpoint : NULL;
	const char *text = sight->text.size ? bytes_at(&sight->text) : "";
	uint32_t ended = since(client);
	struct accesslog_entry entry = {
		.time = wall_clock() - ended,
		.client = client->who.addr,
		.client_port = client->port,
		.listener = result->service->listener->name,
		.rule = sight->rule ? sight->rule->name : "",
		.rule_number = sight->rule_number,
		.group = endpoint ? endpoint->group : NULL,
		.endpoint = endpoint ? endpoint->name : NULL,
		.minor = sight->minor,
		.status = result->status,
		.retries = sight->retries,
		.reused = sight->reused,
		.received = result->received,
		.sent = result->sent,
		.head = sight->head,
		.connected = sight->connected,
		.answered = sight->answered,
		.ended = ended,
		.end = result->end,
		.why = sight->why,
	};
	char line[ACCESSLOG_LINE_MAX];
	ssize_t size;

	if (sight->method) {
		entry.method = (struct slice){ text, sight->method };
		entry.host = (struct slice){ text + sight->method, sight->host };
		entry.target = (struct slice){ text + sight->method + sight->host, sight->path };
	}
	size = accesslog_write(&entry, line, sizeof(line));
	if (size > 0)
		logger_add(client->engine->logger, line, size);
}

static void count_end(const struct client *client, const struct sight_result *result)
{
	struct tally_listener *tally = result->service->tally;
	uint32_t took = since(client);

	tally_add(&tally->ends[result->end], 1);
	tally_add(&tally->took[engine_latency_entry(took)], 1);
	tally_add(&tally->took_us, took);
}

void sight_end(struct client *client, const struct sight_result *result)
{
	const struct engine_exchange exchange = {
		.service = result->service,
		.target = result->is_endpoints ? client->sight.target : NULL,
		.status = result->status,
		.request_bytes = result->received,
		.answer_bytes = result->sent,
		.answered = client->sight.answered,
		.timed = result->is_endpoints && result->status,
	};

	sight_begin(client); /* an answer to nothing takes no time */
	engine_count(client->engine, &exchange);
	count_end(client, result);
	if (logger_wants(client->engine->logger))
		write_line(client, result);
	forget(&client->sight);
}
