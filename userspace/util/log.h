/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's log: one line per change of state on stderr, topic first ("web: weight of a 50").
 * Under systemd (JOURNAL_STREAM is set) a line begins with its syslog level, "<6>".
 */
#ifndef WEIR_UTIL_LOG_H
#define WEIR_UTIL_LOG_H

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
};

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
