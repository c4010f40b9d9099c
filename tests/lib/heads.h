/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two that read heads of HTTP/1.1 beside each other: the parser of the kernel's programs
 * (weir/plain.h), compiled for this machine, and the worker's codec (userspace/http).
 */
#ifndef TESTS_LIB_HEADS_H
#define TESTS_LIB_HEADS_H

#include <stddef.h>

struct heads_case;

/* Reads c->room.bytes as the kernel's programs do. */
void heads_request(struct heads_case *c);
void heads_answer(struct heads_case *c);

/* What the codec says otherwise of a case that was read, and is taken: a static text, or NULL: it
 * agrees. Where the path or the host is no valid one it need not: such a key has no route. */
const char *heads_dispute_request(const struct heads_case *c);
const char *heads_dispute_answer(const struct heads_case *c);

#endif
