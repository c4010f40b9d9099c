// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/drift.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/attach.h"
#include "dataplane/blocks.h"
#include "dataplane/guards.h"
#include "dataplane/sets.h"
#include "dataplane/tables.h"
#include "dataplane/trees.h"
#include "util/str.h"

void drift_fini(struct drift *drift)
{
	vec_foreach(item, &drift->list) {
		free(item->where);
		free(item->what);
	}
	vec_free(&drift->list);
}

void drift_add(struct drift *drift, const char *where, const char *format, ...)
{
	struct drift_item item = {};
	struct str what = {};
	va_list arguments;

	drift->count++;
	if (drift->list.count >= DRIFT_LISTED)
		return;
	va_start(arguments, format);
	str_vadd(&what, format, arguments);
	va_end(arguments);
	item.what = str_take(&what);
	item.where = strdup(where);
	if (item.what && item.where && !vec_push(&drift->list, item))
		return;
	free(item.what);
	free(item.where);
	drift->failed = true;
}

struct search {
	struct object *object;
	const struct plan *plan;
	enum drift_action action;
	struct drift *found;
};

/* A part of a map's value that weir writes, and nobody else. */
struct part {
	const char *name;
	size_t offset;
	size_t size;
};

#define PART(type, field)                                                                          \
	{                                                                                          \
#field, offsetof(struct type, field), sizeof(((struct type *)0)->field)            \
	}

struct layout {
	const char *map;
	const struct part *parts;
	size_t count;
};

