/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom the daemon runs as: a user of its own with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. Whoever
 * starts it as root gets that too: it hands its folders to the user and becomes him before it reads
 * anything. The group of the user may do with the instance what the command line can.
 *
 *   /run/INSTANCE          0750, in it admin.sock 0660
 *   /var/lib/INSTANCE      0750, in it files 0640
 *   /sys/fs/bpf            can be passed through by everybody (0711; Debian has 0700)
 *   /sys/fs/bpf/INSTANCE   0750, in it pins 0660: none opened for reading only can be mapped
 */
#ifndef WEIR_DAEMON_PRIVILEGES_H
#define WEIR_DAEMON_PRIVILEGES_H

#include <stddef.h>

#include "util/err.h"

#define PRIVILEGES_USER "weir" /* unless another is named */

/*
 * As root: mounts bpffs where it is missing, makes the instance's folders, and hands them with all
 * in them to the user. A user of NULL is PRIVILEGES_USER, or root where the host has none of that
 * name. -EINVAL: there is no such user; -EPERM: this is not root.
 */
int privileges_prepare(const char *instance, const char *user, struct err *err);

/*
 * The same, and this process becomes that user and gives up every capability but the three; who is
 * not root gives up what he has of others, and `user` may only be himself. Logs whom it is then.
 * For a process of one thread.
 */
int privileges_settle(const char *instance, const char *user, struct err *err);

/* Why a file of the operator's cannot be read: where this user may not (`code` is -EACCES), the
 * text becomes what would let him. Not for a thread beside another. */
void privileges_explain(const char *path, int code, struct err *err);

/* file_read() of what the operator wrote: where this user may not, the text says what would let
 * him. */
int privileges_read(const char *path, char **ret, size_t *ret_size, struct err *err);

#endif
