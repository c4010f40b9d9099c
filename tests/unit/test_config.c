// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the text of a configuration is read as the schema says. Every wrong value gets one error
 * at its first character, which says what is allowed; nothing else is said because of it.
 */
#include "config/support.h"

#include "config/schema.h"

/* The value under test stands for '$'. */
#define LISTENER_KEYS(protocol, port, more, endpoints)                                             \
	"version: 1\nlisteners:\n  - name: a\n    protocol: " protocol                             \
	"\n    address: 192.0.2.1\n    port: " port "\n" more                                      \
	"    endpoint_groups: [{ name: g, endpoints: [" endpoints "] }]\n"

#define AT_PORT	       LISTENER_KEYS("tcp", "$", "", "10.0.0.1")
#define AT_PROTOCOL    LISTENER_KEYS("$", "80", "", "10.0.0.1")
#define AT_MODE	       LISTENER_KEYS("tcp", "80", "    mode: $\n", "10.0.0.1")
#define AT_TIMEOUT     LISTENER_KEYS("tcp", "80", "    idle_timeout: $\n", "10.0.0.1")
#define AT_UDP_TIMEOUT LISTENER_KEYS("udp", "80", "    idle_timeout: $\n", "10.0.0.1")
#define AT_ENDPOINT    LISTENER_KEYS("tcp", "80", "", "$")
#define AT_WEIGHT      LISTENER_KEYS("tcp", "80", "", "10.0.0.9, { address: 10.0.0.1, weight: $ }")
#define AT_ADDRESS     LISTENER_KEYS("tcp", "80", "", "{ address: $ }")
#define AT_EP_NAME     LISTENER_KEYS("tcp", "80", "", "{ address: 10.0.0.1, name: $ }")
#define AT_EP_PORT     LISTENER_KEYS("tcp", "80", "", "{ address: 10.0.0.1, port: $ }")
#define AT_EP_TYPE     LISTENER_KEYS("tcp", "80", "", "{ address: 10.0.0.1, type: $ }")
#define AT_SEED	       "version: 1\nhash_seed: $\n"
#define AT_ANSWERS     "version: 1\nanswers_per_second: $\n"
#define AT_STEAL       "version: 1\nsteal_ports: $\n"
#define AT_VERSION     "version: $\n"
#define AT_REGION      "version: 1\nnode: { region: $ }\n"
#define AT_IF	       "version: 1\ninterfaces: [$]\n"
#define AT_SNAT	       "version: 1\nsnat: $\n"
#define AT_SOURCE      "version: 1\ntunnel_source: $\n"
#define AT_GUE_PORT    LISTENER_KEYS("tcp", "80", "    mode: gue\n    gue_port: $\n", "10.0.0.1")
#define AT_EP_MODE     LISTENER_KEYS("tcp", "80", "", "{ address: 10.0.0.1, mode: $ }")

#define NUMBER_1       "a whole number in plain digits"

struct value_case {
	const char *text;
	const char *value;
	const char *message; /* NULL: it is right */
	unsigned skip;	     /* characters of the value before the marked one */
};

static char *put_value(const char *text, const char *value)
{
	const char *at = strchr(text, '$');
	struct str out = {};

	str_add(&out, "%.*s%s%s", (int)(at - text), text, value, at + 1);
	return str_take(&out);
}

static void try_value(const struct value_case *c)
{
	_cleanup_(freep) char *text = put_value(c->text, c->value);
	_cleanup_(str_fini) struct str wanted = {};
	unsigned line = 1, column = 1 + c->skip;

	for (const char *at = c->text; *at != '$'; at++) {
		line += *at == '\n';
		column = *at == '\n' ? 1 + c->skip : column + 1;
	}
	str_add(&wanted, "%s", "");
	if (c->message)
		str_add(&wanted, "%u:%u error %s\n", line, column, c->message);
	support_expect(text, strlen(text), wanted.text);
}

#define TRY_ALL(cases)                                                                             \
	for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++)                            \
	try_value(&(cases)[i])

