// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: acls are read strictly, each mistake in them or in what listeners make of them is reported
 * once, at its place, with what to do; and what is right becomes the model that was meant.
 */
#include "config/support.h"

#define ACLS(list)     "version: 1\nacls: [" list "]\n"
#define PREFIXES(list) "version: 1\nacls: [{ name: a, prefixes: [" list "] }]\n"

static const char listener[] = "listeners:\n"
			       "  - { name: web, protocol: tcp, address: %s, port: 80,\n"
			       "      %s,\n"
			       "      endpoint_groups: [{ name: g, endpoints: [10.0.0.1%s] }] }\n";

static void try(const char *text, const char *wanted)
{
	support_expect(text, strlen(text), wanted);
}

/* `acls` on line 2, `access` in column 7 of line 5. */
static void try_listener(const char *acls, const char *address, const char *access,
			 const char *wanted)
{
	char text[2000];
	int size = snprintf(text, sizeof(text), "version: 1\nacls: [%s]\n", acls);

	snprintf(text + size, sizeof(text) - size, listener, address, access,
		 strchr(address, '[') ? ", 'fd00::1'" : "");
	try(text, wanted);
}

Test(config_access, prefixes)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ PREFIXES("10.0.0.0/8, 10.1.0.0/16, 192.0.2.1, 0.0.0.0/0, 127.0.0.0/8"), "" },
		{ PREFIXES("'::/0', '2001:db8::/32', 'fe80::/10', '::1'"), "" },
		{ PREFIXES(""), "" },
		{ PREFIXES("10.0.0.1/24"), "2:30 error '10.0.0.1/24' has bits beyond the prefix; "
					   "write 10.0.0.0/24, or the address alone\n" },
		{ PREFIXES("'2001:db8::1/32'"),
		  "2:30 error '2001:db8::1/32' has bits beyond the prefix; write 2001:db8::/32, or "
		  "the address alone\n" },
		{ PREFIXES("10.0.0.0/33"), "2:30 error '10.0.0.0/33' is neither a prefix like "
					   "192.0.2.0/24 nor an IP address\n" },
		{ PREFIXES("10.0.0.0/"), "2:30 error '10.0.0.0/' is neither a prefix like "
					 "192.0.2.0/24 nor an IP address\n" },
		{ PREFIXES("10.0.0/8"), "2:30 error '10.0.0/8' is neither a prefix like "
					"192.0.2.0/24 nor an IP address\n" },
		{ PREFIXES("'::ffff:10.0.0.0/104'"),
		  "2:30 error '::ffff:10.0.0.0/104' is neither a prefix like 192.0.2.0/24 nor an "
		  "IP address\n" },
		{ PREFIXES("10.0.0.0/8, 10.1.0.0/16, 10.0.0.0/8"),
		  "2:55 error prefix '10.0.0.0/8' is given twice; first in line 2\n" },
		{ PREFIXES("10.0.0.1, 10.0.0.1/32"),
		  "2:40 error prefix '10.0.0.1' is given twice; first in line 2\n" },
		{ PREFIXES("10.0.0.0/8, '2001:db8::/32', '2001:db9::/32'"),
		  "2:42 error 2001:db8::/32 is IPv6, but the prefixes before it are IPv4; make an "
		  "acl for each, a listener can name both\n" },
		/* One mistake, one message. */
		{ PREFIXES("x, '2001:db8::/32'"), "2:30 error 'x' is neither a prefix like "
						  "192.0.2.0/24 nor an IP address\n" },
		{ ACLS("{ name: a, prefixes: [] }, { name: a, prefixes: [] }"),
		  "2:43 error acl name 'a' is given twice; first in line 2\n" },
		{ ACLS("{ name: a }"), "2:8 error missing key 'prefixes' (its addresses, all of "
				       "one IP version: 192.0.2.0/24, 198.51.100.7)\n" },
		{ ACLS("{ name: a, prefix: [] }"),
		  "2:19 error unknown key 'prefix'; did you mean 'prefixes'?\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		try(cases[i].text, cases[i].wanted);
}

#define A4   "{ name: office, prefixes: [10.0.0.0/8] }"
#define A6   "{ name: office6, prefixes: ['2001:db8::/32'] }"
#define NONE "{ name: none, prefixes: [] }"
#define IP4  "192.0.2.1"
#define BOTH "[192.0.2.1, '2001:db8::1']"

