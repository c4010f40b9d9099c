// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what differs between two configurations is told by object and key: what came, what went,
 * what it was and what it is; of lists, what they lost and got. What is written differently and
 * means the same is no difference.
 */
#include "config/support.h"

#include "config/diff.h"

#define WEB "version: 1\n" LISTENER
#define LISTENER                                                                                   \
	"listeners:\n"                                                                             \
	"  - { name: web, protocol: tcp, address: 192.0.2.1, port: 80, endpoint_groups: [\n"       \
	"      { name: main, endpoints: [\"10.0.0.1:80 weight 50\", \"10.0.0.2\"] } ] }\n"

/* "~ endpoint web/main/10.0.0.2 weight: 100 -> 50", a line per item. */
static void expect(const char *before, const char *after, const char *wanted)
{
	_cleanup_(model_freep) struct model *a = support_parse(before);
	_cleanup_(model_freep) struct model *b = support_parse(after);
	_cleanup_(diff_fini) struct diff diff = {};
	_cleanup_(freep) char *got = NULL;
	struct str out = {};

	cr_assert_eq(diff_models(a, b, &diff), 0);
	vec_foreach(item, &diff.items) {
		str_add(&out, "%c %s %s", "+-~"[item->kind], item -> object, item -> path);
		if (item->key)
			str_add(&out, " %s: %s %s %s", item->key, item->before ?: "(none)",
				item->list ? "=>" : "->", item->after ?: "(none)");
		else
			str_add(&out, ": %s", item->before ?: item->after);
		str_add(&out, "\n");
	}
	got = str_take(&out);
	cr_expect_str_eq(got, wanted, "got:\n%swanted:\n%s", got, wanted);
}

Test(diff, the_same_in_other_words)
{
	expect(WEB, WEB, "");
	expect(WEB,
	       "version: 1\nlisteners:\n"
	       "  - name: web\n    protocol: tcp\n    port: [80]\n    address: [192.0.2.1]\n"
	       "    idle_timeout: 15m\n    endpoint_groups:\n"
	       "      - { endpoints: [{ address: 10.0.0.1, port: 80, weight: 50 }, 10.0.0.2 weight "
	       "100], name: main }\n",
	       "");
}

Test(diff, keys)
{
	expect(WEB,
	       "version: 1\nhash_seed: 7\nnode: { name: lb1 }\nlisteners:\n"
	       "  - { name: web, protocol: tcp, address: 192.0.2.1, port: 80, idle_timeout: 60,\n"
	       "      endpoint_groups: [ { name: main, traffic_percentage: 50,\n"
	       "        health_check: { protocol: tcp },\n"
	       "        endpoints: [\"10.0.0.1:80 weight 50\", \"10.0.0.2 weight 50\"] } ] }\n",
	       "~ settings  node.name: (none) -> lb1\n"
	       "~ settings  hash_seed: 0 -> 7\n"
	       "~ listener web idle_timeout: 900s -> 60s\n"
	       "~ group web/main traffic_percentage: 100 -> 50\n"
	       "~ group web/main health_check.protocol: (none) -> tcp\n"
	       "~ group web/main health_check.interval: (none) -> 2s\n"
	       "~ group web/main health_check.threshold: (none) -> 3\n"
	       "~ group web/main health_check.timeout: (none) -> 3s\n"
	       "~ endpoint web/main/10.0.0.2 weight: 100 -> 50\n");
}

/* However it is written: with a mode of its own, an endpoint is printed at length. */
Test(diff, endpoints)
{
	expect(WEB,
	       "version: 1\nlisteners:\n"
	       "  - { name: web, protocol: tcp, address: 192.0.2.1, port: 80, endpoint_groups: [\n"
	       "      { name: main, endpoints: [{ address: 10.0.0.1, port: 80, weight: 50, \n"
	       "          mode: dsr }, \"[2001:db8::1]:80 weight 7\"] } ] }\n",
	       "- endpoint web/main/10.0.0.2: address 10.0.0.2, weight 100\n"
	       "~ endpoint web/main/10.0.0.1:80 mode: (none) -> dsr\n"
	       "+ endpoint web/main/[2001:db8::1]:80: address [2001:db8::1]:80, weight 7\n");
}

Test(diff, objects)
{
	expect("version: 1\nacls: [{ name: office, prefixes: [10.0.0.0/8, 10.2.0.0/16] }]\n"
	       "regions: [{ name: far, latencies: [{ region: near, latency: 9ms }] }]\n" LISTENER,
	       "version: 1\n",
	       "- region far: \n"
	       "- latency far/near: region near, latency 9ms\n"
	       "- acl office: prefixes [10.0.0.0/8, 10.2.0.0/16]\n"
	       "- listener web: protocol tcp, address [192.0.2.1], port 80, mode nat, vip route, "
	       "client_affinity none, idle_timeout 900s, gue_port 6080, fail_open false\n"
	       "- group web/main: region default, traffic_percentage 100\n"
	       "- endpoint web/main/10.0.0.1:80: address 10.0.0.1:80, weight 50\n"
	       "- endpoint web/main/10.0.0.2: address 10.0.0.2, weight 100\n");
}

Test(diff, lists)
{
	expect("version: 1\ninterfaces: [eth0, eth1]\n", "version: 1\ninterfaces: [eth1, eth2]\n",
	       "~ settings  interfaces: [eth0] => [eth2]\n");
	expect("version: 1\ninterfaces: [eth0, eth1]\n", "version: 1\ninterfaces: [eth1, eth0]\n",
	       "~ settings  interfaces: [eth0, eth1] -> [eth1, eth0]\n");
	expect("version: 1\ninterfaces: [eth0]\n", "version: 1\n",
	       "~ settings  interfaces: [eth0] -> (none)\n");
	expect("version: 1\nacls: [{ name: office, prefixes: [10.0.0.0/8, 10.2.0.0/16] }]\n",
	       "version: 1\nacls: [{ name: office, prefixes: [10.0.0.0/8, 10.3.0.0/16] },\n"
	       "  { name: home, prefixes: \"2001:db8::/32\" }]\n",
	       "~ acl office prefixes: [10.2.0.0/16] => [10.3.0.0/16]\n"
	       "+ acl home: prefixes [2001:db8::/32]\n");
}
