// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_truncation(struct err *err, int length)
{
	if (length >= (int)sizeof(err->text))
		strcpy(err->text + sizeof(err->text) - 4, "...");
}

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list arguments;

	if (!err)
		return code;
	va_start(arguments, format);
	mark_truncation(err, vsnprintf(err->text, sizeof(err->text), format, arguments));
	va_end(arguments);
	return code;
}

int err_at(struct err *err, int code, const char *format, ...)
{
	char where[sizeof(err->text)], what[sizeof(err->text)];
	va_list arguments;

	if (!err)
		return code;
	va_start(arguments, format);
	vsnprintf(where, sizeof(where), format, arguments);
	va_end(arguments);
	strcpy(what, err->text);
	mark_truncation(err, snprintf(err->text, sizeof(err->text), "%s: %s", where, what));
	return code;
}
