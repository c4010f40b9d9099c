/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program on interfaces. An attachment is a pinned bpf_link: it outlives every process, cannot
 * be removed by `ip link set ... xdp off`, and its program can be replaced without a gap.
 */
#ifndef WEIR_DATAPLANE_ATTACH_H
#define WEIR_DATAPLANE_ATTACH_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/vec.h"

struct object;

enum attach_mode {
	ATTACH_NATIVE,	/* in the driver */
	ATTACH_GENERIC, /* in the stack: slower, works on any interface; only when asked for */
};

struct attachment {
	char name[IF_NAMESIZE];
	uint32_t ifindex; /* 0: the interface is gone */
	uint32_t program; /* the kernel's number of it */
	enum attach_mode mode;
};

struct attachments {
	VEC(struct attachment) list;
};

/*
 * Attaches a program (a descriptor) to an interface and pins the link in `directory`. Already
 * attached there in the same mode: the program is replaced. Errors, each with a text that says what
 * to do: -ENODEV, -EBUSY (another program), -EOPNOTSUPP (no native XDP), -EINVAL and others in the
 * kernel's own words (an MTU too large).
 */
int attach_interface(const char *directory, int program, const char *name, enum attach_mode mode,
		     struct err *err);

/* Detaches by unpinning the link. -ENOENT: it was not attached. */
int attach_detach(const char *directory, const char *name, struct err *err);

/* Puts the object's program on all its interfaces. */
int attach_replace_all(const struct object *object, struct err *err);

/* The pinned links of an instance's directory, by name. The caller frees the list. */
int attach_list(const char *directory, struct attachments *ret, struct err *err);

#endif
