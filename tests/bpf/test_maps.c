// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: whoever dumps a pinned map with bpftool can read it - addresses as bytes, ports as numbers,
 * names as text, nothing without a name - and no key or value has a byte that no member owns.
 * Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <dirent.h>
#include <jansson.h>
#include <linux/btf.h>
#include <string.h>
#include <weir/names.h>

#include "dataplane/sets.h"
#include "rig_suite.h"

#define OWN	     0	 /* a value that only BPF knows, see bpf/maps.h */
#define SIZED	     0	 /* as dataplane/capacity.c says */
#define ELEMENTS_MAX 400 /* of one map: the large arrays are the same all over */

RIG_SUITE(maps);

static const struct {
	const char *name;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
} shapes[] = {
	{ "control", 4, sizeof(struct weir_control), 1 },
	{ "listeners", 4, sizeof(struct weir_listener), SIZED },
	{ "slots", 4, sizeof(struct weir_slots), SIZED },
	{ "slots_previous", 4, sizeof(struct weir_slots_previous), SIZED },
	{ "sources", 4, sizeof(struct weir_sources), SIZED },
	{ "cookies_sent", 4, 8, SIZED },
	{ "guards", 4, sizeof(struct weir_guard), SIZED },
	{ "bounds", 4, sizeof(struct weir_bounds), SIZED },
	{ "bound_regions", 4, sizeof(struct weir_bound_regions), SIZED },
	{ "clients", 4, sizeof(struct weir_clients), SIZED },
	{ "endpoints", 4, sizeof(struct weir_endpoint), SIZED },
	{ "egress", 4, sizeof(struct weir_egress), WEIR_MAX_EGRESS },
	{ "snat", 4, sizeof(struct weir_snat), WEIR_MAX_SNAT },
	{ "listener_info", 4, sizeof(struct weir_listener_info), SIZED },
	{ "endpoint_info", 4, sizeof(struct weir_endpoint_info), SIZED },
	{ "region_info", 4, sizeof(struct weir_region_info), WEIR_MAX_REGIONS },
	{ "listener_http", 4, sizeof(struct weir_http), SIZED },
	{ "endpoint_http", 4, sizeof(struct weir_http), SIZED },
	{ "workers", 4, 8, WEIR_MAX_WORKERS },
	{ "steering", 4, sizeof(struct weir_steering), 1 },
	{ "steer_turn", 4, 4, 1 },
	{ "stages", 4, 4, 4 },
	{ "tx_ports", 4, 4, WEIR_MAX_EGRESS },
	{ "exceptions", sizeof(struct weir_flow), sizeof(struct weir_exception), SIZED },
	{ "nat_records", 4, sizeof(struct weir_nat_record), SIZED },
	{ "nat_tags", 4, sizeof(struct weir_nat_tags), SIZED },
	{ "nat_replies", 4, sizeof(struct weir_nat_replies), SIZED },
	{ "nat_latency", 4, sizeof(struct weir_nat_latency), SIZED },
	{ "nat_scratch", 4, OWN, 1 },
	{ "listener_stats", 4, sizeof(struct weir_listener_stats), SIZED },
	{ "endpoint_stats", 4, sizeof(struct weir_endpoint_stats), SIZED },
	{ "fragments", 40, OWN, WEIR_MAX_FRAGMENTED },
	{ "fragment_next", 4, 4, 1 },
	{ "fragment_new", 4, OWN, 1 },
	{ "learned_mtus", 4, OWN, WEIR_MAX_LEARNED_MTUS },
	{ "icmp_scratch", 4, OWN, 1 },
	{ "answer_scratch", 4, OWN, 1 },
	{ "answer_pace", 4, 8, WEIR_ANSWER_KINDS },
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* Calls `each` with every pinned map of the instance; returns how many there are. */
static unsigned for_each_map(void each(const char *path, const struct bpf_map_info *info))
{
	char folder[OBJECT_PATH_MAX + 64];
	struct dirent *entry;
	unsigned maps = 0;
	DIR *pins;

	sets_path(rig.object->directory, rig.object->set, "", folder);
	pins = opendir(folder);
	cr_assert(pins);
	while ((entry = readdir(pins))) {
		char path[OBJECT_PATH_MAX + 257];
		struct bpf_map_info info = {};
		unsigned size = sizeof(info);
		int fd;

		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, WEIR_PIN_PROGRAM) ||
		    !strcmp(entry->d_name, WEIR_PIN_SWEEP) ||
		    !strcmp(entry->d_name, WEIR_PIN_STEER) ||
		    !strncmp(entry->d_name, WEIR_PIN_SHOW_PREFIX, strlen(WEIR_PIN_SHOW_PREFIX)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", rig.object->directory, entry->d_name);
		fd = bpf_obj_get(path);
		cr_assert_geq(fd, 0, "%s", path);
		cr_assert_eq(bpf_obj_get_info_by_fd(fd, &info, &size), 0, "%s", path);
		close(fd);
		cr_assert_str_eq(info.name, entry->d_name, "a name is cut off");
		each(path, &info);
		maps++;
	}
	closedir(pins);
	return maps;
}

static void check_shape(const char *path, const struct bpf_map_info *info)
{
	for (size_t i = 0; i < SHAPES; i++) {
		if (strcmp(shapes[i].name, info->name))
			continue;
		cr_assert_eq(info->key_size, shapes[i].key_size, "%s", path);
		cr_assert(shapes[i].value_size == OWN || info->value_size == shapes[i].value_size,
			  "%s", path);
		cr_assert_eq(info->max_entries,
			     shapes[i].max_entries
				     ?: capacity_entries(&rig.object->capacity, info->name),
			     "%s", path);
		return;
	}
	cr_assert_fail("%s: a map that this test does not know", path);
}

Test(maps, sizes_are_those_of_abi_h)
{
	cr_assert_eq(for_each_map(check_shape), SHAPES);
}

/* Every bit of a type belongs to a member, and every member has a name. */
static void check_type(const struct btf *btf, uint32_t id, const char *where)
{
	const struct btf_type *type = btf__type_by_id(btf, (uint32_t)btf__resolve_type(btf, id));
	uint32_t next = 0;

	if (btf_is_array(type)) {
		check_type(btf, btf_array(type)->type, where);
		return;
	}
	if (!btf_is_composite(type))
		return;
	for (uint16_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = btf_members(type) + i;
		const char *name = btf__name_by_offset(btf, member->name_off);
		uint32_t bits = btf_member_bitfield_size(type, i), offset;
		char path[256];

		snprintf(path, sizeof(path), "%s.%s", where, name);
		cr_assert(name[0], "%s: a member without a name", where);
		offset = btf_member_bit_offset(type, i);
		cr_assert(btf_is_union(type) || offset == next, "%s: a hole of %u bits before",
			  path, offset - next);
		next = offset + (bits ?: (uint32_t)btf__resolve_size(btf, member->type) * 8);
		cr_assert(!btf_is_union(type) || next == type->size * 8, "%s: shorter than others",
			  path);
		check_type(btf, member->type, path);
	}
	cr_assert_eq(next, type->size * 8, "%s: %u bits without an owner at the end", where,
		     type->size * 8 - next);
}

/* Interfaces, programs or sockets, which the kernel alone looks up. */
static bool holds_numbers(const struct bpf_map_info *info)
{
	return info->type == BPF_MAP_TYPE_DEVMAP || info->type == BPF_MAP_TYPE_PROG_ARRAY ||
	       info->type == BPF_MAP_TYPE_SOCKMAP;
}

static void check_types(const char *path, const struct bpf_map_info *info)
{
	struct btf *btf;

	if (!info->btf_id) { /* libbpf keeps the types of these to itself */
		cr_assert(holds_numbers(info), "%s has no types", path);
		return;
	}
	btf = btf__load_from_kernel_by_id(info->btf_id);
	cr_assert(btf, "%s", path);
	check_type(btf, info->btf_key_type_id, info->name);
	check_type(btf, info->btf_value_type_id, info->name);
	cr_assert_eq(btf__resolve_size(btf, info->btf_key_type_id), info->key_size);
	cr_assert_eq(btf__resolve_size(btf, info->btf_value_type_id), info->value_size);
	btf__free(btf);
}

Test(maps, no_key_and_no_value_has_a_hole)
{
	cr_assert_eq(for_each_map(check_types), SHAPES);
}

/* Something in every map. */
/* What takes a router to come about. */
static void learn_an_mtu(void)
{
	uint8_t value[16] = {};
	char path[OBJECT_PATH_MAX + 32];
	int map;

	snprintf(path, sizeof(path), "%s/learned_mtus", rig.object->directory);
	map = bpf_obj_get(path);
	cr_assert_geq(map, 0, "%s", path);
	cr_assert_eq(bpf_map_update_elem(map, &(uint32_t){ 1 }, value, BPF_ANY), 0);
	close(map);
}

static void configure(void)
{
	learn_an_mtu();
	for (int b = 100; b >= 50; b -= 50) /* twice: slots that move, and the table's lower half */
		rig_configure("version: 1\n"
			      "listeners:\n"
			      "- {name: web, protocol: tcp, address: [" VIP4 ", '" VIP6 "'], "
			      "port: 80, mode: dsr, endpoint_groups: [{name: all, endpoints: "
			      "[10.0.0.11, '10.0.0.12 weight %d', 'fd00::11']}]}\n"
			      "- {name: dns, protocol: udp, address: " VIP4 ", port: 53, "
			      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:5353']}]}\n",
			      b);
	for (uint16_t sport = 1; sport < 100; sport++) {
		struct packet tcp = TCP(.src = CLIENT4, .dst = VIP4, .sport = sport, .dport = 80,
					.flags = TH_SYN);
		struct packet udp = UDP(.src = CLIENT4, .dst = VIP4, .sport = sport, .dport = 53,
					.fragment = sport % 2 ? 0x2000 : 0, .id = sport);

		rig_send(&tcp);
		rig_send(&udp);
	}
	cr_assert_gt(rig_count_records(rig.object->exceptions), 0);
}

static void check_bytes(const json_t *value, size_t size, const char *map, const char *name)
{
	cr_assert(json_is_array(value) && json_array_size(value) == size,
		  "%s: %s is no list of %zu bytes", map, name, size);
	for (size_t i = 0; i < size; i++)
		cr_assert(json_is_integer(json_array_get(value, i)), "%s: %s", map, name);
}

static void check_readable(const json_t *value, const char *map)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_array(value))
		json_array_foreach(value, i, member)
			check_readable(member, map);
	if (!json_is_object(value))
		return;
	json_object_foreach((json_t *)value, key, member)
	{
		cr_assert(key[0], "%s: a member without a name", map);
		if (strstr(key, "addr") || !strcmp(key, "src") || !strcmp(key, "dst"))
			check_bytes(member, 16, map, key);
		else if (!strcmp(key, "mac"))
			check_bytes(member, 6, map, key);
		else if (!strcmp(key, "name") || !strcmp(key, "group"))
			cr_assert(json_is_string(member), "%s: %s is no text", map, key);
		else
			check_readable(member, map);
	}
}

