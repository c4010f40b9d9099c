// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/regions.h"

#include <errno.h>
#include <string.h>

#include "config/fields.h"
#include "config/twice.h"
#include "util/str.h"

static void region_fini(struct region *region)
{
	vec_free(&region->latencies);
	vec_free(&region->countries);
	vec_free(&region->continents);
}

void regions_fini(struct model *model)
{
	vec_foreach(region, &model->regions)
		region_fini(region);
	vec_free(&model->regions);
	lookup_fini(&model->regions_by_name);
	free(model->clients_file);
	free(model->clients_maxmind);
}

static uint32_t hash_of(const char *name)
{
	return lookup_hash(0, name, strlen(name));
}

/* What is to be found by name: the model's last region. 0 or -ENOMEM. */
static int add_name(struct model *model)
{
	size_t last = model->regions.count - 1;

	return lookup_add(&model->regions_by_name, hash_of(model->regions.items[last].name), last);
}

/* ---- text to model ---- */

static int build_latencies(const struct tree_node *map, struct region *ret)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(map, REGION_LATENCIES, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes) {
		struct region_latency latency = { .ms = fields_number(*node, LATENCY_LATENCY) };

		strcpy(latency.region, fields_text(*node, LATENCY_REGION));
		if (vec_push(&ret->latencies, latency) < 0)
			return -ENOMEM;
	}
	return 0;
}

bool regions_known(const struct model *model, const char *name)
{
	if (regions_find(model, name))
		return true;
	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			if (!strcmp(group->region, name))
				return true;
	return !strcmp(model->node_region, name);
}

/* Of countries or continents, whose vectors are of one type. */
#define build_codes(map, id, ret)                                                                  \
	({                                                                                         \
		_cleanup_(fields_items_fini) struct node_list _nodes = {};                         \
		int _r = fields_items(map, id, &_nodes);                                           \
		vec_foreach(_node, &_nodes.nodes) {                                                \
			struct region_code _code = {};                                             \
			memcpy(_code.text, (*_node)->text, 2);                                     \
			_r = _r ?: vec_push(ret, _code);                                           \
		}                                                                                  \
		_r;                                                                                \
	})

static int build_region(const struct tree_node *map, struct region *ret)
{
	bool known = fields_get(map, REGION_LATENCY);

	strcpy(ret->name, fields_text(map, REGION_NAME));
	ret->latency = known ? fields_number(map, REGION_LATENCY) : MODEL_UNKNOWN_LATENCY;
	if (build_latencies(map, ret) < 0 ||
	    build_codes(map, REGION_COUNTRIES, &ret->countries) < 0 ||
	    build_codes(map, REGION_CONTINENTS, &ret->continents) < 0)
		return -ENOMEM;
	return 0;
}

static int build_path(const struct tree_node *map, unsigned id, char **ret)
{
	if (!map || !fields_get(map, id))
		return 0;
	*ret = strdup(fields_text(map, id));
	return *ret ? 0 : -ENOMEM;
}

int regions_build(const struct tree_node *root, struct model *model)
{
	const struct tree_node *clients = fields_get(root, ROOT_CLIENT_REGIONS);
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(root, ROOT_REGIONS, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes)
		if (vec_push(&model->regions, (struct region){}) < 0 ||
		    build_region(*node, &model->regions.items[model->regions.count - 1]) < 0 ||
		    add_name(model) < 0)
			return -ENOMEM;
	if (build_path(clients, CLIENT_REGIONS_FILE, &model->clients_file) < 0 ||
	    build_path(clients, CLIENT_REGIONS_MAXMIND, &model->clients_maxmind) < 0)
		return -ENOMEM;
	return 0;
}

/* ---- copies ---- */

#define append_all(to, from)                                                                       \
	({                                                                                         \
		int _r = 0;                                                                        \
		vec_foreach(_item, from)                                                           \
			_r = _r ?: vec_push(to, *_item);                                           \
		_r;                                                                                \
	})

