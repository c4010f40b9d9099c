// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* apply, confirm, rollback: configurations as a whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "config/value.h"

/* What someone else had changed. */
static void print_repaired(json_t *answer)
{
	const char *trouble = json_string_value(json_object_get(answer, "unrepaired"));
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "repaired"), i, item)
		printf("%s: %s %s: changed by someone else\n",
		       trouble ? "NOT repaired" : "repaired",
		       json_string_value(json_object_get(item, "where")),
		       json_string_value(json_object_get(item, "what")));
	if (trouble)
		printf("%s\n", trouble);
}

static void print_change(const char *name, json_t *answer)
{
	json_int_t cleared = json_integer_value(json_object_get(answer, "cleared"));
	json_int_t slots = json_integer_value(json_object_get(answer, "slots"));
	json_int_t moved = json_integer_value(json_object_get(answer, "moved"));
	json_int_t unconfirmed = json_integer_value(json_object_get(answer, "unconfirmed"));

	printf("%s is in force; %.1f %% of slots moved\n", name,
	       slots ? 100.0 * moved / slots : 0.0);
	print_repaired(answer);
	if (cleared)
		printf("%lld override%s cleared: the file states other weights now\n",
		       (long long)cleared, cleared == 1 ? "" : "s");
	if (unconfirmed)
		printf("it is taken back in %lld s, unless you say: weir confirm\n",
		       (long long)unconfirmed);
}

struct apply {
	const char *path;   /* NULL: the daemon's own file */
	json_int_t confirm; /* s; 0: it need not be confirmed */
};

/* "60s", "5m", "90": whole seconds. */
static int read_confirm(const char *text, json_int_t *ret, struct err *err)
{
	static const struct schema_key key = {
		.name = "--confirm", .type = SCHEMA_DURATION, .min = 1000, .max = 86400 * 1000
	};
	union value value;

	if (!text)
		return err_set(err, CLI_USAGE, "apply: --confirm wants a time, such as 60s");
	if (value_read(&key, text, &value, err))
		return CLI_USAGE;
	*ret = (value.number + 999) / 1000;
	return 0;
}

static int read_arguments(const struct cli *cli, struct apply *ret, struct err *err)
{
	for (int i = 1; i < cli->argc; i++) {
		int r = 0;

		if (!strcmp(cli->argv[i], "--confirm"))
			r = read_confirm(cli->argv[++i], &ret->confirm, err);
		else if (ret->path)
			r = err_set(err, CLI_USAGE, "apply: name one file");
		else
			ret->path = cli->argv[i];
		if (r)
			return r;
	}
	return 0;
}

static int build_request(const struct apply *apply, json_t **ret, struct err *err)
{
	_cleanup_(json_decrefp) json_t *request = json_pack("{s:s}", "call", "apply");
	int r = 0;

	if (apply->confirm)
		json_object_set_new(request, "confirm", json_integer(apply->confirm));
	if (apply->path)
		r = client_add_file(request, apply->path, err);
	if (!r)
		*ret = take_ptr(request);
	return r;
}

/* Sends, and prints the answer as -j asks, or in words. */
static int call(const struct cli *cli, json_t *request, void print(json_t *answer, void *user),
		void *user, struct err *err)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	int r = client_call(cli, request, &answer, err);

	if (r < 0)
		return r;
	if (cli->json)
		output_json(cli, take_ptr(answer));
	else
		print(answer, user);
	return 0;
}

static void print_applied(json_t *answer, void *user)
{
	const struct apply *apply = user;

	print_change(apply->path ?: "the daemon's file", answer);
}

int cli_apply(const struct cli *cli, struct err *err)
{
	struct apply apply = {};
	json_t *request = NULL;
	int r;

	r = read_arguments(cli, &apply, err);
	r = r ?: build_request(&apply, &request, err);
	return r ?: call(cli, request, print_applied, &apply, err);
}

static void print_confirmed(json_t *answer, void *user)
{
	(void)answer;
	(void)user;
	puts("confirmed");
}

int cli_confirm(const struct cli *cli, struct err *err)
{
	if (cli->argc > 1)
		return err_set(err, CLI_USAGE, "confirm: unexpected '%.40s'", cli->argv[1]);
	return call(cli, json_pack("{s:s}", "call", "confirm"), print_confirmed, NULL, err);
}

static void print_rolled_back(json_t *answer, void *user)
{
	json_t *number = json_object_get(answer, "number");
	char name[64] = "the configuration before";

	(void)user;
	if (number)
		snprintf(name, sizeof(name), "configuration %lld",
			 (long long)json_integer_value(number));
	print_change(name, answer);
}

int cli_rollback(const struct cli *cli, struct err *err)
{
	json_t *request;
	char *end = NULL;
	long number = 0;

	if (cli->argc > 2)
		return err_set(err, CLI_USAGE, "rollback: name one number of: weir history");
	if (cli->argc == 2) {
		errno = 0;
		number = strtol(cli->argv[1], &end, 10);
		if (*end || end == cli->argv[1] || errno || number < 1)
			return err_set(err, CLI_USAGE,
				       "rollback: '%.40s' is no number of: weir "
				       "history",
				       cli->argv[1]);
	}
	request = json_pack("{s:s}", "call", "rollback");
	if (number)
		json_object_set_new(request, "number", json_integer(number));
	return call(cli, request, print_rolled_back, NULL, err);
}
