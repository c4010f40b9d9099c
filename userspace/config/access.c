// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"
#include "util/str.h"

/* An acl of the file. */
struct entry {
	const struct tree_node *name;
	const struct tree_node *acl;
	unsigned index; /* in the file */
	int family;	/* of its prefixes; 0: it has none */
};

struct access {
	struct report *report;
	VEC(struct entry) entries; /* by name */
	bool all_known;		   /* every acl of the file has a name that can be read */
};

static void access_fini(struct access *access)
{
	vec_free(&access->entries);
}

static int compare_prefixes(const void *left, const void *right)
{
	const struct tree_node *a = *(struct tree_node *const *)left;
	const struct tree_node *b = *(struct tree_node *const *)right;
	int order = addr_compare(&a->value.prefix.addr, &b->value.prefix.addr);

	order = order ?: a->value.prefix.bits - b->value.prefix.bits;
	return order ?: (a->span.offset < b->span.offset ? -1 : 1);
}

/* Sorts. */
static void check_twice(struct report *report, struct node_list *prefixes)
{
	struct tree_node **nodes = prefixes->nodes.items;
	size_t first = 0;

	if (prefixes->nodes.count)
		qsort(nodes, prefixes->nodes.count, sizeof(*nodes), compare_prefixes);
	for (size_t i = 1; i < prefixes->nodes.count; i++) {
		char text[ADDR_PREFIX_MAX];

		if (!addr_prefix_equal(&nodes[first]->value.prefix, &nodes[i]->value.prefix)) {
			first = i;
			continue;
		}
		tree_error(report, nodes[i], "prefix '%s' is given twice; first in line %u",
			   addr_prefix_print(&nodes[i]->value.prefix, text), nodes[first]->line);
	}
}