#define LAYOUT(name, ...)                                                                          \
	static const struct part name##_parts[] = { __VA_ARGS__ };                                 \
	static const struct layout name##_layout = { #name, name##_parts,                          \
						     sizeof(name##_parts) / sizeof(struct part) }

LAYOUT(control, PART(weir_control, abi_version), PART(weir_control, slot_seed),
       PART(weir_control, answers_per_second));
LAYOUT(endpoints, PART(weir_endpoint, addr), PART(weir_endpoint, nexthop),
       PART(weir_endpoint, generation), PART(weir_endpoint, port), PART(weir_endpoint, state),
       PART(weir_endpoint, mode), PART(weir_endpoint, listener), PART(weir_endpoint, snat),
       PART(weir_endpoint, snat_rows), PART(weir_endpoint, source_bits),
       PART(weir_endpoint, idle_timeout), PART(weir_endpoint, gue_port),
       PART(weir_endpoint, source));
LAYOUT(endpoint_info, PART(weir_endpoint_info, name), PART(weir_endpoint_info, group),
       PART(weir_endpoint_info, weight), PART(weir_endpoint_info, file_weight),
       PART(weir_endpoint_info, undrained_weight), PART(weir_endpoint_info, sharers),
       PART(weir_endpoint_info, traffic_percentage), PART(weir_endpoint_info, region),
       PART(weir_endpoint_info, want), PART(weir_endpoint_info, group_place),
       PART(weir_endpoint_info, route_mtu));
LAYOUT(listener_info, PART(weir_listener_info, name), PART(weir_listener_info, protocol),
       PART(weir_listener_info, mode), PART(weir_listener_info, vip_route),
       PART(weir_listener_info, fail_open), PART(weir_listener_info, idle_timeout),
       PART(weir_listener_info, endpoint_base), PART(weir_listener_info, endpoint_count),
       PART(weir_listener_info, deadline), PART(weir_listener_info, lists));
LAYOUT(guards, PART(weir_guard, ranges), PART(weir_guard, access), PART(weir_guard, limit_count),
       PART(weir_guard, limit_seconds), PART(weir_guard, limit_burst),
       PART(weir_guard, limit_interval), PART(weir_guard, cookies),
       PART(weir_guard, cookie_wscale));
LAYOUT(egress, PART(weir_egress, ifindex), PART(weir_egress, mac), PART(weir_egress, mtu),
       PART(weir_egress, vlan), PART(weir_egress, name), PART(weir_egress, device));
LAYOUT(snat, PART(weir_snat, addr), PART(weir_snat, ports), PART(weir_snat, ranges),
       PART(weir_snat, range));
LAYOUT(region_info, PART(weir_region_info, name));

/* Whole where programs may be reading it: a next hop is a word. */
static void store(void *to, const void *from, size_t size)
{
	uint64_t word;

	if (size != sizeof(word) || (uintptr_t)to % sizeof(word)) {
		memcpy(to, from, size);
		return;
	}
	memcpy(&word, from, sizeof(word));
	__atomic_store_n((uint64_t *)to, word, __ATOMIC_RELEASE);
}

/* A row of a map against what it should be. */
static void compare(struct search *search, const struct layout *layout, uint32_t row,
		    const char *whose, void *is, const void *should)
{
	_cleanup_(freep) char *text = NULL;
	struct str names = {};
	char where[48];

	for (size_t i = 0; i < layout->count; i++) {
		const struct part *part = &layout->parts[i];

		if (!memcmp((char *)is + part->offset, (const char *)should + part->offset,
			    part->size))
			continue;
		str_add(&names, "%s%s", names.size ? ", " : "", part->name);
		if (search->action == DRIFT_REPAIR)
			store((char *)is + part->offset, (const char *)should + part->offset,
			      part->size);
	}
	if (!names.size)
		return;
	text = str_take(&names);
	snprintf(where, sizeof(where), "%s[%u]", layout->map, row);
	drift_add(search->found, where, "%s%s%s", whose, *whose ? ": " : "", text ?: "");
}

static void check_control(struct search *search)
{
	struct weir_control should = {
		.abi_version = WEIR_ABI_VERSION,
		.slot_seed = search->plan->hash_seed,
		.answers_per_second = search->plan->answers_per_second,
	};

	compare(search, &control_layout, 0, "", search->object->control, &should);
}

/* ---- listeners ---- */

static void on_cell(void *user, uint32_t place, const char *listener)
{
	struct search *search = user;
	char where[48];

	snprintf(where, sizeof(where), "listeners[%u]", place);
	drift_add(search->found, where, "%s", listener);
}

static void check_cells(struct search *search)
{
	const struct object *object = search->object;
	const struct weir_control *control = object->control;
	const struct weir_half *half = &control->half[control->generation & 1];
	uint64_t held = 2 * (uint64_t)object->capacity.of[CAPACITY_CELLS];

	if (half->mask & (half->mask + 1ull) ||
	    half->first + (uint64_t)half->mask + 1 + half->ranges > held)
		drift_add(search->found, "control[0]", "half: no table of listeners");
	else if (cells_compare(search->plan, object->listeners + half->first, half, half->first,
			       on_cell, search) < 0)
		search->found->failed = true;
}

/* ---- tables ---- */

static bool is_slot(const struct object *object, const struct plan_table *table, uint32_t place)
{
	const struct weir_slot *slot = &object->slots[table->line].slot[place];
	const struct slot *should = &table->slots[place];

	return slot->current == should->current && slot->phase == should->phase &&
	       (slot->phase != WEIR_MOVING ||
		object->slots_previous[table->line].endpoint[place] == should->previous);
}

static int version_of(enum plan_family family)
{
	return family == PLAN_IP4 ? 4 : 6;
}

static void check_table(struct search *search, const struct plan_listener *listener,
			const struct plan_table *table)
{
	uint32_t differ = 0;

	if (!table->slots || table->line == PLAN_NO_LINE)
		return;
	for (uint32_t i = 0; i < table->size; i++)
		differ += !is_slot(search->object, table, i);
	if (!differ)
		return;
	drift_add(search->found, "slots", "%s, IPv%d: %u of %u slots", listener->name,
		  version_of(plan_table_family(listener, table)), differ, table->size);
	if (search->action == DRIFT_REPAIR)
		tables_write_slots(search->object, table);
}

static void check_ranges(struct search *search, const struct plan_listener *listener,
			 enum plan_family family)
{
	const struct bounds *ranges = listener->ranges[family];

	if (!ranges || ranges->line == BOUNDS_NO_LINE || trees_is_written(search->object, ranges))
		return;
	drift_add(search->found, "bounds", "%s, IPv%d: addresses of %s", listener->name,
		  version_of(family), listener->lists);
	if (search->action == DRIFT_REPAIR)
		trees_write_one(search->object, ranges);
}

/* Which of its tables is whose. */
static void check_block(struct search *search, const struct plan_listener *listener,
			enum plan_family family)
{
	const struct bounds *tree = search->plan->clients[family];
	char where[48];

	if (!listener->clients[family].tables.count ||
	    blocks_is_written(search->object, listener, family, tree))
		return;
	snprintf(where, sizeof(where), "clients[%u]", listener->clients[family].block);
	drift_add(search->found, where, "%s, IPv%d: tables by region", listener->name,
		  version_of(family));
	if (search->action == DRIFT_REPAIR)
		blocks_write_one(search->object, listener, family, tree);
}

/* Where clients are. */
static void check_clients(struct search *search)
{
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		const struct bounds *tree = search->plan->clients[family];

		if (!tree || tree->line == BOUNDS_NO_LINE || trees_is_written(search->object, tree))
			continue;
		drift_add(search->found, "bounds", "IPv%d: regions of clients", version_of(family));
		if (search->action == DRIFT_REPAIR)
			trees_write_one(search->object, tree);
	}
}

