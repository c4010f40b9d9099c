// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: errors gather where they were on their way up and never overflow; vectors grow, and stay
 * as they were when memory runs out.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/err.h"
#include "util/vec.h"

/* 1: what, then where, then where that is; each returns the code. */
Test(err, set_and_at)
{
	struct err err = {};

	cr_expect_eq(err_set(&err, -EINVAL, "'%s' is no %s", "80abc", "number"), -EINVAL);
	cr_expect_str_eq(err.text, "'80abc' is no number");
	cr_expect_eq(err_at(&err, -EINVAL, "endpoint %d", 3), -EINVAL);
	cr_expect_eq(err_at(&err, -ENOENT, "listener web"), -ENOENT);
	cr_expect_str_eq(err.text, "listener web: endpoint 3: '80abc' is no number");
	cr_expect_eq(err_set(&err, -EIO, "new"), -EIO);
	cr_expect_str_eq(err.text, "new");
}

/* 2: nobody may want the text. */
Test(err, none)
{
	cr_expect_eq(err_set(NULL, -EINVAL, "%s", "text"), -EINVAL);
	cr_expect_eq(err_at(NULL, -EINVAL, "%s", "text"), -EINVAL);
}

/* 3: a text around the limit is whole, one beyond is cut and says so. */
Test(err, limit)
{
	static char text[2000];
	struct err err = {};
	size_t room = sizeof(err.text) - 1;

	for (size_t size = room - 4; size < room + 5; size++) {
		memset(text, 'x', size);
		text[size] = '\0';
		err_set(&err, -1, "%s", text);
		cr_expect_eq(strlen(err.text), size <= room ? size : room, "%zu", size);
		cr_expect_str_eq(err.text + room - 3, size <= room ? text + room - 3 : "...", "%zu",
				 size);
	}
	err_at(&err, -1, "where");
	cr_expect_eq(strlen(err.text), room);
	cr_expect_eq(strncmp(err.text, "where: xxx", 10), 0);
	cr_expect_str_eq(err.text + room - 3, "...");
	err_at(&err, -1, "%s", text);
	cr_expect_eq(strlen(err.text), room);
	cr_expect_str_eq(err.text + room - 3, "...");
}

/* 4: pushing, walking, emptying. */
Test(vec, grows)
{
	VEC(unsigned) numbers = {};
	unsigned sum = 0, visits = 0;

	vec_foreach(number, &numbers)
		visits += *number + 1;
	cr_expect_eq(visits, 0, "an empty one");
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(vec_push(&numbers, i), 0);
	cr_expect_eq(numbers.count, 1000);
	cr_expect_geq(numbers.capacity, 1000);
	vec_foreach(number, &numbers) {
		cr_assert_eq(*number, visits++);
		sum += *number;
	}
	cr_expect(visits == 1000 && sum == 499500);
	vec_free(&numbers);
	cr_expect(!numbers.items && !numbers.count && !numbers.capacity);
	vec_free(&numbers);
	cr_expect_eq(vec_push(&numbers, 5u), 0);
	cr_expect_eq(numbers.items[0], 5);
	vec_free(&numbers);
}

/* 5: a value is evaluated once. */
Test(vec, once)
{
	VEC(int) numbers = {};
	int next = 1;

	vec_push(&numbers, next++);
	vec_push(&numbers, next++);
	cr_expect(next == 3 && numbers.items[0] == 1 && numbers.items[1] == 2);
	vec_free(&numbers);
}

/* ASan's allocator refuses like any other, and does not abort. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* 6: a request that cannot be met is refused with nothing changed. */
Test(vec, no_memory)
{
	size_t capacity = SIZE_MAX / 4;
	char byte = 7;
	void *items = &byte;

	cr_expect_not(vec_reserve_one(&items, capacity, &capacity, 16), "overflow");
	cr_expect(items == &byte && capacity == SIZE_MAX / 4);
	cr_expect(vec_reserve_one(&items, 3, &capacity, 16), "there is room");
	cr_expect_eq(items, &byte);
}

static unsigned ends;

static void count_end(char *text)
{
	ends++;
	free(text);
}
DEFINE_CLEANUP(char *, count_end)

/* 7: ownership ends with the scope unless it was taken. */
Test(cleanup, take)
{
	char *kept = NULL;
	int fd;

	{
		_cleanup_(count_endp) char *one = strdup("1");
		_cleanup_(count_endp) char *two = strdup("2");
		_cleanup_(count_endp) char *none = NULL;
		_cleanup_(closep) int no_file = -1;
		int number = 7;

		kept = take_ptr(one);
		fd = take_fd(&number);
		cr_expect(!one && two && !none && no_file < 0);
		cr_expect_eq(number, -1);
	}
	cr_expect_eq(ends, 1);
	cr_expect_eq(fd, 7);
	cr_expect_str_eq(kept, "1");
	free(kept);
}
