/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rules are compiled to, by rules.c, for rules_match.c. A rule stands in a list for each of
 * its hosts and each of its paths: the lists of a host's paths hang below the host. Its rank there
 * says what place it has among all; lists are in the order of ranks.
 */
#ifndef WEIR_HTTP_RULES_INTERNAL_H
#define WEIR_HTTP_RULES_INTERNAL_H

#include "config/regex.h"
#include "http/glob.h"
#include "http/rules.h"
#include "http/template.h"
#include "http/trie.h"
#include "util/vec.h"

#define RULES_NONE     UINT32_MAX
#define RULES_TEXT_MAX 65536 /* bytes of the texts of a verdict */

struct rules_entry {
	uint32_t rank; /* smaller is better */
	uint32_t rule;
	uint32_t path; /* which value of its path condition; RULES_NONE: it has none */
};

struct rules_list {
	VEC(struct rules_entry) entries;
};

/* A path that is a regular expression. */
struct rules_expression {
	const char *text;
	struct regex *regex; /* owned */
	struct rules_list list;
};

/* Rules of one host. */
struct rules_host {
	uint32_t rank; /* the best of all entries */
	struct trie paths;
	VEC(struct rules_list) lists; /* by item of the trie */
	VEC(struct rules_expression) expressions;
	struct rules_list pathless;
};

/* A value of a condition: one of the two, or the text exactly. */
struct rules_value {
	struct slice text;
	struct glob *glob;   /* owned */
	struct regex *regex; /* owned */
};

/* A condition but host and path. */
struct rules_condition {
	const struct http_condition *condition;
	VEC(struct rules_value) values;
};

struct rules_rule {
	const struct http_rule *rule;
	const struct http_condition *hosts, *paths; /* NULL: it has none */
	VEC(char *) path_texts; /* owned, by value of the path condition: as it is compared */
	VEC(struct rules_condition) conditions;
	struct template url, host, path, query;
};

struct rules_host_expression {
	const char *text;
	struct regex *regex; /* owned */
	uint32_t host;
};

struct rules {
	const struct listener *listener;
	const struct http *http;
	VEC(struct rules_rule) rules;
	VEC(struct rules_host) hosts; /* the first is of rules without a host */
	struct trie names;	      /* of hosts, reversed: wildcards mostly begin with a `*` */
	VEC(uint32_t) by_name;	      /* in hosts, by item of the trie */
	VEC(struct rules_host_expression) expressions;
	/* Room for one match. */
	char host[ADDR_HOST_MAX + 2], reversed[ADDR_HOST_MAX + 2];
	char *path; /* owned; normal form, and what is decoded of the query */
	size_t path_room;
	char *text; /* owned; of the verdict */
};

/* The normal form of a host as rules compare it: in lower case, without the root's dot, an IPv6
 * address in its canonical form. `ret` has room for ADDR_HOST_MAX + 2. Returns its size. */
size_t rules_normalise_host(struct slice host, char *ret);

#endif
