/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forwarding rules of a listener, compiled: what becomes of a request. Hosts and paths, exact
 * or wildcards, hang in trees, which are walked down once however many there are; regular
 * expressions are tried one by one, those of the best rules first, and not beyond the best match.
 *
 * Which of the rules that match is taken (all conditions of a rule must match, and of a condition
 * one value):
 *   rule_order priority      the one with the smallest priority. If none has one: by its host,
 * exact before wildcard before regular expression before none, a longer pattern before a shorter
 * one; then by its path in the same way; then the first in the file. Of several values of a
 * condition the best that matches counts. rule_order domain_first  if a host condition of any rule
 * matches: of the rules that name the host those with a path before those without, each in the
 * order above; if none matches, not found. Else of the rules without a host in the order above. If
 * no rule matches, the request goes to the default groups.
 */
#ifndef WEIR_HTTP_RULES_H
#define WEIR_HTTP_RULES_H

#include "config/model.h"
#include "http/forward.h"
#include "http/message.h"
#include "util/err.h"

struct rules;

enum rules_verdict_kind {
	RULES_DEFAULT, /* no rule: to the listener's default groups */
	RULES_FORWARD, /* to a group */
	RULES_REDIRECT,
	RULES_FIXED_RESPONSE,
	RULES_DROP,	 /* close without an answer */
	RULES_NOT_FOUND, /* domain_first: rules name the host, none of them takes the request */
};

struct rules_verdict {
	uint8_t kind;			/* enum rules_verdict_kind */
	const struct http_rule *rule;	/* NULL: none */
	uint32_t index;			/* of the rule in the listener's */
	uint32_t group;			/* of FORWARD: index in the listener's groups */
	struct slice url;		/* of REDIRECT */
	struct forward_rewrite rewrite; /* of FORWARD */
	const char *why;		/* if there is none: a static text */
};

/* Compiles the rules of a listener of http or https, which must stay as it is for as long. 0,
 * -ENOMEM, or -EINVAL with the text in err. For one thread: matching uses room that is in it. */
int rules_new(const struct listener *listener, struct rules **ret, struct err *err);

void rules_free(struct rules *rules);
DEFINE_CLEANUP(struct rules *, rules_free)

/* What becomes of the request. 0; or minus a status to answer with, with ret->why: 400 where a
 * regular expression takes too long, so that nobody knows whether it matches, or a rewritten host
 * is none, 414 where a text becomes too long, 503 without memory. Texts in *ret end with the next
 * call, and with the request. */
int rules_match(struct rules *rules, const struct request *request,
		const struct forward_client *client, struct rules_verdict *ret);

/* Is the address one of the listener's trusted proxies? */
bool rules_trusts(const struct http *http, const struct addr *peer);

#endif
