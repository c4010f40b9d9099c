// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The instance that all tests of a program share: its pins are made once, and removed however the
 * program ends, with those of a second node if some test has made one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <weir/names.h>

#include "rig.h"

#define INSTANCE_PREFIX "weirtest-"

void rig_instance_name(char name[RIG_INSTANCE_NAME], pid_t runner, unsigned node)
{
	int length = snprintf(name, RIG_INSTANCE_NAME, INSTANCE_PREFIX "%d", runner);

	if (node)
		snprintf(name + length, RIG_INSTANCE_NAME - (size_t)length, "-%u", node);
}

static void remove_nodes(pid_t runner)
{
	char name[RIG_INSTANCE_NAME];
	struct err err = {};

	for (unsigned node = 0; node < RIG_NODES; node++) {
		rig_instance_name(name, runner, node);
		if (object_unpin(name, &err) < 0)
			fprintf(stderr, "rig: %s\n", err.text);
	}
}

/* What runners left behind that were killed with their watchers. */
static void remove_stale(void)
{
	const size_t prefix = strlen(INSTANCE_PREFIX);
	DIR *pins = opendir(WEIR_BPFFS);
	struct dirent *entry;

	while (pins && (entry = readdir(pins))) {
		int pid = atoi(entry->d_name + (strlen(entry->d_name) < prefix ? 0 : prefix));

		if (!strncmp(entry->d_name, INSTANCE_PREFIX, prefix) && pid > 0 && kill(pid, 0) &&
		    errno == ESRCH)
			object_unpin(entry->d_name, NULL);
	}
	if (pins)
		closedir(pins);
}

/* Removes the pins when the runner is gone, however it went: it holds the pipe's other end. */
static void watch_runner(void)
{
	pid_t runner = getpid();
	int ends[2];
	char byte;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return;
	child = fork();
	if (child > 0)
		waitpid(child, NULL, 0);
	if (child) {
		close(ends[0]);
		return; /* ends[1] stays open as long as the runner lives */
	}
	close(ends[1]);
	if (fork() || setsid() < 0)
		_exit(0);
	while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
		;
	remove_nodes(runner);
	_exit(0);
}

/* Enough for most tests; others see it grow. */
const struct capacity rig_capacity = {
	.of = {
		[CAPACITY_LISTENERS] = 256,
		[CAPACITY_CELLS] = 4096,
		[CAPACITY_ROWS] = 2048,
		[CAPACITY_LINES] = 32768,
		[CAPACITY_BOUND_LINES] = 1024,
		[CAPACITY_CLIENT_ROWS] = 1024,
		[CAPACITY_SOURCES] = WEIR_SOURCE_LINES,
		[CAPACITY_EXCEPTIONS] = 131072,
		[CAPACITY_NAT_FLOWS] = 131072,
	},
};

void rig_make_instance(void)
{
	struct object *object;
	struct err err = {};
	char name[RIG_INSTANCE_NAME];
	bool fresh;

	remove_stale();
	rig_instance_name(name, getpid(), 0);
	watch_runner();
	if (object_load(name, &rig_capacity, &object, &fresh, &err) < 0)
		fprintf(stderr, "rig: %s\n", err.text); /* each test says so, too */
	else
		object_close(object);
}

void rig_remove_instance(void)
{
	remove_nodes(getpid());
}
