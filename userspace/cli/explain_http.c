// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/explain_http.h"

#include <errno.h>
#include <string.h>

#include "cli/configuration.h"
#include "cli/explain_choice.h"
#include "cli/report.h"
#include "cli/show_rules.h"
#include "cli/table.h"
#include "http/answer.h"
#include "http/request.h"
#include "http/rules.h"
#include "http/target.h"
#include "plan/plan_clients.h"
#include "plan/plan_shares.h"
#include "util/str.h"

#define ROOM (4 * HEAD_SIZE_DEFAULT)

struct explain_http {
	struct model *model; /* owned */
	const struct listener *listener;
	const struct plan_listener *plan; /* in force; NULL: a file is asked */
	bool asks;			  /* it asks where its clients are */
	uint8_t number;			  /* of the client's region; 0: none */
	const char *region;		  /* its name, or NULL */
	char range[ADDR_RANGE_MAX];	  /* by which it is there */
	struct plan_shares near; /* of default groups, for this client; empty: as for all others */
	struct rules *rules;	 /* owned */
	char *text;		 /* owned: the head, which the request is slices of */
	struct request request;
	struct forward_client client;
	int status; /* that weir itself answers with; 0: none */
	const char *why;
	struct rules_verdict verdict;
	char *configuration;		    /* owned: its text */
	const struct plan_endpoint *chosen; /* by the client's address; NULL: it has no say */
	char *path;			    /* owned: as rules see it; NULL: as it came */
	char *forwarded; /* owned: the head that an endpoint gets; NULL: none does */
};

void explain_http_free(struct explain_http *answer)
{
	if (!answer)
		return;
	plan_shares_fini(&answer->near);
	rules_free(answer->rules);
	model_free(answer->model);
	free(answer->configuration);
	free(answer->text);
	free(answer->path);
	free(answer->forwarded);
	free(answer);
}

static const struct listener *find_listener(const struct model *model,
					    const struct frame_spec *packet)
{
	vec_foreach(listener, &model->listeners) {
		if (!listener->http || listener->ports.items[0].first != packet->dport)
			continue;
		vec_foreach(address, &listener->addresses)
			if (addr_equal(address, &packet->dst))
				return listener;
	}
	return NULL;
}

/* The head as a client would send it. */
static char *write_head(const struct explain_http_question *question)
{
	struct str text = {};

	str_add(&text, "%s%s\r\n", question->line,
		strstr(question->line, " HTTP/") ? "" : " HTTP/1.1");
	for (size_t i = 0; i < question->count; i++)
		str_add(&text, "%s\r\n", question->fields[i]);
	str_add(&text, "\r\n");
	return str_take(&text);
}

static int parse(struct explain_http *answer)
{
	static const struct head_limits limits = { HTTP_HEAD_LIMIT, MESSAGE_FIELDS_MAX };
	struct head head = { .bytes = answer->text, .size = strlen(answer->text) };
	int r = request_parse(&head, &limits, &answer->request);

	answer->why = head.why;
	if (r != 0 && r != (int)head.size)
		answer->why = answer->why ?: "a field is empty, so that the header ends there";
	return r == (int)head.size ? 0 : r < 0 ? r : -400;
}

static int normalise(struct explain_http *answer)
{
	struct slice path = answer->request.path;

	if (answer->request.path_plain)
		return 0;
	answer->path = calloc(1, path.size + 1);
	if (!answer->path)
		return -ENOMEM;
	target_normalise(path, answer->path);
	return 0;
}

/* What an endpoint would get. */
static int forward(struct explain_http *answer)
{
	struct forward_request what = { .request = &answer->request,
					.client = &answer->client,
					.http = answer->listener->http,
					.rule = answer->verdict.rule,
					.rewrite = &answer->verdict.rewrite,
					.host = "ENDPOINT",
					.keep_alive = true };
	ssize_t size;

	if (answer->verdict.kind > RULES_FORWARD)
		return 0;
	answer->forwarded = calloc(1, ROOM);
	if (!answer->forwarded)
		return -ENOMEM;
	size = forward_request(&what, answer->forwarded, ROOM - 1);
	return size < 0 ? -ENOMEM : 0;
}

/* The virtual group that a rule names; NULL: the default ones, one of which it may have named. */
static const struct endpoint_group *virtual_group(const struct explain_http *answer)
{
	const struct endpoint_group *group;

	if (answer->verdict.kind != RULES_FORWARD)
		return NULL;
	group = &answer->listener->groups.items[answer->verdict.group];
	return group->is_virtual ? group : NULL;
}

