/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Heads of HTTP/1.1 as the kernel reads them (bpf/router.bpf.c), byte by byte: a request without a
 * body or the head of a short answer, with nothing in it that the worker would have changed,
 * counted or refused. It need not know what else there is: whatever it is not sure of is not for
 * it. So it takes less than the codec (userspace/http), and the same for the same. The worker asks
 * this, too, for what it may leave to the kernel.
 */
#ifndef WEIR_PLAIN_H
#define WEIR_PLAIN_H

#include <linux/types.h>
#ifdef __bpf__
#include <bpf/bpf_helpers.h>
#endif

#include <weir/routing.h>

#define PLAIN_FIELDS	64
#define PLAIN_NAME_SEED 0xcbf29ce484222325ull /* FNV-1a */
#define PLAIN_NAME_STEP 0x100000001b3ull

enum plain_state {
	PLAIN_PATH,
	PLAIN_QUERY,
	PLAIN_VERSION, /* `matched` of its text */
	PLAIN_REASON,
	PLAIN_FIELD, /* the first byte of a line */
	PLAIN_NAME,
	PLAIN_BLANK, /* before a value, which is `value` */
	PLAIN_VALUE,
	PLAIN_HOST,
	PLAIN_KEEP_ALIVE, /* the same: all that Connection may say */
	PLAIN_NUMBER,	  /* Content-Length */
	PLAIN_LINE_END,
	PLAIN_HEAD_END,
	PLAIN_DONE,
};

/*
 * How far it is. To lie in a map: of what is there the verifier knows nothing, and so it walks
 * through a step once, not once for each state that it could be in.
 */
struct plain {
	__u64 name; /* hash of what has come of it */
	__u32 state;
	__u32 value; /* the state of its value */
	__u32 matched;
	__u32 fields;
	__u32 name_size, imitated; /* with '_' */
	__u32 text_size;	   /* of the key */
	__u32 length, digits;	   /* Content-Length */
	__u32 seen;		   /* 1 << the state of each value that may be there once */
	__u32 path_size;
	__u32 is_request;
};

#define T 1 /* a field's name */
#define P 2 /* a path: what it means the worker has found out */
#define Q 4 /* a query, but for escapes */
#define H 8 /* Host */

/* In one object: clang would put what is small into a section of its own, which its BTF forgets. */
static const struct {
	char version[16];
	char keep_alive[16];
	__u8 classes[256];
} plain_table = {
	.version = "HTTP/1.1\r\n",
	.keep_alive = "keep-alive",
	.classes = {
		['0' ... '9'] = T | P | Q | H,
		['A' ... 'Z'] = T | P | Q | H,
		['a' ... 'z'] = T | P | Q | H,
		['!'] = T | P | Q,
		['$'] = T | P | Q,
		['%'] = T | P,
		['&' ... '\''] = T | P | Q,
		['(' ... ')'] = P | Q,
		['*' ... '+'] = T | P | Q,
		[','] = P | Q,
		['-' ... '.'] = T | P | Q | H,
		['/'] = P | Q,
		[':'] = P | Q | H,
		[';'] = P | Q,
		['='] = P | Q,
		['?'] = Q,
		['@'] = P | Q,
		['['] = P | H,
		[']'] = P | H,
		['_'] = T | P | Q | H,
		['~'] = T | P | Q,
	},
};

#define VERSION_SIZE	10
#define KEEP_ALIVE_SIZE 10

static __always_inline int plain_is(__u8 c, __u8 class)
{
	return plain_table.classes[c] & class;
}

