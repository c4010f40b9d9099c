// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One write per line, so that lines of several processes do not mix. */
static void log_line(enum log_level level, const char *format, va_list arguments)
{
	const char *prefix = level == LOG_LEVEL_ERROR	  ? "error: "
			     : level == LOG_LEVEL_WARNING ? "warning: "
							  : "";
	char line[2048];
	int length = 0;

	if (getenv("JOURNAL_STREAM"))
		length = snprintf(line, sizeof(line), "<%d>", level);
	length += snprintf(line + length, sizeof(line) - length, "%s", prefix);
	length += vsnprintf(line + length, sizeof(line) - length, format, arguments);
	if (length > (int)sizeof(line) - 1)
		length = sizeof(line) - 1;
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0)
		return; /* nobody is left to tell */
}

#define DEFINE_LOG(name, level)                                                                    \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list arguments;                                                                 \
                                                                                                   \
		va_start(arguments, format);                                                       \
		log_line(level, format, arguments);                                                \
		va_end(arguments);                                                                 \
	}

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
