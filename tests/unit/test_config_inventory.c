// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what an endpoint's type says of its address is checked; instances need an inventory, and an
 * inventory instances; what is wrong elsewhere makes nobody say so.
 */
#include "config/support.h"

struct inventory_case {
	const char *inventory; /* line 2 */
	const char *endpoints; /* line 5 */
	const char *wanted;
};

static void try_case(const struct inventory_case *c)
{
	_cleanup_(str_fini) struct str text = {};

	str_add(&text,
		"version: 1\n%s\nlisteners:\n"
		"- { name: a, protocol: tcp, address: 192.0.2.1, port: 80, endpoint_groups: [{ "
		"name: g,\n"
		"  endpoints: [%s] }] }\n",
		c->inventory, c->endpoints);
	support_expect(text.text, text.size, c->wanted);
}

#define ONE "inventory: /a.json"
#define ECS "{ address: i-a, type: ecs }"

Test(config_inventory, needs)
{
	static const struct inventory_case cases[] = {
		{ ONE, ECS, "" },
		{ "inventory: { files: [/a, /b], addresses: public }", ECS, "" },
		{ "", ECS,
		  "5:37 error type ecs needs an inventory to look the instance up in: inventory: "
		  "/etc/weir/FILE.json, as 'aliyun ecs DescribeInstances' prints it\n" },
		{ "", "10.0.0.1, { name: b, address: lb-a, type: slb }",
		  "5:57 error type slb needs an inventory to look the instance up in: inventory: "
		  "/etc/weir/FILE.json, as 'aliyun slb DescribeLoadBalancers' prints it\n" },
		{ ONE, "10.0.0.1",
		  "2:12 warning inventory has no effect: no endpoint is of type ecs or slb\n" },
		/* One that is wrong is one. */
		{ "inventory: a.json", ECS,
		  "2:12 error files 'a.json' is not the path of a file; write it from the root on, "
		  "as in /etc/weir/FILE\n" },
		{ "inventory: { addresses: public }", ECS,
		  "2:12 error missing key 'files' (JSON as 'aliyun ecs DescribeInstances' and "
		  "'aliyun slb DescribeLoadBalancers' print it, in one file or several, each with "
		  "as many pages as you like; read again when it changes)\n" },
		{ "inventory: { files: [] }", ECS,
		  "2:21 error files is empty; at least 1 needed\n" },
		{ "inventory: { files: [/a, /b, /a] }", ECS,
		  "2:30 error inventory file '/a' is given twice; first in line 2\n" },
		/* A type that nobody knows may be one. */
		{ ONE, "{ address: i-a, type: esc }",
		  "5:37 error unknown type 'esc'; did you mean 'ecs'? allowed: custom_ip, "
		  "public_ip, custom_domain, ecs, slb\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		try_case(&cases[i]);
}

Test(config_inventory, types)
{
	static const struct inventory_case cases[] = {
		{ "",
		  "{ address: 10.0.0.1, type: custom_ip }, { address: 10.0.0.2, type: public_ip }",
		  "" },
		{ "", "{ address: a.example, type: custom_domain }, { address: i-a }", "" },
		{ "", "{ address: a.example, type: public_ip }",
		  "5:26 error address 'a.example' is a name, but the type is public_ip\n" },
		{ "", "{ address: 10.0.0.1, type: custom_domain }",
		  "5:26 error address '10.0.0.1' is an IP address, but the type is "
		  "custom_domain\n" },
		{ ONE, "{ address: 10.0.0.1, type: ecs }",
		  "5:26 error address '10.0.0.1' is an IP address, but the type is ecs\n" },
		{ ONE, "{ address: i-a.example, type: slb }",
		  "5:26 error address 'i-a.example' is a name in DNS, but the type is slb; write "
		  "the id of the instance\n" },
		{ ONE, ECS ", " ECS,

		  "5:44 error endpoint 'i-a' is given twice; first in line 5\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		try_case(&cases[i]);
}

Test(config_inventory, model)
{
	static const char text[] =
		"version: 1\ninventory: /a\nlisteners:\n"
		"- { name: a, protocol: tcp, address: 192.0.2.1, port: 80, endpoint_groups: [{ "
		"name: g,\n"
		"  endpoints: [{ address: i-a, type: ecs, port: 8 }, { address: lb-b, type: slb }, "
		"\n"
		"  10.0.0.1, { address: 10.0.0.2, type: public_ip }, a.example] }] }\n";
	static const struct {
		const char *name, *domain;
		enum endpoint_type type;
	} wanted[] = {
		{ "i-a:8", "i-a", TYPE_ECS },
		{ "lb-b", "lb-b", TYPE_SLB },
		{ "10.0.0.1", NULL, TYPE_CUSTOM_IP },
		{ "10.0.0.2", NULL, TYPE_PUBLIC_IP },
		{ "a.example", "a.example", TYPE_CUSTOM_DOMAIN },
	};
	_cleanup_(model_freep) struct model *model = support_parse(text);
	const struct endpoint_group *group = &model->listeners.items[0].groups.items[0];

	cr_assert_eq(model->inventory.files.count, 1);
	cr_expect_str_eq(model->inventory.files.items[0], "/a");
	cr_expect(!model->inventory.prefer_public);
	cr_assert_eq(group->endpoints.count, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < group->endpoints.count; i++) {
		const struct endpoint *endpoint = &group->endpoints.items[i];

		cr_expect_str_eq(endpoint->name, wanted[i].name);
		cr_expect_eq(endpoint->type, wanted[i].type);
		cr_expect(str_equal(endpoint->domain, wanted[i].domain));
		cr_expect_eq(model_is_instance(endpoint), wanted[i].type >= TYPE_ECS);
	}
}