static bool takes(const struct explain_http *answer, const struct endpoint_group *group)
{
	const struct endpoint_group *only = virtual_group(answer);

	if ((answer->status && answer->status != 503) || answer->verdict.kind > RULES_FORWARD)
		return false;
	return only ? group == only : !group->is_virtual;
}

/* Of a default group: what clients of the region get from it. */
static double want_near(const struct explain_http *answer, const struct plan_endpoint *endpoint)
{
	const struct plan_shares *near = &answer->near;
	size_t place = endpoint - answer->plan->endpoints.items, i = 0;

	while (i < near->count && near->places[i] != place)
		i++;
	return i < near->count && near->sum ? near->endpoints[i].weight / (double)near->sum : 0;
}

/* Its share of the requests to its group, or to all default ones: workers' slots follow it. */
static double want_of(const struct explain_http *answer, const struct plan_endpoint *endpoint)
{
	enum plan_family own = plan_family_of(&endpoint->address);

	if (answer->near.endpoints && !virtual_group(answer))
		return want_near(answer, endpoint);
	return (endpoint->want[own] ?: endpoint->want[!own]) / 1e6;
}

static bool is_of(const struct explain_http *answer, const struct plan_endpoint *endpoint,
		  const struct endpoint_group *group)
{
	return endpoint->state != WEIR_ENDPOINT_GONE && !strcmp(endpoint->group, group->name) &&
	       plan_in_block(answer->plan, endpoint->row);
}

/* Does no endpoint take it, by what is in force? */
static bool is_nobodys(const struct explain_http *answer)
{
	if (!answer->plan || answer->verdict.kind > RULES_FORWARD)
		return false;
	vec_foreach(group, &answer->listener->groups)
		vec_foreach(endpoint, &answer->plan->endpoints)
			if (takes(answer, group) && is_of(answer, endpoint, group) &&
			    want_of(answer, endpoint) > 0)
				return false;
	return true;
}

static int match(struct explain_http *answer)
{
	int r = parse(answer);

	if (r == 0) {
		r = normalise(answer);
		if (r < 0)
			return r;
		r = rules_match(answer->rules, &answer->request, &answer->client, &answer->verdict);
		answer->why = answer->verdict.why;
	}
	if (r < 0) {
		answer->status = -r;
		return 0;
	}
	if (answer->verdict.kind == RULES_NOT_FOUND)
		answer->status = 404;
	else if (answer->verdict.rule)
		answer->status = answer->verdict.rule->code;
	if (is_nobodys(answer))
		answer->status = 503;
	return forward(answer);
}

/* Where the client is, as far as that makes a difference to the listener. */
static int locate(struct explain_http *answer, struct plan *plan)
{
	const struct addr *client = &answer->client.addr;
	enum plan_family family = plan_family_of(client);
	struct addr first, last;
	uint8_t region;

	if (!answer->plan || !answer->plan->clients[family].tables.count || !plan->clients[family])
		return 0;
	answer->asks = true;
	region = plan_client_region(plan, answer->plan, client);
	if (!region || region >= plan->regions.count)
		return 0;
	answer->number = region;
	answer->region = plan->regions.items[region].name;
	if (!bounds_around(plan->clients[family], client, &first, &last))
		addr_range_print(&first, &last, answer->range);
	if (plan_clients_recall(plan, answer->model) < 0)
		return -ENOMEM;
	return plan_shares_fold(answer->plan, family,
				plan_table_of(plan, answer->plan, client)->order, &answer->near);
}

/* Without affinity it is the turn of one endpoint after the other. */
static int choose(struct explain_http *answer, const char *instance, const struct plan *plan,
		  struct err *err)
{
	const struct explain_choice choice = {
		.instance = instance,
		.text = answer->configuration,
		.model = answer->model,
		.plan = plan,
		.client = &answer->client,
		.verdict = &answer->verdict,
		.region = answer->number,
	};
	uint32_t row;
	int r;

	if (!answer->plan || !answer->listener->client_affinity || answer->status ||
	    answer->verdict.kind > RULES_FORWARD)
		return 0;
	r = explain_choice_make(&choice, &row, err);
	if (r > 0)
		answer->chosen = plan_find_row(answer->plan, row);
	return r;
}