Test(config, numbers)
{
	static const struct value_case cases[] = {
		{ AT_WEIGHT, "0" },
		{ AT_WEIGHT, "255" },
		{ AT_WEIGHT, "\"100\"" },
		{ AT_WEIGHT, "256", "weight '256' is out of range; allowed: 0 to 255" },
		{ AT_WEIGHT, "-1", "weight '-1' is out of range; allowed: 0 to 255" },
		{ AT_WEIGHT, "99999999999999999999999999",
		  "weight '99999999999999999999999999' is out of range; allowed: 0 to 255" },
		{ AT_WEIGHT, "1e2", "weight '1e2' is not " NUMBER_1 "; allowed: 0 to 255" },
		{ AT_WEIGHT, "+1", "weight '+1' is not " NUMBER_1 "; allowed: 0 to 255" },
		{ AT_WEIGHT, "1.0", "weight '1.0' is not " NUMBER_1 "; allowed: 0 to 255" },
		{ AT_WEIGHT, "--1", "weight '--1' is not " NUMBER_1 "; allowed: 0 to 255" },
		{ AT_WEIGHT, "[1]", "expected one value for weight, not a list" },
		{ AT_WEIGHT, "{ a: 1 }", "expected one value for weight, not a mapping" },
		{ AT_EP_PORT, "80abc", "port '80abc' is not " NUMBER_1 "; allowed: 1 to 65535" },
		{ AT_EP_PORT, "0x50", "port '0x50' is not " NUMBER_1 "; allowed: 1 to 65535" },
		{ AT_EP_PORT, "65536", "port '65536' is out of range; allowed: 1 to 65535" },
		{ AT_EP_PORT, "0", "port '0' is out of range; allowed: 1 to 65535" },
		{ AT_EP_PORT, "\"\"", "port has no value; allowed: 1 to 65535" },
		{ AT_EP_PORT, "\" 80\"", "port ' 80' is not " NUMBER_1 "; allowed: 1 to 65535" },
		{ AT_EP_PORT, "080",
		  "port '080': write the number without a leading 0; allowed: 1 to 65535" },
		{ AT_SEED, "4294967295" },
		{ AT_SEED, "4294967296",
		  "hash_seed '4294967296' is out of range; allowed: 0 to 4294967295" },
		{ AT_ANSWERS, "0" },
		{ AT_ANSWERS, "1000000" },
		{ AT_ANSWERS, "1000001",
		  "answers_per_second '1000001' is out of range; allowed: 0 to 1000000" },
		{ AT_VERSION, "2", "version '2' is out of range; allowed: 1" },
		{ AT_VERSION, "one", "version 'one' is not " NUMBER_1 "; allowed: 1" },
	};

	TRY_ALL(cases);
}

Test(config, ports)
{
	static const struct value_case cases[] = {
		{ AT_PORT, "80" },
		{ AT_PORT, "80,443,7000-7099" },
		{ AT_PORT, "\"80, 443\"" },
		{ AT_PORT, "[80, \"443,8080\", 7000-7099]" },
		{ AT_PORT, "37-65535" },
		{ AT_PORT, "65536", "port '65536' is out of range; allowed: 1 to 65535" },
		{ AT_PORT, "-1", "port '-1' is out of range; allowed: 1 to 65535" },
		{ AT_PORT, "1e9", "port '1e9' is not " NUMBER_1 "; allowed: 1 to 65535" },
		{ AT_PORT, "\" 80\"", "port ' 80' is not " NUMBER_1 "; allowed: 1 to 65535", 1 },
		{ AT_PORT, "\"80,\"", "port has no value; allowed: 1 to 65535", 4 },
		{ AT_PORT, "80,x,443", "port 'x' is not " NUMBER_1 "; allowed: 1 to 65535", 3 },
		{ AT_PORT, "80,7-x",
		  "port '7-x' is not a port or a range like 7000-7099; allowed: 1 to 65535", 3 },
		{ AT_PORT, "0-7", "port '0-7' is out of range; allowed: 1 to 65535" },
		{ AT_PORT, "7-70000", "port '7-70000' is out of range; allowed: 1 to 65535" },
		{ AT_PORT, "9-7",
		  "port range '9-7' ends before it begins; write the smaller port first" },
		{ AT_PORT, "80,443,80", "port 80 is given twice in this listener", 7 },
		{ AT_PORT, "70-90,80", "port 80 is given twice in this listener", 6 },
		{ AT_PORT, "80,70-90", "port 80 is given twice in this listener", 3 },
		{ AT_PORT, "[]", "port is empty; at least 1 needed" },
		{ AT_PORT, "[[80]]", "expected one value for port, not a list", 1 },
		{ AT_PORT, "{ a: b }", "expected a list for port; begin each item with '- '" },
	};

	TRY_ALL(cases);
}

