// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/configuration.h"

#include <errno.h>
#include <string.h>

#include "config/config.h"
#include "daemon/history.h"
#include "util/file.h"

static int read_in_force(const char *instance, char **ret, struct err *err)
{
	_cleanup_(history_fini) struct history history = {};
	int r = history_load(instance, &history, err);

	if (r == -ENOENT || (!r && !history.list.count))
		return err_set(
			err, -ENOENT,
			"no configuration is in force, or was; -c FILE takes that of a file");
	return r
		       ?: history_text(instance, history.list.items[history.list.count - 1].number,
				       ret, err);
}

int configuration_read(const char *instance, const char *file, struct model **ret, char **ret_text,
		       struct err *err)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(freep) char *text = NULL;
	int r;

	if (file) {
		r = file_read_stream(file, FILE_MAX, &text, NULL);
		if (r < 0)
			return err_set(err, r, "%s: %s", file, file_error(r));
	} else {
		r = read_in_force(instance, &text, err);
		if (r < 0)
			return r;
	}
	r = config_parse(text, strlen(text), ret, &findings);
	if (r == -ENOMEM)
		return err_set(err, r, "out of memory");
	if (r < 0)
		return err_set(err, -EBADMSG, "%s has errors; see: weir check %s",
			       file ?: "the configuration in force", file ?: "FILE");
	if (ret_text)
		*ret_text = take_ptr(text);
	return 0;
}
