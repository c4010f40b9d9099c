/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sets of pins. The maps of an instance and the program that uses them are pinned together, in a
 * folder `set-N`; the link `current` says which set is in force. A set is never changed: a daemon
 * that starts, or needs larger maps, makes the next one beside it, in which every map is either the
 * same as before or a larger one with the same contents, and goes over to it in steps:
 *
 *   make      set-N+1 is complete; nothing refers to it
 *   publish   `current` is renamed over: readers and the next daemon use it from here on
 *   attach    every interface runs its program, without a gap in between
 *   wait      no CPU runs the old program any more: the old counters are final
 *   carry     they are noted in the new set, to be added
 *   remove    set-N
 *
 * Only the daemon writes configuration, and it writes none in between, so that both sets say the
 * same; flow tables are shared, and so are all maps that have not grown. So packets may be taken by
 * either program. Killed before `publish`, the old set is in force and what there is of the new one
 * is removed; killed later, sets_finish() takes the steps that are left, all of which can be taken
 * again.
 */
#ifndef WEIR_DATAPLANE_SETS_H
#define WEIR_DATAPLANE_SETS_H

#include "dataplane/object.h"

/* Makes the set after `from` (NULL: the first in `directory`), with maps of this capacity. What of
 * it there may be already is removed first. On failure nothing is left of it. */
int sets_make(const char *directory, const struct object *from, const struct capacity *capacity,
	      struct object **ret, struct err *err);

int sets_publish(const struct object *set, struct err *err);

/* Notes what the maps of `from` have counted in those of `to` that are not the same. */
int sets_carry(const struct object *from, struct object *to, struct err *err);

int sets_remove(const char *directory, uint32_t number, struct err *err);

/* The number of the set in force. -ENOENT: there is none. */
int sets_current(const char *directory, uint32_t *ret);

/* All steps from `publish` on. Where an interface cannot be given the new program, `from` (NULL:
 * there was none) is in force as before, and it is an error. */
int sets_go_over(const struct object *from, struct object *to, struct err *err);

/* Calls `each` with every pin of the set in force that is missing or of something else. */
enum sets_action {
	SETS_LOOK,
	SETS_REPAIR,
};
void sets_check_pins(const struct object *current, enum sets_action action,
		     void each(void *user, const char *name, const char *why), void *user);

/* What a daemon that was killed has left of another set than the one in force. */
int sets_finish(struct object *current, struct err *err);

/* Is it the name of a set's folder, and whose? */
bool sets_number(const char *name, uint32_t *ret);

/* DIRECTORY/set-N/NAME */
void sets_path(const char *directory, uint32_t number, const char *name,
	       char ret[OBJECT_PATH_MAX + 64]);

#endif
