// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: no text, however broken, and no lack of memory makes the parser read outside the text,
 * leak, hang, or fail without a word.
 */
#include "config/support.h"
#include "failing.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES "tests/unit/config/*.yaml"
#define GOOD  "tests/unit/config/good/*.yaml"

/* One parse in which the n-th allocation and all later ones fail; whether one did. */
static bool parse_failing(const char *text, size_t size, unsigned n)
{
	struct findings findings = {};
	struct model *model = NULL;
	char *printed = NULL;
	long left;
	int r;

	until_failure = n;
	has_failed = false;
	live = 0;
	counting = true;
	r = config_parse(text, size, &model, &findings);
	if (!r)
		printed = config_print(model);
	free(printed);
	model_free(model);
	counting = false;
	left = live;
	if (r == -ENOMEM)
		cr_assert(!findings.list.count && !findings.errors && !left);
	/* Findings are ours: a message and a path each, and the list. */
	cr_assert_leq(left, (long)(2 * findings.list.count + 1));
	cr_assert(has_failed || r != -ENOMEM);
	cr_assert(!r || r == -EINVAL || r == -ENOMEM);
	cr_assert(r != -EINVAL || findings.errors);
	findings_fini(&findings);
	return has_failed;
}

Test(config_hostile, no_memory)
{
	static const char *const paths[] = { "tests/unit/config/good/full.yaml",
					     "tests/unit/config/eight.yaml",
					     "tests/unit/config/bad/brackets.yaml" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		size_t size;
		_cleanup_(freep) char *text = support_read(paths[i], &size);
		unsigned n = 1;

		while (parse_failing(text, size, n))
			n++;
		cr_assert_gt(n, 50, "the failures did not reach the parser");
	}
}

/* The text ends where the forbidden page begins, so that one byte too many is a crash. */
struct guarded {
	char *pages;
	size_t room;
	size_t page;
};

static struct guarded guarded_new(size_t size)
{
	struct guarded guarded = { .page = sysconf(_SC_PAGESIZE) };

	guarded.room = (size + guarded.page) / guarded.page * guarded.page;
	guarded.pages = mmap(NULL, guarded.room + guarded.page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(guarded.pages, MAP_FAILED);
	mprotect(guarded.pages + guarded.room, guarded.page, PROT_NONE);
	return guarded;
}

static void guarded_free(struct guarded *guarded)
{
	munmap(guarded->pages, guarded->room + guarded->page);
}

static void parse_guarded(const struct guarded *guarded, const char *text, size_t size)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *printed = NULL;
	char *end = guarded->pages + guarded->room;
	int r;

	memcpy(end - size, text, size);
	r = config_parse(end - size, size, &model, &findings);
	cr_assert(r == 0 || (r == -EINVAL && findings.errors));
	printed = support_print(&findings, "f", end - size, size, false);
	vec_foreach(finding, &findings.list) {
		cr_assert_leq(finding->offset, size);
		cr_assert(!finding->line || (finding->column && finding->length));
		cr_assert(!strchr(finding->message, '\n'));
	}
}

/* Every file, broken off after every byte. */
Test(config_hostile, broken_off)
{
	glob_t files;

	cr_assert_eq(glob(FILES, 0, NULL, &files), 0);
	cr_assert_eq(glob(GOOD, GLOB_APPEND, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		size_t size;
		_cleanup_(freep) char *text = support_read(files.gl_pathv[i], &size);
		struct guarded guarded = guarded_new(size);

		for (size_t part = 0; part <= size; part++)
			parse_guarded(&guarded, text, part);
		guarded_free(&guarded);
	}
	globfree(&files);
}

static void spoil(char *text, size_t size, uint64_t *state)
{
	static const char bytes[] = ":-[]{},&*!|>'\"%@`#? \t\n\r\0\xc3\xff\x80"
				    "0a~\\";

	for (int i = 0; i < 4; i++) {
		*state = *state * 6364136223846793005u + 1442695040888963407u;
		text[(*state >> 40) % size] = bytes[(*state >> 33) % (sizeof(bytes) - 1)];
	}
}

Test(config_hostile, spoilt_bytes)
{
	size_t size;
	_cleanup_(freep) char *text = support_read("tests/unit/config/good/full.yaml", &size);
	_cleanup_(freep) char *copy = malloc(size);
	struct guarded guarded = guarded_new(size);
	uint64_t state = 1;

	for (int i = 0; i < 10000; i++) {
		memcpy(copy, text, size);
		spoil(copy, size, &state);
		parse_guarded(&guarded, copy, size);
	}
	guarded_free(&guarded);
}

static void try_repeated(const char *head, const char *part, size_t count, const char *tail,
			 const char *wanted)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(str_fini) struct str text = {};
	struct model *model = NULL;
	const struct finding *last;

	str_add(&text, "%s", head);
	for (size_t i = 0; i < count; i++)
		str_add(&text, "%s", part);
	str_add(&text, "%s", tail);
	cr_expect_eq(config_parse(text.text, text.size, &model, &findings), -EINVAL);
	cr_assert(findings.list.count);
	last = &findings.list.items[findings.list.count - 1];
	cr_expect(strstr(last->message, wanted) || strstr(findings.list.items->message, wanted),
		  "%s", last->message);
}

