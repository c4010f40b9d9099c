/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* show rules: the forwarding rules of http and https listeners. */
#ifndef WEIR_CLI_SHOW_RULES_H
#define WEIR_CLI_SHOW_RULES_H

#include "config/model.h"
#include "util/err.h"
#include "util/str.h"

struct cli;

/* rules [LISTENER] [-c FILE] */
int show_rules(const struct cli *cli, struct err *err);

/* A rule in words: "host a.example; method GET, HEAD", and what it does. */
void show_rules_conditions(const struct http_rule *rule, struct str *out);
void show_rules_action(const struct listener *listener, const struct http_rule *rule,
		       struct str *out);

/* "forward", ... */
const char *show_rules_action_name(const struct http_rule *rule);

#endif
