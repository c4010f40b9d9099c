// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/rules_internal.h"

#include <errno.h>
#include <strings.h>

#include "http/chars.h"
#include "http/request.h"
#include "http/target.h"

/* A request on its way through the rules. */
struct search {
	struct rules *rules;
	const struct request *request;
	const struct forward_client *client;
	struct slice host, reversed, path; /* normal forms */
	char *room;			   /* for what is decoded of the query */
	/* The best so far. */
	struct rules_entry best;
	struct regex *regex; /* that its path matched; NULL: it was none */
	bool named;	     /* a host condition matched */
};

static int match_value(const struct rules_value *value, struct slice text)
{
	if (value->regex)
		return regex_match(value->regex, text.at ?: "", text.size, NULL);
	if (value->glob)
		return glob_match(value->glob, text);
	return slice_equal(value->text, text);
}

/* Is it one of the condition's values? 1, 0 or -ETIME, as in what follows. */
static int match_values(const struct rules_condition *condition, struct slice text)
{
	vec_foreach(value, &condition->values) {
		int r = match_value(value, text);

		if (r)
			return r;
	}
	return 0;
}

static int match_header(const struct search *search, const struct rules_condition *condition)
{
	const struct request *request = search->request;
	const char *key = condition->condition->key;

	for (uint16_t i = 0; i < request->count; i++) {
		const struct field *field = &request->fields[i];
		int r;

		if (strncasecmp(field->name.at, key, field->name.size) || key[field->name.size] ||
		    forward_is_hearsay(field, search->client))
			continue;
		r = match_values(condition, field->value);
		if (r)
			return r;
	}
	return 0;
}

/* The next of some pairs NAME=VALUE, and what is behind it. false: there is none. */
static bool next_pair(struct slice *list, char separator, struct slice *ret_name,
		      struct slice *ret_value)
{
	const char *end, *stop, *equals;

	if (!list->size)
		return false;
	end = list->at + list->size;
	stop = memchr(list->at, separator, list->size) ?: end;
	equals = memchr(list->at, '=', stop - list->at);
	*ret_name = (struct slice){ list->at, (equals ?: stop) - list->at };
	*ret_value = (struct slice){ equals ? equals + 1 : stop, equals ? stop - equals - 1 : 0 };
	*list = (struct slice){ stop + (stop < end), end - stop - (stop < end) };
	return true;
}

/* As forms are sent: %XX is a byte, '+' a blank. What is no escape stays. */
static struct slice decode(struct slice text, char *room)
{
	size_t size = 0;

	if (!memchr(text.at, '%', text.size) && !memchr(text.at, '+', text.size))
		return text;
	for (size_t i = 0; i < text.size; i++) {
		const char *at = text.at + i;

		if (*at == '%' && text.size - i > 2 && chars_are(at[1], CHARS_HEX) &&
		    chars_are(at[2], CHARS_HEX)) {
			room[size++] = chars_hex(at[1]) << 4 | chars_hex(at[2]);
			i += 2;
		} else {
			room[size++] = *at == '+' ? ' ' : *at;
		}
	}
	return (struct slice){ room, size };
}

static int match_query(const struct search *search, const struct rules_condition *condition)
{
	struct slice list = search->request->query, name, value, key;

	key = SLICE(condition->condition->key);
	while (next_pair(&list, '&', &name, &value)) {
		int r;

		if (!slice_equal(decode(name, search->room), key))
			continue;
		r = match_values(condition, decode(value, search->room));
		if (r)
			return r;
	}
	return 0;
}

static struct slice trim(struct slice text)
{
	while (text.size && (*text.at == ' ' || *text.at == '\t'))
		text = (struct slice){ text.at + 1, text.size - 1 };
	while (text.size && (text.at[text.size - 1] == ' ' || text.at[text.size - 1] == '\t'))
		text.size--;
	return text;
}

static int match_cookie(const struct search *search, const struct rules_condition *condition)
{
	const struct request *request = search->request;
	struct slice key = SLICE(condition->condition->key);

	for (uint16_t i = 0; i < request->count; i++) {
		struct slice list = request->fields[i].value, name, value;

		while (request->fields[i].id == FIELD_COOKIE &&
		       next_pair(&list, ';', &name, &value)) {
			int r = slice_equal(trim(name), key) ? match_values(condition, trim(value))
							     : 0;

			if (r)
				return r;
		}
	}
	return 0;
}