int explain_http_ask(const char *instance, const struct explain_http_question *question,
		     const struct frame_spec *packet, struct plan *plan, struct explain_http **ret,
		     struct err *err)
{
	_cleanup_(explain_http_freep) struct explain_http *answer = calloc(1, sizeof(*answer));
	char address[ADDR_PORT_TEXT_MAX];
	int r;

	if (!answer)
		return err_set(err, -ENOMEM, "out of memory");
	r = configuration_read(instance, question->file, &answer->model, &answer->configuration,
			       err);
	if (r < 0)
		return r;
	answer->listener = find_listener(answer->model, packet);
	if (!answer->listener)
		return err_set(err, -ESRCH, "no http or https listener has the address %s",
			       addr_print_port(&packet->dst, packet->dport, address));
	answer->plan = plan ? plan_find_listener(plan, answer->listener->name) : NULL;
	answer->client = (struct forward_client){
		.addr = packet->src,
		.local = packet->dst,
		.local_port = packet->dport,
		.trusted = rules_trusts(answer->listener->http, &packet->src),
	};
	r = rules_new(answer->listener, &answer->rules, err);
	if (r == -EINVAL)
		return r;
	answer->text = write_head(question);
	if (r < 0 || !answer->text || locate(answer, plan) < 0 || match(answer) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = choose(answer, instance, plan, err);
	if (r < 0)
		return r;
	*ret = take_ptr(answer);
	return 0;
}

/* ---- the answer ---- */

static void add_rule(const struct explain_http *answer, struct table *table)
{
	_cleanup_(str_fini) struct str conditions = {}, action = {};
	const struct http_rule *rule = answer->verdict.rule;

	if (!rule) {
		table_add(table, "rule");
		table_add(table, answer->verdict.kind == RULES_NOT_FOUND
					 ? "none that names this host takes the request"
					 : "none");
		return;
	}
	show_rules_conditions(rule, &conditions);
	show_rules_action(answer->listener, rule, &action);
	table_add(table, "rule");
	table_add(table, "%u of %zu%s%s%s: %s", answer->verdict.index + 1,
		  answer->listener->http->rules.count, *rule->name ? " (" : "", rule->name,
		  *rule->name ? ")" : "", conditions.text ?: "");
	table_add(table, "action");
	table_add(table, "%s", action.text ?: "");
}

static double share(const struct endpoint_group *group, const struct endpoint *endpoint)
{
	unsigned sum = 0;

	vec_foreach(other, &group->endpoints)
		sum += other->weight;
	return sum ? (double)endpoint->weight / sum : 0;
}

static const char *state_of(const struct plan_endpoint *endpoint)
{
	const struct report_endpoint one = { .plan = endpoint };

	return report_state(&one);
}

/* Those of the plan, with their shares, or the reason why they have none. */
static void add_in_force(const struct explain_http *answer, const struct endpoint_group *group,
			 struct table *table)
{
	vec_foreach(endpoint, &answer->plan->endpoints) {
		if (!is_of(answer, endpoint, group))
			continue;
		table_add(table, "endpoint");
		if (want_of(answer, endpoint) > 0)
			table_add(table, "%s, %.1f %% of requests%s", endpoint->name,
				  100 * want_of(answer, endpoint),
				  endpoint == answer->chosen ? ", all of this client's" : "");
		else
			table_add(table, "%s, none: %s", endpoint->name,
				  endpoint->weight ? state_of(endpoint) : "weight 0");
	}
}

static json_t *in_force_json(const struct explain_http *answer, const struct endpoint_group *group)
{
	json_t *endpoints = json_array();
	char address[ADDR_TEXT_MAX];

	vec_foreach(endpoint, &answer->plan->endpoints)
		if (is_of(answer, endpoint, group))
			json_array_append_new(
				endpoints,
				json_pack("{s:s, s:s, s:i, s:i, s:s, s:i, s:f, s:o}", "endpoint",
					  endpoint->name, "address",
					  addr_print(&endpoint->address, address), "port",
					  endpoint->port, "row", (int)endpoint->row, "state",
					  state_of(endpoint), "weight", endpoint->weight, "share",
					  want_of(answer, endpoint), "chosen",
					  answer->chosen ? json_boolean(endpoint == answer->chosen)
							 : json_null()));
	return endpoints;
}

static void add_groups(const struct explain_http *answer, struct table *table)
{
	char host[MODEL_HOST_MAX];

	vec_foreach(group, &answer->listener->groups) {
		if (!takes(answer, group))
			continue;
		table_add(table, "group");
		table_add(table, "%s, %s", group->name, group->is_virtual ? "virtual" : "default");
		if (answer->plan) {
			add_in_force(answer, group, table);
			continue;
		}
		vec_foreach(endpoint, &group->endpoints) {
			table_add(table, "endpoint");
			table_add(table, "%s, weight %u, %.1f %% of the group",
				  strcmp(endpoint->name, model_endpoint_host(endpoint, host))
					  ? endpoint->name
					  : host,
				  endpoint->weight, 100 * share(group, endpoint));
		}
	}
}

/* Of clients that a virtual group serves it does not matter. */
static void add_region(const struct explain_http *answer, struct table *table)
{
	if (!answer->asks || virtual_group(answer) || answer->verdict.kind > RULES_FORWARD)
		return;
	table_add(table, "region");
	if (answer->region)
		table_add(table, "the client is in %s, by %s", answer->region, answer->range);
	else
		table_add(table, "the client is in no region that is known here");
}

static void print_forwarded(const struct explain_http *answer, FILE *out)
{
	const char *at = answer->forwarded;

	fputs("the endpoint gets:\n", out);
	while (*at && *at != '\r') {
		size_t size = strcspn(at, "\r");

		fprintf(out, "  %.*s\n", (int)size, at);
		at += size + 2;
	}
}

void explain_http_print(const struct explain_http *answer, FILE *out)
{
	const struct http *http = answer->listener->http;
	struct table table = { .align = "ll", .indent = 2 };
	bool parsed = answer->request.target.size && !(answer->status && answer->why);

	table_add(&table, "STAGE");
	table_add(&table, "DECISION");
	table_add(&table, "listener");
	table_add(&table, "%s, rule_order %s", answer->listener->name,
		  http->rule_order == HTTP_PRIORITY ? "priority" : "domain_first");
	if (answer->path) {
		table_add(&table, "path");
		table_add(&table, "%s, as rules see it", answer->path);
	}
	if (parsed)
		add_rule(answer, &table);
	add_region(answer, &table);
	add_groups(answer, &table);
	table_print(&table, out);
	if (answer->status)
		fprintf(out, "weir answers %d %s%s%s\n", answer->status,
			answer_reason(answer->status), answer->why ? ": " : "", answer->why ?: "");
	if (answer->verdict.url.size)
		fprintf(out, "  Location: %.*s\n", (int)answer->verdict.url.size,
			answer->verdict.url.at);
	if (answer->verdict.kind == RULES_DROP)
		fputs("weir closes the connection\n", out);
	if (answer->forwarded && !answer->status)
		print_forwarded(answer, out);
}

static json_t *groups_json(const struct explain_http *answer)
{
	json_t *groups = json_array();

	vec_foreach(group, &answer->listener->groups) {
		json_t *endpoints;

		if (!takes(answer, group))
			continue;
		endpoints = answer->plan ? in_force_json(answer, group) : json_array();
		if (!answer->plan)
			vec_foreach(endpoint, &group->endpoints)
				json_array_append_new(endpoints,
						      json_pack("{s:s, s:i, s:f}", "endpoint",
								endpoint->name, "weight",
								endpoint->weight, "share",
								share(group, endpoint)));
		json_array_append_new(groups,
				      json_pack("{s:s, s:b, s:o}", "group", group->name, "virtual",
						group->is_virtual, "endpoints", endpoints));
	}
	return groups;
}

json_t *explain_http_json(const struct explain_http *answer)
{
	const struct rules_verdict *verdict = &answer->verdict;
	bool refused = answer->status && answer->why;
	const char *action = refused	     ? "refuse"
			     : verdict->rule ? show_rules_action_name(verdict->rule)
			     : verdict->kind == RULES_DEFAULT ? "forward"
							      : "not_found";

	return json_pack(
		"{s:s, s:s?, s:s, s:o, s:s?, s:o, s:s?, s:s?, s:o, s:o, s:s?}", "listener",
		answer->listener->name, "region", answer->region, "action", action, "rule_number",
		verdict->rule ? json_integer(verdict->index + 1) : json_null(), "rule",
		verdict->rule && *verdict->rule->name ? verdict->rule->name : NULL, "status",
		answer->status ? json_integer(answer->status) : json_null(), "why", answer->why,
		"path", answer->path, "url",
		verdict->url.size ? json_stringn(verdict->url.at, verdict->url.size) : json_null(),
		"groups", groups_json(answer), "forwarded",
		answer->status ? NULL : answer->forwarded);
}
