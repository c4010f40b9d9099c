// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/manual.h"

#include <ctype.h>
#include <string.h>

#include "cli/output.h"
#include "cli/verbs.h"
#include "config/schema.h"
#include "config/value.h"
#include "daemon/metrics_table.h"
#include "util/cleanup.h"
#include "util/str.h"

#define DATE "November 22, 2026"

/* Text as roff wants it: no line begins with a control character, and nothing in it is an escape.
 */
static void print_text(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else if (*text == '~' || *text == '^' || *text == '`')
			fprintf(out, "\\(%s", *text == '~' ? "ti" : *text == '^' ? "ha" : "ga");
		else if (*text == '"')
			fputs("\\(dq", out);
		else if (*text == '\'')
			fputs("\\(aq", out);
		else if (*text == '|' && isalpha((unsigned char)text[1]))
			fputs("|\\:", out); /* a list may go on in the next line */
		else
			fputc(*text, out);
	}
}

/* A line of text; `\&` keeps a first character from being a request. */
static void print_line(const char *text, FILE *out)
{
	fputs("\\&", out);
	print_text(text, out);
	fputc('\n', out);
}

/* Words of a line that begins with a macro: quoted, so that none of them is taken for a macro. */
static void print_argument(const char *text, FILE *out)
{
	fputs(" \"", out);
	print_text(text, out);
	fputc('"', out);
}

static void print_head(const char *title, const char *section, const char *name, const char *what,
		       FILE *out)
{
	fprintf(out,
		".\\\" Generated from the tables of weir; do not edit.\n"
		".Dd " DATE "\n.Dt %s %s\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n",
		title, section, name, what);
}

static const char *type_name(const struct schema_key *key)
{
	static const char *const names[] = {
		[SCHEMA_OBJECT] = "a mapping",
		[SCHEMA_ENDPOINT] = "HOST[:PORT] [weight N], or a mapping",
		[SCHEMA_NAME] = "a name",
		[SCHEMA_INTERFACE] = "the name of an interface",
		[SCHEMA_PATH] = "the path of a file, from the root on",
		[SCHEMA_COUNTRY] = "two capital letters",
		[SCHEMA_ADDRESS] = "an IP address",
		[SCHEMA_NETWORK] = "ADDRESS/LENGTH or an IP address",
		[SCHEMA_PREFIX] = "ADDRESS/LENGTH or an IP address",
		[SCHEMA_NUMBER] = "a number",
		[SCHEMA_BOOL] = "true or false",
		[SCHEMA_CHOICE] = "a word",
		[SCHEMA_DURATION] = "a duration",
		[SCHEMA_SPAN] = "two durations, as in 10s-900s",
		[SCHEMA_RATE] = "a rate, as in 100/s or 30/m burst 50",
		[SCHEMA_PORTS] = "ports and ranges, as in 80,443,7000-7099",
		[SCHEMA_TARGET] = "a path of a request, perhaps with ?query",
		[SCHEMA_ENDPOINT_ADDRESS] = "an IP address, a name in DNS or the id of an instance",
		[SCHEMA_SERVER] = "the name or address of a host",
		[SCHEMA_LISTEN] = "ADDRESS:PORT",
		[SCHEMA_AUTHORITY] = "HOST[:PORT]",
		[SCHEMA_MAP] = "a mapping with names of your choice",
		[SCHEMA_TEXT] = "a line of text",
		[SCHEMA_BODY] = "text",
		[SCHEMA_TOKEN] = "the name of a header",
		[SCHEMA_METHOD] = "a method of HTTP",
		[SCHEMA_PATTERN] = "a text, a wildcard or ~REGEX",
		[SCHEMA_HOST] = "a host, a wildcard or ~REGEX",
		[SCHEMA_URL_PATH] = "a path, a wildcard or ~REGEX",
		[SCHEMA_TEMPLATE] = "a part of a URL with ${variables}",
		[SCHEMA_TEMPLATE_PATH] = "a path with ${variables}",
		[SCHEMA_URL] = "a URL with ${variables}",
		[SCHEMA_MEDIA_TYPE] = "a media type, as in text/html",
		[SCHEMA_STATUS] = "200 to 299 or 400 to 599",
	};

	if (key->type >= sizeof(names) / sizeof(names[0]) || !names[key->type])
		return "a value";
	return names[key->type];
}

