// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what the operator changed is the same after a restart, and a state file that is damaged is
 * refused by name, never half believed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <weir/names.h>

#include "daemon/state.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

/* The instance is a path of its own, so that no state of a real one is touched. */
static char folder[] = "/tmp/weir-test-state-XXXXXX";
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

TestSuite(state, .init = begin, .fini = end);

static void add_override(struct state *state, const char *endpoint, int weight, bool drained)
{
	struct override *override = overrides_get(&state->overrides, "web", "main", endpoint);

	cr_assert(override);
	override->weight = weight;
	override->file_weight = weight < 0 ? 0 : 100;
	override->drained = drained;
	if (weight >= 0)
		override->weight_origin = (struct override_origin){ 4000000000u, 1, 2, "\"disk\"" };
	if (drained)
		override->drain_origin = (struct override_origin){ 7, 3, 1ll << 40, "" };
}

static void add_interface(struct state *state, const char *name, bool attached, bool generic)
{
	struct state_interface interface = { .attached = attached, .generic = generic };

	snprintf(interface.name, sizeof(interface.name), "%s", name);
	cr_assert_eq(vec_push(&state->interfaces, interface), 0);
}

/* One line per thing that is remembered. Caller frees. */
static char *text_of(const struct state *state)
{
	struct str out = {};

	vec_foreach(override, &state->overrides.list)
		str_add(&out, "%s/%s/%s %d of %u (%u, %lld to %lld, %s)%s (%lld, %s)\n",
			override->listener, override->group, override->endpoint, override->weight,
			override->file_weight, override->weight_origin.who,
			(long long) override->weight_origin.since,
			(long long) override->weight_origin.until, override->weight_origin.why,
			override->drained ? " drained" : "",
			(long long) override->drain_origin.until, override->drain_origin.why);
	vec_foreach(interface, &state->interfaces)
		str_add(&out, "%s %s%s\n", interface->name,
			interface->attached ? "attached" : "detached",
			interface->generic ? " generic" : "");
	return str_take(&out);
}

/* 1: nothing there is nothing remembered. */
Test(state, absent)
{
	struct state state = { .interfaces.count = 77 };
	char *text = NULL;
	struct err err = {};

	cr_expect_eq(state_load(instance, &state, &err), 0, "%s", err.text);
	cr_expect(!state.overrides.list.count && !state.interfaces.count);
	cr_expect_eq(state_load_config(instance, &text, &err), -ENOENT);
	cr_expect(strstr(err.text, "running.yaml"), "%s", err.text);
	cr_expect_null(text);
}