Test(config, durations)
{
	static const struct value_case cases[] = {
		{ AT_TIMEOUT, "1" },
		{ AT_TIMEOUT, "2s" },
		{ AT_TIMEOUT, "2000ms" },
		{ AT_TIMEOUT, "10m" },
		{ AT_TIMEOUT, "24h" },
		{ AT_TIMEOUT, "25h", "idle_timeout '25h' is out of range; allowed: 1s to 1d" },
		{ AT_TIMEOUT, "0", "idle_timeout '0' is out of range; allowed: 1s to 1d" },
		{ AT_TIMEOUT, "500ms",
		  "idle_timeout '500ms' is not in whole seconds; allowed: 1s to 1d" },
		{ AT_TIMEOUT, "99999999999999999h",
		  "idle_timeout '99999999999999999h' is out of range; allowed: 1s to 1d" },
		{ AT_TIMEOUT, "1d" },
		{ AT_TIMEOUT, "2d", "idle_timeout '2d' is out of range; allowed: 1s to 1d" },
		{ AT_TIMEOUT, "1w",
		  "idle_timeout '1w' is not a duration like 500ms, 2s, 10m, 1h or 1d; allowed: 1s "
		  "to 1d" },
		{ AT_TIMEOUT, "1.5s",
		  "idle_timeout '1.5s' is not a duration like 500ms, 2s, 10m, 1h or 1d; allowed: "
		  "1s "
		  "to 1d" },
		{ AT_TIMEOUT, "s",
		  "idle_timeout 's' is not a duration like 500ms, 2s, 10m, 1h or 1d; allowed: 1s "
		  "to "
		  "1d" },
		{ AT_UDP_TIMEOUT, "1h" },
	};

	TRY_ALL(cases);
}

Test(config, words)
{
	static const struct value_case cases[] = {
		{ AT_STEAL, "true" },
		{ AT_STEAL, "yes", "steal_ports 'yes' must be true or false" },
		{ AT_STEAL, "\"\"", "steal_ports has no value" },
		{ AT_PROTOCOL, "quic", "unknown protocol 'quic'; allowed: tcp, udp, http, https" },
		{ AT_PROTOCOL, "tpc",
		  "unknown protocol 'tpc'; did you mean 'tcp'? allowed: tcp, udp, http, https" },
		{ AT_PROTOCOL, "TCP",
		  "unknown protocol 'TCP'; did you mean 'tcp'? allowed: tcp, udp, http, https" },
		{ AT_PROTOCOL, "\"\"", "protocol has no value; allowed: tcp, udp, http, https" },
		{ AT_MODE, "dsr" },
		{ AT_MODE, "vxlan", "unknown mode 'vxlan'; allowed: nat, dsr, ipip, gue" },
		{ AT_MODE, "ipip" },
		{ AT_MODE, "gue" },
		{ AT_EP_MODE, "dsr" },
		{ AT_EP_MODE, "gue" },
		{ AT_EP_MODE, "dsrr",
		  "unknown mode 'dsrr'; did you mean 'dsr'? allowed: nat, dsr, ipip, gue" },
		{ AT_EP_MODE, "\"\"", "mode has no value; allowed: nat, dsr, ipip, gue" },
		{ AT_EP_TYPE, "custom_ip" },
		{ AT_EP_TYPE, "public_ip" },
		{ AT_EP_TYPE, "costum_ip",
		  "unknown type 'costum_ip'; did you mean 'custom_ip'? allowed: custom_ip, "
		  "public_ip, custom_domain, ecs, slb" },
		{ AT_EP_NAME, "a" },
		{ AT_EP_NAME, "Null.x_y-9" },
		{ AT_EP_NAME, "a23456789012345678901234567890123456789012345678901234567890123" },
		{ AT_EP_NAME, "a234567890123456789012345678901234567890123456789012345678901234",
		  "name 'a234567890123456789012345678901234567890...' must begin with a letter "
		  "and go on with letters, digits, '.', '_' or '-', at most 63 in all" },
		{ AT_REGION, "9a",
		  "region '9a' must begin with a letter and go on with letters, digits, '.', '_' "
		  "or '-', at most 63 in all" },
		{ AT_IF, "eth0.100" },
		{ AT_IF, "a234567890123456",
		  "'a234567890123456' is not a name of an interface: at most 15 characters, "
		  "without blanks, '/' and ':'" },
		{ AT_IF, "a/b",
		  "'a/b' is not a name of an interface: at most 15 characters, without blanks, "
		  "'/' and ':'" },
		{ AT_IF, "eth0, eth1, eth0", "interface 'eth0' is given twice; first in line 2",
		  12 },
	};

	TRY_ALL(cases);
}

