// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: an address is read strictly, kept as 16 bytes, and printed so that reading it again gives
 * the same bytes.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "net/addr.h"

Test(addr, canonical_text)
{
	static const struct {
		const char *in, *out;
		int family;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1", AF_INET },
		{ "0.0.0.0", "0.0.0.0", AF_INET },
		{ "255.255.255.255", "255.255.255.255", AF_INET },
		{ "::ffff:10.0.0.1", "10.0.0.1", AF_INET },
		{ "::ffff:a00:1", "10.0.0.1", AF_INET },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1", AF_INET6 },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", AF_INET6 },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1", AF_INET6 },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", AF_INET6 },
		{ "::", "::", AF_INET6 },
		{ "::1", "::1", AF_INET6 },
		{ "fe80::1", "fe80::1", AF_INET6 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr addr, again;

		cr_assert_eq(addr_parse(cases[i].in, &addr), 0, "%s", cases[i].in);
		cr_expect_eq(addr_family(&addr), cases[i].family, "%s", cases[i].in);
		cr_expect_str_eq(addr_print(&addr, text), cases[i].out);
		cr_assert_eq(addr_parse(text, &again), 0, "%s", text);
		cr_expect(addr_equal(&addr, &again), "%s", text);
	}
}

/* Every byte in every place, as inet_ntop() prints it. */
Test(addr, every_byte)
{
	for (unsigned place = 0; place < 4; place++)
		for (unsigned byte = 0; byte < 256; byte++) {
			uint8_t raw[4] = { 192, 0, 2, 33 };
			char text[ADDR_TEXT_MAX], wanted[INET_ADDRSTRLEN];
			struct addr addr;

			raw[place] = (uint8_t)byte;
			cr_assert_eq(addr_from_raw(raw, 4, &addr), 0);
			cr_assert(inet_ntop(AF_INET, raw, wanted, sizeof(wanted)));
			cr_assert_str_eq(addr_print(&addr, text), wanted);
		}
}

Test(addr, refused_text_leaves_result)
{
	static const char *const cases[] = {
		"",	     " 10.0.0.1",   "10.0.0.1 ",   "10.0.0",	 "10.0.0.256",
		"010.0.0.1", "10.0.0.1:80", "10.0.0.1/24", "0x0a.0.0.1", "167772161",
		"10.0.0.1.", "::1%lo",	    "fe80::1%1",   "[::1]",	 "::1::",
		"1:2:3",     "12345::",	    "example.com", "10.0.0.1\n", "::ffff:10.0.0.01",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct addr addr, before;

		memset(&addr, 0x5a, sizeof(addr));
		before = addr;
		cr_expect_eq(addr_parse(cases[i], &addr), -EINVAL, "'%s'", cases[i]);
		cr_expect(addr_equal(&addr, &before), "'%s'", cases[i]);
	}
}

