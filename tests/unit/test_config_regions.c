// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: regions, their latencies and where clients are become the model that was meant; each
 * mistake is reported once, at its place, with what to do.
 */
#include "config/support.h"

#include "config/regions.h"

#define HEAD	      "version: 1\nnode: { region: here }\n"
#define REGIONS(list) HEAD "regions: [" list "]\n"

struct text_case {
	const char *text, *wanted;
};

static void try_all(const struct text_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		support_expect(cases[i].text, strlen(cases[i].text), cases[i].wanted);
}

Test(config_regions, regions)
{
	static const struct text_case cases[] = {
		{ REGIONS("{ name: a, latency: 20ms }, { name: b, latency: 2 }"), "" },
		{ REGIONS("{ name: a }, { name: b }, { name: a }"),
		  "3:45 error region 'a' is given twice; first in line 3\n" },
		{ REGIONS("{ latency: 1ms }"),
		  "3:11 error missing key 'name' (name of the region, unique in the file)\n" },
		{ REGIONS("{ name: a, latency: 11s }"),
		  "3:31 error latency '11s' is out of range; allowed: 0s to 10s\n" },
		{ REGIONS("{ name: a, latencies: [{ region: a, latency: 1ms }] }"),
		  "3:44 error a region is not away from itself\n" },
		{ REGIONS("{ name: a, countries: [DE] }, { name: b, countries: [FR, DE] }"),
		  "3:68 error country 'DE' is given twice; first in line 3\n" },
		{ REGIONS("{ name: a, countries: Germany }"),
		  "3:33 error countries 'Germany' is not a country; write its two capital letters, "
		  "as in DE\n" },
		{ REGIONS("{ name: a, continents: XX }"),
		  "3:34 error unknown continents 'XX'; allowed: AF, AN, AS, EU, NA, OC, SA\n" },
	};

	try_all(cases, sizeof(cases) / sizeof(*cases));
}

Test(config_regions, clients)
{
	static const struct text_case cases[] = {
		{ HEAD "client_regions: { file: /etc/weir/clients }\n", "" },
		{ HEAD "client_regions: {}\n",
		  "3:17 error client_regions needs 'file' or 'maxmind'\n" },
		{ HEAD "client_regions: { file: clients }\n",
		  "3:25 error file 'clients' is not the path of a file; write it from the root on, "
		  "as in /etc/weir/FILE\n" },
		{ HEAD "client_regions: { maxmind: /x.mmdb }\n",
		  "3:28 error a MaxMind DB knows countries, but no region has any; name them under "
		  "'regions:', 'countries: [DE, AT]'\n" },
		{ REGIONS("{ name: a, continents: EU }") "client_regions: { maxmind: /x.mmdb }\n",
		  "" },
	};

	try_all(cases, sizeof(cases) / sizeof(*cases));
}

#define GROUPS(list)                                                                               \
	HEAD "listeners: [{ name: l, protocol: tcp, address: 192.0.2.1, port: 80,\n"               \
	     "  endpoint_groups: [" list "] }]\n"

/* Row "two default groups in different regions". */
Test(config_regions, groups)
{
	static const struct text_case cases[] = {
		{ GROUPS("{ name: a, endpoints: 10.0.0.1 }, "
			 "{ name: b, region: b, endpoints: 10.0.0.2 }"),
		  "" },
		{ GROUPS("{ name: a, endpoints: 10.0.0.1 }, { name: b, endpoints: 10.0.0.2 }"),
		  "4:55 error group 'a' is in region 'here', too; the default groups of a listener "
		  "lie in different regions: put the endpoints into one group, or name another "
		  "region\n" },
		{ GROUPS("{ name: a, endpoints: 10.0.0.1 }, "
			 "{ name: b, region: here, endpoints: 10.0.0.2 }"),
		  "4:74 error group 'a' is in region 'here', too; the default groups of a listener "
		  "lie in different regions: put the endpoints into one group, or name another "
		  "region\n" },
		{ GROUPS("{ name: a, traffic_percentage: 0, endpoints: 10.0.0.1 }"),
		  "4:20 warning no group has a traffic_percentage above 0, so new flows are "
		  "refused\n" },
		{ GROUPS("{ name: a, traffic_percentage: 0, endpoints: 10.0.0.1 }, "
			 "{ name: b, region: b, traffic_percentage: 1, endpoints: 10.0.0.2 }"),
		  "" },
	};

	try_all(cases, sizeof(cases) / sizeof(*cases));
}

/* As either side says it; the node's own region is where `latency` is measured from. */
Test(config_regions, latencies)
{
	_cleanup_(model_freep) struct model *model =
		support_parse(REGIONS("{ name: a, latency: 20ms, "
				      "latencies: [{ region: b, latency: 30ms }] }, "
				      "{ name: b }"));

	cr_expect_eq(regions_latency(model, "here", "here"), 0);
	cr_expect_eq(regions_latency(model, "here", "a"), 20);
	cr_expect_eq(regions_latency(model, "a", "here"), 20);
	cr_expect_eq(regions_latency(model, "a", "b"), 30);
	cr_expect_eq(regions_latency(model, "b", "a"), 30);
	cr_expect_eq(regions_latency(model, "here", "b"), MODEL_UNKNOWN_LATENCY);
	cr_expect_eq(regions_latency(model, "b", "nowhere"), MODEL_UNKNOWN_LATENCY);
	cr_expect_eq(regions_latency(model, "nowhere", "nowhere"), 0);
}