static void check_listener_info(struct search *search, const struct plan_listener *listener)
{
	struct weir_listener_info should = {
		.protocol = listener->protocol,
		.mode = listener->mode,
		.vip_route = listener->vip_route,
		.fail_open = listener->fail_open,
		.idle_timeout = listener->idle_timeout,
		.endpoint_base = listener->block,
		.endpoint_count = listener->block_size,
	};

	memcpy(should.name, listener->name, sizeof(should.name));
	memcpy(should.lists, listener->lists, sizeof(should.lists));
	tables_deadlines(listener, should.deadline);
	compare(search, &listener_info_layout, listener->id, listener->name,
		&search->object->listener_info[listener->id], &should);
}

static void check_guard(struct search *search, const struct plan_listener *listener)
{
	struct weir_guard should = guards_row(listener);

	if (listener->guard)
		compare(search, &guards_layout, listener->guard, listener->name,
			&search->object->guards[listener->guard], &should);
}

/* ---- endpoints ---- */

static void check_endpoint(struct search *search, const struct plan_listener *listener,
			   const struct plan_endpoint *endpoint, const char *whose)
{
	const struct plan_tunnel *tunnel = &endpoint->tunnel;
	struct weir_endpoint should = {
		.nexthop = endpoint->nexthop,
		.generation = endpoint->generation,
		.port = endpoint->port,
		.state = endpoint->state,
		.mode = endpoint->mode,
		.listener = listener->id,
		.snat = endpoint->snat,
		.snat_rows = endpoint->snat_rows,
		.source_bits = tunnel->source_bits,
		.idle_timeout = listener->idle_timeout,
		.gue_port = tunnel->gue_port,
	};

	memcpy(should.addr, endpoint->address.bytes, sizeof(should.addr));
	memcpy(should.source, tunnel->source.bytes, sizeof(should.source));
	compare(search, &endpoints_layout, endpoint->row, whose,
		&search->object->endpoints[endpoint->row], &should);
}

static void check_endpoint_info(struct search *search, const struct plan_listener *listener,
				const struct plan_endpoint *endpoint, const char *whose)
{
	struct weir_endpoint_info *is = &search->object->endpoint_info[endpoint->row];
	struct weir_endpoint_info should = {
		.weight = endpoint->weight,
		.file_weight = endpoint->file_weight,
		.undrained_weight = endpoint->undrained_weight,
		.sharers = endpoint->sharers,
		.route_mtu = endpoint->tunnel.mtu,
		/* what is gone has no group any more: these are as they were */
		.traffic_percentage = is->traffic_percentage,
		.region = is->region,
		.group_place = is->group_place,
	};

	memcpy(should.name, endpoint->name, sizeof(should.name));
	memcpy(should.group, endpoint->group, sizeof(should.group));
	memcpy(should.want, endpoint->want, sizeof(should.want));
	if (endpoint->group_place < listener->groups.count) {
		const struct plan_group *group = &listener->groups.items[endpoint->group_place];

		should.traffic_percentage = group->traffic_percentage;
		should.region = plan_region_number(search->plan, group->region);
		should.group_place = endpoint->group_place;
	}
	compare(search, &endpoint_info_layout, endpoint->row, whose, is, &should);
}

/* What lies in rows that are nobody's is nothing to anyone. */
static void check_free_rows(struct search *search)
{
	struct object *object = search->object;
	uint32_t rows = object->capacity.of[CAPACITY_ROWS];
	_cleanup_(freep) bool *used = calloc(rows, sizeof(*used));

	if (!used) {
		search->found->failed = true;
		return;
	}
	vec_foreach(listener, &search->plan->listeners)
		vec_foreach(endpoint, &listener->endpoints)
			used[endpoint->row] = true;
	for (uint32_t row = 0; row < rows; row++) {
		char where[48];

		if (used[row] || object->endpoints[row].state == WEIR_ENDPOINT_FREE)
			continue;
		snprintf(where, sizeof(where), "endpoints[%u]", row);
		drift_add(search->found, where, "nobody's: state");
		if (search->action == DRIFT_REPAIR)
			object->endpoints[row].state = WEIR_ENDPOINT_FREE;
	}
}

