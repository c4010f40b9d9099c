// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* set, drain, undrain, disable, enable: changes that leave the file alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/wait.h"
#include "config/value.h"
#include "util/str.h"

#define REFUSING_SAID 10 /* listeners, by name */

/* What the change leads to may not have been meant. */
static void warn_of_refusing(json_t *answer)
{
	json_t *list = json_object_get(answer, "refusing"), *one;
	size_t i, count = json_array_size(list);

	json_array_foreach(list, i, one) {
		const char *clients = json_string_value(json_object_get(one, "clients"));
		bool all = str_equal(clients, "all");

		if (i == REFUSING_SAID)
			break;
		fprintf(stderr, "weir: %s: no endpoint takes new connections%s%s now: refused\n",
			json_string_value(json_object_get(one, "listener")), all ? "" : " by ",
			all ? "" : clients);
	}
	if (count > REFUSING_SAID)
		fprintf(stderr, "weir: so it is with %zu more listeners; see: weir show groups\n",
			count - REFUSING_SAID);
}

/* Of an endpoint's weight, or a group's percentage. */
static void print_number(json_t *change)
{
	const char *group = json_string_value(json_object_get(change, "group"));
	const char *what = group ? "traffic_percentage" : "weight";
	const char *name = group ?: json_string_value(json_object_get(change, "endpoint"));
	int before = json_integer_value(json_object_get(change, "before"));
	int after = json_integer_value(json_object_get(change, what));

	if (before == after)
		printf("%s: %s %d, as before\n", name, what, after);
	else
		printf("%s: %s %d -> %d\n", name, what, before, after);
}

static void print_changes(json_t *answer)
{
	json_int_t slots = json_integer_value(json_object_get(answer, "slots"));
	json_int_t moved = json_integer_value(json_object_get(answer, "moved"));
	json_t *changed = json_object_get(answer, "changed"), *one;
	size_t i;

	json_array_foreach(changed, i, one) {
		const char *path = json_string_value(json_object_get(one, "path"));

		if (path)
			printf("%s: %s\n", path,
			       json_is_true(json_object_get(one, "disabled")) ? "disabled"
									      : "enabled");
		else
			print_number(one);
	}
	json_array_foreach(json_object_get(answer, "above"), i, one)
		printf("%s is disabled still\n", json_string_value(one));
	if (!json_array_size(changed))
		puts("nothing there was disabled");
	printf("%.1f %% of slots moved\n", slots ? 100.0 * moved / slots : 0.0);
	fflush(stdout);
	warn_of_refusing(answer);
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

struct options {
	const char **arguments; /* those that are no options, of which there have to be `count` */
	int count;
	bool wait;
	unsigned timeout; /* s; 0: none */
};

/* "10m": whole seconds, at least one. */
static int read_time(const char *option, const char *text, json_int_t *ret, struct err *err)
{
	const struct schema_key key = {
		.name = option, .type = SCHEMA_DURATION, .min = 1000, .max = 366 * 86400000ll
	};
	union value value;

	if (value_read(&key, text, &value, err))
		return CLI_USAGE;
	*ret = (value.number + 999) / 1000;
	return 0;
}

/* An option with its value, into the request. */
static int take_option(const struct cli *cli, const char *option, const char *value,
		       json_t *request, struct options *options, struct err *err)
{
	json_int_t seconds;
	int r;

	if (!value)
		return err_set(err, CLI_USAGE, "%s: %s wants %s", cli->argv[0], option,
			       !strcmp(option, "--reason") ? "a text" : "a time, such as 10m");
	if (!strcmp(option, "--reason")) {
		if (json_object_set_new(request, "reason", json_string(value)))
			return err_set(err, CLI_USAGE, "%s: the reason is not UTF-8", cli->argv[0]);
		return 0;
	}
	r = read_time(option, value, &seconds, err);
	if (r)
		return r;
	if (!strcmp(option, "--for"))
		json_object_set_new(request, "for", json_integer(seconds));
	else
		options->timeout = seconds;
	return 0;
}

/* Which of them a verb has, its entry in verbs.c says. */
static int take_options(const struct cli *cli, json_t *request, struct options *options,
			struct err *err)
{
	int count = 0, r = 0;

	for (int i = 1; !r && i < cli->argc; i++) {
		const char *option = cli->argv[i];

		if (!strcmp(option, "--wait"))
			options->wait = true;
		else if (!strcmp(option, "--for") || !strcmp(option, "--reason") ||
			 !strcmp(option, "--timeout"))
			r = take_option(cli, option, cli->argv[++i], request, options, err);
		else if (count < options->count)
			options->arguments[count++] = option;
		else
			r = err_set(err, CLI_USAGE, "%s: unexpected '%.40s'", cli->argv[0], option);
	}
	if (!r && options->timeout && !options->wait)
		r = err_set(err, CLI_USAGE, "%s: --timeout is of --wait", cli->argv[0]);
	if (r || count == options->count)
		return r;
	if (options->count == 2)
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
	struct options options = { .arguments = arguments, .count = 2 };
	int r = take_options(cli, request, &options, err);

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

/* With --wait, when the change is in force. */
static int wait_for_drain(const struct cli *cli, json_t *answer, unsigned timeout, struct err *err)
{
	json_t *changed = json_object_get(answer, "changed");
	int r = wait_until_empty(cli, changed, timeout, answer, err);

	if (!r && !cli->json)
		printf("empty after %lld s\n",
		       (long long)json_integer_value(json_object_get(answer, "seconds")));
	return r;
}

static int change(const struct cli *cli, const char *verb, struct err *err)
{
	_cleanup_(json_decrefp) json_t *request = json_pack("{s:s}", "call", verb);
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const char *selector;
	struct options options = { .arguments = &selector, .count = 1 };
	int r = take_options(cli, request, &options, err);

	if (r)
		return r;
	json_object_set_new(request, "selector", json_string(selector));
	r = client_call(cli, take_ptr(request), &answer, err);
	if (r < 0)
		return r;
	if (!cli->json) {
		print_changes(answer);
		fflush(stdout);
	}
	if (options.wait)
		r = wait_for_drain(cli, answer, options.timeout, err);
	if (cli->json)
		output_json(cli, take_ptr(answer));
	return r;
}

int cli_drain(const struct cli *cli, struct err *err)
{
	return change(cli, "drain", err);
}

int cli_undrain(const struct cli *cli, struct err *err)
{
	return change(cli, "undrain", err);
}

int cli_disable(const struct cli *cli, struct err *err)
{
	return change(cli, "disable", err);
}

int cli_enable(const struct cli *cli, struct err *err)
{
	return change(cli, "enable", err);
}
