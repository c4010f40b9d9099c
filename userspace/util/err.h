/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One error on its way up. A function that user input can make fail takes a struct err last: the
 * deepest layer says what is wrong and what to do (err_set), each layer above adds where (err_at),
 * and the CLI or the daemon prints it once. A NULL err is allowed: the text is then dropped.
 */
#ifndef WEIR_UTIL_ERR_H
#define WEIR_UTIL_ERR_H

struct err {
	char text[1024]; /* one line without a final newline; "" while there is no error */
};

/* Sets the text and returns `code`, a negative errno; a text that is too long ends in "...". */
int err_set(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "WHERE: " before the text and returns `code`. */
int err_at(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
