// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a file is read whole or not at all, and replaced so that at any moment its old or its new
 * content is there.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"

static char folder[] = "/tmp/weir-test-file-XXXXXX";

static void begin(void)
{
	cr_assert(mkdtemp(folder));
}

static void end(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *data, size_t size)
{
	FILE *file = fopen(path_of(name), "w");

	cr_assert(file);
	cr_assert_eq(fwrite(data, 1, size, file), size);
	cr_assert_eq(fclose(file), 0);
}

TestSuite(file, .init = begin, .fini = end);

/* What is no regular file may have no end, and a pipe no writer. */
Test(file, read_regular_only, .timeout = 10)
{
	char *text = NULL;

	cr_assert_eq(mkfifo(path_of("pipe"), 0600), 0);
	cr_expect_eq(file_read(path_of("pipe"), 100, &text, NULL), -EINVAL);
	cr_expect_eq(file_read("/dev/zero", 100, &text, NULL), -EINVAL);
	cr_expect_eq(file_read(folder, 100, &text, NULL), -EISDIR);
	cr_expect_null(text);
	cr_expect_str_eq(file_error(-EINVAL), "not a regular file");
}

Test(file, read_stream, .timeout = 10)
{
	_cleanup_(freep) char *text = NULL;
	char path[32];
	size_t size;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "version: 1", 10), 10);
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	cr_assert_eq(file_read_stream(path, 100, &text, &size), 0);
	cr_expect_eq(size, 10);
	cr_expect_str_eq(text, "version: 1");
	close(ends[0]);
}

/* 1: sizes around the buffer's and the limit. */
Test(file, read_sizes)
{
	static const struct {
		size_t size, max;
		int error;
	} cases[] = {
		{ 0, 0, 0 },	       { 0, 100, 0 },
		{ 1, 1, 0 },	       { 1, 0, -EFBIG },
		{ 4094, 5000, 0 },     { 4095, 5000, 0 },
		{ 4096, 5000, 0 },     { 4097, 5000, 0 },
		{ 5000, 5000, 0 },     { 5001, 5000, -EFBIG },
		{ 100000, 100000, 0 }, { 100001, 100000, -EFBIG },
	};
	static char data[100001];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = (char *)data;
		_cleanup_(freep) char *got = NULL;
		size_t size = 12345;

		write_file("sized", data, cases[i].size);
		cr_expect_eq(file_read(path_of("sized"), cases[i].max, &text, &size),
			     cases[i].error, "case %zu", i);
		if (cases[i].error) {
			cr_expect(text == data && size == 12345, "outputs untouched, case %zu", i);
			continue;
		}
		got = text;
		cr_assert_eq(size, cases[i].size, "case %zu", i);
		cr_expect(!memcmp(got, data, size) && !got[size], "case %zu", i);
	}
}

/* 2: what is no readable file says why. */
Test(file, read_errors)
{
	char *text = NULL;

	cr_expect_eq(file_read(path_of("absent"), 100, &text, NULL), -ENOENT);
	cr_expect_eq(file_read(folder, 100, &text, NULL), -EISDIR);
	cr_expect_eq(file_read(path_of("absent/deeper"), 100, &text, NULL), -ENOENT);
	write_file("plain", "x", 1);
	cr_expect_eq(file_read(path_of("plain/deeper"), 100, &text, NULL), -ENOTDIR);
	cr_expect_eq(file_read_stream("/dev/zero", 10000, &text, NULL), -EFBIG);
	cr_expect_null(text);
	cr_expect_eq(file_read_stream("/dev/null", 0, &text, NULL), 0);
	cr_expect_str_eq(text, "");
	free(text);
}

static char *read_back(const char *name)
{
	char *text = NULL;

	cr_assert_eq(file_read(path_of(name), 1000, &text, NULL), 0);
	return text;
}

