/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The heads of HTTP/1 messages (RFC 9110, 9112) after parsing. Nothing is copied: texts are slices
 * of the caller's buffer, and end with it. Made by request_parse() and response_parse(), read by
 * the rules and by what writes the forwarded head.
 */
#ifndef WEIR_HTTP_MESSAGE_H
#define WEIR_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *at; /* not ended by NUL */
	size_t size;
};

#define SLICE(text) ((struct slice){ (text), strlen(text) })

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || !memcmp(a.at, b.at, a.size));
}

/* The same but for the case of ASCII letters; `lower` is in lower case. */
bool message_is(struct slice text, const char *lower);

/* Takes the next item, without blanks around it, from a list with commas; empty ones are skipped.
 * false: there is none. */
bool message_next(struct slice *list, struct slice *ret);

/* Fields that mean something here. Those before FIELD_KEPT concern this connection alone, or are
 * written anew: they are never forwarded as they came. */
enum field_id {
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_HOST,
	FIELD_KEEP_ALIVE,
	FIELD_PROXY_CONNECTION,
	FIELD_TE,
	FIELD_TRANSFER_ENCODING,
	FIELD_UPGRADE,
	FIELD_KEPT, /* no field */
	FIELD_COOKIE,
	FIELD_EXPECT,
	FIELD_FORWARDED, /* this and the next: what proxies say of a client */
	FIELD_X_FORWARDED,
	FIELD_X_FORWARDED_FOR,
	FIELD_X_FORWARDED_PORT,
	FIELD_X_FORWARDED_PROTO,
	FIELD_X_REAL_IP,
	FIELD_OTHER,
};

struct field {
	struct slice name;
	struct slice value; /* without blanks around it */
	uint8_t id;	    /* enum field_id */
	bool named;	    /* in Connection: it is not forwarded */
	bool imitated;	    /* with '_' in place of '-', which some take for the same */
};

/* The same name of a field, whatever the case, and whether it has '-' or '_'? */
bool message_is_alike(struct slice name, const char *other);

/* Sets all of a field by its name but the slices. */
void message_identify(struct field *field);

enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_TRACE,
	METHOD_PATCH,
	METHOD_OTHER,
};

/* May a request be sent again when nothing has been answered? RFC 9110, 9.2.2. */
static inline bool message_is_idempotent(enum method method)
{
	return method != METHOD_POST && method < METHOD_PATCH;
}

/* How a body ends: RFC 9112, 6.3. */
enum framing {
	FRAMING_NONE,	 /* there is none */
	FRAMING_LENGTH,	 /* after content_length bytes; never 0 */
	FRAMING_CHUNKED, /* with its last chunk */
	FRAMING_CLOSE,	 /* with the connection; responses only */
};

enum target_form {
	TARGET_ORIGIN,	 /* /path?query */
	TARGET_ABSOLUTE, /* http://host/path?query */
	TARGET_ASTERISK, /* *, of OPTIONS */
};

#define MESSAGE_FIELDS_MAX 100

struct request {
	struct slice method_text;
	struct slice target;	/* as it came */
	struct slice path;	/* as it came, begins with '/'; "*" with TARGET_ASTERISK */
	struct slice query;	/* without the '?' */
	struct slice host;	/* without the port, as it came; "" if HTTP/1.0 has none */
	struct slice authority; /* the same with the port */
	struct slice upgrade;	/* the protocols that are asked for; "": no upgrade */
	uint64_t content_length;
	uint16_t port;	      /* of the authority; 0: it names none */
	uint8_t method;	      /* enum method */
	uint8_t form;	      /* enum target_form */
	uint8_t minor;	      /* HTTP/1.0: 0, HTTP/1.1: 1 */
	uint8_t framing;      /* enum framing */
	bool has_query;	      /* a '?' */
	bool has_length;      /* Content-Length, be it 0 */
	bool path_plain;      /* for matching the path is as it came: see http/target.h */
	bool keep_alive;      /* the client would send another request */
	bool expect_continue; /* ... waits for 100 before it sends the body */
	bool te_trailers;     /* ... takes trailers */
	uint16_t count;
	struct field fields[MESSAGE_FIELDS_MAX];
};

struct response {
	struct slice reason;
	uint64_t content_length;
	uint16_t status; /* 100..599 */
	uint8_t minor;
	uint8_t framing; /* enum framing */
	bool has_length; /* Content-Length, also where no body follows (HEAD, 304) */
	bool keep_alive; /* the connection can be used again after the body */
	bool interim;	 /* 1xx but 101: another head follows */
	uint16_t count;
	struct slice upgrade; /* of 101 */
	struct field fields[MESSAGE_FIELDS_MAX];
};

#endif