Test(config_hostile, bombs)
{
	try_repeated("", "a", (64 << 20) + 1, "", "at most 64 MiB");
	try_repeated("version: 1\nsnat: ", "[", 100000, "\n", "more than 32 levels");
	try_repeated("version: 1\nnode: ", "{a: ", 100000, "\n", "more than 32 levels");
	try_repeated("version: 1\nsnat: [", "a,", 4100000, "]\n", "more than 4000000 values");
	try_repeated("version: 1\n", "x: 1\n", 2000, "", "there are more findings");
	try_repeated("a: &a [x]\n", "b: &b [*a, *a]\n", 20, "", "is not supported");
	try_repeated("version: 1", " ", 100000, "\n---\nversion: 1\n", "a second document");
}

/* Two megabytes of groups, each in a region of its own, the last two in one: asked of each with
 * each, that takes a minute, in a daemon that does nothing else meanwhile. */
Test(config_hostile, many_groups, .timeout = 30)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(str_fini) struct str text = {};
	struct model *model = NULL;

	str_add(&text, "version: 1\nlisteners:\n- {name: a, protocol: tcp, address: [192.0.2.1], "
		       "port: 80, endpoint_groups: [");
	for (unsigned i = 0; i < 40000; i++)
		str_add(&text, "{name: g%u, region: r%u, endpoints: [10.0.%u.%u]}, ", i,
			i < 39999 ? i : 39998, i >> 8, i & 255);
	str_add(&text, "]}\n");
	cr_expect_eq(config_parse(text.text, text.size, &model, &findings), -EINVAL);
	cr_assert_eq(findings.errors, 2, "too many, and two in one region");
	cr_expect_str_eq(findings.list.items[1].message,
			 "group 'g39998' is in region 'r39998', too; the default groups of a "
			 "listener lie in different regions: put the endpoints into one group, or "
			 "name another region");
}

Test(config_hostile, bytes)
{
	static const struct {
		const char *text;
		size_t size;
		const char *wanted;
	} cases[] = {
		{ "", 0,
		  "0:0 error there is no configuration in it; the first key is 'version: 1'\n" },
		{ NULL, 0,
		  "0:0 error there is no configuration in it; the first key is 'version: 1'\n" },
		{ "# a\n---\n...\n", 12,
		  "0:0 error there is no configuration in it; the first key is 'version: 1'\n" },
		{ "version: 1\n\0\n", 13, "2:1 error NUL byte; a configuration is plain text\n" },
		{ "version: \"\\0\"\n", 14, "1:10 error the text has a NUL character in it\n" },
		{ "a\n# \xff\n", 6,
		  "2:3 error byte 0xff is not UTF-8; save the file as UTF-8 text\n" },
		{ "# \xed\xa0\x80\n", 6,
		  "1:3 error byte 0xed is not UTF-8; save the file as UTF-8 text\n" },
		{ "# \xc0\xaf\n", 5,
		  "1:3 error byte 0xc0 is not UTF-8; save the file as UTF-8 text\n" },
		{ "\xff\xfev\0", 4,
		  "1:1 error byte 0xff is not UTF-8; save the file as UTF-8 text\n" },
		{ "# \x07\n", 4, "1:3 error control character U+0007 is not allowed\n" },
		{ "version: 1\n---\nversion: 1\n", 26,
		  "2:1 error a second document begins here; weir reads only one\n" },
		{ "version: &a 1\n", 14,
		  "1:10 error '&' begins an anchor, which is not supported; quote the value, or "
		  "write it without '&a'\n" },
		{ "version: !!int 1\n", 17,
		  "1:10 error '!' begins a tag, which is not supported; quote the value, or write "
		  "it without the tag\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		support_expect(cases[i].text, cases[i].size, cases[i].wanted);
}
