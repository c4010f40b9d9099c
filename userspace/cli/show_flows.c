// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/show_flows.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/table.h"
#include "config/selector.h"
#include "dataplane/flows.h"
#include "util/str.h"

#define LIMIT 1000 /* flows that are listed unless another number is asked for */

/* enum weir_flow_state */
static const char *const states[] = { "opening", "open", "closing", "reset" };

#define STATES (sizeof(states) / sizeof(states[0]))

/* What is asked for; zero: whatever it is. */
struct filter {
	struct selector selector;
	const char *selected; /* its text; NULL: there is none */
	struct addr client;
	unsigned client_bits; /* of the 128 that are compared */
	unsigned port;	      /* the client's, the listener's or SNAT's */
	unsigned protocol;
	int state; /* -1: any */
	uint64_t limit;
	bool count;
};

struct place {
	const struct plan_listener *listener;
	const struct plan_endpoint *endpoint;
};

struct listing {
	const struct cli *cli;
	struct filter filter;
	struct place *by_row;
	struct table table;
	json_t *list;
	uint64_t found; /* beyond the limit, too */
};

static int take_client(const char *text, struct filter *filter, struct err *err)
{
	const char *slash = strchr(text, '/');
	char address[ADDR_TEXT_MAX];
	unsigned bits = 0, most;
	int end = 0;

	snprintf(address, sizeof(address), "%.*s", (int)(slash ? slash - text : 45), text);
	if ((slash && slash - text >= ADDR_TEXT_MAX) || addr_parse(address, &filter->client) < 0)
		return err_set(err, CLI_USAGE,
			       "show flows: --client wants an address or ADDRESS/N, not '%.60s'",
			       text);
	most = addr_family(&filter->client) == AF_INET ? 32 : 128;
	if (!slash)
		bits = most;
	else if (sscanf(slash, "/%3u%n", &bits, &end) != 1 || slash[end] || bits > most)
		return err_set(err, CLI_USAGE,
			       "show flows: --client %.60s: the prefix is a number from 0 to %u",
			       text, most);
	filter->client_bits = 128 - most + bits;
	return 0;
}

static int take_number(const char *option, const char *text, uint64_t most, uint64_t *ret,
		       struct err *err)
{
	unsigned long long number;
	int end = 0;

	if (sscanf(text, "%18llu%n", &number, &end) != 1 || text[end] || text[0] == '-' ||
	    number > most)
		return err_set(err, CLI_USAGE,
			       "show flows: %s wants a number up to %llu, not '%.40s'", option,
			       (unsigned long long)most, text);
	*ret = number;
	return 0;
}

static int take_state(const char *text, struct filter *filter, struct err *err)
{
	for (size_t i = 0; i < STATES; i++) {
		if (!strcmp(states[i], text)) {
			filter->state = (int)i;
			return 0;
		}
	}
	return err_set(err, CLI_USAGE,
		       "show flows: '%.40s' is no state: one of opening, open, closing, reset",
		       text);
}

static int take_protocol(const char *text, struct filter *filter, struct err *err)
{
	filter->protocol = !strcmp(text, "tcp")	  ? IPPROTO_TCP
			   : !strcmp(text, "udp") ? IPPROTO_UDP
						  : 0;
	if (filter->protocol)
		return 0;
	return err_set(err, CLI_USAGE, "show flows: '%.40s' is no protocol: tcp or udp", text);
}

static int take_option(const char *option, const char *value, struct filter *filter,
		       struct err *err)
{
	uint64_t port = 0;
	int r;

	if (!value)
		return err_set(err, CLI_USAGE, "show flows: %s wants a value", option);
	if (!strcmp(option, "--client"))
		return take_client(value, filter, err);
	if (!strcmp(option, "--state"))
		return take_state(value, filter, err);
	if (!strcmp(option, "--protocol"))
		return take_protocol(value, filter, err);
	if (!strcmp(option, "--limit"))
		return take_number(option, value, UINT32_MAX, &filter->limit, err);
	if (strcmp(option, "--port"))
		return err_set(err, CLI_USAGE, "show flows: unexpected '%.40s'", option);
	r = take_number(option, value, UINT16_MAX, &port, err);
	filter->port = (unsigned)port;
	return r;
}

