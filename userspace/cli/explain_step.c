// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/explain_step.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "net/addr.h"
#include "plan/bounds.h"

static const char *const state_names[] = {
	[WEIR_FLOW_SYN] = "only SYNs so far",
	[WEIR_FLOW_OPEN] = "open",
	[WEIR_FLOW_CLOSING] = "closing",
	[WEIR_FLOW_RESET] = "reset",
};

static const char *state_name(uint8_t state)
{
	return state < sizeof(state_names) / sizeof(state_names[0]) ? state_names[state] : "?";
}

const char *explain_step_listener(const struct object *object, uint32_t id)
{
	if (!id || id >= object->capacity.of[CAPACITY_LISTENERS])
		return "";
	return object->listener_info[id].name;
}

const char *explain_step_endpoint(const struct object *object, uint32_t row,
				  char ret[EXPLAIN_WORDS_MAX])
{
	const struct weir_endpoint_info *info;

	if (row >= object->capacity.of[CAPACITY_ROWS])
		snprintf(ret, EXPLAIN_WORDS_MAX, "row %u", row);
	else if (!object->endpoint_info[row].name[0])
		snprintf(ret, EXPLAIN_WORDS_MAX, "an endpoint that was removed");
	else {
		info = &object->endpoint_info[row];
		snprintf(ret, EXPLAIN_WORDS_MAX, "%s/%s/%s",
			 explain_step_listener(object, object->endpoints[row].listener),
			 info->group, info->name);
	}
	return ret;
}

static const char *address(const uint8_t bytes[16], uint16_t port, char ret[ADDR_PORT_TEXT_MAX])
{
	struct addr addr;

	memcpy(addr.bytes, bytes, sizeof(addr.bytes));
	return addr_print_port(&addr, port, ret);
}

__attribute__((format(printf, 2, 3))) static void say(struct explain_words *words,
						      const char *format, ...)
{
	size_t used = strlen(words->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words->text + used, sizeof(words->text) - used, format, arguments);
	va_end(arguments);
}

/* Stage, map and key of a step. */
static void begin(struct explain_words *words, const char *stage, const char *map)
{
	words->stage = stage;
	words->map = map;
}

/* ... that is a row's index. */
static void begin_row(struct explain_words *words, const char *stage, const char *map,
		      uint32_t index)
{
	begin(words, stage, map);
	snprintf(words->key, sizeof(words->key), "[%u]", index);
}

static void read_parsed(struct explain_reading *reading, const struct weir_step *step,
			struct explain_words *words)
{
	const struct weir_step_parsed *parsed = &step->value.parsed;

	reading->parsed = *parsed;
	begin(words, "parse", NULL);
	if (!parsed->version)
		say(words, "not IP, or too short to tell");
	else
		say(words, "IPv%u, %u bytes", parsed->version, parsed->length);
	if (parsed->unusual)
		say(words, ", by weir_unusual");
	if (step->index)
		say(words, ": %s", output_reason(step->index)->help);
	else if (parsed->new_flow)
		say(words, ": asks for a new connection");
}

static void read_address(struct explain_reading *reading, const struct weir_step *step,
			 struct explain_words *words)
{
	const struct weir_listener *cell = &step->value.cell;
	char text[ADDR_PORT_TEXT_MAX];

	reading->address = step->index;
	begin(words, "address", "listeners");
	say(words, "%s is ", address(reading->parsed.flow.dst, 0, text));
	if (!step->found) {
		say(words, "no address of weir's");
		return;
	}
	begin_row(words, "address", "listeners", step->index);
	if (cell->flags & WEIR_CELL_HAS_LISTENERS)
		say(words, "a listener's%s", cell->snat_first ? ", and " : "");
	if (cell->snat_first)
		say(words, "a SNAT address, ports %u to %u", cell->snat_first, cell->snat_last);
}

static void say_listener(struct explain_reading *reading, const struct weir_listener *cell,
			 struct explain_words *words)
{
	uint32_t first = cell->slot_line * WEIR_SLOTS_PER_LINE;

