// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the history has what was in force, newest last, each with its text; it stays small, and
 * neither a crash between two writes nor a damaged file makes it unreadable.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/history.h"
#include "util/cleanup.h"
#include "util/file.h"

static char folder[] = "/tmp/weir-test-history-XXXXXX";
static char instance[64];

static void begin(void)
{
	cr_assert(mkdtemp(folder));
	snprintf(instance, sizeof(instance), "../..%s/new", folder);
}

static void end(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(history, .init = begin, .fini = end);

static void add(const char *text, const char *how)
{
	struct err err = {};

	cr_assert_eq(history_add(instance, text, 7, how, &err), 0, "%s", err.text);
}

static void load(struct history *ret)
{
	struct err err = {};

	cr_assert_eq(history_load(instance, ret, &err), 0, "%s", err.text);
}

static void put(const char *name, const char *text)
{
	char directory[64];

	snprintf(directory, sizeof(directory), "%s/new/history", folder);
	cr_assert_eq(file_replace(directory, name, text, strlen(text)), 0);
}

Test(history, empty)
{
	_cleanup_(history_fini) struct history history = {};
	char *text = NULL;
	struct err err;

	load(&history);
	cr_expect_eq(history.list.count, 0);
	cr_expect_eq(history_text(instance, 1, &text, &err), -ENOENT);
	cr_expect_null(text);
}

Test(history, keeps_text_origin_and_order)
{
	_cleanup_(history_fini) struct history history = {};
	_cleanup_(freep) char *text = NULL;
	struct err err;

	for (int i = 1; i <= 12; i++) {
		char how[32];

		snprintf(how, sizeof(how), "apply %d", i);
		add(how, how);
	}
	load(&history);
	cr_assert_eq(history.list.count, 12);
	for (uint32_t i = 0; i < 12; i++)
		cr_expect_eq(history.list.items[i].number, i + 1, "by number, not by name");
	cr_expect_str_eq(history_find(&history, 11)->how, "apply 11");
	cr_expect_eq(history_find(&history, 11)->who, 7);
	cr_expect_gt(history_find(&history, 11)->when, 1600000000);
	cr_expect_null(history_find(&history, 13));
	cr_assert_eq(history_text(instance, 11, &text, &err), 0);
	cr_expect_str_eq(text, "apply 11");
}

Test(history, same_text_again_is_no_entry)
{
	_cleanup_(history_fini) struct history history = {};

	add("a", "start");
	add("a", "start");
	add("b", "apply");
	add("a", "rollback to 1");
	load(&history);
	cr_assert_eq(history.list.count, 3);
	cr_expect_str_eq(history.list.items[2].how, "rollback to 1");
}

Test(history, old_ones_go)
{
	_cleanup_(history_fini) struct history history = {};
	char *text = NULL;
	char number[16];
	struct err err;

	for (int i = 1; i <= HISTORY_KEPT + 5; i++) {
		snprintf(number, sizeof(number), "%d", i);
		add(number, "apply");
	}
	load(&history);
	cr_assert_eq(history.list.count, HISTORY_KEPT);
	cr_expect_eq(history.list.items[0].number, 6);
	cr_expect_eq(history_text(instance, 5, &text, &err), -ENOENT);
}

/* A daemon that was killed leaves a text without a description; others damage what they like. */
Test(history, halves_and_damage)
{
	_cleanup_(history_fini) struct history history = {};

	add("a", "start");
	put("2.yaml", "half");
	put("3.json", "{\"when\": 1, \"who\": 0");
	put("04.json", "{\"when\": 1, \"who\": 0, \"how\": \"x\"}");
	put("x.json", "{}");
	put("-5.json", "{\"when\": 1, \"who\": 0, \"how\": \"x\"}");
	put("99999999999999999999.json", "{\"when\": 1, \"who\": 0, \"how\": \"x\"}");
	load(&history);
	cr_expect_eq(history.list.count, 1);
	add("b", "apply");
	history_fini(&history);
	load(&history);
	cr_assert_eq(history.list.count, 2);
	cr_expect_eq(history.list.items[1].number, 2, "in the place of the half");
}

Test(history, what_cannot_be_written_is_said)
{
	struct err err = {};
	char path[64];

	add("a", "start");
	snprintf(path, sizeof(path), "%s/new/history/2.yaml", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_lt(history_add(instance, "b", 0, "apply", &err), 0);
	cr_expect(strstr(err.text, "history"), "%s", err.text);
}