/* "A number, 1 to 65535; or a list of them." */
static void print_type(const struct schema_key *key, FILE *out)
{
	bool ranged = key->type == SCHEMA_NUMBER || key->type == SCHEMA_DURATION ||
		      key->type == SCHEMA_SPAN;
	bool object = key->type == SCHEMA_OBJECT, list = key->flags & SCHEMA_LIST;
	_cleanup_(str_fini) struct str text = {};
	char allowed[VALUE_ALLOWED_MAX];

	if (key->type == SCHEMA_CHOICE)
		str_add(&text, "One of: %s", value_allowed(key, allowed));
	else if (object)
		str_add(&text, "%s, see %s%s", list ? "A list of mappings" : "A mapping",
			key->object->name, key->object->scalar ? "; or only a value of its " : "");
	else
		str_add(&text, "%c%s", toupper((unsigned char)type_name(key)[0]),
			type_name(key) + 1);
	if (object && key->object->scalar)
		str_add(&text, "%s", key->object->scalar->name);
	if (ranged)
		str_add(&text, ", %s", value_allowed(key, allowed));
	if (list && !object)
		str_add(&text, "; or a list of them");
	str_add(&text, ".");
	print_line(text.text ?: "", out);
}

/* A sentence of its own. */
static void print_default(const struct schema_key *key, FILE *out)
{
	_cleanup_(str_fini) struct str text = {};
	const char *const *profiles = key->profiles;

	if (key->flags & SCHEMA_REQUIRED)
		str_add(&text, "Required.");
	else if (key->absent)
		str_add(&text, "Default: %s.", key->absent);
	else if (profiles[SCHEMA_PROFILE_DEFAULT])
		str_add(&text, "In profile default: %s; in ga-2021: %s.",
			*profiles[SCHEMA_PROFILE_DEFAULT] ? profiles[SCHEMA_PROFILE_DEFAULT]
							  : "none",
			profiles[SCHEMA_PROFILE_GA_2021]);
	if (text.size)
		print_line(text.text, out);
}

static void print_keys(const struct schema_object *object, FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < object->count; i++) {
		const struct schema_key *key = &object->keys[i];
		char first[2] = { toupper((unsigned char)key->help[0]) };

		fputs(".It Ic", out);
		print_argument(key->name, out);
		fputc('\n', out);
		fputs("\\&", out);
		print_text(first, out);
		print_text(key->help + 1, out);
		fputs(".\n.br\n", out);
		print_type(key, out);
		print_default(key, out);
	}
	fputs(".El\n", out);
}

/* The object and, behind it, those of its keys; none twice. */
static void print_object(const struct schema_object *object, const struct schema_object **seen,
			 size_t *count, size_t room, FILE *out)
{
	for (size_t i = 0; i < *count; i++)
		if (seen[i] == object)
			return;
	if (*count == room)
		return;
	seen[(*count)++] = object;
	fputs(".Ss", out);
	print_argument(object->name, out);
	fputc('\n', out);
	print_keys(object, out);
	for (size_t i = 0; i < object->count; i++)
		if (object->keys[i].object && object->keys[i].type != SCHEMA_MAP)
			print_object(object->keys[i].object, seen, count, room, out);
}

