/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon must remember beside the maps, in /var/lib/INSTANCE: what the operator changed
 * from the command line and what weir has added to the host (overrides.json), and the text of the
 * last configuration that was in force (running.yaml), for a start with a file that has become bad.
 * Every write is a new file that replaces the old one whole: a crash or a full disk leaves the old
 * one.
 */
#ifndef WEIR_DAEMON_STATE_H
#define WEIR_DAEMON_STATE_H

#include <net/if.h>
#include <stdbool.h>

#include "net/nl.h"
#include "plan/override.h"
#include "util/err.h"
#include "util/vec.h"

/* `weir attach` and `weir detach`: they outweigh the file's interfaces. */
struct state_interface {
	char name[IF_NAMESIZE];
	bool attached;
	bool generic;
};

struct state {
	struct overrides overrides;
	VEC(struct state_interface) interfaces;
	struct addr_list addresses; /* that the host answers for because weir asked it to */
};

void state_fini(struct state *state);

/* An absent file is an empty state. -EINVAL: it is damaged (with a text that names it). */
int state_load(const char *instance, struct state *ret, struct err *err);

/* All but the addresses; and these, which are many and change with the configuration only. */
int state_save(const char *instance, const struct state *state, struct err *err);
/* As state_save(), in the two steps of util/file.h: refused by the first if at all. */
int state_stage(const char *instance, const struct state *state, struct err *err);
int state_publish(const char *instance, struct err *err);

int state_save_addresses(const char *instance, const struct state *state, struct err *err);

/* Remembers, or forgets, what was said of an interface. */
int state_set_interface(struct state *state, const struct state_interface *interface);
void state_forget_interface(struct state *state, const char *name);

/* The text, NUL-terminated, owned by the caller. -ENOENT if there is none. */
int state_load_config(const char *instance, char **ret, struct err *err);
int state_save_config(const char *instance, const char *text, struct err *err);

#endif
