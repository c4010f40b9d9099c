/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files of the inventory: read when a configuration names them, and again a second after they
 * have last changed, which is looked for every second: that works wherever a file may lie, for one
 * that is replaced, and for one that is not there yet. A file that is bad says so, once, and what
 * was last read of it stays.
 *
 * New flows go to instances that are Running, load balancers that are active, and those of which
 * the file does not say. Others keep the flows they have, as do addresses that an instance has no
 * more.
 */
#ifndef WEIR_DAEMON_STOCK_H
#define WEIR_DAEMON_STOCK_H

#include "plan/names.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/loop.h"
#include "config/remarks.h"

struct stock;

struct stock_calls {
	/* What the inventory says of the model's instances may not be what it said before. */
	void (*changed)(void *user);
	/* Files that stock_ready() waited for have been read. */
	void (*read)(void *user);
	void *user;
};

/* Without a loop (NULL) nothing is read again. 0 or -errno. */
int stock_new(struct loop *loop, const struct stock_calls *calls, struct stock **ret);
void stock_free(struct stock *stock);
DEFINE_CLEANUP(struct stock *, stock_free)

/* What was known when the last daemon ended; taken, and replaced by nothing. */
void stock_adopt(struct stock *stock, struct names *names);

/* Have the files of a model, which need not be in force, been read as they are now? 0, also if they
 * could not be. -EINPROGRESS: a thread reads them, and calls.read is called afterwards. -ENOMEM,
 * -EAGAIN. */
int stock_ready(struct stock *stock, const struct model *model);

/* What is known of the model's instances, which need not be in force: files that it names are read
 * if they never have been. The caller frees it. 0 or -ENOMEM. */
int stock_names(struct stock *stock, const struct model *model, struct names *ret);

/* From now on the files of this model are followed, and no others. 0 or -ENOMEM. */
int stock_follow(struct stock *stock, const struct model *model);

/* What is known of the model that is followed. */
const struct names *stock_known(const struct stock *stock);

/* Why an endpoint that is an instance gets no new flows: "is not in the inventory", "is Stopped".
 * NULL: it does. Returns `text`. */
#define STOCK_TROUBLE_MAX 64
const char *stock_trouble(const struct stock *stock, const struct model *model,
			  const struct endpoint *endpoint, char text[STOCK_TROUBLE_MAX]);

/* Each file of the model that is bad, and each instance that gets no new flows, of many only the
 * first: "web/main/i-a: is not in the inventory". */
void stock_report(struct stock *stock, const struct model *model, struct remarks *remarks);

#endif