static int copy_region(const struct region *from, struct region *to)
{
	memcpy(to->name, from->name, sizeof(to->name));
	to->latency = from->latency;
	if (append_all(&to->latencies, &from->latencies) < 0 ||
	    append_all(&to->countries, &from->countries) < 0 ||
	    append_all(&to->continents, &from->continents) < 0)
		return -ENOMEM;
	return 0;
}

int regions_copy(const struct model *from, struct model *to)
{
	vec_foreach(region, &from->regions)
		if (vec_push(&to->regions, (struct region){}) < 0 ||
		    copy_region(region, &to->regions.items[to->regions.count - 1]) < 0 ||
		    add_name(to) < 0)
			return -ENOMEM;
	if (str_copy(from->clients_file, &to->clients_file) < 0 ||
	    str_copy(from->clients_maxmind, &to->clients_maxmind) < 0)
		return -ENOMEM;
	return 0;
}

static bool same_latency(const struct region_latency *a, const struct region_latency *b)
{
	return !strcmp(a->region, b->region) && a->ms == b->ms;
}

static bool same_code(const struct region_code *a, const struct region_code *b)
{
	return !strcmp(a->text, b->text);
}

static bool same_region(const struct region *a, const struct region *b)
{
	return !strcmp(a->name, b->name) && a->latency == b->latency &&
	       vec_equal(&a->latencies, &b->latencies, same_latency) &&
	       vec_equal(&a->countries, &b->countries, same_code) &&
	       vec_equal(&a->continents, &b->continents, same_code);
}

bool regions_equal(const struct model *a, const struct model *b)
{
	return vec_equal(&a->regions, &b->regions, same_region) &&
	       str_equal(a->clients_file, b->clients_file) &&
	       str_equal(a->clients_maxmind, b->clients_maxmind);
}

/* ---- questions ---- */

const struct region *regions_find(const struct model *model, const char *name)
{
	lookup_foreach(item, &model->regions_by_name, hash_of(name))
		if (!strcmp(model->regions.items[item].name, name))
			return &model->regions.items[item];
	return NULL;
}

/* Of countries or continents, whose vectors are of one type. */
#define has_code(codes, wanted)                                                                    \
	({                                                                                         \
		bool _has = false;                                                                 \
		vec_foreach(_code, codes)                                                          \
			_has |= !strcmp(_code->text, wanted);                                      \
		_has;                                                                              \
	})

const struct region *regions_of_country(const struct model *model, const char *country,
					const char *continent)
{
	vec_foreach(region, &model->regions)
		if (has_code(&region->countries, country))
			return region;
	vec_foreach(region, &model->regions)
		if (has_code(&region->continents, continent))
			return region;
	return NULL;
}

/* As the first region says it. */
static uint32_t said_latency(const struct model *model, const char *from, const char *to)
{
	const struct region *region = regions_find(model, from);

	if (!region)
		return MODEL_UNKNOWN_LATENCY;
	vec_foreach(latency, &region->latencies)
		if (!strcmp(latency->region, to))
			return latency->ms;
	return strcmp(to, model->node_region) ? MODEL_UNKNOWN_LATENCY : region->latency;
}

uint32_t regions_latency(const struct model *model, const char *from, const char *to)
{
	uint32_t there, back;

	if (!strcmp(from, to))
		return 0;
	there = said_latency(model, from, to);
	back = said_latency(model, to, from);
	return there != MODEL_UNKNOWN_LATENCY ? there : back;
}

/* ---- model to text ---- */

#define print_codes(out, key, codes)                                                               \
	do {                                                                                       \
		const char *_comma = "";                                                           \
		if (!(codes)->count)                                                               \
			break;                                                                     \
		str_add(out, "    " key ": [");                                                    \
		vec_foreach(_code, codes) {                                                        \
			str_add(out, "%s\"%s\"", _comma, _code->text);                             \
			_comma = ", ";                                                             \
		}                                                                                  \
		str_add(out, "]\n");                                                               \
	} while (0)

