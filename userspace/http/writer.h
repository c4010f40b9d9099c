/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Text into room of the caller. Once it is full nothing more is written, so that a writer of many
 * parts asks only once, at writer_size().
 */
#ifndef WEIR_HTTP_WRITER_H
#define WEIR_HTTP_WRITER_H

#include <errno.h>
#include <sys/types.h>

#include "http/message.h"

struct writer {
	char *begin, *at;
	size_t room; /* left */
	bool full;
};

static inline void writer_init(struct writer *writer, char *buffer, size_t room)
{
	*writer = (struct writer){ .begin = buffer, .at = buffer, .room = room };
}

static inline void writer_bytes(struct writer *writer, const char *bytes, size_t size)
{
	if (size > writer->room) {
		writer->full = true;
		writer->room = 0;
	} else if (size) {
		memcpy(writer->at, bytes, size);
		writer->at += size;
		writer->room -= size;
	}
}

static inline void writer_slice(struct writer *writer, struct slice slice)
{
	writer_bytes(writer, slice.at, slice.size);
}

static inline void writer_text(struct writer *writer, const char *text)
{
	writer_bytes(writer, text, strlen(text));
}

/* Decimal. */
static inline void writer_number(struct writer *writer, uint64_t number)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = '0' + number % 10;
	while (number /= 10);
	writer_bytes(writer, at, digits + sizeof(digits) - at);
}

/* "NAME: VALUE" CRLF. */
static inline void writer_field(struct writer *writer, struct slice name, struct slice value)
{
	writer_slice(writer, name);
	writer_bytes(writer, ": ", 2);
	writer_slice(writer, value);
	writer_bytes(writer, "\r\n", 2);
}

/* Bytes written, or -ENOBUFS if there was no room for all. */
static inline ssize_t writer_size(const struct writer *writer)
{
	return writer->full ? -ENOBUFS : writer->at - writer->begin;
}

#endif
