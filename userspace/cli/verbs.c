// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/verbs.h"

const struct verb verbs[] = {
	{ "run", "-c FILE [-i IF]... [--generic] [--user USER] [--http-user USER]",
	  "the daemon, in the foreground", cli_run, "--prepare" },
	{ "check", "FILE", "all errors and warnings of a configuration file", cli_check },
	{ "plan", "[FILE] [--exit-code]",
	  "what apply would change, and what someone else has changed", cli_plan },
	{ "apply", "[FILE] [--confirm T]", "put a configuration in force, all of it or nothing",
	  cli_apply },
	{ "confirm", "", "keep what 'apply --confirm' takes back after T otherwise", cli_confirm },
	{ "history", "[N]", "the configurations that were in force; the text of one", cli_history },
	{ "rollback", "[N]", "put one of them in force again: N, or the one before", cli_rollback },
	{ "set", "LISTENER/GROUP/ENDPOINT weight=N | LISTENER/GROUP traffic_percentage=N",
	  "change a weight, or how much a group takes", cli_set,
	  "LISTENER/GROUP/ENDPOINT weight=N [--for T] [--reason TEXT]\n"
	  "LISTENER/GROUP traffic_percentage=N [--for T] [--reason TEXT]" },
	{ "drain", "LISTENER[/GROUP[/ENDPOINT]]", "no new connections; keep those there are",
	  cli_drain,
	  "LISTENER[/GROUP[/ENDPOINT]] [--for T] [--reason TEXT] [--wait [--timeout T]]" },
	{ "undrain", "LISTENER[/GROUP[/ENDPOINT]]", "take new connections again", cli_undrain },
	{ "disable", "LISTENER[/GROUP[/ENDPOINT]]",
	  "as if it were not in the file: connections to it end", cli_disable,
	  "LISTENER[/GROUP[/ENDPOINT]] [--for T] [--reason TEXT]" },
	{ "enable", "LISTENER[/GROUP[/ENDPOINT]]", "as the file has it, with all that is in it",
	  cli_enable },
	{ "show",
	  "listeners|endpoints|groups|rules|checks|flows|latency|drops|overrides|maps|decap "
	  "[SELECTOR]",
	  "what is in force, with or without a daemon", cli_show,
	  "flows [--client ADDRESS[/N]] [--port N] [--protocol tcp|udp]\n"
	  "       [--state opening|open|closing|reset] [--limit N] [--count]\n"
	  "rules [LISTENER] [-c FILE]" },
	{ "stats", "[SELECTOR] [-w]", "traffic, and wanted and got shares", cli_stats },
	{ "explain", "SRC DST [tcp|udp] [--syn|--established] [--interface IF]",
	  "what would become of a packet, stage by stage, or of a request", cli_explain,
	  "SRC DST --http \"METHOD TARGET\" [-H FIELD]... [-c FILE]" },
	{ "attach", "IF... [--generic] [--decap [--from PREFIX]... [--gue-port N]]",
	  "put the data plane on interfaces; with --decap the end of a tunnel", cli_attach },
	{ "detach", "IF... [--decap]", "take it off", cli_detach },
	{ "doctor", "[-c FILE] [--exit-code]",
	  "what on this host is in weir's way, and what mends it", cli_doctor },
	{ "schema", "", "the configuration's JSON Schema, for editors", cli_schema },
	{ "completion", "bash|zsh|fish", "completion of the command line, for a shell to source",
	  cli_completion },
	{ "down", "", "detach everywhere and remove the data plane", cli_down },
	{ "version", "", "the version", cli_version },
	{ "help", "[VERB]", "this, or a verb's arguments", cli_help, "--man 5|7|8" },
};

const size_t verbs_count = sizeof(verbs) / sizeof(verbs[0]);
