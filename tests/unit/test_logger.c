// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: lines reach the file that was there when they were added, whole and in order, round and
 * round the memory that they go through, also when the worker has ended at once; what finds no
 * room, or a file that takes nothing, is counted and holds up nobody.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proxy/logger.h"
#include "util/cleanup.h"
#include "util/file.h"

#define LINE 200 /* bytes */

static char folder[] = "/tmp/weir-logger-XXXXXX";

static void path_of(const char *name, char path[64])
{
	snprintf(path, 64, "%s/%s", folder, name);
}

static int open_file(const char *name)
{
	char path[64];
	int fd;

	path_of(name, path);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	return fd;
}

/* The process that writes. */
static pid_t begin(struct logger *logger)
{
	pid_t writer = fork();

	cr_assert_geq(writer, 0);
	if (!writer) {
		logger_serve(logger);
		_exit(0);
	}
	logger_begin(logger);
	return writer;
}

static void end(struct logger *logger, pid_t writer)
{
	int status;

	logger_free(logger);
	cr_assert_eq(waitpid(writer, &status, 0), writer);
	cr_assert_eq(status, 0);
}

static bool add(struct logger *logger, unsigned number)
{
	char line[LINE + 1];

	snprintf(line, sizeof(line), "%0*u\n", LINE - 1, number);
	return logger_add(logger, line, LINE);
}

/* The file has these lines, and no others. */
static void expect_lines(const char *name, unsigned first, unsigned count)
{
	_cleanup_(freep) char *text = NULL;
	char path[64];
	size_t size;

	path_of(name, path);
	cr_assert_eq(file_read(path, FILE_MAX, &text, &size), 0);
	cr_assert_eq(size, (size_t)count * LINE, "%s: %zu lines", name, size / LINE);
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(strtoul(text + (size_t)i * LINE, NULL, 10), first + i, "%s: line %u",
			     name, i);
}

static void set_up(void)
{
	cr_assert(mkdtemp(folder));
}

static void clear(void)
{
	static const char *const names[] = { "a", "b" };

	for (size_t i = 0; i < 2; i++) {
		char path[64];

		path_of(names[i], path);
		unlink(path);
	}
	rmdir(folder);
}

TestSuite(logger, .init = set_up, .fini = clear, .timeout = 60);

Test(logger, round_and_round)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	const unsigned lines = 100000; /* twenty megabytes */
	_cleanup_(closep) int file = open_file("a");
	struct logger *logger;
	pid_t writer;

	cr_assert_eq(logger_new(&logger), 0);
	writer = begin(logger);
	cr_assert_not(logger_wants(logger));
	cr_assert_eq(logger_follow(logger, file), 0);
	cr_assert(logger_wants(logger));
	for (unsigned i = 0; i < lines;)
		if (add(logger, i))
			i++;
		else
			nanosleep(&moment, NULL);
	end(logger, writer);
	expect_lines("a", 0, lines);
}

Test(logger, another_file)
{
	_cleanup_(closep) int a = open_file("a");
	_cleanup_(closep) int b = open_file("b");
	struct logger *logger;
	struct stat status;
	unsigned first;
	pid_t writer;

	cr_assert_eq(logger_new(&logger), 0);
	writer = begin(logger);
	logger_follow(logger, a);
	for (unsigned i = 0; i < 100; i++)
		cr_assert(add(logger, i));
	logger_follow(logger, b);
	cr_assert_eq(logger_follow(logger, -1), 0);
	cr_assert_not(logger_wants(logger));
	logger_follow(logger, b);
	for (unsigned i = 100; i < 200; i++)
		cr_assert(add(logger, i));
	cr_assert_eq(logger_lost(logger), 0);
	end(logger, writer);
	/* Lines that are added before the writer has heard of a file go to the one before. */
	cr_assert_eq(fstat(a, &status), 0);
	first = status.st_size / LINE;
	cr_assert_geq(first, 100u);
	expect_lines("a", 0, first);
	expect_lines("b", first, 200 - first);
}

/* Nobody writes until the memory, of four mebibytes, is full. */
Test(logger, no_room)
{
	const unsigned held = (4u << 20) / LINE;
	_cleanup_(closep) int file = open_file("a");
	struct logger *logger;
	pid_t writer, worker;
	int status;

	cr_assert_eq(logger_new(&logger), 0);
	worker = fork();
	cr_assert_geq(worker, 0);
	if (!worker) {
		logger_begin(logger);
		logger_follow(logger, file);
		for (unsigned i = 0; i < held + 10; i++)
			if (add(logger, i) != (i < held))
				_exit(1);
		_exit(0);
	}
	cr_assert_eq(waitpid(worker, &status, 0), worker);
	cr_assert_eq(status, 0);
	cr_assert_eq(logger_lost(logger), 10);
	writer = begin(logger);
	end(logger, writer);
	expect_lines("a", 0, held);
}

Test(logger, takes_nothing)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	_cleanup_(closep) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct logger *logger;
	pid_t writer;

	cr_assert_eq(logger_new(&logger), 0);
	writer = begin(logger);
	logger_follow(logger, full);
	for (unsigned i = 0; i < 500; i++)
		cr_assert(add(logger, i));
	while (logger_lost(logger) < 500) /* the suite's time is the deadline */
		nanosleep(&moment, NULL);
	cr_assert_eq(logger_lost(logger), 500);
	end(logger, writer);
}

/* A worker that is killed: what it has added is written. */
Test(logger, killed)
{
	_cleanup_(closep) int file = open_file("a");
	struct logger *logger;
	pid_t writer, worker;
	int status;

	cr_assert_eq(logger_new(&logger), 0);
	worker = fork();
	cr_assert_geq(worker, 0);
	if (!worker) {
		logger_begin(logger);
		logger_follow(logger, file);
		for (unsigned i = 0; i < 1000; i++)
			add(logger, i);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(worker, &status, 0), worker);
	cr_assert(WIFSIGNALED(status));
	writer = begin(logger);
	end(logger, writer);
	expect_lines("a", 0, 1000);
}
