// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: values that contradict each other are found, inside a listener and between listeners; each
 * contradiction is reported once, at the later place, and nothing follows from what is wrong
 * already.
 */
#include "config/support.h"

struct text_case {
	const char *text;
	const char *wanted;
};

#define TRY_ALL(cases)                                                                             \
	for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++)                            \
	support_expect((cases)[i].text, strlen((cases)[i].text), (cases)[i].wanted)

#define LISTENER(name, protocol, address, port, more, endpoints)                                   \
	"  - { name: " name ", protocol: " protocol ", address: " address ", port: " port          \
	",\n      " more "\n"                                                                      \
	"      endpoint_groups: [{ name: g, endpoints: [" endpoints "] }] }\n"
#define HEAD "version: 1\nlisteners:\n"

/* Lines of the n-th listener: 3n, 3n + 1 (`more`), 3n + 2 (endpoints, from column 48). */
#define TCP(name, address, port, endpoints) LISTENER(name, "tcp", address, port, "", endpoints)
#define UDP(name, address, port, endpoints) LISTENER(name, "udp", address, port, "", endpoints)
#define DSR(name, address, port, endpoints)                                                        \
	LISTENER(name, "tcp", address, port, "mode: dsr,", endpoints)

Test(config_check, names)
{
	static const struct text_case cases[] = {
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1")
			  TCP("a", "192.0.2.2", "80", "10.0.0.1"),
		  "6:13 error listener name 'a' is given twice; first in line 3\n" },
		/* An endpoint's own name counts, its address may come again with another port. */
		{ HEAD TCP("a", "192.0.2.1", "80",
			   "{ address: 10.0.0.1, port: 1, name: x }, { address: 10.0.0.1, name: x "
			   "}, "
			   "10.0.0.1:2"),
		  "5:116 error endpoint name 'x' is given twice; first in line 5\n" },
		{ HEAD TCP("a", "[192.0.2.1, 192.0.2.1]", "80", "10.0.0.1"),
		  "3:52 error address '192.0.2.1' is given twice; first in line 3\n" },
	};

	TRY_ALL(cases);
}

Test(config_check, endpoints_twice)
{
	static const struct text_case cases[] = {
		{ HEAD TCP("a", "192.0.2.1", "80",
			   "10.0.0.1:8080, 10.0.0.1, 10.0.0.1:8080 weight 5"),
		  "5:73 error endpoint '10.0.0.1:8080' is given twice; first in line 5\n" },
		/* No port means the listener's, if it has only one. */
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1:80, 10.0.0.1"),
		  "5:61 error endpoint '10.0.0.1:80' is given twice; first in line 5\n" },
		{ HEAD TCP("a", "192.0.2.1", "\"80,81\"", "10.0.0.1:80, 10.0.0.1"), "" },
		/* The port is not known, so neither is the endpoint. */
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1, 10.0.0.1:x"),
		  "5:67 error port 'x' is not a whole number in plain digits; allowed: 1 to "
		  "65535\n" },
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1, { address: 10.0.0.1, prot: 81 }"),
		  "5:79 error unknown key 'prot'; did you mean 'port'?\n" },
	};

	TRY_ALL(cases);
}

/* A health check could not ask it, and a route to it is chance. */
Test(config_check, link_local)
{
	static const struct text_case cases[] = {
		{ HEAD TCP("a", "'2001:db8::1'", "80", "'fe80::1', 'fec0::1'"),
		  "5:49 error address 'fe80::1' is link-local: it does not say on which "
		  "interface; name another one of the endpoint\n" },
		{ HEAD TCP("a", "'2001:db8::1'", "80", "'[fec0::2]:8080', '[fe7f::1]:80'"), "" },
	};

	TRY_ALL(cases);
}

