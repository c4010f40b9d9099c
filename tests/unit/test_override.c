// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: overrides outweigh the file until the file says something else, and end with what they are
 * about.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "config/support.h"
#include "plan/override.h"

#define FILE_OF(endpoints)                                                                         \
	"version: 1\n"                                                                             \
	"listeners:\n"                                                                             \
	"  - name: web\n"                                                                          \
	"    protocol: tcp\n"                                                                      \
	"    address: 192.0.2.1\n"                                                                 \
	"    port: 80\n"                                                                           \
	"    endpoint_groups:\n"                                                                   \
	"      - {name: main, endpoints: [" endpoints "]}\n"

#define A(weight) "{name: a, address: 10.0.0.1, weight: " weight "}"
#define B(weight) "{name: b, address: 10.0.0.2, weight: " weight "}"

/* "a: weight 5 of 100, drained; b: drained". Caller frees. */
static char *list_of(const struct overrides *overrides)
{
	struct str out = {};

	vec_foreach(override, &overrides->list) {
		str_add(&out, "%s%s:", out.size ? "; " : "", override->endpoint);
		if (override->weight >= 0)
			str_add(&out, " weight %d of %u", override->weight, override->file_weight);
		if (override->drained)
			str_add(&out, " drained");
		if (override->disabled)
			str_add(&out, " disabled");
	}
	return str_take(&out);
}

static void set(struct overrides *overrides, const char *endpoint, int weight, uint8_t file_weight,
		bool drained)
{
	struct override *override = overrides_get(overrides, "web", "main", endpoint);

	cr_assert(override);
	override->weight = weight;
	override->file_weight = file_weight;
	override->drained = drained;
}

/* 1: find finds what get has made, by all three names. */
Test(override, find_and_get)
{
	_cleanup_(overrides_fini) struct overrides overrides = {};
	struct override *made;
	char longest[WEIR_NAME_MAX];

	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_null(overrides_find(&overrides, "web", "main", "a"));
	made = overrides_get(&overrides, "web", "main", "a");
	cr_assert(made);
	cr_expect(made->weight == -1 && !made->drained && !made->file_weight);
	made->drained = true;
	made = overrides_get(&overrides, "web", "main", "a");
	cr_expect(made->drained, "the same again");
	cr_expect_eq(overrides.list.count, 1);
	cr_expect_null(overrides_find(&overrides, "web", "main", "b"));
	cr_expect_null(overrides_find(&overrides, "web", "other", "a"));
	cr_expect_null(overrides_find(&overrides, "dns", "main", "a"));
	cr_assert(overrides_get(&overrides, longest, longest, longest));
	cr_expect(overrides_find(&overrides, longest, longest, longest));
}

/* 2: the weight in force. */
Test(override, weight)
{
	static const struct {
		int weight;
		bool drained;
		uint8_t expected;
	} cases[] = {
		{ -1, false, 100 }, { 0, false, 0 }, { 1, false, 1 },	  { 255, false, 255 },
		{ -1, true, 0 },    { 50, true, 0 }, { 100, false, 100 },
	};
	_cleanup_(model_freep) struct model *model = support_parse(FILE_OF(A("100")));
	const struct listener *listener = &model->listeners.items[0];
	const struct endpoint_group *group = &listener->groups.items[0];
	const struct endpoint *endpoint = &group->endpoints.items[0];
	_cleanup_(overrides_fini) struct overrides overrides = {};

	cr_expect_eq(overrides_weight(&overrides, listener, group, endpoint), 100);
	set(&overrides, "b", 7, 100, true);
	cr_expect_eq(overrides_weight(&overrides, listener, group, endpoint), 100);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		set(&overrides, "a", cases[i].weight, 100, cases[i].drained);
		cr_expect_eq(overrides_weight(&overrides, listener, group, endpoint),
			     cases[i].expected, "case %zu", i);
	}
}

