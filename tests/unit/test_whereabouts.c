// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: workers find a client in the region in which the data plane does, at every edge of every
 * range, of trees of one line and of many; a family of which nothing is known has none; and what is
 * not whole is refused.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plan/support.h"
#include "proxy/whereabouts.h"

#define RANGES_MAX 3000

/* A tree of ranges that are `step` apart in the last words of addresses. */
static struct bounds *tree(bool ip6, uint32_t count, uint32_t step)
{
	struct addr *bounds = calloc(count, sizeof(*bounds));
	uint8_t *regions = calloc(count, sizeof(*regions));
	struct bounds *built = NULL;

	cr_assert(bounds && regions);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t first = htobe32(i * step);

		if (!ip6)
			memset(bounds[i].bytes + 10, 0xff, 2);
		memcpy(bounds[i].bytes + 12, &first, sizeof(first));
		regions[i] = i * 7 % 251;
	}
	cr_assert_eq(bounds_build_regions(bounds, regions, count, ip6, &built), 0);
	free(bounds);
	free(regions);
	return built;
}

static struct addr address(bool ip6, uint32_t number)
{
	struct addr addr = {};

	number = htobe32(number);
	if (!ip6)
		memset(addr.bytes + 10, 0xff, 2);
	memcpy(addr.bytes + 12, &number, sizeof(number));
	return addr;
}

static struct whereabouts *hand_over(struct bounds *const trees[PLAN_FAMILIES])
{
	struct whereabouts *whereabouts = NULL;
	struct err err = {};
	int fd;

	cr_assert_eq(whereabouts_seal(trees, &fd, &err), 0, "%s", err.text);
	cr_assert_eq(write(fd, "x", 1), -1, "it is sealed");
	cr_assert_eq(whereabouts_read(fd, &whereabouts, &err), 0, "%s", err.text);
	close(fd);
	return whereabouts;
}

static void expect_at(const struct whereabouts *whereabouts, bool ip6, uint32_t number,
		      uint8_t region)
{
	struct addr addr = address(ip6, number);
	uint8_t got = whereabouts_region(whereabouts, &addr);

	cr_assert_eq(got, region, "%u: %u, not %u", number, got, region);
}

static void expect_regions(const struct whereabouts *whereabouts, bool ip6, uint32_t count,
			   uint32_t step)
{
	for (uint32_t i = 0; i < count; i++) {
		expect_at(whereabouts, ip6, i * step, i * 7 % 251);
		expect_at(whereabouts, ip6, i * step + step - 1, i * 7 % 251);
	}
	expect_at(whereabouts, ip6, UINT32_MAX, (count - 1) * 7 % 251);
}

Test(whereabouts, every_edge)
{
	static const uint32_t counts[] = { 1, 2, 4, 5, 16, 17, 256, 257, RANGES_MAX };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct bounds *trees[PLAN_FAMILIES] = { tree(false, counts[i], 1000),
							tree(true, counts[i], 77) };
		struct whereabouts *whereabouts = hand_over(trees);

		bounds_unref(trees[PLAN_IP4]);
		bounds_unref(trees[PLAN_IP6]);
		expect_regions(whereabouts, false, counts[i], 1000);
		expect_regions(whereabouts, true, counts[i], 77);
		whereabouts_free(whereabouts);
	}
}

Test(whereabouts, one_family)
{
	struct bounds *trees[PLAN_FAMILIES] = { [PLAN_IP6] = tree(true, 100, 10) };
	struct whereabouts *whereabouts = hand_over(trees);

	expect_regions(whereabouts, true, 100, 10);
	expect_at(whereabouts, false, 55, 0);
	whereabouts_free(whereabouts);
	bounds_unref(trees[PLAN_IP6]);
	trees[PLAN_IP6] = NULL;
	whereabouts = hand_over(trees);
	expect_at(whereabouts, true, 55, 0);
	whereabouts_free(whereabouts);
}

Test(whereabouts, damaged)
{
	struct bounds *trees[PLAN_FAMILIES] = { tree(false, 40, 10), tree(true, 40, 10) };
	struct whereabouts *whereabouts;
	char bytes[8192];
	ssize_t size;
	int whole;

	cr_assert_eq(whereabouts_seal(trees, &whole, NULL), 0);
	size = pread(whole, bytes, sizeof(bytes), 0);
	cr_assert(size > 0 && size < (ssize_t)sizeof(bytes));
	for (ssize_t cut = 1; cut < size; cut++) {
		_cleanup_(closep) int fd = memfd_create("cut", MFD_CLOEXEC);

		cr_assert_eq(write(fd, bytes, cut), cut);
		cr_assert_eq(whereabouts_read(fd, &whereabouts, NULL), -EPROTO, "%zd", cut);
	}
	/* Its head: magic, version, levels and lines. */
	for (int i = 0; i < 24; i++) {
		_cleanup_(closep) int fd = memfd_create("spoilt", MFD_CLOEXEC);

		bytes[i] ^= 0x80;
		cr_assert_eq(write(fd, bytes, size), size);
		cr_assert_eq(whereabouts_read(fd, &whereabouts, NULL), -EPROTO, "%d", i);
		bytes[i] ^= 0x80;
	}
	close(whole);
	bounds_unref(trees[PLAN_IP4]);
	bounds_unref(trees[PLAN_IP6]);
}