static void check_listeners(struct search *search)
{
	char whose[3 * WEIR_NAME_MAX];

	vec_foreach(listener, &search->plan->listeners) {
		check_listener_info(search, listener);
		check_guard(search, listener);
		plan_foreach_table(table, listener) check_table(search, listener, table);
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			check_ranges(search, listener, family);
			check_block(search, listener, family);
		}
		vec_foreach(endpoint, &listener->endpoints) {
			snprintf(whose, sizeof(whose), "%s/%s/%s", listener->name, endpoint->group,
				 endpoint->name);
			check_endpoint(search, listener, endpoint, whose);
			check_endpoint_info(search, listener, endpoint, whose);
		}
	}
}

/* ---- the host's side ---- */

static void check_interface(struct search *search, uint32_t index, const struct weir_egress *should)
{
	struct object *object = search->object;
	uint32_t is = 0;
	char where[48];

	compare(search, &egress_layout, index, should->name, &object->egress[index], should);
	if (bpf_map_lookup_elem(object->tx_ports, &index, &is))
		is = 0;
	if (is == should->ifindex)
		return;
	snprintf(where, sizeof(where), "tx_ports[%u]", index);
	drift_add(search->found, where, "%s", should->name[0] ? should->name : "nobody's");
	if (search->action != DRIFT_REPAIR)
		return;
	if (should->ifindex)
		bpf_map_update_elem(object->tx_ports, &index, &should->ifindex, BPF_ANY);
	else
		bpf_map_delete_elem(object->tx_ports, &index);
}

static void check_interfaces(struct search *search)
{
	const struct plan *plan = search->plan;

	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++) {
		struct weir_egress none = {};

		check_interface(search, i, i < plan->egress.count ? &plan->egress.items[i] : &none);
	}
}

static void check_addresses(struct search *search)
{
	const struct plan *plan = search->plan;

	for (uint32_t i = 1; i < WEIR_MAX_SNAT; i++) {
		struct weir_snat none = {};
		const struct weir_snat *should =
			i < plan->snat.count ? &plan->snat.items[i].row : &none;

		compare(search, &snat_layout, i, "", &search->object->snat[i], should);
	}
	for (uint32_t i = 1; i < WEIR_MAX_REGIONS; i++) {
		struct weir_region_info should = {};

		if (i < plan->regions.count)
			memcpy(should.name, plan->regions.items[i].name, sizeof(should.name));
		compare(search, &region_info_layout, i, should.name,
			&search->object->region_info[i], &should);
	}
}

/* ---- programs and pins ---- */

static void check_stages(struct search *search)
{
	for (uint32_t i = 0; i < search->object->stage_count; i++) {
		uint32_t id = 0;
		char where[48];

		if (!bpf_map_lookup_elem(search->object->stages, &i, &id) &&
		    id == search->object->stage_programs[i])
			continue;
		snprintf(where, sizeof(where), "stages[%u]", i);
		drift_add(search->found, where, id ? "another program" : "no program");
		search->found->programs = true;
	}
}

static void on_pin(void *user, const char *name, const char *why)
{
	struct search *search = user;

	drift_add(search->found, name, "%s", why);
}

static void check_links(struct search *search)
{
	struct attachments attachments = {};
	struct object *object = search->object;

	if (attach_list(object->directory, &attachments, NULL) < 0)
		return;
	vec_foreach(attachment, &attachments.list) {
		if (!attachment->ifindex || attachment->program == object->program_id)
			continue;
		drift_add(search->found, attachment->name, "runs another program");
		search->found->programs = true;
	}
	vec_free(&attachments.list);
}

void drift_find(struct object *object, const struct plan *plan, enum drift_action action,
		struct drift *ret)
{
	struct search search = { object, plan, action, ret };

	check_control(&search);
	check_cells(&search);
	check_listeners(&search);
	check_clients(&search);
	check_free_rows(&search);
	check_interfaces(&search);
	check_addresses(&search);
	check_stages(&search);
	check_links(&search);
	sets_check_pins(object, action == DRIFT_REPAIR ? SETS_REPAIR : SETS_LOOK, on_pin, &search);
}