static const char example[] =
	".Sh EXAMPLES\n"
	".Bd -literal\n"
	"version: 1\n"
	"interfaces: [eth0]\n"
	"listeners:\n"
	"  \\- name: web\n"
	"    protocol: tcp\n"
	"    address: [192.0.2.10, \\(dq2001:db8::10\\(dq]\n"
	"    port: 80,443\n"
	"    endpoint_groups:\n"
	"      \\- name: main\n"
	"        endpoints:\n"
	"          \\- 10.0.0.11 weight 50\n"
	"          \\- 10.0.0.12\n"
	"  \\- name: dns\n"
	"    protocol: udp\n"
	"    address: 192.0.2.10\n"
	"    port: 53\n"
	"    mode: dsr\n"
	"    endpoint_groups:\n"
	"      \\- { name: resolvers, endpoints: [10.0.2.1, 10.0.2.2] }\n"
	".Ed\n"
	".Pp\n"
	"Requests by host and path:\n"
	".Bd -literal\n"
	"listeners:\n"
	"  \\- name: web\n"
	"    protocol: http\n"
	"    address: 192.0.2.10\n"
	"    port: 80\n"
	"    endpoint_groups:\n"
	"      \\- { name: main, endpoints: [10.0.0.11:8080, 10.0.0.12:8080 weight 50] }\n"
	"      \\- { name: api, type: virtual, endpoints: 10.0.1.21:9000 }\n"
	"    forwarding_rules:\n"
	"      \\- { host: api.example.com, path: /v2/*, forward: api }\n"
	"      \\- { path: /old/*, redirect: \\(dqhttps://example.com/new\\(dq }\n"
	"      \\- path: \\(ti\\(ha/api/v[0\\-9]+/\n"
	"        method: [GET, HEAD]\n"
	"        forward: api\n"
	"        rewrite: /v2${path}\n"
	"        add_header: { X\\-Gateway: weir }\n"
	".Ed\n";

void manual_print_configuration(FILE *out)
{
	const struct schema_object *seen[64];
	size_t count = 0;

	print_head("WEIR.YAML", "5", "weir.yaml", "configuration of the load balancer weir", out);
	fputs(".Sh DESCRIPTION\n"
	      "A YAML file that says what\n"
	      ".Xr weir 8\n"
	      "balances: listeners, their endpoint groups, and the endpoints in these.\n"
	      "Unknown and repeated keys are errors, all of which\n"
	      ".Ic weir check\n"
	      "reports at once.\n"
	      "A single value stands for a list of one.\n"
	      "A duration is a number with ms, s, m or h; a bare number is seconds.\n"
	      "Names begin with a letter and go on with letters, digits, dots, underscores and\n"
	      "dashes, at most 63 in all.\n"
	      "Anchors, aliases and tags of YAML are not supported: quote a value that begins "
	      "with\n"
	      "an asterisk.\n",
	      out);
	print_object(schema_root.object, seen, &count, sizeof(seen) / sizeof(seen[0]), out);
	fputs(".Sh PATTERNS\n"
	      "In conditions of forwarding rules, an asterisk is any run of characters, none and\n"
	      "slashes included, and a question mark is one character; the whole text must fit.\n"
	      "Behind a tilde stands a regular expression,\n"
	      ".Xr pcre2pattern 3 ,\n"
	      "which may fit any part of the text.\n",
	      out);
	fputs(example, out);
	fputs(".Sh SEE ALSO\n.Xr weir 8\n", out);
}

static void print_verbs(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < verbs_count; i++) {
		const struct verb *verb = &verbs[i];

		fputs(".It Ic", out);
		print_argument(verb->name, out);
		if (*verb->arguments) {
			fputs(" Ns", out);
			fputs(" \" ", out);
			print_text(verb->arguments, out);
			fputc('"', out);
		}
		fputc('\n', out);
		fprintf(out, "\\&%c", toupper((unsigned char)verb->help[0]));
		print_text(verb->help + 1, out);
		fputs(".\n", out);
		if (!verb->options)
			continue;
		fputs(".Bd -literal\n", out);
		print_line(verb->options, out);
		fputs(".Ed\n", out);
	}
	fputs(".El\n", out);
}