Test(config_check, dsr)
{
	static const struct text_case cases[] = {
		{ HEAD DSR("a", "192.0.2.1", "80", "10.0.0.1, 10.0.0.2:80"), "" },
		{ HEAD DSR("a", "192.0.2.1", "80", "10.0.0.1:81"),
		  "5:57 error with mode dsr the endpoint gets the listener's port 80; leave the "
		  "port out\n" },
		{ HEAD DSR("a", "192.0.2.1", "\"80,81\"", "10.0.0.1:81"),
		  "5:57 error with mode dsr the endpoint gets the listener's port; leave the port "
		  "out\n" },
		{ HEAD DSR("a", "192.0.2.1", "80-81", "10.0.0.1:81"),
		  "5:57 error with mode dsr the endpoint gets the listener's port; leave the port "
		  "out\n" },
		/* The listener's port is wrong, so nobody knows. */
		{ HEAD DSR("a", "192.0.2.1", "\"80,x\"", "10.0.0.1:81"),
		  "3:61 error port 'x' is not a whole number in plain digits; allowed: 1 to "
		  "65535\n" },
		{ HEAD DSR("a", "192.0.2.1", "80", "10.0.0.1, 192.0.2.2")
			  TCP("b", "192.0.2.2", "443", "10.0.0.1"),
		  "5:58 error with mode dsr an endpoint needs an address of its own; this one is a "
		  "listener's\n" },
		{ HEAD LISTENER("a", "tcp", "192.0.2.1", "80", "mode: dsr, snat: 10.0.0.9,",
				"10.0.0.1"),
		  "4:24 warning snat has no effect: no endpoint has mode nat\n" },
	};

	TRY_ALL(cases);
}

#define MODE(mode, address, port, endpoints)                                                       \
	LISTENER("a", "tcp", address, port, "mode: " mode ",", endpoints)

Test(config_check, tunnels)
{
	static const struct text_case cases[] = {
		{ HEAD MODE("ipip", "192.0.2.1", "80", "10.0.0.1, 10.0.0.2:80"), "" },
		{ HEAD MODE("gue", "192.0.2.1", "80", "10.0.0.1:81"),
		  "5:57 error with mode gue the endpoint gets the listener's port 80; leave the "
		  "port out\n" },
		/* Either family serves either. */
		{ HEAD MODE("ipip", "[192.0.2.1, '2001:db8::1']", "80", "10.0.0.1"), "" },
		{ HEAD MODE("gue", "192.0.2.1", "80", "'2001:db8::2'"), "" },
		{ HEAD MODE("ipip", "192.0.2.1", "80", "10.0.0.1, 192.0.2.2")
			  TCP("b", "192.0.2.2", "443", "10.0.0.1"),
		  "5:58 error with mode ipip an endpoint needs an address of its own; this one "
		  "is a listener's\n" },
		{ HEAD MODE("ipip, tunnel_source: 10.0.0.9", "192.0.2.1", "80", "10.0.0.1"), "" },
		{ HEAD MODE("ipip, tunnel_source: 192.0.2.1", "192.0.2.1", "80", "10.0.0.1"),
		  "4:34 error the endpoints have 192.0.2.1 themselves, as it is a listener's, "
		  "and take nothing from it; name another tunnel_source\n" },
		{ HEAD MODE("ipip, tunnel_source: 192.0.2.0/24", "192.0.2.1", "80", "10.0.0.1"),
		  "4:34 error the endpoints have 192.0.2.1 themselves, as it is a listener's, "
		  "and take nothing from it; name another tunnel_source\n" },
		{ HEAD MODE("nat, tunnel_source: 10.0.0.9", "192.0.2.1", "80", "10.0.0.1"),
		  "4:33 warning tunnel_source has no effect: no endpoint has mode ipip or gue\n" },
		{ HEAD MODE("ipip, gue_port: 7000", "192.0.2.1", "80", "10.0.0.1"),
		  "4:29 warning gue_port has no effect: no endpoint has mode gue\n" },
	};

	TRY_ALL(cases);
}

