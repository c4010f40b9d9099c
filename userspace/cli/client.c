// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/client.h"

#include <errno.h>
#include <string.h>

#include <weir/names.h>

#include "dataplane/sync.h"
#include "net/sock.h"
#include "util/file.h"

#define CONNECT_MS 2000
#define ANSWER_MS  60000 /* ten thousand listeners take a while */

static int exchange(int fd, const char *request, struct sock_line *line, struct err *err)
{
	int r = sock_send_all(fd, request, strlen(request), ANSWER_MS);

	r = r ?: sock_send_all(fd, "\n", 1, ANSWER_MS);
	r = r ?: sock_receive_line(fd, line, ANSWER_MS);
	if (r < 0)
		return err_set(
			err, r,
			"the daemon did not answer: %s; what was asked for may be in force "
			"all the same, or come into force: weir show overrides, weir history",
			strerror(-r));
	return 0;
}

static int check_answer(json_t *answer, struct err *err)
{
	const char *report = json_string_value(json_object_get(answer, "report"));
	const char *error = json_string_value(json_object_get(answer, "error"));
	int code = json_integer_value(json_object_get(answer, "code"));

	if (report)
		fputs(report, stderr);
	if (json_is_true(json_object_get(answer, "ok")))
		return 0;
	return err_set(err, code > 0 ? -code : -EPROTO, "%s",
		       error
			       ?: "the daemon's answer is no "
				  "JSON object: is it of another version?");
}

int client_call(const struct cli *cli, json_t *request, json_t **ret, struct err *err)
{
	_cleanup_(json_decrefp) json_t *owned = request;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	_cleanup_(sock_line_fini) struct sock_line line = { .limit = SOCK_LINE_MAX };
	_cleanup_(freep) char *text = json_dumps(owned, JSON_COMPACT);
	_cleanup_(closep) int fd = -1;
	char path[160];
	size_t size;
	int r;

	if (!text)
		return err_set(err, -ENOMEM, "out of memory, or the request is not UTF-8");
	snprintf(path, sizeof(path), WEIR_RUN_DIR "/%s/admin.sock", cli->instance);
	fd = sock_connect_unix(path, CONNECT_MS, err);
	if (fd == -EACCES)
		return file_denied(path, fd, err);
	if (fd < 0 && fd != -ENOENT && fd != -ECONNREFUSED)
		return fd; /* busy is not dead */
	if (fd < 0)
		return err_set(err, -EHOSTDOWN,
			       "no daemon answers at %s; start it with: weir run -c "
			       "FILE",
			       path);
	r = exchange(fd, text, &line, err);
	if (r < 0)
		return r;
	text[0] = '\0';
	answer = json_loads(sock_line_text(&line, &size), 0, NULL);
	r = check_answer(answer, err);
	if (!r && ret)
		*ret = take_ptr(answer);
	return r;
}

int client_add_file(json_t *request, const char *path, struct err *err)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;
	int r = file_read_stream(path, FILE_MAX, &text, &size);

	if (r < 0)
		return err_set(err, r, "%s: %s", path, strerror(-r));
	json_object_set_new(request, "name", json_string(path));
	if (json_object_set_new(request, "text", json_stringn(text, size)))
		return err_set(err, -EBADMSG, "%s: is not UTF-8; see: weir check %s", path, path);
	return 0;
}

int client_open(const struct cli *cli, struct object **ret_object, struct plan **ret_plan,
		struct err *err)
{
	_cleanup_(object_closep) struct object *object = NULL;
	int r = object_open(cli->instance, &object, err);

	if (r == -ENOENT)
		return -EHOSTDOWN;
	r = r ?: sync_adopt(object, ret_plan, err);
	if (!r)
		*ret_object = take_ptr(object);
	return r;
}
