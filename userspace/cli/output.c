// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/output.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

void output_json(const struct cli *cli, json_t *value)
{
	json_dumpf(value, stdout, cli->pretty ? JSON_INDENT(2) : JSON_COMPACT);
	fputc('\n', stdout);
	json_decref(value);
}

bool output_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fileno(out)) && (!no || !*no);
}

const char *output_protocol(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

const char *output_mode(uint8_t mode)
{
	return model_mode_name(mode);
}
