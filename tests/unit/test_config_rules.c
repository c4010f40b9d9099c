// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: forwarding rules are read as the language says. Every rule of it has a text that keeps to
 * it and one that does not, which gets one error, at its first character, that says what to do.
 */
#include "config/support_http.h"

struct http_case {
	const char *rule; /* `$` stands for the value */
	const char *value;
	const char *wanted; /* message of the only error, NULL: it is right */
	unsigned skip;	    /* characters of the value before the marked one */
};

/* The value of a rule, which is line 10. */
static void try_case(const struct http_case *c)
{
	_cleanup_(str_fini) struct str text = {}, wanted = {};
	const char *at = strchr(c->rule, '$');
	static const char base[] = HTTP("", "%");
	const char *rules = strchr(base, '%');

	while (at && at[1] == '{')
		at = strchr(at + 1, '$');
	cr_assert(at);
	str_add(&text, "%.*s{ %.*s%s%s },%s", (int)(rules - base), base, (int)(at - c->rule),
		c->rule, c->value, at + 1, rules + 1);
	str_add(&wanted, "%s", "");
	if (c->wanted)
		str_add(&wanted, "10:%u error %s\n", (unsigned)(3 + (at - c->rule) + c->skip),
			c->wanted);
	try_text(text.text, wanted.text);
}

#define TRY_ALL(cases)                                                                             \
	for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++)                            \
	try_case(&(cases)[i])

#define X10   "xxxxxxxxxx"
#define X60   X10 X10 X10 X10 X10 X10
#define X125  X60 X60 "xxxxx"
#define X1000 X125 X125 X125 X125 X125 X125 X125 X125

#define HOST  "host: $, forward: api"
#define PATH  "path: $, forward: api"

Test(config_rules, hosts)
{
	static const struct http_case cases[] = {
		{ HOST, "abc" },
		{ HOST, "API.example.com" },
		{ HOST, "'*.example.com'" },
		{ HOST, "api?.example.*" },
		{ HOST, "'[2001:db8::1]'" },
		{ HOST, "[a.example.com, b.example.com]" },
		{ HOST, "ab", "a host condition has 3 to 128 characters, not 2" },
		{ HOST, X125 "xxx" },
		{ HOST, X125 "xxxx", "a host condition has 3 to 128 characters, not 129" },
		{ HOST, "~" X125 "xxx" },
		{ HOST, "~ab", "a host condition has 3 to 128 characters, not 2" },
		{ HOST, "'a.example.com:80'",
		  "host 'a.example.com:80': leave the port out, that of a request is ignored" },
		{ HOST, "a.example.com/x",
		  "host 'a.example.com/x': write the host name alone, the rest goes under "
		  "'path:'" },
		{ HOST,
		  "b\xc3\xbc"
		  "cher.example",
		  "host 'b\xc3\xbc"
		  "cher.example': write it as clients send it, in ASCII (xn--...)" },
		{ HOST, "a b.example",
		  "host 'a b.example' has a character that is in no host name: ' '" },
		{ HOST, "~^(a|b)\\.example$" },
		{ HOST, "~^(a|b\\.example", "regular expression: missing closing parenthesis", 14 },
		{ HOST, "[abc, ABD, abc]", "host 'abc' is given twice; first in line 10", 11 },
	};

	TRY_ALL(cases);
}