#define MARTIAN " cannot be used: it is an unspecified, loopback, multicast or broadcast address"

Test(config, addresses)
{
	static const struct value_case cases[] = {
		{ AT_SNAT, "198.51.100.1" },
		{ AT_SNAT, "[198.51.100.1, 2001:db8::1]" },
		{ AT_SNAT, "[]" },
		{ AT_SNAT, "[198.51.100.1, 198.51.100.2, 198.51.100.1]",
		  "snat address '198.51.100.1' is given twice; first in line 2", 29 },
		{ AT_SNAT, "0.0.0.0", "snat '0.0.0.0'" MARTIAN },
		{ AT_ADDRESS, "127.0.0.1", "address '127.0.0.1'" MARTIAN },
		{ AT_ADDRESS, "224.0.0.1", "address '224.0.0.1'" MARTIAN },
		{ AT_ADDRESS, "255.255.255.255", "address '255.255.255.255'" MARTIAN },
		{ AT_ADDRESS, "010.0.0.1",
		  "address '010.0.0.1' is neither an IP address nor a name in DNS" },
		{ AT_ADDRESS, "10.0.0.1:80",
		  "address '10.0.0.1:80' is not an IP address; write a port under 'port:'" },
		{ AT_ADDRESS, "10.0.0.0/24",
		  "address '10.0.0.0/24' is not an IP address; write a single address, not a "
		  "prefix" },
		{ AT_ADDRESS, "\"[2001:db8::1]:80\"",
		  "address '[2001:db8::1]:80' is not an IP address; write it without brackets, "
		  "and a port under 'port:'" },
		{ AT_ADDRESS, "origin.example.com" },
		{ AT_SNAT, "origin.example.com",
		  "snat 'origin.example.com' is not an IP address; a name cannot stand here, an IP "
		  "address is needed" },
		{ AT_ADDRESS, "fe80::1%eth0",
		  "address 'fe80::1%eth0' is not an IP address; an address with a zone cannot be "
		  "used" },
	};

	TRY_ALL(cases);
}

Test(config, prefixes)
{
	static const struct value_case cases[] = {
		{ AT_SOURCE, "198.51.100.1" },
		{ AT_SOURCE, "198.51.100.0/24" },
		{ AT_SOURCE, "[198.51.100.1/32, 2001:db8::/64]" },
		{ AT_SOURCE, "[]" },
		{ AT_SOURCE, "198.51.100.1/24",
		  "'198.51.100.1/24' has bits beyond the prefix; write "
		  "198.51.100.0/24, or the address alone" },
		{ AT_SOURCE, "198.51.100.0/33",
		  "'198.51.100.0/33' is neither a prefix like 192.0.2.0/24 nor an IP address" },
		{ AT_SOURCE, "lb1",
		  "'lb1' is neither a prefix like 192.0.2.0/24 nor an IP address" },
		{ AT_SOURCE, "0.0.0.0/0", "tunnel_source '0.0.0.0/0'" MARTIAN },
		{ AT_SOURCE, "ff00::/8", "tunnel_source 'ff00::/8'" MARTIAN },
		{ AT_SOURCE, "[10.0.0.1, 10.1.0.0/16]",
		  "tunnel_source has IPv4 already, '10.0.0.1'; it takes one per family, a prefix "
		  "where they are many",
		  11 },
		{ AT_SOURCE, "[10.0.0.1, 2001:db8::1, 2001:db8::/64]",
		  "tunnel_source has IPv6 already, '2001:db8::1'; it takes one per family, a "
		  "prefix "
		  "where they are many",
		  24 },
		{ AT_GUE_PORT, "7000" },
		{ AT_GUE_PORT, "0", "gue_port '0' is out of range; allowed: 1 to 65535" },
	};

	TRY_ALL(cases);
}

