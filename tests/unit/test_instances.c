// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what `aliyun` prints of instances and load balancers is understood, in pages or at once,
 * whichever addresses there are; everything else is refused with its place, within bounds, and
 * without a byte being read behind the text.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "config/instances.h"
#include "util/str.h"

/* A copy that ends where memory does. */
struct fenced {
	char *map, *text;
	size_t room;
};

static struct fenced fence(const char *text, size_t size)
{
	size_t room = (size / 4096 + 1) * 4096;
	struct fenced fenced = { .room = room + 4096 };

	fenced.map =
		mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(fenced.map, MAP_FAILED);
	cr_assert_eq(mprotect(fenced.map + room, 4096, PROT_NONE), 0);
	fenced.text = fenced.map + room - size;
	memcpy(fenced.text, text, size);
	return fenced;
}

static int parse(const char *text, size_t size, struct instances *ret, struct err *err)
{
	struct fenced fenced = fence(text, size);
	int r = instances_parse(fenced.text, size, ret, err);

	munmap(fenced.map, fenced.room);
	return r;
}

static void expect(const char *text, struct instances *ret)
{
	struct err err = {};

	*ret = (struct instances){};
	cr_assert_eq(parse(text, strlen(text), ret, &err), 0, "%s", err.text);
}

static void refuse(const char *text, size_t size, const char *wanted)
{
	struct instances instances = {};
	struct err err = {};

	cr_assert_eq(parse(text, size, &instances, &err), -EINVAL, "%.100s", text);
	cr_expect_str_eq(err.text, wanted);
	cr_expect_eq(instances.list.count, 0);
}

/* "OWN4 OWN6 / OPEN4 OPEN6", as the address at which it is reached; "-" for none. */
static void expect_addresses(const struct instance *instance, bool prefer_public, const char *ip4,
			     const char *ip6)
{
	const char *wanted[] = { ip4, ip6 };
	char text[ADDR_TEXT_MAX];

	for (int family = 0; family < INSTANCES_FAMILIES; family++) {
		const struct addr *addr = instances_address(instance, family, prefer_public);

		cr_expect_str_eq(addr ? addr_print(addr, text) : "-", wanted[family], "%s",
				 instance->id);
	}
}

/* As printed by the command, shortened. */
static const char page[] =
	"{\n"
	"  \"Instances\": {\n"
	"    \"Instance\": [\n"
	"      {\n"
	"        \"InstanceId\": \"i-bp67acfmxazb4p1a\", \"Status\": \"Running\",\n"
	"        \"InstanceName\": \"web \\\"one\\\"\", \"Cpu\": 4, \"DeviceAvailable\": true,\n"
	"        \"Tags\": { \"Tag\": [] },\n"
	"        \"VpcAttributes\": { \"VpcId\": \"vpc-bp1\", \"NatIpAddress\": \"\",\n"
	"          \"PrivateIpAddress\": { \"IpAddress\": [ \"172.17.0.5\" ] } },\n"
	"        \"InnerIpAddress\": { \"IpAddress\": [] },\n"
	"        \"PublicIpAddress\": { \"IpAddress\": [ \"47.98.0.5\" ] },\n"
	"        \"EipAddress\": { \"IpAddress\": \"\", \"Bandwidth\": 0 },\n"
	"        \"NetworkInterfaces\": { \"NetworkInterface\": [ { \"Type\": \"Primary\",\n"
	"          \"PrimaryIpAddress\": \"172.17.0.5\", \"MacAddress\": \"00:16:3e:00:00:05\",\n"
	"          \"Ipv6Sets\": { \"Ipv6Set\": [ { \"Ipv6Address\": \"fe80::5\" }, { "
	"\"Ipv6Address\": \"2408:4005::5\" } ] } } ] }\n"
	"      },\n"
	"      { \"InstanceId\": \"i-classic\", \"Status\": \"Stopped\",\n"
	"        \"InnerIpAddress\": { \"IpAddress\": [ \"10.45.0.6\" ] },\n"
	"        \"EipAddress\": { \"IpAddress\": \"47.98.0.6\" } },\n"
	"      { \"InstanceId\": \"i-outside\",\n"
	"        \"EipAddress\": { \"IpAddress\": \"47.98.0.7\" },\n"
	"        \"NetworkInterfaces\": null },\n"
	"      { \"InstanceId\": \"i-nowhere\", \"Status\": \"Pending\" }\n"
	"    ]\n"
	"  },\n"
	"  \"PageNumber\": 1, \"PageSize\": 10, \"RequestId\": \"46\", \"TotalCount\": 4\n"
	"}\n";

static const char balancers[] =
	"{\"LoadBalancers\":{\"LoadBalancer\":["
	"{\"LoadBalancerId\":\"lb-bp1\",\"LoadBalancerStatus\":\"active\",\"Address\":"
	"\"47.97.0.1\",\"AddressIPVersion\":\"ipv4\",\"AddressType\":\"internet\"},"
	"{\"LoadBalancerId\":\"lb-bp2\",\"LoadBalancerStatus\":\"locked\",\"Address\":"
	"\"2408:4005::7\",\"AddressIPVersion\":\"ipv6\"}]},\"TotalCount\":70}";