	reading->listener = *cell;
	say(words, "%s", explain_step_listener(reading->object, cell->id));
	if (cell->mode == WEIR_MODE_PROXY)
		say(words, ": workers on this host serve it");
	else if (cell->flags & WEIR_CELL_NO_ENDPOINT)
		say(words, ": none of its endpoints takes new flows");
	else if (cell->flags & WEIR_CELL_CLIENT_REGIONS)
		say(words, ": a table for each region of clients, endpoints from row %u",
		    cell->endpoint_base);
	else
		say(words, ": slots %u to %u, endpoints from row %u", first,
		    first + cell->slot_mask, cell->endpoint_base);
	if (cell->flags & WEIR_CELL_CLIENT_AFFINITY)
		say(words, "; the client's address alone chooses");
}

static void read_listener(struct explain_reading *reading, const struct weir_step *step,
			  struct explain_words *words)
{
	const struct weir_listener *own = &reading->object->listeners[reading->address];

	begin(words, "listener", "listeners");
	if (!step->found && !reading->ranges && (own->flags & WEIR_CELL_HAS_RANGES)) {
		reading->ranges = true;
		say(words, "%s port %u has no cell of its own: its address's ranges are asked",
		    output_protocol(reading->parsed.flow.protocol), reading->parsed.flow.dport);
		return;
	}
	if (!step->found) {
		say(words, "no listener has %s port %u",
		    output_protocol(reading->parsed.flow.protocol), reading->parsed.flow.dport);
		return;
	}
	begin_row(words, "listener", "listeners",
		  step->kind == WEIR_STEP_FIRST ? reading->address : step->index);
	say_listener(reading, &step->value.cell, words);
}

/* The lists are named where people read, not in the row. */
static void read_guard(struct explain_reading *reading, const struct weir_step *step,
		       struct explain_words *words)
{
	static const char *const verbs[] = {
		[WEIR_ACCESS_ALL] = "lets everybody in",
		[WEIR_ACCESS_ALLOW] = "lets in only",
		[WEIR_ACCESS_DENY] = "keeps out",
	};
	uint8_t access = step->value.guard.access;
	uint32_t id = reading->listener.id;

	begin_row(words, "guard", "guards", step->index);
	if (!step->found || access > WEIR_ACCESS_DENY) {
		say(words, "there is no such row");
		return;
	}
	say(words, "%s", verbs[access]);
	if (access != WEIR_ACCESS_ALL && id < reading->object->capacity.of[CAPACITY_LISTENERS])
		say(words, " %s", reading->object->listener_info[id].lists);
}

static void read_bound(struct explain_reading *reading, const struct weir_step *step,
		       struct explain_words *words)
{
	char text[ADDR_PORT_TEXT_MAX];

	begin(words, "access", "bounds");
	say(words, "%s is %s", address(reading->parsed.flow.src, 0, text),
	    step->index & 1 ? "in one of these lists" : "in none of these lists");
}

/* The range that a bound begins. */
static void say_range(const struct explain_reading *reading, uint32_t bound,
		      struct explain_words *words)
{
	const struct object *object = reading->object;
	uint32_t held = object->capacity.of[CAPACITY_BOUND_LINES];
	const struct weir_ranges *tree = &object->clients[reading->listener.slot_line].of.regions;
	char range[ADDR_RANGE_MAX];
	struct addr first, last;

	if (tree->line >= held || bound / WEIR_BOUNDS_IP4 < tree->line ||
	    bounds_range(&object->bounds[tree->line], held - tree->line, tree->levels,
			 reading->parsed.version == 6, bound / WEIR_BOUNDS_IP4 - tree->line,
			 bound % WEIR_BOUNDS_IP4, &first, &last))
		return;
	say(words, ", by %s", addr_range_print(&first, &last, range));
}

static void read_region(struct explain_reading *reading, const struct weir_step *step,
			struct explain_words *words)
{
	uint8_t number = step->value.region;
	char text[ADDR_PORT_TEXT_MAX];