/* An endpoint's own mode is what it is checked by. */
Test(config_check, modes_of_endpoints)
{
	static const struct text_case cases[] = {
		{ HEAD MODE("nat", "192.0.2.1", "80",
			    "10.0.0.1:81, { address: 10.0.0.2, mode: dsr }, { address: 10.0.0.3, "
			    "mode: gue }"),
		  "" },
		{ HEAD MODE("dsr", "192.0.2.1", "80",
			    "10.0.0.2, { address: 10.0.0.1, port: 81, mode: nat }"),
		  "" },
		{ HEAD MODE("nat", "192.0.2.1", "80",
			    "10.0.0.2, { address: 10.0.0.1, port: 81, mode: dsr }"),
		  "5:85 error with mode dsr the endpoint gets the listener's port 80; leave the "
		  "port out\n" },
		{ HEAD MODE("dsr, snat: 10.0.0.9, gue_port: 1", "192.0.2.1", "80",
			    "10.0.0.2, { address: 10.0.0.1, mode: nat }, { address: 10.0.0.3, "
			    "mode: gue }"),
		  "" },
		/* One of the other family is enough, if it is in a tunnel. */
		{ HEAD MODE("dsr", "[192.0.2.1, '2001:db8::1']", "80",
			    "10.0.0.1, { address: 10.0.0.2, mode: ipip }"),
		  "" },
		{ HEAD MODE("nat", "192.0.2.1", "80",
			    "{ address: 192.0.2.1, port: 81, mode: nat }, 10.0.0.1"),
		  "" },
		{ HEAD MODE("nat", "192.0.2.1", "80",
			    "{ address: 192.0.2.1, mode: gue }, 10.0.0.1"),
		  "5:59 error with mode gue an endpoint needs an address of its own; this one "
		  "is a listener's\n" },
		/* A mode that is not known entails nothing. */
		{ HEAD MODE("nat, gue_port: 1, snat: 10.0.0.8", "'2001:db8::1'", "80",
			    "{ address: 10.0.0.1, port: 81, mode: gou }"),
		  "5:85 error unknown mode 'gou'; allowed: nat, dsr, ipip, "
		  "gue\n" },
		{ HEAD MODE("gou", "'2001:db8::1'", "80", "10.0.0.1:81"),
		  "4:13 error unknown mode 'gou'; allowed: nat, dsr, ipip, "
		  "gue\n" },
	};

	TRY_ALL(cases);
}

Test(config_check, loops)
{
	static const struct text_case cases[] = {
		{ HEAD TCP("a", "192.0.2.1", "80", "192.0.2.1"),
		  "5:48 error this endpoint is listener 'a' itself: a loop\n" },
		{ HEAD TCP("a", "192.0.2.1", "80", "192.0.2.2:8080")
			  TCP("b", "192.0.2.2", "8000-8100", "10.0.0.1"),
		  "5:48 error this endpoint is listener 'b' itself: a loop\n" },
		{ HEAD TCP("a", "192.0.2.1", "\"80,8050\"", "192.0.2.2")
			  TCP("b", "192.0.2.2", "8000-8100", "10.0.0.1"),
		  "5:48 error this endpoint is listener 'b' itself: a loop\n" },
		/* Another port, another protocol, a port that is not known. */
		{ HEAD TCP("a", "192.0.2.1", "80", "192.0.2.1:81"), "" },
		{ HEAD TCP("a", "192.0.2.1", "80", "192.0.2.2:53")
			  UDP("b", "192.0.2.2", "53", "10.0.0.1"),
		  "" },
		{ HEAD TCP("a", "192.0.2.1", "80", "192.0.2.1:0"),
		  "5:58 error port '0' is out of range; allowed: 1 to 65535\n" },
	};

	TRY_ALL(cases);
}

