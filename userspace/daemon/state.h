/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon must remember beside the maps, in /var/lib/INSTANCE: what the operator changed
 * from the command line (overrides.json), what weir has added to the host (addresses.json), and
 * the text of the last configuration that was in force (running.yaml), for a start with a file that
 * has become bad. history.c and confirm.c keep theirs there, too.
 * Every write is a new file that replaces the old one whole: a crash or a full disk leaves the old
 * one.
 */
#ifndef WEIR_DAEMON_STATE_H
#define WEIR_DAEMON_STATE_H

#include <jansson.h>
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

/* Overrides as a JSON list, and back. NULL without memory; -EINVAL, -ENOMEM. */
json_t *state_overrides_json(const struct overrides *overrides);
int state_overrides_read(json_t *list, struct overrides *ret);

/*
 * Files of others who have something to remember; `file` is a name, or FOLDER/NAME. An object that
 * is not there is NULL; -EINVAL: it is damaged, with a text that names it. Removing what is not
 * there is no error.
 */
int state_read_object(const char *instance, const char *file, json_t **ret, struct err *err);
int state_read_text(const char *instance, const char *file, char **ret, struct err *err);
int state_write_object(const char *instance, const char *file, json_t *object, struct err *err);
int state_write_text(const char *instance, const char *file, const char *text, struct err *err);
int state_remove(const char *instance, const char *file, struct err *err);

/* There while what is in force is not what the daemon's own file said then: {"how": "apply x.yaml",
 * "file": the daemon's own}. */
#define STATE_ELSEWHERE "elsewhere.json"

/* The text, NUL-terminated, owned by the caller. -ENOENT if there is none. */
int state_load_config(const char *instance, char **ret, struct err *err);
int state_save_config(const char *instance, const char *text, struct err *err);

#endif
