// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what the operator changed is the same after a restart, and a state file that is damaged is
 * refused by name, never half believed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
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

static void add_disabled(struct state *state, const char *listener, const char *group,
			 const char *endpoint)
{
	struct override *override = overrides_get(&state->overrides, listener, group, endpoint);

	cr_assert(override);
	override->disabled = true;
	override->disable_origin = (struct override_origin){ 8, 4, 0, "moved" };
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
	vec_foreach(override, &state->overrides.list)
		if (override->disabled)
			str_add(&out, "%s/%s/%s disabled (%u, %s)\n", override->listener,
				override->group, override->endpoint, override->disable_origin.who,
				override->disable_origin.why);
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
	add_disabled(&state, "web", "main", "10.0.0.1:80");
	add_disabled(&state, "web", "main", "");
	add_disabled(&state, "web", "", "");
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
		{ OVERRIDE(", \"endpoint\": \"a\", \"disabled\": \"yes\""), false },
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

static void expect_loads_as(const char *wanted, const char *when, size_t bytes)
{
	_cleanup_(state_fini) struct state loaded = {};
	_cleanup_(freep) char *text = NULL;
	struct err err = {};

	cr_assert_eq(state_load(instance, &loaded, &err), 0, "%s %zu: %s", when, bytes, err.text);
	text = text_of(&loaded);
	cr_assert_str_eq(text, wanted, "%s %zu bytes", when, bytes);
}

/* Of a new state so many bytes fit on the disk: the kernel writes those, and refuses the next. */
static int save_with_room(const struct state *state, size_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };
	struct err err = {};
	int r;

	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	r = state_save(instance, state, &err);
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	return r;
}

/* 7: a disk that is full at any byte of a new state, or a crash there, loses nothing of the old
 * one, and does not keep the next from being written. */
Test(state, full_disk_or_crash_at_any_byte)
{
	_cleanup_(state_fini) struct state before = {}, after = {};
	_cleanup_(freep) char *old = NULL, *new = NULL, *whole = NULL;
	char path[128], leftover[128];
	struct err err = {};
	size_t size;

	add_override(&before, "a", 5, true);
	add_override(&after, "a", 6, false);
	add_override(&after, "b", -1, true);
	add_interface(&after, "eth0", true, true);
	old = text_of(&before);
	new = text_of(&after);
	snprintf(path, sizeof(path), "%s/new/overrides.json", folder);
	snprintf(leftover, sizeof(leftover), "%s/new/.overrides.json.new", folder);
	cr_assert_eq(state_save(instance, &after, &err), 0, "%s", err.text);
	cr_assert_eq(file_read(path, 10000, &whole, &size), 0);
	cr_assert_eq(state_save(instance, &before, &err), 0, "%s", err.text);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t bytes = 0; bytes < size; bytes++) {
		cr_assert_eq(save_with_room(&after, bytes), -EFBIG, "%zu bytes", bytes);
		cr_assert(access(leftover, F_OK), "%zu bytes", bytes);
		expect_loads_as(old, "full after", bytes);
	}
	for (size_t bytes = 0; bytes <= size; bytes++) {
		_cleanup_(fclosep) FILE *file = fopen(leftover, "w");

		cr_assert(file && fwrite(whole, 1, bytes, file) == bytes && !fflush(file));
		expect_loads_as(old, "killed after", bytes);
	}
	cr_assert_eq(save_with_room(&after, size), 0);
	expect_loads_as(new, "room for", size);
}

/* 8: nowhere to write: a file where the folder should be. */
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