/* 3: pruning: what the file has overtaken, what is no longer there, what says nothing. */
Test(override, prune)
{
	static const struct {
		const char *what;
		const char *file;
		int weight_a; /* set when the file said 100 */
		bool drained_a;
		int weight_b;
		unsigned cleared;
		const char *left;
	} cases[] = {
		{ "file unchanged", FILE_OF(A("100") ", " B("100")), 5, false, 6, 0,
		  "a: weight 5 of 100; b: weight 6 of 100" },
		{ "one weight changed in the file", FILE_OF(A("99") ", " B("100")), 5, false, 6, 1,
		  "b: weight 6 of 100" },
		{ "to the overriding weight", FILE_OF(A("5") ", " B("100")), 5, false, 6, 1,
		  "b: weight 6 of 100" },
		{ "both changed", FILE_OF(A("1") ", " B("0")), 5, false, 6, 2, "" },
		{ "a drain outlives the weight", FILE_OF(A("99") ", " B("100")), 5, true, -1, 1,
		  "a: drained" },
		{ "a drain is not about the weight", FILE_OF(A("99") ", " B("100")), -1, true, -1,
		  0, "a: drained" },
		{ "an endpoint removed", FILE_OF(B("100")), 5, true, 6, 0, "b: weight 6 of 100" },
		{ "nothing said", FILE_OF(A("100") ", " B("100")), -1, false, -1, 0, "" },
		{ "no listener left", "version: 1\nlisteners: []\n", 5, true, 6, 0, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_(model_freep) struct model *model = support_parse(cases[i].file);
		_cleanup_(overrides_fini) struct overrides overrides = {};
		_cleanup_(freep) char *left = NULL;

		set(&overrides, "a", cases[i].weight_a, 100, cases[i].drained_a);
		set(&overrides, "b", cases[i].weight_b, 100, false);
		cr_expect_eq(overrides_prune(&overrides, model), cases[i].cleared, "%s",
			     cases[i].what);
		left = list_of(&overrides);
		cr_expect_str_eq(left, cases[i].left, "%s: %s", cases[i].what, left);
		cr_expect_eq(overrides_prune(&overrides, model), 0, "%s, again", cases[i].what);
	}
}

/* 4: an endpoint of the same name elsewhere is another endpoint. */
Test(override, prune_by_full_name)
{
	_cleanup_(model_freep) struct model *model = support_parse(FILE_OF(A("100")));
	_cleanup_(overrides_fini) struct overrides overrides = {};

	overrides_get(&overrides, "web", "other", "a")->drained = true;
	overrides_get(&overrides, "dns", "main", "a")->drained = true;
	cr_expect_eq(overrides_prune(&overrides, model), 0);
	cr_expect_eq(overrides.list.count, 0);
}

/* 5: a copy is equal and apart. */
Test(override, copy)
{
	_cleanup_(overrides_fini) struct overrides overrides = {}, copy = {}, empty = {};
	_cleanup_(freep) char *before = NULL, *after = NULL;

	set(&overrides, "a", 5, 100, false);
	set(&overrides, "b", -1, 0, true);
	cr_assert_eq(overrides_copy(&overrides, &copy), 0);
	set(&overrides, "a", 6, 100, true);
	after = list_of(&copy);
	cr_expect_str_eq(after, "a: weight 5 of 100; b: drained");
	before = list_of(&overrides);
	cr_expect_str_eq(before, "a: weight 6 of 100 drained; b: drained");
	overrides_fini(&copy);
	cr_assert_eq(overrides_copy(&empty, &copy), 0);
	cr_expect_eq(copy.list.count, 0);
}

/* 6: what a file clears can be brought back, but for what was said since. */
Test(override, lost_and_restored)
{
	static const struct {
		const char *what, *file;
		int weight_a;
		bool drained_a;
		const char *lost;
		bool drain_since; /* b, which the file does not have or states as before */
		const char *restored;
	} cases[] = {
		{ "the same file", FILE_OF(A("100") ", " B("100")), 5, true, "", false,
		  "a: weight 5 of 100 drained; b: weight 6 of 100" },
		{ "one weight changed", FILE_OF(A("99") ", " B("100")), 5, false,
		  "a: weight 5 of 100", false, "b: weight 6 of 100; a: weight 5 of 100" },
		{ "the same, drained", FILE_OF(A("99") ", " B("100")), 5, true,
		  "a: weight 5 of 100 drained", false,
		  "a: weight 5 of 100 drained; b: weight 6 of 100" },
		{ "an endpoint removed", FILE_OF(A("100")), 5, false, "b: weight 6 of 100", false,
		  "a: weight 5 of 100; b: weight 6 of 100" },
		{ "drained since", FILE_OF(A("100") ", " B("7")), 5, false, "b: weight 6 of 100",
		  true, "a: weight 5 of 100; b: weight 6 of 100 drained" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_(model_freep) struct model *model = support_parse(cases[i].file);
		_cleanup_(overrides_fini) struct overrides overrides = {}, lost = {};
		_cleanup_(freep) char *gone = NULL, *restored = NULL;

		set(&overrides, "a", cases[i].weight_a, 100, cases[i].drained_a);
		set(&overrides, "b", 6, 100, false);
		cr_assert_eq(overrides_lost(&overrides, model, &lost), 0);
		overrides_prune(&overrides, model);
		gone = list_of(&lost);
		cr_expect_str_eq(gone, cases[i].lost, "%s: %s", cases[i].what, gone);
		if (cases[i].drain_since)
			set(&overrides, "b", -1, 0, true);
		cr_assert_eq(overrides_restore(&overrides, &lost), 0);
		restored = list_of(&overrides);
		cr_expect_str_eq(restored, cases[i].restored, "%s: %s", cases[i].what, restored);
		cr_expect(overrides_find(&overrides, "web", "main", "b"), "found by name");
	}
}

/* 7: each part has an end of its own, at which the file's word holds again. */
Test(override, expire)
{
	_cleanup_(overrides_fini) struct overrides overrides = {};
	_cleanup_(freep) char *left = NULL;
	struct override *a;

	set(&overrides, "a", 5, 100, true);
	set(&overrides, "b", 6, 100, true);
	a = overrides_find(&overrides, "web", "main", "a");
	a->weight_origin = (struct override_origin){ .since = 900, .until = 1000, .why = "test" };
	a->drain_origin = (struct override_origin){ .since = 900, .until = 1001 };
	cr_expect(!override_has_expired(a, 999));
	cr_expect_eq(overrides_expire(&overrides, 999), 0);
	cr_expect(override_has_expired(a, 1000));
	cr_expect_eq(overrides_expire(&overrides, 1000), 1);
	cr_expect_eq(a->weight, -1);
	cr_expect(a->drained);
	cr_expect_eq(a->weight_origin.until, 0);
	cr_expect_str_eq(a->weight_origin.why, "");
	cr_expect_eq(overrides_expire(&overrides, 5000), 1);
	left = list_of(&overrides);
	cr_expect_str_eq(left, "a:; b: weight 6 of 100 drained", "%s", left);
}

/* 8: of a group: its traffic_percentage, beside its endpoints' weights, and as long as the file's.
 */
Test(override, groups)
{
	_cleanup_(model_freep) struct model *model = support_parse(FILE_OF(A("100")));
	_cleanup_(overrides_fini) struct overrides overrides = {};
	const struct listener *web = &model->listeners.items[0];
	struct endpoint_group *group = &web->groups.items[0];

	cr_expect_eq(overrides_percentage(&overrides, web, group), 100);
	set(&overrides, "", 0, 100, false);
	set(&overrides, "a", 7, 100, false);
	cr_expect_eq(overrides_percentage(&overrides, web, group), 0);
	cr_expect_eq(overrides_weight(&overrides, web, group, &group->endpoints.items[0]), 7);
	cr_expect_eq(overrides_prune(&overrides, model), 0);
	cr_expect_eq(overrides_percentage(&overrides, web, group), 0);
	group->traffic_percentage = 90;
	cr_expect_eq(overrides_prune(&overrides, model), 1);
	cr_expect_eq(overrides_percentage(&overrides, web, group), 90);
	cr_expect_eq(overrides_weight(&overrides, web, group, &group->endpoints.items[0]), 7);
}

#define TWO_LISTENERS                                                                              \
	"version: 1\n"                                                                             \
	"listeners:\n"                                                                             \
	"  - {name: web, protocol: tcp, address: 192.0.2.1, port: 80, endpoint_groups: [\n"        \
	"      {name: main, endpoints: [" A("1") ", " B(                                           \
		"1") "]},\n"                                                                       \
		     "      {name: far, region: r, endpoints: [{name: a, address: 10.0.0.3}]}]}\n" \
		     "  - {name: dns, protocol: udp, address: 192.0.2.1, port: 53, "               \
		     "endpoint_groups: [\n"                                                        \
		     "      {name: main, endpoints: [" A("1") "]}]}\n"

static void disable(struct overrides *overrides, const char *listener, const char *group,
		    const char *endpoint)
{
	overrides_get(overrides, listener, group, endpoint)->disabled = true;
}

/* "web/main: a b; web/far: a; dns/main: a": what is left. Caller frees. */
static char *enabled_of(const struct overrides *overrides, const struct model *model)
{
	_cleanup_(model_freep) struct model *enabled = NULL;
	struct str out = {};

	cr_assert_eq(overrides_enabled(overrides, model, &enabled), 0);
	if (!enabled)
		return strdup("all");
	vec_foreach(listener, &enabled->listeners) {
		cr_expect_eq(model_find_listener(enabled, listener->name), listener);
		vec_foreach(group, &listener->groups) {
			str_add(&out, "%s%s/%s:", out.size ? "; " : "", listener->name,
				group->name);
			vec_foreach(endpoint, &group->endpoints)
				str_add(&out, " %s", endpoint->name);
		}
	}
	return str_take(&out);
}

static void expect_enabled(const struct overrides *overrides, const struct model *model,
			   const char *wanted)
{
	_cleanup_(freep) char *got = enabled_of(overrides, model);

	cr_expect_str_eq(got, wanted);
}

/* What is disabled is as if it were not in the file; of a group its name stays. */
Test(override, disabled)
{
	_cleanup_(model_freep) struct model *model = support_parse(TWO_LISTENERS);
	_cleanup_(overrides_fini) struct overrides overrides = {}, copy = {};

	overrides_get(&overrides, "web", "main", "a")->drained = true;
	expect_enabled(&overrides, model, "all");
	disable(&overrides, "web", "main", "a");
	expect_enabled(&overrides, model, "web/main: b; web/far: a; dns/main: a");
	disable(&overrides, "web", "far", "");
	expect_enabled(&overrides, model, "web/main: b; web/far:; dns/main: a");
	cr_assert_eq(overrides_copy(&overrides, &copy), 0);
	cr_expect(overrides_same_enabled(&overrides, &copy));
	disable(&overrides, "web", "", "");
	cr_expect(!overrides_same_enabled(&overrides, &copy));
	cr_expect(!overrides_same_enabled(&copy, &overrides));
	expect_enabled(&overrides, model, "dns/main: a");
	cr_expect_eq(overrides_prune(&overrides, model), 0, "they are all in the file");
	cr_expect_eq(overrides.list.count, 3);
	overrides_get(&overrides, "web", "", "")->disable_origin.until = 100;
	cr_expect_eq(overrides_expire(&overrides, 99), 0);
	cr_expect_eq(overrides_expire(&overrides, 100), 1);
	expect_enabled(&overrides, model, "web/main: b; web/far:; dns/main: a");
}

/* What is disabled and not in the file any more is forgotten. */
Test(override, disabled_and_gone)
{
	_cleanup_(model_freep) struct model *model = support_parse(FILE_OF(B("1")));
	_cleanup_(overrides_fini) struct overrides overrides = {};
	_cleanup_(freep) char *left = NULL;

	disable(&overrides, "web", "main", "a");
	disable(&overrides, "web", "main", "b");
	disable(&overrides, "web", "far", "");
	disable(&overrides, "dns", "", "");
	overrides_prune(&overrides, model);
	left = list_of(&overrides);
	cr_expect_str_eq(left, "b: disabled");
}
