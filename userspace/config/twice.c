// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/twice.h"

#include <errno.h>
#include <string.h>

#include "util/str.h"

void twice_fini(struct twice *twice)
{
	vec_free(&twice->list);
}

static int compare_entry(const struct twice_entry *a, const struct twice_entry *b)
{
	int order;

	if (!a->text != !b->text)
		return a->text ? -1 : 1;
	order = a->text ? strcmp(a->text, b->text) : addr_compare(&a->addr, &b->addr);
	return order ? order : a->port - b->port;
}

static int compare(const void *left, const void *right)
{
	const struct twice_entry *a = left, *b = right;
	int order = compare_entry(a, b);

	if (order)
		return order;
	return a->node->span.offset < b->node->span.offset ? -1 : 1;
}

void twice_report(struct report *report, struct twice *twice, const char *what)
{
	size_t first = 0;

	if (!twice->list.count)
		return;
	qsort(twice->list.items, twice->list.count, sizeof(struct twice_entry), compare);
	for (size_t i = 1; i < twice->list.count; i++) {
		struct twice_entry *entry = &twice->list.items[i];
		char text[STR_QUOTE_MAX];

		if (compare_entry(&twice->list.items[first], entry)) {
			first = i;
			continue;
		}
		if (entry->text)
			str_quote(entry->text, strlen(entry->text), text);
		else
			addr_print_port(&entry->addr, entry->port, text);
		tree_error(report, entry->node, "%s '%s' is given twice; first in line %u", what,
			   text, twice->list.items[first].node->line);
	}
}

void twice_add(struct report *report, struct twice *twice, struct twice_entry entry)
{
	if (vec_push(&twice->list, entry) < 0)
		report->error = -ENOMEM;
}

void twice_add_name(struct report *report, struct twice *twice, struct tree_node *node)
{
	if (node)
		twice_add(report, twice, (struct twice_entry){ .text = node->text, .node = node });
}