Test(instances, ecs)
{
	struct instances instances;
	const struct instance *one;

	expect(page, &instances);
	cr_expect_eq(instances.list.count, 4);
	cr_expect_eq(instances.missing, 0);
	one = instances_find(&instances, TYPE_ECS, "i-bp67acfmxazb4p1a");
	cr_assert(one);
	cr_expect(one->serves);
	expect_addresses(one, false, "172.17.0.5", "2408:4005::5");
	expect_addresses(one, true, "47.98.0.5", "2408:4005::5");
	one = instances_find(&instances, TYPE_ECS, "i-classic");
	cr_expect(!one->serves);
	cr_expect_str_eq(one->status, "Stopped");
	expect_addresses(one, false, "10.45.0.6", "-");
	expect_addresses(one, true, "47.98.0.6", "-");
	one = instances_find(&instances, TYPE_ECS, "i-outside");
	cr_expect(one->serves);
	expect_addresses(one, false, "47.98.0.7", "-");
	one = instances_find(&instances, TYPE_ECS, "i-nowhere");
	cr_expect(!one->serves);
	expect_addresses(one, false, "-", "-");
	cr_expect(!instances_find(&instances, TYPE_SLB, "i-classic"));
	cr_expect(!instances_find(&instances, TYPE_ECS, "i-"));
	instances_fini(&instances);
}

Test(instances, slb)
{
	struct instances instances;

	expect(balancers, &instances);
	cr_assert_eq(instances.list.count, 2);
	cr_expect_eq(instances.missing, 68);
	cr_expect(instances.list.items[0].serves);
	expect_addresses(&instances.list.items[0], false, "47.97.0.1", "-");
	expect_addresses(&instances.list.items[0], true, "47.97.0.1", "-");
	cr_expect(!instances.list.items[1].serves);
	expect_addresses(&instances.list.items[1], false, "-", "2408:4005::7");
	instances_fini(&instances);
}

/* One behind the other, in an array, with a byte order mark; an instance that has moved from one
 * page to the next while they were fetched is there once. */
Test(instances, pages)
{
	_cleanup_(str_fini) struct str text = {};
	struct instances instances;

	str_add(&text, "\xef\xbb\xbf%s\n\n%s[%s,%s]\r\n{\"Instances\":{\"Instance\":[]}}", page,
		balancers, balancers, page);
	expect(text.text, &instances);
	cr_expect_eq(instances.list.count, 6);
	cr_expect_eq(instances.missing, 0);
	cr_expect(instances_find(&instances, TYPE_SLB, "lb-bp2"));
	instances_fini(&instances);
}

#define ECS(instance) "{\"Instances\":{\"Instance\":[" instance "]}}"

