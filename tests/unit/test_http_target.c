// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a path that is written in another way is the same path to the rules, or is refused. Paths
 * end at a forbidden page.
 */
#include "http/support.h"

#include "http/target.h"
#include "random.h"

/* The normal form; NULL: refused. Valid up to the next call. */
static const char *normal(const char *path)
{
	static char *text;
	size_t size = strlen(path);
	struct slice slice = { support_copy(path, size), size };
	const char *why = NULL;
	int r = target_check(slice, &why);

	if (r < 0) {
		cr_assert(why && *why);
		return NULL;
	}
	text = text ?: malloc(SUPPORT_ROOM);
	size = target_normalise(slice, memset(support_guarded(1, size), 'x', size));
	cr_assert_leq(size, slice.size);
	memcpy(text, support_guarded(1, slice.size), size);
	text[size] = '\0';
	if (r == 0)
		cr_assert_str_eq(text, path);
	return text;
}

static void expect(const char *path, const char *wanted)
{
	const char *got = normal(path);

	cr_expect(wanted ? got && !strcmp(got, wanted) : !got, "%s: '%s', not '%s'", path,
		  got ?: "refused", wanted ?: "refused");
}

Test(http_target, decoding)
{
	expect("/", "/");
	expect("/a/b.c/-_~", "/a/b.c/-_~");
	expect("/%61%5A%39%2d%2E%5f%7e", "/aZ9-._~");
	expect("/%2f%2F%3b%25%20%c3%a4", "/%2F%2F%3B%25%20%C3%A4");
	expect("/a//b;c=d//", "/a//b;c=d//");
	expect("/%5c%5C", "/%5C%5C");
	/* Decoded once: what comes out is not looked at again. */
	expect("/%2561", "/%2561");
	expect("/%252e%252e/a", "/%252e%252e/a");
}

Test(http_target, dot_segments)
{
	expect("/.", "/");
	expect("/./", "/");
	expect("/a/.", "/a/");
	expect("/a/./b", "/a/b");
	expect("/a/..", "/");
	expect("/a/../", "/");
	expect("/a/../b", "/b");
	expect("/a/b/../..", "/");
	expect("/a/b/../../c", "/c");
	expect("/a/b/c/./../../g", "/a/g");
	expect("/a//../b", "/a/b");
	expect("//..", "/");
	expect("//../a", "/a");
	expect("/a/%2e%2e/admin", "/admin");
	expect("/a/.%2E/admin", "/admin");
	expect("/a/%2e./%61dmin", "/admin");
	expect("/a/%2e/%2e/b", "/a/b");
	expect("/...", "/...");
	expect("/..a/b..", "/..a/b..");
	expect("/.a", "/.a");
	expect("/%2e%2e%2e/x", "/.../x");
	expect("/a/..;/b", "/a/..;/b");
	expect("/a/..%2fb", "/a/..%2Fb");
	expect("/a%2f../b", "/a%2F../b");
}

Test(http_target, refusals)
{
	static const char *const paths[] = {
		"/..",		"/../",	     "/a/../..", "/a/../../a",
		"/./..",	"/%2e%2e",   "/.%2e/a",	 "/a/%2E%2e/..",
		"/a//../../..", "/%00",	     "/a%00b",	 "/\\",
		"/a\\..",	"/%",	     "/%4",	 "/%4g",
		"/%g4",		"/%%41",     "/ ",	 "/a\tb",
		"/#",		"/\"",	     "/<",	 "/>",
		"/\x7f",	"/\xc3\xa4", "",	 "a",
		"./a",		"*",	     "?",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		expect(paths[i], NULL);
}

/* One reads segments from the left and keeps a stack of them: slow, and plain to see. */
static bool reference(const char *path, char *ret)
{
	char decoded[256], *stack[64];
	size_t count = 0, size = 0;
	bool dots = true;

	for (const char *at = path; *at; at++) {
		unsigned byte = *at;

		if (*at == '%') {
			sscanf(at + 1, "%2x", &byte);
			at += 2;
		}
		if (*at == '/' || byte == '.' || (byte >= 'a' && byte <= 'z'))
			decoded[size++] = byte;
		else
			size += sprintf(decoded + size, "%%%02X", byte);
	}
	decoded[size] = '\0';
	for (char *at = decoded, *next; at; at = next) {
		char *segment = at + 1;

		next = strchr(segment, '/');
		if (next)
			*next = '\0';
		dots = !strcmp(segment, ".") || !strcmp(segment, "..");
		if (!strcmp(segment, "..") && !count--)
			return false;
		if (!dots)
			stack[count++] = segment;
	}
	*ret = '\0';
	for (size_t i = 0; i < count; i++)
		ret += sprintf(ret, "/%s", stack[i]);
	if (dots)
		strcpy(ret, "/");
	return true;
}

Test(http_target, random_paths)
{
	static const char *const parts[] = {
		"/", ".", "%2e", "%2E", "a", "%2f", "%62", "/..", "/."
	};
	uint64_t random = 5;

	for (unsigned i = 0; i < 200000; i++) {
		char path[64] = "/", wanted[256];
		bool good;

		for (unsigned n = random_below(&random, 12); n; n--)
			strcat(path,
			       parts[random_below(&random, sizeof(parts) / sizeof(parts[0]))]);
		good = reference(path, wanted);
		expect(path, good ? wanted : NULL);
		/* It is its own normal form. */
		if (good)
			expect(wanted, wanted);
	}
}
