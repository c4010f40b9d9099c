// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what sd_notify(3) describes: one datagram per message at the socket that the environment
 * names, nothing where it names none, and never a wait or a signal where nobody listens any more.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/notify.h"

/* Listens as a service manager; `name` may begin with '@'. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, name);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	else
		unlink(name);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address,
			  offsetof(struct sockaddr_un, sun_path) + strlen(name)),
		     0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static int listen_abstract(void)
{
	char name[64];

	snprintf(name, sizeof(name), "@weir-test-notify-%d", getpid());
	return listen_at(name);
}

static void hears(int fd, const char *wanted)
{
	char text[2048] = "";
	ssize_t size = recv(fd, text, sizeof(text) - 1, 0);

	cr_assert_geq(size, 0, "nothing came");
	cr_expect_str_eq(text, wanted);
}

static void check(int fd)
{
	char byte;

	cr_expect(notify_wanted());
	cr_expect_eq(notify_send("READY=1\nSTATUS=%d listeners", 3), 0);
	cr_expect_eq(notify_send("WATCHDOG=1"), 0);
	hears(fd, "READY=1\nSTATUS=3 listeners");
	hears(fd, "WATCHDOG=1");
	cr_expect(recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN);
	close(fd);
	cr_expect_eq(notify_send("WATCHDOG=1"), -ECONNREFUSED);
}

Test(notify, path)
{
	char name[64];

	snprintf(name, sizeof(name), "/tmp/weir-test-notify-%d", getpid());
	check(listen_at(name));
	unlink(name);
}

Test(notify, abstract)
{
	check(listen_abstract());
}

/* A queue that is full: the daemon does not wait for whoever does not read. */
Test(notify, never_waits, .timeout = 10)
{
	int fd = listen_abstract(), r = 0;

	for (int i = 0; !r && i < 100000; i++)
		r = notify_send("WATCHDOG=1");
	cr_expect_eq(r, -EAGAIN);
	close(fd);
}

/* A long text is cut, not lost. */
Test(notify, long_text)
{
	char text[4000], got[4000];
	int fd = listen_abstract();

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(notify_send("STATUS=%s", text), 0);
	cr_expect_eq(recv(fd, got, sizeof(got), 0), 1023);
	close(fd);
}

Test(notify, nobody)
{
	char too_long[200];

	unsetenv("NOTIFY_SOCKET");
	cr_expect(!notify_wanted());
	cr_expect_eq(notify_send("READY=1"), -ENOTCONN);
	memset(too_long, '/', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	setenv("NOTIFY_SOCKET", too_long, 1);
	cr_expect(!notify_wanted());
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	cr_expect(!notify_wanted());
	setenv("NOTIFY_SOCKET", "", 1);
	cr_expect(!notify_wanted());
}

Test(notify, watchdog)
{
	char pid[16];

	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	cr_expect_eq(notify_watchdog(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	cr_expect_eq(notify_watchdog(), 30000000);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_expect_eq(notify_watchdog(), 30000000);
	setenv("WATCHDOG_PID", "1", 1); /* that of somebody else */
	cr_expect_eq(notify_watchdog(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "3s", 1);
	cr_expect_eq(notify_watchdog(), 0);
	setenv("WATCHDOG_USEC", "-1", 1);
	cr_expect_eq(notify_watchdog(), 0);
}
