// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* weir schema: the table of the configuration as a JSON Schema, for editors. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/schema_pattern.h"

#define DRAFT "http://json-schema.org/draft-07/schema#"

static json_t *object_of(const struct schema_object *object);
static json_t *value_of(const struct schema_key *key);

/* Takes both. */
static json_t *either(json_t *one, json_t *other)
{
	return json_pack("{s:[o,o]}", "anyOf", one, other);
}

/* YAML makes numbers and bools of words that look so; weir takes the word. */
static void add_typed(json_t *words, const char *word)
{
	char *end;
	long number = strtol(word, &end, 10);

	json_array_append_new(words, json_string(word));
	if (!strcmp(word, "true") || !strcmp(word, "false"))
		json_array_append_new(words, json_boolean(word[0] == 't'));
	else if (end != word && !*end)
		json_array_append_new(words, json_integer(number));
	else if (end != word && *end == '.')
		json_array_append_new(words, json_real(strtod(word, NULL)));
}

static json_t *choice_of(const struct schema_key *key)
{
	json_t *words = json_array();

	for (const struct schema_choice *choice = key->choices; choice->name; choice++)
		add_typed(words, choice->name);
	return json_pack("{s:o}", "enum", words);
}

static json_t *text_of(const struct schema_key *key)
{
	_cleanup_(str_fini) struct str pattern = {};

	schema_pattern(key, &pattern);
	return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern.text ?: "");
}

static json_t *integer_of(int64_t min, int64_t max)
{
	return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)min,
			 "maximum", (json_int_t)max);
}

/* A mapping whose keys are free. */
static json_t *map_of(const struct schema_key *key)
{
	const struct schema_key *keys = key->object->keys;

	return json_pack("{s:s, s:o, s:o, s:i, s:i}", "type", "object", "propertyNames",
			 text_of(&keys[FREE_NAME]), "additionalProperties",
			 value_of(&keys[FREE_VALUE]), "minProperties", 1, "maxProperties", 32);
}

static json_t *endpoint_of(const struct schema_key *key)
{
	_cleanup_(str_fini) struct str pattern = {};

	schema_pattern_endpoint(key->object, &pattern);
	return json_pack("{s:[o,o,o]}", "anyOf", json_pack("{s:s}", "type", "boolean"),
			 json_pack("{s:s, s:s}", "type", "string", "pattern", pattern.text ?: ""),
			 object_of(key->object));
}

/* Of a key that is no list, or of an item of one. */
static json_t *item_of(const struct schema_key *key)
{
	switch (key->type) {
	case SCHEMA_OBJECT:
		return key->object->scalar
			       ? either(item_of(key->object->scalar), object_of(key->object))
			       : object_of(key->object);
	case SCHEMA_ENDPOINT:
		return endpoint_of(key);
	case SCHEMA_MAP:
		return map_of(key);
	case SCHEMA_BOOL:
		return json_pack("{s:[b,b,s,s]}", "enum", true, false, "true", "false");
	case SCHEMA_CHOICE:
		return choice_of(key);
	case SCHEMA_NUMBER:
	case SCHEMA_PORTS:
		return either(integer_of(key->min, key->max), text_of(key));
	case SCHEMA_DURATION:
		return either(integer_of((key->min + 999) / 1000, key->max / 1000), text_of(key));
	case SCHEMA_STATUS:
		return either(
			json_pack("{s:[o,o]}", "anyOf", integer_of(200, 299), integer_of(400, 599)),
			text_of(key));
	case SCHEMA_NAME:
	case SCHEMA_SERVER:
	case SCHEMA_ENDPOINT_ADDRESS:
		return either(json_pack("{s:s}", "type", "boolean"), text_of(key));
	case SCHEMA_INTERFACE:
	case SCHEMA_HOST:
	case SCHEMA_TEXT:
	case SCHEMA_PATTERN:
	case SCHEMA_BODY:
	case SCHEMA_TOKEN:
	case SCHEMA_TEMPLATE:
		return either(json_pack("{s:[s,s]}", "type", "number", "boolean"), text_of(key));
	default:
		return text_of(key);
	}
}

