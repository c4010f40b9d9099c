// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a MaxMind DB tells each prefix and its country once, whichever IP version it is of and
 * under however many names its IPv4 lies; what is no such file, or a damaged one, is an error and
 * never more.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/countries.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

#define DATABASES                                                                                  \
	"10.0.0.0/8 DE EU\n"                                                                       \
	"10.1.0.0/16 FR EU\n"                                                                      \
	"192.0.2.0/24 - AS\n"                                                                      \
	"198.51.100.7/32 US NA\n"                                                                  \
	"203.0.113.0/24 - -\n"

static char *path_of(const char *name)
{
	char *path = NULL;

	cr_assert_geq(asprintf(&path, "/tmp/weir-test-%d-%s", getpid(), name), 0);
	return path;
}

static char *make(const char *version, const char *lines)
{
	char *path = path_of("countries.mmdb"), *command = NULL;
	FILE *writer;

	cr_assert_geq(asprintf(&command, "perl tests/lib/mmdb.pl %s %s", version, path), 0);
	writer = popen(command, "w");
	cr_assert(writer);
	fputs(lines, writer);
	cr_assert_eq(pclose(writer), 0, "%s; run it from the top of the tree", command);
	free(command);
	return path;
}

static int add(const struct addr_prefix *prefix, const struct country *country, void *user)
{
	char text[ADDR_PREFIX_MAX];

	str_add(user, "%s %s %s\n", addr_prefix_print(prefix, text), country->country,
		country->continent);
	return 0;
}

static void expect(const char *version, const char *lines, const char *wanted)
{
	_cleanup_(freep) char *path = make(version, lines), *got = NULL;
	struct str text = {};
	struct err err = {};

	cr_assert_eq(countries_each(path, add, &text, &err), 0, "%s", err.text);
	unlink(path);
	got = str_take(&text);
	cr_expect_str_eq(got, wanted, "got:\n%swanted:\n%s", got, wanted);
}

/* What is left of 10/8 beside 10.1/16. */
#define REST_OF_10                                                                                 \
	"10.0.0.0/16 DE EU\n"                                                                      \
	"10.1.0.0/16 FR EU\n"                                                                      \
	"10.2.0.0/15 DE EU\n"                                                                      \
	"10.4.0.0/14 DE EU\n"                                                                      \
	"10.8.0.0/13 DE EU\n"                                                                      \
	"10.16.0.0/12 DE EU\n"                                                                     \
	"10.32.0.0/11 DE EU\n"                                                                     \
	"10.64.0.0/10 DE EU\n"                                                                     \
	"10.128.0.0/9 DE EU\n"                                                                     \
	"192.0.2.0/24  AS\n"                                                                       \
	"198.51.100.7 US NA\n"

Test(countries, ip4)
{
	expect("4", DATABASES, REST_OF_10);
}

Test(countries, ip6_with_ip4)
{
	expect("6", DATABASES "2001:db8::/32 BR SA\n2a00::/12 DE EU\n",
	       REST_OF_10 "2001:db8::/32 BR SA\n2a00::/12 DE EU\n");
}

static int stop(const struct addr_prefix *prefix, const struct country *country, void *user)
{
	(void)prefix;
	(void)country;
	(void)user;
	return -ENOMEM;
}

Test(countries, who_asks_can_stop)
{
	_cleanup_(freep) char *path = make("4", DATABASES);
	struct err err = {};

	cr_expect_eq(countries_each(path, stop, NULL, &err), -ENOMEM);
	unlink(path);
}

static int ignore(const struct addr_prefix *prefix, const struct country *country, void *user)
{
	(void)prefix;
	(void)country;
	++*(unsigned *)user;
	return 0;
}

Test(countries, no_database)
{
	_cleanup_(freep) char *path = path_of("none");
	unsigned count = 0;
	struct err err = {};
	FILE *file;

	cr_expect_eq(countries_each(path, ignore, &count, &err), -ENOENT, "%s", err.text);
	cr_expect_eq(countries_each("/", ignore, &count, &err), -EISDIR, "%s", err.text);
	file = fopen(path, "w");
	cr_assert(file);
	fputs("10.0.0.0/8 eu\n", file);
	fclose(file);
	cr_expect_eq(countries_each(path, ignore, &count, &err), -EINVAL);
	cr_expect(strstr(err.text, "is no MaxMind DB"), "%s", err.text);
	unlink(path);
	cr_expect_eq(count, 0);
}

/* Every byte of a database in turn is another, and it ends early: an answer or an error. */
Test(countries, damaged, .timeout = 60)
{
	_cleanup_(freep) char *path = make("6", DATABASES "2001:db8::/32 BR SA\n"), *good = NULL;
	size_t size = 0;

	cr_assert_eq(file_read(path, 1 << 20, &good, &size), 0);
	for (size_t at = 0; at < size; at++) {
		unsigned count = 0;
		struct err err = {};
		FILE *file = fopen(path, "w");
		char byte = good[at];

		cr_assert(file);
		good[at] ^= at % 3 ? 0xff : 1 << at % 8;
		fwrite(good, 1, at % 7 ? size : at, file);
		fclose(file);
		good[at] = byte;
		countries_each(path, ignore, &count, &err);
		cr_expect_lt(count, 100000);
	}
	unlink(path);
}
