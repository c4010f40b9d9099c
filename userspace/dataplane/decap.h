/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The decapsulation program on the interfaces of an endpoint's host. It has pins of its own, in
 * /sys/fs/bpf/INSTANCE-decap, and needs no daemon: what it knows is what decap_attach() was told
 * last.
 */
#ifndef WEIR_DATAPLANE_DECAP_H
#define WEIR_DATAPLANE_DECAP_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/decap.h>

#include "dataplane/attach.h"
#include "net/addr.h"
#include "util/err.h"
#include "util/vec.h"

struct decap_setup {
	VEC(struct addr) addresses;	  /* of this host: outer and inner destinations */
	VEC(struct addr_prefix) prefixes; /* of outer sources; empty: any */
	uint16_t gue_port;
};

void decap_setup_fini(struct decap_setup *setup);

/*
 * Loads this binary's program, tells it the setup, and puts it on the interfaces, also on those
 * that have it already (which are not left without it meanwhile). Errors as object_load() and
 * attach_interface(); -ENOSPC: too many addresses or prefixes.
 */
int decap_attach(const char *instance, const struct decap_setup *setup, const char *const *names,
		 size_t count, enum attach_mode mode, struct err *err);

/* Takes it off one interface; with the last one everything is removed. -ENOENT: not there. */
int decap_detach(const char *instance, const char *name, struct err *err);

/* Takes it off everywhere; 0 also if there is none. */
int decap_unpin(const char *instance, struct err *err);

/* What has been counted so far, and where. -ENOENT: there is no such program. The caller frees the
 * list. */
int decap_read(const char *instance, uint64_t ret_counts[WEIR_DECAP_COUNT],
	       struct attachments *ret_attachments, struct err *err);

#endif
