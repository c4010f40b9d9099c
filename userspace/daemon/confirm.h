/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `weir apply --confirm T`: a change that is taken back unless somebody says in time that he can
 * still work. What it is taken back to is on disk, in /var/lib/INSTANCE/confirm/, before the change
 * is in force; so it is taken back by the next daemon, too, should this one end before its time.
 *
 * What was taken back is remembered: a daemon that finds it in its file begins with what was in
 * force, not with what somebody may have been locked out by. Whoever applies it again means it.
 *
 *   before.yaml, after.yaml, overrides.json   while a change waits: what was in force, what is,
 *                                             and the overrides that it has cleared
 *   refused.yaml                              what was taken back last
 */
#ifndef WEIR_DAEMON_CONFIRM_H
#define WEIR_DAEMON_CONFIRM_H

#include "daemon/change.h"

struct confirm;

/* Remembers what is in force, before `text` (of `model`) is put in its place. Refuses, with nothing
 * changed, what could not be taken back. */
int confirm_prepare(struct daemon *daemon, const char *text, const struct model *model,
		    struct err *err);

/* It is in force: the time runs. Or it was refused. */
void confirm_begin(struct daemon *daemon, unsigned seconds);
void confirm_abandon(struct daemon *daemon);

/* Seconds left; 0: nothing waits to be confirmed. */
unsigned confirm_left(const struct daemon *daemon);

/* -EAGAIN with a text while a change waits: one at a time. */
int confirm_check(const struct daemon *daemon, struct err *err);

/* The change stays. -ESRCH: none waits. */
int confirm_accept(struct daemon *daemon, struct err *err);

/* The configuration before, and the overrides that the change had cleared. -ESRCH: none waits.
 * -EINPROGRESS: files are to be read first. What cannot be taken back now is tried again. */
int confirm_take_back(struct daemon *daemon, const struct change_origin *origin,
		      struct change *change, struct err *err);

/* Of daemon_go_on(): what could not be taken back before. */
void confirm_go_on(struct daemon *daemon);

/* What is in force without --confirm is meant, even if it was taken back once. */
void confirm_forget(struct daemon *daemon);

/*
 * When a daemon starts with the text of its file. *ret, the caller's, is what it must begin with
 * instead, because the file's was not confirmed; NULL: nothing. What a change that waited had
 * cleared is brought back to `overrides`. Once that is in force: confirm_settle().
 */
int confirm_resume(const char *instance, const char *text, struct overrides *overrides, char **ret,
		   struct err *err);

/* Nothing waits any more: what did was taken back. */
int confirm_settle(const char *instance, struct err *err);

/* Nothing is remembered any more. */
void confirm_clear(const char *instance);

void confirm_stop(struct confirm *confirm);

#endif