Test(config, endpoints_on_one_line)
{
	static const struct value_case cases[] = {
		{ AT_ENDPOINT, "10.0.0.1" },
		{ AT_ENDPOINT, "10.0.0.1:80" },
		{ AT_ENDPOINT, "10.0.0.1:80 weight 5" },
		{ AT_ENDPOINT, "10.0.0.1   weight \t 5" },
		{ AT_ENDPOINT, "10.0.0.2, \"10.0.0.1:80 weight 5x\"",
		  "weight '5x' is not " NUMBER_1 "; allowed: 0 to 255", 30 },
		{ AT_ENDPOINT, "10.0.0.1:99999",
		  "port '99999' is out of range; allowed: 1 to 65535", 9 },
		{ AT_ENDPOINT, "\"10.0.0.1:\"", "port has no value; allowed: 1 to 65535", 10 },
		{ AT_ENDPOINT, "10.0.0.1 wieght 5",
		  "'wieght' is not understood; an endpoint is HOST[:PORT] [weight N]", 9 },
		{ AT_ENDPOINT, "10.0.0.1 weight", "weight has no value; allowed: 0 to 255", 15 },
		{ AT_ENDPOINT, "10.0.0.1 weight 5 6",
		  "'6' is not understood; nothing can follow the weight", 18 },
		{ AT_ENDPOINT, "\"[10.0.0.1]:80\"",
		  "brackets hold an IPv6 address, as in \"[2001:db8::1]:80\"", 1 },
		{ AT_ENDPOINT, "\"[2001:db8::1]80\"", "after ']' only :PORT can follow", 1 },
		{ AT_ENDPOINT, "\"[2001:db8::1\"",
		  "brackets hold an IPv6 address, as in \"[2001:db8::1]:80\"", 1 },
		{ AT_ENDPOINT, "a..example.com:80",
		  "address 'a..example.com' is neither an IP address nor a name in DNS" },
		{ AT_ENDPOINT, "10.0.0.300:80",
		  "address '10.0.0.300' is neither an IP address nor a name in DNS" },
		{ AT_ENDPOINT, "\":80\"", "address has no value", 1 },
		{ AT_ENDPOINT, "\"\\x31\\x30.0.0.1:0\"",
		  "port '0' is out of range; allowed: 1 to 65535" },
		{ AT_ENDPOINT, "10.0.0.1: 80",
		  "'10.0.0.1:' reads as a key; write HOST:PORT without a blank, and quote a value "
		  "that ends with ':'" },
		{ AT_ENDPOINT, "[2001:db8::1]:80",
		  "a value that begins with '[' is a list in YAML; quote it, as in "
		  "\"[2001:db8::1]:80\"" },
		{ AT_ENDPOINT, "*.example.com",
		  "a value that begins with '*' is an alias in YAML; quote it: \"*.example.com\"" },
		{ AT_ENDPOINT, "*foo",
		  "a value that begins with '*' is an alias in YAML, which is not supported; quote "
		  "it: \"*foo\"" },
	};

	TRY_ALL(cases);
}

/* Keys: unknown, missing, twice, and what is no key at all. */
Test(config, keys)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "version: 1\n", "" },
		{ "node: { name: a }\n",
		  "1:1 error missing key 'version' (version of the grammar)\n" },
		{ "vesrion: 1\n", "1:1 error unknown key 'vesrion'; did you mean 'version'?\n" },
		{ "Version: 1\n", "1:1 error unknown key 'Version'; did you mean 'version'?\n" },
		{ "version: 1\nnode:\n  region: a\n  nmae: b\n  shoe_size: 43\n",
		  "4:3 error unknown key 'nmae'; did you mean 'name'?\n"
		  "5:3 error unknown key 'shoe_size'; a node has: name, region\n" },
		{ "version: 1\nnode: {}\nversion: 1\n",
		  "3:1 error key 'version' is given twice; first in line 1\n" },
		{ "version: 1\nnode: a\n",
		  "2:7 error expected a mapping with the keys of a node: name, region\n" },
		{ "version: 1\nlisteners:\n",
		  "2:1 error listeners has no value; expected a list\n" },
		{ "version: 1\nlisteners: { name: a }\n",
		  "2:12 error expected a list for listeners; begin each item with '- '\n" },
		{ "version: 1\n[a]: b\n",
		  "2:1 error a value that begins with '[' is a list in YAML; quote it, as in "
		  "\"[2001:db8::1]:80\"\n" },
		{ "version: 1\n? { a: b }\n: c\n",
		  "2:3 error a key must be a word; quote a value that begins with ':', '?', '[' or "
		  "'{'\n" },
		{ "hello\n",
		  "1:1 error expected a mapping with the keys of a configuration: version, "
		  "node, interfaces, snat, nameservers, inventory, tunnel_source, steal_ports, "
		  "hash_seed, "
		  "nat_flows, "
		  "recorded_flows, answers_per_second, limits, acls, regions, client_regions, "
		  "metrics, access_log, "
		  "listeners\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		support_expect(cases[i].text, strlen(cases[i].text), cases[i].wanted);
}

