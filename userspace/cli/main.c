// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The verb table, which prints its own help, and the exit codes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weir/names.h>

#include "cli/manual.h"
#include "cli/verbs.h"
#include "util/str.h"

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_DIFFERS = 2,
	EXIT_USAGE = 64,
	EXIT_CONFIGURATION = 65,
	EXIT_UNREACHABLE = 69,
	EXIT_TRY_AGAIN = 75,
	EXIT_NOT_PERMITTED = 77,
};

#define HELP_COLUMN 42

/* One way to call it in each line; those that begin with a space go on with the one before. */
static void print_options(const struct verb *verb, FILE *out)
{
	const char *line = verb->options;

	while (line && *line) {
		const char *end = strchrnul(line, '\n');
		int indent = *line == ' ' ? strspn(line, " ") : 0;
		const char *name = indent ? "" : verb->name;

		fprintf(out, "       %-*s %-*s%.*s\n", (int)strlen("weir"), indent ? "" : "weir",
			(int)strlen(verb->name) + 1, name, (int)(end - line) - indent,
			line + indent);
		line = *end ? end + 1 : end;
	}
}

static void print_verb(const struct verb *verb, FILE *out)
{
	fprintf(out, "usage: weir %s%s%s\n", verb->name, *verb->arguments ? " " : "",
		verb->arguments);
	print_options(verb, out);
	fprintf(out, "  %s\n", verb->help);
}

static void print_help(FILE *out)
{
	fputs("usage: weir VERB [ARGUMENTS]\n\n", out);
	for (size_t i = 0; i < verbs_count; i++) {
		const struct verb *verb = &verbs[i];
		bool fits = strlen(verb->arguments) <= HELP_COLUMN;

		if (!fits)
			fprintf(out, "  %-10s %s\n", verb->name, verb->arguments);
		fprintf(out, "  %-10s %-*s %s\n", fits ? verb->name : "", HELP_COLUMN,
			fits ? verb->arguments : "", verb->help);
	}
	fputs("\n  -N NAME     the instance (default: weir, or $WEIR_INSTANCE)\n"
	      "  -j, --json  JSON; -p, --pretty: indented JSON\n\n"
	      "A verb may be cut to any prefix that is no other verb's.\n"
	      "Exit codes: 0 ok, 1 failed, 2 differs (with --exit-code), 64 usage, 65 bad "
	      "configuration,\n"
	      "69 no daemon or data plane, 75 try again, 77 not permitted.\n",
	      out);
}

static const struct verb *find_verb(const char *name)
{
	const struct verb *found = NULL;

	for (size_t i = 0; i < verbs_count; i++) {
		if (strncmp(verbs[i].name, name, strlen(name)))
			continue;
		if (!verbs[i].name[strlen(name)])
			return &verbs[i];
		if (found)
			return NULL;
		found = &verbs[i];
	}
	return found;
}

/* No verb, or a prefix of several. */
static int unknown_verb(const char *name, struct err *err)
{
	struct str_nearest nearest = { .word = name };
	char matches[128] = "";

	for (size_t i = 0; i < verbs_count; i++) {
		str_nearest_offer(&nearest, verbs[i].name);
		if (strncmp(verbs[i].name, name, strlen(name)))
			continue;
		snprintf(matches + strlen(matches), sizeof(matches) - strlen(matches), "%s%s",
			 matches[0] ? ", " : "", verbs[i].name);
	}
	if (matches[0])
		return err_set(err, CLI_USAGE, "ambiguous verb '%.40s': one of %s", name, matches);
	return err_set(err, CLI_USAGE, "unknown verb '%.40s'%s%s%s; see: weir help", name,
		       nearest.best ? "; did you mean '" : "", nearest.best ?: "",
		       nearest.best ? "'?" : "");
}

/* The first option that the verb's own help does not show, or NULL. */
static const char *unknown_option(const struct verb *verb, const struct cli *cli)
{
	for (int i = 1; i < cli->argc; i++)
		if (cli->argv[i][0] == '-' && !strstr(verb->arguments, cli->argv[i]) &&
		    !strstr(verb->options ?: "", cli->argv[i]))
			return cli->argv[i];
	return NULL;
}

int cli_version(const struct cli *cli, struct err *err)
{
	(void)err;
	if (cli->json)
		printf("{\"version\":\"%s\",\"abi\":%d}\n", WEIR_VERSION, WEIR_ABI_VERSION);
	else
		printf("weir %s\n", WEIR_VERSION);
	return 0;
}

