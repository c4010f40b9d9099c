/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the files that `client_regions:` names and makes one of them: the work of locating.c that
 * takes long, done in a thread of its own. It touches nothing but its struct, and writes no log.
 */
#ifndef WEIR_DAEMON_READING_H
#define WEIR_DAEMON_READING_H

#include <stdbool.h>

#include "config/clients.h"
#include "plan/locations.h"
#include "util/err.h"
#include "util/file.h"

enum reading_kind {
	READING_FILE,
	READING_MAXMIND,
	READING_KINDS,
};

struct reading_source {
	char *path;		      /* owned; NULL: the configuration names none */
	bool wanted;		      /* is it to be read? */
	const struct clients *before; /* the lender's: instead, where it is not, or cannot be */
	/* What has come of it. */
	struct file_state state; /* of what was read, or could not be */
	struct clients clients;
	struct findings findings; /* in the file */
	struct err err;
	int result; /* 0, or -errno with a text */
};

struct reading {
	struct reading_source sources[READING_KINDS];
	struct model *regions; /* owned: those by which a database's countries are told apart */
	struct locations *locations; /* owned: of both; NULL: out of memory */
};

/* Takes the paths and regions of a model. 0 or -ENOMEM; the caller's to fini either way. */
int reading_init(struct reading *reading, const struct model *model);
void reading_fini(struct reading *reading);

/* Does it: `user` is the struct reading. */
void reading_run(void *user);

#endif