Test(instances, wrong)
{
	static const char *const cases[][2] = {
		{ "", "is empty" },
		{ " \n\t\n", "is empty" },
		{ "[]", "is empty" },
		{ "{}", "page 1 has neither Instances nor LoadBalancers: is it what 'aliyun ecs "
			"DescribeInstances' or 'aliyun slb DescribeLoadBalancers' prints?" },
		{ "{\"Code\": \"Throttling\", \"Message\": \"x\"}",
		  "Code: this is an error that aliyun has printed" },
		{ "[[]]", "page 1 has neither Instances nor LoadBalancers: is it what 'aliyun ecs "
			  "DescribeInstances' or 'aliyun slb DescribeLoadBalancers' prints?" },
		{ "ERROR: SDK.ServerError", "1:5: is no JSON: '[' or '{' expected near 'ERROR'" },
		{ "{\n \"Instances\": {\n  \"Instance\": [\n",
		  "3:16: is no JSON: ']' expected near end of file" },
		{ "{\"Instances\": 1, \"Instances\": 2}",
		  "1:28: is no JSON: duplicate object key near '\"Instances\"'" },
		{ "{\"Instances\": 1}", "Instances: expected an object, not a number" },
		{ "{\"Instances\": {\"Instance\": {}}}",
		  "Instances.Instance: expected an array, not an object" },
		{ "[\x1b", "1:2: is no JSON: invalid token near '?'" },
		{ ECS("7"), "Instances.Instance[0]: expected an object" },
		{ ECS("{}"), "Instances.Instance[0].InstanceId: is missing" },
		{ ECS("{\"InstanceId\":\"\"}"), "Instances.Instance[0].InstanceId: is missing" },
		{ ECS("{\"InstanceId\":true}"),
		  "Instances.Instance[0].InstanceId: expected a string, not a bool" },
		{ ECS("{\"InstanceId\":\"i-a b\"}"),
		  "Instances.Instance[0].InstanceId: has a character that none of its kind has" },
		{ ECS("{\"InstanceId\":\"i-\xc3\xa4\"}"),
		  "Instances.Instance[0].InstanceId: has a character that none of its kind has" },
		{ ECS("{\"InstanceId\":\"i-a\\u0000b\"}"),
		  "1:52: is no JSON: \\u0000 is not allowed without JSON_ALLOW_NUL near "
		  "'\"i-a\\u0000b\"'" },
		{ ECS("{\"InstanceId\":\"i-\xff\"}"),
		  "1:43: is no JSON: unable to decode byte 0xff near '\"i-'" },
		{ ECS("{\"InstanceId\":\"i-2345678901234567890123456789012345678901234567890123456"
		      "789012345\"}"),
		  "Instances.Instance[0].InstanceId: is too long" },
		{ ECS("{\"InstanceId\":\"a\",\"Status\":\"Running-but-not-quite-yet\"}"),
		  "Instances.Instance[0].Status: is too long" },
		{ ECS("{\"InstanceId\":\"a\"},{\"InstanceId\":\"b\",\"EipAddress\":{\"IpAddress\":"
		      "\"47.98.**.6\"}}"),
		  "Instances.Instance[1].EipAddress.IpAddress: is not an IP address" },
		{ ECS("{\"InstanceId\":\"a\",\"PublicIpAddress\":{\"IpAddress\":[\"1.2.3.4\",5]}}"),
		  "Instances.Instance[0].PublicIpAddress.IpAddress[1]: expected a string" },
		{ ECS("{\"InstanceId\":\"a\",\"VpcAttributes\":[]}"),
		  "Instances.Instance[0].VpcAttributes: expected an object, not an array" },
		{ ECS("{\"InstanceId\":\"a\",\"NetworkInterfaces\":{\"NetworkInterface\":[{"
		      "\"Ipv6Sets\":{\"Ipv6Set\":[{\"Ipv6Address\":\"::x\"}]}}]}}"),
		  "Instances.Instance[0].NetworkInterfaces.NetworkInterface[0].Ipv6Sets.Ipv6Set[0]."
		  "Ipv6Address: is not an IP address" },
		{ ECS("") "\n{\"Instances\":{\"Instance\":[]},\"TotalCount\":\"2\"}",
		  "page 2: TotalCount: expected a number, not a string" },
		{ ECS("") "x", "1:30: is no JSON: '[' or '{' expected near 'x'" },
		{ "{\"LoadBalancers\":{\"LoadBalancer\":[{\"LoadBalancerId\":\"l\",\"Address\":[]}]"
		  "}}",
		  "LoadBalancers.LoadBalancer[0].Address: expected a string, not an array" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refuse(cases[i][0], strlen(cases[i][0]), cases[i][1]);
	refuse("{\0}", 3, "1:2: is no JSON: string or '}' expected near end of file");
}

/* An address that no host can have is none. */
Test(instances, martians)
{
	struct instances instances;

	expect(ECS("{\"InstanceId\":\"a\",\"PublicIpAddress\":{\"IpAddress\":[\"127.0.0.1\","
		   "\"224.0.0.1\",\"0.0.0.0\"]}}"),
	       &instances);
	expect_addresses(&instances.list.items[0], false, "-", "-");
	instances_fini(&instances);
}

/* Every prefix of a page is refused, or is a page. */
Test(instances, truncated)
{
	for (size_t size = 0; size < sizeof(page) - 3; size++) {
		struct instances instances = {};
		struct err err = {};

		cr_assert_eq(parse(page, size, &instances, &err), -EINVAL, "%zu", size);
	}
}

Test(instances, bounds)
{
	_cleanup_(str_fini) struct str deep = {}, wide = {}, many = {};
	char *large = calloc(1, INSTANCES_SIZE_MAX + 1);
	struct instances instances = {};
	struct err err = {};

	for (int i = 0; i < 100000; i++)
		str_add(&deep, "[");
	refuse(deep.text, deep.size, "1:33: nested deeper than 32");
	str_add(&wide, "[0");
	for (int i = 0; i < INSTANCES_VALUES_MAX; i++)
		str_add(&wide, ",\n0");
	refuse(wide.text, wide.size, "1000000:2: more than 1000000 values; split the file");
	cr_assert(large);
	memset(large, ' ', INSTANCES_SIZE_MAX + 1);
	cr_expect_eq(instances_parse(large, INSTANCES_SIZE_MAX + 1, &instances, &err), -EINVAL);
	cr_expect_str_eq(err.text, "is larger than 16 MiB; split the file");
	free(large);
	str_add(&many, "{\"Instances\":{\"Instance\":[{\"InstanceId\":\"i\"}");
	for (int i = 1; i < INSTANCES_MAX; i++)
		str_add(&many, ",{\"InstanceId\":\"i%d\"}", i);
	str_add(&many, "]}}");
	expect(many.text, &instances);
	cr_expect_eq(instances.list.count, INSTANCES_MAX);
	cr_expect(instances_find(&instances, TYPE_ECS, "i19999"));
	instances_fini(&instances);
	str_add(&many, "{\"Instances\":{\"Instance\":[{\"InstanceId\":\"more\"}]}}");
	refuse(many.text, many.size, "more than 20000 instances; split the file");
}