static int take_filter(const struct cli *cli, struct filter *ret, struct err *err)
{
	int r = 0;

	*ret = (struct filter){ .state = -1, .limit = LIMIT };
	for (int i = 2; !r && i < cli->argc; i++) {
		const char *argument = cli->argv[i];

		if (!strcmp(argument, "--count")) {
			ret->count = true;
		} else if (argument[0] == '-') {
			r = take_option(argument, cli->argv[i + 1], ret, err);
			i++;
		} else if (ret->selected) {
			r = err_set(err, CLI_USAGE, "show flows: unexpected '%.40s'", argument);
		} else {
			r = selector_parse(argument, &ret->selector, err);
			ret->selected = argument;
		}
	}
	return r;
}

static bool in_prefix(const uint8_t address[16], const struct filter *filter)
{
	unsigned bytes = filter->client_bits / 8, rest = filter->client_bits % 8;

	if (memcmp(address, filter->client.bytes, bytes))
		return false;
	return !rest || !((address[bytes] ^ filter->client.bytes[bytes]) >> (8 - rest));
}

static bool matches(const struct filter *filter, const struct flows_entry *entry,
		    const struct place *place)
{
	const char *listener = place->listener ? place->listener->name : "";
	const char *group = place->endpoint ? place->endpoint->group : "";
	const char *endpoint = place->endpoint ? place->endpoint->name : "";

	return (filter->state < 0 || entry->state == filter->state) &&
	       (!filter->protocol || entry->key.protocol == filter->protocol) &&
	       (!filter->port || entry->key.sport == filter->port ||
		entry->key.dport == filter->port ||
		(entry->nat && entry->snat_port == filter->port)) &&
	       in_prefix(entry->key.src, filter) &&
	       selector_matches(&filter->selector, listener, group, endpoint);
}

static const char *print_end(const uint8_t bytes[16], uint16_t port, char text[ADDR_PORT_TEXT_MAX])
{
	struct addr address;

	memcpy(address.bytes, bytes, sizeof(address.bytes));
	return addr_print_port(&address, port, text);
}

static const char *state_name(const struct flows_entry *entry)
{
	return entry->state < STATES ? states[entry->state] : "?";
}

static void add_row(struct table *table, const struct flows_entry *entry, const struct place *place)
{
	char text[ADDR_PORT_TEXT_MAX];

	table_add(table, "%s", place->listener ? place->listener->name : "-");
	table_add(table, "%s", output_protocol(entry->key.protocol));
	table_add(table, "%s", print_end(entry->key.src, entry->key.sport, text));
	table_add(table, "%s", print_end(entry->key.dst, entry->key.dport, text));
	table_add(table, "%s",
		  entry->nat ? print_end(entry->snat.bytes, entry->snat_port, text) : "-");
	table_add(table, "%s%s", place->endpoint ? place->endpoint->name : "-",
		  place->endpoint && place->endpoint->state == WEIR_ENDPOINT_GONE ? " (gone)" : "");
	table_add(table, "%s", state_name(entry));
	table_add(table, "%us", entry->idle);
}

static json_t *entry_json(const struct flows_entry *entry, const struct place *place)
{
	char client[ADDR_PORT_TEXT_MAX], address[ADDR_PORT_TEXT_MAX], snat[ADDR_PORT_TEXT_MAX];
	json_t *object =
		json_pack("{s:s?, s:s?, s:s?, s:s, s:s, s:i, s:s, s:i, s:s, s:i, s:s}", "listener",
			  place->listener ? place->listener->name : NULL, "group",
			  place->endpoint ? place->endpoint->group : NULL, "endpoint",
			  place->endpoint ? place->endpoint->name : NULL, "protocol",
			  output_protocol(entry->key.protocol), "client",
			  print_end(entry->key.src, 0, client), "client_port", entry->key.sport,
			  "address", print_end(entry->key.dst, 0, address), "port",
			  entry->key.dport, "state", state_name(entry), "idle", (int)entry->idle,
			  "tracked", entry->nat ? "nat" : "exception");

	if (entry->nat) {
		json_object_set_new(object, "snat",
				    json_string(print_end(entry->snat.bytes, 0, snat)));
		json_object_set_new(object, "snat_port", json_integer(entry->snat_port));
	}
	return object;
}