static int print_manual(const char *section, struct err *err)
{
	if (section && !strcmp(section, "5"))
		manual_print_configuration(stdout);
	else if (section && !strcmp(section, "8"))
		manual_print_command(stdout);
	else if (section && !strcmp(section, "7"))
		manual_print_metrics(stdout);
	else
		return err_set(err, CLI_USAGE,
			       "help: --man 5 is weir.yaml, 7 is weir-metrics, 8 is weir");
	return 0;
}

int cli_help(const struct cli *cli, struct err *err)
{
	const struct verb *verb;

	if (cli->argc < 2) {
		print_help(stdout);
		return 0;
	}
	if (!strcmp(cli->argv[1], "--man"))
		return print_manual(cli->argv[2], err);
	verb = find_verb(cli->argv[1]);
	if (!verb)
		return unknown_verb(cli->argv[1], err);
	print_verb(verb, stdout);
	return 0;
}

static enum exit_code exit_code(int r)
{
	switch (r) {
	case 0:
		return EXIT_OK;
	case CLI_DIFFERS:
		return EXIT_DIFFERS;
	case CLI_USAGE:
		return EXIT_USAGE;
	case -EBADMSG:
		return EXIT_CONFIGURATION;
	case -EHOSTDOWN:
		return EXIT_UNREACHABLE;
	case -EPERM:
	case -EACCES:
		return EXIT_NOT_PERMITTED;
	case -EAGAIN:
	case -ETIMEDOUT:
		return EXIT_TRY_AGAIN;
	default:
		return EXIT_FAILED;
	}
}

static int take_instance(struct cli *cli, const char *name, struct err *err)
{
	if (!name || !*name || strlen(name) >= WEIR_NAME_MAX || strchr(name, '/') || name[0] == '.')
		return err_set(err, CLI_USAGE,
			       "-N wants a name of at most %d characters without '/'",
			       WEIR_NAME_MAX - 1);
	cli->instance = name;
	return 0;
}

/* Takes the common options out of the arguments, wherever they stand. */
static int take_options(struct cli *cli, bool *ret_help, struct err *err)
{
	int kept = 0, r = 0;

	for (int i = 0; !r && i < cli->argc; i++) {
		char *argument = cli->argv[i];

		if (!strcmp(argument, "-N") || !strcmp(argument, "--instance"))
			r = take_instance(cli, i + 1 < cli->argc ? cli->argv[++i] : NULL, err);
		else if (!strcmp(argument, "-j") || !strcmp(argument, "--json"))
			cli->json = true;
		else if (!strcmp(argument, "-p") || !strcmp(argument, "--pretty"))
			cli->json = cli->pretty = true;
		else if (!strcmp(argument, "-h") || !strcmp(argument, "--help"))
			*ret_help = true;
		else
			cli->argv[kept++] = argument;
	}
	cli->argc = kept;
	cli->argv[kept] = NULL;
	return r;
}

static int run_verb(struct cli *cli, bool help, struct err *err)
{
	const struct verb *verb;
	const char *option;
	int r;

	if (!cli->argc) {
		print_help(help ? stdout : stderr);
		return help ? 0 : CLI_USAGE;
	}
	verb = find_verb(cli->argv[0]);
	if (!verb)
		return unknown_verb(cli->argv[0], err);
	if (help) {
		print_verb(verb, stdout);
		return 0;
	}
	option = unknown_option(verb, cli);
	r = option ? err_set(err, CLI_USAGE, "%s: unexpected '%.40s'", verb->name, option)
		   : verb->function(cli, err);
	if (r == CLI_USAGE)
		print_verb(verb, stderr);
	return r;
}

int main(int argc, char **argv)
{
	struct cli cli = { .argc = argc - 1, .argv = argv + 1, .instance = WEIR_INSTANCE_DEFAULT };
	const char *instance = getenv("WEIR_INSTANCE");
	struct err err = {};
	bool help = false;
	int r = 0;

	if (instance && *instance)
		r = take_instance(&cli, instance, &err);
	r = r ?: take_options(&cli, &help, &err);
	r = r ?: run_verb(&cli, help, &err);
	if (r && err.text[0])
		fprintf(stderr, "weir: %s\n", err.text);
	if (fflush(stdout) || ferror(stdout)) {
		fputs("weir: cannot write to stdout\n", stderr);
		return EXIT_FAILED;
	}
	return exit_code(r);
}