	begin(words, "region", "bound_regions");
	snprintf(words->key, sizeof(words->key), "[%u].region[%u]", step->index / WEIR_BOUNDS_IP4,
		 step->index % WEIR_BOUNDS_IP4);
	say(words, "%s is ", address(reading->parsed.flow.src, 0, text));
	if (!step->found || !number) {
		say(words, "in no region that is known here");
		return;
	}
	say(words, "in %s", reading->object->region_info[number].name);
	say_range(reading, step->index, words);
}

static void read_clients(struct explain_reading *reading, const struct weir_step *step,
			 struct explain_words *words)
{
	const struct weir_clients *row = &step->value.clients;
	uint32_t first = row->of.table.slot_line * WEIR_SLOTS_PER_LINE;

	begin_row(words, "table", "clients", step->index);
	if (!step->found) {
		say(words, "there is no such row");
		return;
	}
	if (row->of.table.slot_line == WEIR_NO_TABLE) {
		say(words, "none of the endpoints takes new flows");
		return;
	}
	reading->listener.slot_line = row->of.table.slot_line;
	reading->listener.slot_mask = row->of.table.slot_mask;
	say(words, "for these clients: slots %u to %u", first, first + row->of.table.slot_mask);
}

static void read_slot(struct explain_reading *reading, const struct weir_step *step,
		      struct explain_words *words)
{
	uint32_t first = reading->listener.slot_line * WEIR_SLOTS_PER_LINE;
	struct weir_slot slot = step->value.slot;
	char name[EXPLAIN_WORDS_MAX];

	begin(words, "slot", "slots");
	snprintf(words->key, sizeof(words->key), "[%u].slot[%u]", step->index / WEIR_SLOTS_PER_LINE,
		 step->index % WEIR_SLOTS_PER_LINE);
	say(words, "slot %u of %u, ", step->index - first, reading->listener.slot_mask + 1);
	say(words, slot.phase == WEIR_STABLE   ? "stable: "
		   : slot.phase == WEIR_MOVING ? "moving, new flows to "
					       : "pinned, flows without a record to ");
	if (slot.current == WEIR_SLOT_NONE)
		say(words, "nobody");
	else
		say(words, "%s",
		    explain_step_endpoint(reading->object,
					  reading->listener.endpoint_base + slot.current, name));
}

static void read_previous(struct explain_reading *reading, const struct weir_step *step,
			  struct explain_words *words)
{
	char name[EXPLAIN_WORDS_MAX];

	begin(words, "previous", "slots_previous");
	snprintf(words->key, sizeof(words->key), "[%u].endpoint[%u]",
		 step->index / WEIR_SLOTS_PER_LINE, step->index % WEIR_SLOTS_PER_LINE);
	say(words, "flows from before the change stay on ");
	if (step->value.previous == WEIR_SLOT_NONE)
		say(words, "nobody");
	else
		say(words, "%s",
		    explain_step_endpoint(reading->object,
					  reading->listener.endpoint_base + step->value.previous,
					  name));
}

static void read_exception(struct explain_reading *reading, const struct weir_step *step,
			   struct explain_words *words)
{
	const struct weir_exception *exception = &step->value.exception;
	uint32_t now = step->index;
	char name[EXPLAIN_WORDS_MAX];

	begin(words, "exception", "exceptions");
	if (!step->found) {
		say(words, "the flow is not recorded");
		return;
	}
	say(words, "recorded for %s, %s, last packet %u s ago",
	    explain_step_endpoint(reading->object, exception->endpoint, name),
	    state_name(exception->state), now - exception->seen);
	if (weir_exception_is_over(exception, now))
		say(words, ": over");
}

static void read_record(struct explain_reading *reading, const struct weir_step *step,
			struct explain_words *words)
{
	const struct weir_nat_record *record = &step->value.record;
	bool reply = step->kind == WEIR_STEP_REPLY;
	char text[ADDR_PORT_TEXT_MAX];