static int match_condition(const struct search *search, const struct rules_condition *condition)
{
	const struct addr_prefixes *prefixes = &condition->condition->addresses;

	switch (condition->condition->field) {
	case HTTP_HEADER:
		return match_header(search, condition);
	case HTTP_QUERY:
		return match_query(search, condition);
	case HTTP_METHOD:
		return match_values(condition, search->request->method_text);
	case HTTP_COOKIE:
		return match_cookie(search, condition);
	case HTTP_SOURCE_IP:
		for (size_t i = 0; i < prefixes->count; i++)
			if (addr_prefix_has(&prefixes->items[i], &search->client->addr))
				return 1;
	}
	return 0;
}

static int match_conditions(const struct search *search, const struct rules_rule *rule)
{
	vec_foreach(condition, &rule->conditions) {
		int r = match_condition(search, condition);

		if (r <= 0)
			return r;
	}
	return 1;
}

/* The first of a list that matches, if it is better than the best. 0 or -ETIME. */
static int visit_list(struct search *search, const struct rules_list *list, struct regex *regex)
{
	vec_foreach(entry, &list->entries) {
		int r;

		if (entry->rank >= search->best.rank)
			return 0;
		r = match_conditions(search, &search->rules->rules.items[entry->rule]);
		if (r < 0)
			return r;
		if (!r)
			continue;
		search->best = *entry;
		search->regex = regex;
		return 0;
	}
	return 0;
}

static int visit_expressions(struct search *search, const struct rules_host *host)
{
	vec_foreach(expression, &host->expressions) {
		int r;

		/* They are in the order of their best entries. */
		if (expression->list.entries.items[0].rank >= search->best.rank)
			return 0;
		r = regex_match(expression->regex, search->path.at, search->path.size, NULL);
		if (r > 0)
			r = visit_list(search, &expression->list, expression->regex);
		if (r < 0)
			return r;
	}
	return 0;
}

static int visit_host(struct search *search, const struct rules_host *host)
{
	struct trie_walk walk = { .node = host->paths.root, .text = search->path };
	int r = 0;

	if (host->rank >= search->best.rank)
		return 0;
	while (r == 0 && trie_next(&walk))
		r = visit_list(search, &host->lists.items[walk.item], NULL);
	if (r == 0)
		r = visit_list(search, &host->pathless, NULL);
	return r ?: visit_expressions(search, host);
}

static int visit_hosts(struct search *search)
{
	struct rules *rules = search->rules;
	struct trie_walk walk = { .node = rules->names.root, .text = search->reversed };
	int r = 0;

	while (r == 0 && trie_next(&walk)) {
		search->named = true;
		r = visit_host(search, &rules->hosts.items[rules->by_name.items[walk.item]]);
	}
	vec_foreach(expression, &rules->expressions) {
		const struct rules_host *host = &rules->hosts.items[expression->host];

		if (r < 0)
			return r;
		if (host->rank >= search->best.rank)
			continue;
		r = regex_match(expression->regex, search->host.at, search->host.size, NULL);
		if (r > 0) {
			search->named = true;
			r = visit_host(search, host);
		}
	}
	return r;
}

/* Normal forms of host and path, and room for the query. */
static int prepare(struct search *search)
{
	struct rules *rules = search->rules;
	const struct request *request = search->request;
	size_t room = request->path.size + request->query.size;
	size_t size = rules_normalise_host(request->host, rules->host);

	for (size_t i = 0; i < size; i++)
		rules->reversed[i] = rules->host[size - 1 - i];
	search->host = (struct slice){ rules->host, size };
	search->reversed = (struct slice){ rules->reversed, size };
	if (room > rules->path_room) {
		char *path = realloc(rules->path, room);

		if (!path)
			return -ENOMEM;
		rules->path = path;
		rules->path_room = room;
	}
	search->path = request->path;
	if (!request->path_plain)
		search->path =
			(struct slice){ rules->path, target_normalise(request->path, rules->path) };
	search->room = rules->path + request->path.size;
	return 0;
}

/* What ${1} to ${3} stand for. */
static void set_captures(const struct search *search, struct slice ret[3])
{
	const struct rules_rule *rule = &search->rules->rules.items[search->best.rule];
	struct regex_span spans[REGEX_SPANS];

	if (search->best.path == RULES_NONE)
		return;
	if (!search->regex) {
		glob_capture(SLICE(rule->path_texts.items[search->best.path]), search->path, ret,
			     3);
		return;
	}
	if (regex_match(search->regex, search->path.at, search->path.size, spans) != 1)
		return;
	for (size_t i = 0; i < 3; i++)
		ret[i] = (struct slice){ search->path.at + spans[i + 1].from,
					 spans[i + 1].to - spans[i + 1].from };
}

struct texts {
	char port[8], local[ADDR_PORT_TEXT_MAX];
	struct slice values[TEMPLATE_VARIABLES];
};

