// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "cli/check.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "config/config.h"
#include "util/file.h"

static json_t *findings_json(const struct findings *findings)
{
	json_t *list = json_array();

	vec_foreach(finding, &findings->list)
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:i, s:s, s:s}", "severity",
					finding->severity == FINDING_ERROR ? "error" : "warning",
					"line", finding->line, "column", finding->column, "message",
					finding->message, "path", finding->path));
	return list;
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
	_cleanup_(findings_fini) struct findings findings = {};
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
	r = config_parse(text, size, &model, &findings);
	if (r == -ENOMEM)
		return err_set(err, r, "out of memory");
	if (cli->json)
		output_json(cli, findings_json(&findings));
	else
		findings_print(&findings, path, text, size, output_colour(stderr), stderr);
	if (r < 0)
		return err_set(err, -EBADMSG, "%s: %zu error%s", path, findings.errors,
			       findings.errors == 1 ? "" : "s");
	if (cli->json)
		return 0;
	r = check_files(model, err);
	if (r < 0)
		return r;
	print_summary(path, model);
	check_flows(model);
	return 0;
}
