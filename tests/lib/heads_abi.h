/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs of tests/lib/heads.bpf.c and heads.c share. */
#ifndef TESTS_LIB_HEADS_ABI_H
#define TESTS_LIB_HEADS_ABI_H

#include <weir/plain.h>

#define HEADS_MAX 4096

/* One head, in room.bytes, and what weir/plain.h makes of it. */
struct heads_case {
	struct weir_routing_key key; /* out, of a request */
	struct plain_room room;
	__u32 size;    /* at least PLAIN_LEAST, less than WEIR_ROUTING_HEAD */
	__u32 is_head; /* HEAD: of a request out, of an answer what it is to */
	__u32 taken; /* out: bytes of the message, the body's that are not here too; 0: not plain */
};

static __always_inline void heads_read_request(struct heads_case *c)
{
	__builtin_memset(&c->key, 0, sizeof(c->key));
	c->taken = 0;
	if (plain_read_request(&c->room, c->room.bytes, c->size, &c->key, &c->is_head))
		c->taken = c->size;
}

static __always_inline void heads_read_answer(struct heads_case *c)
{
	c->taken = plain_read_answer(&c->room, c->size, c->is_head);
}

#endif
