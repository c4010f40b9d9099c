// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The part of the table that is about HTTP. */
#include "config/http.h"
#include "config/schema_table.h"

/* Of a mapping whose keys are free: what they look like, and what stands behind them. */
static const struct schema_key header_condition_keys[] = {
	[FREE_NAME] = { .name = "header", .type = SCHEMA_TOKEN, .max = 100, .help = "its name" },
	[FREE_VALUE] = {
		.name = "value",
		.type = SCHEMA_PATTERN,
		.flags = SCHEMA_LIST,
		.min = 1,
		.max = 128,
		.min_items = 1,
		.help = "one of them: a text, a wildcard or ~REGEX",
	},
};
static const struct schema_object header_condition = { .name = "header condition",
						       KEYS(header_condition_keys) };

static const struct schema_key query_condition_keys[] = {
	[FREE_NAME] = {
		.name = "parameter",
		.type = SCHEMA_TEXT,
		.min = 1,
		.max = 100,
		.help = "its name",
	},
	[FREE_VALUE] = {
		.name = "value",
		.type = SCHEMA_PATTERN,
		.flags = SCHEMA_LIST,
		.min = 1,
		.max = 128,
		.min_items = 1,
		.help = "one of them: a text, a wildcard or ~REGEX",
	},
};
static const struct schema_object query_condition = { .name = "query condition",
						      KEYS(query_condition_keys) };

static const struct schema_key cookie_condition_keys[] = {
	[FREE_NAME] = { .name = "cookie", .type = SCHEMA_TOKEN, .max = 100, .help = "its name" },
	[FREE_VALUE] = {
		.name = "value",
		.type = SCHEMA_PATTERN,
		.flags = SCHEMA_LIST,
		.min = 1,
		.max = 128,
		.min_items = 1,
		.help = "one of them: a text, a wildcard or ~REGEX",
	},
};
static const struct schema_object cookie_condition = { .name = "cookie condition",
						       KEYS(cookie_condition_keys) };

static const struct schema_key add_header_keys[] = {
	[FREE_NAME] = { .name = "header", .type = SCHEMA_TOKEN, .max = 100, .help = "its name" },
	[FREE_VALUE] = {
		.name = "value",
		.type = SCHEMA_TEXT,
		.min = 1,
		.max = 1000,
		.help = "its value",
	},
};
static const struct schema_object add_header = { .name = "list of headers", KEYS(add_header_keys) };

static const struct schema_choice redirect_codes[] = {
	{ "301", 301 }, { "302", 302 }, { "303", 303 }, { "307", 307 }, { "308", 308 }, {},
};

static const struct schema_key redirect_keys[] = {
	[REDIRECT_URL] = {
		.name = "url",
		.type = SCHEMA_URL,
		.flags = SCHEMA_REQUIRED,
		.min = 1,
		.max = 2048,
		.help = "where to; ${protocol} ${host} ${port} ${path} ${query} are the request's",
	},
	[REDIRECT_CODE] = {
		.name = "code",
		.type = SCHEMA_CHOICE,
		.choices = redirect_codes,
		.fallback = 302,
		.absent = "302",
		.help = "status of the answer",
	},
};
static const struct schema_object redirect = { .name = "redirect",
					       KEYS(redirect_keys),
					       .scalar = &redirect_keys[REDIRECT_URL] };

static const struct schema_key fixed_response_keys[] = {
	[FIXED_RESPONSE_CODE] = {
		.name = "code",
		.type = SCHEMA_STATUS,
		.flags = SCHEMA_REQUIRED,
		.min = 200,
		.max = 599,
		.help = "status of the answer: 2xx, 4xx or 5xx",
	},
	[FIXED_RESPONSE_CONTENT_TYPE] = {
		.name = "content_type",
		.type = SCHEMA_MEDIA_TYPE,
		.absent = "text/plain",
		.help = "what the body is",
	},
	[FIXED_RESPONSE_BODY] = {
		.name = "body",
		.type = SCHEMA_BODY,
		.flags = SCHEMA_EMPTY,
		.max = 1000,
		.help = "body of the answer, at most 1000 characters",
	},
};
static const struct schema_object fixed_response = {
	.name = "fixed response",
	KEYS(fixed_response_keys),
	.scalar = &fixed_response_keys[FIXED_RESPONSE_CODE],
};