static void print_region(const struct region *region, struct str *out)
{
	str_add(out, "  - name: %s\n", region->name);
	if (region->latency != MODEL_UNKNOWN_LATENCY)
		str_add(out, "    latency: %ums\n", region->latency);
	if (region->latencies.count)
		str_add(out, "    latencies:\n");
	vec_foreach(latency, &region->latencies)
		str_add(out, "      - { region: %s, latency: %ums }\n", latency->region,
			latency->ms);
	print_codes(out, "countries", &region->countries);
	print_codes(out, "continents", &region->continents);
}

static void print_path(struct str *out, const char *key, const char *path)
{
	if (!path)
		return;
	str_add(out, "  %s: ", key);
	str_add_quoted(out, path);
	str_add(out, "\n");
}

void regions_print(const struct model *model, struct str *out)
{
	if (model->regions.count)
		str_add(out, "regions:\n");
	vec_foreach(region, &model->regions)
		print_region(region, out);
	if (model->clients_file || model->clients_maxmind)
		str_add(out, "client_regions:\n");
	print_path(out, "file", model->clients_file);
	print_path(out, "maxmind", model->clients_maxmind);
}

/* ---- checks ---- */

static void add_items(struct report *report, struct twice *named, const struct tree_node *map,
		      unsigned id)
{
	_cleanup_(fields_items_fini) struct node_list items = {};

	if (fields_items(map, id, &items) < 0)
		report->error = -ENOMEM;
	vec_foreach(item, &items.nodes)
		twice_add_name(report, named, *item);
}

static void check_latencies(struct report *report, const struct tree_node *region)
{
	_cleanup_(fields_items_fini) struct node_list latencies = {};
	_cleanup_(twice_fini) struct twice names = {};
	const char *own = fields_text(region, REGION_NAME);

	if (fields_items(region, REGION_LATENCIES, &latencies) < 0)
		report->error = -ENOMEM;
	vec_foreach(latency, &latencies.nodes) {
		struct tree_node *name = fields_get(*latency, LATENCY_REGION);

		twice_add_name(report, &names, name);
		if (name && !strcmp(name->text, own))
			tree_error(report, name, "a region is not away from itself");
	}
	twice_report(report, &names, "region");
}

static void check_regions(struct report *report, struct tree_node *root)
{
	_cleanup_(fields_items_fini) struct node_list regions = {};
	_cleanup_(twice_fini) struct twice names = {}, countries = {}, continents = {};
	const struct tree_node *clients = fields_get(root, ROOT_CLIENT_REGIONS);
	bool maxmind = clients && fields_get(clients, CLIENT_REGIONS_MAXMIND);

	if (fields_items(root, ROOT_REGIONS, &regions) < 0)
		report->error = -ENOMEM;
	vec_foreach(region, &regions.nodes) {
		twice_add_name(report, &names, fields_get(*region, REGION_NAME));
		add_items(report, &countries, *region, REGION_COUNTRIES);
		add_items(report, &continents, *region, REGION_CONTINENTS);
		check_latencies(report, *region);
	}
	twice_report(report, &names, "region");
	twice_report(report, &countries, "country");
	twice_report(report, &continents, "continent");
	if (maxmind && !countries.list.count && !continents.list.count &&
	    fields_known(root, ROOT_REGIONS))
		tree_error(report, fields_get(clients, CLIENT_REGIONS_MAXMIND),
			   "a MaxMind DB knows countries, but no region has any; name them under "
			   "'regions:', 'countries: [DE, AT]'");
}

