// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* set, drain, undrain: changes to endpoints and groups that leave the file alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "config/value.h"

static void print_changes(json_t *answer)
{
	json_int_t slots = json_integer_value(json_object_get(answer, "slots"));
	json_int_t moved = json_integer_value(json_object_get(answer, "moved"));
	json_t *changed = json_object_get(answer, "changed"), *one;
	size_t i;

	json_array_foreach(changed, i, one) {
		const char *group = json_string_value(json_object_get(one, "group"));
		const char *what = group ? "traffic_percentage" : "weight";

		printf("%s: %s %d -> %d\n",
		       group ?: json_string_value(json_object_get(one, "endpoint")), what,
		       (int)json_integer_value(json_object_get(one, "before")),
		       (int)json_integer_value(json_object_get(one, what)));
	}
	printf("%.1f %% of slots moved\n", slots ? 100.0 * moved / slots : 0.0);
}

static int call(const struct cli *cli, json_t *request, struct err *err)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	int r = client_call(cli, request, &answer, err);

	if (r < 0)
		return r;
	if (cli->json)
		output_json(cli, take_ptr(answer));
	else
		print_changes(answer);
	return 0;
}

/* Strict: digits only. */
static int parse_value(const char *text, long most, int *ret)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtol(text, &end, 10);
	if (*end || errno || value > most)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* --for T and --reason TEXT, into the request; the other arguments, at most `max`, into `ret`. */
static int take_options(const struct cli *cli, json_t *request, const char **ret, int max,
			struct err *err)
{
	static const struct schema_key key = {
		.name = "--for", .type = SCHEMA_DURATION, .min = 1000, .max = 366 * 86400000ll
	};
	union value value;
	int count = 0;

	for (int i = 1; i < cli->argc; i++) {
		const char *option = cli->argv[i], *argument = cli->argv[i + 1];

		if (strcmp(option, "--for") && strcmp(option, "--reason")) {
			if (count == max)
				return err_set(err, CLI_USAGE, "%s: unexpected '%.40s'",
					       cli->argv[0], option);
			ret[count++] = option;
			continue;
		}
		if (!argument)
			return err_set(err, CLI_USAGE, "%s: %s wants %s", cli->argv[0], option,
				       option[2] == 'f' ? "a time, such as 10m" : "a text");
		if (option[2] == 'f') {
			if (value_read(&key, argument, &value, err))
				return CLI_USAGE;
			json_object_set_new(request, "for",
					    json_integer((value.number + 999) / 1000));
		} else if (json_object_set_new(request, "reason", json_string(argument))) {
			return err_set(err, CLI_USAGE, "%s: the reason is not UTF-8", cli->argv[0]);
		}
		i++;
	}
	if (count == max)
		return 0;
	if (max == 2)
		return err_set(err, CLI_USAGE, "set: name an endpoint and its weight");
	return err_set(err, CLI_USAGE, "%s: name what to %s", cli->argv[0], cli->argv[0]);
}

int cli_set(const struct cli *cli, struct err *err)
{
	static const struct {
		const char *name;
		int most;
	} keys[] = { { "weight", 255 }, { "traffic_percentage", 100 } };
	_cleanup_(json_decrefp) json_t *request = json_pack("{s:s}", "call", "set");
	const char *arguments[2];
	int r = take_options(cli, request, arguments, 2, err);

	if (r)
		return r;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t size = strlen(keys[i].name);
		const char *text = arguments[1] + size + 1;
		int value;

		if (strncmp(arguments[1], keys[i].name, size) || arguments[1][size] != '=')
			continue;
		if (parse_value(text, keys[i].most, &value))
			return err_set(err, CLI_USAGE,
				       "set: '%.40s' is no %s: a whole number from 0 to %d", text,
				       keys[i].name, keys[i].most);
		json_object_set_new(request, "selector", json_string(arguments[0]));
		json_object_set_new(request, keys[i].name, json_integer(value));
		return call(cli, take_ptr(request), err);
	}
	return err_set(err, CLI_USAGE,
		       "set: only 'weight=N' and 'traffic_percentage=N' can be set, not '%.40s'",
		       arguments[1]);
}

static int drain(const struct cli *cli, const char *verb, struct err *err)
{
	_cleanup_(json_decrefp) json_t *request = json_pack("{s:s}", "call", verb);
	const char *selector;
	int r = take_options(cli, request, &selector, 1, err);

	if (r)
		return r;
	json_object_set_new(request, "selector", json_string(selector));
	return call(cli, take_ptr(request), err);
}

int cli_drain(const struct cli *cli, struct err *err)
{
	return drain(cli, "drain", err);
}

int cli_undrain(const struct cli *cli, struct err *err)
{
	return drain(cli, "undrain", err);
}