Test(config_rules, paths)
{
	static const struct http_case cases[] = {
		{ PATH, "/" },
		{ PATH, "/v2/*" },
		{ PATH, "/a;b//c%2Fd%20" },
		{ PATH, "/" X125 "xx" },
		{ PATH, "/" X125 "xxx", "a path condition has 1 to 128 characters, not 129" },
		{ PATH, "v2",
		  "path 'v2' must begin with '/', or with '~' if it is a regular "
		  "expression" },
		{ PATH, "'*.php'",
		  "path '*.php' must begin with '/', or with '~' if it is a regular "
		  "expression" },
		{ PATH, "/a b",
		  "path '/a b' can match no request: it has a character that is in no "
		  "path" },
		{ PATH, "'/a\\b'",
		  "path '/a\\b' can match no request: it has a character that is "
		  "in no path" },
		{ PATH, "'/a#b'",
		  "path '/a#b' can match no request: it has a character that is in "
		  "no path" },
		{ PATH, "/\xc3\xa4",
		  "path '/\xc3\xa4' can match no request: write what is not ASCII "
		  "percent-encoded, as clients send it" },
		{ PATH, "/a/../b",
		  "path '/a/../b' can match no request: requests are compared "
		  "without '/./' and '/../'" },
		{ PATH, "/a/.",
		  "path '/a/.' can match no request: requests are compared without "
		  "'/./' and '/../'" },
		{ PATH, "/a/..b/.c" },
		{ PATH, "/%61",
		  "path '/%61' can match no request: requests are compared with "
		  "letters, digits and -._~ decoded, and a '%' has two hexadecimal "
		  "digits" },
		{ PATH, "/%7E",
		  "path '/%7E' can match no request: requests are compared with "
		  "letters, digits and -._~ decoded, and a '%' has two hexadecimal "
		  "digits" },
		{ PATH, "/%00",
		  "path '/%00' can match no request: requests are compared with "
		  "letters, digits and -._~ decoded, and a '%' has two hexadecimal "
		  "digits" },
		{ PATH, "/%4",
		  "path '/%4' can match no request: requests are compared with "
		  "letters, digits and -._~ decoded, and a '%' has two hexadecimal "
		  "digits" },
		{ PATH, "'~^/v[0-9]+/'" },
		{ PATH, "'~^/v[0-9+/'",
		  "regular expression: missing terminating ] for character class", 10 },
		{ PATH, "'~a(?<!b+)'",
		  "regular expression: lookbehind assertion is not fixed length", 3 },
		{ PATH, "'~\\C'", "regular expression: using \\C is disabled by the application",
		  3 },
		{ PATH, "\"\"", "path has no value" },
		{ PATH, "[]", "path is empty; at least 1 needed" },
		{ PATH, "{ a: b }", "expected a list for path; begin each item with '- '" },
	};

	TRY_ALL(cases);
}

#define METHOD "method: $, forward: api"
#define SOURCE "source_ip: $, forward: api"
#define HEADER "header: $, forward: api"
#define QUERY  "query: $, forward: api"
#define COOKIE "cookie: $, forward: api"

Test(config_rules, other_conditions)
{
	static const struct http_case cases[] = {
		{ METHOD, "GET" },
		{ METHOD, "[POST, PROPFIND, VERSION-CONTROL]" },
		{ METHOD, "get", "method 'get' must be of capital letters, as in GET, at most 32" },
		{ METHOD, "'G T'",
		  "method 'G T' must be of capital letters, as in GET, at most 32" },
		{ METHOD, "[PUT, PUT]", "method 'PUT' is given twice; first in line 10", 6 },
		{ SOURCE, "10.0.0.0/8" },
		{ SOURCE, "['2001:db8::/32', 10.0.0.1]" },
		{ SOURCE, "10.0.0.1/8",
		  "'10.0.0.1/8' has bits beyond the prefix; write 10.0.0.0/8, "
		  "or the address alone" },
		{ SOURCE, "[10.0.0.0/8, 10.0.0.0/8]",
		  "prefix '10.0.0.0/8' is given twice; first in line 10", 13 },
		{ HEADER, "{ X-A: a }" },
		{ HEADER, "{ X-A: [a, 'b*', '~^c'], X-B: [\"d \\\"e\\\"\"] }" },
		{ HEADER, "X-A", "expected a mapping for header: { header: value }" },
		{ HEADER, "{}", "header is empty; at least one header needed" },
		{ HEADER, "{ 'X A': a }",
		  "header 'X A' must be of letters, digits and !#$%&'*+-.^_`|~", 2 },
		{ HEADER, "{ X-A: a, X-A: b }", "header 'X-A' is given twice; first in line 10",
		  10 },
		{ HEADER, "{ X-A: \"a\\nb\" }", "value 'a?b' has a line break or control character",
		  7 },
		{ HEADER, "{ X-A: ' b' }", "value ' b' begins or ends with a blank", 7 },
		{ HEADER, "{ X-A: }", "value has no value; expected a list", 2 },
		{ HEADER, "{ X-A: " X125 "xxx }" },
		{ HEADER, "{ X-A: " X125 "xxxx }", "value has 129 characters; at most 128 allowed",
		  7 },
		{ HEADER, "{ X-A: '~' }", "behind '~' a regular expression is missing", 7 },
		{ HEADER, "{ X-A: [b, '~*'] }",
		  "regular expression: quantifier does not follow a repeatable item", 13 },
		{ QUERY, "{ a b: \xc3\xa4 }" },
		{ QUERY, "{ \"\": x }", "parameter has no value", 2 },
		{ COOKIE, "{ session: '?*' }" },
		{ COOKIE, "{ ses;sion: x }",
		  "cookie 'ses;sion' must be of letters, digits and !#$%&'*+-.^_`|~", 2 },
		{ COOKIE, "{ a: { b: c } }", "expected a list for value; begin each item with '- '",
		  5 },
	};

	TRY_ALL(cases);
}