static const struct schema_key rewrite_keys[] = {
	[REWRITE_HOST] = {
		.name = "host",
		.type = SCHEMA_TEMPLATE,
		.min = 1,
		.max = 255,
		.absent = "the client's",
		.help = "Host of the request, as the endpoint gets it",
	},
	[REWRITE_PATH] = {
		.name = "path",
		.type = SCHEMA_TEMPLATE_PATH,
		.min = 1,
		.max = 1000,
		.absent = "the client's",
		.help = "path of the request, as the endpoint gets it",
	},
	[REWRITE_QUERY] = {
		.name = "query",
		.type = SCHEMA_TEMPLATE,
		.flags = SCHEMA_EMPTY,
		.max = 1000,
		.absent = "the client's",
		.help = "query of the request, as the endpoint gets it, without the '?'",
	},
};
static const struct schema_object rewrite = { .name = "rewrite",
					      KEYS(rewrite_keys),
					      .scalar = &rewrite_keys[REWRITE_PATH] };

static const struct schema_choice yes[] = { { "true", true }, {} };

static const struct schema_key rule_keys[] = {
	[RULE_NAME] = {
		.name = "name",
		.type = SCHEMA_NAME,
		.help = "name of the rule, unique in its listener",
	},
	[RULE_PRIORITY] = {
		.name = "priority",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 10000,
		.absent = "the more exact rule goes first",
		.help = "with rule_order priority: the smallest that matches is taken; all rules "
			"of a listener have one, or none",
	},
	[RULE_HOST] = {
		.name = "host",
		.type = SCHEMA_HOST,
		.flags = SCHEMA_LIST,
		.min_items = 1,
		.help = "condition: the host of the request, in any case and without port: a name, "
			"a wildcard or ~REGEX",
	},
	[RULE_PATH] = {
		.name = "path",
		.type = SCHEMA_URL_PATH,
		.flags = SCHEMA_LIST,
		.min_items = 1,
		.help = "condition: the path of the request, without the query: a path, a wildcard "
			"or ~REGEX",
	},
	[RULE_HEADER] = {
		.name = "header",
		.type = SCHEMA_MAP,
		.object = &header_condition,
		.help = "condition: each of these headers of the request has one of the values",
	},
	[RULE_QUERY] = {
		.name = "query",
		.type = SCHEMA_MAP,
		.object = &query_condition,
		.help = "condition: each of these parameters of the query has one of the values",
	},
	[RULE_METHOD] = {
		.name = "method",
		.type = SCHEMA_METHOD,
		.flags = SCHEMA_LIST,
		.max = 32,
		.min_items = 1,
		.help = "condition: the request's method: GET, POST",
	},
	[RULE_COOKIE] = {
		.name = "cookie",
		.type = SCHEMA_MAP,
		.object = &cookie_condition,
		.help = "condition: each of these cookies has one of the values",
	},
	[RULE_SOURCE_IP] = {
		.name = "source_ip",
		.type = SCHEMA_NETWORK,
		.flags = SCHEMA_LIST,
		.min_items = 1,
		.help = "condition: the client's address: 192.0.2.0/24, 198.51.100.7",
	},
	[RULE_FORWARD] = {
		.name = "forward",
		.type = SCHEMA_NAME,
		.help = "action: to this endpoint group of the listener",
	},
	[RULE_REDIRECT] = {
		.name = "redirect",
		.type = SCHEMA_OBJECT,
		.object = &redirect,
		.help = "action: answer that it is elsewhere: the URL, or a mapping",
	},
	[RULE_FIXED_RESPONSE] = {
		.name = "fixed_response",
		.type = SCHEMA_OBJECT,
		.object = &fixed_response,
		.help = "action: answer this: the status, or a mapping",
	},
	[RULE_DROP] = {
		.name = "drop",
		.type = SCHEMA_CHOICE,
		.choices = yes,
		.help = "action: close the connection without an answer",
	},
	[RULE_REWRITE] = {
		.name = "rewrite",
		.type = SCHEMA_OBJECT,
		.object = &rewrite,
		.help = "before a forward: another path, or a mapping of host, path and query; "
			"${host} ${path} ${query} are the request's, ${1} ${2} ${3} what the first "
			"'*' of its path matched, or groups of its regular expression",
	},
	[RULE_ADD_HEADER] = {
		.name = "add_header",
		.type = SCHEMA_MAP,
		.object = &add_header,
		.help = "before a forward: headers that the endpoint gets, in place of the "
			"client's",
	},
	[RULE_REMOVE_HEADER] = {
		.name = "remove_header",
		.type = SCHEMA_TOKEN,
		.flags = SCHEMA_LIST,
		.max = 100,
		.min_items = 1,
		.help = "before a forward: headers of the client that the endpoint does not get",
	},
};
const struct schema_object schema_rule = { .name = "forwarding rule", KEYS(rule_keys) };

