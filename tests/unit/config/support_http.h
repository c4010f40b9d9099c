/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Texts with an http listener, for the tests of what it and its rules may say. */
#ifndef WEIR_TESTS_UNIT_CONFIG_SUPPORT_HTTP_H
#define WEIR_TESTS_UNIT_CONFIG_SUPPORT_HTTP_H

#include "support.h"

/* A listener with the rules; line 10 is the first. Group main is default, api and web virtual. */
#define LISTENER(protocol, port, more, rules)                                                      \
	"version: 1\nlisteners:\n"                                                                 \
	"  - { name: a, protocol: " protocol ", address: 192.0.2.1, port: " port ",\n" more "\n"   \
	"      endpoint_groups: [\n"                                                               \
	"        { name: main, endpoints: 10.0.0.1 },\n"                                           \
	"        { name: api, type: virtual, endpoints: 10.0.0.1 },\n"                             \
	"        { name: web, type: virtual, endpoints: 10.0.0.2 }],\n"                            \
	"      forwarding_rules: [\n" rules "\n"                                                   \
	"        { path: /a, forward: api }, { path: /w, forward: web }] }\n"
#define UNSERVED(protocol)                                                                         \
	"3:26 warning this version does not serve " protocol                                       \
	" yet: weir run and weir apply refuse the file\n"
#define HTTP(more, rules) LISTENER("http", "80", more, rules)

static inline void try_text(const char *text, const char *wanted)
{
	_cleanup_(str_fini) struct str all = {};

	str_add(&all, "%s", wanted);
	support_expect(text, strlen(text), all.text);
}

#endif