Test(config_check, shared_ports)
{
	static const struct text_case cases[] = {
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1")
			  UDP("b", "192.0.2.1", "80", "10.0.0.1"),
		  "" },
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1")
			  TCP("b", "192.0.2.2", "80", "10.0.0.1"),
		  "" },
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1")
			  TCP("b", "192.0.2.1", "80", "10.0.0.1"),
		  "6:57 error TCP port 80 of 192.0.2.1 belongs to listener 'a'\n" },
		/* Once, though both addresses are shared. */
		{ HEAD UDP("a", "[192.0.2.1, 192.0.2.2]", "53", "10.0.0.1")
			  UDP("b", "[192.0.2.2, 192.0.2.1]", "53", "10.0.0.1"),
		  "6:70 error UDP port 53 of 192.0.2.1 belongs to listener 'a'\n" },
		/* Ranges; the first shared port is named. */
		{ HEAD TCP("a", "192.0.2.1", "90-99", "10.0.0.1")
			  TCP("b", "192.0.2.1", "\"70,80-92\"", "10.0.0.1"),
		  "6:61 error TCP port 90 of 192.0.2.1 belongs to listener 'a'\n" },
		/* A protocol or a name that is wrong. */
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1")
			  LISTENER("b", "sctp", "192.0.2.1", "80", "", "10.0.0.1"),
		  "6:26 error unknown protocol 'sctp'; allowed: tcp, udp, http, https\n" },
		{ HEAD TCP("9", "192.0.2.1", "80", "10.0.0.1")
			  TCP("b", "192.0.2.1", "80", "10.0.0.1"),
		  "3:13 error name '9' must begin with a letter and go on with letters, digits, "
		  "'.', '_' or '-', at most 63 in all\n"
		  "6:57 error TCP port 80 of 192.0.2.1 belongs to the listener of line 3\n" },
	};

	TRY_ALL(cases);
}

Test(config_check, families)
{
	static const struct text_case cases[] = {
		{ HEAD DSR("a", "[192.0.2.1, \"2001:db8::1\"]", "80", "10.0.0.1"),
		  "3:52 error 2001:db8::1 is IPv6, but no endpoint is\n" },
		{ HEAD DSR("a", "192.0.2.1", "80", "10.0.0.1, \"2001:db8::1\""),
		  "5:59 warning this endpoint gets no traffic: it is IPv6, but no address of the "
		  "listener is\n" },
		/* nat translates where there is no other way. */
		{ HEAD TCP("a", "[192.0.2.1, \"2001:db8::1\"]", "80", "10.0.0.1"), "" },
		{ HEAD TCP("a", "192.0.2.1", "80", "\"2001:db8::1\""), "" },
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1, \"2001:db8::1\""),
		  "5:59 warning this endpoint gets no traffic: it is IPv6, but no address of the "
		  "listener is\n" },
		/* The endpoint that is wrong may have been the one. */
		{ HEAD TCP("a", "[192.0.2.1, \"2001:db8::1\"]", "80", "10.0.0.1, 2001.db8.0.7"),
		  "5:58 error address '2001.db8.0.7' is neither an IP address nor a name in "
		  "DNS\n" },
	};

	TRY_ALL(cases);
}

Test(config_check, weights)
{
	static const struct text_case cases[] = {
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1 weight 0, 10.0.0.2 weight 0"),
		  "5:47 warning no endpoint has a weight above 0, so the group takes no new "
		  "flows\n" },
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1 weight 0, 10.0.0.2 weight 1"), "" },
		{ HEAD TCP("a", "192.0.2.1", "80", "10.0.0.1 weight 0, 10.0.0.2 weight x"),
		  "5:83 error weight 'x' is not a whole number in plain digits; allowed: 0 to "
		  "255\n" },
		{ HEAD TCP("a", "192.0.2.1", "80", ""),
		  "5:47 error endpoints is empty; at least 1 needed\n" },
		{ "version: 1\nlisteners:\n"
		  "  - name: a\n    protocol: tcp\n    address: 192.0.2.1\n    port: 80\n"
		  "    endpoint_groups:\n"
		  "      - { name: g, endpoints: 10.0.0.1 }\n"
		  "      - { name: h, region: r, endpoints: 10.0.0.2 }\n",
		  "" },
		{ "version: 1\nlisteners:\n"
		  "  - name: a\n    protocol: tcp\n    address: 192.0.2.1\n    port: 80\n"
		  "    endpoint_groups:\n"
		  "      - { name: g, endpoints: 10.0.0.1 }\n"
		  "      - { name: h, region: r, endpoints: \"10.0.0.1:80\" }\n",
		  "9:42 error endpoint '10.0.0.1:80' is given twice; first in line 8\n" },
	};

	TRY_ALL(cases);
}

