/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests that are routed in the kernel: what a worker of http listeners and its programs of type
 * sk_skb (bpf/router.bpf.c) have in common. Each worker has maps of its own, which end with it.
 *
 * A connection of a client has two owners in turn. It begins as the worker's; between two requests
 * the worker may leave it to the kernel, which sends on what it is sure of and leaves it to the
 * worker with the first byte that it is not sure of. `owner` says whose it is and how much has been
 * passed to the worker, in one word, so that neither can take a step that the other has not seen.
 */
#ifndef WEIR_ROUTING_H
#define WEIR_ROUTING_H

#include <linux/types.h>

#include <weir/nat.h>

#define WEIR_ROUTING_CLIENTS   4096u /* at a time, of a worker; a power of two, as those below */
#define WEIR_ROUTING_POOLS     64u   /* addresses of endpoints */
#define WEIR_ROUTING_WAYS      256u  /* connections to each; whole words of `idle` */
#define WEIR_ROUTING_LANES     1024u
#define WEIR_ROUTING_ROUTES    4096u
#define WEIR_ROUTING_SLOTS     128u
#define WEIR_ROUTING_TEXT      120u  /* bytes of a path and a host */
#define WEIR_ROUTING_HEAD      2048u /* bytes of a head */
#define WEIR_ROUTING_BODY      8192u /* bytes of an answer's body */

#define WEIR_ROUTING_UPSTREAMS (WEIR_ROUTING_POOLS * WEIR_ROUTING_WAYS)
#define WEIR_ROUTING_WORDS     (WEIR_ROUTING_WAYS / 64)

/* Whose a socket is, by its cookie: its place, and which side. */
#define WEIR_ROUTING_IS_UPSTREAM 0x80000000u

/* In `owner`: the worker's. Above it are the bytes that it was passed. */
#define WEIR_ROUTING_WORKERS 1ull

/* What is asked for, as it came: the path, and behind it Host. Behind both it is zero. */
struct weir_routing_key {
	__u32 listener; /* its row in listener_http */
	__u16 path_size;
	__u16 host_size;
	char text[WEIR_ROUTING_TEXT];
};

/* Where that goes. */
struct weir_routing_route {
	__u64 setup; /* of the worker's that said so: else it is none */
	__u64 id;    /* of its own: a program may have one that has become another */
	__u32 turn;
	__u32 pad;
	__u16 lanes[WEIR_ROUTING_SLOTS]; /* as often as an endpoint has its share */
};

/* An endpoint by a rule of a listener, and what has gone there. */
struct weir_routing_lane {
	__u32 pool;
	__u32 pad;
	__u64 requests;
	__u64 answers[5]; /* 1xx .. 5xx */
	__u64 request_bytes, answer_bytes;
	__u64 took_us;			  /* in all */
	__u64 took[WEIR_LATENCY_ENTRIES]; /* requests by how long, as weir_nat_latency */
};

/* Connections to an address that wait for a request. */
struct weir_routing_pool {
	__u64 idle[WEIR_ROUTING_WORDS]; /* a bit each */
};

/* Why the worker has a connection again. */
enum weir_routing_why {
	WEIR_ROUTING_EARLY,    /* a request before the last answer was taken */
	WEIR_ROUTING_HEAD_ODD, /* not one that is known to be harmless */
	WEIR_ROUTING_NO_ROUTE, /* nobody has asked for this lately */
	WEIR_ROUTING_NO_WAY,   /* no connection to the endpoint is free */
	WEIR_ROUTING_ANSWER,   /* an answer that is not for the kernel */
	WEIR_ROUTING_TWICE,    /* bytes that had come before, see router.bpf.c */
	WEIR_ROUTING_WHYS = 8, /* a power of two */
};

struct weir_routing_client {
	__u64 owner;
	__u64 setup;  /* for which it was left to the kernel */
	__u64 taken;  /* bytes of requests sent on */
	__u64 given;  /* bytes of answers */
	__u64 seen;   /* bytes that have come, as they were given to the program */
	__u64 asked;  /* ns, when the last request came */
	__u32 flight; /* 1 + the place of the connection that it is on; 0: none is under way */
	__u32 lane;   /* that it takes */
	__u32 wrote;  /* sequence number behind the last answer, or before the next */
	__u32 known;  /* ... which is known */
	__u32 why;    /* enum weir_routing_why */
	__u32 head_size;
	__u32 listener;
	__u32 is_head; /* HEAD: no body follows */
	__u32 head_limit;
	__u32 broken; /* bytes came twice: it is to be closed */
	struct weir_routing_key key;
	char head[WEIR_ROUTING_HEAD]; /* of the request under way, to be asked again */
};

/* In `handed`: what the worker has of it. */
#define WEIR_ROUTING_ASKED   1u /* an answer */
#define WEIR_ROUTING_UNASKED 2u /* what came while it waited, or had come before */

struct weir_routing_upstream {
	__u32 client; /* 1 + the place of the client whose request it has; 0: it waits */
	__u32 handed; /* WEIR_ROUTING_ASKED, ..., or 0 */
	__u32 begun;  /* the answer's head has gone */
	__u32 left;   /* bytes of it to come */
	__u64 used;   /* ns, when it became free */
	__u64 seen;   /* bytes that have come, as they were given to the program */
	__u32 status;
	__u32 bytes; /* of the answer */
};

struct weir_routing {
	__u64 setup; /* in force; 0: nothing is routed */
	__u64 handed[WEIR_ROUTING_WHYS];
	struct weir_routing_pool pools[WEIR_ROUTING_POOLS];
	struct weir_routing_lane lanes[WEIR_ROUTING_LANES];
	struct weir_routing_upstream upstreams[WEIR_ROUTING_UPSTREAMS];
	struct weir_routing_client clients[WEIR_ROUTING_CLIENTS];
};

#endif