static __always_inline __u8 plain_lower(__u8 c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* '_' is as good as '-': see message_identify() of userspace/http. */
static __always_inline __u64 plain_hash(__u64 hash, __u8 c)
{
	return (hash ^ (c == '_' ? '-' : plain_lower(c))) * PLAIN_NAME_STEP;
}

static __always_inline __u64 plain_name(const char *name, __u32 size)
{
	__u64 hash = PLAIN_NAME_SEED;

	for (__u32 i = 0; i < size; i++)
		hash = plain_hash(hash, name[i]);
	return hash;
}

#define IS(f, text)                                                                                \
	((f)->name_size == sizeof(text) - 1 && (f)->name == plain_name(text, sizeof(text) - 1))

/* What a field's value is to be read as; -1: the field is not for the kernel. Where two names have
 * the same hash, one is taken for the other, and left to the worker. */
static __always_inline int plain_value(const struct plain *f)
{
	if (IS(f, "connection"))
		return PLAIN_KEEP_ALIVE;
	if (IS(f, "host"))
		return f->is_request ? PLAIN_HOST : -1;
	if (IS(f, "content-length"))
		return f->is_request ? -1 : PLAIN_NUMBER;
	if (IS(f, "te") || IS(f, "expect") || IS(f, "trailer") || IS(f, "upgrade") ||
	    IS(f, "forwarded") || IS(f, "x-real-ip") || IS(f, "keep-alive") ||
	    IS(f, "http2-settings") || IS(f, "proxy-connection") || IS(f, "transfer-encoding") ||
	    IS(f, "proxy-authenticate") || IS(f, "proxy-authorization"))
		return -1;
	return PLAIN_VALUE;
}

/* Behind a name. 0, or -1 as below. */
static __always_inline int plain_colon(struct plain *f)
{
	int value = plain_value(f);

	if (value < 0 || ++f->fields > PLAIN_FIELDS)
		return -1;
	if (value != PLAIN_VALUE && (f->imitated || f->seen & (1u << value)))
		return -1;
	f->seen |= 1u << value;
	f->value = value;
	f->matched = 0;
	f->state = PLAIN_BLANK;
	return 0;
}

/* A byte of path or host into the key. */
static __always_inline int plain_keep(struct plain *f, struct weir_routing_key *key, char c)
{
	__u32 at = f->text_size;

	if (!key || at >= WEIR_ROUTING_TEXT)
		return -1;
	key->text[at] = c;
	f->text_size = at + 1;
	return 0;
}

static __always_inline int plain_in_name(struct plain *f, __u8 c)
{
	if (c == ':')
		return plain_colon(f);
	if (!plain_is(c, T))
		return -1;
	f->name = plain_hash(f->name, c);
	f->imitated |= c == '_';
	/* X-Forwarded-For and its like: what a proxy says of a client. */
	if (++f->name_size == sizeof("x-forwarded-") - 1 &&
	    f->name == plain_name("x-forwarded-", sizeof("x-forwarded-") - 1))
		return -1;
	return 0;
}

static __always_inline int plain_in_value(struct plain *f, __u8 c)
{
	if (c == '\r') {
		f->state = PLAIN_LINE_END;
		return 0;
	}
	return (c >= ' ' && c < 0x7f) || c == '\t' ? 0 : -1;
}

static __always_inline int plain_in_keep_alive(struct plain *f, __u8 c)
{
	__u32 at = f->matched;

	if (at >= KEEP_ALIVE_SIZE) {
		f->state = PLAIN_LINE_END;
		return c == '\r' ? 0 : -1;
	}
	f->matched = at + 1;
	return plain_lower(c) == (__u8)plain_table.keep_alive[at & 15] ? 0 : -1;
}

static __always_inline int plain_in_host(struct plain *f, struct weir_routing_key *key, __u8 c)
{
	if (c == '\r') {
		f->state = PLAIN_LINE_END;
		return f->text_size > f->path_size ? 0 : -1;
	}
	return plain_is(c, H) ? plain_keep(f, key, c) : -1;
}

static __always_inline int plain_in_number(struct plain *f, __u8 c)
{
	if (c == '\r') {
		f->state = PLAIN_LINE_END;
		return f->digits ? 0 : -1;
	}
	if (c < '0' || c > '9' || ++f->digits > 6)
		return -1;
	f->length = f->length * 10 + (c - '0');
	return 0;
}

/* The request's line, from the path's '/' on. */
static __always_inline int plain_in_target(struct plain *f, struct weir_routing_key *key, __u8 c)
{
	if (c == ' ' || (c == '?' && f->state == PLAIN_PATH)) {
		if (f->state == PLAIN_PATH)
			f->path_size = f->text_size;
		f->state = c == ' ' ? PLAIN_VERSION : PLAIN_QUERY;
		f->matched = 0;
		return 0;
	}
	if (f->state == PLAIN_QUERY)
		return plain_is(c, Q) ? 0 : -1;
	return plain_is(c, P) ? plain_keep(f, key, c) : -1;
}

static __always_inline int plain_in_version(struct plain *f, __u8 c)
{
	__u32 at = f->matched;

	if (at >= VERSION_SIZE || c != (__u8)plain_table.version[at & 15])
		return -1;
	f->matched = at + 1;
	if (f->matched == VERSION_SIZE)
		f->state = PLAIN_FIELD;
	return 0;
}

/* The next byte: 0, or -1: this is not for the kernel. Of a request, path and host go into the key;
 * an answer has none. */
static __always_inline int plain_step(struct plain *f, struct weir_routing_key *key, __u8 c)
{
	switch (f->state) {
	case PLAIN_VALUE:
	case PLAIN_REASON:
		return plain_in_value(f, c);
	case PLAIN_NAME:
		return plain_in_name(f, c);
	case PLAIN_LINE_END:
		f->state = PLAIN_FIELD;
		return c == '\n' ? 0 : -1;
	case PLAIN_FIELD:
		if (c == '\r') {
			f->state = PLAIN_HEAD_END;
			return 0;
		}
		f->state = PLAIN_NAME;
		f->name = PLAIN_NAME_SEED;
		f->name_size = f->imitated = 0;
		return c == ':' ? -1 : plain_in_name(f, c);
	case PLAIN_BLANK:
		if (c == ' ' || c == '\t')
			return 0;
		f->state = f->value;
		if (f->value == PLAIN_VALUE)
			return plain_in_value(f, c);
		if (f->value == PLAIN_HOST)
			return plain_in_host(f, key, c);
		if (f->value == PLAIN_NUMBER)
			return plain_in_number(f, c);
		return plain_in_keep_alive(f, c);
	case PLAIN_PATH:
	case PLAIN_QUERY:
		return plain_in_target(f, key, c);
	case PLAIN_VERSION:
		return plain_in_version(f, c);
	case PLAIN_HOST:
		return plain_in_host(f, key, c);
	case PLAIN_KEEP_ALIVE:
		return plain_in_keep_alive(f, c);
	case PLAIN_NUMBER:
		return plain_in_number(f, c);
	case PLAIN_HEAD_END:
		f->state = PLAIN_DONE;
		return c == '\n' ? 0 : -1;
	}
	return -1;
}

/* Begins with a request whose first bytes these are: where the path begins, or 0: it is not for the
 * kernel. `size` is at least PLAIN_LEAST. */
#define PLAIN_LEAST 16

static __always_inline __u32 plain_request(struct plain *f, const char *bytes, __u32 *ret_is_head)
{
	*f = (struct plain){ .state = PLAIN_PATH, .is_request = 1 };
	*ret_is_head = bytes[0] == 'H';
	if (bytes[0] == 'G' && bytes[1] == 'E' && bytes[2] == 'T' && bytes[3] == ' ' &&
	    bytes[4] == '/')
		return 4;
	if (bytes[0] == 'H' && bytes[1] == 'E' && bytes[2] == 'A' && bytes[3] == 'D' &&
	    bytes[4] == ' ' && bytes[5] == '/')
		return 5;
	return 0;
}

/* The same of an answer: where its reason begins. */
static __always_inline __u32 plain_answer(struct plain *f, const char *bytes, __u32 *ret_status)
{
	*f = (struct plain){ .state = PLAIN_REASON };
	for (__u32 i = 0; i < 8; i++)
		if (bytes[i] != plain_table.version[i])
			return 0;
	if (bytes[8] != ' ' || bytes[12] != ' ')
		return 0;
	*ret_status = 0;
	for (__u32 i = 9; i < 12; i++) {
		if (bytes[i] < '0' || bytes[i] > '9')
			return 0;
		*ret_status = *ret_status * 10 + (bytes[i] - '0');
	}
	return 13;
}

/*
 * The bytes of the body of an answer that was read to its end, or -1: not for the kernel. Interim
 * answers, errors that may be the endpoint's failure (5xx, 408) and whatever ends in another way
 * than by its length are the worker's.
 */
static __always_inline int plain_body(const struct plain *f, __u32 status, __u32 is_head)
{
	int has_length = f->seen & (1u << PLAIN_NUMBER);

	if (status < 200 || status >= 500 || status == 408)
		return -1;
	if (status == 204 || status == 304)
		return status == 204 && has_length ? -1 : 0;
	if (!has_length)
		return -1;
	if (is_head)
		return 0;
	return f->length > WEIR_ROUTING_BODY ? -1 : (int)f->length;
}

/* ---- whole heads ---- */

/* Room to read in: in a map, see struct plain. */
struct plain_room {
	struct plain plain;
	__u32 at, size; /* of the bytes: the next, and how many there are */
	__s32 odd;
	__u32 status;
	char bytes[WEIR_ROUTING_HEAD]; /* of an answer */
};

struct plain_walk {
	struct plain_room *room;
	const char *bytes; /* room for WEIR_ROUTING_HEAD */
	struct weir_routing_key *key;
};

static long plain_walk_byte(__u32 index, struct plain_walk *walk)
{
	struct plain_room *room = walk->room;
	__u32 at = room->at;

	(void)index;
	if (at >= room->size)
		return 1;
	room->at = at + 1;
	room->odd = plain_step(&room->plain, walk->key, walk->bytes[at & (WEIR_ROUTING_HEAD - 1)]);
	return room->odd || room->plain.state == PLAIN_DONE;
}

/* To the end of the head: true if that is there, and plain. */
static __always_inline int plain_walk(struct plain_walk *walk, __u32 at, __u32 size)
{
	struct plain_room *room = walk->room;

	room->at = at;
	room->size = size;
	room->odd = 0;
#ifdef __bpf__
	bpf_loop(WEIR_ROUTING_HEAD, plain_walk_byte, walk, 0);
#else
	while (!plain_walk_byte(0, walk))
		;
#endif
	return !room->odd && room->plain.state == PLAIN_DONE;
}

/* Is this, of `size` bytes (PLAIN_LEAST or more, less than WEIR_ROUTING_HEAD), a whole request and
 * nothing else? Then the key, which is zero before, has what it asks for. */
static __always_inline int plain_read_request(struct plain_room *room, const char *bytes,
					      __u32 size, struct weir_routing_key *key,
					      __u32 *ret_is_head)
{
	struct plain_walk walk = { room, bytes, key };
	__u32 at = plain_request(&room->plain, bytes, ret_is_head);

	if (!at || !plain_walk(&walk, at, size) || room->at != size ||
	    !(room->plain.seen & (1u << PLAIN_HOST)))
		return 0;
	key->path_size = room->plain.path_size;
	key->host_size = room->plain.text_size - room->plain.path_size;
	return 1;
}

/* Do these bytes, in room->bytes, begin with the head of an answer that is for the kernel? Then
 * how many bytes that answer has in all, or 0. room->status is its status. */
static __always_inline __u32 plain_read_answer(struct plain_room *room, __u32 size, __u32 is_head)
{
	struct plain_walk walk = { .room = room, .bytes = room->bytes };
	__u32 at = plain_answer(&room->plain, room->bytes, &room->status);
	int body;

	if (!at || !plain_walk(&walk, at, size))
		return 0;
	body = plain_body(&room->plain, room->status, is_head);
	return body < 0 ? 0 : room->at + body;
}

#undef T
#undef P
#undef Q
#undef H
#undef IS
#undef VERSION_SIZE
#undef KEEP_ALIVE_SIZE

#endif
