// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "cli/check.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "config/config.h"
#include "util/file.h"

static void add_json(json_t *list, const struct findings *findings)
{
	vec_foreach(finding, &findings->list)
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:i, s:s, s:s}", "severity",
					finding->severity == FINDING_ERROR ? "error" : "warning",
					"line", finding->line, "column", finding->column, "message",
					finding->message, "path", finding->path));
}

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

/* What there is to say of a text: by itself, and by the files that it names. */
struct outcome {
	struct findings findings;
	struct remarks remarks;
	struct findings placed; /* the remarks */
};

static void outcome_fini(struct outcome *outcome)
{
	findings_fini(&outcome->findings);
	remarks_fini(&outcome->remarks);
	findings_fini(&outcome->placed);
}

static void print_outcome(const struct cli *cli, const char *path, const char *text, size_t size,
			  const struct outcome *outcome)
{
	bool colour = output_colour(stderr);
	json_t *list;

	if (!cli->json) {
		findings_print(&outcome->findings, path, text, size, colour, stderr);
		findings_print(&outcome->placed, path, text, size, colour, stderr);
		return;
	}
	list = json_array();
	add_json(list, &outcome->findings);
	add_json(list, &outcome->placed);
	output_json(cli, list);
}

static void print_summary(const char *path, const struct model *model)
{
	size_t endpoints = 0;

	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			endpoints += group->endpoints.count;
	printf("%s: ok: %zu listener%s, %zu endpoint%s\n", path, model->listeners.count,
	       model->listeners.count == 1 ? "" : "s", endpoints, endpoints == 1 ? "" : "s");
}

int cli_check(const struct cli *cli, struct err *err)
{
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(outcome_fini) struct outcome outcome = {};
	_cleanup_(freep) char *text = NULL;
	const char *path = cli->argv[1];
	size_t size;
	int r;

	if (cli->argc != 2)
		return err_set(err, CLI_USAGE, "check: name one file");
	r = file_read_stream(path, FILE_MAX, &text, &size);
	if (r < 0)
		return err_set(err, r, "%s: %s", path,
			       r == -EFBIG ? "larger than any configuration (64 MiB)"
					   : strerror(-r));
	r = config_parse(text, size, &model, &outcome.findings);
	if (r == -ENOMEM)
		return out_of_memory(err);
	if (r < 0)
		r = err_set(err, -EBADMSG, "%s: %zu error%s", path, outcome.findings.errors,
			    outcome.findings.errors == 1 ? "" : "s");
	else
		r = check_files(model, &outcome.remarks, err);
	if (r == -ENOMEM || remarks_place(&outcome.remarks, text, size, &outcome.placed) < 0)
		return out_of_memory(err);
	print_outcome(cli, path, text, size, &outcome);
	if (r < 0 || cli->json)
		return r;
	print_summary(path, model);
	check_flows(model);
	return 0;
}