#define REDIRECT "path: /x, redirect: $"
#define FIXED	 "path: /x, fixed_response: $"
#define DROP	 "path: /x, drop: $"

Test(config_rules, answers)
{
	static const struct http_case cases[] = {
		{ REDIRECT, "https://example.com/new" },
		{ REDIRECT, "'${protocol}://${host}:8080${path}?${query}'" },
		{ REDIRECT, "/new" },
		{ REDIRECT, "{ url: /new, code: 308 }" },
		{ REDIRECT, "{ url: /new, code: 304 }",
		  "unknown code '304'; did you mean '301'? allowed: 301, 302, 303, 307, 308", 19 },
		{ REDIRECT, "{ code: 301 }",
		  "missing key 'url' (where to; ${protocol} ${host} ${port} ${path} ${query} are "
		  "the request's)" },
		{ REDIRECT, "new",
		  "url 'new' must be https://HOST..., http://HOST..., ${protocol}://HOST..., or "
		  "begin with one '/'" },
		{ REDIRECT, "//evil.example",
		  "url '//evil.example' must be https://HOST..., http://HOST..., "
		  "${protocol}://HOST..., or begin with one '/'" },
		{ REDIRECT, "https:///x",
		  "url 'https:///x' must be https://HOST..., http://HOST..., "
		  "${protocol}://HOST..., or begin with one '/'" },
		{ REDIRECT, "'/${pth}'",
		  "url '/${pth}' has an unknown variable; there are ${protocol}, ${host}, ${port}, "
		  "${path} and ${query}",
		  1 },
		{ REDIRECT, "'/${path'",
		  "url '/${path' has an unknown variable; there are ${protocol}, ${host}, ${port}, "
		  "${path} and ${query}",
		  1 },
		{ REDIRECT, "\"/a\\r\\nSet-Cookie: x\"",
		  "url '/a??Set-Cookie: x' has a character that is in no URL; write it "
		  "percent-encoded" },
		{ FIXED, "404" },
		{ FIXED, "{ code: 200, content_type: text/html; charset=utf-8, body: \"a\\nb\" }" },
		{ FIXED, "301",
		  "code '301' is not allowed: a fixed response has 200 to 299, 400 to "
		  "499 or 500 to 599; for 3xx there is 'redirect:'" },
		{ FIXED, "{ code: 100 }",
		  "code '100' is not allowed: a fixed response has 200 to "
		  "299, 400 to 499 or 500 to 599",
		  8 },
		{ FIXED, "600",
		  "code '600' is not allowed: a fixed response has 200 to 299, 400 to "
		  "499 or 500 to 599" },
		{ FIXED, "{ body: a }",
		  "missing key 'code' (status of the answer: 2xx, 4xx or 5xx)" },
		{ FIXED, "{ code: 200, body: '" X1000 "' }" },
		{ FIXED, "{ code: 200, body: '\xc3\xa4" X1000 "' }",
		  "body has 1001 characters; at most 1000 allowed", 19 },
		{ FIXED, "{ code: 200, body: \"\\e\" }", "body '?' has a control character", 19 },
		{ FIXED, "{ code: 204, body: a }", "an answer with status 204 has no body", 19 },
		{ FIXED, "{ code: 204, body: '' }" },
		{ FIXED, "{ code: 200, content_type: html }",
		  "content_type 'html' is not a media type like text/html or text/html; "
		  "charset=utf-8",
		  27 },
		{ DROP, "true" },
		{ DROP, "false", "unknown drop 'false'; allowed: true" },
	};

	TRY_ALL(cases);
}

