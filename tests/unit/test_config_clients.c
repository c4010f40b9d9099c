// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the file of client_regions becomes the prefixes and regions that were meant; every line
 * that cannot be is reported, each once and at its place, and nothing of such a file is taken.
 */
#include "config/support.h"

#include "config/clients.h"

static void expect(const char *text, size_t size, const char *wanted)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(clients_fini) struct clients clients = {};
	_cleanup_(freep) char *got = NULL;
	int r = clients_parse(text, size, &clients, &findings);

	got = support_findings(&findings);
	cr_expect_str_eq(got, wanted, "got:\n%swanted:\n%sof:\n%.*s", got, wanted,
			 (int)(size > 2000 ? 2000 : size), text);
	cr_expect_eq(r, findings.errors ? -EINVAL : 0);
	if (r)
		cr_expect_eq(clients.prefixes.count, 0);
}

static struct clients parse(const char *text)
{
	_cleanup_(findings_fini) struct findings findings = {};
	struct clients clients = {};

	cr_assert_eq(clients_parse(text, strlen(text), &clients, &findings), 0);
	return clients;
}

Test(config_clients, a_file)
{
	static const struct {
		const char *prefix, *region;
		uint32_t line;
	} wanted[] = {
		{ "198.51.100.0/24", "eu-west-1", 3 }, { "2001:db8:100::/40", "us-east-1", 4 },
		{ "0.0.0.0/0", "eu-west-1", 6 },       { "192.0.2.1", "us-east-1", 7 },
		{ "192.0.2.1", "us-east-1", 8 },
	};
	_cleanup_(clients_fini) struct clients clients =
		parse("\xef\xbb\xbf# prefix  region\n"
		      "\n"
		      "198.51.100.0/24\teu-west-1\n"
		      "  2001:db8:100::/40 us-east-1 # here\r\n"
		      "#192.0.2.0/24 nowhere\n"
		      "0.0.0.0/0 eu-west-1 \n"
		      "192.0.2.1 us-east-1\n"
		      "192.0.2.1/32 us-east-1");
	char text[ADDR_PREFIX_MAX];

	cr_assert_eq(clients.prefixes.count, sizeof(wanted) / sizeof(*wanted));
	for (size_t i = 0; i < clients.prefixes.count; i++) {
		const struct client_prefix *prefix = &clients.prefixes.items[i];

		cr_expect_str_eq(addr_prefix_print(&prefix->prefix, text), wanted[i].prefix);
		cr_expect_str_eq(clients.regions.items[prefix->region].name, wanted[i].region);
		cr_expect_eq(prefix->line, wanted[i].line);
	}
	cr_expect_eq(clients.regions.count, 2);
}

Test(config_clients, nothing)
{
	static const char *const texts[] = { "", "\n\n", "# nobody\n", "\xef\xbb\xbf", " \t\r\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		_cleanup_(clients_fini) struct clients clients = parse(texts[i]);

		cr_expect_eq(clients.prefixes.count, 0);
	}
}

Test(config_clients, mistakes)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "192.0.2.0/24\n", "1:1 error 192.0.2.0/24 has no region behind it; a line is "
				    "PREFIX REGION\n" },
		{ "192.0.2.0/33 eu\n", "1:1 error '192.0.2.0/33' is neither a prefix like "
				       "192.0.2.0/24 nor an IP address\n" },
		{ "ok\n  10.0.0.1/8 eu\n",
		  "1:1 error 'ok' is neither a prefix like 192.0.2.0/24 nor an IP address\n"
		  "1:1 error ok has no region behind it; a line is PREFIX REGION\n"
		  "2:3 error '10.0.0.1/8' has bits beyond the prefix; write 10.0.0.0/8, or the "
		  "address alone\n" },
		{ "10.0.0.0/8 eu west\n", "1:15 error unexpected 'west'; a line is PREFIX REGION, "
					  "and # begins a comment\n" },
		{ "10.0.0.0/8,eu\n",
		  "1:1 error '10.0.0.0/8,eu' is neither a prefix like 192.0.2.0/24 nor an IP "
		  "address\n"
		  "1:1 error 10.0.0.0/8,eu has no region behind it; a line is PREFIX REGION\n" },
		{ "10.0.0.0/8 1eu\n",
		  "1:12 error region '1eu' must begin with a letter and go on with letters, "
		  "digits, '.', '_' or '-', at most 63 in all\n" },
		{ "10.0.0.0/8 eu\n10.0.0.0/9 us\n10.0.0.0/8 us\n",
		  "3:1 error 10.0.0.0/8 is in region eu already, by line 1\n" },
		{ "::ffff:10.0.0.0/104 eu\n10.0.0.0/8 us\n",
		  "1:1 error '::ffff:10.0.0.0/104' is neither a prefix like 192.0.2.0/24 nor an "
		  "IP address\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect(cases[i].text, strlen(cases[i].text), cases[i].wanted);
	expect("10.0.0.0/8\0 eu\n", 15,
	       "1:1 error '10.0.0.0/8?' is neither a prefix like 192.0.2.0/24 nor an IP address\n");
}

/* A file that is none at all does not fill the memory, nor does a name that never ends. */
Test(config_clients, a_file_that_is_none)
{
	_cleanup_(findings_fini) struct findings findings = {};
	struct clients clients = {};
	size_t size = 4 << 20;
	char *text = malloc(size);

	cr_assert(text);
	for (size_t i = 0; i < size; i++)
		text[i] = "x \n"[i % 3];
	cr_expect_eq(clients_parse(text, size, &clients, &findings), -EINVAL);
	cr_expect_leq(findings.list.count, 1001);
	findings_fini(&findings);
	memset(text, 'a', size);
	memcpy(text, "10.0.0.0/8 ", 11);
	cr_expect_eq(clients_parse(text, size, &clients, &findings), -EINVAL);
	free(text);
}
