/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files of the inventory, and what each said when it could last be read: the part of stock.c
 * that knows no addresses. One may be large, so that it is read in a thread, wherever something
 * else could wait for it. One that is bad says so, once.
 */
#ifndef WEIR_DAEMON_STOCK_FILES_H
#define WEIR_DAEMON_STOCK_FILES_H

#include <stdbool.h>

#include "config/instances.h"
#include "config/remarks.h"
#include "util/loop.h"

struct stock_files;

struct stock_files_calls {
	/* Files have been read. Until it returns they count as such, even if one has changed again.
	 */
	void (*read)(void *user);
	void *user;
};

/* Without a loop (NULL) nothing is said in the log, and read but by stock_files_open(). 0 or
 * -ENOMEM. */
int stock_files_new(struct loop *loop, const struct stock_files_calls *calls,
		    struct stock_files **ret);
void stock_files_free(struct stock_files *files);

/* Have those of a model been read as they are now? 0, also if they could not be. -EINPROGRESS: they
 * are being read, and calls.read is called afterwards. -ENOMEM, -EAGAIN: no thread to be had. */
int stock_files_ready(struct stock_files *files, const struct model *model);

/* Reads those that have never been, here and now: for who has nothing else to do, a daemon that
 * starts or `weir check`. 0 or -ENOMEM. */
int stock_files_open(struct stock_files *files, const struct model *model);

/* Every second: those of the model that have changed, and not again since the last look, are read,
 * and calls.read is called afterwards. */
void stock_files_look(struct stock_files *files, const struct model *model);

/* Forgets those that the model does not name. */
void stock_files_keep(struct stock_files *files, const struct model *model);

/* An endpoint's, in the order of the files: the first that has it, or NULL. *ret_sure: no file that
 * could have it has never been read. */
const struct instance *stock_files_find(const struct stock_files *files, const struct model *model,
					const struct endpoint *endpoint, bool *ret_sure);

/* Each file of the model that is bad, or only a part. */
void stock_files_report(const struct stock_files *files, const struct model *model,
			struct remarks *remarks);

#endif