/* Writes listeners of so many ports and endpoints each. */
static void add_listeners(struct str *out, unsigned count, unsigned ports, unsigned endpoints)
{
	str_add(out, HEAD);
	for (unsigned i = 0; i < count; i++) {
		str_add(out,
			"  - name: l%u\n    protocol: tcp\n    address: 10.%u.%u.%u\n"
			"    port: 1001-%u\n    endpoint_groups:\n      - name: g\n"
			"        endpoints:\n",
			i, 100 + i / 62500, i / 250 % 250, 1 + i % 250, 1000 + ports);
		for (unsigned j = 0; j < endpoints; j++)
			str_add(out, "          - 10.0.%u.%u\n", j / 250, 1 + j % 250);
	}
}

static void try_limit(unsigned count, unsigned ports, unsigned endpoints, const char *wanted)
{
	_cleanup_(str_fini) struct str text = {};

	add_listeners(&text, count, ports, endpoints);
	support_expect(text.text, text.size, wanted);
}

/* One listener of so many addresses and single ports. */
static void try_keys(unsigned addresses, unsigned ports, const char *wanted)
{
	_cleanup_(str_fini) struct str text = {};

	str_add(&text, HEAD "  - name: l\n    protocol: tcp\n    address:\n");
	for (unsigned i = 0; i < addresses; i++)
		str_add(&text, "      - 10.9.%u.%u\n", i / 250, 1 + i % 250);
	str_add(&text, "    port: \"1001");
	for (unsigned i = 1; i < ports; i++)
		str_add(&text, ",%u", 1001 + i);
	str_add(&text, "\"\n    endpoint_groups:\n      - name: g\n        endpoints: 10.0.0.1\n");
	support_expect(text.text, text.size, wanted);
}

Test(config_check, limits)
{
	/* Eight lines each, of which the port is the fourth. */
	try_keys(1024, 1023, "");
	try_keys(1024, 1024,
		 "1030:11 error the file has 1049600 keys (addresses x ports + addresses; a range "
		 "counts once); the data plane holds at most 1048576\n");
	try_limit(20, 60000, 1, "");
	try_limit(100001, 1, 1,
		  "800003:5 error 100001 listeners; limit listeners is 100000 (profile default), "
		  "and can be at most 100000\n");
	try_limit(513, 1, 1024,
		  "527882:11 error the file has 525312 endpoints; the data plane holds at most "
		  "524288\n");
	try_limit(1, 1, 1025,
		  "1034:13 error 1025 endpoints in a group; limit endpoints_per_group is 1024 "
		  "(profile default); to raise it: limits: { endpoints_per_group: 1025 }\n");
}

Test(config_check, snat_limit)
{
	_cleanup_(str_fini) struct str text = {};

	str_add(&text, "version: 1\nsnat:\n");
	for (unsigned i = 0; i < 255; i++)
		str_add(&text, "  - 10.1.0.%u\n", i);
	support_expect(text.text, text.size, "");
	str_add(&text, "  - 10.1.1.1\n");
	support_expect(text.text, text.size,
		       "258:5 error the file has 256 snat addresses; the data plane holds at most "
		       "255\n");
}
