// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* show maps: how much the data plane holds, and has room for. */
#include <errno.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/table.h"
#include "dataplane/cells.h"
#include "dataplane/flows.h"

/* How many entries are in use, where that can be known. */
struct use {
	const char *map;
	uint64_t used;
};

struct uses {
	VEC(struct use) list;
};

static uint64_t used_slots(const struct plan *plan)
{
	uint64_t lines = 0;

	vec_foreach(listener, &plan->listeners)
		plan_foreach_table(table, listener) lines +=
			table->slots ? (table->size + WEIR_SLOTS_PER_LINE - 1) / WEIR_SLOTS_PER_LINE
				     : 0;
	return lines;
}

static uint64_t used_rows(const struct plan *plan)
{
	uint64_t rows = 0;

	vec_foreach(listener, &plan->listeners)
		rows += listener->endpoints.count;
	return rows;
}

/* Of the half in force: the other has as much again. */
static uint64_t used_cells(const struct object *object)
{
	const struct weir_control *control = object->control;
	const struct weir_half *half = &control->half[control->generation & 1];
	uint64_t used = 0, held = 2ull * object->capacity.of[CAPACITY_CELLS];

	for (uint64_t i = half->first; i < (uint64_t)half->first + cells_count(half) && i < held;
	     i++)
		used += object->listeners[i].kind != WEIR_CELL_FREE;
	return used;
}

static int count(const struct object *object, const struct plan *plan, struct uses *ret,
		 struct err *err)
{
	_cleanup_(flows_fini) struct flows flows = {};
	int r = flows_scan(object, object_now(object), false, &flows, err);
	const struct use uses[] = {
		{ "listeners", used_cells(object) },  { "listener_info", plan->listeners.count },
		{ "slots", used_slots(plan) },	      { "endpoints", used_rows(plan) },
		{ "endpoint_info", used_rows(plan) }, { "exceptions", flows.exceptions },
		{ "nat_records", flows.nat },
	};

	for (size_t i = 0; !r && i < sizeof(uses) / sizeof(uses[0]); i++)
		if (vec_push(&ret->list, uses[i]))
			r = err_set(err, -ENOMEM, "out of memory");
	return r;
}

static const struct use *use_of(const struct uses *uses, const char *map)
{
	vec_foreach(use, &uses->list)
		if (!strcmp(use->map, map))
			return use;
	return NULL;
}

static json_t *map_json(const struct object_map_info *map, const struct use *use)
{
	return json_pack("{s:s, s:I, s:s, s:I, s:o, s:I, s:I, s:I}", "map", map->name, "id",
			 (json_int_t)map->id, "type", map->type, "entries",
			 (json_int_t)map->entries, "used",
			 use ? json_integer((json_int_t)use->used) : json_null(), "key_size",
			 (json_int_t)map->key_size, "value_size", (json_int_t)map->value_size,
			 "bytes", (json_int_t)map->bytes);
}

static void add_map(struct table *table, const struct object_map_info *map, const struct use *use)
{
	table_add(table, "%s", map->name);
	table_add(table, "%u", map->id);
	table_add(table, "%s", map->type);
	table_add(table, "%u", map->entries);
	if (use)
		table_add(table, "%llu", (unsigned long long)use->used);
	else
		table_add(table, "-");
	table_add(table, "%u", map->value_size);
	table_add(table, "%llu", (unsigned long long)(map->bytes + 1023) / 1024);
}

int cli_show_maps(const struct cli *cli, struct err *err)
{
	static const char *const head[] = { "MAP",  "ID",	  "TYPE", "ENTRIES",
					    "USED", "BYTES EACH", "KIB" };
	struct table table = { .align = "lrlrrrr" };
	_cleanup_(object_closep) struct object *object = NULL;
	_cleanup_(plan_freep) struct plan *plan = NULL;
	json_t *list = cli->json ? json_array() : NULL;
	struct object_map_info map;
	struct uses uses = {};
	int r = client_open(cli, &object, &plan, err);

	r = r ?: count(object, plan, &uses, err);
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		table_add(&table, "%s", head[i]);
	for (size_t place = 0; !r && !object_map_info(object, place, &map); place++) {
		if (list)
			json_array_append_new(list, map_json(&map, use_of(&uses, map.name)));
		else
			add_map(&table, &map, use_of(&uses, map.name));
	}
	vec_free(&uses.list);
	if (!r && list)
		output_json(cli, json_incref(list));
	else if (!r)
		table_print(&table, stdout);
	json_decref(list);
	table_fini(&table);
	return r;
}
