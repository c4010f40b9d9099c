// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>

#include "cli/check.h"
#include "daemon/world.h"
#include "dataplane/attach.h"
#include "net/nl.h"
#include "plan/plan_places.h"

/* Of the endpoints of a listener. */
struct range {
	uint64_t least, most;
	size_t sources;	  /* that flows to one endpoint come from, at most; 0: not known of any */
	struct addr from; /* one of them */
};

static uint64_t ports_of(const struct facts *facts, const struct addr *address)
{
	const struct facts_ports *ports = facts_ports(facts, address);
	uint64_t count = 0;

	for (uint32_t i = 0; ports && i < ports->ranges; i++)
		count += ports->range[i].last - ports->range[i].first + 1;
	return count;
}

/* An endpoint whose address is not known yet, or has no route here, tells nothing. */
static void add_endpoint(const struct listener *listener, const struct model *model,
			 const struct facts *facts, const struct addr *to, struct range *range)
{
	struct addr from[WEIR_MAX_SNAT];
	uint64_t flows = 0;
	size_t count;

	if (addr_is_martian(to))
		return;
	count = plan_places_sources(listener, model, facts, to, from);
	if (!count)
		return;
	for (size_t i = 0; i < count; i++)
		flows += ports_of(facts, &from[i]);
	if (!range->sources || flows < range->least)
		range->least = flows;
	if (flows > range->most)
		range->most = flows;
	if (count > range->sources)
		range->sources = count;
	range->from = from[0];
}

static struct range range_of(const struct listener *listener, const struct model *model,
			     const struct facts *facts)
{
	struct range range = {};

	vec_foreach(group, &listener->groups)
		vec_foreach(endpoint, &group->endpoints)
			if (!listener->http && endpoint->mode == WEIR_MODE_NAT)
				add_endpoint(listener, model, facts, &endpoint->address, &range);
	return range;
}

static void print_range(const struct listener *listener, const struct range *range)
{
	char text[ADDR_TEXT_MAX];

	printf("  %s: %" PRIu64, listener->name, range->least);
	if (range->most != range->least)
		printf(" to %" PRIu64, range->most);
	printf(" flows at a time to each endpoint, from %s", addr_print(&range->from, text));
	if (range->sources > 1)
		printf(" and %zu more", range->sources - 1);
	putchar('\n');
}

void check_flows(const struct model *model)
{
	_cleanup_(facts_fini) struct facts facts = {};
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct attachments none = {};
	struct err why = {};

	if (nl_new(&nl, &why) < 0 || world_gather(nl, model, &none, false, &facts, &why) < 0) {
		fprintf(stderr, "note: how many flows an endpoint can have is not known: %s\n",
			why.text);
		return;
	}
	vec_foreach(listener, &model->listeners) {
		struct range range = range_of(listener, model, &facts);

		if (range.sources)
			print_range(listener, &range);
	}
}