Test(addr, with_port)
{
	static const struct {
		const char *in;
		uint16_t port;
		const char *out;
	} cases[] = {
		{ "10.0.0.1", 80, "10.0.0.1:80" },
		{ "10.0.0.1", 0, "10.0.0.1" },
		{ "2001:db8::1", 443, "[2001:db8::1]:443" },
		{ "2001:db8::1", 0, "2001:db8::1" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888", 65535,
		  "[1111:2222:3333:4444:5555:6666:7777:8888]:65535" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[ADDR_PORT_TEXT_MAX];
		struct addr addr;

		cr_assert_eq(addr_parse(cases[i].in, &addr), 0);
		cr_expect_str_eq(addr_print_port(&addr, cases[i].port, text), cases[i].out);
	}
}

Test(addr, order)
{
	struct addr a, b;

	cr_assert_eq(addr_parse("10.0.0.9", &a), 0);
	cr_assert_eq(addr_parse("10.0.0.10", &b), 0);
	cr_expect_lt(addr_compare(&a, &b), 0);
	cr_expect_gt(addr_compare(&b, &a), 0);
	cr_expect_eq(addr_compare(&a, &a), 0);
	cr_expect(!addr_equal(&a, &b));
}

Test(addr, martians)
{
	static const struct {
		const char *text;
		bool martian;
	} cases[] = {
		{ "0.0.0.0", true },
		{ "0.1.2.3", true },
		{ "127.0.0.1", true },
		{ "127.255.255.255", true },
		{ "224.0.0.1", true },
		{ "239.255.255.255", true },
		{ "255.255.255.255", true },
		{ "240.0.0.1", false },
		{ "223.255.255.255", false },
		{ "10.0.0.1", false },
		{ "128.0.0.1", false },
		{ "::", true },
		{ "::1", true },
		{ "ff02::1", true },
		{ "::2", false },
		{ "fe80::1", false },
		{ "2001:db8::1", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct addr addr;

		cr_assert_eq(addr_parse(cases[i].text, &addr), 0);
		cr_expect_eq(addr_is_martian(&addr), cases[i].martian, "%s", cases[i].text);
	}
}

Test(addr, link_local)
{
	static const struct {
		const char *text;
		bool link_local;
	} cases[] = {
		{ "fe80::", true },   { "fe80::1", true },	 { "febf:ffff::1", true },
		{ "fec0::", false },  { "fe7f:ffff::1", false }, { "::ffff:254.128.0.1", false },
		{ "ff02::1", false }, { "169.254.0.1", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct addr addr;

		cr_assert_eq(addr_parse(cases[i].text, &addr), 0);
		cr_expect_eq(addr_is_link_local(&addr), cases[i].link_local, "%s", cases[i].text);
	}
}

Test(addr, raw)
{
	static const uint8_t v4[4] = { 10, 0, 0, 1 };
	struct addr addr, again;
	size_t size;

	cr_assert_eq(addr_from_raw(v4, sizeof(v4), &addr), 0);
	cr_expect_eq(addr_family(&addr), AF_INET);
	cr_expect_arr_eq(addr_raw(&addr, &size), v4, 4);
	cr_expect_eq(size, 4);

	cr_assert_eq(addr_parse("2001:db8::1", &addr), 0);
	cr_assert_eq(addr_from_raw(addr_raw(&addr, &size), 16, &again), 0);
	cr_expect_eq(size, 16);
	cr_expect(addr_equal(&addr, &again));
	cr_expect_eq(addr_from_raw(v4, 3, &addr), -EINVAL);
	cr_expect_eq(addr_from_raw(v4, 0, &addr), -EINVAL);
}

Test(addr, prefixes)
{
	static const struct {
		const char *text;
		int error;
		unsigned bits;
		const char *printed;
	} cases[] = {
		{ "10.0.0.0/8", 0, 104, "10.0.0.0/8" },
		{ "10.9.8.7", 0, 128, "10.9.8.7" },
		{ "10.9.8.7/32", 0, 128, "10.9.8.7" },
		{ "0.0.0.0/0", 0, 96, "0.0.0.0/0" },
		{ "10.0.0.128/25", 0, 121, "10.0.0.128/25" },
		{ "10.0.0.129/25", -ERANGE, 121, "10.0.0.128/25" },
		{ "2001:db8::/32", 0, 32, "2001:db8::/32" },
		{ "2001:DB8::1/128", 0, 128, "2001:db8::1" },
		{ "2001:db8::1/127", -ERANGE, 127, "2001:db8::/127" },
		{ "::/0", 0, 0, "::/0" },
		{ "10.0.0.0/33", -EINVAL },
		{ "10.0.0.0/08", -EINVAL },
		{ "10.0.0.0/-1", -EINVAL },
		{ "10.0.0.0/", -EINVAL },
		{ "10.0.0.0/8/8", -EINVAL },
		{ "10.0.0.0/99999999999", -EINVAL },
		{ "2001:db8::/129", -EINVAL },
		{ "::ffff:10.0.0.0/104", -EINVAL },
		{ "/8", -EINVAL },
		{ "", -EINVAL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/8", -EINVAL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct addr_prefix prefix = {};
		char text[ADDR_PREFIX_MAX];

		cr_expect_eq(addr_prefix_parse(cases[i].text, &prefix), cases[i].error, "%s",
			     cases[i].text);
		if (cases[i].error == -EINVAL)
			continue;
		cr_expect_eq(prefix.bits, cases[i].bits, "%s", cases[i].text);
		cr_expect_str_eq(addr_prefix_print(&prefix, text), cases[i].printed);
	}
}

Test(addr, prefixes_have_addresses)
{
	static const struct {
		const char *prefix, *addr;
		bool has;
	} cases[] = {
		{ "10.0.0.0/25", "10.0.0.127", true }, { "10.0.0.0/25", "10.0.0.128", false },
		{ "10.0.0.1", "10.0.0.1", true },      { "10.0.0.1", "10.0.0.2", false },
		{ "0.0.0.0/0", "255.1.1.1", true },    { "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },       { "::/0", "10.0.0.1", false },
		{ "fd00::/8", "fdff::1", true },       { "fd00::/9", "fd80::1", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct addr_prefix prefix;
		struct addr addr;

		cr_assert_eq(addr_prefix_parse(cases[i].prefix, &prefix), 0);
		cr_assert_eq(addr_parse(cases[i].addr, &addr), 0);
		cr_expect_eq(addr_prefix_has(&prefix, &addr), cases[i].has, "%s %s",
			     cases[i].prefix, cases[i].addr);
	}
}

Test(addr, host_names)
{
	static const char *const good[] = { "a",     "example.com", "xn--bcher-kva.example",
					    "a_b.c", "1.2.3.x",	    "3com",
					    "a-b" };
	static const char *const bad[] = {
		"",	    ".",	  "a.",	 ".a",	 "a..b",	   "-a", "a-", "a b",
		"10.0.0.1", "10.0.0.300", "a/b", "a:80", "caf\xc3\xa9.fr", "42"
	};
	char name[256];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		cr_expect(addr_is_host_name(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_not(addr_is_host_name(bad[i]), "%s", bad[i]);
	/* Labels of up to 63 characters, names of up to 253. */
	memset(name, 'a', sizeof(name));
	name[63] = name[127] = name[191] = '.';
	name[ADDR_HOST_MAX] = '\0';
	cr_expect(addr_is_host_name(name));
	name[ADDR_HOST_MAX] = 'a';
	name[ADDR_HOST_MAX + 1] = '\0';
	cr_expect_not(addr_is_host_name(name));
	name[64] = '\0';
	name[63] = 'a';
	cr_expect_not(addr_is_host_name(name));
}
