// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* set, drain, undrain: changes to endpoints that leave the file alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"

static void print_changes(json_t *answer)
{
	json_int_t slots = json_integer_value(json_object_get(answer, "slots"));
	json_int_t moved = json_integer_value(json_object_get(answer, "moved"));
	json_t *changed = json_object_get(answer, "changed"), *one;
	size_t i;

	json_array_foreach(changed, i, one)
		printf("%s: weight %d -> %d\n", json_string_value(json_object_get(one, "endpoint")),
		       (int)json_integer_value(json_object_get(one, "before")),
		       (int)json_integer_value(json_object_get(one, "weight")));
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

/* Strict: digits only, 0 to 255. */
static int parse_weight(const char *text, int *ret)
{
	char *end;
	long weight;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	weight = strtol(text, &end, 10);
	if (*end || errno || weight > 255)
		return -EINVAL;
	*ret = weight;
	return 0;
}

int cli_set(const struct cli *cli, struct err *err)
{
	static const char key[] = "weight=";
	int weight;

	if (cli->argc != 3)
		return err_set(err, CLI_USAGE, "set: name an endpoint and its weight");
	if (strncmp(cli->argv[2], key, strlen(key)))
		return err_set(err, CLI_USAGE, "set: only 'weight=N' can be set, not '%.40s'",
			       cli->argv[2]);
	if (parse_weight(cli->argv[2] + strlen(key), &weight))
		return err_set(err, CLI_USAGE,
			       "set: '%.40s' is no weight: a whole number from 0 to 255",
			       cli->argv[2] + strlen(key));
	return call(cli,
		    json_pack("{s:s, s:s, s:i}", "call", "set", "selector", cli->argv[1], "weight",
			      weight),
		    err);
}

static int drain(const struct cli *cli, const char *verb, struct err *err)
{
	if (cli->argc != 2)
		return err_set(err, CLI_USAGE, "%s: name what to %s", verb, verb);
	return call(cli, json_pack("{s:s, s:s}", "call", verb, "selector", cli->argv[1]), err);
}

int cli_drain(const struct cli *cli, struct err *err)
{
	return drain(cli, "drain", err);
}

int cli_undrain(const struct cli *cli, struct err *err)
{
	return drain(cli, "undrain", err);
}