static int take_entry(const struct flows_entry *entry, void *user)
{
	struct listing *listing = user;
	const struct place *place = &listing->by_row[entry->row];

	if (!matches(&listing->filter, entry, place))
		return 0;
	listing->found++;
	if (listing->filter.count ||
	    (listing->filter.limit && listing->found > listing->filter.limit))
		return 0;
	if (listing->cli->json)
		json_array_append_new(listing->list, entry_json(entry, place));
	else
		add_row(&listing->table, entry, place);
	return 0;
}

static int map_rows(const struct object *object, const struct plan *plan, struct place **ret)
{
	uint32_t rows = object->capacity.of[CAPACITY_ROWS];
	struct place *places = calloc(rows, sizeof(*places));

	if (!places)
		return -ENOMEM;
	vec_foreach(listener, &plan->listeners)
		vec_foreach(endpoint, &listener->endpoints)
			if (endpoint->row < rows)
				places[endpoint->row] = (struct place){ listener, endpoint };
	*ret = places;
	return 0;
}

static void print_listing(struct listing *listing)
{
	const struct filter *filter = &listing->filter;

	if (filter->count && listing->cli->json)
		output_json(listing->cli, json_pack("{s:I}", "flows", (json_int_t)listing->found));
	else if (filter->count)
		printf("%llu\n", (unsigned long long)listing->found);
	else if (listing->cli->json)
		output_json(listing->cli, json_incref(listing->list));
	else
		table_print(&listing->table, stdout);
	if (!filter->count && filter->limit && listing->found > filter->limit)
		fprintf(stderr, "weir: %llu of %llu flows; --limit 0 shows all\n",
			(unsigned long long)filter->limit, (unsigned long long)listing->found);
}

/* Nothing that has no flows at the moment, but nothing at all? */
static int check_selector(const struct plan *plan, const struct filter *filter, struct err *err)
{
	const struct selector *selector = &filter->selector;

	if (!filter->selected)
		return 0;
	vec_foreach(listener, &plan->listeners) {
		if (selector->parts == 1 && selector_matches_listener(selector, listener->name))
			return 0;
		vec_foreach(endpoint, &listener->endpoints)
			if (selector_matches(selector, listener->name, endpoint->group,
					     endpoint->name))
				return 0;
	}
	return report_no_match(plan, selector, filter->selected, err);
}

int show_flows(const struct cli *cli, struct err *err)
{
	static const char *const head[] = { "LISTENER", "PROTO",    "CLIENT", "ADDRESS",
					    "AS",	"ENDPOINT", "STATE",  "IDLE" };
	_cleanup_(object_closep) struct object *object = NULL;
	struct listing listing = { .cli = cli, .table.align = "lllllllr" };
	_cleanup_(plan_freep) struct plan *plan = NULL;
	int r = take_filter(cli, &listing.filter, err);

	if (r)
		return r;
	r = client_open(cli, &object, &plan, err);
	r = r ?: check_selector(plan, &listing.filter, err);
	if (r)
		return r;
	if (map_rows(object, plan, &listing.by_row))
		return err_set(err, -ENOMEM, "out of memory");
	listing.list = json_array();
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		table_add(&listing.table, "%s", head[i]);
	r = flows_each(object, object_now(object), take_entry, &listing, err);
	if (!r)
		print_listing(&listing);
	table_fini(&listing.table);
	json_decref(listing.list);
	free(listing.by_row);
	return r;
}