/* 2: what is saved is loaded: every field, names of any length and characters. */
Test(state, round_trip)
{
	_cleanup_(state_fini) struct state state = {}, loaded = {};
	_cleanup_(freep) char *before = NULL, *after = NULL;
	char longest[WEIR_NAME_MAX];
	struct err err = {};
	struct stat status;

	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	add_override(&state, "10.0.0.1:80", 0, false);
	add_override(&state, "[2001:db8::1]:80", 255, true);
	add_override(&state, "quote\"\\\n", -1, true);
	add_override(&state, longest, 7, false);
	add_interface(&state, "eth0", true, false);
	add_interface(&state, "fifteen-letters", false, true);
	umask(0);
	cr_assert_eq(state_save(instance, &state, &err), 0, "%s", err.text);
	cr_assert_eq(state_load(instance, &loaded, &err), 0, "%s", err.text);
	before = text_of(&state);
	after = text_of(&loaded);
	cr_expect_str_eq(after, before);
	snprintf(instance, sizeof(instance), "%s/new", folder);
	cr_assert_eq(stat(instance, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0750);
}

/* 3: saved again, it is replaced; an empty state is one, too. */
Test(state, replaced)
{
	_cleanup_(state_fini) struct state state = {}, empty = {}, loaded = {};
	struct err err = {};

	add_override(&state, "a", 5, false);
	add_interface(&state, "eth0", true, false);
	cr_assert_eq(state_save(instance, &state, &err), 0, "%s", err.text);
	cr_assert_eq(state_save(instance, &empty, &err), 0, "%s", err.text);
	cr_assert_eq(state_load(instance, &loaded, &err), 0, "%s", err.text);
	cr_expect(!loaded.overrides.list.count && !loaded.interfaces.count);
}

/* 4: the text of the configuration in force, byte by byte. */
Test(state, configuration)
{
	static const char text[] = "version: 1 # \xc3\xa4\n\n\tnot my business\n";
	_cleanup_(freep) char *loaded = NULL;
	struct err err = {};

	cr_assert_eq(
		state_save_config(instance, "longer than what comes after it: gone\n\n\n\n", &err),
		0, "%s", err.text);
	cr_assert_eq(state_save_config(instance, text, &err), 0, "%s", err.text);
	cr_assert_eq(state_load_config(instance, &loaded, &err), 0, "%s", err.text);
	cr_expect_str_eq(loaded, text);
}

#define OVERRIDE(more) "{\"overrides\": [{\"listener\": \"web\", \"group\": \"main\"" more "}]}"
#define INTERFACE(one) "{\"interfaces\": [" one "]}"

static void put(const char *text, size_t size)
{
	snprintf(instance, sizeof(instance), "%s/new", folder);
	mkdir(instance, 0755);
	cr_assert_eq(file_replace(instance, "overrides.json", text, size), 0);
	snprintf(instance, sizeof(instance), "../..%s/new", folder);
}

/* 5: damage is refused with the file's name; what is merely less than we write is not damage. */
Test(state, damaged)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "{}", true },
		{ "{\"overrides\": [], \"later\": {\"version\": 2}}", true },
		{ OVERRIDE(", \"endpoint\": \"a\""), true },
		{ OVERRIDE(", \"endpoint\": \"a\", \"weight\": 0, \"file_weight\": 255"), true },
		{ INTERFACE("{\"name\": \"eth0\", \"attached\": true}"), true },
		{ "", false },
		{ "null", false },
		{ "[]", false },
		{ "{", false },
		{ "{} x", false },
		{ "{\"overrides\": [], \"overrides\": []}", false },
		{ "{\"overrides\": {}}", false },
		{ "{\"overrides\": 5}", false },
		{ "{\"interfaces\": \"eth0\"}", false },
		{ "{\"overrides\": [5]}", false },
		{ OVERRIDE(""), false },
		{ OVERRIDE(", \"endpoint\": 5"), false },
		{ OVERRIDE(", \"endpoint\": \"a\", \"weight\": 256"), false },
		{ OVERRIDE(", \"endpoint\": \"a\", \"weight\": -2"), false },
		{ OVERRIDE(", \"endpoint\": \"a\", \"weight\": 4294967301"), false },
		{ OVERRIDE(", \"endpoint\": \"a\", \"weight\": \"5\""), false },
		{ OVERRIDE(", \"endpoint\": \"a\", \"weight\": 5.5"), false },
		{ OVERRIDE(", \"endpoint\": \"a\", \"file_weight\": 256"), false },
		{ OVERRIDE(", \"endpoint\": \"a\", \"file_weight\": -1"), false },
		{ OVERRIDE(", \"endpoint\": \"a\", \"drained\": 1"), false },
		{ INTERFACE("\"eth0\""), false },
		{ INTERFACE("{\"name\": \"eth0\"}"), false },
		{ INTERFACE("{\"name\": \"sixteen-letters-\", \"attached\": true}"), false },
		{ INTERFACE("{\"name\": \"\", \"attached\": true}"), false },
		{ INTERFACE("{\"name\": \"eth0\", \"attached\": \"yes\"}"), false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_(state_fini) struct state state = {};
		struct err err = {};

		put(cases[i].text, strlen(cases[i].text));
		cr_expect_eq(state_load(instance, &state, &err), cases[i].good ? 0 : -EINVAL,
			     "%s: %s", cases[i].text, err.text);
		if (cases[i].good)
			continue;
		cr_expect(strstr(err.text, "/overrides.json: is damaged"), "%s: %s", cases[i].text,
			  err.text);
		cr_expect(!state.overrides.list.count && !state.interfaces.count, "%s",
			  cases[i].text);
	}
}

/* 6: cut anywhere, it is refused or less, never more than was there, and nothing crashes. */
Test(state, cut)
{
	_cleanup_(state_fini) struct state state = {};
	_cleanup_(freep) char *whole = NULL;
	char path[128];
	struct err err = {};
	size_t size;

	add_override(&state, "a", 5, true);
	add_interface(&state, "eth0", true, true);
	cr_assert_eq(state_save(instance, &state, &err), 0, "%s", err.text);
	snprintf(path, sizeof(path), "%s/new/overrides.json", folder);
	cr_assert_eq(file_read(path, 10000, &whole, &size), 0);
	while (size-- > 1) {
		_cleanup_(state_fini) struct state loaded = {};

		put(whole, size);
		cr_assert_eq(state_load(instance, &loaded, &err), -EINVAL, "%zu bytes", size);
	}
}

/* 7: nowhere to write: a file where the folder should be. */
Test(state, not_writable)
{
	struct state state = {};
	struct err err = {};

	cr_assert_eq(file_replace(folder, "new", "x", 1), 0);
	cr_expect_eq(state_save(instance, &state, &err), -ENOTDIR);
	cr_expect(strstr(err.text, "cannot write") && strstr(err.text, "overrides.json"), "%s",
		  err.text);
	cr_expect_eq(state_save_config(instance, "x", &err), -ENOTDIR);
	cr_expect(strstr(err.text, "running.yaml"), "%s", err.text);
}