	if (!step->found) {
		begin(words, reply ? "reply" : "flow", reply ? "nat_replies" : "nat_tags");
		say(words, reply ? "no endpoint answers by it" : "the flow has no record");
		return;
	}
	begin_row(words, reply ? "reply" : "flow", "nat_records", step->index);
	say(words, "client %s, SNAT port %u; client %s, endpoint %s, last packet %u s ago",
	    address(record->client_addr, record->client_port, text), record->snat_port,
	    state_name(record->client_state),
	    record->endpoint_state == WEIR_FLOW_SYN ? "has not answered"
						    : state_name(record->endpoint_state),
	    object_now(reading->object) - record->seen);
}

static void read_snat(struct explain_reading *reading, const struct weir_step *step,
		      struct explain_words *words)
{
	char text[ADDR_PORT_TEXT_MAX];

	begin_row(words, "snat", "snat", step->index);
	if (step->found && step->index < WEIR_MAX_SNAT)
		say(words, "the endpoint would see %s",
		    address(reading->object->snat[step->index].addr, step->value.port, text));
	else
		say(words, "nothing is free");
}

static bool ends_in(const char *text, const char *end)
{
	size_t size = strlen(text), tail = strlen(end);

	return size >= tail && !strcmp(text + size - tail, end);
}

static void read_endpoint(struct explain_reading *reading, const struct weir_step *step,
			  struct explain_words *words)
{
	const struct weir_endpoint *endpoint = &step->value.endpoint;
	static const char *const states[] = { "free", "active", "draining", "gone",
					      "dead: its health check fails" };
	char name[EXPLAIN_WORDS_MAX], text[ADDR_PORT_TEXT_MAX];

	begin_row(words, "endpoint", "endpoints", step->index);
	if (!step->found) {
		say(words, "there is no such row");
		return;
	}
	reading->endpoint = *endpoint;
	explain_step_endpoint(reading->object, step->index, name);
	address(endpoint->addr, endpoint->port, text);
	say(words, "%s, ", name);
	if (!ends_in(name, text)) /* an endpoint without a name is called by its address */
		say(words, "%s, ", text);
	say(words, "mode %s, %s", output_mode(endpoint->mode),
	    endpoint->state < sizeof(states) / sizeof(states[0]) ? states[endpoint->state] : "?");
}

static void read_tunnel(struct explain_reading *reading, const struct weir_step *step,
			struct explain_words *words)
{
	begin(words, "tunnel", NULL);
	say(words, "%u bytes of outer headers: %u of the %u that the path takes", step->index,
	    reading->parsed.length + step->index, reading->endpoint.mtu);
}

static void read_next_hop(const struct weir_step *step, struct explain_words *words)
{
	begin_row(words, "next hop", "egress", step->index);
	if (!step->found || !step->value.egress.ifindex)
		say(words, "weir is not attached to that interface");
	else
		say(words, "out by %.*s", (int)sizeof(step->value.egress.name),
		    step->value.egress.name);
}

static void read_withheld(struct explain_reading *reading, const struct weir_step *step,
			  struct explain_words *words)
{
	char name[EXPLAIN_WORDS_MAX];

	if (step->kind == WEIR_STEP_END) {
		begin_row(words, "record", "nat_records", step->index);
		say(words, "would give way to one of this new flow");
		return;
	}
	begin(words, "record", "exceptions");
	if (step->kind == WEIR_STEP_RECORD)
		say(words, "would be recorded for %s",
		    explain_step_endpoint(reading->object, step->index, name));
	else
		say(words, "would be forgotten");
}

static void read_count(struct explain_reading *reading, const struct weir_step *step,
		       struct explain_words *words)
{
	const struct output_reason *reason = output_reason(step->index);

	if (reading->ended && step->index != WEIR_R_ANSWERS_LIMITED)
		return;
	begin(words, "count", "listener_stats");
	snprintf(words->key, sizeof(words->key), "[%u].%s", reading->listener.id, reason->name);
	say(words, "%s", reason->help);
}

