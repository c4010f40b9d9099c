// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "util/file.h"

static void print_change(const char *name, json_t *answer)
{
	json_int_t cleared = json_integer_value(json_object_get(answer, "cleared"));
	json_int_t slots = json_integer_value(json_object_get(answer, "slots"));
	json_int_t moved = json_integer_value(json_object_get(answer, "moved"));

	printf("%s is in force; %.1f %% of slots moved\n", name,
	       slots ? 100.0 * moved / slots : 0.0);
	if (cleared)
		printf("%lld override%s cleared: the file states other weights now\n",
		       (long long)cleared, cleared == 1 ? "" : "s");
}

int cli_apply(const struct cli *cli, struct err *err)
{
	json_t *request = json_pack("{s:s}", "call", "apply");
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const char *path = cli->argc > 1 ? cli->argv[1] : NULL;
	_cleanup_(freep) char *text = NULL;
	size_t size;
	int r = 0;

	if (cli->argc > 2)
		r = err_set(err, CLI_USAGE, "apply: name one file");
	if (!r && path) {
		r = file_read(path, FILE_MAX, &text, &size);
		if (r < 0)
			err_set(err, r, "%s: %s", path, strerror(-r));
	}
	if (!r && path) {
		json_object_set_new(request, "name", json_string(path));
		if (json_object_set_new(request, "text", json_stringn(text, size)))
			r = err_set(err, -EBADMSG, "%s: is not UTF-8; see: weir check %s", path,
				    path);
	}
	if (r) {
		json_decref(request);
		return r;
	}
	r = client_call(cli, request, &answer, err);
	if (r < 0)
		return r;
	if (cli->json)
		output_json(cli, take_ptr(answer));
	else
		print_change(path ?: "the daemon's file", answer);
	return 0;
}