/* libyaml stops at the first syntax error; what came before is still reported, what would only
 * follow from it is not. */
Test(config, syntax_errors)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "version: 1\nnode: { nmae: a }\ninterfaces:\n  - a\n b\n",
		  "2:9 error unknown key 'nmae'; did you mean 'name'?\n"
		  "5:2 error this line does not fit the mapping before it; begin all its keys in "
		  "one column, and quote a value that begins with '[', '{', '\"' or \"'\"\n" },
		{ "version: 1\nnode:\n  region: a\n  name\nsnat: []\n",
		  "4:3 error a key must be followed by ': ' and its value\n" },
		{ "listeners:\n  - name: a\n   protocol: tcp\n",
		  "3:4 error this line does not fit the list before it; begin all its items with "
		  "'- ' in one column\n" },
		{ "version: 1\nnode: { name: a\n",
		  "2:7 error this '{' is not closed, or a ',' is missing\n" },
		{ "version: 1\ninterfaces: [a\n",
		  "2:13 error this '[' is not closed, or a ',' is missing\n" },
		{ "version: \"1\n", "1:10 error the quote that begins here is not closed\n" },
		{ "version: 1\n\tnode: a\n", "2:1 error use blanks for indentation, not tabs\n" },
		{ "version: @1\n", "1:10 error a value cannot begin with '@'; quote it\n" },
		{ "version: \"\\q\"\n",
		  "1:11 error unknown escape in a text in double quotes; use single quotes, or "
		  "'\\\\' for a backslash\n" },
		{ "version: a: b\n",
		  "1:11 error unexpected ':'; indent a key like its siblings, and quote a value "
		  "that has ': ' in it or ends with ':'\n" },
		{ "version: 1\ninterfaces:\n  - [2001:db8::1]:80\n",
		  "3:5 error a value that begins with '[' is a list in YAML; quote it: "
		  "\"[2001:db8::1]:80\"\n" },
		{ "version: 1\nnode: { name: ~^/v[0-9]+/, region: a }\n",
		  "2:15 error within brackets YAML ends a value at '['; quote it: "
		  "'~^/v[0-9]+/'\n" },
		{ "version: 1\nnode: {name: /x${path}}\n",
		  "2:14 error within brackets YAML ends a value at '{'; quote it: '/x${path}}'\n" },
		{ "version: 1\ninterfaces: [ab{2},c]\n",
		  "2:14 error within brackets YAML ends a value at '{'; quote it: 'ab{2},c]'\n" },
		{ "version: 1\ninterfaces: [a [b], c]\n",
		  "2:13 error this '[' is not closed, or a ',' is missing\n" },
		{ "version: 1\nsnat: [::1]\n",
		  "2:8 error a value is missing here; close every '[' and '{', and quote a value "
		  "that begins with ':'\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		support_expect(cases[i].text, strlen(cases[i].text), cases[i].wanted);
}

/* The manual and the messages are made of the table: each line of it must be complete. */
static void check_object(const struct schema_object *object)
{
	for (size_t i = 0; i < object->count; i++) {
		const struct schema_key *key = &object->keys[i];
		bool nested = key->type == SCHEMA_OBJECT || key->type == SCHEMA_ENDPOINT ||
			      key->type == SCHEMA_MAP;
		bool ranged = key->type == SCHEMA_NUMBER || key->type == SCHEMA_DURATION;

		cr_assert(key->name && key->help && *key->help, "%s %zu", object->name, i);
		cr_expect_eq(nested, key->object != NULL, "%s", key->name);
		cr_expect_eq(key->type == SCHEMA_CHOICE, key->choices != NULL, "%s", key->name);
		cr_expect(!ranged || key->min <= key->max, "%s", key->name);
		cr_expect(!(key->flags & SCHEMA_REQUIRED) || !key->absent, "%s", key->name);
		for (size_t j = 0; j < i; j++)
			cr_expect(strcmp(key->name, object->keys[j].name), "%s", key->name);
		if (key->object)
			check_object(key->object);
	}
}

Test(config, schema_is_complete)
{
	check_object(schema_root.object);
}