static void set_values(const struct search *search, uint8_t used, struct texts *ret)
{
	const struct request *request = search->request;
	const struct forward_client *client = search->client;
	struct slice *values = ret->values;
	struct writer port;

	writer_init(&port, ret->port, sizeof(ret->port));
	writer_number(&port, request->port ?: client->local_port);
	values[TEMPLATE_PROTOCOL] = SLICE(search->rules->http->tls ? "https" : "http");
	values[TEMPLATE_PORT] = (struct slice){ ret->port, writer_size(&port) };
	values[TEMPLATE_HOST] = request->host;
	if (!request->host.size) {
		/* As a URL has it, with brackets. */
		addr_print_port(&client->local, 1, ret->local);
		values[TEMPLATE_HOST] = (struct slice){ ret->local, strlen(ret->local) - 2 };
	}
	values[TEMPLATE_PATH] = request->form == TARGET_ASTERISK ? SLICE("/") : request->path;
	values[TEMPLATE_QUERY] = request->query;
	if (used & (1 << TEMPLATE_1 | 1 << TEMPLATE_2 | 1 << TEMPLATE_3))
		set_captures(search, values + TEMPLATE_1);
}

/* The text with its variables, behind those that are there already. */
static struct slice expand(const struct template *template, const struct texts *texts,
			   struct writer *out)
{
	const char *at = out->at;

	template_write(template, texts->values, out);
	return (struct slice){ at, out->at - at };
}

static int write_texts(const struct search *search, const struct rules_rule *rule,
		       struct rules_verdict *ret)
{
	uint8_t used = rule->url.used | rule->host.used | rule->path.used | rule->query.used;
	struct texts texts = {};
	struct writer out;

	if (!rule->rule->url && !rule->rule->host && !rule->rule->path && !rule->rule->query)
		return 0;
	set_values(search, used, &texts);
	writer_init(&out, search->rules->text, RULES_TEXT_MAX);
	if (rule->rule->url)
		ret->url = expand(&rule->url, &texts, &out);
	if (rule->rule->host)
		ret->rewrite.host = expand(&rule->host, &texts, &out);
	if (rule->rule->host && writer_size(&out) >= 0 && !request_is_authority(ret->rewrite.host))
		return -EBADMSG;
	if (rule->rule->path)
		ret->rewrite.path = expand(&rule->path, &texts, &out);
	if (rule->rule->query)
		ret->rewrite.query = expand(&rule->query, &texts, &out);
	return writer_size(&out) < 0 ? -ENOBUFS : 0;
}

static int set_verdict(const struct search *search, struct rules_verdict *ret)
{
	static const uint8_t kinds[] = {
		[HTTP_FORWARD] = RULES_FORWARD,
		[HTTP_REDIRECT] = RULES_REDIRECT,
		[HTTP_FIXED_RESPONSE] = RULES_FIXED_RESPONSE,
		[HTTP_DROP] = RULES_DROP,
	};
	const struct rules_rule *rule = &search->rules->rules.items[search->best.rule];

	ret->kind = kinds[rule->rule->action];
	ret->rule = rule->rule;
	ret->index = search->best.rule;
	ret->group = rule->rule->group;
	return write_texts(search, rule, ret);
}

static int refuse(int error, struct rules_verdict *ret)
{
	if (error == -ENOMEM) {
		ret->why = "there is no memory";
		return -503;
	}
	if (error == -ENOBUFS) {
		ret->why = "what the rule makes of the request is too long";
		return -414;
	}
	ret->why = error == -EBADMSG ? "what the rule makes of Host is no host"
				     : "a regular expression takes too long";
	return -400;
}

int rules_match(struct rules *rules, const struct request *request,
		const struct forward_client *client, struct rules_verdict *ret)
{
	struct search search = {
		.rules = rules, .request = request, .client = client, .best.rank = RULES_NONE
	};
	bool domain_first = rules->http->rule_order == HTTP_DOMAIN_FIRST;
	int r;

	*ret = (struct rules_verdict){ .kind = RULES_DEFAULT };
	if (!rules->rules.count)
		return 0;
	r = prepare(&search);
	if (r == 0)
		r = visit_hosts(&search);
	if (r == 0 && !(domain_first && search.named))
		r = visit_host(&search, &rules->hosts.items[0]);
	if (r == 0 && search.best.rank != RULES_NONE)
		r = set_verdict(&search, ret);
	else if (r == 0 && domain_first && search.named)
		ret->kind = RULES_NOT_FOUND;
	return r < 0 ? refuse(r, ret) : 0;
}