#define REWRITE	      "path: /x, forward: api, rewrite: $"
#define CAPTURE(path) "path: " path ", forward: api, rewrite: $"
#define ADD	      "path: /x, forward: api, add_header: $"
#define REMOVE	      "path: /x, forward: api, remove_header: $"
#define FORWARD	      "path: /x, forward: $"

Test(config_rules, forwards)
{
	static const struct http_case cases[] = {
		{ FORWARD, "main" },
		{ FORWARD, "ap1",
		  "this listener has no endpoint group 'ap1'; did you mean 'api'?" },
		{ FORWARD, "elsewhere",
		  "this listener has no endpoint group 'elsewhere'; add one of type virtual" },
		{ REWRITE, "/y" },
		{ REWRITE, "{ host: b.example, path: '/y${path}', query: '' }" },
		{ CAPTURE("/a*b/?"), "'/${1}${2}'" },
		{ CAPTURE("[/a, '~^/(x)']"), "{ path: '/${3}', query: '${1}', host: '${2}' }" },
		{ REWRITE, "'/y/${1}'",
		  "${1} is what a '*' of the path matched, or a group of a regular expression; "
		  "this rule has no such path",
		  1 },
		{ "host: a.*, forward: api, rewrite: $", "'/y/${3}'",
		  "${3} is what a '*' of the path matched, or a group of a regular expression; "
		  "this rule has no such path",
		  1 },
		{ REWRITE, "'/${4}'",
		  "path '/${4}' has an unknown variable; there are ${protocol}, ${host}, ${port}, "
		  "${path} and ${query}, and ${1} to ${3} of what the path matched",
		  1 },
		{ REDIRECT, "'/${1}'",
		  "url '/${1}' has an unknown variable; there are ${protocol}, ${host}, ${port}, "
		  "${path} and ${query}",
		  1 },
		{ REWRITE, "{}", "rewrite is empty; name host, path or query" },
		{ REWRITE, "y", "path 'y' must begin with '/' or ${path}" },
		{ REWRITE, "{ query: }", "query has no value; write \"\" for an empty one", 2 },
		{ REWRITE, "{ path: \"/a b\" }",
		  "path '/a b' has a character that is in no URL; write it percent-encoded", 8 },
		{ ADD, "{ X-Env: blue, X-B: \"b: c\" }" },
		{ ADD, "{ X-Env: \"a\\r\\nX: y\" }",
		  "value 'a??X: y' has a line break or control character", 9 },
		{ ADD, "{ host: b.example }",
		  "header host cannot be set: change it with 'rewrite: { "
		  "host: ... }'",
		  2 },
		{ ADD, "{ Transfer-Encoding: x }",
		  "header Transfer-Encoding cannot be set: weir sends its own", 2 },
		{ ADD, "{ X-Env: [a] }", "expected one value for value, not a list", 9 },
		{ REMOVE, "X-A" },
		{ REMOVE, "[X-A, Accept]" },
		{ REMOVE, "[X-A, 'a b']",
		  "remove_header 'a b' must be of letters, digits and !#$%&'*+-.^_`|~", 6 },
		{ REMOVE, "connection", "header connection cannot be removed: weir sends its own" },
		{ REMOVE, "[X-A, X-A]", "header 'X-A' is given twice; first in line 10", 6 },
	};

	TRY_ALL(cases);
}

