/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configurations that were in force, numbered from 1, the last of them still is: the text of
 * each in /var/lib/INSTANCE/history/N.yaml, who put it in force and how in N.json, written last.
 * The newest HISTORY_KEPT stay. To be read with or without a daemon.
 */
#ifndef WEIR_DAEMON_HISTORY_H
#define WEIR_DAEMON_HISTORY_H

#include <stdint.h>
#include <sys/types.h>

#include "util/err.h"
#include "util/vec.h"

#define HISTORY_KEPT	50
#define HISTORY_HOW_MAX 256

struct history_entry {
	uint32_t number;
	int64_t when; /* s since 1970 */
	uid_t who;
	char how[HISTORY_HOW_MAX]; /* "apply weir.yaml", "rollback to 3" */
};

struct history {
	VEC(struct history_entry) list; /* oldest first */
};

void history_fini(struct history *history);

/* What is damaged is left out. -ENOMEM, or what opendir(3) says. */
int history_load(const char *instance, struct history *ret, struct err *err);

/* NULL if there is none of this number. */
const struct history_entry *history_find(const struct history *history, uint32_t number);

/* The text of one, owned by the caller. */
int history_text(const char *instance, uint32_t number, char **ret, struct err *err);

/* Enters what is in force from now on, unless it is the text that was. */
int history_add(const char *instance, const char *text, uid_t who, const char *how,
		struct err *err);

#endif