static void print_changes(FILE *out)
{
	fputs(".Sh CHANGES BY HAND\n"
	      "What\n.Ic set ,\n.Ic drain\nand\n.Ic disable\n"
	      "say is kept apart from the file, outlives the daemon, and is listed by\n"
	      ".Ic show overrides\nwith who said it, why and until when.\n"
	      "A selector is LISTENER[/GROUP[/ENDPOINT]];\n"
	      "a short one means all that is in it, and\n.Ql *\nany part of a name.\n"
	      ".Pp\n"
	      "A drained endpoint takes no new connections and keeps those it has.\n"
	      "With\n.Fl Fl wait\nthe command ends when the last of them has, with exit\n"
	      "status 75 when\n.Fl Fl timeout\nis over before.\n"
	      "Connections of mode nat are all known.\n"
	      "In the other modes those of an endpoint are known when they have shown since\n"
	      "the drain, which takes an\n.Cm idle_timeout\n"
	      "at most: it waits as long, and says so.\n"
	      ".Pp\n"
	      "What is disabled is as if it were not in the file.\n"
	      "Connections to a disabled endpoint end;\n"
	      "the share of a disabled group goes to the next one, and where there is none,\n"
	      "new connections are refused;\n"
	      "a disabled listener's ports are the host's own again.\n"
	      ".Ic enable\ntakes it back, with all that is in it.\n"
	      ".Pp\n"
	      ".Ic plan\ntells what\n.Ic apply\nwould change, and what other programs have\n"
	      "changed in maps, pins, programs, addresses and routes of weir's, which\n"
	      ".Ic apply\nand SIGHUP repair.\n"
	      ".Pp\n"
	      "On SIGUSR1 the daemon opens the file of\n.Cm access_log\n"
	      "anew, as logrotate wants it after it has moved the file away;\n"
	      "no line is lost, those of a moment more may still go to the old one.\n"
	      "A line is written within a tenth of a second after its request.\n"
	      "Where a disk takes them too slowly, lines are dropped, not requests delayed,\n"
	      "and the log of the daemon says how many.\n",
	      out);
}

void manual_print_command(FILE *out)
{
	print_head("WEIR", "8", "weir", "load balancer in the kernel", out);
	fputs(".Sh SYNOPSIS\n"
	      ".Nm weir\n.Op Fl N Ar NAME\n.Op Fl j | p\n.Ar VERB\n.Op Ar ARGUMENTS\n"
	      ".Sh DESCRIPTION\n"
	      ".Nm weir\n"
	      "spreads connections over endpoints, in the proportions that\n"
	      ".Xr weir.yaml 5\n"
	      "says, by programs in the kernel that go on without it.\n"
	      "A verb may be cut to any prefix that is no other verb's:\n",
	      out);
	print_verbs(out);
	fputs("Everywhere:\n"
	      ".Bl -tag -width Ds\n"
	      ".It Fl N Ar NAME , Fl Fl instance Ar NAME\n"
	      "The instance; several can run beside each other.\n"
	      ".It Fl j , Fl Fl json\n"
	      "JSON.\n"
	      ".It Fl p , Fl Fl pretty\n"
	      "Indented JSON.\n"
	      ".It Fl h , Fl Fl help\n"
	      "The arguments of the verb.\n"
	      ".El\n",
	      out);
	print_changes(out);
	fputs(".Sh PRIVILEGES\n"
	      "The daemon runs as a user of its own with the capabilities CAP_BPF, CAP_NET_ADMIN\n"
	      "and CAP_PERFMON, and gives up all others for good.\n"
	      "Started as root,\n.Ic run\nhands its folders and pins to the user\n.Qq weir ,\n"
	      "or to that of\n.Fl Fl user ,\nand becomes him before it reads anything;\n"
	      "what a daemon that was root has left is his then, and goes on.\n"
	      "Where the host has no user\n.Qq weir\nit stays root, without any other\n"
	      "capability;\n.Fl Fl user Cm root\nasks for that.\n"
	      "A service manager that starts it as the user runs\n"
	      ".Ic run Fl Fl prepare\nas root before, which does what needs root and ends.\n"
	      ".Pp\n"
	      "The configuration, and what it names, must be readable by the user.\n"
	      "It leaves no core file, nor can other processes of the user look into it.\n"
	      "Members of the user's group can do with the instance what the command line can, "
	      "but\n"
	      "for what needs capabilities of their own:\n.Ic explain ,\n.Ic down ,\n"
	      "and without a daemon\n.Ic attach\nand\n.Ic detach .\n"
	      "Everybody else is refused, with exit status 77.\n"
	      ".Sh ENVIRONMENT\n"
	      ".Bl -tag -width Ds\n"
	      ".It Ev WEIR_INSTANCE\n"
	      "The instance, where\n.Fl N\nis not given; else it is\n.Qq weir .\n"
	      ".It Ev NO_COLOR\n"
	      "If set, no colours on a terminal.\n"
	      ".El\n"
	      ".Sh FILES\n"
	      ".Bl -tag -width Ds\n"
	      ".It Pa /sys/fs/bpf/NAME\n"
	      "The data plane of an instance: maps, programs and links.\n"
	      ".It Pa /run/NAME/admin.sock\n"
	      "Where its daemon listens.\n"
	      ".It Pa /var/lib/NAME\n"
	      "What outlives it: overrides, and the configuration in force.\n"
	      ".El\n"
	      ".Sh EXIT STATUS\n"
	      ".Bl -tag -width 64 -compact\n"
	      ".It 0\nOk.\n.It 1\nFailed.\n.It 2\nIt differs, or something is wrong: only with "
	      "--exit-code.\n"
	      ".It 64\nWrong arguments.\n.It 65\nBad configuration.\n"
	      ".It 69\nNo daemon or no data plane.\n.It 75\nTry again.\n.It 77\nNot permitted.\n"
	      ".El\n"
	      ".Sh SEE ALSO\n.Xr weir.yaml 5 ,\n.Xr weir-metrics 7\n",
	      out);
}

