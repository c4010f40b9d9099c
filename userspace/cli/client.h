/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The door to the daemon (daemon/admin.h) and to what is pinned without one. */
#ifndef WEIR_CLI_CLIENT_H
#define WEIR_CLI_CLIENT_H

#include "cli/cli.h"

/*
 * Sends a request (taken) and waits for its answer; *ret is the caller's, and may be NULL where
 * only success counts. -EHOSTDOWN: no daemon answers. An answer that says no is its error and code;
 * its report, if any, has been printed to stderr.
 */
int client_call(const struct cli *cli, json_t *request, json_t **ret, struct err *err);

/* Adds a configuration file to a request, as "name" and "text". */
int client_add_file(json_t *request, const char *path, struct err *err);

/* Opens the pinned data plane for reading and reads the plan in force. -EHOSTDOWN: there is none.
 */
int client_open(const struct cli *cli, struct object **ret_object, struct plan **ret_plan,
		struct err *err);

#endif