static const struct schema_key certificate_keys[] = {
	[CERTIFICATE_FILE] = {
		.name = "certificate",
		.type = SCHEMA_PATH,
		.flags = SCHEMA_REQUIRED,
		.help = "file of the certificate and those that it is signed by, PEM",
	},
	[CERTIFICATE_KEY] = {
		.name = "key",
		.type = SCHEMA_PATH,
		.flags = SCHEMA_REQUIRED,
		.help = "file of its private key, PEM",
	},
};
static const struct schema_object certificate = { .name = "certificate", KEYS(certificate_keys) };

static const struct schema_choice versions[] = { { "1.2", 12 }, { "1.3", 13 }, {} };

static const struct schema_key tls_keys[] = {
	[TLS_CERTIFICATE] = {
		.name = "certificate",
		.type = SCHEMA_PATH,
		.flags = SCHEMA_REQUIRED,
		.help = "file of the certificate and those that it is signed by, PEM",
	},
	[TLS_KEY] = {
		.name = "key",
		.type = SCHEMA_PATH,
		.flags = SCHEMA_REQUIRED,
		.help = "file of its private key, PEM",
	},
	[TLS_MORE_CERTIFICATES] = {
		.name = "more_certificates",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_LIST,
		.object = &certificate,
		.help = "for clients that ask for one of their names",
	},
	[TLS_MINIMUM_VERSION] = {
		.name = "minimum_version",
		.type = SCHEMA_CHOICE,
		.choices = versions,
		.fallback = 12,
		.absent = "1.2",
		.help = "oldest version of TLS that is spoken",
	},
	[TLS_CLIENT_CA] = {
		.name = "client_ca",
		.type = SCHEMA_PATH,
		.absent = "clients need no certificate",
		.help = "file of the authorities, PEM, one of which must have signed a client's "
			"certificate",
	},
};
const struct schema_object schema_tls = { .name = "tls", KEYS(tls_keys) };

static const struct schema_key proxy_protocol_in_keys[] = {
	[PROXY_PROTOCOL_IN_FROM] = {
		.name = "from",
		.type = SCHEMA_NETWORK,
		.flags = SCHEMA_REQUIRED | SCHEMA_LIST,
		.min_items = 1,
		.help = "addresses of the proxies in front; connections of others are closed",
	},
};
const struct schema_object schema_proxy_protocol_in = { .name = "proxy_protocol_in",
							KEYS(proxy_protocol_in_keys) };