static void read_answer(const struct weir_step *step, struct explain_words *words)
{
	static const char *const kinds[WEIR_ANSWER_KINDS] = {
		[WEIR_ANSWER_RESET] = "a TCP reset",
		[WEIR_ANSWER_UNREACHABLE] = "an ICMP error: port unreachable",
		[WEIR_ANSWER_EXPIRED] = "an ICMP error: time exceeded",
		[WEIR_ANSWER_TOO_BIG] = "an ICMP error: too big",
		[WEIR_ANSWER_ECHO] = "the reply to its ping",
	};

	begin_row(words, "answer", "answer_pace", step->index);
	say(words, "the sender gets %s",
	    step->index < WEIR_ANSWER_KINDS && kinds[step->index] ? kinds[step->index] : "?");
}

static void read_fragment(struct explain_reading *reading, const struct weir_step *step,
			  struct explain_words *words)
{
	char name[EXPLAIN_WORDS_MAX];

	begin(words, "fragment", "fragments");
	if (step->kind == WEIR_STEP_REMEMBER)
		say(words, "the later ones would follow, to %s",
		    explain_step_endpoint(reading->object, step->index, name));
	else if (step->found)
		say(words, "the first one went to %s",
		    explain_step_endpoint(reading->object, step->index, name));
	else
		say(words, "the first one was not seen");
}

static void read_quote(struct explain_reading *reading, const struct weir_step *step,
		       struct explain_words *words)
{
	const struct weir_flow *flow = &step->value.flow;
	char from[ADDR_PORT_TEXT_MAX], to[ADDR_PORT_TEXT_MAX];

	reading->parsed.flow = *flow;
	begin(words, "quote", NULL);
	say(words, "the ICMP error is about the flow from %s to %s",
	    address(flow->src, flow->sport, from), address(flow->dst, flow->dport, to));
}

static void read_mtu(const struct weir_step *step, struct explain_words *words)
{
	begin(words, "mtu", "learned_mtus");
	say(words, "the path to the endpoint would take %u bytes from now on", step->index);
}

void explain_step_read(struct explain_reading *reading, const struct weir_step *step,
		       struct explain_words *ret)
{
	*ret = (struct explain_words){};
	switch (step->kind) {
	case WEIR_STEP_PARSED:
		return read_parsed(reading, step, ret);
	case WEIR_STEP_ADDRESS:
		return read_address(reading, step, ret);
	case WEIR_STEP_FIRST:
	case WEIR_STEP_LISTENER:
		return read_listener(reading, step, ret);
	case WEIR_STEP_GUARD:
		return read_guard(reading, step, ret);
	case WEIR_STEP_BOUND:
		return read_bound(reading, step, ret);
	case WEIR_STEP_REGION:
		return read_region(reading, step, ret);
	case WEIR_STEP_CLIENTS:
		return read_clients(reading, step, ret);
	case WEIR_STEP_SLOT:
		return read_slot(reading, step, ret);
	case WEIR_STEP_PREVIOUS:
		return read_previous(reading, step, ret);
	case WEIR_STEP_EXCEPTION:
		return read_exception(reading, step, ret);
	case WEIR_STEP_ENDPOINT:
		return read_endpoint(reading, step, ret);
	case WEIR_STEP_TUNNEL:
		return read_tunnel(reading, step, ret);
	case WEIR_STEP_NEXT_HOP:
		return read_next_hop(step, ret);
	case WEIR_STEP_FLOW:
	case WEIR_STEP_REPLY:
		return read_record(reading, step, ret);
	case WEIR_STEP_SNAT:
		return read_snat(reading, step, ret);
	case WEIR_STEP_END:
	case WEIR_STEP_RECORD:
	case WEIR_STEP_FORGET:
		return read_withheld(reading, step, ret);
	case WEIR_STEP_COUNT:
		return read_count(reading, step, ret);
	case WEIR_STEP_ANSWER:
		return read_answer(step, ret);
	case WEIR_STEP_FRAGMENT:
	case WEIR_STEP_REMEMBER:
		return read_fragment(reading, step, ret);
	case WEIR_STEP_QUOTE:
		return read_quote(reading, step, ret);
	case WEIR_STEP_MTU:
		return read_mtu(step, ret);
	case WEIR_STEP_VERDICT:
		reading->ended = true;
		return;
	default:
		return;
	}
}