/* 3: replaced: content, mode, and nothing else left in the folder. */
Test(file, replace)
{
	_cleanup_(freep) char *first = NULL, *second = NULL;
	struct stat status;

	umask(0);
	cr_expect_eq(file_replace(folder, "state.json", "one", 3), 0);
	first = read_back("state.json");
	cr_expect_str_eq(first, "one");
	cr_assert_eq(stat(path_of("state.json"), &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0640, "%o", status.st_mode);
	cr_expect_eq(file_replace(folder, "state.json", "", 0), 0);
	second = read_back("state.json");
	cr_expect_str_eq(second, "");
	cr_expect(rmdir(folder) && errno == ENOTEMPTY);
	cr_expect_eq(unlink(path_of("state.json")), 0);
	cr_expect_eq(rmdir(folder), 0, "something was left behind");
}

/* 4: a crash may have left half of a new file; whoever has the old one open keeps it. */
Test(file, replace_over_leftovers)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(fclosep) FILE *old = NULL;
	char line[16] = "";

	write_file(".state.json.new", "half of something much longer", 29);
	write_file("state.json", "old", 3);
	old = fopen(path_of("state.json"), "r");
	cr_expect_eq(file_replace(folder, "state.json", "new", 3), 0);
	text = read_back("state.json");
	cr_expect_str_eq(text, "new");
	cr_expect(fgets(line, sizeof(line), old));
	cr_expect_str_eq(line, "old");
	cr_expect(access(path_of(".state.json.new"), F_OK) && errno == ENOENT);
}

/* 5: no room: the old file stays, and no half of the new one. */
Test(file, replace_without_room)
{
	static char large[10000];
	struct rlimit limit = { .rlim_cur = 4096, .rlim_max = RLIM_INFINITY };
	_cleanup_(freep) char *text = NULL;

	write_file("state.json", "old", 3);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(file_replace(folder, "state.json", large, sizeof(large)), -EFBIG);
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	text = read_back("state.json");
	cr_expect_str_eq(text, "old");
	cr_expect(access(path_of(".state.json.new"), F_OK) && errno == ENOENT);
}

/* 6: nowhere to write. */
Test(file, replace_errors)
{
	cr_expect_eq(file_replace(path_of("absent"), "a", "x", 1), -ENOENT);
	write_file("plain", "x", 1);
	cr_expect_eq(file_replace(path_of("plain"), "a", "x", 1), -ENOTDIR);
	cr_assert_eq(mkdir(path_of("taken"), 0755), 0);
	cr_expect_eq(file_replace(folder, "taken", "x", 1), -EISDIR);
	cr_expect(access(path_of(".taken.new"), F_OK) && errno == ENOENT);
}

/* 7: needs root: what root writes in the folder of another user is that user's. */
Test(file, root_writes_for_the_owner)
{
	struct stat status;

	cr_assert_eq(chown(folder, 54321, 54322), 0);
	cr_expect_eq(file_replace(folder, "state.json", "x", 1), 0);
	cr_assert_eq(stat(path_of("state.json"), &status), 0);
	cr_expect(status.st_uid == 54321 && status.st_gid == 54322);
}

/* 8: needs root: who may not is told whose group he lacks, also of a folder that he cannot enter.
 */
Test(file, denied)
{
	char wanted[256];
	struct err err = {};

	cr_expect_eq(file_denied(path_of("of-root"), -EACCES, &err), -EACCES);
	snprintf(wanted, sizeof(wanted), "%s: not permitted; run as root", path_of("of-root"));
	cr_expect_str_eq(err.text, wanted);
	cr_assert_eq(mkdir(path_of("closed"), 0750), 0);
	cr_assert_eq(chown(path_of("closed"), 0, 1), 0);
	cr_assert_eq(chmod(folder, 0711), 0);
	cr_assert_eq(setegid(54321), 0);
	cr_assert_eq(seteuid(54321), 0);
	cr_expect_eq(file_denied(path_of("closed/in/it"), -EPERM, &err), -EPERM);
	cr_expect(strstr(err.text, "closed/in/it: not permitted; run as root, or be in the group "
				   "'daemon': sudo usermod -aG daemon USER"),
		  "%s", err.text);
	cr_assert_eq(seteuid(0), 0);
}