Test(config_access, of_listeners)
{
	static const struct {
		const char *acls, *address, *access, *wanted;
	} cases[] = {
		{ A4 "," A6, BOTH, "allow: [office, office6]", "" },
		{ A4 "," A6, BOTH, "deny: [office, office6]", "" },
		{ A4 "," A6, BOTH, "deny: office6", "" },
		{ A4, IP4, "allow: office", "" },
		{ A4, IP4, "allow: offise",
		  "5:14 error there is no acl 'offise'; did you mean 'office'?\n" },
		{ A4, IP4, "deny: [office, bad]",
		  "5:22 error there is no acl 'bad'; name it under 'acls:'\n" },
		{ "", IP4, "allow: [a, b]",
		  "5:15 error there is no acl 'a'; name it under 'acls:'\n"
		  "5:18 error there is no acl 'b'; name it under 'acls:'\n" },
		{ A4, IP4, "allow: [office, office]", "5:23 error acl 'office' is given twice\n" },
		{ A4 "," NONE, IP4, "allow: office, deny: none",
		  "5:28 error a listener has either 'allow' or 'deny'; who is not allowed is "
		  "denied\n" },
		{ A4, IP4, "allow: []",
		  "5:14 error this lets nobody reach 192.0.2.1: no IPv4 address is in it; name an "
		  "acl that has some, or say 'allow_nobody: true'\n" },
		{ A4 "," NONE, IP4, "allow: none",
		  "5:14 error this lets nobody reach 192.0.2.1: no IPv4 address is in it; name an "
		  "acl that has some, or say 'allow_nobody: true'\n" },
		{ A4, BOTH, "allow: [office]",
		  "5:14 error this lets nobody reach 2001:db8::1: no IPv6 address is in it; name "
		  "an acl that has some, or say 'allow_nobody: true'\n" },
		{ A4, IP4, "allow: [], allow_nobody: true", "" },
		{ A4, BOTH, "allow: [office], allow_nobody: true", "" },
		{ A4, IP4, "deny: []", "" },
		{ A4, IP4, "deny: office, allow_nobody: true",
		  "5:35 warning allow_nobody has no effect without 'allow'\n" },
		/* Nothing follows from what is wrong already. */
		{ "{ name: a, prefixes: [x] }", IP4, "allow: a",
		  "2:30 error 'x' is neither a prefix like 192.0.2.0/24 nor an IP address\n" },
		{ "{ name: 1, prefixes: [10.0.0.0/8] }", IP4, "allow: a",
		  "2:16 error name '1' must begin with a letter and go on with letters, digits, "
		  "'.', '_' or '-', at most 63 in all\n" },
		{ A4, IP4, "allow: [offise, 1]",
		  "5:15 error there is no acl 'offise'; did you mean 'office'?\n"
		  "5:23 error allow '1' must begin with a letter and go on with letters, digits, "
		  "'.', '_' or '-', at most 63 in all\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		try_listener(cases[i].acls, cases[i].address, cases[i].access, cases[i].wanted);
}

Test(config_access, model)
{
	static const char text[] =
		"version: 1\n"
		"acls:\n"
		"  - { name: z, prefixes: 10.0.0.0/8 }\n"
		"  - { name: a, prefixes: ['2001:db8::/32', '2001:db8::1'] }\n"
		"  - { name: m, prefixes: [] }\n"
		"listeners:\n"
		"  - { name: l, protocol: udp, address: 192.0.2.1, port: 80, deny: [m, z, a],\n"
		"      endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n"
		"  - { name: k, protocol: tcp, address: 192.0.2.1, port: 80,\n"
		"      endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n";
	_cleanup_(model_freep) struct model *model = support_parse(text);
	const struct listener *one = &model->listeners.items[0], *two = one + 1;

	cr_assert_eq(model->acls.count, 3);
	cr_expect_str_eq(model->acls.items[0].name, "z");
	cr_expect_eq(model->acls.items[0].prefixes.items[0].bits, 96 + 8);
	cr_expect_eq(model->acls.items[1].prefixes.count, 2);
	cr_assert_eq(one->acls.count, 3);
	cr_expect(one->acls.items[0] == 2 && one->acls.items[1] == 0 && one->acls.items[2] == 1);
	cr_expect_eq(one->access, WEIR_ACCESS_DENY);
	cr_expect(two->access == WEIR_ACCESS_ALL && !two->acls.count && !two->allow_nobody);
}

/* The value is in column 29 of line 5. */
Test(config_access, new_flows_per_source)
{
	static const struct {
		const char *value;
		struct rate rate;
	} good[] = {
		{ "100/s", { 100, 1, 100 } },
		{ "30/m", { 30, 60, 30 } },
		{ "1/s burst 3600", { 1, 1, 3600 } },
		{ "7/m  burst  2", { 7, 60, 2 } },
		{ "1000000/s burst 1000000", { 1000000, 1, 1000000 } },
	};
	static const struct {
		const char *value, *error;
	} bad[] = {
		{ "100", "'100' is not a rate; write 100/s or 30/m, and perhaps how many may come "
			 "at once: 100/s burst 200" },
		{ "100/h", "'100/h' is not a rate; write 100/s or 30/m, and perhaps how many may "
			   "come at once: 100/s burst 200" },
		{ "100/s 200", "'100/s 200' is not a rate; write 100/s or 30/m, and perhaps how "
			       "many may come at once: 100/s burst 200" },
		{ "100/s burst", "'100/s burst' is not a rate; write 100/s or 30/m, and perhaps "
				 "how many may come at once: 100/s burst 200" },
		{ "100/sburst 2", "'100/sburst 2' is not a rate; write 100/s or 30/m, and perhaps "
				  "how many may come at once: 100/s burst 200" },
		{ "100/s burst 2x", "'100/s burst 2x' is not a rate; write 100/s or 30/m, and "
				    "perhaps how many may come at once: 100/s burst 200" },
		{ "/s", "'/s' is not a rate; write 100/s or 30/m, and perhaps how many may come at "
			"once: 100/s burst 200" },
		{ "0/s", "'0/s' is out of range; allowed: 1 to 1000000" },
		{ "1000001/s", "'1000001/s' is out of range; allowed: 1 to 1000000" },
		{ "1/s burst 0", "'1/s burst 0' is out of range; allowed: 1 to 1000000" },
		{ "01/s", "'01/s': write the number without a leading 0; allowed: 1 to 1000000" },
		{ "1/s burst 3601",
		  "'1/s burst 3601': a burst is at most what the rate lets through in an hour" },
		{ "1/m burst 61",
		  "'1/m burst 61': a burst is at most what the rate lets through in an hour" },
	};
	char text[1000], wanted[300], access[100];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		_cleanup_(model_freep) struct model *model = NULL;
		const struct rate *rate;

		snprintf(access, sizeof(access), "new_flows_per_source: %s", good[i].value);
		snprintf(text, sizeof(text), listener, IP4, access, "");
		memmove(text + 11, text, strlen(text) + 1);
		memcpy(text, "version: 1\n", 11);
		model = support_parse(text);
		rate = &model->listeners.items[0].new_flows_per_source;
		cr_expect(rate->count == good[i].rate.count && rate->burst == good[i].rate.burst &&
				  rate->seconds == good[i].rate.seconds,
			  "%s", good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(access, sizeof(access), "new_flows_per_source: %s", bad[i].value);
		snprintf(wanted, sizeof(wanted), "5:29 error new_flows_per_source %s\n",
			 bad[i].error);
		try_listener("", IP4, access, wanted);
	}
}

/* Where flows cannot be told: UDP without records. */
Test(config_access, limit_of_stateless_udp)
{
	static const char text[] =
		"version: 1\nlisteners:\n"
		"  - { name: l, protocol: udp, address: 192.0.2.1, port: 80, mode: %s,\n"
		"      new_flows_per_source: 5/s,\n"
		"      endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n";
	char out[500];

	snprintf(out, sizeof(out), text, "nat");
	try(out, "");
	snprintf(out, sizeof(out), text, "dsr");
	try(out,
	    "4:29 error new_flows_per_source cannot be kept here: UDP has no first packet, and "
	    "only mode nat has records to tell by; use mode: nat, or leave it out\n");
}