static const char *family_name(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

/* Returns the family of an acl's prefixes, 0 if it has none. */
static int check_acl(struct report *report, const struct tree_node *acl)
{
	_cleanup_(fields_items_fini) struct node_list prefixes = {};
	int family = 0;

	if (fields_items(acl, ACL_PREFIXES, &prefixes) < 0) {
		report->error = -ENOMEM;
		return 0;
	}
	vec_foreach(prefix, &prefixes.nodes) {
		int other = addr_family(&(*prefix)->value.prefix.addr);

		if (family && other != family) {
			tree_error(report, *prefix,
				   "%s is %s, but the prefixes before it are %s; make an acl for "
				   "each, a listener can name both",
				   (*prefix)->text, family_name(other), family_name(family));
			break;
		}
		family = other;
	}
	check_twice(report, &prefixes);
	return family;
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = strcmp(a->name->text, b->name->text);

	return order ?: (int)a->index - (int)b->index;
}

static void read_acls(struct access *access, const struct tree_node *root)
{
	const struct tree_node *list = fields_get(root, ROOT_ACLS);
	unsigned index = 0;

	access->all_known = fields_known(root, ROOT_ACLS);
	if (!list)
		return;
	vec_foreach(acl, &list->items) {
		struct entry entry = { .acl = *acl, .index = index++ };

		if ((*acl)->flags & TREE_GOOD) {
			entry.name = fields_get(*acl, ACL_NAME);
			entry.family = check_acl(access->report, *acl);
		}
		if (!entry.name)
			access->all_known = false;
		else if (vec_push(&access->entries, entry) < 0)
			access->report->error = -ENOMEM;
	}
	if (access->entries.count)
		qsort(access->entries.items, access->entries.count, sizeof(struct entry),
		      compare_entries);
}

static const struct entry *find_entry(const struct access *access, const char *name)
{
	size_t low = 0, high = access->entries.count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct entry *entry = &access->entries.items[middle];
		int order = strcmp(entry->name->text, name);

		if (!order)
			return entry;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void unknown_acl(const struct access *access, struct tree_node *name)
{
	struct str_nearest nearest = { .word = name->text };

	if (!access->all_known)
		return;
	vec_foreach(entry, &access->entries)
		str_nearest_offer(&nearest, entry->name->text);
	if (nearest.best)
		tree_error(access->report, name, "there is no acl '%s'; did you mean '%s'?",
			   name->text, nearest.best);
	else
		tree_error(access->report, name, "there is no acl '%s'; name it under 'acls:'",
			   name->text);
}

static int compare_names(const void *left, const void *right)
{
	const struct tree_node *a = *(struct tree_node *const *)left;
	const struct tree_node *b = *(struct tree_node *const *)right;

	return strcmp(a->text, b->text) ?: (a->span.offset < b->span.offset ? -1 : 1);
}

/* Sorts. */
static void check_names(const struct access *access, struct node_list *names)
{
	struct tree_node **nodes = names->nodes.items;

	if (names->nodes.count)
		qsort(nodes, names->nodes.count, sizeof(*nodes), compare_names);
	for (size_t i = 0; i < names->nodes.count; i++) {
		const struct entry *entry = find_entry(access, nodes[i]->text);

		if (i && !strcmp(nodes[i - 1]->text, nodes[i]->text))
			tree_error(access->report, nodes[i], "acl '%s' is given twice",
				   nodes[i]->text);
		else if (entry)
			nodes[i]->value.number = entry->index;
		else
			unknown_acl(access, nodes[i]);
	}
}

/* Is some prefix of the family in the acls of these names? */
static bool has_family(const struct access *access, const struct node_list *names, int family)
{
	vec_foreach(name, &names->nodes) {
		const struct entry *entry = find_entry(access, (*name)->text);

		if (!entry || (entry->acl->flags & TREE_TAINTED) || entry->family == family)
			return true; /* or nobody knows */
	}
	return false;
}

/* A list without an address of the client's family keeps all of them out. */
static void check_nobody(const struct access *access, const struct tree_node *listener,
			 struct tree_node *allow, const struct node_list *names)
{
	_cleanup_(fields_items_fini) struct node_list addresses = {};

	if (fields_number(listener, LISTENER_ALLOW_NOBODY) || (allow->flags & TREE_TAINTED))
		return;
	if (fields_items(listener, LISTENER_ADDRESS, &addresses) < 0) {
		access->report->error = -ENOMEM;
		return;
	}
	vec_foreach(address, &addresses.nodes) {
		int family = addr_family(&(*address)->value.addr);

		if (has_family(access, names, family))
			continue;
		tree_error(access->report, allow,
			   "this lets nobody reach %s: no %s address is in it; name an acl that "
			   "has some, or say 'allow_nobody: true'",
			   (*address)->text, family_name(family));
		return;
	}
}

static void check_listener(struct access *access, const struct tree_node *listener)
{
	_cleanup_(fields_items_fini) struct node_list allowed = {}, denied = {};
	struct tree_node *allow = fields_get(listener, LISTENER_ALLOW);
	struct tree_node *deny = fields_get(listener, LISTENER_DENY);
	struct tree_node *nobody = fields_get(listener, LISTENER_ALLOW_NOBODY);

	if (fields_items(listener, LISTENER_ALLOW, &allowed) < 0 ||
	    fields_items(listener, LISTENER_DENY, &denied) < 0) {
		access->report->error = -ENOMEM;
		return;
	}
	check_names(access, &allowed);
	check_names(access, &denied);
	if (allow && deny)
		tree_error(access->report, deny,
			   "a listener has either 'allow' or 'deny'; who is not allowed is denied");
	else if (allow)
		check_nobody(access, listener, allow, &allowed);
	if (nobody && fields_known(listener, LISTENER_ALLOW) && !allow)
		tree_warning(access->report, nobody, "allow_nobody has no effect without 'allow'");
}

void access_check(struct report *report, struct tree_node *root)
{
	_cleanup_(fields_items_fini) struct node_list listeners = {};
	_cleanup_(access_fini) struct access access = { .report = report };

	if (fields_items(root, ROOT_LISTENERS, &listeners) < 0) {
		report->error = -ENOMEM;
		return;
	}
	read_acls(&access, root);
	vec_foreach(listener, &listeners.nodes)
		check_listener(&access, *listener);
}
