// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"

#define TEXT_MAX 1024

/* The address in the environment: of a path, or "@NAME" of Linux's own name space. 0: none. */
static socklen_t address_of(struct sockaddr_un *ret)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	if (length < 2 || length >= sizeof(ret->sun_path) || (path[0] != '/' && path[0] != '@'))
		return 0;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, length);
	if (path[0] == '@')
		ret->sun_path[0] = '\0';
	return offsetof(struct sockaddr_un, sun_path) + length;
}

bool notify_wanted(void)
{
	struct sockaddr_un address;

	return address_of(&address);
}

int notify_send(const char *format, ...)
{
	_cleanup_(closep) int fd = -1;
	struct sockaddr_un address;
	socklen_t size = address_of(&address);
	char text[TEXT_MAX];
	va_list arguments;
	int length;

	if (!size)
		return -ENOTCONN;
	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length >= (int)sizeof(text))
		length = sizeof(text) - 1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, text, length, MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
		return -errno;
	return 0;
}

/* A number that fills the whole variable; 0: none. */
static uint64_t number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end = NULL;
	uint64_t number;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtoull(text, &end, 10);
	return errno || *end ? 0 : number;
}

uint64_t notify_watchdog(void)
{
	if (getenv("WATCHDOG_PID") && number_of("WATCHDOG_PID") != (uint64_t)getpid())
		return 0;
	return number_of("WATCHDOG_USEC");
}