/* A whole rule stands for the value, at column 1 of line 10. */
Test(config_rules, actions)
{
	static const struct http_case cases[] = {
		{ "$", "path: /x, forward: api" },
		{ "$", "path: /x",
		  "a rule needs an action: forward, redirect, fixed_response or drop", 1000 },
		{ "$", "path: /x, forward: api, drop: true",
		  "a rule has one of forward, redirect, fixed_response and drop; this one has "
		  "'forward' already, in line 10",
		  24 },
		{ "$", "path: /x, redirect: /y, rewrite: /z",
		  "rewrite is for requests that are forwarded; this rule has 'redirect'", 24 },
		{ "$", "path: /x, drop: true, add_header: { a: b }",
		  "add_header is for requests that are forwarded; this rule has 'drop'", 22 },
		{ "$", "path: /x, fixed_response: 404, remove_header: a",
		  "remove_header is for requests that are forwarded; this rule has "
		  "'fixed_response'",
		  31 },
		{ "$", "forward: api",
		  "a rule needs a condition: host, path, header, query, method, cookie or "
		  "source_ip; 'path: /*' is all requests",
		  1000 },
		/* A key that was meant counts. */
		{ "$", "path: /x, forwrd: api", "unknown key 'forwrd'; did you mean 'forward'?",
		  10 },
		{ "$", "hots: abc, forward: api", "unknown key 'hots'; did you mean 'host'?", 0 },
		{ "$", "path: x y, forward: 9",
		  "path 'x y' must begin with '/', or with '~' if it is a regular "
		  "expression\n10:23 "
		  "error forward '9' must begin with a letter and go on with letters, digits, '.', "
		  "'_' or '-', at most 63 in all",
		  6 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_case c = cases[i];

		if (c.skip == 1000)
			c.skip = -2; /* the rule as a whole */
		try_case(&c);
	}
}

#define P(priority) "{ path: /" priority ", priority: " priority ", drop: true }"

Test(config_rules, priorities)
{
	static const struct {
		const char *rules, *wanted;
	} cases[] = {
		{ P("1") ",\n" P("10000"), "" },
		{ P("0"), "7:23 error priority '0' is out of range; allowed: 1 to 10000\n" },
		{ P("10001"),
		  "7:27 error priority '10001' is out of range; allowed: 1 to 10000\n" },
		{ P("5") ",\n" P("6") ",\n" P("5"),
		  "9:23 error priority 5 is given twice; first in line 7\n" },
		{ P("5") ",\n{ path: /x, drop: true }", "8:1 error this rule has no priority, but "
							"that of line 7 has; either all rules of "
							"a listener have one or none\n" },
		{ "{ path: /x, drop: true },\n" P("5"), "7:1 error this rule has no priority, but "
							"that of line 8 has; either all rules of "
							"a listener have one or none\n" },
		/* Once, and not because of one that is wrong. */
		{ P("5") ",\n{ path: /x, priority: x, drop: true }",
		  "8:23 error priority 'x' is not a whole number in plain digits; allowed: 1 to "
		  "10000\n" },
		{ "{ name: a, path: /x, drop: true },\n{ name: a, path: /y, drop: true }",
		  "8:9 error forwarding rule name 'a' is given twice; first in line 7\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(str_fini) struct str text = {};

		str_add(&text,
			"version: 1\nlisteners:\n"
			"  - { name: a, protocol: http, address: 192.0.2.1, port: 80,\n"
			"\n      endpoint_groups: [{ name: main, endpoints: 10.0.0.1 }],\n"
			"      forwarding_rules: [\n%s] }\n",
			cases[i].rules);
		try_text(text.text, cases[i].wanted);
	}
}

Test(config_rules, rule_order)
{
	try_text(HTTP("      rule_order: domain_first,", "{ host: abc, forward: api },"), "");
	try_text(HTTP("      rule_order: domain_first,", "{ method: GET, forward: api },"),
		 "10:1 error with rule_order domain_first a rule needs a host or a path\n");
	try_text("version: 1\nlisteners:\n"
		 "  - { name: a, protocol: http, address: 192.0.2.1, port: 80, rule_order: "
		 "domain_first,\n"
		 "      endpoint_groups: [{ name: main, endpoints: 10.0.0.1 }],\n"
		 "      forwarding_rules: [\n" P("5") ",\n" P("6") "] }\n",
		 "6:23 warning priority has no effect with rule_order domain_first\n");
	try_text(HTTP("      rule_order: domain,", "{ host: abc, forward: api },"),
		 "4:19 error unknown rule_order 'domain'; allowed: "
		 "priority, domain_first\n");
}
