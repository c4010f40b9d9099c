/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A head as it comes in: where it ends, and its fields. What is common to requests and responses.
 */
#ifndef WEIR_HTTP_HEAD_H
#define WEIR_HTTP_HEAD_H

#include "http/message.h"

#define HEAD_SIZE_DEFAULT 32768 /* of an answer, which nobody configures */

struct head_limits {
	uint32_t size;	 /* bytes of a head, its last empty line included */
	uint32_t fields; /* at most MESSAGE_FIELDS_MAX */
};

/* A head that is being read. From call to call only `scanned` must be kept: as long as the bytes
 * stay in order they may move, and more may follow. */
struct head {
	const char *bytes; /* from the first of the message on */
	size_t size;	   /* that are there by now; bytes behind the head are not looked at */
	uint32_t scanned;  /* of them, by earlier calls; 0 for a new message */
	const char *why;   /* set when a head is refused: a static text for logs and answers */
};

/* Is the head whole? Its length, 0: more bytes are needed, or minus a status. */
int head_scan(struct head *head, const struct head_limits *limits);

/* The fields of a whole head, from behind its first line (`at`) up to and with the empty line.
 * 0 or minus a status. */
struct head_fields {
	struct field *fields; /* with room for limits->fields */
	uint16_t count;
};
int head_read_fields(struct head *head, const char *at, const struct head_limits *limits,
		     struct head_fields *ret);

/* The value of Content-Length: only digits, below 2^63. */
bool head_read_length(struct slice value, uint64_t *ret);

/* What Connection says; marks the fields that it names. */
struct head_connection {
	bool close, keep_alive, upgrade, te;
};
int head_read_connection(struct head *head, struct head_fields *fields,
			 struct head_connection *ret);

/* Refuses: sets the text, returns minus the status. */
static inline int head_refuse(struct head *head, int status, const char *why)
{
	head->why = why;
	return -status;
}

#endif