static void check_clients(struct report *report, struct tree_node *root)
{
	struct tree_node *clients = fields_get(root, ROOT_CLIENT_REGIONS);

	if (clients && fields_known(clients, CLIENT_REGIONS_FILE) &&
	    fields_known(clients, CLIENT_REGIONS_MAXMIND) &&
	    !fields_get(clients, CLIENT_REGIONS_FILE) &&
	    !fields_get(clients, CLIENT_REGIONS_MAXMIND))
		tree_error(report, clients, "client_regions needs 'file' or 'maxmind'");
}

/* The region of a group, for a message; NULL: not known. */
static const char *region_of(const struct tree_node *root, const struct tree_node *group)
{
	const struct tree_node *node = fields_get(root, ROOT_NODE);

	if (fields_get(group, GROUP_REGION))
		return fields_text(group, GROUP_REGION);
	if (!fields_known(group, GROUP_REGION) || !fields_known(root, ROOT_NODE))
		return NULL;
	if (!node)
		return SCHEMA_REGION;
	if (!fields_known(node, NODE_REGION))
		return NULL;
	return fields_get(node, NODE_REGION) ? fields_text(node, NODE_REGION) : SCHEMA_REGION;
}

static bool is_default(const struct tree_node *group)
{
	return fields_known(group, GROUP_TYPE) && !fields_number(group, GROUP_TYPE);
}

/* A default group and where it is. */
struct placed {
	const char *region;
	struct tree_node *group;
};

struct placed_list {
	VEC(struct placed) list;
};

static void placed_fini(struct placed_list *placed)
{
	vec_free(&placed->list);
}

static int compare_placed(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;

	return strcmp(a->region, b->region) ?: (a->group->index < b->group->index ? -1 : 1);
}

/* The default groups of a listener, of which there may be very many. Sorts. */
static void check_same_region(struct report *report, struct placed_list *placed)
{
	const struct placed *first = placed->list.items;

	if (placed->list.count)
		qsort(placed->list.items, placed->list.count, sizeof(*placed->list.items),
		      compare_placed);
	vec_foreach(it, &placed->list) {
		if (it == first || strcmp(it->region, first->region)) {
			first = it;
			continue;
		}
		tree_error(report, fields_get(it->group, GROUP_REGION) ?: it->group,
			   "group '%s' is in region '%s', too; the default groups of a listener "
			   "lie in different regions: put the endpoints into one group, or name "
			   "another region",
			   fields_text(first->group, GROUP_NAME), first->region);
	}
}

static void check_groups(struct report *report, const struct tree_node *root,
			 const struct tree_node *listener)
{
	_cleanup_(fields_items_fini) struct node_list groups = {};
	_cleanup_(placed_fini) struct placed_list placed = {};
	struct tree_node *list = fields_get(listener, LISTENER_GROUPS);
	bool any = false;

	if (fields_items(listener, LISTENER_GROUPS, &groups) < 0)
		report->error = -ENOMEM;
	vec_foreach(item, &groups.nodes) {
		struct tree_node *group = *item;
		const char *region;

		if (!is_default(group))
			continue;
		any |= !fields_known(group, GROUP_TRAFFIC_PERCENTAGE) ||
		       fields_number(group, GROUP_TRAFFIC_PERCENTAGE);
		region = region_of(root, group);
		if (region && vec_push(&placed.list, ((struct placed){ region, group })) < 0)
			report->error = -ENOMEM;
	}
	check_same_region(report, &placed);
	if (list && !any && groups.nodes.count && !(list->flags & TREE_TAINTED))
		tree_warning(report, list,
			     "no group has a traffic_percentage above 0, so new flows are refused");
}

void regions_check(struct report *report, struct tree_node *root)
{
	_cleanup_(fields_items_fini) struct node_list listeners = {};

	check_regions(report, root);
	check_clients(report, root);
	if (fields_items(root, ROOT_LISTENERS, &listeners) < 0)
		report->error = -ENOMEM;
	vec_foreach(listener, &listeners.nodes)
		check_groups(report, root, *listener);
}
