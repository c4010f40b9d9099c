// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/daemon.h"

int cli_run(const struct cli *cli, struct err *err)
{
	_cleanup_(freep) const char **interfaces = calloc(cli->argc, sizeof(*interfaces));
	struct daemon_options options = { .instance = cli->instance };
	bool prepare = false;

	if (!interfaces)
		return err_set(err, -ENOMEM, "out of memory");
	for (int i = 1; i < cli->argc; i++) {
		const char *argument = cli->argv[i], *value = cli->argv[i + 1];

		if (!strcmp(argument, "--generic")) {
			options.generic = true;
		} else if (!strcmp(argument, "--prepare")) {
			prepare = true;
		} else if (value && !strcmp(argument, "--http-user")) {
			options.http_user = value;
			i++;
		} else if (!value || (strcmp(argument, "-c") && strcmp(argument, "-i") &&
				      strcmp(argument, "--user"))) {
			return err_set(err, CLI_USAGE, "run: unexpected '%.40s'", argument);
		} else {
			if (argument[1] == 'c')
				options.config = value;
			else if (argument[1] == 'i')
				interfaces[options.interface_count++] = value;
			else
				options.user = value;
			i++;
		}
	}
	if (prepare)
		return daemon_prepare(cli->instance, options.user, err);
	if (!options.config)
		return err_set(err, CLI_USAGE, "run: name the configuration with -c FILE");
	options.interfaces = interfaces;
	return daemon_run(&options, err);
}
