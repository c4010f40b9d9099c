// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/output.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>
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

static const struct output_reason reasons[WEIR_R_COUNT] = {
#define FORWARD				  "forward"
#define PASS				  "pass"
#define DROP				  "drop"
#define ANSWER				  "answer"
#define NOTE				  "note"
#define X(name, kind, metric, help, hint) [WEIR_R_##name] = { kind, metric, help, hint },
	WEIR_REASONS(X)
#undef X
#undef FORWARD
#undef PASS
#undef DROP
#undef ANSWER
#undef NOTE
};

const struct output_reason *output_reason(enum weir_reason reason)
{
	static const struct output_reason unknown = { "drop", "unknown", "unknown", "" };

	return reason < WEIR_R_COUNT ? &reasons[reason] : &unknown;
}

const char *output_time(int64_t seconds, char text[OUTPUT_TIME_MAX])
{
	time_t time = seconds;
	struct tm parts;

	strftime(text, OUTPUT_TIME_MAX, "%Y-%m-%d %H:%M:%S", localtime_r(&time, &parts));
	return text;
}

const char *output_protocol(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

const char *output_mode(uint8_t mode)
{
	return model_mode_name(mode);
}
