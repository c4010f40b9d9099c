// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
		return "; make its folder";
	case EACCES:
	case EPERM:
	case EROFS:
		return "; it must be in a folder that the daemon's user may write to, like "
		       "/var/log/weir";
	case ENXIO:
		return "; it is a pipe, and nobody reads it";
	default:
		return "";
	}
}

int logfile_open(const char *path, struct err *err)
{
	/* Without waiting for a pipe's reader. */
	_cleanup_(closep) int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0)
		return err_set(err, -errno, "access_log: %s: %s%s", path, strerror(errno),
			       advice(errno));
	/* Who writes to it has nothing else to do. */
	if (fcntl(fd, F_SETFL, O_APPEND))
		return err_set(err, -errno, "access_log: %s: %s", path, strerror(errno));
	return take_fd(&fd);
}