static json_t *list_of(const struct schema_key *key)
{
	json_t *list = json_pack("{s:s, s:o, s:i}", "type", "array", "items", item_of(key),
				 "minItems", (int)key->min_items);

	if (key->max_items)
		json_object_set_new(list, "maxItems", json_integer(key->max_items));
	return key->type == SCHEMA_OBJECT ? list : either(item_of(key), list);
}

static json_t *value_of(const struct schema_key *key)
{
	json_t *value = key->flags & SCHEMA_LIST ? list_of(key) : item_of(key);

	json_object_set_new(value, "description", json_string(key->help));
	return value;
}

/* "oneOf" or "anyOf": how many of the keys there have to be. */
static void require(json_t *object, const char *how, const char *const *names)
{
	json_t *list = json_array();

	for (; *names; names++)
		json_array_append_new(list, json_pack("{s:[s]}", "required", *names));
	json_object_set_new(object, how, list);
}

/* "if" the protocol is one of two, "then" that. Takes it. */
static json_t *if_protocol(const char *one, const char *other, json_t *then)
{
	json_t *given = json_pack("{s:{s:{s:[s,s]}}, s:[s]}", "properties", "protocol", "enum", one,
				  other, "required", "protocol");

	return json_pack("{s:o, s:o}", "if", given, "then", then);
}

/* The properties of an object without what only listeners of http and https have, in it and in the
 * objects below it; NULL: it has nothing of that. */
static json_t *without_http(const struct schema_object *object)
{
	json_t *none = json_object();

	for (size_t i = 0; i < object->count; i++) {
		const struct schema_key *key = &object->keys[i];
		json_t *below =
			key->object && key->flags & SCHEMA_LIST && !(key->flags & SCHEMA_HTTP)
				? without_http(key->object)
				: NULL;

		if (key->flags & SCHEMA_HTTP)
			json_object_set_new(none, key->name, json_false());
		else if (below)
			json_object_set_new(none, key->name, json_pack("{s:o}", "items", below));
	}
	if (json_object_size(none))
		return json_pack("{s:o}", "properties", none);
	json_decref(none);
	return NULL;
}

/* Listeners of HTTPS have certificates, and others nothing of HTTP. */
static void tie_listener(const struct schema_object *listener, json_t *ret)
{
	json_t *all = json_array();

	json_array_append_new(all, if_protocol("tcp", "udp", without_http(listener)));
	json_array_append_new(
		all, if_protocol("https", "https", json_pack("{s:[s]}", "required", "tls")));
	json_array_append_new(all, if_protocol("http", "http",
					       json_pack("{s:{s:b}}", "properties", "tls", false)));
	json_object_set_new(ret, "allOf", all);
}

/* What ties keys together and can be said here. */
static void tie(const struct schema_object *object, json_t *ret)
{
	static const char *const actions[] = { "forward", "redirect", "fixed_response", "drop",
					       NULL };
	static const char *const conditions[] = { "host",   "path",   "header",	   "query",
						  "method", "cookie", "source_ip", NULL };

	if (object == &schema_rule) {
		require(ret, "oneOf", actions);
		require(ret, "anyOf", conditions);
	}
	if (object == schema_root.object->keys[ROOT_LISTENERS].object)
		tie_listener(object, ret);
}

static json_t *object_of(const struct schema_object *object)
{
	json_t *properties = json_object(), *required = json_array();
	json_t *ret = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
				"additionalProperties", false);

	for (size_t i = 0; i < object->count; i++) {
		const struct schema_key *key = &object->keys[i];

		json_object_set_new(properties, key->name, value_of(key));
		if (key->flags & SCHEMA_REQUIRED)
			json_array_append_new(required, json_string(key->name));
	}
	json_object_set_new(ret, "required", required);
	tie(object, ret);
	return ret;
}

int cli_schema(const struct cli *cli, struct err *err)
{
	struct cli pretty = *cli;
	json_t *schema;

	if (cli->argc != 1)
		return err_set(err, CLI_USAGE, "schema: takes no arguments");
	schema = object_of(schema_root.object);
	json_object_set_new(schema, "$schema", json_string(DRAFT));
	json_object_set_new(schema, "title", json_string("weir.yaml"));
	pretty.json = pretty.pretty = true;
	output_json(&pretty, schema);
	return 0;
}
