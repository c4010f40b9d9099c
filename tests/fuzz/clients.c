// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: no file of client regions makes its reader crash, leak or hang; what it refuses it says
 * with a line of the text; what it accepts has the bits of its prefixes alone, each with a region
 * that is found under its name, and no prefix is in two.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "config/clients.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

/* Written and read again it is the same: nothing is set beyond its bits. */
static void check_prefix(const struct clients *clients, const struct client_prefix *prefix)
{
	char text[ADDR_PREFIX_MAX];
	struct addr_prefix again;

	require(prefix->region < clients->regions.count && prefix->line);
	require(!addr_prefix_parse(addr_prefix_print(&prefix->prefix, text), &again));
	require(addr_prefix_equal(&prefix->prefix, &again));
}

static void check_accepted(const struct clients *clients)
{
	uint32_t place;

	vec_foreach(prefix, &clients->prefixes)
		check_prefix(clients, prefix);
	for (size_t i = 0; i < clients->regions.count; i++)
		require(clients_find(clients, clients->regions.items[i].name, &place) &&
			place == i);
	for (size_t i = 1; i < clients->prefixes.count && i < 100; i++) {
		const struct client_prefix *a = &clients->prefixes.items[i - 1], *b = a + 1;

		require(!addr_prefix_equal(&a->prefix, &b->prefix) || a->region == b->region);
	}
}

static void check_refused(const char *text, size_t size, const struct findings *findings)
{
	size_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	require(findings->errors);
	vec_foreach(finding, &findings->list) {
		require(finding->line <= lines && !finding->line == !finding->column);
		/* That there are more than are listed is said of the text as a whole. */
		require(finding->line ||
			finding == findings->list.items + findings->list.count - 1);
		for (const char *c = finding->message; *c; c++)
			require((unsigned char)*c >= ' ');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct findings findings = {};
	struct clients clients = {};
	int r = clients_parse((const char *)data, size, &clients, &findings);

	require(r == 0 || r == -EINVAL);
	if (r)
		check_refused((const char *)data, size, &findings);
	else
		check_accepted(&clients);
	findings_fini(&findings);
	clients_fini(&clients);
	return 0;
}
