/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moves a body from one connection to another: by copying, which is always right, or, where much of
 * it follows, through a pipe, so that the bytes stay in the kernel; a listener may ask for one of
 * them (tunnel). No more is read than the other end takes. Other ways would be chosen here, too;
 * why sk_msg is none: bpf/README.md.
 */
#ifndef WEIR_PROXY_TUNNEL_H
#define WEIR_PROXY_TUNNEL_H

#include "config/http.h"
#include "http/body.h"
#include "proxy/engine.h"

struct tunnel {
	enum http_tunnel way;
	struct body body;
	struct engine_pipe *pipe; /* while bytes are in it, or more are about to be */
	uint32_t piped;		  /* bytes in it */
	bool waits;		  /* for more of a line, of which a part is in from->in */
	bool bare;		  /* payload alone: chunks become what is between them */
	bool ended;		  /* all of it is read, and sent or about to be */
	uint64_t moved;		  /* bytes, read */
};

void tunnel_init(struct tunnel *tunnel, enum http_tunnel way, enum framing framing,
		 uint64_t length);
void tunnel_fini(struct tunnel *tunnel, struct engine *engine);

/* Of bytes that are there: how many of them belong to the body and may be sent on; with `bare`,
 * they are moved together, and *size becomes how many those are. -EBADMSG. */
ssize_t tunnel_take(struct tunnel *tunnel, char *bytes, size_t *size);

/*
 * Moves what there is. 0: all that can be now; ended or not, see above. 1: there is more, but
 * others shall have their turn. -EBADMSG: the body is
 * malformed; -ECONNRESET: `from` has ended too early, or failed; -EPIPE: `to` has.
 */
int tunnel_run(struct tunnel *tunnel, struct engine *engine, struct conn *from, struct conn *to);

#endif