static void print_metric(const struct metrics_row *row, FILE *out)
{
	fputs(".It Ic", out);
	fprintf(out, " \"" METRICS_PREFIX "%s\"\n", row->name);
	print_line(row->help, out);
	fprintf(out, ".br\nType: %s.\n", metrics_table_type(row->type));
	if (*row->labels) {
		fputs("Labels:\n", out);
		print_text(row->labels, out);
		fputs(".\n", out);
	}
}

static void print_reasons(FILE *out)
{
	for (int i = 0; i < WEIR_R_COUNT; i++) {
		const struct output_reason *reason = output_reason(i);

		fputs(".It Ic", out);
		print_argument(reason->name, out);
		fprintf(out, "\n%s: ", reason->kind);
		print_text(reason->help, out);
		if (*reason->hint) {
			fputs(".\n", out);
			print_text(reason->hint, out);
		}
		fputs(".\n", out);
	}
}

void manual_print_metrics(FILE *out)
{
	print_head("WEIR-METRICS", "7", "weir-metrics", "metrics of the load balancer weir", out);
	fprintf(out,
		".Sh DESCRIPTION\n"
		"With\n.Ic metrics.listen\nin\n.Xr weir.yaml 5\n"
		"the daemon of\n.Xr weir 8\n"
		"answers GET /metrics there, for Prometheus, and nothing else.\n"
		"Names and labels stay as they are; others may be added.\n"
		".Pp\n"
		"An endpoint has at most %d series, and none once it is removed.\n"
		"What is counted goes on over a restart of the daemon, as it is counted in the\n"
		"kernel; it begins anew with\n.Ic weir down\nor a restart of the host.\n"
		"The series of an endpoint also begin anew when its listener outgrows its rows,\n"
		"a while after endpoints were added; those of listeners do not.\n"
		".Sh METRICS\n"
		".Bl -tag -width Ds\n",
		METRICS_ENDPOINT_MAX);
	for (int i = 0; i < METRICS_COUNT; i++)
		print_metric(&metrics_table[i], out);
	fputs(".El\n"
	      ".Sh REASONS\n"
	      "What can become of a packet, and the kind of it: forwarded, passed on to the "
	      "kernel,\n"
	      "dropped, answered in the place of an endpoint, or only noted.\n"
	      ".Bl -tag -width Ds\n",
	      out);
	print_reasons(out);
	fputs(".El\n.Sh SEE ALSO\n.Xr weir.yaml 5 ,\n.Xr weir 8\n", out);
}