static unsigned found_listeners, found_names;

/* The very thing that people look for. */
static void find_known(const json_t *value, const char *map)
{
	const json_t *addr = json_object_get(value, "addr");
	const char *name = json_string_value(json_object_get(value, "name"));

	if (!strcmp(map, "listeners") && json_integer_value(json_object_get(value, "port")) == 80 &&
	    json_integer_value(json_array_get(addr, 10)) == 255 &&
	    json_integer_value(json_array_get(addr, 12)) == 192 &&
	    json_integer_value(json_array_get(addr, 15)) == 1)
		found_listeners++;
	if (name && (!strcmp(name, "web") || !strcmp(name, "10.0.0.12") || !strcmp(name, "arm0")))
		found_names++;
}

static void check_dump(const char *path, const struct bpf_map_info *info)
{
	char command[512];
	unsigned elements = 0;
	json_error_t error;
	json_t *element;
	FILE *dump;
	int c;

	snprintf(command, sizeof(command), "bpftool -j map dump pinned %s 2>&1", path);
	dump = popen(command, "r");
	cr_assert(dump);
	cr_assert_eq(fgetc(dump), '[', "%s", path);
	do {
		const json_t *value;

		element = json_loadf(dump, JSON_DISABLE_EOF_CHECK, &error);
		cr_assert(element, "%s, element %u: %s", path, elements, error.text);
		value = json_object_get(element, "formatted");
		cr_assert(value || holds_numbers(info), "%s: bytes only", path);
		check_readable(value, info->name);
		find_known(json_object_get(value, "value"), info->name);
		json_decref(element);
		c = fgetc(dump);
		elements++;
	} while (c == ',' && elements < ELEMENTS_MAX);
	cr_assert(c == ',' || c == ']', "%s: %c", path, c);
	pclose(dump);
}

Test(maps, a_dump_can_be_read)
{
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	configure();
	cr_assert_eq(for_each_map(check_dump), SHAPES);
	cr_assert_eq(found_listeners, 1);
	cr_assert_eq(found_names, 3);
}
